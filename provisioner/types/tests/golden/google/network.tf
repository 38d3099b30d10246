# network.main
resource "google_compute_network" "main" {
  name                    = "shop-prod-main"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "main" {
  name                     = "shop-prod-main"
  region                   = var.region
  network                  = google_compute_network.main.id
  ip_cidr_range            = cidrsubnet("10.20.0.0/16", 4, 0)
  private_ip_google_access = true
}

resource "google_compute_global_address" "main_services" {
  name          = "shop-prod-main-services"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
  network       = google_compute_network.main.id
}

resource "google_service_networking_connection" "main" {
  network                 = google_compute_network.main.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.main_services.name]
}

# nat.main
resource "google_compute_router" "main" {
  name    = "shop-prod-main"
  region  = var.region
  network = google_compute_network.main.id
}

resource "google_compute_address" "main" {
  name   = "shop-prod-main-nat"
  region = var.region

  labels = {
    grid_kind = "nat"
    grid_name = "main"
  }
}

resource "google_compute_router_nat" "main" {
  name                               = "shop-prod-main"
  router                             = google_compute_router.main.name
  region                             = google_compute_router.main.region
  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = [google_compute_address.main.self_link]
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
  tcp_established_idle_timeout_sec   = 240

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

# firewall.app
resource "google_compute_firewall" "app" {
  for_each = {
    http = {
      protocol = "tcp"
      ports    = "8080"
      from     = ["10.20.0.0/16"]
    }
  }

  name          = "shop-prod-app-${each.key}"
  network       = google_compute_network.main.id
  direction     = "INGRESS"
  source_ranges = each.value.from
  target_tags   = ["shop-prod-app"]

  allow {
    protocol = each.value.protocol
    ports    = [each.value.ports]
  }
}

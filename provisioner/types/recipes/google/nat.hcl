resource "google_compute_router" "this" {
  name    = full
  region  = var.region
  network = field.network.id
}

resource "google_compute_address" "this" {
  name   = "${short(59)}-nat"
  region = var.region
  labels = labels
}

resource "google_compute_router_nat" "this" {
  name                               = full
  router                             = google_compute_router.this.name
  region                             = google_compute_router.this.region
  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = [google_compute_address.this.self_link]
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
  tcp_established_idle_timeout_sec   = field.idle_timeout_minutes * 60

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

out {
  id        = google_compute_router_nat.this.id
  public_ip = google_compute_address.this.address
}

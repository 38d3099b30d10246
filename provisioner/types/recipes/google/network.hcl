resource "google_compute_network" "this" {
  name                    = full
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "this" {
  name                     = full
  region                   = var.region
  network                  = google_compute_network.this.id
  ip_cidr_range            = cidrsubnet(field.cidr, 4, 0)
  private_ip_google_access = true
}

# Where Google puts what it manages: databases, caches, files.
resource "google_compute_global_address" "this_services" {
  name          = "${short(54)}-services"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
  network       = google_compute_network.this.id
}

resource "google_service_networking_connection" "this" {
  network                 = google_compute_network.this.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.this_services.name]
}

out {
  id         = google_compute_network.this.id
  name       = google_compute_network.this.name
  cidr       = field.cidr
  subnet_id  = google_compute_subnetwork.this.id
  connection = google_service_networking_connection.this
}

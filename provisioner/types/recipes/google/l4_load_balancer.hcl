resource "google_compute_region_health_check" "this" {
  name   = full
  region = var.region

  tcp_health_check {
    port = field.port
  }
}

resource "google_compute_region_backend_service" "this" {
  name                  = full
  region                = var.region
  protocol              = "TCP"
  load_balancing_scheme = field.public ? "EXTERNAL" : "INTERNAL"
  health_checks         = [google_compute_region_health_check.this.id]

  backend {
    repeat         = users.autoscaling_group
    group          = item.group
    balancing_mode = "CONNECTION"
  }
}

resource "google_compute_forwarding_rule" "this" {
  name                  = full
  region                = var.region
  load_balancing_scheme = field.public ? "EXTERNAL" : "INTERNAL"
  ip_protocol           = "TCP"
  ports                 = ["${field.port}"]
  backend_service       = google_compute_region_backend_service.this.id
  network               = field.public ? null : field.network.id
  subnetwork            = field.public ? null : field.network.subnet_id
  labels                = labels
}

resource "google_compute_firewall" "this_l4" {
  name          = "${short(60)}-l4"
  network       = field.network.id
  source_ranges = field.public ? ["0.0.0.0/0"] : ["35.191.0.0/16", "130.211.0.0/22", field.network.cidr]
  target_tags   = ["${short(60)}-l4"]

  allow {
    protocol = "tcp"
    ports    = ["${field.port}"]
  }
}

out {
  id   = google_compute_forwarding_rule.this.id
  host = google_compute_forwarding_rule.this.ip_address
  port = field.port
  tag  = "${short(60)}-l4"
}

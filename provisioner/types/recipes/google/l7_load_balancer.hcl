resource "google_compute_global_address" "this_l7" {
  name = "${short(60)}-l7"
}

resource "google_compute_health_check" "this" {
  name = full

  http_health_check {
    port         = field.backend_port
    request_path = field.health_path
  }
}

resource "google_compute_backend_service" "this" {
  name                  = full
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTP"
  port_name             = "main"
  timeout_sec           = field.idle_timeout_seconds
  health_checks         = [google_compute_health_check.this.id]
  security_policy       = users.waf[0].id

  backend {
    repeat          = users.autoscaling_group
    group           = item.group
    balancing_mode  = "UTILIZATION"
    capacity_scaler = 1
  }
}

resource "google_compute_url_map" "this_l7" {
  name            = "${short(60)}-l7"
  default_service = google_compute_backend_service.this.id
}

resource "google_compute_url_map" "this_redirect" {
  when = field.certificate != null
  name = "${short(54)}-redirect"

  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
    strip_query            = false
  }
}

resource "google_compute_target_http_proxy" "this_l7" {
  name    = "${short(60)}-l7"
  url_map = field.certificate == null ? google_compute_url_map.this_l7.id : google_compute_url_map.this_redirect.id
}

resource "google_compute_global_forwarding_rule" "this_http" {
  name                  = "${short(58)}-http"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.this_l7.id
  port_range            = "80"
  target                = google_compute_target_http_proxy.this_l7.id
  labels                = labels
}

resource "google_certificate_manager_certificate_map" "this" {
  when   = field.certificate != null
  name   = full
  labels = labels
}

resource "google_certificate_manager_certificate_map_entry" "this" {
  when         = field.certificate != null
  name         = full
  map          = google_certificate_manager_certificate_map.this.name
  certificates = [field.certificate.id]
  matcher      = "PRIMARY"
  labels       = labels
}

resource "google_compute_target_https_proxy" "this" {
  when            = field.certificate != null
  name            = full
  url_map         = google_compute_url_map.this_l7.id
  certificate_map = "//certificatemanager.googleapis.com/${google_certificate_manager_certificate_map.this.id}"
}

resource "google_compute_global_forwarding_rule" "this_https" {
  when                  = field.certificate != null
  name                  = "${short(57)}-https"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.this_l7.id
  port_range            = "443"
  target                = google_compute_target_https_proxy.this.id
  labels                = labels
}

# From where Google asks for health and sends requests.
resource "google_compute_firewall" "this_l7" {
  name          = "${short(60)}-l7"
  network       = field.network.id
  source_ranges = ["130.211.0.0/22", "35.191.0.0/16"]
  target_tags   = ["${short(60)}-l7"]

  allow {
    protocol = "tcp"
    ports    = ["${field.backend_port}"]
  }
}

out {
  id   = google_compute_url_map.this_l7.id
  host = google_compute_global_address.this_l7.address
  port = field.backend_port
  tag  = "${short(60)}-l7"
}

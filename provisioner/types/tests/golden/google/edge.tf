# dns_zone.shop
resource "google_dns_managed_zone" "shop" {
  name        = "shop-prod-shop"
  dns_name    = "shop.example.com."
  description = "Grid: dns_zone.shop"

  labels = {
    grid_kind = "dns_zone"
    grid_name = "shop"
  }

  dnssec_config {
    state = "on"
  }
}

# tls_certificate.shop
resource "google_certificate_manager_dns_authorization" "shop" {
  name   = "shop-prod-shop"
  domain = "shop.example.com"

  labels = {
    grid_kind = "tls_certificate"
    grid_name = "shop"
  }
}

resource "google_dns_record_set" "shop_authorization" {
  managed_zone = google_dns_managed_zone.shop.name
  name         = google_certificate_manager_dns_authorization.shop.dns_resource_record[0].name
  type         = google_certificate_manager_dns_authorization.shop.dns_resource_record[0].type
  ttl          = 300
  rrdatas      = [google_certificate_manager_dns_authorization.shop.dns_resource_record[0].data]
}

resource "google_certificate_manager_certificate" "shop" {
  name = "shop-prod-shop"

  labels = {
    grid_kind = "tls_certificate"
    grid_name = "shop"
  }

  managed {
    domains            = ["shop.example.com"]
    dns_authorizations = [google_certificate_manager_dns_authorization.shop.id]
  }
}

# l7_load_balancer.web
resource "google_compute_global_address" "web_l7" {
  name = "shop-prod-web-l7"
}

resource "google_compute_health_check" "web" {
  name = "shop-prod-web"

  http_health_check {
    port         = 8080
    request_path = "/healthz"
  }
}

resource "google_compute_backend_service" "web" {
  name                  = "shop-prod-web"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTP"
  port_name             = "main"
  timeout_sec           = 60
  health_checks         = [google_compute_health_check.web.id]
  security_policy       = google_compute_security_policy.web.id

  backend {
    group           = google_compute_region_instance_group_manager.app.instance_group
    balancing_mode  = "UTILIZATION"
    capacity_scaler = 1
  }
}

resource "google_compute_url_map" "web_l7" {
  name            = "shop-prod-web-l7"
  default_service = google_compute_backend_service.web.id
}

resource "google_compute_url_map" "web_redirect" {
  name = "shop-prod-web-redirect"

  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
    strip_query            = false
  }
}

resource "google_compute_target_http_proxy" "web_l7" {
  name    = "shop-prod-web-l7"
  url_map = google_compute_url_map.web_redirect.id
}

resource "google_compute_global_forwarding_rule" "web_http" {
  name                  = "shop-prod-web-http"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.web_l7.id
  port_range            = "80"
  target                = google_compute_target_http_proxy.web_l7.id

  labels = {
    grid_kind = "l7_load_balancer"
    grid_name = "web"
  }
}

resource "google_certificate_manager_certificate_map" "web" {
  name = "shop-prod-web"

  labels = {
    grid_kind = "l7_load_balancer"
    grid_name = "web"
  }
}

resource "google_certificate_manager_certificate_map_entry" "web" {
  name         = "shop-prod-web"
  map          = google_certificate_manager_certificate_map.web.name
  certificates = [google_certificate_manager_certificate.shop.id]
  matcher      = "PRIMARY"

  labels = {
    grid_kind = "l7_load_balancer"
    grid_name = "web"
  }
}

resource "google_compute_target_https_proxy" "web" {
  name            = "shop-prod-web"
  url_map         = google_compute_url_map.web_l7.id
  certificate_map = "//certificatemanager.googleapis.com/${google_certificate_manager_certificate_map.web.id}"
}

resource "google_compute_global_forwarding_rule" "web_https" {
  name                  = "shop-prod-web-https"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.web_l7.id
  port_range            = "443"
  target                = google_compute_target_https_proxy.web.id

  labels = {
    grid_kind = "l7_load_balancer"
    grid_name = "web"
  }
}

resource "google_compute_firewall" "web_l7" {
  name          = "shop-prod-web-l7"
  network       = google_compute_network.main.id
  source_ranges = ["130.211.0.0/22", "35.191.0.0/16"]
  target_tags   = ["shop-prod-web-l7"]

  allow {
    protocol = "tcp"
    ports    = ["8080"]
  }
}

# waf.web
resource "google_compute_security_policy" "web" {
  name        = "shop-prod-web"
  description = "Grid: waf.web"

  rule {
    description = "rate"
    priority    = 1000
    action      = "throttle"
    preview     = false

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count = 2000

        interval_sec = 300
      }
    }
  }

  rule {
    description = "SQL injection"
    priority    = 2000
    action      = "deny(403)"
    preview     = false

    match {
      expr {
        expression = "evaluatePreconfiguredWaf('sqli-v33-stable', {'sensitivity': 1})"
      }
    }
  }

  rule {
    description = "scripts of strangers"
    priority    = 2001
    action      = "deny(403)"
    preview     = false

    match {
      expr {
        expression = "evaluatePreconfiguredWaf('xss-v33-stable', {'sensitivity': 1})"
      }
    }
  }

  rule {
    description = "all else"
    priority    = 2147483647
    action      = "allow"

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

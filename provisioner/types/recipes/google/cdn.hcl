# Google's CDN reads a bucket as everybody: its objects become public.
resource "google_storage_bucket_iam_member" "this_cdn" {
  bucket = field.origin.name
  role   = "roles/storage.objectViewer"
  member = "allUsers"
}

resource "google_compute_backend_bucket" "this" {
  name             = full
  bucket_name      = field.origin.name
  enable_cdn       = true
  compression_mode = "AUTOMATIC"

  cdn_policy {
    cache_mode  = "CACHE_ALL_STATIC"
    default_ttl = field.default_ttl_seconds
    client_ttl  = field.default_ttl_seconds
    max_ttl     = max(field.default_ttl_seconds, 86400)
  }
}

resource "google_compute_global_address" "this_cdn" {
  name = "${short(59)}-cdn"
}

resource "google_compute_url_map" "this_cdn" {
  name            = "${short(59)}-cdn"
  default_service = google_compute_backend_bucket.this.id

  host_rule {
    when         = field.index != null
    hosts        = ["*"]
    path_matcher = "objects"
  }

  path_matcher {
    when            = field.index != null
    name            = "objects"
    default_service = google_compute_backend_bucket.this.id

    route_rules {
      priority = 1
      service  = google_compute_backend_bucket.this.id

      match_rules {
        full_path_match = "/"
      }

      route_action {
        url_rewrite {
          path_prefix_rewrite = field.index
        }
      }
    }
  }
}

resource "google_compute_target_http_proxy" "this_cdn" {
  name    = "${short(59)}-cdn"
  url_map = google_compute_url_map.this_cdn.id
}

resource "google_compute_global_forwarding_rule" "this_cdn" {
  name                  = "${short(59)}-cdn"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.this_cdn.id
  port_range            = "80"
  target                = google_compute_target_http_proxy.this_cdn.id
  labels                = labels
}

out {
  id   = google_compute_backend_bucket.this.id
  host = google_compute_global_address.this_cdn.address
}

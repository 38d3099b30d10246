resource "google_storage_bucket" "this" {
  name                        = "${var.project}-${short(30)}"
  location                    = var.region
  storage_class               = field.class == "infrequent" ? "NEARLINE" : "STANDARD"
  uniform_bucket_level_access = true
  labels                      = labels

  versioning {
    enabled = field.versioning
  }

  lifecycle_rule {
    when = field.expire_days != null

    action {
      type = "Delete"
    }

    condition {
      age = field.expire_days
    }
  }

  lifecycle_rule {
    when = field.versioning

    action {
      type = "Delete"
    }

    condition {
      days_since_noncurrent_time = 30
    }
  }
}

out {
  id   = google_storage_bucket.this.id
  name = google_storage_bucket.this.name
  url  = google_storage_bucket.this.url
}

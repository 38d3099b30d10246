resource "google_cloudfunctions2_function" "this" {
  name     = short(60)
  location = var.region
  labels   = labels

  build_config {
    runtime     = field.runtime == "python-3.12" ? "python312" : "nodejs22"
    entry_point = field.handler

    source {
      storage_source {
        bucket = field.source.name
        object = field.archive
      }
    }
  }

  service_config {
    available_memory      = "${field.memory_mib}Mi"
    timeout_seconds       = field.timeout_seconds
    max_instance_count    = field.max_instances
    ingress_settings      = "ALLOW_INTERNAL_ONLY"
    environment_variables = field.env
    service_account_email = field.identity.email
  }
}

out {
  id   = google_cloudfunctions2_function.this.id
  name = google_cloudfunctions2_function.this.name
}

variable "this_value" {
  description = "The value of ${address}."
  type        = string
  sensitive   = true
}

data "google_project" "current" {}

resource "google_kms_key_ring" "this" {
  name     = full
  location = var.region
}

resource "google_kms_crypto_key" "this" {
  name                       = "secrets"
  key_ring                   = google_kms_key_ring.this.id
  rotation_period            = "7776000s"
  destroy_scheduled_duration = "${field.recovery_days * 86400}s"
  labels                     = labels
}

resource "google_kms_crypto_key_iam_member" "this" {
  crypto_key_id = google_kms_crypto_key.this.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:service-${data.google_project.current.number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
}

resource "google_secret_manager_secret" "this" {
  secret_id           = full
  version_destroy_ttl = "${field.recovery_days * 86400}s"
  labels              = labels

  replication {
    user_managed {
      replicas {
        location = var.region

        customer_managed_encryption {
          kms_key_name = google_kms_crypto_key.this.id
        }
      }
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.this]
}

resource "google_secret_manager_secret_version" "this" {
  secret      = google_secret_manager_secret.this.id
  secret_data = var.this_value
}

resource "google_secret_manager_secret_iam_member" "this" {
  when      = length(field.readers) > 0
  for_each  = { for r in field.readers : r.name => r.member }
  secret_id = google_secret_manager_secret.this.id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}

out {
  id = google_secret_manager_secret.this.id
}

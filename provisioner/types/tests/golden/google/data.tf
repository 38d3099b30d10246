# postgresql.orders
resource "google_sql_database_instance" "orders_postgresql" {
  name                = "shop-prod-orders-postgresql"
  region              = var.region
  database_version    = "POSTGRES_17"
  deletion_protection = true

  settings {
    edition                     = "ENTERPRISE"
    tier                        = "db-custom-2-8192"
    availability_type           = "REGIONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = 200
    disk_autoresize             = true
    deletion_protection_enabled = true

    user_labels = {
      grid_kind = "postgresql"
      grid_name = "orders"
    }

    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = 7
      }
    }

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.main.id
      ssl_mode        = "ENCRYPTED_ONLY"
    }
  }

  depends_on = [google_service_networking_connection.main]
}

resource "google_sql_database" "orders_postgresql" {
  name     = "orders"
  instance = google_sql_database_instance.orders_postgresql.name
}

resource "google_sql_user" "orders_postgresql" {
  name     = "grid"
  instance = google_sql_database_instance.orders_postgresql.name
  password = var.orders_postgresql_password
}

# redis.sessions
resource "google_redis_instance" "sessions" {
  name                    = "shop-prod-sessions"
  region                  = var.region
  tier                    = "STANDARD_HA"
  memory_size_gb          = 5
  redis_version           = "REDIS_7_2"
  authorized_network      = google_compute_network.main.id
  connect_mode            = "PRIVATE_SERVICE_ACCESS"
  transit_encryption_mode = "SERVER_AUTHENTICATION"
  auth_enabled            = true

  labels = {
    grid_kind = "redis"
    grid_name = "sessions"
  }

  depends_on = [google_service_networking_connection.main]
}

# object_store.images
resource "google_storage_bucket" "images" {
  name                        = "${var.project}-shop-prod-images"
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true

  labels = {
    grid_kind = "object_store"
    grid_name = "images"
  }

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age = 730
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      days_since_noncurrent_time = 30
    }
  }
}

# secret.payment-key
resource "google_kms_key_ring" "payment_key" {
  name     = "shop-prod-payment-key"
  location = var.region
}

resource "google_kms_crypto_key" "payment_key" {
  name                       = "secrets"
  key_ring                   = google_kms_key_ring.payment_key.id
  rotation_period            = "7776000s"
  destroy_scheduled_duration = "2592000s"

  labels = {
    grid_kind = "secret"
    grid_name = "payment-key"
  }
}

resource "google_kms_crypto_key_iam_member" "payment_key" {
  crypto_key_id = google_kms_crypto_key.payment_key.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:service-${data.google_project.current.number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
}

resource "google_secret_manager_secret" "payment_key" {
  secret_id           = "shop-prod-payment-key"
  version_destroy_ttl = "2592000s"

  labels = {
    grid_kind = "secret"
    grid_name = "payment-key"
  }

  replication {
    user_managed {
      replicas {
        location = var.region

        customer_managed_encryption {
          kms_key_name = google_kms_crypto_key.payment_key.id
        }
      }
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.payment_key]
}

resource "google_secret_manager_secret_version" "payment_key" {
  secret      = google_secret_manager_secret.payment_key.id
  secret_data = var.payment_key_value
}

resource "google_secret_manager_secret_iam_member" "payment_key" {
  for_each = {
    app = google_service_account.app.member
  }

  secret_id = google_secret_manager_secret.payment_key.id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}

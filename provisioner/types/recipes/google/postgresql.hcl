variable "this_postgresql_password" {
  description = "The password of the user grid of ${address}."
  type        = string
  sensitive   = true
}

resource "google_sql_database_instance" "this_postgresql" {
  name                = "${short(52)}-postgresql"
  region              = var.region
  database_version    = "POSTGRES_${field.version}"
  deletion_protection = field.protect

  settings {
    edition                     = "ENTERPRISE"
    tier                        = machine("database")
    availability_type           = field.high_availability ? "REGIONAL" : "ZONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = field.storage_gib
    disk_autoresize             = true
    deletion_protection_enabled = field.protect
    user_labels                 = labels

    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = field.backup_days
      }
    }

    ip_configuration {
      ipv4_enabled    = false
      private_network = field.network.id
      ssl_mode        = "ENCRYPTED_ONLY"
    }
  }

  depends_on = [field.network.connection]
}

resource "google_sql_database" "this_postgresql" {
  name     = field.database
  instance = google_sql_database_instance.this_postgresql.name
}

resource "google_sql_user" "this_postgresql" {
  name     = "grid"
  instance = google_sql_database_instance.this_postgresql.name
  password = var.this_postgresql_password
}

out {
  id       = google_sql_database_instance.this_postgresql.id
  host     = google_sql_database_instance.this_postgresql.private_ip_address
  port     = 5432
  database = google_sql_database.this_postgresql.name
}

variable "this_mysql_password" {
  description = "The password of the user grid of ${address}."
  type        = string
  sensitive   = true
}

resource "google_sql_database_instance" "this_mysql" {
  name                = "${short(52)}-mysql"
  region              = var.region
  database_version    = "MYSQL_${replace(field.version, ".", "_")}"
  deletion_protection = field.protect

  settings {
    edition                     = "ENTERPRISE"
    tier                        = machine("mysql")
    availability_type           = field.high_availability ? "REGIONAL" : "ZONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = field.storage_gib
    disk_autoresize             = true
    deletion_protection_enabled = field.protect
    user_labels                 = labels

    backup_configuration {
      enabled                        = true
      binary_log_enabled             = true
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

resource "google_sql_database" "this_mysql" {
  name     = field.database
  instance = google_sql_database_instance.this_mysql.name
}

resource "google_sql_user" "this_mysql" {
  name     = "grid"
  instance = google_sql_database_instance.this_mysql.name
  password = var.this_mysql_password
}

out {
  id       = google_sql_database_instance.this_mysql.id
  host     = google_sql_database_instance.this_mysql.private_ip_address
  port     = 3306
  database = google_sql_database.this_mysql.name
}

resource "google_redis_instance" "this" {
  name                    = short(40)
  region                  = var.region
  tier                    = field.high_availability ? "STANDARD_HA" : "BASIC"
  memory_size_gb          = field.memory_gib
  redis_version           = "REDIS_7_2"
  authorized_network      = field.network.id
  connect_mode            = "PRIVATE_SERVICE_ACCESS"
  transit_encryption_mode = "SERVER_AUTHENTICATION"
  auth_enabled            = true
  labels                  = labels

  depends_on = [field.network.connection]
}

out {
  id   = google_redis_instance.this.id
  host = google_redis_instance.this.host
  port = google_redis_instance.this.port
}

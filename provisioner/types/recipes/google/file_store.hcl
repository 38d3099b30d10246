resource "google_filestore_instance" "this" {
  name     = full
  location = var.zone
  tier     = field.class == "fast" ? "ZONAL" : "BASIC_HDD"
  labels   = labels

  file_shares {
    name        = "files"
    capacity_gb = field.size_gib
  }

  networks {
    network      = field.network.name
    modes        = ["MODE_IPV4"]
    connect_mode = "PRIVATE_SERVICE_ACCESS"
  }

  depends_on = [field.network.connection]
}

out {
  id   = google_filestore_instance.this.id
  host = google_filestore_instance.this.networks[0].ip_addresses[0]
}

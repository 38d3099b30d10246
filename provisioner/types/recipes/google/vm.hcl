data "google_compute_image" "ubuntu_24_04" {
  when    = field.os == "ubuntu-24.04"
  family  = "ubuntu-2404-lts-amd64"
  project = "ubuntu-os-cloud"
}

data "google_compute_image" "debian_12" {
  when    = field.os == "debian-12"
  family  = "debian-12"
  project = "debian-cloud"
}

resource "google_compute_instance" "this" {
  name                      = full
  zone                      = var.zone
  machine_type              = machine("vm")
  tags                      = field.firewall == null ? null : [field.firewall.tag]
  allow_stopping_for_update = true
  desired_status            = field.running ? null : "TERMINATED"
  labels                    = labels

  metadata = {
    ssh-keys  = "ops:${field.ssh_public_key}"
    user-data = field.user_data
  }

  boot_disk {
    initialize_params {
      image = field.os == "ubuntu-24.04" ? data.google_compute_image.ubuntu_24_04.self_link : data.google_compute_image.debian_12.self_link
      size  = field.disk_gib
      type  = "pd-balanced"
    }
  }

  network_interface {
    subnetwork = field.network.subnet_id

    access_config {
      when = field.public_ip
    }
  }

  service_account {
    when   = field.identity != null
    email  = field.identity.email
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  lifecycle {
    ignore_changes = [boot_disk[0].initialize_params[0].image]
  }
}

out {
  id         = google_compute_instance.this.id
  private_ip = google_compute_instance.this.network_interface[0].network_ip
  zone       = google_compute_instance.this.zone
}

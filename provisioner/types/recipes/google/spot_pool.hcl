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

resource "google_compute_instance_template" "this_spot" {
  name_prefix  = "${short(30)}-"
  region       = var.region
  machine_type = machine("vm")
  tags         = field.firewall == null ? null : [field.firewall.tag]
  labels       = labels

  metadata = {
    ssh-keys = "ops:${field.ssh_public_key}"
  }

  disk {
    source_image = field.os == "ubuntu-24.04" ? data.google_compute_image.ubuntu_24_04.self_link : data.google_compute_image.debian_12.self_link
    boot         = true
    auto_delete  = true
    disk_size_gb = field.disk_gib
    disk_type    = "pd-balanced"
  }

  network_interface {
    subnetwork = field.network.subnet_id
  }

  scheduling {
    provisioning_model          = "SPOT"
    preemptible                 = true
    automatic_restart           = false
    instance_termination_action = field.on_reclaim == "stop" ? "STOP" : "DELETE"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_region_instance_group_manager" "this_spot" {
  name               = "${short(58)}-spot"
  region             = var.region
  base_instance_name = "${short(40)}-spot"
  target_size        = field.capacity

  version {
    instance_template = google_compute_instance_template.this_spot.self_link_unique
  }
}

out {
  id = google_compute_region_instance_group_manager.this_spot.id
}

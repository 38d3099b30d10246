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

resource "google_compute_instance_template" "this_group" {
  name_prefix  = "${short(30)}-"
  region       = var.region
  machine_type = machine("vm")
  tags         = concat(field.firewall == null ? [] : [field.firewall.tag], field.load_balancer == null ? [] : [field.load_balancer.tag])
  labels       = labels

  metadata = {
    ssh-keys  = "ops:${field.ssh_public_key}"
    user-data = field.user_data
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

  service_account {
    when   = field.identity != null
    email  = field.identity.email
    scopes = ["cloud-platform"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_region_instance_group_manager" "this" {
  name               = full
  region             = var.region
  base_instance_name = short(40)

  version {
    instance_template = google_compute_instance_template.this_group.self_link_unique
  }

  named_port {
    when = field.load_balancer != null
    name = "main"
    port = field.load_balancer.port
  }

  update_policy {
    type                         = "PROACTIVE"
    minimal_action               = "REPLACE"
    max_surge_fixed              = 3
    max_unavailable_fixed        = 0
    instance_redistribution_type = "PROACTIVE"
  }
}

resource "google_compute_region_autoscaler" "this" {
  name   = full
  region = var.region
  target = google_compute_region_instance_group_manager.this.id

  autoscaling_policy {
    min_replicas    = field.min
    max_replicas    = field.max
    cooldown_period = 60

    cpu_utilization {
      target = field.target_cpu_percent * 0.01
    }
  }
}

out {
  id    = google_compute_region_instance_group_manager.this.id
  name  = google_compute_region_instance_group_manager.this.name
  group = google_compute_region_instance_group_manager.this.instance_group
}

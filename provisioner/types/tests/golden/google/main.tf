# workload_identity.app
resource "google_service_account" "app" {
  account_id   = "shop-prod-app"
  display_name = "Grid: workload_identity.app"
}

# autoscaling_group.app
resource "google_compute_instance_template" "app_group" {
  name_prefix  = "shop-prod-app-"
  region       = var.region
  machine_type = "n2-standard-4"
  tags         = ["shop-prod-app", "shop-prod-web-l7"]

  labels = {
    grid_kind = "autoscaling_group"
    grid_name = "app"
  }

  metadata = {
    ssh-keys  = "ops:ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops"
    user-data = "#cloud-config\nwrite_files:\n  - path: /etc/shop.env\n    content: DB_HOST=${google_sql_database_instance.orders_postgresql.private_ip_address}\n"
  }

  disk {
    source_image = data.google_compute_image.ubuntu_24_04.self_link
    boot         = true
    auto_delete  = true
    disk_size_gb = 30
    disk_type    = "pd-balanced"
  }

  network_interface {
    subnetwork = google_compute_subnetwork.main.id
  }

  service_account {
    email  = google_service_account.app.email
    scopes = ["cloud-platform"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_region_instance_group_manager" "app" {
  name               = "shop-prod-app"
  region             = var.region
  base_instance_name = "shop-prod-app"

  version {
    instance_template = google_compute_instance_template.app_group.self_link_unique
  }

  named_port {
    name = "main"
    port = 8080
  }

  update_policy {
    type                         = "PROACTIVE"
    minimal_action               = "REPLACE"
    max_surge_fixed              = 3
    max_unavailable_fixed        = 0
    instance_redistribution_type = "PROACTIVE"
  }
}

resource "google_compute_region_autoscaler" "app" {
  name   = "shop-prod-app"
  region = var.region
  target = google_compute_region_instance_group_manager.app.id

  autoscaling_policy {
    min_replicas    = 2
    max_replicas    = 8
    cooldown_period = 60

    cpu_utilization {
      target = 0.6
    }
  }
}

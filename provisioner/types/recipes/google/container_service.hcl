# Below one processor Cloud Run takes one request at a time, so that a whole one is the least.
resource "google_cloud_run_v2_service" "this" {
  name                = short(49)
  location            = var.region
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = true
  labels              = labels

  template {
    service_account = field.identity.email

    scaling {
      min_instance_count = field.min
      max_instance_count = field.max
    }

    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"

      network_interfaces {
        network    = field.network.id
        subnetwork = field.network.subnet_id
      }
    }

    containers {
      image = field.image

      ports {
        container_port = field.port
      }

      resources {
        limits = {
          cpu    = field.cpu_milli <= 1000 ? "1" : (field.cpu_milli <= 2000 ? "2" : "4")
          memory = "${field.memory_mib}Mi"
        }
      }

      env {
        repeat = field.env
        name   = item.key
        value  = item.value
      }
    }
  }
}

out {
  id   = google_cloud_run_v2_service.this.id
  name = google_cloud_run_v2_service.this.name
}

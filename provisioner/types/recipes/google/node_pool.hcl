resource "google_container_node_pool" "this" {
  name               = short(40)
  cluster            = field.cluster.id
  initial_node_count = max(field.min, 1)

  # Counted over all zones of the region.
  autoscaling {
    total_min_node_count = field.min
    total_max_node_count = field.max
    location_policy      = field.spot ? "ANY" : "BALANCED"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  node_config {
    machine_type    = machine("vm")
    disk_size_gb    = field.disk_gib
    disk_type       = "pd-balanced"
    spot            = field.spot
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    resource_labels = labels

    workload_metadata_config {
      mode = "GKE_METADATA"
    }

    shielded_instance_config {
      enable_secure_boot = true
    }
  }

  lifecycle {
    ignore_changes = [initial_node_count]
  }
}

out {
  id = google_container_node_pool.this.id
}

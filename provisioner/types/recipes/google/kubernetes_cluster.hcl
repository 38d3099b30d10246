resource "google_container_cluster" "this" {
  name                     = short(40)
  location                 = var.region
  network                  = field.network.id
  subnetwork               = field.network.subnet_id
  min_master_version       = field.version
  networking_mode          = "VPC_NATIVE"
  datapath_provider        = "ADVANCED_DATAPATH"
  remove_default_node_pool = true
  initial_node_count       = 1
  deletion_protection      = true
  resource_labels          = labels

  ip_allocation_policy {}

  private_cluster_config {
    when                    = field.private
    enable_private_nodes    = true
    enable_private_endpoint = true
  }

  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }

  release_channel {
    channel = "REGULAR"
  }
}

out {
  id       = google_container_cluster.this.id
  name     = google_container_cluster.this.name
  endpoint = google_container_cluster.this.endpoint
  block    = google_container_cluster.this
}

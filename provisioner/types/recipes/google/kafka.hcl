resource "google_managed_kafka_cluster" "this" {
  cluster_id = short(60)
  location   = var.region
  labels     = labels

  # Kafka runs in shares here: three processors at least, and four GiB of memory to each.
  capacity_config {
    vcpu_count   = tostring(field.brokers)
    memory_bytes = tostring(field.brokers * 4294967296)
  }

  gcp_config {
    access_config {
      network_configs {
        subnet = field.network.subnet_id
      }
    }
  }

  rebalance_config {
    mode = "AUTO_REBALANCE_ON_SCALE_UP"
  }
}

out {
  id        = google_managed_kafka_cluster.this.id
  bootstrap = "bootstrap.${google_managed_kafka_cluster.this.cluster_id}.${var.region}.managedkafka.${var.project}.cloud.goog:9092"
}

manifest "kafka.strimzi.io/v1beta2" "Kafka" "this" {
  metadata = {
    annotations = {
      "strimzi.io/kraft"      = "enabled"
      "strimzi.io/node-pools" = "enabled"
    }
  }
  spec = {
    kafka = {
      version   = length(split(".", field.version)) > 2 ? field.version : "${field.version}.0"
      listeners = [{ name = "tls", port = 9093, type = "internal", tls = true }]
      config = {
        "default.replication.factor" = 3
        "min.insync.replicas"        = 2
      }
    }
    entityOperator = {
      topicOperator = {}
      userOperator  = {}
    }
  }
}

manifest "kafka.strimzi.io/v1beta2" "KafkaNodePool" "this_brokers" {
  metadata = {
    labels = {
      "strimzi.io/cluster" = name
    }
  }
  spec = {
    replicas = field.brokers
    roles    = ["controller", "broker"]
    storage = {
      type    = "jbod"
      volumes = [{ id = 0, type = "persistent-claim", size = "${field.storage_gib}Gi", deleteClaim = false }]
    }
    resources = {
      requests = {
        cpu    = tostring(cpus())
        memory = "${memory_gib()}Gi"
      }
      limits = {
        memory = "${memory_gib()}Gi"
      }
    }
    template = {
      pod = {
        metadata = {
          labels = {
            "grid/network" = field.network.name
          }
        }
      }
    }
  }
}

out {
  id        = "${namespace}/kafka/${name}"
  bootstrap = "${name}-kafka-bootstrap.${namespace}.svc:9093"
}

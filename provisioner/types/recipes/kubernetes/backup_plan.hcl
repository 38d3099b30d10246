manifest "velero.io/v1" "Schedule" "this" {
  metadata = {
    name      = full
    namespace = "velero"
  }
  spec = {
    schedule = "0 ${field.hour} * * *"
    template = {
      includedNamespaces = [namespace]
      includedResources  = ["persistentvolumeclaims", "persistentvolumes"]
      labelSelector = {
        matchLabels = {
          "grid/backup-${name}" = "true"
        }
      }
      snapshotVolumes = true
      ttl             = "${field.keep_days * 24}h0m0s"
    }
  }
}

out {
  id   = "velero/schedule/${full}"
  name = name
}

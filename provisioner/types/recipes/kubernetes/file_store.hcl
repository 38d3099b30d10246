manifest "v1" "PersistentVolumeClaim" "this" {
  spec = {
    accessModes      = ["ReadWriteMany"]
    storageClassName = field.class == "fast" ? "shared-fast" : "shared"
    resources = {
      requests = {
        storage = "${field.size_gib}Gi"
      }
    }
  }
}

out {
  id   = "${namespace}/persistentvolumeclaim/${name}"
  host = name
}

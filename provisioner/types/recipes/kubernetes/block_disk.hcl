manifest "v1" "PersistentVolumeClaim" "this" {
  metadata = {
    labels = { for plan in users.backup_plan : "grid/backup-${plan.name}" => "true" }
  }
  spec = {
    accessModes      = ["ReadWriteOnce"]
    storageClassName = field.class == "balanced" ? null : field.class
    resources = {
      requests = {
        storage = "${field.size_gib}Gi"
      }
    }
  }
}

out {
  id   = "${namespace}/persistentvolumeclaim/${name}"
  name = name
}

manifest "jetstream.nats.io/v1beta2" "Stream" "this" {
  spec = {
    name      = full
    subjects  = [full, "${full}.>"]
    storage   = "file"
    retention = "limits"
    replicas  = 3
    maxAge    = field.keep_days == null ? "168h" : "${field.keep_days * 24}h"
  }
}

out {
  id   = "${namespace}/stream/${name}"
  name = full
}

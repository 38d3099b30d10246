# All that is in a namespace is in this one.
cluster_manifest "v1" "Namespace" "namespace" {
  metadata = {
    name = "${system}-${environment}"
    labels = {
      "app.kubernetes.io/name" = "${system}-${environment}"
    }
  }
}

# What every object is told by.
metadata {
  name      = object
  namespace = "${system}-${environment}"

  labels = {
    "app.kubernetes.io/name"       = object
    "app.kubernetes.io/instance"   = "${system}-${environment}"
    "app.kubernetes.io/managed-by" = "grid"
    "grid/system"                  = system
    "grid/environment"             = environment
  }

  annotations = address == null ? null : {
    "grid/resource" = address
  }
}

out {
  namespace = "${system}-${environment}"

  # Of pods, beside their name.
  labels = {
    "app.kubernetes.io/instance"   = "${system}-${environment}"
    "app.kubernetes.io/managed-by" = "grid"
    "grid/system"                  = system
    "grid/environment"             = environment
  }
}

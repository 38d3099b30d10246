# Its passwords are in the Secret NAME-postgresql-app, which the operator makes.
manifest "postgresql.cnpg.io/v1" "Cluster" "this_postgresql" {
  metadata = {
    annotations = field.protect ? { "argocd.argoproj.io/sync-options" = "Prune=false,Delete=false" } : null
  }
  spec = {
    instances = field.high_availability ? 2 : 1
    imageName = "ghcr.io/cloudnative-pg/postgresql:${field.version}"
    bootstrap = {
      initdb = {
        database = field.database
        owner    = "grid"
      }
    }
    storage = {
      size = "${field.storage_gib}Gi"
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
    affinity = {
      topologyKey         = "topology.kubernetes.io/zone"
      podAntiAffinityType = "preferred"
    }
    inheritedMetadata = {
      labels = {
        "grid/network" = field.network.name
      }
    }
  }
}

manifest "velero.io/v1" "Schedule" "this_postgresql" {
  metadata = {
    name      = "${short(52)}-postgresql"
    namespace = "velero"
  }
  spec = {
    schedule = "0 3 * * *"
    template = {
      includedNamespaces = [namespace]
      labelSelector = {
        matchLabels = {
          "cnpg.io/cluster" = "${name}-postgresql"
        }
      }
      snapshotVolumes = true
      ttl             = "${field.backup_days * 24}h0m0s"
    }
  }
}

out {
  id       = "${namespace}/cluster/${name}-postgresql"
  host     = "${name}-postgresql-rw.${namespace}.svc"
  port     = 5432
  database = field.database
}

manifest "mongodbcommunity.mongodb.com/v1" "MongoDBCommunity" "this_nosql" {
  metadata = {
    annotations = field.protect ? { "argocd.argoproj.io/sync-options" = "Prune=false,Delete=false" } : null
  }
  spec = {
    type    = "ReplicaSet"
    members = 3
    version = "7.0.14"
    security = {
      authentication = {
        modes = ["SCRAM"]
      }
    }
    users = [{
      name = "grid"
      db   = "admin"
      passwordSecretRef = {
        name = "${object}-password"
      }
      roles                      = [{ name = "readWrite", db = name }]
      scramCredentialsSecretName = object
    }]
  }
}

# A password that is made in the cluster, once, and written nowhere else.
manifest "generators.external-secrets.io/v1alpha1" "Password" "this_nosql" {
  spec = {
    length      = 32
    digits      = 8
    symbols     = 0
    noUpper     = false
    allowRepeat = true
  }
}

manifest "external-secrets.io/v1" "ExternalSecret" "this_nosql_password" {
  spec = {
    refreshInterval = "0s"
    target = {
      name = object
    }
    dataFrom = [{
      sourceRef = {
        generatorRef = {
          apiVersion = "generators.external-secrets.io/v1alpha1"
          kind       = "Password"
          name       = "${name}-nosql"
        }
      }
    }]
  }
}

manifest "velero.io/v1" "Schedule" "this_nosql" {
  when = field.backup
  metadata = {
    name      = "${short(57)}-nosql"
    namespace = "velero"
  }
  spec = {
    schedule = "0 3 * * *"
    template = {
      includedNamespaces = [namespace]
      labelSelector = {
        matchLabels = {
          app = "${name}-nosql-svc"
        }
      }
      snapshotVolumes = true
      ttl             = "840h0m0s"
    }
  }
}

out {
  id   = "${namespace}/mongodbcommunity/${name}-nosql"
  name = "${name}-nosql"
}

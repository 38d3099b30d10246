# Its value stands in the store of secrets that the cluster reads, below the name of the key.
manifest "external-secrets.io/v1" "ExternalSecret" "this" {
  spec = {
    refreshInterval = "1h0m0s"
    secretStoreRef = {
      kind = "ClusterSecretStore"
      name = "grid"
    }
    target = {
      name           = object
      creationPolicy = "Owner"
      deletionPolicy = "Retain"
    }
    data = [{
      secretKey = "value"
      remoteRef = {
        key = full
      }
    }]
  }
}

manifest "rbac.authorization.k8s.io/v1" "Role" "this_secret_reader" {
  when = length(field.readers) > 0
  rules = [{
    apiGroups     = [""]
    resources     = ["secrets"]
    resourceNames = [name]
    verbs         = ["get", "watch"]
  }]
}

manifest "rbac.authorization.k8s.io/v1" "RoleBinding" "this_secret_reader" {
  when = length(field.readers) > 0
  roleRef = {
    apiGroup = "rbac.authorization.k8s.io"
    kind     = "Role"
    name     = object
  }
  subjects = [for reader in field.readers : { kind = "ServiceAccount", name = reader.service_account, namespace = namespace }]
}

out {
  id = "${namespace}/externalsecret/${name}"
}

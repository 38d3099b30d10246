# What machines and networks it is made of is in the class, which is of the cloud below.
manifest "cluster.x-k8s.io/v1beta2" "Cluster" "this" {
  spec = {
    topology = {
      classRef = {
        name = "grid"
      }
      version   = field.version == null ? "v1.33.0" : (length(split(".", field.version)) > 2 ? "v${field.version}" : "v${field.version}.0")
      variables = field.private ? [{ name = "private", value = true }] : null
    }
  }
}

out {
  id       = "${namespace}/cluster/${name}"
  name     = name
  endpoint = null
}

# How names are proven, in a zone or otherwise, is the issuer's.
manifest "cert-manager.io/v1" "Certificate" "this" {
  spec = {
    secretName = "${name}-tls"
    dnsNames   = concat([field.domain], field.other_names)
    issuerRef = {
      group = "cert-manager.io"
      kind  = "ClusterIssuer"
      name  = "grid"
    }
    privateKey = {
      rotationPolicy = "Always"
    }
  }
}

out {
  id      = "${namespace}/certificate/${name}"
  secret  = "${name}-tls"
  domain  = field.domain
  domains = concat([field.domain], field.other_names)
}

manifest "v1" "Service" "this_l4" {
  # Each cloud reads its own.
  metadata = {
    annotations = field.public ? null : {
      "service.beta.kubernetes.io/aws-load-balancer-scheme"     = "internal"
      "service.beta.kubernetes.io/azure-load-balancer-internal" = "true"
      "networking.gke.io/load-balancer-type"                    = "Internal"
    }
  }
  spec = {
    type                  = "LoadBalancer"
    externalTrafficPolicy = "Local"
    selector = {
      "grid/load-balancer" = "l4-${name}"
    }
    ports = [{ name = "main", port = field.port, protocol = "TCP", targetPort = field.port }]
  }
}

manifest "networking.k8s.io/v1" "NetworkPolicy" "this_l4" {
  spec = {
    podSelector = {
      matchLabels = {
        "grid/load-balancer" = "l4-${name}"
      }
    }
    policyTypes = ["Ingress"]
    ingress     = [{ ports = [{ port = field.port, protocol = "TCP" }] }]
  }
}

out {
  id          = "${namespace}/service/${name}-l4"
  host        = "${name}-l4.${namespace}.svc"
  label       = "l4-${name}"
  port        = field.port
  health_path = null
}

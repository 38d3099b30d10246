manifest "gateway.networking.k8s.io/v1" "Gateway" "this_l7" {
  spec = {
    gatewayClassName = "grid"
    listeners = concat(
      [{ name = "http", port = 80, protocol = "HTTP" }],
      field.certificate == null ? [] : [{
        name     = "https"
        port     = 443
        protocol = "HTTPS"
        tls = {
          certificateRefs = [{ name = field.certificate.secret }]
        }
      }],
    )
  }
}

manifest "gateway.networking.k8s.io/v1" "HTTPRoute" "this_l7" {
  spec = {
    parentRefs = [{ name = object, sectionName = field.certificate == null ? "http" : "https" }]
    hostnames  = field.certificate.domains
    rules = [{
      backendRefs = concat(
        [for s in users.container_service : { name = s.service, port = s.port } if s.load_balancer == "l7-${name}"],
        [for g in users.autoscaling_group : { name = g.service, port = g.port } if g.load_balancer == "l7-${name}"],
      )
      timeouts = {
        request = "${field.idle_timeout_seconds}s"
      }
    }]
  }
}

manifest "gateway.networking.k8s.io/v1" "HTTPRoute" "this_l7_redirect" {
  when = field.certificate != null
  spec = {
    parentRefs = [{ name = "${name}-l7", sectionName = "http" }]
    hostnames  = field.certificate.domains
    rules = [{
      filters = [{
        type = "RequestRedirect"
        requestRedirect = {
          scheme     = "https"
          statusCode = 301
        }
      }]
    }]
  }
}

# The proxies of a gateway stand where its class says, so that requests may come from anywhere.
manifest "networking.k8s.io/v1" "NetworkPolicy" "this_l7" {
  spec = {
    podSelector = {
      matchLabels = {
        "grid/load-balancer" = "l7-${name}"
      }
    }
    policyTypes = ["Ingress"]
    ingress = [{
      ports = concat(
        [{ port = field.backend_port, protocol = "TCP" }],
        [for s in users.container_service : { port = s.port, protocol = "TCP" } if s.load_balancer == "l7-${name}" && s.port != field.backend_port],
      )
    }]
  }
}

out {
  id          = "${namespace}/gateway/${name}-l7"
  host        = field.certificate.domain
  label       = "l7-${name}"
  port        = field.backend_port
  health_path = field.health_path
}

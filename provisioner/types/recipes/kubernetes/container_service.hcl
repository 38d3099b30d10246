manifest "apps/v1" "Deployment" "this" {
  spec = {
    selector = {
      matchLabels = {
        "app.kubernetes.io/name" = object
      }
    }
    template = {
      metadata = {
        labels = merge({ "app.kubernetes.io/name" = object }, labels, {
          "grid/network"       = field.network.name
          "grid/firewall"      = field.firewall.name
          "grid/load-balancer" = field.load_balancer.label
        })
      }
      spec = {
        serviceAccountName = field.identity.service_account
        containers = [{
          name  = object
          image = field.image
          ports = [{ containerPort = field.port, protocol = "TCP" }]
          env   = field.env == null ? null : [for key, value in field.env : { name = key, value = value }]
          resources = {
            requests = {
              cpu    = field.cpu_milli % 1000 == 0 ? tostring(field.cpu_milli / 1000) : "${field.cpu_milli}m"
              memory = "${field.memory_mib}Mi"
            }
          }
          readinessProbe = field.load_balancer == null ? null : {
            httpGet = {
              path = field.load_balancer.health_path
              port = field.port
            }
          }
        }]
        topologySpreadConstraints = [{
          maxSkew           = 1
          topologyKey       = "topology.kubernetes.io/zone"
          whenUnsatisfiable = "ScheduleAnyway"
          labelSelector = {
            matchLabels = {
              "app.kubernetes.io/name" = object
            }
          }
        }]
      }
    }
  }
}

manifest "v1" "Service" "this" {
  spec = {
    type = "ClusterIP"
    selector = {
      "app.kubernetes.io/name" = object
    }
    ports = [{ name = "main", port = field.port, protocol = "TCP", targetPort = field.port }]
  }
}

manifest "autoscaling/v2" "HorizontalPodAutoscaler" "this" {
  spec = {
    scaleTargetRef = {
      apiVersion = "apps/v1"
      kind       = "Deployment"
      name       = object
    }
    minReplicas = max(field.min, 1)
    maxReplicas = max(field.max, field.min, 1)
    metrics = [{
      type = "Resource"
      resource = {
        name = "cpu"
        target = {
          type               = "Utilization"
          averageUtilization = 70
        }
      }
    }]
  }
}

out {
  id      = "${namespace}/deployment/${name}"
  name    = name
  service = name
  port    = field.port

  load_balancer = field.load_balancer.label
}

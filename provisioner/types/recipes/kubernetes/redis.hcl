# What clients speak to is encrypted by a certificate of the cache's own.
manifest "cert-manager.io/v1" "Issuer" "this_redis" {
  spec = {
    selfSigned = {}
  }
}

manifest "cert-manager.io/v1" "Certificate" "this_redis" {
  spec = {
    secretName = "${object}-tls"
    dnsNames   = ["${object}.${namespace}.svc", "*.${object}-pods.${namespace}.svc"]
    issuerRef = {
      group = "cert-manager.io"
      kind  = "Issuer"
      name  = object
    }
  }
}

manifest "apps/v1" "StatefulSet" "this_redis" {
  spec = {
    serviceName = "${object}-pods"
    replicas    = field.high_availability ? 2 : 1
    selector = {
      matchLabels = {
        "app.kubernetes.io/name" = object
      }
    }
    template = {
      metadata = {
        labels = merge({ "app.kubernetes.io/name" = object }, labels, {
          "grid/network" = field.network.name
        })
      }
      spec = {
        containers = [{
          name  = "valkey"
          image = "valkey/valkey:8.1"
          # The first is the one that is written to; the second copies it.
          command = ["sh", "-c"]
          args = [join("\n", [
            "set -- --port 0 --tls-port 6379 --tls-auth-clients no --tls-replication yes",
            "set -- \"$@\" --tls-cert-file /tls/tls.crt --tls-key-file /tls/tls.key --tls-ca-cert-file /tls/ca.crt",
            "set -- \"$@\" --maxmemory ${field.memory_gib}gb --maxmemory-policy allkeys-lru",
            "case $HOSTNAME in",
            "*-0) ;;",
            "*) set -- \"$@\" --replicaof ${object}-0.${object}-pods.${namespace}.svc 6379 ;;",
            "esac",
            "exec valkey-server \"$@\"\n",
          ])]
          ports          = [{ name = "main", containerPort = 6379, protocol = "TCP" }]
          readinessProbe = { tcpSocket = { port = 6379 } }
          resources = {
            requests = {
              cpu    = "500m"
              memory = "${field.memory_gib * 5 / 4}Gi"
            }
            limits = {
              memory = "${field.memory_gib * 5 / 4}Gi"
            }
          }
          volumeMounts = [{ name = "tls", mountPath = "/tls", readOnly = true }]
        }]
        volumes = [{ name = "tls", secret = { secretName = "${object}-tls" } }]
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

manifest "v1" "Service" "this_redis" {
  spec = {
    type = "ClusterIP"
    selector = {
      "statefulset.kubernetes.io/pod-name" = "${object}-0"
    }
    ports = [{ name = "main", port = 6379, protocol = "TCP", targetPort = 6379 }]
  }
}

# A name for each.
manifest "v1" "Service" "this_redis_pods" {
  spec = {
    clusterIP                = "None"
    publishNotReadyAddresses = true
    selector = {
      "app.kubernetes.io/name" = "${name}-redis"
    }
  }
}

out {
  id   = "${namespace}/statefulset/${name}-redis"
  host = "${name}-redis.${namespace}.svc"
  port = 6379
}

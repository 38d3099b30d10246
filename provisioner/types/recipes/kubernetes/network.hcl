# Pods of a network reach each other; from elsewhere comes what a firewall or a load balancer lets in.
manifest "networking.k8s.io/v1" "NetworkPolicy" "this_network" {
  spec = {
    podSelector = {
      matchLabels = {
        "grid/network" = name
      }
      matchExpressions = [{ key = "grid/firewall", operator = "DoesNotExist" }]
    }
    policyTypes = ["Ingress"]
    ingress = [{
      from = [{
        podSelector = {
          matchLabels = {
            "grid/network" = name
          }
        }
      }]
    }]
  }
}

out {
  id   = namespace
  name = name
}

manifest "networking.k8s.io/v1" "NetworkPolicy" "this_firewall" {
  spec = {
    podSelector = {
      matchLabels = {
        "grid/firewall" = name
      }
    }
    policyTypes = ["Ingress"]
    ingress = [for rule in field.allow : {
      from  = [for cidr in rule.from : { ipBlock = { cidr = cidr } }]
      ports = [{ port = rule.port, endPort = rule.to_port, protocol = upper(rule.protocol) }]
    }]
  }
}

out {
  id   = "${namespace}/networkpolicy/${name}-firewall"
  name = name

  # What a Service can have: ranges are none, and 22 is there anyway.
  ports = [for rule in field.allow : { name = "${rule.protocol}-${rule.port}", port = rule.port, protocol = upper(rule.protocol), targetPort = rule.port } if rule.to_port == null && rule.port != 22]
}

# The zone itself stands where external-dns is set up to write.
manifest "externaldns.k8s.io/v1alpha1" "DNSEndpoint" "this_zone" {
  spec = {
    endpoints = field.records == null ? [] : [for record in field.records : {
      dnsName    = "${record.name}.${field.domain}"
      recordType = record.type
      recordTTL  = record.ttl_seconds
      targets    = [for value in record.values : record.type == "CNAME" ? trimsuffix(value, ".") : value]
    }]
  }
}

out {
  id           = "${namespace}/dnsendpoint/${name}-zone"
  name_servers = null
}

resource "google_dns_managed_zone" "this" {
  name        = full
  dns_name    = "${field.domain}."
  description = "Grid: ${address}"
  labels      = labels

  dnssec_config {
    state = "on"
  }
}

resource "google_dns_record_set" "this" {
  when         = length(field.records) > 0
  for_each     = { for r in field.records : "${r.name}_${r.type}" => { name = r.name, type = r.type, ttl = r.ttl_seconds, values = r.values } }
  managed_zone = google_dns_managed_zone.this.name
  name         = "${each.value.name}.${google_dns_managed_zone.this.dns_name}"
  type         = each.value.type
  ttl          = each.value.ttl
  rrdatas      = each.value.values
}

out {
  id           = google_dns_managed_zone.this.id
  name         = google_dns_managed_zone.this.name
  name_servers = google_dns_managed_zone.this.name_servers
}

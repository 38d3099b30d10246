resource "google_certificate_manager_dns_authorization" "this" {
  when   = field.zone != null
  name   = full
  domain = trimprefix(field.domain, "*.")
  labels = labels
}

resource "google_dns_record_set" "this_authorization" {
  when         = field.zone != null
  managed_zone = field.zone.name
  name         = google_certificate_manager_dns_authorization.this.dns_resource_record[0].name
  type         = google_certificate_manager_dns_authorization.this.dns_resource_record[0].type
  ttl          = 300
  rrdatas      = [google_certificate_manager_dns_authorization.this.dns_resource_record[0].data]
}

# Further names need authorizations of their own, which are made where those names are.
resource "google_certificate_manager_certificate" "this" {
  name   = full
  labels = labels

  managed {
    domains            = concat([field.domain], field.other_names)
    dns_authorizations = field.zone == null ? null : [google_certificate_manager_dns_authorization.this.id]
  }
}

out {
  id = google_certificate_manager_certificate.this.id
}

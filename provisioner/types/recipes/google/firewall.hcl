# Google allows by tag: machines that name this firewall carry its tag. What may go out needs no rule.
resource "google_compute_firewall" "this" {
  for_each      = { for r in field.allow : r.name => { protocol = r.protocol, ports = r.to_port == null ? "${r.port}" : "${r.port}-${r.to_port}", from = r.from } }
  name          = "${short(40)}-${each.key}"
  network       = field.network.id
  direction     = "INGRESS"
  source_ranges = each.value.from
  target_tags   = [full]

  allow {
    protocol = each.value.protocol
    ports    = [each.value.ports]
  }
}

out {
  id  = values(google_compute_firewall.this)[*].id
  tag = full
}

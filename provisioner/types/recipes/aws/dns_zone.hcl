resource "aws_route53_zone" "this" {
  name    = field.domain
  comment = "Grid: ${address}"
  tags    = tags
}

resource "aws_route53_record" "this" {
  when     = length(field.records) > 0
  for_each = { for r in field.records : "${r.name}_${r.type}" => { name = r.name, type = r.type, ttl = r.ttl_seconds, values = r.values } }
  zone_id  = aws_route53_zone.this.zone_id
  name     = "${each.value.name}.${aws_route53_zone.this.name}"
  type     = each.value.type
  ttl      = each.value.ttl
  records  = each.value.values
}

out {
  id           = aws_route53_zone.this.zone_id
  name_servers = aws_route53_zone.this.name_servers
}

resource "aws_acm_certificate" "this" {
  domain_name               = field.domain
  subject_alternative_names = field.other_names
  validation_method         = "DNS"
  tags                      = tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "this_validation" {
  when            = field.zone != null
  for_each        = { for o in aws_acm_certificate.this.domain_validation_options : o.domain_name => o }
  zone_id         = field.zone.id
  name            = each.value.resource_record_name
  type            = each.value.resource_record_type
  records         = [each.value.resource_record_value]
  ttl             = 60
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  when                    = field.zone != null
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for r in aws_route53_record.this_validation : r.fqdn]
}

out {
  id = field.zone == null ? aws_acm_certificate.this.arn : aws_acm_certificate_validation.this.certificate_arn
}

# dns_zone.shop
resource "aws_route53_zone" "shop" {
  name    = "shop.example.com"
  comment = "Grid: dns_zone.shop"

  tags = {
    Name            = "shop-prod-shop"
    "grid:resource" = "dns_zone.shop"
  }
}

# tls_certificate.shop
resource "aws_acm_certificate" "shop" {
  domain_name       = "shop.example.com"
  validation_method = "DNS"

  tags = {
    Name            = "shop-prod-shop"
    "grid:resource" = "tls_certificate.shop"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "shop_validation" {
  for_each = { for o in aws_acm_certificate.shop.domain_validation_options : o.domain_name => o }

  zone_id         = aws_route53_zone.shop.zone_id
  name            = each.value.resource_record_name
  type            = each.value.resource_record_type
  records         = [each.value.resource_record_value]
  ttl             = 60
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "shop" {
  certificate_arn         = aws_acm_certificate.shop.arn
  validation_record_fqdns = [for r in aws_route53_record.shop_validation : r.fqdn]
}

# l7_load_balancer.web
resource "aws_security_group" "web_l7" {
  name        = "shop-prod-web-l7"
  description = "Grid: l7_load_balancer.web"
  vpc_id      = aws_vpc.main.id

  tags = {
    Name            = "shop-prod-web"
    "grid:resource" = "l7_load_balancer.web"
  }

  ingress {
    description = "http"
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  ingress {
    description = "https"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    description = "everything"
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_lb" "web_l7" {
  name                       = "shop-prod-web"
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = aws_subnet.main_public[*].id
  security_groups            = [aws_security_group.web_l7.id]
  idle_timeout               = 60
  drop_invalid_header_fields = true

  tags = {
    Name            = "shop-prod-web"
    "grid:resource" = "l7_load_balancer.web"
  }
}

resource "aws_lb_target_group" "web_l7" {
  name     = "shop-prod-web"
  port     = 8080
  protocol = "HTTP"
  vpc_id   = aws_vpc.main.id

  tags = {
    Name            = "shop-prod-web"
    "grid:resource" = "l7_load_balancer.web"
  }

  health_check {
    path    = "/healthz"
    matcher = "200"
  }
}

resource "aws_lb_listener" "web_http" {
  load_balancer_arn = aws_lb.web_l7.arn
  port              = 80
  protocol          = "HTTP"

  tags = {
    Name            = "shop-prod-web"
    "grid:resource" = "l7_load_balancer.web"
  }

  default_action {
    type = "redirect"

    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "web_https" {
  load_balancer_arn = aws_lb.web_l7.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.shop.certificate_arn

  tags = {
    Name            = "shop-prod-web"
    "grid:resource" = "l7_load_balancer.web"
  }

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web_l7.arn
  }
}

# waf.web
resource "aws_wafv2_web_acl" "web" {
  name        = "shop-prod-web"
  description = "Grid: waf.web"
  scope       = "REGIONAL"

  tags = {
    Name            = "shop-prod-web"
    "grid:resource" = "waf.web"
  }

  default_action {
    allow {}
  }

  rule {
    name     = "rate"
    priority = 1

    action {
      block {}
    }

    statement {
      rate_based_statement {
        limit              = 2000
        aggregate_key_type = "IP"
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "shop-prod-web-rate"
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "common"
    priority = 2

    override_action {
      none {}
    }

    statement {
      managed_rule_group_statement {
        vendor_name = "AWS"
        name        = "AWSManagedRulesCommonRuleSet"
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "shop-prod-web-common"
      sampled_requests_enabled   = true
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "shop-prod-web"
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl_association" "web" {
  resource_arn = aws_lb.web_l7.arn
  web_acl_arn  = aws_wafv2_web_acl.web.arn
}

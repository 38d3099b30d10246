resource "aws_wafv2_web_acl" "this" {
  name        = full
  description = "Grid: ${address}"
  scope       = "REGIONAL"
  tags        = tags

  default_action {
    allow {}
  }

  rule {
    name     = "rate"
    priority = 1

    action {
      block {
        when = field.mode == "block"
      }

      count {
        when = field.mode == "count"
      }
    }

    statement {
      rate_based_statement {
        limit              = field.requests_per_5_minutes
        aggregate_key_type = "IP"
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "${full}-rate"
      sampled_requests_enabled   = true
    }
  }

  rule {
    when     = field.managed_rules
    name     = "common"
    priority = 2

    override_action {
      none {
        when = field.mode == "block"
      }

      count {
        when = field.mode == "count"
      }
    }

    statement {
      managed_rule_group_statement {
        vendor_name = "AWS"
        name        = "AWSManagedRulesCommonRuleSet"
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "${full}-common"
      sampled_requests_enabled   = true
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = full
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  when         = field.load_balancer != null
  resource_arn = field.load_balancer.id
  web_acl_arn  = aws_wafv2_web_acl.this.arn
}

out {
  id = aws_wafv2_web_acl.this.arn
}

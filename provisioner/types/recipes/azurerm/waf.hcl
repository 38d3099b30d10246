resource "azurerm_web_application_firewall_policy" "this" {
  name                = compact(64)
  resource_group_name = group
  location            = location
  tags                = tags

  policy_settings {
    enabled = true
    mode    = field.mode == "block" ? "Prevention" : "Detection"
  }

  custom_rules {
    name                 = "rate"
    priority             = 1
    rule_type            = "RateLimitRule"
    action               = field.mode == "block" ? "Block" : "Log"
    rate_limit_duration  = "FiveMins"
    rate_limit_threshold = field.requests_per_5_minutes
    group_rate_limit_by  = "ClientAddr"

    match_conditions {
      operator     = "IPMatch"
      match_values = ["0.0.0.0/0", "::/0"]

      match_variables {
        variable_name = "RemoteAddr"
      }
    }
  }

  managed_rules {
    managed_rule_set {
      type    = field.managed_rules ? "Microsoft_DefaultRuleSet" : "Microsoft_BotManagerRuleSet"
      version = field.managed_rules ? "2.1" : "1.0"
    }
  }
}

out {
  id = azurerm_web_application_firewall_policy.this.id
}

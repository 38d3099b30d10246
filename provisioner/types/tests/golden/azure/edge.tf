# dns_zone.shop
resource "azurerm_dns_zone" "shop" {
  name                = "shop.example.com"
  resource_group_name = azurerm_resource_group.main.name
  tags                = merge(local.tags, { "grid:resource" = "dns_zone.shop" })
}

# tls_certificate.shop
resource "azurerm_user_assigned_identity" "shop_reader" {
  name                = "shop-prod-shop-certificate"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  tags                = merge(local.tags, { "grid:resource" = "tls_certificate.shop" })
}

resource "azurerm_key_vault" "shop_certificate" {
  name                       = "shopprodshopcrt"
  resource_group_name        = azurerm_resource_group.main.name
  location                   = azurerm_resource_group.main.location
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = true
  purge_protection_enabled   = true
  tags                       = merge(local.tags, { "grid:resource" = "tls_certificate.shop" })
}

resource "azurerm_role_assignment" "shop_writer" {
  scope                = azurerm_key_vault.shop_certificate.id
  role_definition_name = "Key Vault Certificates Officer"
  principal_id         = data.azurerm_client_config.current.object_id
}

resource "azurerm_role_assignment" "shop_reader" {
  scope                = azurerm_key_vault.shop_certificate.id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.shop_reader.principal_id
}

resource "azurerm_key_vault_certificate" "shop" {
  name         = "shop"
  key_vault_id = azurerm_key_vault.shop_certificate.id
  tags         = merge(local.tags, { "grid:resource" = "tls_certificate.shop" })

  certificate_policy {
    issuer_parameters {
      name = "DigiCert"
    }

    key_properties {
      exportable = true
      key_type   = "RSA"
      key_size   = 2048
      reuse_key  = false
    }

    lifetime_action {
      action {
        action_type = "AutoRenew"
      }

      trigger {
        days_before_expiry = 30
      }
    }

    secret_properties {
      content_type = "application/x-pkcs12"
    }

    x509_certificate_properties {
      subject            = "CN=shop.example.com"
      validity_in_months = 12
      key_usage          = ["digitalSignature", "keyEncipherment"]

      subject_alternative_names {
        dns_names = ["shop.example.com"]
      }
    }
  }

  depends_on = [azurerm_role_assignment.shop_writer]
}

# l7_load_balancer.web
resource "azurerm_public_ip" "web_l7" {
  name                = "shop-prod-web-l7"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = merge(local.tags, { "grid:resource" = "l7_load_balancer.web" })
}

resource "azurerm_application_gateway" "web" {
  name                = "shop-prod-web"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  firewall_policy_id  = azurerm_web_application_firewall_policy.web.id
  tags                = merge(local.tags, { "grid:resource" = "l7_load_balancer.web" })

  sku {
    name = "WAF_v2"
    tier = "WAF_v2"
  }

  autoscale_configuration {
    min_capacity = 1
    max_capacity = 10
  }

  gateway_ip_configuration {
    name      = "gateway"
    subnet_id = azurerm_subnet.main_gateway.id
  }

  frontend_ip_configuration {
    name                 = "public"
    public_ip_address_id = azurerm_public_ip.web_l7.id
  }

  frontend_port {
    name = "http"
    port = 80
  }

  frontend_port {
    name = "https"
    port = 443
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.shop_reader.id]
  }

  ssl_certificate {
    name                = "main"
    key_vault_secret_id = azurerm_key_vault_certificate.shop.versionless_secret_id
  }

  ssl_policy {
    policy_type = "Predefined"
    policy_name = "AppGwSslPolicy20220101"
  }

  backend_address_pool {
    name = "machines"
  }

  backend_http_settings {
    name                  = "machines"
    port                  = 8080
    protocol              = "Http"
    cookie_based_affinity = "Disabled"
    request_timeout       = 60
    probe_name            = "health"
  }

  probe {
    name                = "health"
    protocol            = "Http"
    host                = "127.0.0.1"
    path                = "/healthz"
    interval            = 15
    timeout             = 5
    unhealthy_threshold = 3
  }

  http_listener {
    name                           = "http"
    frontend_ip_configuration_name = "public"
    frontend_port_name             = "http"
    protocol                       = "Http"
  }

  http_listener {
    name                           = "https"
    frontend_ip_configuration_name = "public"
    frontend_port_name             = "https"
    protocol                       = "Https"
    ssl_certificate_name           = "main"
  }

  redirect_configuration {
    name                 = "https"
    redirect_type        = "Permanent"
    target_listener_name = "https"
    include_path         = true
    include_query_string = true
  }

  request_routing_rule {
    name                        = "http"
    rule_type                   = "Basic"
    priority                    = 100
    http_listener_name          = "http"
    redirect_configuration_name = "https"
  }

  request_routing_rule {
    name                       = "https"
    rule_type                  = "Basic"
    priority                   = 200
    http_listener_name         = "https"
    backend_address_pool_name  = "machines"
    backend_http_settings_name = "machines"
  }
}

# waf.web
resource "azurerm_web_application_firewall_policy" "web" {
  name                = "shopprodweb"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  tags                = merge(local.tags, { "grid:resource" = "waf.web" })

  policy_settings {
    enabled = true
    mode    = "Prevention"
  }

  custom_rules {
    name                 = "rate"
    priority             = 1
    rule_type            = "RateLimitRule"
    action               = "Block"
    rate_limit_duration  = "FiveMins"
    rate_limit_threshold = 2000
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
      type    = "Microsoft_DefaultRuleSet"
      version = "2.1"
    }
  }
}

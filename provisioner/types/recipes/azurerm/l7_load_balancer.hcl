resource "azurerm_public_ip" "this_l7" {
  name                = "${full}-l7"
  resource_group_name = group
  location            = location
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = tags
}

resource "azurerm_application_gateway" "this" {
  name                = full
  resource_group_name = group
  location            = location
  firewall_policy_id  = users.waf[0].id
  tags                = tags

  sku {
    name = users.waf[0] == null ? "Standard_v2" : "WAF_v2"
    tier = users.waf[0] == null ? "Standard_v2" : "WAF_v2"
  }

  autoscale_configuration {
    min_capacity = 1
    max_capacity = 10
  }

  gateway_ip_configuration {
    name      = "gateway"
    subnet_id = field.network.gateway_subnet_id
  }

  frontend_ip_configuration {
    name                 = "public"
    public_ip_address_id = azurerm_public_ip.this_l7.id
  }

  frontend_port {
    name = "http"
    port = 80
  }

  frontend_port {
    when = field.certificate != null
    name = "https"
    port = 443
  }

  identity {
    when         = field.certificate != null
    type         = "UserAssigned"
    identity_ids = [field.certificate.reader_id]
  }

  ssl_certificate {
    when                = field.certificate != null
    name                = "main"
    key_vault_secret_id = field.certificate.secret_id
  }

  ssl_policy {
    when        = field.certificate != null
    policy_type = "Predefined"
    policy_name = "AppGwSslPolicy20220101"
  }

  backend_address_pool {
    name = "machines"
  }

  backend_http_settings {
    name                  = "machines"
    port                  = field.backend_port
    protocol              = "Http"
    cookie_based_affinity = "Disabled"
    request_timeout       = field.idle_timeout_seconds
    probe_name            = "health"
  }

  probe {
    name                = "health"
    protocol            = "Http"
    host                = "127.0.0.1"
    path                = field.health_path
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
    when                           = field.certificate != null
    name                           = "https"
    frontend_ip_configuration_name = "public"
    frontend_port_name             = "https"
    protocol                       = "Https"
    ssl_certificate_name           = "main"
  }

  redirect_configuration {
    when                 = field.certificate != null
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
    backend_address_pool_name   = field.certificate == null ? "machines" : null
    backend_http_settings_name  = field.certificate == null ? "machines" : null
    redirect_configuration_name = field.certificate == null ? null : "https"
  }

  request_routing_rule {
    when                       = field.certificate != null
    name                       = "https"
    rule_type                  = "Basic"
    priority                   = 200
    http_listener_name         = "https"
    backend_address_pool_name  = "machines"
    backend_http_settings_name = "machines"
  }
}

out {
  id              = azurerm_application_gateway.this.id
  host            = azurerm_public_ip.this_l7.ip_address
  gateway_pool_id = one([for p in azurerm_application_gateway.this.backend_address_pool : p.id])
  pool_id         = null
}

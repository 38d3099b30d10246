# Premium, because only it reaches a private store, by a private link that the store's owner approves once.
resource "azurerm_cdn_frontdoor_profile" "this" {
  name                = full
  resource_group_name = group
  sku_name            = "Premium_AzureFrontDoor"
  tags                = tags
}

resource "azurerm_cdn_frontdoor_endpoint" "this" {
  name                     = short(46)
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
  tags                     = tags
}

resource "azurerm_cdn_frontdoor_origin_group" "this" {
  name                     = "objects"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id

  load_balancing {}
}

resource "azurerm_cdn_frontdoor_origin" "this" {
  name                           = "objects"
  cdn_frontdoor_origin_group_id  = azurerm_cdn_frontdoor_origin_group.this.id
  enabled                        = true
  host_name                      = field.origin.domain
  origin_host_header             = field.origin.domain
  certificate_name_check_enabled = true

  private_link {
    request_message        = "Grid: ${address}"
    target_type            = "blob"
    location               = location
    private_link_target_id = field.origin.id
  }
}

resource "azurerm_cdn_frontdoor_rule_set" "this" {
  name                     = compact(50)
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
}

resource "azurerm_cdn_frontdoor_rule" "this" {
  name                      = "cache"
  cdn_frontdoor_rule_set_id = azurerm_cdn_frontdoor_rule_set.this.id
  order                     = 1

  actions {
    route_configuration_override_action {
      cache_behavior                = "OverrideIfOriginMissing"
      cache_duration                = "${field.default_ttl_seconds / 86400}.00:00:00"
      compression_enabled           = true
      query_string_caching_behavior = "IgnoreQueryString"
    }
  }

  depends_on = [azurerm_cdn_frontdoor_origin_group.this, azurerm_cdn_frontdoor_origin.this]
}

resource "azurerm_cdn_frontdoor_rule" "this_index" {
  when                      = field.index != null
  name                      = "index"
  cdn_frontdoor_rule_set_id = azurerm_cdn_frontdoor_rule_set.this.id
  order                     = 2

  conditions {
    url_path_condition {
      operator     = "Equal"
      match_values = ["/"]
    }
  }

  actions {
    url_rewrite_action {
      source_pattern = "/"
      destination    = field.index
    }
  }

  depends_on = [azurerm_cdn_frontdoor_origin_group.this, azurerm_cdn_frontdoor_origin.this]
}

resource "azurerm_cdn_frontdoor_route" "this" {
  name                          = "objects"
  cdn_frontdoor_endpoint_id     = azurerm_cdn_frontdoor_endpoint.this.id
  cdn_frontdoor_origin_group_id = azurerm_cdn_frontdoor_origin_group.this.id
  cdn_frontdoor_origin_ids      = [azurerm_cdn_frontdoor_origin.this.id]
  cdn_frontdoor_rule_set_ids    = [azurerm_cdn_frontdoor_rule_set.this.id]
  patterns_to_match             = ["/*"]
  supported_protocols           = ["Http", "Https"]
  forwarding_protocol           = "HttpsOnly"
  https_redirect_enabled        = true
}

out {
  id   = azurerm_cdn_frontdoor_profile.this.id
  host = azurerm_cdn_frontdoor_endpoint.this.host_name
}

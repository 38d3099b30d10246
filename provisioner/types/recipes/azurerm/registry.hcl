# Premium, for what has no tag any more is only cleared there. Tags are locked per image, and scans are Defender's: neither is set here.
resource "azurerm_container_registry" "this" {
  name                     = compact(50)
  resource_group_name      = group
  location                 = location
  sku                      = "Premium"
  admin_enabled            = false
  retention_policy_in_days = field.keep_untagged_days
  tags                     = tags
}

out {
  id  = azurerm_container_registry.this.id
  url = azurerm_container_registry.this.login_server
}

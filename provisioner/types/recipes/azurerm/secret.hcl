variable "this_value" {
  description = "The value of ${address}."
  type        = string
  sensitive   = true
}

data "azurerm_client_config" "current" {}

resource "azurerm_key_vault" "this" {
  name                       = compact(24)
  resource_group_name        = group
  location                   = location
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = true
  purge_protection_enabled   = true
  soft_delete_retention_days = field.recovery_days
  tags                       = tags
}

resource "azurerm_role_assignment" "this_officer" {
  for_each             = toset(["Key Vault Crypto Officer", "Key Vault Secrets Officer"])
  scope                = azurerm_key_vault.this.id
  role_definition_name = each.value
  principal_id         = data.azurerm_client_config.current.object_id
}

resource "azurerm_role_assignment" "this_secret_reader" {
  when                 = length(field.readers) > 0
  for_each             = { for r in field.readers : r.name => r.principal_id }
  scope                = azurerm_key_vault.this.id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = each.value
}

resource "azurerm_key_vault_key" "this" {
  name         = name
  key_vault_id = azurerm_key_vault.this.id
  key_type     = "RSA"
  key_size     = 3072
  key_opts     = ["decrypt", "encrypt", "unwrapKey", "wrapKey"]
  tags         = tags

  rotation_policy {
    expire_after         = "P1Y"
    notify_before_expiry = "P30D"

    automatic {
      time_before_expiry = "P60D"
    }
  }

  depends_on = [azurerm_role_assignment.this_officer]
}

resource "azurerm_key_vault_secret" "this" {
  name         = name
  key_vault_id = azurerm_key_vault.this.id
  value        = var.this_value
  tags         = tags

  depends_on = [azurerm_role_assignment.this_officer]
}

out {
  id = azurerm_key_vault_secret.this.versionless_id
}

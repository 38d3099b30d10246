variable "this_postgresql_password" {
  description = "The password of the administrator of ${address}."
  type        = string
  sensitive   = true
}

resource "azurerm_private_dns_zone" "this_postgresql" {
  name                = "${short(40)}.postgres.database.azure.com"
  resource_group_name = group
  tags                = tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this_postgresql" {
  name                  = field.network.name
  resource_group_name   = group
  private_dns_zone_name = azurerm_private_dns_zone.this_postgresql.name
  virtual_network_id    = field.network.id
  tags                  = tags
}

resource "azurerm_postgresql_flexible_server" "this" {
  name                          = "${short(52)}-postgresql"
  resource_group_name           = group
  location                      = location
  version                       = field.version
  sku_name                      = machine("database")
  delegated_subnet_id           = field.network.postgresql_subnet_id
  private_dns_zone_id           = azurerm_private_dns_zone.this_postgresql.id
  public_network_access_enabled = false
  administrator_login           = "grid"
  administrator_password        = var.this_postgresql_password
  backup_retention_days         = field.backup_days
  storage_mb                    = field.storage_gib <= 32 ? 32768 : (field.storage_gib <= 64 ? 65536 : (field.storage_gib <= 128 ? 131072 : (field.storage_gib <= 256 ? 262144 : (field.storage_gib <= 512 ? 524288 : (field.storage_gib <= 1024 ? 1048576 : (field.storage_gib <= 2048 ? 2097152 : (field.storage_gib <= 4096 ? 4194304 : (field.storage_gib <= 8192 ? 8388608 : (field.storage_gib <= 16384 ? 16777216 : 16777216)))))))))
  tags                          = tags

  high_availability {
    when = field.high_availability
    mode = "ZoneRedundant"
  }

  lifecycle {
    ignore_changes = [zone]
  }

  depends_on = [azurerm_private_dns_zone_virtual_network_link.this_postgresql]
}

resource "azurerm_management_lock" "this_postgresql" {
  when       = field.protect
  name       = "protect"
  scope      = azurerm_postgresql_flexible_server.this.id
  lock_level = "CanNotDelete"
}

resource "azurerm_postgresql_flexible_server_database" "this" {
  name      = field.database
  server_id = azurerm_postgresql_flexible_server.this.id
}

out {
  id       = azurerm_postgresql_flexible_server.this.id
  host     = azurerm_postgresql_flexible_server.this.fqdn
  port     = 5432
  database = azurerm_postgresql_flexible_server_database.this.name
}

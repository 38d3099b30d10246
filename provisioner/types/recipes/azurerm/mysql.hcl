variable "this_mysql_password" {
  description = "The password of the administrator of ${address}."
  type        = string
  sensitive   = true
}

resource "azurerm_private_dns_zone" "this_mysql" {
  name                = "${short(40)}.mysql.database.azure.com"
  resource_group_name = group
  tags                = tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this_mysql" {
  name                  = field.network.name
  resource_group_name   = group
  private_dns_zone_name = azurerm_private_dns_zone.this_mysql.name
  virtual_network_id    = field.network.id
  tags                  = tags
}

resource "azurerm_mysql_flexible_server" "this" {
  name                   = "${short(52)}-mysql"
  resource_group_name    = group
  location               = location
  version                = field.version == "8.0" ? "8.0.21" : field.version
  sku_name               = machine("mysql")
  delegated_subnet_id    = field.network.mysql_subnet_id
  private_dns_zone_id    = azurerm_private_dns_zone.this_mysql.id
  administrator_login    = "grid"
  administrator_password = var.this_mysql_password
  backup_retention_days  = field.backup_days
  tags                   = tags

  storage {
    size_gb           = field.storage_gib
    auto_grow_enabled = true
  }

  high_availability {
    when = field.high_availability
    mode = "ZoneRedundant"
  }

  lifecycle {
    ignore_changes = [zone]
  }

  depends_on = [azurerm_private_dns_zone_virtual_network_link.this_mysql]
}

resource "azurerm_management_lock" "this_mysql" {
  when       = field.protect
  name       = "protect"
  scope      = azurerm_mysql_flexible_server.this.id
  lock_level = "CanNotDelete"
}

resource "azurerm_mysql_flexible_database" "this" {
  name                = field.database
  resource_group_name = group
  server_name         = azurerm_mysql_flexible_server.this.name
  charset             = "utf8mb4"
  collation           = "utf8mb4_0900_ai_ci"
}

out {
  id       = azurerm_mysql_flexible_server.this.id
  host     = azurerm_mysql_flexible_server.this.fqdn
  port     = 3306
  database = azurerm_mysql_flexible_database.this.name
}

resource "azurerm_cosmosdb_account" "this" {
  name                = short(44)
  resource_group_name = group
  location            = location
  offer_type          = "Standard"
  kind                = "GlobalDocumentDB"
  minimal_tls_version = "Tls12"
  tags                = tags

  capabilities {
    name = "EnableServerless"
  }

  consistency_policy {
    consistency_level = "Session"
  }

  geo_location {
    location          = location
    failover_priority = 0
  }

  backup {
    type                = field.backup ? "Continuous" : "Periodic"
    tier                = field.backup ? "Continuous7Days" : null
    interval_in_minutes = field.backup ? null : 1440
    retention_in_hours  = field.backup ? null : 48
  }
}

resource "azurerm_cosmosdb_sql_database" "this" {
  name                = name
  resource_group_name = group
  account_name        = azurerm_cosmosdb_account.this.name
}

resource "azurerm_cosmosdb_sql_container" "this" {
  name                  = name
  resource_group_name   = group
  account_name          = azurerm_cosmosdb_account.this.name
  database_name         = azurerm_cosmosdb_sql_database.this.name
  partition_key_paths   = field.sort_key == null ? ["/${field.partition_key}"] : ["/${field.partition_key}", "/${field.sort_key}"]
  partition_key_kind    = field.sort_key == null ? "Hash" : "MultiHash"
  partition_key_version = 2
}

resource "azurerm_management_lock" "this_nosql" {
  when       = field.protect
  name       = "protect"
  scope      = azurerm_cosmosdb_account.this.id
  lock_level = "CanNotDelete"
}

out {
  id   = azurerm_cosmosdb_account.this.id
  name = azurerm_cosmosdb_sql_container.this.name
}

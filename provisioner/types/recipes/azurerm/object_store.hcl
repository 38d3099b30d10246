resource "azurerm_storage_account" "this" {
  name                            = compact(24)
  resource_group_name             = group
  location                        = location
  account_tier                    = "Standard"
  account_replication_type        = "ZRS"
  access_tier                     = field.class == "infrequent" ? "Cool" : "Hot"
  min_tls_version                 = "TLS1_2"
  allow_nested_items_to_be_public = false
  tags                            = tags

  blob_properties {
    versioning_enabled = field.versioning

    delete_retention_policy {
      when = field.versioning
      days = 30
    }
  }
}

resource "azurerm_storage_container" "this" {
  name                  = name
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

resource "azurerm_storage_management_policy" "this" {
  when               = field.expire_days != null
  storage_account_id = azurerm_storage_account.this.id

  rule {
    name    = "expire"
    enabled = true

    filters {
      blob_types = ["blockBlob"]
    }

    actions {
      base_blob {
        delete_after_days_since_modification_greater_than = field.expire_days
      }
    }
  }
}

out {
  id            = azurerm_storage_account.this.id
  name          = azurerm_storage_container.this.name
  url           = "${azurerm_storage_account.this.primary_blob_endpoint}${azurerm_storage_container.this.name}"
  domain        = azurerm_storage_account.this.primary_blob_host
  container_url = "${azurerm_storage_account.this.primary_blob_endpoint}${azurerm_storage_container.this.name}"
}

# NFS shares want an account of their own, with disks of the quick kind, reached from its network only.
resource "azurerm_storage_account" "this_files" {
  name                       = "${compact(20)}nfs"
  resource_group_name        = group
  location                   = location
  account_tier               = "Premium"
  account_kind               = "FileStorage"
  account_replication_type   = field.class == "fast" ? "LRS" : "ZRS"
  min_tls_version            = "TLS1_2"
  https_traffic_only_enabled = false
  tags                       = tags

  network_rules {
    default_action = "Deny"
    bypass         = ["AzureServices"]
  }
}

resource "azurerm_storage_share" "this" {
  name               = name
  storage_account_id = azurerm_storage_account.this_files.id
  enabled_protocol   = "NFS"
  quota              = field.size_gib
}

resource "azurerm_private_endpoint" "this_files" {
  name                = "${full}-nfs"
  resource_group_name = group
  location            = location
  subnet_id           = field.network.subnet_id
  tags                = tags

  private_service_connection {
    name                           = "files"
    private_connection_resource_id = azurerm_storage_account.this_files.id
    subresource_names              = ["file"]
    is_manual_connection           = false
  }
}

out {
  id   = azurerm_storage_share.this.id
  host = azurerm_storage_account.this_files.primary_file_host
}

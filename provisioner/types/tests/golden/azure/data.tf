# postgresql.orders
resource "azurerm_private_dns_zone" "orders_postgresql" {
  name                = "shop-prod-orders.postgres.database.azure.com"
  resource_group_name = azurerm_resource_group.main.name
  tags                = merge(local.tags, { "grid:resource" = "postgresql.orders" })
}

resource "azurerm_private_dns_zone_virtual_network_link" "orders_postgresql" {
  name                  = "main"
  resource_group_name   = azurerm_resource_group.main.name
  private_dns_zone_name = azurerm_private_dns_zone.orders_postgresql.name
  virtual_network_id    = azurerm_virtual_network.main.id
  tags                  = merge(local.tags, { "grid:resource" = "postgresql.orders" })
}

resource "azurerm_postgresql_flexible_server" "orders" {
  name                          = "shop-prod-orders-postgresql"
  resource_group_name           = azurerm_resource_group.main.name
  location                      = azurerm_resource_group.main.location
  version                       = "17"
  sku_name                      = "GP_Standard_D2ds_v5"
  delegated_subnet_id           = azurerm_subnet.main_postgresql.id
  private_dns_zone_id           = azurerm_private_dns_zone.orders_postgresql.id
  public_network_access_enabled = false
  administrator_login           = "grid"
  administrator_password        = var.orders_postgresql_password
  backup_retention_days         = 7
  storage_mb                    = 262144
  tags                          = merge(local.tags, { "grid:resource" = "postgresql.orders" })

  high_availability {
    mode = "ZoneRedundant"
  }

  lifecycle {
    ignore_changes = [zone]
  }

  depends_on = [azurerm_private_dns_zone_virtual_network_link.orders_postgresql]
}

resource "azurerm_management_lock" "orders_postgresql" {
  name       = "protect"
  scope      = azurerm_postgresql_flexible_server.orders.id
  lock_level = "CanNotDelete"
}

resource "azurerm_postgresql_flexible_server_database" "orders" {
  name      = "orders"
  server_id = azurerm_postgresql_flexible_server.orders.id
}

# redis.sessions
resource "azurerm_managed_redis" "sessions" {
  name                      = "shop-prod-sessions"
  resource_group_name       = azurerm_resource_group.main.name
  location                  = azurerm_resource_group.main.location
  sku_name                  = "Balanced_B5"
  high_availability_enabled = true
  tags                      = merge(local.tags, { "grid:resource" = "redis.sessions" })

  default_database {
    client_protocol = "Encrypted"
  }
}

resource "azurerm_private_endpoint" "sessions_redis" {
  name                = "shop-prod-sessions-redis"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  subnet_id           = azurerm_subnet.main.id
  tags                = merge(local.tags, { "grid:resource" = "redis.sessions" })

  private_service_connection {
    name                           = "redis"
    private_connection_resource_id = azurerm_managed_redis.sessions.id
    subresource_names              = ["redisEnterprise"]
    is_manual_connection           = false
  }
}

# object_store.images
resource "azurerm_storage_account" "images" {
  name                            = "shopprodimages"
  resource_group_name             = azurerm_resource_group.main.name
  location                        = azurerm_resource_group.main.location
  account_tier                    = "Standard"
  account_replication_type        = "ZRS"
  access_tier                     = "Hot"
  min_tls_version                 = "TLS1_2"
  allow_nested_items_to_be_public = false
  tags                            = merge(local.tags, { "grid:resource" = "object_store.images" })

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = 30
    }
  }
}

resource "azurerm_storage_container" "images" {
  name                  = "images"
  storage_account_id    = azurerm_storage_account.images.id
  container_access_type = "private"
}

resource "azurerm_storage_management_policy" "images" {
  storage_account_id = azurerm_storage_account.images.id

  rule {
    name    = "expire"
    enabled = true

    filters {
      blob_types = ["blockBlob"]
    }

    actions {
      base_blob {
        delete_after_days_since_modification_greater_than = 730
      }
    }
  }
}

# secret.payment-key
resource "azurerm_key_vault" "payment_key" {
  name                       = "shopprodpaymentkey"
  resource_group_name        = azurerm_resource_group.main.name
  location                   = azurerm_resource_group.main.location
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = true
  purge_protection_enabled   = true
  soft_delete_retention_days = 30
  tags                       = merge(local.tags, { "grid:resource" = "secret.payment-key" })
}

resource "azurerm_role_assignment" "payment_key_officer" {
  for_each = toset(["Key Vault Crypto Officer", "Key Vault Secrets Officer"])

  scope                = azurerm_key_vault.payment_key.id
  role_definition_name = each.value
  principal_id         = data.azurerm_client_config.current.object_id
}

resource "azurerm_role_assignment" "payment_key_secret_reader" {
  for_each = {
    app = azurerm_user_assigned_identity.app.principal_id
  }

  scope                = azurerm_key_vault.payment_key.id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = each.value
}

resource "azurerm_key_vault_key" "payment_key" {
  name         = "payment-key"
  key_vault_id = azurerm_key_vault.payment_key.id
  key_type     = "RSA"
  key_size     = 3072
  key_opts     = ["decrypt", "encrypt", "unwrapKey", "wrapKey"]
  tags         = merge(local.tags, { "grid:resource" = "secret.payment-key" })

  rotation_policy {
    expire_after         = "P1Y"
    notify_before_expiry = "P30D"

    automatic {
      time_before_expiry = "P60D"
    }
  }

  depends_on = [azurerm_role_assignment.payment_key_officer]
}

resource "azurerm_key_vault_secret" "payment_key" {
  name         = "payment-key"
  key_vault_id = azurerm_key_vault.payment_key.id
  value        = var.payment_key_value
  tags         = merge(local.tags, { "grid:resource" = "secret.payment-key" })
  depends_on   = [azurerm_role_assignment.payment_key_officer]
}

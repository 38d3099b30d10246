resource "azurerm_managed_redis" "this" {
  name                      = short(60)
  resource_group_name       = group
  location                  = location
  sku_name                  = machine("cache", "1x${field.memory_gib}")
  high_availability_enabled = field.high_availability
  tags                      = tags

  default_database {
    client_protocol = "Encrypted"
  }
}

resource "azurerm_private_endpoint" "this_redis" {
  name                = "${full}-redis"
  resource_group_name = group
  location            = location
  subnet_id           = field.network.subnet_id
  tags                = tags

  private_service_connection {
    name                           = "redis"
    private_connection_resource_id = azurerm_managed_redis.this.id
    subresource_names              = ["redisEnterprise"]
    is_manual_connection           = false
  }
}

out {
  id   = azurerm_managed_redis.this.id
  host = azurerm_managed_redis.this.hostname
  port = azurerm_managed_redis.this.default_database[0].port
}

# Event Hubs speaks the protocol of Kafka from its tier Standard on; hubs in it are Kafka's topics.
resource "azurerm_eventhub_namespace" "this" {
  name                          = short(50)
  resource_group_name           = group
  location                      = location
  sku                           = "Standard"
  capacity                      = min(field.brokers, 20)
  auto_inflate_enabled          = true
  maximum_throughput_units      = 20
  minimum_tls_version           = "1.2"
  public_network_access_enabled = false
  tags                          = tags
}

resource "azurerm_private_endpoint" "this_kafka" {
  name                = "${full}-kafka"
  resource_group_name = group
  location            = location
  subnet_id           = field.network.subnet_id
  tags                = tags

  private_service_connection {
    name                           = "kafka"
    private_connection_resource_id = azurerm_eventhub_namespace.this.id
    subresource_names              = ["namespace"]
    is_manual_connection           = false
  }
}

out {
  id        = azurerm_eventhub_namespace.this.id
  bootstrap = "${azurerm_eventhub_namespace.this.name}.servicebus.windows.net:9093"
}

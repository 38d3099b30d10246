resource "azurerm_servicebus_namespace" "this_topic" {
  name                = "${short(44)}-topic"
  resource_group_name = group
  location            = location
  sku                 = "Standard"
  minimum_tls_version = "1.2"
  tags                = tags
}

resource "azurerm_servicebus_topic" "this" {
  name                = "${name}-topic"
  namespace_id        = azurerm_servicebus_namespace.this_topic.id
  default_message_ttl = field.keep_days == null ? null : "P${field.keep_days}D"
}

out {
  id           = azurerm_servicebus_topic.this.id
  name         = azurerm_servicebus_topic.this.name
  namespace_id = azurerm_servicebus_namespace.this_topic.id
}

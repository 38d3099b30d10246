resource "azurerm_servicebus_namespace" "this_queue" {
  when                = field.topic == null
  name                = "${short(44)}-queue"
  resource_group_name = group
  location            = location
  sku                 = "Standard"
  minimum_tls_version = "1.2"
  tags                = tags
}

resource "azurerm_servicebus_queue" "this" {
  name                                 = name
  namespace_id                         = field.topic == null ? azurerm_servicebus_namespace.this_queue.id : field.topic.namespace_id
  lock_duration                        = "PT${field.visibility_seconds}S"
  default_message_ttl                  = "P${field.keep_days}D"
  max_delivery_count                   = field.max_receives
  dead_lettering_on_message_expiration = true
}

resource "azurerm_servicebus_subscription" "this" {
  when               = field.topic != null
  name               = short(50)
  topic_id           = field.topic.id
  max_delivery_count = field.max_receives
  forward_to         = azurerm_servicebus_queue.this.name
}

out {
  id   = azurerm_servicebus_queue.this.id
  name = azurerm_servicebus_queue.this.name
}

resource "azurerm_network_security_group" "this" {
  name                = full
  resource_group_name = group
  location            = location
  tags                = tags

  security_rule {
    repeat                     = field.allow
    name                       = item.name
    priority                   = 100 + 10 * index
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = item.protocol == "udp" ? "Udp" : "Tcp"
    source_port_range          = "*"
    destination_port_range     = item.to_port == null ? "${item.port}" : "${item.port}-${item.to_port}"
    source_address_prefixes    = item.from
    destination_address_prefix = "*"
  }
}

out {
  id = azurerm_network_security_group.this.id
}

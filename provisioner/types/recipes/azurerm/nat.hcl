resource "azurerm_public_ip" "this_nat" {
  name                = "${full}-nat"
  resource_group_name = group
  location            = location
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = tags
}

resource "azurerm_nat_gateway" "this" {
  name                    = full
  resource_group_name     = group
  location                = location
  sku_name                = "Standard"
  idle_timeout_in_minutes = field.idle_timeout_minutes
  tags                    = tags
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  nat_gateway_id       = azurerm_nat_gateway.this.id
  public_ip_address_id = azurerm_public_ip.this_nat.id
}

resource "azurerm_subnet_nat_gateway_association" "this" {
  subnet_id      = field.network.subnet_id
  nat_gateway_id = azurerm_nat_gateway.this.id
}

out {
  id        = azurerm_nat_gateway.this.id
  public_ip = azurerm_public_ip.this_nat.ip_address
}

resource "azurerm_public_ip" "this_l4" {
  when                = field.public
  name                = "${full}-l4"
  resource_group_name = group
  location            = location
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = tags
}

resource "azurerm_lb" "this" {
  name                = full
  resource_group_name = group
  location            = location
  sku                 = "Standard"
  tags                = tags

  frontend_ip_configuration {
    name                 = "main"
    public_ip_address_id = field.public ? azurerm_public_ip.this_l4.id : null
    subnet_id            = field.public ? null : field.network.subnet_id
  }
}

resource "azurerm_lb_backend_address_pool" "this" {
  name            = "machines"
  loadbalancer_id = azurerm_lb.this.id
}

resource "azurerm_lb_probe" "this" {
  name            = "tcp"
  loadbalancer_id = azurerm_lb.this.id
  protocol        = "Tcp"
  port            = field.port
}

resource "azurerm_lb_rule" "this" {
  name                           = "main"
  loadbalancer_id                = azurerm_lb.this.id
  protocol                       = "Tcp"
  frontend_port                  = field.port
  backend_port                   = field.port
  frontend_ip_configuration_name = "main"
  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.this.id]
  probe_id                       = azurerm_lb_probe.this.id
}

out {
  id              = azurerm_lb.this.id
  host            = field.public ? azurerm_public_ip.this_l4.ip_address : azurerm_lb.this.private_ip_address
  gateway_pool_id = null
  pool_id         = azurerm_lb_backend_address_pool.this.id
}

resource "azurerm_virtual_network" "this" {
  name                = full
  resource_group_name = group
  location            = location
  address_space       = [field.cidr]
  tags                = tags
}

resource "azurerm_subnet" "this" {
  name                 = "machines"
  resource_group_name  = group
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(field.cidr, 4, 0)]
}

resource "azurerm_subnet" "this_gateway" {
  name                 = "gateway"
  resource_group_name  = group
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(field.cidr, 4, 1)]
}

resource "azurerm_subnet" "this_postgresql" {
  name                 = "postgresql"
  resource_group_name  = group
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(field.cidr, 4, 2)]

  delegation {
    name = "postgresql"

    service_delegation {
      name    = "Microsoft.DBforPostgreSQL/flexibleServers"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_subnet" "this_mysql" {
  name                 = "mysql"
  resource_group_name  = group
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(field.cidr, 4, 3)]

  delegation {
    name = "mysql"

    service_delegation {
      name    = "Microsoft.DBforMySQL/flexibleServers"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_subnet" "this_containers" {
  name                 = "containers"
  resource_group_name  = group
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(field.cidr, 4, 4)]

  delegation {
    name = "containers"

    service_delegation {
      name    = "Microsoft.App/environments"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

out {
  id                   = azurerm_virtual_network.this.id
  name                 = name
  subnet_id            = azurerm_subnet.this.id
  gateway_subnet_id    = azurerm_subnet.this_gateway.id
  postgresql_subnet_id = azurerm_subnet.this_postgresql.id
  mysql_subnet_id      = azurerm_subnet.this_mysql.id
  containers_subnet_id = azurerm_subnet.this_containers.id
}

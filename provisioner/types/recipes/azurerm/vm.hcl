resource "azurerm_public_ip" "this" {
  when                = field.public_ip
  name                = full
  resource_group_name = group
  location            = location
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = tags
}

resource "azurerm_network_interface" "this" {
  name                = full
  resource_group_name = group
  location            = location
  tags                = tags

  ip_configuration {
    name                          = "internal"
    subnet_id                     = field.network.subnet_id
    private_ip_address_allocation = "Dynamic"
    public_ip_address_id          = field.public_ip ? azurerm_public_ip.this.id : null
  }
}

resource "azurerm_network_interface_security_group_association" "this" {
  when                      = field.firewall != null
  network_interface_id      = azurerm_network_interface.this.id
  network_security_group_id = field.firewall.id
}

resource "azurerm_linux_virtual_machine" "this" {
  name                  = full
  resource_group_name   = group
  location              = location
  size                  = machine("vm")
  admin_username        = "ops"
  network_interface_ids = [azurerm_network_interface.this.id]
  custom_data           = field.user_data == null ? null : base64encode(field.user_data)
  tags                  = tags

  admin_ssh_key {
    username   = "ops"
    public_key = field.ssh_public_key
  }

  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "Premium_LRS"
    disk_size_gb         = max(field.disk_gib, 30)
  }

  source_image_reference {
    publisher = field.os == "ubuntu-24.04" ? "Canonical" : "Debian"
    offer     = field.os == "ubuntu-24.04" ? "ubuntu-24_04-lts" : "debian-12"
    sku       = field.os == "ubuntu-24.04" ? "server" : "12-gen2"
    version   = "latest"
  }

  identity {
    when         = field.identity != null
    type         = "UserAssigned"
    identity_ids = [field.identity.id]
  }
}

out {
  id         = azurerm_linux_virtual_machine.this.id
  private_ip = azurerm_linux_virtual_machine.this.private_ip_address
}

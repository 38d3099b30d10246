resource "azurerm_linux_virtual_machine_scale_set" "this_spot" {
  name                = "${short(58)}-spot"
  resource_group_name = group
  location            = location
  sku                 = machine("vm")
  instances           = field.capacity
  admin_username      = "ops"
  priority            = "Spot"
  eviction_policy     = field.on_reclaim == "stop" ? "Deallocate" : "Delete"
  max_bid_price       = -1
  tags                = tags

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

  network_interface {
    name                      = "main"
    primary                   = true
    network_security_group_id = field.firewall.id

    ip_configuration {
      name      = "internal"
      primary   = true
      subnet_id = field.network.subnet_id

    }
  }

  spot_restore {
    enabled = true
    timeout = "PT1H"
  }
}

out {
  id = azurerm_linux_virtual_machine_scale_set.this_spot.id
}

resource "azurerm_linux_virtual_machine_scale_set" "this" {
  name                = full
  resource_group_name = group
  location            = location
  sku                 = machine("vm")
  instances           = field.min
  admin_username      = "ops"
  custom_data         = field.user_data == null ? null : base64encode(field.user_data)
  upgrade_mode        = "Manual"
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
      name                                         = "internal"
      primary                                      = true
      subnet_id                                    = field.network.subnet_id
      application_gateway_backend_address_pool_ids = field.load_balancer.gateway_pool_id == null ? null : [field.load_balancer.gateway_pool_id]
      load_balancer_backend_address_pool_ids       = field.load_balancer.pool_id == null ? null : [field.load_balancer.pool_id]
    }
  }

  identity {
    when         = field.identity != null
    type         = "UserAssigned"
    identity_ids = [field.identity.id]
  }

  lifecycle {
    ignore_changes = [instances]
  }
}

resource "azurerm_monitor_autoscale_setting" "this" {
  name                = full
  resource_group_name = group
  location            = location
  target_resource_id  = azurerm_linux_virtual_machine_scale_set.this.id
  tags                = tags

  profile {
    name = "cpu"

    capacity {
      minimum = field.min
      maximum = field.max
      default = max(field.min, 1)
    }

    rule {
      metric_trigger {
        metric_name        = "Percentage CPU"
        metric_resource_id = azurerm_linux_virtual_machine_scale_set.this.id
        operator           = "GreaterThan"
        threshold          = field.target_cpu_percent
        statistic          = "Average"
        time_aggregation   = "Average"
        time_grain         = "PT1M"
        time_window        = "PT5M"
      }

      scale_action {
        direction = "Increase"
        type      = "ChangeCount"
        value     = 1
        cooldown  = "PT3M"
      }
    }

    # Half of the way down, so that one machine less does not ask for one more at once.
    rule {
      metric_trigger {
        metric_name        = "Percentage CPU"
        metric_resource_id = azurerm_linux_virtual_machine_scale_set.this.id
        operator           = "LessThan"
        threshold          = field.target_cpu_percent / 2
        statistic          = "Average"
        time_aggregation   = "Average"
        time_grain         = "PT1M"
        time_window        = "PT10M"
      }

      scale_action {
        direction = "Decrease"
        type      = "ChangeCount"
        value     = 1
        cooldown  = "PT10M"
      }
    }
  }
}

out {
  id   = azurerm_linux_virtual_machine_scale_set.this.id
  name = azurerm_linux_virtual_machine_scale_set.this.name
}

# workload_identity.app
resource "azurerm_user_assigned_identity" "app" {
  name                = "shop-prod-app"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  tags                = merge(local.tags, { "grid:resource" = "workload_identity.app" })
}

# autoscaling_group.app
resource "azurerm_linux_virtual_machine_scale_set" "app" {
  name                = "shop-prod-app"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  sku                 = "Standard_D4s_v5"
  instances           = 2
  admin_username      = "ops"
  custom_data         = base64encode("#cloud-config\nwrite_files:\n  - path: /etc/shop.env\n    content: DB_HOST=${azurerm_postgresql_flexible_server.orders.fqdn}\n")
  upgrade_mode        = "Manual"
  tags                = merge(local.tags, { "grid:resource" = "autoscaling_group.app" })

  admin_ssh_key {
    username   = "ops"
    public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops"
  }

  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "Premium_LRS"
    disk_size_gb         = 30
  }

  source_image_reference {
    publisher = "Canonical"
    offer     = "ubuntu-24_04-lts"
    sku       = "server"
    version   = "latest"
  }

  network_interface {
    name                      = "main"
    primary                   = true
    network_security_group_id = azurerm_network_security_group.app.id

    ip_configuration {
      name                                         = "internal"
      primary                                      = true
      subnet_id                                    = azurerm_subnet.main.id
      application_gateway_backend_address_pool_ids = [one([for p in azurerm_application_gateway.web.backend_address_pool : p.id])]
    }
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.app.id]
  }

  lifecycle {
    ignore_changes = [instances]
  }
}

resource "azurerm_monitor_autoscale_setting" "app" {
  name                = "shop-prod-app"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  target_resource_id  = azurerm_linux_virtual_machine_scale_set.app.id
  tags                = merge(local.tags, { "grid:resource" = "autoscaling_group.app" })

  profile {
    name = "cpu"

    capacity {
      minimum = 2
      maximum = 8
      default = 2
    }

    rule {
      metric_trigger {
        metric_name        = "Percentage CPU"
        metric_resource_id = azurerm_linux_virtual_machine_scale_set.app.id
        operator           = "GreaterThan"
        threshold          = 60
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

    rule {
      metric_trigger {
        metric_name        = "Percentage CPU"
        metric_resource_id = azurerm_linux_virtual_machine_scale_set.app.id
        operator           = "LessThan"
        threshold          = 30
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

resource "azurerm_user_assigned_identity" "this_function" {
  when                = field.identity == null
  name                = "${full}-function"
  resource_group_name = group
  location            = location
  tags                = tags
}

resource "azurerm_role_assignment" "this_function" {
  scope                = field.source.id
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = field.identity == null ? azurerm_user_assigned_identity.this_function.principal_id : field.identity.principal_id
}

resource "azurerm_service_plan" "this_function" {
  name                = full
  resource_group_name = group
  location            = location
  os_type             = "Linux"
  sku_name            = "FC1"
  tags                = tags
}

resource "azurerm_function_app_flex_consumption" "this" {
  name                              = short(58)
  resource_group_name               = group
  location                          = location
  service_plan_id                   = azurerm_service_plan.this_function.id
  storage_container_type            = "blobContainer"
  storage_container_endpoint        = field.source.container_url
  storage_authentication_type       = "UserAssignedIdentity"
  storage_user_assigned_identity_id = field.identity == null ? azurerm_user_assigned_identity.this_function.id : field.identity.id
  runtime_name                      = field.runtime == "python-3.12" ? "python" : "node"
  runtime_version                   = field.runtime == "python-3.12" ? "3.12" : "22"
  instance_memory_in_mb             = field.memory_mib <= 512 ? 512 : (field.memory_mib <= 2048 ? 2048 : 4096)
  maximum_instance_count            = field.max_instances
  https_only                        = true
  app_settings                      = merge(field.env, { GRID_ARCHIVE = field.archive, GRID_HANDLER = field.handler })
  tags                              = tags

  identity {
    type         = "UserAssigned"
    identity_ids = [field.identity == null ? azurerm_user_assigned_identity.this_function.id : field.identity.id]
  }

  site_config {}
}

out {
  id   = azurerm_function_app_flex_consumption.this.id
  name = azurerm_function_app_flex_consumption.this.name
}

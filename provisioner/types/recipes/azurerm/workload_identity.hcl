resource "azurerm_user_assigned_identity" "this" {
  name                = full
  resource_group_name = group
  location            = location
  tags                = tags
}

resource "azurerm_federated_identity_credential" "this" {
  when                = field.cluster != null
  name                = full
  resource_group_name = group
  parent_id           = azurerm_user_assigned_identity.this.id
  issuer              = field.cluster.issuer
  subject             = "system:serviceaccount:${field.namespace}:${coalesce(field.service_account, name)}"
  audience            = ["api://AzureADTokenExchange"]
}

out {
  id           = azurerm_user_assigned_identity.this.id
  name         = name
  principal_id = azurerm_user_assigned_identity.this.principal_id
}

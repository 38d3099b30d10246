data "azurerm_client_config" "current" {}

resource "azurerm_user_assigned_identity" "this_reader" {
  name                = "${full}-certificate"
  resource_group_name = group
  location            = location
  tags                = tags
}

resource "azurerm_key_vault" "this_certificate" {
  name                       = "${compact(21)}crt"
  resource_group_name        = group
  location                   = location
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = true
  purge_protection_enabled   = true
  tags                       = tags
}

resource "azurerm_role_assignment" "this_writer" {
  scope                = azurerm_key_vault.this_certificate.id
  role_definition_name = "Key Vault Certificates Officer"
  principal_id         = data.azurerm_client_config.current.object_id
}

resource "azurerm_role_assignment" "this_reader" {
  scope                = azurerm_key_vault.this_certificate.id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.this_reader.principal_id
}

# Key Vault renews it with the authority that is set up in the vault under this name; no record in a DNS zone is needed.
resource "azurerm_key_vault_certificate" "this" {
  name         = name
  key_vault_id = azurerm_key_vault.this_certificate.id
  tags         = tags

  certificate_policy {
    issuer_parameters {
      name = "DigiCert"
    }

    key_properties {
      exportable = true
      key_type   = "RSA"
      key_size   = 2048
      reuse_key  = false
    }

    lifetime_action {
      action {
        action_type = "AutoRenew"
      }

      trigger {
        days_before_expiry = 30
      }
    }

    secret_properties {
      content_type = "application/x-pkcs12"
    }

    x509_certificate_properties {
      subject            = "CN=${field.domain}"
      validity_in_months = 12
      key_usage          = ["digitalSignature", "keyEncipherment"]

      subject_alternative_names {
        dns_names = concat([field.domain], field.other_names)
      }
    }
  }

  depends_on = [azurerm_role_assignment.this_writer]
}

out {
  id        = azurerm_key_vault_certificate.this.id
  secret_id = azurerm_key_vault_certificate.this.versionless_secret_id
  reader_id = azurerm_user_assigned_identity.this_reader.id
}

resource "azurerm_dns_zone" "this" {
  name                = field.domain
  resource_group_name = group
  tags                = tags
}

resource "azurerm_dns_a_record" "this" {
  when                = length([for r in field.records : r.name if r.type == "A"]) > 0
  for_each            = { for r in field.records : r.name => { ttl = r.ttl_seconds, values = r.values } if r.type == "A" }
  name                = each.key
  zone_name           = azurerm_dns_zone.this.name
  resource_group_name = group
  ttl                 = each.value.ttl
  records             = each.value.values
  tags                = tags
}

resource "azurerm_dns_aaaa_record" "this" {
  when                = length([for r in field.records : r.name if r.type == "AAAA"]) > 0
  for_each            = { for r in field.records : r.name => { ttl = r.ttl_seconds, values = r.values } if r.type == "AAAA" }
  name                = each.key
  zone_name           = azurerm_dns_zone.this.name
  resource_group_name = group
  ttl                 = each.value.ttl
  records             = each.value.values
  tags                = tags
}

resource "azurerm_dns_cname_record" "this" {
  when                = length([for r in field.records : r.name if r.type == "CNAME"]) > 0
  for_each            = { for r in field.records : r.name => { ttl = r.ttl_seconds, value = r.values[0] } if r.type == "CNAME" }
  name                = each.key
  zone_name           = azurerm_dns_zone.this.name
  resource_group_name = group
  ttl                 = each.value.ttl
  record              = each.value.value
  tags                = tags
}

resource "azurerm_dns_txt_record" "this" {
  when                = length([for r in field.records : r.name if r.type == "TXT"]) > 0
  for_each            = { for r in field.records : r.name => { ttl = r.ttl_seconds, values = r.values } if r.type == "TXT" }
  name                = each.key
  zone_name           = azurerm_dns_zone.this.name
  resource_group_name = group
  ttl                 = each.value.ttl
  tags                = tags

  dynamic "record" {
    for_each = each.value.values

    content {
      value = record.value
    }
  }
}

out {
  id           = azurerm_dns_zone.this.id
  name         = azurerm_dns_zone.this.name
  name_servers = azurerm_dns_zone.this.name_servers
}

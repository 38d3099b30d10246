# It stands where the pods are that act as it. What it is to the services of a cloud below is said there.
manifest "v1" "ServiceAccount" "this" {
  metadata = {
    name = field.service_account == null ? name : lower(replace(field.service_account, "_", "-"))
  }
}

out {
  id              = "${namespace}/serviceaccount/${field.service_account == null ? name : lower(replace(field.service_account, "_", "-"))}"
  name            = name
  service_account = field.service_account == null ? name : lower(replace(field.service_account, "_", "-"))
}

resource "google_service_account" "this" {
  account_id   = short(30)
  display_name = "Grid: ${address}"
}

resource "google_service_account_iam_member" "this" {
  when               = field.cluster != null
  service_account_id = google_service_account.this.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${field.namespace}/${coalesce(field.service_account, name)}]"

  # The pool of identities is made with the first cluster.
  depends_on = [field.cluster.block]
}

out {
  id     = google_service_account.this.id
  name   = name
  email  = google_service_account.this.email
  member = google_service_account.this.member
}

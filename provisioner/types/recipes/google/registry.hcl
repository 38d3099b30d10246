resource "google_artifact_registry_repository" "this" {
  repository_id = full
  location      = var.region
  format        = "DOCKER"
  labels        = labels

  docker_config {
    immutable_tags = field.immutable_tags
  }

  vulnerability_scanning_config {
    enablement_config = field.scan ? "INHERITED" : "DISABLED"
  }

  cleanup_policies {
    id     = "untagged"
    action = "DELETE"

    condition {
      tag_state  = "UNTAGGED"
      older_than = "${field.keep_untagged_days * 86400}s"
    }
  }
}

out {
  id  = google_artifact_registry_repository.this.id
  url = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.this.repository_id}"
}

data "google_compute_image" "ubuntu_24_04" {
  family  = "ubuntu-2404-lts-amd64"
  project = "ubuntu-os-cloud"
}

data "google_project" "current" {}

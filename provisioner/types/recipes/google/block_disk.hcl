resource "google_compute_disk" "this" {
  name   = full
  zone   = field.vm == null ? var.zone : field.vm.zone
  size   = field.size_gib
  type   = { standard = "pd-standard", balanced = "pd-balanced", fast = "pd-ssd" }[field.class]
  labels = labels
}

resource "google_compute_attached_disk" "this" {
  when        = field.vm != null
  disk        = google_compute_disk.this.id
  instance    = field.vm.id
  device_name = name
}

out {
  id   = google_compute_disk.this.id
  name = name
}

terraform {
  required_version = ">= 1.6"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = provider_version
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region

  default_labels = {
    grid_system      = system
    grid_environment = environment
  }
}

variable "project" {
  description = "Whose resources these are."
  type        = string
}

variable "region" {
  description = "Where everything stands."
  type        = string
  default     = region
}

variable "zone" {
  description = "Where in the region stands what stands in one zone."
  type        = string
  default     = "${region}-b"
}

out {
  labels = {
    grid_kind = kind
    grid_name = name
  }
}

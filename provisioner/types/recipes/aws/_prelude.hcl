terraform {
  required_version = ">= 1.6"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = provider_version
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      "grid:system"      = system
      "grid:environment" = environment
    }
  }
}

variable "region" {
  description = "Where everything stands."
  type        = string
  default     = region
}

out {
  tags = {
    Name            = full
    "grid:resource" = address
  }
}

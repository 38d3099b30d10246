resource "google_compute_security_policy" "this" {
  name        = full
  description = "Grid: ${address}"

  rule {
    description = "rate"
    priority    = 1000
    action      = "throttle"
    preview     = field.mode == "count"

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = field.requests_per_5_minutes
        interval_sec = 300
      }
    }
  }

  rule {
    when        = field.managed_rules
    description = "SQL injection"
    priority    = 2000
    action      = "deny(403)"
    preview     = field.mode == "count"

    match {
      expr {
        expression = "evaluatePreconfiguredWaf('sqli-v33-stable', {'sensitivity': 1})"
      }
    }
  }

  rule {
    when        = field.managed_rules
    description = "scripts of strangers"
    priority    = 2001
    action      = "deny(403)"
    preview     = field.mode == "count"

    match {
      expr {
        expression = "evaluatePreconfiguredWaf('xss-v33-stable', {'sensitivity': 1})"
      }
    }
  }

  rule {
    description = "all else"
    priority    = 2147483647
    action      = "allow"

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

out {
  id = google_compute_security_policy.this.id
}

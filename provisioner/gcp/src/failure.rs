//! What Compute Engine says when a call or an operation fails, as the three things that a runner can do about it: come again, look up, give up.

use google_cloud_compute_v1::model::Operation;
use google_cloud_gax::error::Error;
use grid_act::native::failure::{Failure, chain, retry_after_ns};

/// Words by which it says that it is asked too often; the status is that of a right that is missing.
const TOO_OFTEN: [&str; 4] =
    ["rateLimitExceeded", "Rate Limit Exceeded", "RATE_LIMIT_EXCEEDED", "Quota exceeded for quota metric"];
/// Words by which it says that something is on its way to another state.
const NOT_READY: [&str; 4] =
    ["resourceNotReady", "is not ready", "RESOURCE_NOT_READY", "resourceInUseByAnotherResource"];

/// Of what the client says. `call` names the call and the resource.
pub(crate) fn of(call: &str, error: &Error) -> Failure {
    if error.is_authentication() {
        let why = format!("{}: name a service account as in docs/gcp.md", chain(call, error));
        let passes = std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<google_cloud_gax::error::CredentialsError>())
            .is_some_and(google_cloud_gax::error::CredentialsError::is_transient);
        return if passes { Failure::again(None, why) } else { Failure::refused(why) };
    }
    if error.is_binding() || error.is_serialization() {
        // Nothing was sent.
        return Failure::refused(chain(call, error));
    }
    let Some(status) = error.http_status_code() else { return Failure::lost(chain(call, error)) };
    let header = error.http_headers().and_then(|h| h.get("retry-after")).and_then(|v| v.to_str().ok());
    let said = match (error.status(), error.http_payload()) {
        (Some(status), _) => format!("{} {:?}", status.message, status.details),
        (None, Some(payload)) => String::from_utf8_lossy(payload).into_owned(),
        (None, None) => String::new(),
    };
    let message = error.status().map_or(said.as_str(), |s| s.message.as_str());
    answered(call, status, message, &said, header.and_then(retry_after_ns))
}

/// Of an answer: its status, its message, everything that it says, and how long it asks to wait.
fn answered(call: &str, status: u16, message: &str, said: &str, after_ns: Option<i64>) -> Failure {
    let why = format!("{call}: HTTP {status}: {message}");
    let says = |words: &[&str]| words.iter().any(|w| said.contains(w));
    let failure = match status {
        200..=299 => Failure::lost(format!("{why}: the answer cannot be read")),
        429 => Failure::again(after_ns, why),
        403 if says(&TOO_OFTEN) => Failure::again(after_ns, why),
        401 => Failure::refused(format!("{why}: Google Cloud does not know who asks: see docs/gcp.md")),
        403 => Failure::refused(format!("{why}: grant it as in docs/gcp.md")),
        // The fingerprint is old: somebody wrote between a look and this call, and nothing was done.
        412 => Failure::unsettled(why),
        400 if says(&NOT_READY) => Failure::unsettled(why),
        503 => Failure::again(after_ns, why),
        500 | 502 | 504 => Failure::lost(why),
        _ => Failure::refused(why),
    };
    failure.saying(status, "")
}

/// Of an operation that has ended: `None` if all went well.
pub(crate) fn of_operation(call: &str, operation: &Operation) -> Option<Failure> {
    let first = operation.error.as_ref().and_then(|e| e.errors.first());
    let status = operation.http_error_status_code.and_then(|n| u16::try_from(n).ok()).filter(|n| *n >= 300);
    if first.is_none() && status.is_none() {
        return None;
    }
    let code = first.and_then(|e| e.code.as_deref()).unwrap_or_default();
    let said = first.and_then(|e| e.message.as_deref()).or(operation.http_error_message.as_deref());
    Some(ended(call, status.unwrap_or(0), code, said.unwrap_or_default()))
}

fn ended(call: &str, status: u16, code: &str, said: &str) -> Failure {
    let why = format!("{call}: {code}: {said}");
    let failure = match code {
        // There is no room now; a quota stays until somebody raises it.
        "ZONE_RESOURCE_POOL_EXHAUSTED" | "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS" => Failure::again(None, why),
        "QUOTA_EXCEEDED" => Failure::refused(format!("{why}: ask Google for a higher quota, or choose another size")),
        "RESOURCE_NOT_READY" | "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE" | "RESOURCE_OPERATION_RATE_EXCEEDED" => {
            Failure::unsettled(why)
        }
        "INTERNAL_ERROR" => Failure::lost(why),
        _ if status >= 500 => Failure::lost(why),
        _ => Failure::refused(why),
    };
    failure.saying(status, code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid_act::executor::CloudError;

    fn shown(failure: &Failure) -> String {
        match &failure.error {
            CloudError::Again { after_ns, .. } => format!("again {:?}", after_ns.map(|ns| ns / 1_000_000_000)),
            CloudError::Lost(_) => "lost".to_owned(),
            CloudError::Refused(_) => "refused".to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn answers_are_come_again_look_up_or_give_up() {
        for (status, said, after_ns, expected) in [
            (429, "", Some(7_000_000_000), "again Some(7)"),
            (403, "Rate Limit Exceeded", None, "again None"),
            (403, "Required 'compute.instances.stop' permission", None, "refused"),
            (401, "", None, "refused"),
            (412, "conditionNotMet", None, "again Some(15)"),
            (400, "The resource 'x' is not ready", None, "again Some(15)"),
            (400, "Invalid value for field", None, "refused"),
            (409, "already exists", None, "refused"),
            (500, "", None, "lost"),
            (503, "", Some(1_000_000_000), "again Some(1)"),
            (200, "", None, "lost"),
        ] {
            assert_eq!(shown(&answered("instances.stop a", status, said, said, after_ns)), expected, "{status} {said}");
        }
        assert!(answered("x", 404, "", "", None).is_gone());
    }

    #[test]
    fn operations_end_well_or_say_why() {
        for (code, status, expected) in [
            ("QUOTA_EXCEEDED", 403, "refused"),
            ("ZONE_RESOURCE_POOL_EXHAUSTED", 503, "again None"),
            ("RESOURCE_NOT_READY", 400, "again Some(15)"),
            ("INTERNAL_ERROR", 500, "lost"),
            ("SOMETHING_NEW", 500, "lost"),
            ("INVALID_FIELD_VALUE", 400, "refused"),
        ] {
            assert_eq!(shown(&ended("x", status, code, "said")), expected, "{code}");
        }
        assert_eq!(of_operation("x", &Operation::new()), None);
    }
}

//! What the Resource Manager says when a call or an operation fails, as the three things that a runner can do about it: come again, look up, give up.

use grid_act::native::failure::Failure;
use serde_json::Value;

/// Codes by which it says that something is on its way to another state: nothing was done, and it may be asked again.
const UNSETTLED: [&str; 6] = [
    "Conflict",
    "AnotherOperationInProgress",
    "OperationPreempted",
    "RetryableError",
    "RetryableErrorDueToAnotherOperation",
    "ResourceGroupBeingMoved",
];
/// Codes by which it says that there is no room now.
const NO_ROOM: [&str; 3] = ["AllocationFailed", "ZonalAllocationFailed", "OverconstrainedAllocationRequest"];

/// The code and the message of an answer or of an operation: `{"error": {"code", "message"}}`, or the same without the frame.
pub(crate) fn said(body: &Value) -> (&str, &str) {
    let error = body.get("error").unwrap_or(body);
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    (text("code"), text("message"))
}

/// Of an answer: its status, its body, and how long it asks to wait.
pub(crate) fn answered(call: &str, status: u16, body: &Value, after_ns: Option<i64>) -> Failure {
    let (code, message) = said(body);
    let name = if code.is_empty() { format!("HTTP {status}") } else { code.to_owned() };
    let why = format!("{call}: {name}: {message}");
    let failure = match status {
        200..=299 => Failure::lost(format!("{why}: the answer cannot be read")),
        429 => Failure::again(after_ns, why),
        401 => Failure::refused(format!("{why}: Azure does not know who asks: see docs/azure.md")),
        403 if code == "AuthorizationFailed" || code.is_empty() => {
            Failure::refused(format!("{why}: grant it as in docs/azure.md"))
        }
        // The ETag is old: somebody wrote between a look and this call, and nothing was done.
        412 => Failure::unsettled(why),
        408 | 503 => Failure::again(after_ns, why),
        500 | 502 | 504 => Failure::lost(why),
        _ => ended(why, code, message),
    };
    failure.saying(status, code)
}

/// Of an operation that has ended and not succeeded.
pub(crate) fn of_operation(call: &str, status: &str, body: &Value) -> Failure {
    let (code, message) = said(body);
    let name = if code.is_empty() { status } else { code };
    ended(format!("{call}: {name}: {message}"), code, message).saying(0, code)
}

fn ended(why: String, code: &str, message: &str) -> Failure {
    if UNSETTLED.contains(&code) {
        Failure::unsettled(why)
    } else if NO_ROOM.contains(&code) {
        Failure::again(None, why)
    } else if code.starts_with("Internal") {
        Failure::lost(why)
    } else if code == "QuotaExceeded" || message.to_ascii_lowercase().contains("quota") {
        Failure::refused(format!("{why}: ask Microsoft for a higher quota, or choose another size"))
    } else {
        Failure::refused(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid_act::executor::CloudError;
    use serde_json::json;

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
        for (status, code, after_ns, expected) in [
            (429, "TooManyRequests", Some(9_000_000_000), "again Some(9)"),
            (412, "PreconditionFailed", None, "again Some(15)"),
            (409, "Conflict", None, "again Some(15)"),
            (409, "OperationNotAllowed", None, "refused"),
            (409, "AllocationFailed", None, "again None"),
            (403, "AuthorizationFailed", None, "refused"),
            (401, "", None, "refused"),
            (503, "ServerBusy", Some(1_000_000_000), "again Some(1)"),
            (500, "InternalServerError", None, "lost"),
            (400, "InvalidParameter", None, "refused"),
            (202, "", None, "lost"),
        ] {
            let body = json!({"error": {"code": code, "message": "said"}});
            assert_eq!(shown(&answered("update a", status, &body, after_ns)), expected, "{status} {code}");
        }
        assert!(answered("x", 404, &json!({"error": {"code": "ResourceNotFound"}}), None).is_gone());
        let quota = json!({"error": {"code": "OperationNotAllowed", "message": "exceeding approved standardDSv5Family Cores quota"}});
        assert!(answered("x", 409, &quota, None).error.to_string().contains("higher quota"));
    }

    #[test]
    fn operations_say_why_they_failed() {
        for (code, expected) in [
            ("AllocationFailed", "again None"),
            ("OperationPreempted", "again Some(15)"),
            ("InternalExecutionError", "lost"),
            ("SkuNotAvailable", "refused"),
            ("", "refused"),
        ] {
            let body = json!({"status": "Failed", "error": {"code": code, "message": "said"}});
            assert_eq!(shown(&of_operation("x", "Failed", &body)), expected, "{code}");
        }
    }
}

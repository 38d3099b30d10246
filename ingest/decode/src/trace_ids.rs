//! Trace and span ids among labels and attributes of formats that have no field for them.

/// A trace id: 32 hex digits, or 16 as older tracers write them; in lower case. Zero is no id (W3C Trace Context).
pub(crate) fn trace_id(text: &str) -> Option<String> {
    hex_id(text, matches!(text.len(), 32 | 16))
}

/// A span id: 16 hex digits, in lower case.
pub(crate) fn span_id(text: &str) -> Option<String> {
    hex_id(text, text.len() == 16)
}

fn hex_id(text: &str, length_fits: bool) -> Option<String> {
    let is_id = length_fits && text.bytes().all(|b| b.is_ascii_hexdigit()) && text.bytes().any(|b| b != b'0');
    is_id.then(|| text.to_ascii_lowercase())
}

/// Whether a key names a trace id, in one of the spellings in use.
pub(crate) fn is_trace_key(key: &str) -> bool {
    matches!(key, "trace_id" | "traceId" | "traceID" | "TraceId" | "TraceID" | "traceid" | "trace.id")
}

/// Whether a key names a span id, in one of the spellings in use.
pub(crate) fn is_span_key(key: &str) -> bool {
    matches!(key, "span_id" | "spanId" | "spanID" | "SpanId" | "SpanID" | "spanid" | "span.id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hex_of_the_right_length_is_an_id() {
        assert_eq!(trace_id("A6A3A4506513270E269E0D37F2A74DE4").as_deref(), Some("a6a3a4506513270e269e0d37f2a74de4"));
        assert_eq!(trace_id("1ee220e024eb5b0a").as_deref(), Some("1ee220e024eb5b0a"));
        for bad in ["", "abc123def456", "00000000000000000000000000000000", "xyz220e024eb5b0a", "ééééééééé"] {
            assert_eq!(trace_id(bad), None, "{bad}");
            assert_eq!(span_id(bad), None, "{bad}");
        }
        assert_eq!(span_id("a6a3a4506513270e269e0d37f2a74de4"), None);
    }
}

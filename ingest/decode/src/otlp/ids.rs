//! Trace and span ids: bytes on the wire, lower-case hex at rest.

/// Longest id that is kept where the protocol does not insist on a length.
const LOOSE_ID_BYTES_MAX: usize = 32;

/// The id of a trace or span, which must be there: `length` bytes, not all zero.
pub(crate) fn required(what: &str, id: &[u8], length: usize) -> Result<String, String> {
    if id.len() != length {
        return Err(format!("{what} has {} bytes, not {length}", id.len()));
    }
    if is_zero(id) {
        return Err(format!("{what} is all zero"));
    }
    Ok(hex::encode(id))
}

/// The id of a parent, which may be absent: empty or all zero.
pub(crate) fn optional(what: &str, id: &[u8], length: usize) -> Result<String, String> {
    if is_zero(id) { Ok(String::new()) } else { required(what, id, length) }
}

/// The id to which a log record, exemplar or link points. The specification wants a record with an invalid id kept, so
/// another length is kept as it is; only what is no id at all is refused.
pub(crate) fn loose(what: &str, id: &[u8]) -> Result<String, String> {
    if id.len() > LOOSE_ID_BYTES_MAX {
        return Err(format!("{what} has {} bytes", id.len()));
    }
    Ok(if is_zero(id) { String::new() } else { hex::encode(id) })
}

fn is_zero(id: &[u8]) -> bool {
    id.iter().all(|&b| b == 0)
}

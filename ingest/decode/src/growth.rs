//! A bound on how far a request may grow when its shared parts are written out per row.

/// How many bytes of rows one byte of a request may become.
const GROWTH_MAX: usize = 32;
/// What every request may become, however small it is.
const GROWTH_FREE_BYTES: usize = 4 * 1024 * 1024;

/// The bytes that the rows of one request may still take. A symbol table (remote write 2.0) or stream labels (Loki) are sent
/// once and repeated in every row, so a small hostile request could fill the memory without breaking any limit per item.
#[derive(Debug)]
pub(crate) struct Growth {
    left: usize,
}

impl Growth {
    /// For a request of `bytes` bytes.
    pub(crate) fn of_request(bytes: usize) -> Self {
        Self { left: bytes.saturating_mul(GROWTH_MAX).saturating_add(GROWTH_FREE_BYTES) }
    }

    /// As [`Growth::of_request`], for formats whose shared parts are large by nature (OTLP's resources).
    pub(crate) fn with_free(bytes: usize, free_bytes: usize) -> Self {
        Self { left: bytes.saturating_mul(GROWTH_MAX).saturating_add(free_bytes) }
    }

    /// For a file of the operator's own, of which only a chunk at a time is in memory.
    pub(crate) fn unbounded() -> Self {
        Self { left: usize::MAX }
    }

    /// Takes `bytes` from what is left, or says why not.
    #[inline]
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), String> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(format!(
                "the request's rows would take more than {GROWTH_MAX} times its bytes: send fewer per request"
            )),
        }
    }
}

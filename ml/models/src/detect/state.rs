//! A detector as bytes: a checkpoint after which scores are the same to the last bit. A fixed order of little-endian numbers behind a mark, a version
//! and a checksum; whatever else comes is refused.

/// First bytes of every checkpoint.
const MARK: [u8; 4] = *b"GMLD";
/// Bytes behind the content: its hash.
const HASH_BYTES: usize = 8;

/// Bytes that are no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// Another file, or a damaged one.
    #[error("this is no checkpoint of a detector, or it is damaged")]
    Damaged,
    /// Written by another version of the detector.
    #[error("the checkpoint is of version {found} of the detector, this is {}: start it anew", super::VERSION)]
    Version {
        /// The version that wrote it.
        found: u32,
    },
    /// The content ends too early, goes on, or holds what cannot be.
    #[error("the checkpoint holds what no detector can have")]
    Impossible,
}

/// Takes numbers in order.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new() -> Self {
        let mut out = Self(Vec::from(MARK));
        out.u32(super::VERSION);
        out
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let hash = xxhash_rust::xxh3::xxh3_64(&self.0);
        self.0.extend_from_slice(&hash.to_le_bytes());
        self.0
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn f32(&mut self, value: f32) {
        self.u32(value.to_bits());
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// A count and then so many.
    pub(super) fn f32s(&mut self, values: &[f32]) {
        self.u32(u32::try_from(values.len()).unwrap_or(u32::MAX));
        values.iter().for_each(|v| self.f32(*v));
    }

    /// Whether there is something, and then that.
    pub(super) fn option<T>(&mut self, value: Option<&T>, save: impl FnOnce(&mut Self, &T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            save(self, value);
        }
    }
}

/// Gives numbers in the same order.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Bad> {
        let (content, hash) =
            bytes.len().checked_sub(HASH_BYTES).and_then(|at| bytes.split_at_checked(at)).ok_or(Bad::Damaged)?;
        if xxhash_rust::xxh3::xxh3_64(content).to_le_bytes() != hash {
            return Err(Bad::Damaged);
        }
        let mut reader = Self(content.strip_prefix(&MARK).ok_or(Bad::Damaged)?);
        match reader.u32()? {
            super::VERSION => Ok(reader),
            found => Err(Bad::Version { found }),
        }
    }

    pub(super) fn finish(self) -> Result<(), Bad> {
        if self.0.is_empty() { Ok(()) } else { Err(Bad::Impossible) }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Bad::Impossible)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Bad> {
        Ok(u8::from_le_bytes(self.take()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, Bad> {
        Ok(u16::from_le_bytes(self.take()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Bad> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Bad> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    /// A count that no series exceeds and every machine can go on from.
    pub(super) fn count(&mut self) -> Result<usize, Bad> {
        const MOST: u64 = 1 << 53;
        usize::try_from(self.u64()?).ok().filter(|n| *n as u64 <= MOST).ok_or(Bad::Impossible)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Bad> {
        Ok(i64::from_le_bytes(self.take()?))
    }

    pub(super) fn f32_or_nan(&mut self) -> Result<f32, Bad> {
        let value = f32::from_bits(self.u32()?);
        if value.is_infinite() { Err(Bad::Impossible) } else { Ok(value) }
    }

    pub(super) fn f64(&mut self) -> Result<f64, Bad> {
        let value = f64::from_bits(self.u64()?);
        if value.is_finite() { Ok(value) } else { Err(Bad::Impossible) }
    }

    /// At most `most` finite numbers.
    pub(super) fn f32s(&mut self, most: usize) -> Result<Vec<f32>, Bad> {
        let count = self.u32()? as usize;
        if count > most {
            return Err(Bad::Impossible);
        }
        let mut out = Vec::with_capacity(count);
        for _ in 0..count {
            let value = f32::from_bits(self.u32()?);
            if !value.is_finite() {
                return Err(Bad::Impossible);
            }
            out.push(value);
        }
        Ok(out)
    }

    pub(super) fn option<T>(&mut self, load: impl FnOnce(&mut Self) -> Result<T, Bad>) -> Result<Option<T>, Bad> {
        match self.u8()? {
            0 => Ok(None),
            1 => load(self).map(Some),
            _ => Err(Bad::Impossible),
        }
    }
}

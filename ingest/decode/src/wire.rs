//! Protobuf's wire format, read by hand from a byte slice without allocating: the hot paths borrow every string from the
//! request. Generated code would allocate one `String` per label of every sample.

/// What is wrong with a message's bytes; no further detail is of use to a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the message ends inside a field")]
    Truncated,
    #[error("a varint is longer than ten bytes")]
    Varint,
    #[error("field {0} has an unexpected wire type")]
    WireType(u32),
    #[error("a tag has field number 0 or an unknown wire type")]
    Tag,
    #[error("field {0} holds more values than its bytes allow")]
    Packed(u32),
}

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// Reads a message's fields in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    at: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { at: message }
    }

    /// The next field's number and value; `None` at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, WireError> {
        if self.at.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let field = u32::try_from(tag >> 3).map_err(|_| WireError::Tag)?;
        if field == 0 {
            return Err(WireError::Tag);
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.chunk()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
                let (head, rest) = self.at.split_at_checked(length).ok_or(WireError::Truncated)?;
                self.at = rest;
                Value::Bytes(head)
            }
            5 => {
                self.chunk::<4>()?;
                Value::Fixed32
            }
            // Groups (3 and 4) are gone from proto3, and no sender of ours has any.
            _ => return Err(WireError::Tag),
        };
        Ok(Some((field, value)))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        if let [byte, rest @ ..] = self.at
            && *byte < 0x80
        {
            self.at = rest;
            return Ok(u64::from(*byte));
        }
        let mut out = 0u64;
        for (i, byte) in self.at.iter().take(10).enumerate() {
            out |= u64::from(byte & 0x7f).wrapping_shl(7 * i as u32);
            if *byte < 0x80 {
                self.at = &self.at[i + 1..];
                return Ok(out);
            }
        }
        Err(if self.at.len() < 10 { WireError::Truncated } else { WireError::Varint })
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.at.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.at = rest;
        Ok(*head)
    }
}

impl<'a> Value<'a> {
    #[inline]
    pub(crate) fn bytes(self, field: u32) -> Result<&'a [u8], WireError> {
        if let Self::Bytes(b) = self { Ok(b) } else { Err(WireError::WireType(field)) }
    }

    #[inline]
    pub(crate) fn uint(self, field: u32) -> Result<u64, WireError> {
        if let Self::Varint(v) = self { Ok(v) } else { Err(WireError::WireType(field)) }
    }

    /// `int64` and `int32`: two's complement in a varint.
    #[inline]
    pub(crate) fn int(self, field: u32) -> Result<i64, WireError> {
        self.uint(field).map(|v| v as i64)
    }

    /// `sint64` and `sint32`: zigzag.
    pub(crate) fn sint(self, field: u32) -> Result<i64, WireError> {
        self.uint(field).map(unzigzag)
    }

    #[inline]
    pub(crate) fn double(self, field: u32) -> Result<f64, WireError> {
        if let Self::Fixed64(bits) = self { Ok(f64::from_bits(bits)) } else { Err(WireError::WireType(field)) }
    }

    /// A repeated varint field, packed or one at a time. At most `max` values are kept; whether there were more is the answer.
    pub(crate) fn uints(self, field: u32, max: usize, out: &mut Vec<u64>) -> Result<bool, WireError> {
        match self {
            Self::Varint(v) => Ok(keep(out, v, max)),
            Self::Bytes(b) => {
                let mut reader = Reader::new(b);
                let mut all = true;
                while !reader.at.is_empty() {
                    all &= keep(out, reader.varint()?, max);
                }
                Ok(all)
            }
            _ => Err(WireError::WireType(field)),
        }
    }

    /// A repeated double field, packed or one at a time; see [`Value::uints`].
    pub(crate) fn doubles(self, field: u32, max: usize, out: &mut Vec<f64>) -> Result<bool, WireError> {
        match self {
            Self::Fixed64(bits) => Ok(keep(out, f64::from_bits(bits), max)),
            Self::Bytes(b) if b.len() % 8 != 0 => Err(WireError::Packed(field)),
            Self::Bytes(b) => {
                let mut all = true;
                for chunk in b.as_chunks::<8>().0 {
                    all &= keep(out, f64::from_le_bytes(*chunk), max);
                }
                Ok(all)
            }
            _ => Err(WireError::WireType(field)),
        }
    }
}

fn keep<T>(out: &mut Vec<T>, value: T, max: usize) -> bool {
    let room = out.len() < max;
    if room {
        out.push(value);
    }
    room
}

pub(crate) fn unzigzag(v: u64) -> i64 {
    (v >> 1) as i64 ^ -((v & 1) as i64)
}

/// Writes protobuf: for tests, fuzz seeds and the demo's generator.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) out: Vec<u8>,
}

impl Writer {
    fn tag(&mut self, field: u32, wire_type: u32) {
        self.raw_varint(u64::from(field << 3 | wire_type));
    }

    pub(crate) fn raw_varint(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.out.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.out.push(v as u8);
    }

    /// A varint field, left out if zero.
    pub(crate) fn uint(&mut self, field: u32, v: u64) {
        if v != 0 {
            self.uint_always(field, v);
        }
    }

    /// A varint field of a oneof, written even if zero.
    pub(crate) fn uint_always(&mut self, field: u32, v: u64) {
        self.tag(field, 0);
        self.raw_varint(v);
    }

    pub(crate) fn int(&mut self, field: u32, v: i64) {
        self.uint(field, v as u64);
    }

    pub(crate) fn sint(&mut self, field: u32, v: i64) {
        self.uint(field, zigzag(v));
    }

    /// A double field, left out if it is +0.
    pub(crate) fn double(&mut self, field: u32, v: f64) {
        if v.to_bits() != 0 {
            self.double_always(field, v);
        }
    }

    /// A double field of a oneof, written even if zero.
    pub(crate) fn double_always(&mut self, field: u32, v: f64) {
        self.tag(field, 1);
        self.out.extend_from_slice(&v.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, field: u32, b: &[u8]) {
        self.tag(field, 2);
        self.raw_varint(b.len() as u64);
        self.out.extend_from_slice(b);
    }

    pub(crate) fn text(&mut self, field: u32, s: &str) {
        if !s.is_empty() {
            self.bytes(field, s.as_bytes());
        }
    }

    /// A nested message.
    pub(crate) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(field, &inner.out);
    }

    pub(crate) fn packed_uints(&mut self, field: u32, values: impl Iterator<Item = u64>) {
        let mut inner = Self::default();
        values.for_each(|v| inner.raw_varint(v));
        if !inner.out.is_empty() {
            self.bytes(field, &inner.out);
        }
    }

    pub(crate) fn packed_doubles(&mut self, field: u32, values: &[f64]) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        if !bytes.is_empty() {
            self.bytes(field, &bytes);
        }
    }
}

pub(crate) fn zigzag(v: i64) -> u64 {
    ((v << 1) ^ (v >> 63)) as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_come_back(u in any::<u64>(), i in any::<i64>(), d in any::<f64>(), s in ".{0,8}", l in prop::collection::vec(any::<u64>(), 0..9)) {
            let mut w = Writer::default();
            w.uint_always(1, u);
            w.uint_always(2, zigzag(i));
            w.double_always(3, d);
            w.bytes(4, s.as_bytes());
            w.packed_uints(5, l.iter().copied());
            let mut r = Reader::new(&w.out);
            prop_assert_eq!(r.next().unwrap().unwrap().1.uint(1).unwrap(), u);
            prop_assert_eq!(r.next().unwrap().unwrap().1.sint(2).unwrap(), i);
            prop_assert_eq!(r.next().unwrap().unwrap().1.double(3).unwrap().to_bits(), d.to_bits());
            prop_assert_eq!(r.next().unwrap().unwrap().1.bytes(4).unwrap(), s.as_bytes());
            let mut back = Vec::new();
            if let Some((5, v)) = r.next().unwrap() {
                prop_assert!(v.uints(5, 99, &mut back).unwrap());
            }
            prop_assert_eq!(back, l);
        }

        #[test]
        fn any_bytes_end_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut r = Reader::new(&bytes);
            while let Ok(Some(_)) = r.next() {}
        }
    }
}

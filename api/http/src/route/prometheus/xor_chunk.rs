//! Prometheus' chunk of float samples (`tsdb/chunkenc/xor.go`): times as deltas of deltas, values as the bits in which they differ, after
//! Facebook's Gorilla. What remote read streams.

/// Samples of a chunk, as Prometheus fills them.
pub(crate) const CHUNK_SAMPLES: usize = 120;

/// One chunk: the number of samples in two bytes, then bits. At most 65,535 samples are taken.
pub(crate) fn encode(times: &[i64], values: &[f64]) -> Vec<u8> {
    let count = times.len().min(values.len()).min(usize::from(u16::MAX));
    let mut bits = Bits { bytes: Vec::with_capacity(16 + 4 * count), free: 0 };
    bits.bytes.extend_from_slice(&(count as u16).to_be_bytes());
    let mut window = None;
    let (mut time_before, mut delta_before, mut value_before) = (0_i64, 0_i64, 0_u64);
    for (i, (time, value)) in times.iter().zip(values).take(count).enumerate() {
        let delta = time.wrapping_sub(time_before);
        match i {
            0 => {
                // Zigzag, as Go's signed varints are.
                bits.varint(((*time << 1) ^ (*time >> 63)) as u64);
                bits.push(value.to_bits(), 64);
            }
            1 => {
                bits.varint(delta as u64);
                bits.value(value.to_bits() ^ value_before, &mut window);
            }
            _ => {
                bits.delta_of_delta(delta.wrapping_sub(delta_before));
                bits.value(value.to_bits() ^ value_before, &mut window);
            }
        }
        (time_before, value_before) = (*time, value.to_bits());
        delta_before = if i == 0 { 0 } else { delta };
    }
    bits.bytes
}

/// Bits, the highest of a byte first.
struct Bits {
    bytes: Vec<u8>,
    /// Unused bits of the last byte.
    free: u32,
}

impl Bits {
    /// The lowest `count` bits of a value.
    fn push(&mut self, value: u64, mut count: u32) {
        while count > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = count.min(self.free);
            let part = (value >> (count - taken)) & ((1_u64 << taken) - 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= (part as u8) << (self.free - taken);
            }
            (self.free, count) = (self.free - taken, count - taken);
        }
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        self.push(value, 8);
    }

    fn delta_of_delta(&mut self, change: i64) {
        // Each width holds one more above zero than below.
        let fits = |width: u32| -((1_i64 << (width - 1)) - 1) <= change && change <= 1_i64 << (width - 1);
        let (mark, marked, width) = match change {
            0 => (0b0, 1, 0),
            _ if fits(14) => (0b10, 2, 14),
            _ if fits(17) => (0b110, 3, 17),
            _ if fits(20) => (0b1110, 4, 20),
            _ => (0b1111, 4, 64),
        };
        self.push(mark, marked);
        self.push(change as u64, width);
    }

    /// The bits in which a value differs from the one before. `window` is where bits were written last: zeros before and behind.
    fn value(&mut self, changed: u64, window: &mut Option<(u32, u32)>) {
        if changed == 0 {
            return self.push(0, 1);
        }
        self.push(1, 1);
        // Five bits hold the zeros before.
        let (before, behind) = (changed.leading_zeros().min(31), changed.trailing_zeros());
        if let Some((before_last, behind_last)) = *window
            && before >= before_last
            && behind >= behind_last
        {
            self.push(0, 1);
            return self.push(changed >> behind_last, 64 - before_last - behind_last);
        }
        *window = Some((before, behind));
        let width = 64 - before - behind;
        self.push(1, 1);
        self.push(u64::from(before), 5);
        // 64 does not fit into six bits and is written as 0, which no width is.
        self.push(u64::from(width) & 63, 6);
        self.push(changed >> behind, width);
    }
}

/// A frame of a chunked answer: length, CRC-32C, message (Prometheus, `storage/remote/chunked.go`).
pub(crate) fn push_frame(out: &mut Vec<u8>, message: &[u8]) {
    let mut length = Bits { bytes: Vec::with_capacity(5), free: 0 };
    length.varint(message.len() as u64);
    out.extend_from_slice(&length.bytes);
    out.extend_from_slice(&crc32c::crc32c(message).to_be_bytes());
    out.extend_from_slice(message);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a chunk by what the format's description says, independently of the writer.
    fn decode(chunk: &[u8]) -> Vec<(i64, u64)> {
        let count = u16::from_be_bytes([chunk[0], chunk[1]]);
        let bits: Vec<u8> = chunk[2..].iter().flat_map(|b| (0..8).rev().map(move |i| b >> i & 1)).collect();
        let mut at = 0;
        let mut take = |n: usize| {
            let value = bits[at..at + n].iter().fold(0_u64, |v, b| v << 1 | u64::from(*b));
            at += n;
            value
        };
        let mut out = Vec::new();
        let (mut time, mut delta, mut value, mut window) = (0_i64, 0_i64, 0_u64, (0_u32, 0_u32));
        for i in 0..count {
            if i < 2 {
                let (mut number, mut shift) = (0_u64, 0);
                loop {
                    let byte = take(8);
                    number |= (byte & 0x7f) << shift;
                    shift += 7;
                    if byte & 0x80 == 0 {
                        break;
                    }
                }
                if i == 0 {
                    time = (number >> 1) as i64 ^ -((number & 1) as i64);
                    value = take(64);
                    out.push((time, value));
                    continue;
                }
                delta = number as i64;
            } else {
                let width = [14, 17, 20, 64].into_iter().take_while({
                    let mut ones = 0;
                    while ones < 4 && take(1) == 1 {
                        ones += 1;
                    }
                    let mut seen = 0;
                    move |_| {
                        seen += 1;
                        seen <= ones
                    }
                });
                if let Some(width) = width.last() {
                    let raw = take(width);
                    let limit = if width == 64 { u64::MAX } else { 1 << (width - 1) };
                    delta += if width < 64 && raw > limit { raw as i64 - (1 << width) } else { raw as i64 };
                }
            }
            time += delta;
            if take(1) == 1 {
                if take(1) == 1 {
                    let before = take(5) as u32;
                    let width = match take(6) as u32 {
                        0 => 64,
                        n => n,
                    };
                    window = (before, 64 - before - width);
                }
                value ^= take((64 - window.0 - window.1) as usize) << window.1;
            }
            out.push((time, value));
        }
        out
    }

    #[test]
    fn what_is_written_reads_back() {
        let start = 1_767_229_200_000_i64;
        let cases: [(Vec<i64>, Vec<f64>); 6] = [
            (vec![], vec![]),
            (vec![-5], vec![f64::NAN]),
            (vec![start, start + 15_000], vec![1.0, 1.0]),
            // Each width of deltas and its ends.
            (
                [0, 1, 8194, 8194, 3, 65_537, 131_073, 70_000, 524_289, 700_000, 1, i64::from(i32::MAX)]
                    .iter()
                    .scan(start, |t, d| {
                        *t += d;
                        Some(*t)
                    })
                    .collect(),
                vec![
                    0.0,
                    -0.0,
                    1.5,
                    f64::INFINITY,
                    f64::NEG_INFINITY,
                    1e300,
                    1e-300,
                    2.0,
                    3.0,
                    3.0,
                    f64::MAX,
                    f64::MIN,
                ],
            ),
            ((0..120).map(|i| start + i * 15_000).collect(), (0..120).map(|i| f64::from(i) * 0.1).collect()),
            ((0..300).map(|i| start + i * i).collect(), (0..300).map(|i| f64::from(i * 7919 % 101).sqrt()).collect()),
        ];
        for (times, values) in cases {
            let wanted: Vec<(i64, u64)> = times.iter().copied().zip(values.iter().map(|v| v.to_bits())).collect();
            assert_eq!(decode(&encode(&times, &values)), wanted);
        }
        let mut frame = Vec::new();
        push_frame(&mut frame, b"123456789");
        assert_eq!(frame, [&[9, 0xe3, 0x06, 0x92, 0x83], b"123456789".as_slice()].concat());
    }
}

//! Lists of ascending numbers below a known bound, as the bits of their gaps (Rice's code): near what information theory asks for, from a
//! word of one block to one of all. Bits fill bytes from the lowest up.

/// Bits of a gap that are written as they are; the rest in unary. About the best for numbers spread at random.
fn plain_bits(count: usize, bound: usize) -> u32 {
    // 11/16 is about the logarithm of 2.
    (bound * 11 / 16 / count.max(1)).max(1).ilog2()
}

/// Appends a list. With `bound` and its length it can be read back.
pub(super) fn append(numbers: impl ExactSizeIterator<Item = u16>, bound: usize, out: &mut Vec<u8>) {
    let plain = plain_bits(numbers.len(), bound);
    let (mut bits, mut filled) = (0_u64, 0_u32);
    let mut put = |value: u64, mut length: u32| {
        // At most 7 bits are left over and 56 fit beside them.
        bits |= value << filled;
        length += filled;
        while length >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            length -= 8;
        }
        filled = length;
    };
    let mut next = 0;
    for number in numbers {
        let gap = u64::from(number) - next;
        next = u64::from(number) + 1;
        let mut zeros = gap >> plain;
        while zeros >= 32 {
            put(0, 32);
            zeros -= 32;
        }
        put(1 << zeros, zeros as u32 + 1);
        put(gap & ((1 << plain) - 1), plain);
    }
    // The last bits, filled up with zeros.
    put(0, 7);
}

/// Calls `each` with the numbers of a list of `count` below `bound`; false if `list` is none.
#[must_use]
pub(super) fn each(list: &[u8], count: usize, bound: usize, mut each: impl FnMut(usize)) -> bool {
    let plain = plain_bits(count, bound);
    let mut reader = Bits { list, bits: 0, filled: 0 };
    let mut next = 0;
    for _ in 0..count {
        let Some(zeros) = reader.unary() else { return false };
        let Some(rest) = reader.plain(plain) else { return false };
        let number = next + (zeros << plain) + rest;
        if number >= bound {
            return false;
        }
        each(number);
        next = number + 1;
    }
    true
}

struct Bits<'a> {
    list: &'a [u8],
    bits: u64,
    filled: u32,
}

impl Bits<'_> {
    /// Takes up bytes while there are some and room for them.
    fn fill(&mut self) {
        while self.filled <= 56
            && let Some((byte, rest)) = self.list.split_first()
        {
            self.bits |= u64::from(*byte) << self.filled;
            self.filled += 8;
            self.list = rest;
        }
    }

    /// Zeros up to the next one, which is taken too.
    fn unary(&mut self) -> Option<usize> {
        let mut zeros = 0;
        loop {
            self.fill();
            if self.filled == 0 {
                return None;
            }
            let here = self.bits.trailing_zeros().min(self.filled);
            zeros += here as usize;
            if here < self.filled {
                self.skip(here + 1);
                return Some(zeros);
            }
            self.skip(here);
        }
    }

    fn plain(&mut self, length: u32) -> Option<usize> {
        if self.filled < length {
            self.fill();
        }
        let value = self.bits & ((1 << length) - 1);
        (self.filled >= length).then(|| self.skip(length))?;
        Some(value as usize)
    }

    fn skip(&mut self, length: u32) {
        self.bits = self.bits.checked_shr(length).unwrap_or(0);
        self.filled -= length;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    fn check(numbers: &[u16], bound: usize) -> usize {
        let mut bytes = vec![7];
        append(numbers.iter().copied(), bound, &mut bytes);
        let mut read = Vec::new();
        assert!(each(&bytes[1..], numbers.len(), bound, |n| read.push(n as u16)));
        assert_eq!(read, numbers);
        bytes.len() - 1
    }

    #[test]
    fn lists_are_short() {
        let all: Vec<u16> = (0..8000).collect();
        assert_eq!(check(&all, 8000), 1000);
        assert!(check(&all.iter().copied().filter(|n| n % 16 == 3).collect::<Vec<_>>(), 8000) < 400);
        assert_eq!(check(&[4321], 8000), 2);
        check(&[], 0);
        check(&[0, u16::MAX], 1 << 16);
        check(&(60_000..=u16::MAX).collect::<Vec<_>>(), 1 << 16);
    }

    proptest! {
        #[test]
        fn lists_read_back(numbers in prop::collection::btree_set(0..5000_u16, 0..300), more in 0..60_000_usize) {
            let numbers: Vec<u16> = numbers.into_iter().collect();
            check(&numbers, 5000 + more);
        }

        #[test]
        fn what_is_no_list_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..60), count in 0..500_usize, bound in 0..70_000_usize) {
            let mut seen = BTreeSet::new();
            let whole = each(&bytes, count, bound, |n| {
                assert!(n < bound);
                seen.insert(n);
            });
            prop_assert!(!whole || seen.len() == count);
        }
    }
}

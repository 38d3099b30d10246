//! Bloom filters: whether a group of blocks may hold a token.

/// Bits per distinct token. With [`PROBES`] about 1 in 170 groups is named in vain.
const BITS_PER_TOKEN: u64 = 11;
/// Bits that each token sets.
const PROBES: u32 = 7;

/// The hash of a token in filters; part of the format.
pub(super) fn hash(token: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(token)
}

/// Appends a filter that holds `hashes`, which are distinct; none of none. It takes a multiple of 8 bytes.
pub(super) fn append(hashes: &[u64], bits: &mut Vec<u64>, out: &mut Vec<u8>) {
    let words = (hashes.len() as u64 * BITS_PER_TOKEN).div_ceil(64).min(u64::from(u32::MAX) / 64);
    bits.clear();
    bits.resize(words as usize, 0);
    for hash in hashes {
        for bit in probes(*hash, words * 64) {
            bits[bit / 64] |= 1 << (bit % 64);
        }
    }
    out.extend(bits.iter().flat_map(|word| word.to_le_bytes()));
}

/// Whether a filter may hold a token.
pub(super) fn holds(filter: &[u8], hash: u64) -> bool {
    !filter.is_empty() && probes(hash, filter.len() as u64 * 8).all(|bit| (filter[bit / 8] >> (bit % 8)) & 1 == 1)
}

/// The bits of a token among `bits`, which is less than 2^32.
fn probes(hash: u64, bits: u64) -> impl Iterator<Item = usize> {
    let (start, step) = (hash as u32, (hash >> 32) as u32 | 1);
    (0..PROBES).map(move |i| ((u64::from(start.wrapping_add(i.wrapping_mul(step))) * bits) >> 32) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_hold_theirs_and_few_others() {
        for n in [0_u32, 1, 2, 100, 5000] {
            let hashes: Vec<u64> = (0..n).map(|i| hash(format!("id{i}").as_bytes())).collect();
            let mut filter = Vec::new();
            append(&hashes, &mut Vec::new(), &mut filter);
            assert!(hashes.iter().all(|h| holds(&filter, *h)));
            let wrong = (0..20_000).filter(|i| holds(&filter, hash(format!("other{i}").as_bytes()))).count();
            assert!(wrong == 0 || n > 0 && (n < 100 || wrong < 200), "{n}: {wrong} of 20,000");
        }
    }
}

//! Ids that say the same for the same thing, so that decisions of people find it again.

use xxhash_rust::xxh3::xxh3_64;

/// Sixteen hexadecimal digits of the parts, in order.
pub fn stable_id(parts: &[&str]) -> String {
    // A separator that no part contains keeps ("ab", "c") and ("a", "bc") apart.
    format!("{:016x}", xxh3_64(parts.join("\u{1f}").as_bytes()))
}

//! How long to wait before a call is made again, and how many calls may be made at all. Both are pure: time and seed are inputs.

use grid_model::Timestamp;
use grid_model::time::SECOND_NS;

use crate::limits::{TRIES_MAX, WAIT_NS_MAX, WAIT_NS_MIN};

/// Waits that double, each drawn evenly from nothing to its bound ("full jitter"), so that many who failed together do not come again together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    seed: u64,
    tries: u32,
}

impl Backoff {
    /// For one call.
    pub fn new(seed: u64) -> Self {
        Self { seed, tries: 0 }
    }

    /// How long to wait before the next try, in nanoseconds; `None` if there is none. What the cloud asks for is a lower bound.
    pub fn next(&mut self, asked_ns: Option<i64>) -> Option<i64> {
        self.tries += 1;
        if self.tries >= TRIES_MAX {
            return None;
        }
        let most = WAIT_NS_MIN.saturating_mul(1 << self.tries.min(30)).min(WAIT_NS_MAX);
        self.seed = mixed(self.seed);
        let drawn = ((u128::from(self.seed) * most as u128) >> 64) as i64;
        Some(asked_ns.unwrap_or(0).clamp(0, WAIT_NS_MAX).max(drawn))
    }
}

/// The next state of a sequence of numbers that look random (SplitMix64, Steele, Lea and Flood, 2014).
pub(crate) fn mixed(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A bucket of calls that fills at an even rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds per call.
    every_ns: i64,
    /// Calls that may be made at once after a pause.
    burst: i64,
    /// When the bucket would be full, if nothing is taken.
    full_at: Timestamp,
}

impl Rate {
    /// So many calls a second (at least one in a thousand seconds), and so many at once.
    pub fn new(per_second: f64, burst: u32) -> Self {
        let per_second = if per_second.is_finite() { per_second.clamp(0.001, 1e6) } else { 1.0 };
        Self {
            every_ns: (SECOND_NS as f64 / per_second) as i64,
            burst: i64::from(burst.max(1)),
            full_at: Timestamp::MIN,
        }
    }

    /// Takes one call; how long to wait before it is made, in nanoseconds.
    pub fn take(&mut self, now: Timestamp) -> i64 {
        let full_at = self.full_at.max(now).saturating_add(self.every_ns);
        self.full_at = full_at;
        full_at.0.saturating_sub(now.0).saturating_sub(self.burst * self.every_ns).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_bounded_and_end() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed);
            let waits: Vec<i64> = std::iter::from_fn(|| backoff.next(None)).collect();
            assert_eq!(waits.len(), TRIES_MAX as usize - 1);
            for (n, wait) in waits.iter().enumerate() {
                assert!((0..=WAIT_NS_MAX.min(WAIT_NS_MIN << (n + 1))).contains(wait));
            }
        }
        assert!(Backoff::new(1).next(Some(100 * SECOND_NS)).is_some_and(|w| w >= 100 * SECOND_NS));
        assert_ne!(Backoff::new(1).next(None), Backoff::new(2).next(None));
    }

    #[test]
    fn calls_are_spread() {
        let mut rate = Rate::new(2.0, 3);
        let waits: Vec<i64> = (0..5).map(|_| rate.take(Timestamp(0)) / 1_000_000).collect();
        assert_eq!(waits, [0, 0, 0, 500, 1000]);
        assert_eq!(rate.take(Timestamp(100 * SECOND_NS)), 0);
    }
}

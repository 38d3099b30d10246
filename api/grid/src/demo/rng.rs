//! Randomness that is the same on every machine and in every version: SplitMix64, and no function of the platform's
//! libm (only additions, products, divisions and square roots, which IEEE 754 defines to the last bit).

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection that scatters neighbours.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A key for one purpose, so that purposes do not share a sequence.
pub(crate) fn key(seed: u64, purpose: &str, n: u64) -> u64 {
    let text =
        purpose.bytes().fold(0xCBF2_9CE4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3));
    mix(mix(seed ^ text).wrapping_add(n.wrapping_mul(GOLDEN)))
}

/// Noise of about mean 0 and deviation 1 (a sum of four uniforms, so within +-3.5), a pure function of key and step.
pub(crate) fn noise(key: u64, step: usize) -> f64 {
    let z = mix(key ^ (step as u64).wrapping_mul(GOLDEN));
    let sum = (z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48);
    (sum as f64 - 131_070.0) / 37_837.0
}

/// A sequence of random numbers.
pub(crate) struct Rng(u64);

impl Rng {
    /// The sequence of one purpose.
    pub(crate) fn new(seed: u64, purpose: &str, n: u64) -> Self {
        Self(key(seed, purpose, n))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// A number of a closed range.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// A number of `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number of `[low, high)`.
    pub(crate) fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// An element; the slice must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// A count whose mean is `mean`.
    pub(crate) fn count(&mut self, mean: f64) -> usize {
        (mean + self.unit()) as usize
    }

    /// Digits from an alphabet.
    pub(crate) fn word(&mut self, alphabet: &[u8], len: usize) -> String {
        (0..len).map(|_| char::from(*self.pick(alphabet))).collect()
    }

    /// Lower-case hexadecimal digits.
    pub(crate) fn hex(&mut self, len: usize) -> String {
        self.word(b"0123456789abcdef", len)
    }

    /// Letters and digits as Kubernetes uses them in generated names.
    pub(crate) fn suffix(&mut self, len: usize) -> String {
        self.word(b"bcdfghjklmnpqrstvwxz2456789", len)
    }

    /// A lower-case UUID of version 4.
    pub(crate) fn uuid(&mut self) -> String {
        let variant = self.word(b"89ab", 1);
        format!("{}-{}-4{}-{variant}{}-{}", self.hex(8), self.hex(4), self.hex(3), self.hex(3), self.hex(12))
    }

    /// A duration of the log-logistic distribution of shape 4 with the given median: a long tail (p99 = 3.15 medians)
    /// whose distribution function needs no logarithm.
    pub(crate) fn latency(&mut self, median: f64) -> f64 {
        let u = self.unit().clamp(0.001, 0.999);
        median * (u / (1.0 - u)).sqrt().sqrt()
    }
}

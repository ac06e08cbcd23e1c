//! Chance that is the same in every run and on every machine.

/// `SplitMix64` (Steele et al., "Fast splittable pseudorandom number generators", 2014). A crate's generator may
/// change with its version, and all figures with it.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Above 0 and at most 1.
    #[expect(clippy::cast_precision_loss, reason = "the upper 53 bits fit")]
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Exponentially distributed around 1.
    fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    /// Around 1 with a standard deviation of 0.7: some files are small, few are large.
    pub(crate) fn service(&mut self) -> f64 {
        f64::midpoint(self.exponential(), self.exponential())
    }

    /// How many come where so many are expected (Poisson, by Knuth's product).
    pub(crate) fn count(&mut self, expected: f64) -> u32 {
        let mut left = expected;
        let mut count = 0;
        loop {
            left -= self.exponential();
            if left < 0.0 {
                return count;
            }
            count += 1;
        }
    }
}

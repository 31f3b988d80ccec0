//! Random numbers for choosing targets: seeded, so that every run does the same, and cheap.

/// A xorshift generator. Its numbers are for spreading messages, not for keeping secrets.
#[derive(Debug, Clone)]
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    /// A generator whose sequence `seed` decides.
    pub(super) const fn new(seed: u64) -> Self {
        // The multiplication tells small seeds apart; zero would stay zero for ever.
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// A number below `bound`, each about as likely as the other; zero if the bound is zero.
    pub(super) const fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        // The upper half of a product maps the whole range evenly without a division.
        ((self.state as u128 * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_numbers_below_the_bound_come_about_as_often() {
        let mut dice = Dice::new(7);
        let mut seen = [0_u32; 10];
        for _ in 0..100_000 {
            seen[dice.below(10)] += 1;
        }
        assert!(seen.iter().all(|&count| (9_500..10_500).contains(&count)), "{seen:?}");
    }

    #[test]
    fn a_seed_decides_the_sequence() {
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            (0..8).map(|_| dice.below(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}

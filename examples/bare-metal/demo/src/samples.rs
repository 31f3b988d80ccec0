//! The converter that stands in for hardware, and what all of its samples come to.
//!
//! Its readings are a pure function of their number, so what the actors compute from messages can be compared with
//! what a plain loop computes here.

/// Samples in the whole run.
pub const SAMPLES: u32 = 1_000;

/// A converter of twelve bits; yields each of its [`SAMPLES`] readings once.
#[derive(Clone, Debug, Default)]
pub struct Converter {
    taken: u32,
}

impl Iterator for Converter {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.taken == SAMPLES {
            return None;
        }
        self.taken += 1;
        // The mixing step of splitmix32: successive numbers give readings that look unrelated.
        let mut z = self.taken.wrapping_mul(0x9E37_79B9);
        z = (z ^ (z >> 16)).wrapping_mul(0x21F0_AAAD);
        z = (z ^ (z >> 15)).wrapping_mul(0x735A_2D97);
        Some(((z ^ (z >> 15)) >> 20) as u16)
    }
}

/// What a row of samples comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many.
    pub count: u32,
    /// All of them together.
    pub sum: u64,
    /// The smallest, or the largest possible value if there is none.
    pub least: u16,
    /// The largest, or zero if there is none.
    pub most: u16,
    /// A value that depends on each sample and on its place in the row.
    pub order: u32,
}

impl Summary {
    /// Of no samples.
    pub const EMPTY: Summary = Summary { count: 0, sum: 0, least: u16::MAX, most: 0, order: 0 };

    /// Adds one sample at the end of the row.
    pub fn add(&mut self, sample: u16) {
        self.count += 1;
        self.sum += u64::from(sample);
        self.least = self.least.min(sample);
        self.most = self.most.max(sample);
        self.order = self.order.wrapping_mul(31).wrapping_add(u32::from(sample));
    }

    /// Adds the row of `later` at the end of this one.
    pub fn append(&mut self, later: Summary) {
        self.count += later.count;
        self.sum += later.sum;
        self.least = self.least.min(later.least);
        self.most = self.most.max(later.most);
        self.order = self.order.wrapping_mul(31u32.wrapping_pow(later.count)).wrapping_add(later.order);
    }

    /// Of all samples of the converter, computed without any message.
    pub fn expected() -> Summary {
        let mut all = Summary::EMPTY;
        Converter::default().for_each(|sample| all.add(sample));
        all
    }
}

//! Placement: on which shard a new actor lives.

use std::hash::{Hash, Hasher};

use crate::shared::Shared;

/// On which shard to spawn; by what, [one table](crate#which-way-to-spawn) says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum On {
    /// This one.
    Shard(usize),
    /// One after the other, but for shards that are lost.
    Spread,
    /// The one with the fewest actors, of those that are not lost.
    LeastLoaded,
    /// The one that a key belongs to, always the same for the same number of shards, lost or not; see [`On::key`].
    Key(u64),
}

impl On {
    /// The shard that `key` belongs to. Equal keys give equal shards in every process and on every machine of one byte
    /// order, as long as the number of shards is the same.
    pub fn key(key: impl Hash) -> On {
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        key.hash(&mut hasher);
        On::Key(hasher.finish())
    }

    /// The number of the shard, of `shards`, that a key's hash belongs to.
    pub(crate) fn shard_of(hash: u64, shards: usize) -> usize {
        // The high half of a product spreads evenly over any number (Lemire, 2019).
        ((u128::from(hash) * shards as u128) >> 64) as usize
    }

    /// Whether it names a shard of so many, or none in particular.
    pub(crate) fn exists_among(self, shards: usize) -> bool {
        !matches!(self, On::Shard(shard) if shard >= shards)
    }

    pub(crate) fn choose(self, shared: &Shared) -> usize {
        match self {
            On::Shard(shard) => shard,
            On::Spread => shared.next_in_turn(),
            On::LeastLoaded => shared.least_loaded(),
            On::Key(hash) => On::shard_of(hash, shared.posts.len()),
        }
    }
}

/// FNV-1a (Fowler, Noll, Vo), with a last mixing step (that of `SplitMix64`, Steele et al.) since its high bits are weak.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_spread_evenly_and_stay_where_they_are() {
        let mut counts = [0u32; 7];
        for key in 0..7000u64 {
            let On::Key(hash) = On::key(key) else { unreachable!() };
            counts[On::shard_of(hash, 7)] += 1;
            assert_eq!(On::key(key), On::key(key));
        }
        assert!(counts.iter().all(|n| (850..1150).contains(n)), "{counts:?}");
    }

    #[test]
    fn the_hash_of_a_key_never_changes() {
        assert_eq!(On::key(42u64), On::Key(16_239_707_572_940_805_204));
    }
}

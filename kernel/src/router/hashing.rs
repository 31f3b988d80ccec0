//! Consistent hashing: the same key goes to the same routee, and few keys move when routees join or leave.
//!
//! Rendezvous hashing, also called highest random weight (Thaler and Ravishankar, 1998): key and routee are hashed
//! together, and the routee with the highest hash has the key. Who leaves gives up its own keys and no others, to all
//! that stay in equal parts; who joins takes an equal part from each. It asks for no memory, so that it has no
//! ring to keep, and it is even without virtual nodes: a ring of hashes (Karger et al., 1997) with ten of them a routee
//! gives some routees twice as much as others. It costs two multiplications for each routee, about two nanoseconds.
//! With hundreds of routees a ring would be cheaper; a router has tens.
//!
//! Nothing depends on the order of the routees, nor on the sender: senders that know the same routees agree, on whatever
//! core, and in whatever run.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::hint::select_unpredictable;

use super::strategy::{Routee, Strategy};

/// 2⁶⁴ divided by the golden ratio: what SplitMix64 counts by.
pub(super) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finishing step of SplitMix64 (Steele, Lea and Flood, 2014): a bijection in which each bit depends on all.
#[inline(always)]
pub(super) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Hashes keys alike in every run and on every machine, whatever its word size and byte order. (Only slices of integers
/// hash as they lie in memory.)
///
/// It is no secret, so who chooses keys can choose which routee they burden. Costs two multiplications for each eight
/// bytes.
#[derive(Clone, Debug)]
pub struct KeyHasher {
    state: u64,
}

impl KeyHasher {
    /// One that has seen nothing.
    pub const fn new() -> KeyHasher {
        KeyHasher { state: 0 }
    }

    /// What a key hashes to.
    pub fn hash_of(key: &(impl Hash + ?Sized)) -> u64 {
        let mut state = KeyHasher::new();
        key.hash(&mut state);
        state.finish()
    }
}

impl Default for KeyHasher {
    fn default() -> Self {
        KeyHasher::new()
    }
}

impl Hasher for KeyHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        // The length, besides the bytes that are left.
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        last[7] = rest.len() as u8;
        self.write_u64(u64::from_le_bytes(last));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.state = mix((self.state ^ word).wrapping_add(GOLDEN));
    }

    #[inline]
    fn write_u8(&mut self, n: u8) {
        self.write_u64(n.into());
    }
    #[inline]
    fn write_u16(&mut self, n: u16) {
        self.write_u64(n.into());
    }
    #[inline]
    fn write_u32(&mut self, n: u32) {
        self.write_u64(n.into());
    }
    #[inline]
    fn write_u128(&mut self, n: u128) {
        self.write_u64(n as u64);
        self.write_u64((n >> 64) as u64);
    }
    #[inline]
    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
    // The signed ones are written as their unsigned counterparts, but this, which a wider word would fill with its sign.
    #[inline]
    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as i64 as u64);
    }
}

/// A message that holds the key by which it is routed.
///
/// ```
/// use std::hash::{Hash, Hasher};
/// use corelane_kernel::router::{HashKey, KeyHasher};
///
/// struct Payment { account: String, cents: u64 }
///
/// impl HashKey for Payment {
///     fn hash_key(&self, state: &mut KeyHasher) {
///         self.account.hash(state);
///     }
/// }
/// ```
pub trait HashKey {
    /// Hashes the key, and nothing else of the message.
    fn hash_key(&self, state: &mut KeyHasher);
}

/// Finds the key in a message of type `M`. Any function of the message that gives something to hash is one.
pub trait KeyOf<M> {
    /// Hashes the key of `message`.
    fn hash_key(&self, message: &M, state: &mut KeyHasher);
}

impl<M, K: Hash, F: Fn(&M) -> K> KeyOf<M> for F {
    fn hash_key(&self, message: &M, state: &mut KeyHasher) {
        self(message).hash(state);
    }
}

/// Takes the key that a message itself names: see [`HashKey`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByMessage;

impl<M: HashKey> KeyOf<M> for ByMessage {
    fn hash_key(&self, message: &M, state: &mut KeyHasher) {
        message.hash_key(state);
    }
}

/// Picks the same routee for the same key, by rendezvous hashing (Thaler and Ravishankar, 1998).
///
/// The key comes with the message ([`ConsistentHash::new`]), from a function of the message ([`ConsistentHash::by`]), or
/// beside it ([`Router::pick_for_key`](super::Router::pick_for_key)). When a routee leaves, its keys move to the others
/// and no other key moves; when one joins, keys move to it and to nobody else.
///
/// ```
/// use corelane_kernel::router::{ConsistentHash, Router};
///
/// struct Reading { sensor: u32, degrees: f32 }
///
/// // The type of a function that captures nothing can be written down, so an actor can have such a router.
/// type BySensor = ConsistentHash<fn(&Reading) -> u32>;
/// let router: Router<Reading, BySensor> = Router::new(ConsistentHash::by(|reading: &Reading| reading.sensor));
/// # assert!(router.is_empty());
/// # let _ = Reading { sensor: 1, degrees: 2.0 }.degrees;
/// ```
#[derive(Clone, Copy, Default)]
pub struct ConsistentHash<K = ByMessage> {
    key: K,
}

impl ConsistentHash {
    /// By the key that the message itself names.
    pub const fn new() -> ConsistentHash {
        ConsistentHash { key: ByMessage }
    }
}

impl<M, Key> ConsistentHash<fn(&M) -> Key> {
    /// By the key that a function finds in the message.
    pub const fn by(key: fn(&M) -> Key) -> ConsistentHash<fn(&M) -> Key> {
        ConsistentHash { key }
    }
}

impl<K> ConsistentHash<K> {
    /// By the key that this finds in the message.
    pub const fn with(key: K) -> ConsistentHash<K> {
        ConsistentHash { key }
    }

    /// The index of the routee that has a key; `None` if there are none.
    pub fn keeper<M>(routees: &[Routee<M>], key: &(impl Hash + ?Sized)) -> Option<usize> {
        keeper(routees, KeyHasher::hash_of(key))
    }
}

/// The index of the routee with the highest weight for the hash of a key.
#[inline]
pub(super) fn keeper<M>(routees: &[Routee<M>], key: u64) -> Option<usize> {
    let (mut heaviest, mut keeper) = (0, 0);
    for (at, routee) in routees.iter().enumerate() {
        // A bijection: no two routees weigh the same unless they are known by one number, so the order decides nothing.
        let weight = mix(key ^ routee.id());
        // Which one is heavier is as good as random: a branch on it would be mispredicted two or three times a key.
        keeper = select_unpredictable(weight >= heaviest, at, keeper);
        heaviest = heaviest.max(weight);
    }
    (!routees.is_empty()).then_some(keeper)
}

impl<M, K: KeyOf<M>> Strategy<M> for ConsistentHash<K> {
    #[inline]
    fn pick(&mut self, routees: &[Routee<M>], message: &M) -> Option<usize> {
        let mut state = KeyHasher::new();
        self.key.hash_key(message, &mut state);
        keeper(routees, state.finish())
    }
}

impl<K> fmt::Debug for ConsistentHash<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConsistentHash<{}>", core::any::type_name::<K>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::ActorRef;
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
    use std::collections::BTreeSet;
    use std::vec::Vec;

    const KEYS: u64 = 400;

    fn named(names: impl IntoIterator<Item = u16>) -> Vec<Routee<u64>> {
        names.into_iter().map(|name| Routee::named(ActorRef::nobody(), &name)).collect()
    }

    /// The number of the routee that has each key.
    fn keepers(routees: &[Routee<u64>]) -> Vec<u64> {
        let mut hash = ConsistentHash::with(|key: &u64| *key);
        let keeper = |key| routees[hash.pick(routees, &key).expect("there are some")].id();
        (0..KEYS).map(keeper).collect()
    }

    proptest! {
        /// Conformance 29.
        #[test]
        fn the_same_key_has_the_same_routee_in_whatever_order_they_stand(
            names in prop::collection::btree_set(any::<u16>(), 1..24),
            seed: u64,
        ) {
            let row = named(names);
            let mut shuffled = row.clone();
            let mut random = crate::router::Random::seeded(seed);
            for at in (1..shuffled.len()).rev() {
                shuffled.swap(at, random.any_below(at + 1).expect("there are some"));
            }
            prop_assert_eq!(keepers(&row), keepers(&shuffled));
            prop_assert_eq!(keepers(&row), keepers(&row));
        }

        /// Conformance 29.
        #[test]
        fn only_the_keys_of_who_joins_or_leaves_move(
            names in prop::collection::btree_set(any::<u16>(), 2..24),
            other: prop::sample::Index,
        ) {
            let with: Vec<u16> = names.iter().copied().collect();
            let who = with[other.index(with.len())];
            let without: BTreeSet<u16> = names.iter().copied().filter(|name| *name != who).collect();
            let who = named([who])[0].id();
            let (more, fewer) = (keepers(&named(with)), keepers(&named(without)));
            for (more, fewer) in more.into_iter().zip(fewer) {
                // Read forwards, somebody leaves; read backwards, somebody joins.
                prop_assert!(more == fewer || more == who);
                prop_assert!(fewer != who);
            }
        }
    }

    /// Within what chance would do: the share of each, of 20,000 keys, strays by less than five standard deviations.
    #[test]
    fn keys_are_spread_evenly() {
        for count in [2, 3, 10, 16, 64] {
            let row = named(0..count);
            let keys = 20_000u64;
            let mut held = std::vec![0u64; count.into()];
            for key in 0..keys {
                held[ConsistentHash::<ByMessage>::keeper(&row, &key).expect("there are some")] += 1;
            }
            let (expected, most) = (keys as f64 / f64::from(count), held.iter().max().expect("some"));
            let deviation = (expected * (1.0 - 1.0 / f64::from(count))).sqrt();
            for held in &held {
                assert!((*held as f64 - expected).abs() < 5.0 * deviation, "{held} of {expected}; {most}");
            }
        }
    }

    /// Pinned: another run, machine or version that hashes otherwise would send keys elsewhere.
    #[test]
    fn hashes_stay_what_they_are() {
        assert_eq!(KeyHasher::hash_of(&7u64), 0x63cb_e1e4_5932_0dd7);
        assert_eq!(KeyHasher::hash_of(&-7isize), KeyHasher::hash_of(&-7i64));
        assert_eq!(KeyHasher::hash_of(&7usize), KeyHasher::hash_of(&7u64));
        assert_eq!(KeyHasher::hash_of("a key of more than eight bytes"), 0x471e_4584_cb42_1f28);
        let lengths: BTreeSet<u64> = (0..20).map(|len| KeyHasher::hash_of(&std::vec![0u8; len])).collect();
        assert_eq!(lengths.len(), 20);
    }

    #[test]
    fn two_under_one_number_leave_no_key_without_a_keeper() {
        let twins = [Routee::<u64>::new(ActorRef::nobody()); 2];
        assert!(keeper(&twins, 3).is_some());
        assert_eq!(keeper::<u64>(&[], 3), None);
    }
}

//! What the tests of this folder share: a world whose clock only the test moves, actors that do as they are told, a
//! log of what happened, and a census of values that must be dropped exactly once.

#![allow(dead_code, unused_imports)]

pub(crate) mod family;

mod census;
mod puppet;
mod realm;
mod world;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use self::census::{Census, Token, Undertaker};
pub(crate) use self::puppet::{Deed, Log, Order, Puppet, attempt, order, why};
pub(crate) use self::realm::{Realm, SIGNAL_WORDS, lane_of};
pub(crate) use self::world::{World, memory, region, text_of};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Steele, Lea and Flood's SplitMix64: numbers from a seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

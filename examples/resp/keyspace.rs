//! The keys of one shard: strings with an end, if they have one.
//!
//! Which keys meet in the table cannot be known beforehand: their hash has a seed that is drawn when it is made.
//!
//! It knows no clock: each call is told what time it is. A key whose time is over is gone for every call at once; its
//! memory is given back by [`Keyspace::sweep`], which its shard calls now and then.

use std::cmp::Reverse;
use std::collections::hash_map::Entry as Slot;
use std::collections::{BinaryHeap, HashMap};

use foldhash::fast::RandomState;

use crate::protocol::integer;
use crate::reply::Digits;

/// Milliseconds since 1970.
pub(crate) type Millis = u64;

const NEVER: Millis = Millis::MAX;

struct Entry {
    value: Box<[u8]>,
    ends: Millis,
}

/// When a key that is set will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    Never,
    /// As it would have without this.
    AsBefore,
    At(Millis),
}

/// Whether a key is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unless {
    Always,
    /// Only if it is there.
    Missing,
    /// Only if it is not.
    There,
}

/// How long a key has still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    NoKey,
    Endless,
    For(Millis),
}

/// Why a number was not added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddError {
    NoInteger,
    Overflow,
}

#[derive(Default)]
pub(crate) struct Keyspace {
    entries: HashMap<Box<[u8]>, Entry, RandomState>,
    /// When which key was to end; those that were given another end since stay here until then.
    ends: BinaryHeap<Reverse<(Millis, Box<[u8]>)>>,
    /// Keys that have an end.
    ending: usize,
}

impl Keyspace {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn ending(&self) -> usize {
        self.ending
    }

    pub(crate) fn get(&self, key: &[u8], now: Millis) -> Option<&[u8]> {
        self.entries.get(key).filter(|entry| entry.ends > now).map(|entry| &*entry.value)
    }

    /// Sets a key. Says whether it was set; what it was before is shown to `before`.
    pub(crate) fn set(
        &mut self,
        key: &[u8],
        value: &[u8],
        (ends, unless): (Ends, Unless),
        now: Millis,
        before: impl FnOnce(Option<&[u8]>),
    ) -> bool {
        // Without a copy of the key where it is there, which is the rule.
        if let Some(entry) = self.entries.get_mut(key) {
            let there = entry.ends > now;
            before(there.then_some(&entry.value));
            match unless {
                Unless::There if there => return false,
                Unless::Missing if !there => return false,
                _ => {}
            }
            if entry.value.len() == value.len() {
                entry.value.copy_from_slice(value);
            } else {
                entry.value = value.into();
            }
            let was = entry.ends;
            entry.ends = match ends {
                Ends::Never => NEVER,
                Ends::AsBefore if there => was,
                Ends::AsBefore => NEVER,
                Ends::At(at) => at,
            };
            let is = entry.ends;
            self.note_end(key, was, is);
            return true;
        }
        before(None);
        if unless == Unless::Missing {
            return false;
        }
        let ends = if let Ends::At(at) = ends { at } else { NEVER };
        self.entries.insert(key.into(), Entry { value: value.into(), ends });
        self.note_end(key, NEVER, ends);
        true
    }

    /// Says whether there was such a key.
    pub(crate) fn delete(&mut self, key: &[u8], now: Millis) -> bool {
        let Some(entry) = self.entries.remove(key) else { return false };
        self.ending -= usize::from(entry.ends != NEVER);
        entry.ends > now
    }

    pub(crate) fn has(&self, key: &[u8], now: Millis) -> bool {
        self.get(key, now).is_some()
    }

    /// Adds to a number; a key that is not there is zero.
    pub(crate) fn add(&mut self, key: &[u8], n: i64, now: Millis) -> Result<i64, AddError> {
        let before = match self.get(key, now) {
            Some(value) => integer(value).ok_or(AddError::NoInteger)?,
            None => 0,
        };
        let sum = before.checked_add(n).ok_or(AddError::Overflow)?;
        let mut digits = Digits::new();
        self.set(key, digits.of(sum), (Ends::AsBefore, Unless::Always), now, |_| ());
        Ok(sum)
    }

    /// Gives a key an end, or takes it away; one that is past deletes it. Says whether there was such a key.
    pub(crate) fn expire(&mut self, key: &[u8], ends: Ends, now: Millis) -> bool {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.ends > now) else { return false };
        let was = entry.ends;
        match ends {
            Ends::AsBefore => return true,
            Ends::Never => entry.ends = NEVER,
            Ends::At(at) if at <= now => return self.delete(key, now),
            Ends::At(at) => entry.ends = at,
        }
        let is = entry.ends;
        self.note_end(key, was, is);
        true
    }

    pub(crate) fn left(&self, key: &[u8], now: Millis) -> Left {
        match self.entries.get(key).map(|entry| entry.ends) {
            Some(NEVER) => Left::Endless,
            Some(ends) if ends > now => Left::For(ends - now),
            _ => Left::NoKey,
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Keyspace::default();
    }

    /// Gives back the memory of up to `most` keys whose time is over. Says whether there may be more.
    pub(crate) fn sweep(&mut self, most: usize, now: Millis) -> bool {
        for _ in 0..most {
            match self.ends.peek() {
                Some(Reverse((at, _))) if *at <= now => {}
                _ => return false,
            }
            let Some(Reverse((at, key))) = self.ends.pop() else { return false };
            // It may have another end by now.
            if let Slot::Occupied(entry) = self.entries.entry(key)
                && entry.get().ends == at
            {
                entry.remove();
                self.ending -= 1;
            }
        }
        true
    }

    fn note_end(&mut self, key: &[u8], was: Millis, is: Millis) {
        self.ending = self.ending + usize::from(is != NEVER) - usize::from(was != NEVER);
        if is == NEVER || is == was {
            return;
        }
        self.ends.push(Reverse((is, key.into())));
        // Ends that no longer hold make up half of it at the most.
        if self.ends.len() > 2 * self.ending + 64 {
            let entries = &self.entries;
            self.ends.retain(|Reverse((at, key))| entries.get(key).is_some_and(|entry| entry.ends == *at));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: (Ends, Unless) = (Ends::Never, Unless::Always);

    #[derive(Clone, Debug)]
    enum Op {
        Set(u8, u8, Ends, Unless),
        Delete(u8),
        Add(u8, i64),
        Expire(u8, Ends),
        Pass(u64),
        Sweep(usize),
    }

    fn ends() -> impl Strategy<Value = Ends> {
        prop_oneof![Just(Ends::Never), Just(Ends::AsBefore), (0u64..40).prop_map(Ends::At)]
    }

    fn op() -> impl Strategy<Value = Op> {
        let unless = prop::sample::select(vec![Unless::Always, Unless::Missing, Unless::There]);
        prop_oneof![
            (0u8..4, any::<u8>(), ends(), unless).prop_map(|(k, v, e, u)| Op::Set(k, v, e, u)),
            (0u8..4).prop_map(Op::Delete),
            (0u8..4, -3i64..3).prop_map(|(k, n)| Op::Add(k, n)),
            (0u8..4, ends()).prop_map(|(k, e)| Op::Expire(k, e)),
            (0u64..10).prop_map(Op::Pass),
            (0usize..4).prop_map(Op::Sweep),
        ]
    }

    proptest! {
        /// Against a map from which everything whose time is over is taken before each step.
        #[test]
        fn it_agrees_with_a_plain_map(ops in prop::collection::vec(op(), 0..120)) {
            let mut keys = Keyspace::default();
            let mut model = HashMap::<u8, (Vec<u8>, Option<u64>)>::new();
            let mut now = 0;
            for op in ops {
                model.retain(|_, (_, ends)| ends.is_none_or(|at| at > now));
                match op {
                    Op::Set(key, value, ends, unless) => {
                        let value = value.to_string().into_bytes();
                        let old = model.get(&key).cloned();
                        let mut before = None;
                        let set = keys.set(&[key], &value, (ends, unless), now, |was| before = was.map(<[u8]>::to_vec));
                        prop_assert_eq!(before, old.clone().map(|(value, _)| value));
                        let wanted = match unless {
                            Unless::Always => true,
                            Unless::Missing => old.is_some(),
                            Unless::There => old.is_none(),
                        };
                        prop_assert_eq!(set, wanted);
                        if wanted {
                            let ends = match ends {
                                Ends::Never => None,
                                Ends::AsBefore => old.and_then(|(_, ends)| ends),
                                Ends::At(at) => Some(at),
                            };
                            model.insert(key, (value, ends));
                        }
                    }
                    Op::Delete(key) => prop_assert_eq!(keys.delete(&[key], now), model.remove(&key).is_some()),
                    Op::Add(key, n) => {
                        let old = model.get(&key).cloned().unwrap_or((b"0".to_vec(), None));
                        let sum: i64 = String::from_utf8(old.0).unwrap().parse::<i64>().unwrap() + n;
                        prop_assert_eq!(keys.add(&[key], n, now), Ok(sum));
                        model.insert(key, (sum.to_string().into_bytes(), old.1));
                    }
                    Op::Expire(key, ends) => {
                        prop_assert_eq!(keys.expire(&[key], ends, now), model.contains_key(&key));
                        if let Some(entry) = model.get_mut(&key) {
                            match ends {
                                Ends::Never => entry.1 = None,
                                Ends::AsBefore => {}
                                Ends::At(at) => entry.1 = Some(at),
                            }
                        }
                    }
                    Op::Pass(time) => now += time,
                    Op::Sweep(most) => {
                        keys.sweep(most, now);
                    }
                }
                model.retain(|_, (_, ends)| ends.is_none_or(|at| at > now));
                for key in 0u8..4 {
                    let known = model.get(&key);
                    prop_assert_eq!(keys.get(&[key], now), known.map(|(value, _)| value.as_slice()));
                    prop_assert_eq!(keys.has(&[key], now), known.is_some());
                    let left = match known {
                        None => Left::NoKey,
                        Some((_, None)) => Left::Endless,
                        Some((_, Some(at))) => Left::For(at - now),
                    };
                    prop_assert_eq!(keys.left(&[key], now), left);
                }
            }
            // What is over is gone for good once it was swept, and nothing else.
            while keys.sweep(3, now) {}
            prop_assert_eq!(keys.len(), model.len());
            prop_assert_eq!(keys.ending(), model.values().filter(|(_, ends)| ends.is_some()).count());
        }
    }

    #[test]
    fn what_is_no_number_is_not_added_to() {
        let mut keys = Keyspace::default();
        keys.set(b"k", b"1x", PLAIN, 0, |_| ());
        assert_eq!(keys.add(b"k", 1, 0), Err(AddError::NoInteger));
        keys.set(b"k", i64::MAX.to_string().as_bytes(), PLAIN, 0, |_| ());
        assert_eq!(keys.add(b"k", 1, 0), Err(AddError::Overflow));
        assert_eq!(keys.get(b"k", 0), Some(i64::MAX.to_string().as_bytes()));
    }

    #[test]
    fn ends_that_no_longer_hold_take_no_more_room_than_those_that_do() {
        let mut keys = Keyspace::default();
        for n in 0..10_000 {
            keys.set(b"k", b"v", (Ends::At(1000 + n), Unless::Always), 0, |_| ());
        }
        assert!(keys.ends.len() < 100);
        keys.clear();
        assert_eq!((keys.len(), keys.ending()), (0, 0));
    }
}

//! Numbered slots that are used again and again: a key is a slot and a generation, and one whose use has ended misses.
//!
//! A slot keeps its value when it becomes free, and the next user finds what the last one left: vectors keep their room,
//! so that a slab that no longer grows allocates nothing.

use std::ops::{Index, IndexMut};

/// The name of one use of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// Names nothing.
impl Default for Key {
    fn default() -> Key {
        Key { slot: u32::MAX, generation: u32::MAX }
    }
}

impl Key {
    /// As one word, for those who hand it back to us. Never one of the last 256 words.
    pub(crate) fn word(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    pub(crate) fn of_word(word: u64) -> Key {
        Key { slot: word as u32, generation: (word >> 32) as u32 }
    }
}

struct Slot<T> {
    generation: u32,
    taken: bool,
    value: T,
}

/// Values in numbered slots.
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    taken: usize,
}

impl<T: Default> Slab<T> {
    pub(crate) fn new() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new(), taken: 0 }
    }

    /// Takes a slot. Its value is as its last user left it.
    pub(crate) fn take(&mut self) -> Key {
        self.taken += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, taken: false, value: T::default() });
            (self.slots.len() - 1) as u32
        });
        let entry = &mut self.slots[slot as usize];
        entry.taken = true;
        Key { slot, generation: entry.generation }
    }

    /// Ends this use of a slot; `false` if it had ended. A slot whose generations are used up is never taken again.
    pub(crate) fn free(&mut self, key: Key) -> bool {
        if self.get(key).is_none() {
            return false;
        }
        let entry = &mut self.slots[key.slot as usize];
        entry.taken = false;
        self.taken -= 1;
        if let Some(next) = entry.generation.checked_add(1).filter(|next| *next < u32::MAX) {
            entry.generation = next;
            self.free.push(key.slot);
        }
        true
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let entry = self.slots.get(key.slot as usize)?;
        (entry.taken && entry.generation == key.generation).then_some(&entry.value)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let entry = self.slots.get_mut(key.slot as usize)?;
        (entry.taken && entry.generation == key.generation).then_some(&mut entry.value)
    }

    /// How many slots are taken.
    pub(crate) fn len(&self) -> usize {
        self.taken
    }

    /// The keys of all that are taken.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let slots = self.slots.iter().enumerate().filter(|(_, entry)| entry.taken);
        slots.map(|(slot, entry)| Key { slot: slot as u32, generation: entry.generation }).collect()
    }

    /// Has the next use of every slot be of this generation.
    #[cfg(test)]
    pub(crate) fn age(&mut self, generation: u32) {
        self.slots.iter_mut().for_each(|slot| slot.generation = generation);
    }
}

/// # Panics
/// If the key's use has ended: for keys that are known to stand.
impl<T: Default> Index<Key> for Slab<T> {
    type Output = T;
    fn index(&self, key: Key) -> &T {
        self.get(key).expect("the key stands")
    }
}

/// # Panics
/// If the key's use has ended.
impl<T: Default> IndexMut<Key> for Slab<T> {
    fn index_mut(&mut self, key: Key) -> &mut T {
        self.get_mut(key).expect("the key stands")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_key_whose_use_has_ended_misses_for_ever() {
        let mut slab = Slab::<u64>::new();
        let mut ended = Vec::new();
        let mut live = HashMap::new();
        let mut random = 1u64;
        for round in 0..10_000u64 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            if live.len() < 20 && random >> 63 == 0 || live.is_empty() {
                let key = slab.take();
                slab[key] = round;
                assert_eq!(live.insert(key, round), None);
            } else {
                let key = *live.keys().min().unwrap();
                live.remove(&key);
                assert!(slab.free(key) && !slab.free(key));
                ended.push(key);
            }
            assert_eq!(slab.len(), live.len());
        }
        assert!(ended.iter().all(|key| slab.get(*key).is_none()));
        assert!(live.iter().all(|(key, value)| slab[*key] == *value));
        assert!(live.keys().all(|key| Key::of_word(key.word()) == *key));
    }

    #[test]
    fn a_slot_retires_rather_than_begin_its_generations_again() {
        let mut slab = Slab::<()>::new();
        let first = slab.take();
        slab.free(first);
        slab.age(u32::MAX - 1);
        let old = slab.take();
        assert_eq!((old.slot, old.generation), (first.slot, u32::MAX - 1));
        slab.free(old);
        let last = slab.take();
        assert_ne!(last.slot, old.slot);
    }
}

//! Names of children: unique among siblings, found by a digital search trie on the name's hash.
//!
//! Each name is a record in its parent's trie, which branches at depth *d* on bit *d* of the hash (Coffman and Eve,
//! 1970). Depth is logarithmic on average and at most 64; names with equal hashes are told apart by their bytes.

use heapless::String;

use crate::error::SpawnError;
use crate::kernel::Kernel;
use crate::limits::NAME_MAX;
use crate::pool::Handle;
use crate::region::NONE;

pub(crate) struct Name {
    hash: u64,
    cell: u32,
    text: String<NAME_MAX, u8>,
    below: [Handle<Name>; 2],
}

/// FNV-1a, by Fowler, Noll and Vo.
fn hash_of(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

pub(crate) fn is_valid(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.*$+:@&=,!~';()".contains(&b);
    !name.is_empty() && name.len() <= NAME_MAX && !name.starts_with('$') && name.bytes().all(allowed)
}

fn turn(hash: u64, depth: u32) -> usize {
    (hash.rotate_right(depth) & 1) as usize
}

impl Name {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl Kernel {
    fn names_below(&self, parent: u32) -> Handle<Name> {
        self.side_of(parent).map_or(Handle::NONE, |side| self.sides.get(side).child_names)
    }

    /// The child of a name.
    pub(crate) fn child_named(&self, parent: u32, name: &str) -> Option<u32> {
        let hash = hash_of(name);
        let mut at = self.names_below(parent);
        let mut depth = 0;
        while at.is_some() {
            let known = self.names.get(at);
            if known.hash == hash && known.text == name {
                return Some(known.cell);
            }
            at = known.below[turn(hash, depth)];
            depth += 1;
        }
        None
    }

    /// Gives a cell its name among the children of its parent, which has a side record.
    pub(crate) fn enter_name(&mut self, parent: u32, cell: u32, name: &str) -> Result<(), SpawnError> {
        if !is_valid(name) {
            return Err(SpawnError::BadName);
        }
        if self.child_named(parent, name).is_some() {
            return Err(SpawnError::NameTaken);
        }
        if parent != self.root {
            return self.hang_name(parent, cell, name);
        }
        let address = self.address_of(cell);
        if !self.grants.grant(name, address) {
            return Err(SpawnError::NameTaken);
        }
        self.hang_name(parent, cell, name).inspect_err(|_| self.grants.take_back(name, address))
    }

    /// Notes the name of a child whose parent lives elsewhere: it is unique there, and found there.
    pub(crate) fn note_name(&mut self, cell: u32, name: &str) -> Result<(), SpawnError> {
        let side = self.need_side(cell)?;
        let text = String::try_from(name).map_err(|_| SpawnError::BadName)?;
        let entry = Name { hash: hash_of(name), cell, text, below: [Handle::NONE; 2] };
        let entry = self.names.insert(&mut self.memory, entry).map_err(|_| SpawnError::OutOfMemory)?;
        self.sides.get_mut(side).name = entry;
        Ok(())
    }

    /// Puts a name that is free into the trie of its parent.
    fn hang_name(&mut self, parent: u32, cell: u32, name: &str) -> Result<(), SpawnError> {
        self.note_name(cell, name)?;
        let Some(side) = self.side_of(cell) else { return Err(SpawnError::OutOfMemory) };
        let entry = self.sides.get(side).name;
        let hash = self.names.get(entry).hash;
        let mut at = self.names_below(parent);
        if at.is_none() {
            let side = self.need_side(parent)?;
            self.sides.get_mut(side).child_names = entry;
            return Ok(());
        }
        let mut depth = 0;
        loop {
            let below = self.names.get(at).below[turn(hash, depth)];
            if below.is_none() {
                self.names.get_mut(at).below[turn(hash, depth)] = entry;
                return Ok(());
            }
            at = below;
            depth += 1;
        }
    }

    /// Frees a cell's name, if it has one.
    pub(crate) fn strike_name(&mut self, parent: u32, cell: u32) {
        let Some(side) = self.side_of(cell) else { return };
        let entry = core::mem::replace(&mut self.sides.get_mut(side).name, Handle::NONE);
        if entry.is_none() {
            return;
        }
        if self.is_from_afar(cell) {
            self.names.remove(entry);
            return;
        }
        // Any leaf below takes the entry's place: it shares the bits that lead there.
        let (mut leaf, mut above) = (entry, None);
        while let Some((turn, below)) =
            self.names.get(leaf).below.into_iter().enumerate().find(|(_, below)| below.is_some())
        {
            above = Some((leaf, turn));
            leaf = below;
        }
        if let Some((above, turn)) = above {
            self.names.get_mut(above).below[turn] = Handle::NONE;
        }
        let replacement = if leaf == entry {
            Handle::NONE
        } else {
            let below = self.names.get(entry).below;
            self.names.get_mut(leaf).below = below;
            leaf
        };
        self.hang(parent, entry, replacement);
        let name = self.names.remove(entry);
        if parent == self.root {
            let address = self.address_of(cell);
            self.grants.take_back(&name.text, address);
        }
    }

    /// Puts `replacement` where `entry` hangs.
    fn hang(&mut self, parent: u32, entry: Handle<Name>, replacement: Handle<Name>) {
        let hash = self.names.get(entry).hash;
        let mut at = self.names_below(parent);
        if at == entry {
            if let Some(side) = self.side_of(parent) {
                self.sides.get_mut(side).child_names = replacement;
            }
            return;
        }
        let mut depth = 0;
        while at.is_some() {
            let way = turn(hash, depth);
            let below = self.names.get(at).below[way];
            if below == entry {
                self.names.get_mut(at).below[way] = replacement;
                return;
            }
            at = below;
            depth += 1;
        }
    }

    /// A cell's name, if it has one.
    pub(crate) fn name_of(&self, cell: u32) -> Option<&str> {
        let side = self.side_of(cell)?;
        let name = self.sides.get(side).name;
        (cell != NONE && name.is_some()).then(|| self.names.get(name).text.as_str())
    }
}

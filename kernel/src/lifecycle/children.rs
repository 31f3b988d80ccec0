//! The tree: a parent's children are a doubly linked list through their headers.

use crate::behavior::Role;
use crate::kernel::Kernel;
use crate::region::NONE;

impl Kernel {
    /// Puts a cell at the front of its parent's children. The parent has a side record.
    pub(crate) fn link_child(&mut self, parent: u32, cell: u32) {
        let Some(side) = self.side_of(parent) else { return };
        let side = self.sides.get_mut(side);
        let first = core::mem::replace(&mut side.first_child, cell);
        side.children += 1;
        let header = self.memory.header(cell);
        header.parent.set(parent);
        header.next.set(first);
        header.prev.set(NONE);
        if first != NONE {
            self.memory.header(first).prev.set(cell);
        }
    }

    /// Takes a cell out of its parent's children. It still knows its parent.
    pub(crate) fn unlink_child(&mut self, cell: u32) {
        let header = self.memory.header(cell);
        let (parent, next, prev) = (header.parent.get(), header.next.get(), header.prev.get());
        if parent == NONE {
            return;
        }
        if next != NONE {
            self.memory.header(next).prev.set(prev);
        }
        let Some(side) = self.side_of(parent) else { return };
        let side = self.sides.get_mut(side);
        side.children -= 1;
        if prev != NONE {
            self.memory.header(prev).next.set(next);
        } else {
            side.first_child = next;
        }
    }

    /// A cell's first child, or [`NONE`].
    pub(crate) fn first_child(&self, cell: u32) -> u32 {
        self.side_of(cell).map_or(NONE, |side| self.sides.get(side).first_child)
    }

    /// Whether a cell is an actor's, or stands for one elsewhere.
    pub(crate) fn is_ward(&self, cell: u32) -> bool {
        matches!(self.role(cell), Role::Actor | Role::Outpost)
    }

    /// Calls `each` with every child that is an actor, here or elsewhere; newest first.
    pub(crate) fn each_child(&self, cell: u32, mut each: impl FnMut(u32)) {
        let mut child = self.first_child(cell);
        while child != NONE {
            if self.is_ward(child) {
                each(child);
            }
            child = self.memory.header(child).next.get();
        }
    }
}

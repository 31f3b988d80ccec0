//! Extensions: one value of each type per kernel, on which everything above hangs its own per-core state.

use core::any::{Any, TypeId};

use crate::erased::Erased;
use crate::error::OutOfMemory;
use crate::kernel::Kernel;
use crate::shelf::Shelf;

pub(crate) struct Extensions {
    by_type: Shelf<(TypeId, Erased<dyn Any>)>,
}

impl Extensions {
    pub(crate) const fn new() -> Extensions {
        Extensions { by_type: Shelf::new() }
    }

    // Few extensions exist, and each is asked for by its owner: a row is faster than a table.
    pub(crate) fn get(&mut self, id: TypeId) -> Option<&mut (dyn Any + 'static)> {
        self.by_type.iter_mut().find(|(known, _)| *known == id).map(|(_, value)| &mut **value)
    }
}

/// The one that was set last goes first: it may use those before it.
impl Drop for Extensions {
    fn drop(&mut self) {
        while let Some(last) = self.by_type.len().checked_sub(1) {
            drop(self.by_type.swap_remove(last));
        }
    }
}

impl Kernel {
    /// Sets the extension of type `T`; an earlier one of that type is replaced and dropped. When the kernel is dropped,
    /// the one of the type that was set last goes first.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the region is used up; the value is dropped.
    pub fn set_extension<T: 'static>(&mut self, value: T) -> Result<(), OutOfMemory> {
        if let Some(known) = self.extension::<T>() {
            *known = value;
            return Ok(());
        }
        let erased = Erased::new(&mut self.memory, value).map_err(|_| OutOfMemory)?.any();
        self.extensions.by_type.push(&mut self.memory, (TypeId::of::<T>(), erased)).map_err(|_| OutOfMemory)
    }

    /// The extension of type `T`, if it was set.
    pub fn extension<T: 'static>(&mut self) -> Option<&mut T> {
        self.extension_mut(TypeId::of::<T>())?.downcast_mut()
    }
}

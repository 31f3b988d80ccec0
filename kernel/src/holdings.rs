//! Holdings: what of its region a kernel has in use, piece by piece, to see that all that was taken is given back.

use crate::kernel::Kernel;

/// Pieces of its region that a kernel has in use, by kind. A kernel without actors, at rest, has as many cells, parcels and
/// records in use as when it was new; a queue keeps its last block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holdings {
    /// Cells: of actors, reply addresses and adapters, and of the kernel's own root.
    pub cells: u32,
    /// Messages that wait outside a queue (stashed, behind a suspension, in a timer), and attachments.
    pub parcels: u32,
    /// Side records, watches, timers, names, bonds to other shards, and failures that are still to be told.
    pub records: u32,
    /// Blocks of queues.
    pub blocks: u32,
}

impl Kernel {
    /// What is in use. For tests and tools: walks every free list.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use corelane_kernel::{Actor, Ctx, Kernel, KernelConfig, Outcome, Region, Time};
    /// # struct Idler;
    /// # impl Actor for Idler {
    /// #     type Msg = u64;
    /// #     fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
    /// # }
    /// # let memory = Box::leak(Box::new([MaybeUninit::<u8>::uninit(); 64 * 1024]));
    /// # let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
    /// let before = kernel.holdings();
    /// let idler = kernel.spawn(Idler)?;
    /// assert_eq!(kernel.holdings().cells, before.cells + 1);
    /// kernel.scope().stop(idler);
    /// while kernel.turn(Time::ZERO).more {}
    /// assert_eq!(kernel.holdings().cells, before.cells);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn holdings(&self) -> Holdings {
        Holdings {
            cells: self.memory.cells_taken(),
            parcels: self.memory.parcels_taken(),
            records: self.sides.len()
                + self.watches.len()
                + self.timers.len()
                + self.names.len()
                + self.bonds.len()
                + self.obituaries.len(),
            blocks: self.memory.segments_taken(),
        }
    }
}

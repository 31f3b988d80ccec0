//! The beacon: whose code runs, for a thread that looks on while the kernel is in use.
//!
//! A kernel notes the running cell in its region, where a watchdog may read it without the kernel's doing anything for it. What
//! was [`Seen`] is a cell's number and no more; the kernel says who lives there when its turn has ended. One of the modules
//! where `unsafe` is allowed.

#![allow(unsafe_code)]

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::address::Place;
use crate::kernel::Kernel;
use crate::region::NONE;

/// Shows another thread which actor's code a kernel runs; from [`Kernel::beacon`].
pub struct Beacon {
    running: NonNull<AtomicU32>,
    place: Place,
}

// SAFETY: what it points to is an atomic, and is only read; that it is still there is for the caller of `look` to say.
unsafe impl Send for Beacon {}
// SAFETY: as above.
unsafe impl Sync for Beacon {}

/// The cell whose code ran when somebody looked. [`Kernel::subject`] says who lives there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub(crate) cell: u32,
    pub(crate) place: Place,
}

impl Beacon {
    /// Whose code runs now, or ran last in this turn; `None` if it is no actor's. A relaxed load: it says nothing about
    /// anything else that the kernel does.
    ///
    /// # Safety
    /// The memory of the kernel's region must be valid. The kernel itself may be gone.
    pub unsafe fn look(&self) -> Option<Seen> {
        // SAFETY: the caller's; the region keeps an atomic there, and makes no other reference to its bytes.
        let cell = unsafe { self.running.as_ref() }.load(Ordering::Relaxed);
        (cell != NONE).then_some(Seen { cell, place: self.place })
    }
}

impl fmt::Debug for Beacon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Beacon of {:?}", self.place)
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cell {} of {:?}", self.cell, self.place)
    }
}

impl Kernel {
    /// A view for another thread of whose code runs here. Costs the kernel nothing.
    pub fn beacon(&self) -> Beacon {
        Beacon { running: NonNull::from(self.memory.running()), place: self.place }
    }
}

//! Where a run takes place: which core the sources run on, and which the actors that they talk to.
//!
//! On one core both are the same, and one pinned thread runs everything. On two cores each side has a pinned thread.

use core_affinity::CoreId;

use crate::system::RunError;

/// The cores of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Where messages come from.
    pub near: CoreId,
    /// Where they go to; equal to `near` on one core.
    pub far: CoreId,
}

impl Place {
    /// Everything on one core.
    pub(crate) fn one(core: CoreId) -> Self {
        Self { near: core, far: core }
    }

    /// Whether the two sides have a thread each.
    pub(crate) fn is_split(self) -> bool {
        self.near != self.far
    }
}

/// Pins the calling thread.
pub(crate) fn pin(core: CoreId) -> Result<(), RunError> {
    if core_affinity::set_for_current(core) { Ok(()) } else { Err(RunError::Pin(core.id)) }
}

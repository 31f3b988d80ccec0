//! A shard's region: virtual memory reserved at once, committed page by page as it is first touched, on huge pages
//! where the system gives them. One of the modules where `unsafe` is allowed.

#![allow(unsafe_code)]

use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

use corelane_kernel::{Beacon, Kernel, KernelConfig, KernelError, Region, Seat, Seen};
use memmap2::{MmapMut, MmapOptions};

/// A kernel together with the mapping it lives in.
///
/// Field order matters: the kernel is dropped before its memory.
pub(crate) struct Housed {
    kernel: Kernel,
    mapping: Arc<MmapMut>,
}

/// A view, for another thread, of whose code a housed kernel runs. It keeps the mapping, not the kernel.
pub(crate) struct Lookout {
    beacon: Beacon,
    _mapping: Arc<MmapMut>,
}

impl Lookout {
    pub(crate) fn look(&self) -> Option<Seen> {
        // SAFETY: the region lies in the mapping, which is held here.
        unsafe { self.beacon.look() }
    }
}

/// Why no kernel could be housed.
#[derive(Debug)]
pub(crate) enum HousingError {
    /// The system gave no memory.
    Memory(io::Error),
    /// The kernel refused it.
    Kernel(KernelError),
}

impl Housed {
    /// Reserves `bytes` and builds a kernel on them. Called on the thread that will use it, so that pages come from its
    /// node.
    pub(crate) fn new(
        bytes: usize,
        config: KernelConfig,
        seat: Seat,
        shards: usize,
    ) -> Result<Housed, HousingError> {
        let mut mapping =
            MmapOptions::new().len(bytes).no_reserve_swap().map_anon().map_err(HousingError::Memory)?;
        // Best effort: without huge pages everything works, with more misses of the address cache.
        #[cfg(target_os = "linux")]
        let _ = mapping.advise(memmap2::Advice::HugePage);
        let base = NonNull::from(&mut mapping[..]).cast();
        // SAFETY: the mapping is ours, valid for its length, stays where it is when `mapping` is moved, and outlives
        // the kernel, which is dropped first.
        let region = unsafe { Region::from_raw_parts(base, bytes) };
        let region = region.map_err(|e| HousingError::Kernel(e.into()))?;
        let kernel = Kernel::seated(region, config, seat, shards).map_err(HousingError::Kernel)?;
        Ok(Housed { kernel, mapping: Arc::new(mapping) })
    }

    pub(crate) fn lookout(&self) -> Lookout {
        Lookout { beacon: self.kernel.beacon(), _mapping: self.mapping.clone() }
    }
}

impl Deref for Housed {
    type Target = Kernel;
    #[inline(always)]
    fn deref(&self) -> &Kernel {
        &self.kernel
    }
}

impl DerefMut for Housed {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Kernel {
        &mut self.kernel
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A kernel on its own, whose memory goes with it.
    pub(crate) fn kernel() -> Housed {
        let seat = Seat::realm(1).unwrap().next().unwrap();
        Housed::new(1 << 20, KernelConfig::default(), seat, 1).expect("a small kernel")
    }
}

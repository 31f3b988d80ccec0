//! What threads that are no shard may know of other realms before they send something there.
//!
//! A kernel offers what no lane leads to its uplink, and gives a message that it refuses back to who told it. A gateway has no
//! kernel: a shard carries what it tells elsewhere. So that what can be known beforehand comes back all the same, the layer
//! that hangs the uplinks on the kernels says it here.

use std::any::TypeId;
use std::sync::Weak;

use corelane_kernel::{Address, UplinkRefusal};

use crate::extensions::Loading;

/// What a layer above, which carries messages to other realms, can say of one beforehand. Asked from any thread.
pub trait Beyond: Send + Sync + 'static {
    /// Whether a message of this type may be carried to an actor elsewhere. Must not block. That it may is no promise: what is
    /// refused later is a dead letter of the shard that carries it.
    ///
    /// # Errors
    /// [`UplinkRefusal::NoWireForm`] if such messages cannot leave the process, [`UplinkRefusal::Unreachable`] if no way leads
    /// there.
    fn check(&self, to: Address, message: TypeId) -> Result<(), UplinkRefusal>;
}

impl Loading<'_> {
    /// Lets gateways tell and ask actors of other realms, which the uplinks of the shards' kernels reach. The first one stays;
    /// without its owner, which is an extension that may know the system in turn, no way leads there.
    pub fn reach_beyond_by(&self, beyond: Weak<dyn Beyond>) {
        let _ = self.handle().shared.beyond.set(beyond);
    }
}

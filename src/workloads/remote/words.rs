//! What the two hosts of a remote workload say to each other.

use corelane_kernel::{ActorRef, ReplyTo};
use corelane_net::codec::{Compact, Fixed, Registry, RegistryError, Wire, bytemuck};
use serde::{Deserialize, Serialize};

use crate::workloads::raw::socket::ECHO;

/// A message of 64 bytes that lies on the wire as it lies in memory. Its number counts along, so that one that comes twice
/// or never is seen.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[bytemuck(crate = "bytemuck")]
#[repr(C)]
pub(super) struct Ball {
    pub(super) number: u64,
    pub(super) rest: [u64; 7],
}

const _: () = assert!(size_of::<Ball>() == ECHO);

impl Ball {
    pub(super) const fn new(number: u64) -> Self {
        Self { number, rest: [number; 7] }
    }
}

impl Wire for Ball {
    const NAME: &'static str = "corelane.bench.Ball";
    type Form = Fixed;
}

/// What the other host's usher is asked for.
#[derive(Serialize, Deserialize)]
pub(super) enum Want {
    /// An actor that plays every ball back to whom is named.
    Echo(ActorRef<Ball>, ReplyTo<Meet>),
    /// One that counts so many balls, and plays one back when they are there, with their number and the sum of theirs.
    Sink(u64, ActorRef<Ball>, ReplyTo<Meet>),
    /// One that plays every text back.
    Texts(ActorRef<String>, ReplyTo<MeetTexts>),
}

impl Wire for Want {
    const NAME: &'static str = "corelane.bench.Want";
    type Form = Compact;
}

/// Who was asked for.
#[derive(Serialize, Deserialize)]
pub(super) struct Meet(pub(super) ActorRef<Ball>);

impl Wire for Meet {
    const NAME: &'static str = "corelane.bench.Meet";
    type Form = Compact;
}

/// Who was asked for.
#[derive(Serialize, Deserialize)]
pub(super) struct MeetTexts(pub(super) ActorRef<String>);

impl Wire for MeetTexts {
    const NAME: &'static str = "corelane.bench.MeetTexts";
    type Form = Compact;
}

/// All of them, for either host's endpoint.
pub(super) fn registry() -> Result<Registry, RegistryError> {
    let mut registry = Registry::new();
    registry.register::<Ball>()?;
    registry.register::<Want>()?;
    registry.register::<Meet>()?;
    registry.register::<MeetTexts>()?;
    Ok(registry)
}

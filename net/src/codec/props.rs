//! Props: what a child on another host is made of, and what makes it.

use std::any::Any;
use std::sync::Arc;

use corelane_kernel::{Actor, ActorRef, ChildSpawner, Failure, Parentage, Scope, SpawnError, Wire};

use super::{Codec, DecodeError, Envelope, decode, envelope};
use crate::wire::Spawn;

/// The arguments of which a host makes an actor when a parent on another host spawns it: a type with a wire form, whose name
/// stands for the actor everywhere and for ever, and whose version counts the changes of what is written, by the same rules
/// as a message's ([`crate::codec`]).
///
/// A host says in its [`Registry`](super::Registry) what it makes of them; a parent elsewhere spawns with
/// [`RemoteCtx::child_at`](crate::RemoteCtx::child_at). The type of the actor's messages goes along, so both sides agree at
/// compile time, and what two programs that were built apart disagree about is an error of the spawn.
///
/// ```
/// use corelane_kernel::{Actor, Ctx, Outcome};
/// use corelane_net::codec::{Compact, Props, Registry, Wire};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Resize { width: u32 }
///
/// impl Wire for Resize {
///     const NAME: &'static str = "images.Resize";
///     type Form = Compact;
/// }
///
/// impl Props for Resize {
///     type Msg = String;
/// }
///
/// struct Resizer { width: u32 }
///
/// impl Actor for Resizer {
///     type Msg = String;
///     fn receive(&mut self, file: String, _: &mut Ctx<'_, Self>) -> Outcome {
///         println!("{file} at {}", self.width);
///         Ok(())
///     }
/// }
///
/// let mut registry = Registry::new();
/// registry.spawns(|resize: &Resize| Resizer { width: resize.width })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Props: Wire<Form: Codec<Self>> {
    /// The messages of the actor that is made of them.
    type Msg: Wire<Form: Codec<Self::Msg>>;
}

/// Makes a child of props that came in, for a parent on another host.
pub(crate) type Adopt = Box<dyn FnOnce(&mut Scope<'_>, &Parentage<'_>) -> Result<(), SpawnError>>;

/// What is told of a child that is spawned on this host after all.
type Then<P> = Box<dyn FnOnce(Result<ActorRef<<P as Props>::Msg>, SpawnError>, &mut Scope<'_>)>;

type Prepare = Box<dyn Fn(Envelope, &[u8]) -> Result<Adopt, DecodeError> + Send + Sync>;
type SpawnHere<P> = Box<dyn Fn(ChildSpawner<'_, ()>, P, Then<P>) -> Result<(), SpawnError> + Send + Sync>;

/// What makes actors of some props, with the types erased.
pub(crate) struct Factory {
    /// The hash of the name of the type of the actor's messages.
    protocol: u64,
    prepare: Prepare,
    /// A [`SpawnHere`] of the props' type.
    here: Box<dyn Any + Send + Sync>,
}

/// Why nothing is made of what came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmade {
    OtherProtocol,
    Decode(DecodeError),
}

impl Factory {
    pub(super) fn of<P: Props, A: Actor<Msg = P::Msg>>(
        factory: impl Fn(&P) -> Result<A, Failure> + Send + Sync + 'static,
    ) -> Factory {
        let far = Arc::new(factory);
        let near = far.clone();
        let here: SpawnHere<P> = Box::new(move |spawner, props, then| {
            let factory = near.clone();
            spawner.try_spawn_then(move || factory(&props), then)
        });
        Factory {
            protocol: envelope::<P::Msg>().type_hash,
            prepare: Box::new(move |envelope, body| {
                let props = decode::<P>(envelope, body)?;
                let factory = far.clone();
                Ok(Box::new(move |scope, from| scope.adopt::<A>(from, move || factory(&props)).map(drop)))
            }),
            here: Box::new(here),
        }
    }

    /// Reads the props of a spawn that came in.
    pub(crate) fn prepare(&self, spawn: &Spawn<'_>) -> Result<Adopt, Unmade> {
        if spawn.protocol != self.protocol {
            return Err(Unmade::OtherProtocol);
        }
        (self.prepare)(spawn.envelope, spawn.props).map_err(Unmade::Decode)
    }

    /// Spawns a child of a parent on this host. `None` where this makes something of other props.
    pub(crate) fn spawn_here<P: Props>(
        &self,
        spawner: ChildSpawner<'_, ()>,
        props: P,
        then: impl FnOnce(Result<ActorRef<P::Msg>, SpawnError>, &mut Scope<'_>) + 'static,
    ) -> Option<Result<(), SpawnError>> {
        let spawn = self.here.downcast_ref::<SpawnHere<P>>()?;
        Some(spawn(spawner, props, Box::new(then)))
    }
}

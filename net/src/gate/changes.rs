//! Changes: what becomes of a shard's links, as the system's event stream tells it.

use super::{Inner, Todo};
use crate::link::Loss;
use crate::resolve::RemoteHost;
use crate::wire::Reason;

/// Something has become of the link between a shard of this host and one of another: published on the system's
/// [event stream](corelane_shard::EventStream), by the shard whose link it is.
///
/// For people and for what watches over a system. Who wants to hear of an actor's end [watches](corelane_kernel::Ctx::watch) it:
/// a link that is lost has been told of to watchers by then.
///
/// ```
/// use corelane_kernel::{Actor, Ctx, Outcome};
/// use corelane_net::{LinkEvent, LinkState};
/// use corelane_shard::ShardCtx;
///
/// /// Says who is lost.
/// struct Herald;
///
/// impl Actor for Herald {
///     type Msg = LinkEvent;
///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         let me = ctx.me();
///         Ok(ctx.system().events().subscribe(me)?)
///     }
///     fn receive(&mut self, event: LinkEvent, _: &mut Ctx<'_, Self>) -> Outcome {
///         if let LinkState::Lost(why) = event.state {
///             println!("{} is lost: {why:?}", event.host);
///         }
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkEvent {
    /// The other host.
    pub host: RemoteHost,
    /// Its shard.
    pub shard: u16,
    /// The number of its life; 0 where none was met.
    pub incarnation: u64,
    /// What has become of the link.
    pub state: LinkState,
}

/// What has become of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// It has a connection, for the first time or again.
    Open,
    /// Its connection is gone. Another is made; actors of the two hosts still have each other.
    Down,
    /// The other host's life is over or given up, and with it all that its actors and this shard's had to do with each other.
    Lost(Loss),
    /// The other host does not want this one. What waits for it is refused.
    Rejected(Reason),
}

impl Inner {
    /// Has it told what has become of a link.
    pub(super) fn note_change(&mut self, slot: usize, incarnation: u64, state: LinkState) {
        let Some(address) = self.host_of(slot) else { return };
        let host = RemoteHost::new(&self.shared.me.system, address);
        let event = LinkEvent { host, shard: self.slots[slot].shard, incarnation, state };
        let events = self.shared.handle.events();
        self.todo.push(Todo::Call(Box::new(move |scope| events.publish(scope, event))));
    }
}

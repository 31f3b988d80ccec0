//! Actors that are made by factories, and what all restarts have in common.

use corelane_kernel::{ActorRef, Directive, Failure, KernelConfig, Strategy};

use crate::common::family::failing;
use crate::common::{Order, Puppet, World};

/// A world with one actor `a` at its top, from a factory whose puppets are prepared like this.
pub(crate) fn world(prepare: impl Fn(Puppet) -> Puppet + Send + 'static) -> (World, ActorRef<Order>) {
    let mut world = World::new();
    let log = world.log.clone();
    let a = world.scope().spawn_from(move || prepare(Puppet::new("a", &log))).unwrap();
    world.events();
    (world, a)
}

/// Fails an actor, and gives what happened, without what every restart says.
pub(crate) fn fail(world: &mut World, actor: ActorRef<Order>) -> Vec<String> {
    world.kernel.tell(actor, failing("oops"));
    let mut events = world.events();
    events.retain(|event| !event.ends_with(": error: oops"));
    events
}

/// All happens at once where nothing has to be waited for.
pub(crate) const RESTARTED: [&str; 2] = ["a stopped", "a started"];

/// A world whose top-level actors are always restarted, or resumed.
pub(crate) fn stubborn(directive: fn(&Failure) -> Directive) -> World {
    let supervision = Strategy::one_for_one().deciding(directive);
    World::with(1 << 20, KernelConfig { supervision, ..KernelConfig::default() })
}

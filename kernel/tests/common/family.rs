//! Families: a parent that looks after children by a strategy, each of them a puppet made by a factory, and worlds whose
//! top-level actors are looked after by one.

use std::sync::{Arc, Mutex};

use corelane_kernel::{ActorRef, Failure, KernelConfig, Strategy};

use super::{Log, Order, Puppet, World, attempt, lock};

/// A message that fails its handler with this text.
pub(crate) fn failing(text: &'static str) -> Order {
    attempt(move |_, _| Err(Failure::new(text)))
}

/// What makes puppets of a name.
pub(crate) fn maker(name: &'static str, log: &Log) -> impl FnMut() -> Puppet + Send + use<> + 'static {
    let log = log.clone();
    move || Puppet::new(name, &log)
}

/// Spawns a parent `p` with this strategy, at the top, and children of these names below it, from factories.
pub(crate) fn family<const N: usize>(
    world: &mut World,
    strategy: Strategy,
    names: [&'static str; N],
) -> (ActorRef<Order>, [ActorRef<Order>; N]) {
    let puppet = Puppet::new("p", &world.log).looking_after(strategy);
    let p = world.kernel.spawn(puppet).unwrap();
    let children = names.map(|name| below(world, p, name));
    world.events();
    (p, children)
}

/// Spawns a puppet below another, from a factory.
pub(crate) fn below(world: &mut World, parent: ActorRef<Order>, name: &'static str) -> ActorRef<Order> {
    let slot = Arc::new(Mutex::new(None));
    let store = slot.clone();
    world.have(parent, move |me, ctx| {
        let child = ctx.spawner().name(name).spawn_from(maker(name, &me.log)).unwrap();
        me.log.know(child.address(), name);
        *lock(&store) = Some(child);
    });
    lock(&slot).take().expect("a child")
}

/// A world whose top-level actors are looked after like this.
pub(crate) fn supervised_by(strategy: Strategy) -> World {
    World::with(1 << 20, KernelConfig { supervision: strategy, ..KernelConfig::default() })
}

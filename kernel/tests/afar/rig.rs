//! Families whose members live on three kernels, made by orders that name the kernel.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use corelane_kernel::{ActorRef, Holdings, KernelConfig, Strategy};

use crate::common::family::failing;
use crate::common::{Order, Puppet, Realm, World, attempt, lock, order};

/// Puppets of several kernels, by name.
#[derive(Clone, Default)]
pub(crate) struct Known(pub(crate) Arc<Mutex<HashMap<&'static str, ActorRef<Order>>>>);

impl Known {
    #[track_caller]
    pub(crate) fn get(&self, name: &str) -> ActorRef<Order> {
        *lock(&self.0).get(name).expect("a puppet that was told of")
    }
}

/// A realm with an actor `p` at the top of kernel 0, from a factory.
pub(crate) struct Family {
    pub(crate) realm: Realm,
    pub(crate) p: ActorRef<Order>,
    pub(crate) known: Known,
}

impl Family {
    pub(crate) fn new(prepare: impl Fn(Puppet) -> Puppet + Send + 'static) -> Family {
        Family::of(Realm::new::<1024>(3, 1 << 20, &KernelConfig::default()), prepare)
    }

    pub(crate) fn supervised(strategy: Strategy) -> Family {
        Family::new(move |puppet| puppet.looking_after(strategy))
    }

    pub(crate) fn of(mut realm: Realm, prepare: impl Fn(Puppet) -> Puppet + Send + 'static) -> Family {
        let log = realm.log();
        let factory = move || prepare(Puppet::new("p", &log));
        let p = realm.worlds[0].scope().spawner().name("p").spawn_from(factory).unwrap();
        realm.events();
        Family { realm, p, known: Known::default() }
    }

    /// Gives `parent`, of a kernel, a child on a kernel; and lets all come to rest.
    #[track_caller]
    pub(crate) fn child(
        &mut self,
        at: usize,
        parent: ActorRef<Order>,
        shard: usize,
        name: &'static str,
    ) -> ActorRef<Order> {
        self.child_like(at, parent, shard, name, |puppet| puppet)
    }

    #[track_caller]
    pub(crate) fn child_like(
        &mut self,
        at: usize,
        parent: ActorRef<Order>,
        shard: usize,
        name: &'static str,
        prepare: impl Fn(Puppet) -> Puppet + Send + 'static,
    ) -> ActorRef<Order> {
        let known = self.known.clone();
        self.realm.worlds[at].tell(parent, bear(shard, name, known, prepare));
        self.realm.settle();
        self.known.get(name)
    }

    pub(crate) fn tell(&mut self, to: ActorRef<Order>, what: Order) {
        let shard = to.place().shard();
        self.realm.worlds[shard].tell(to, what);
    }

    /// Fails an actor, and gives what happened without what every restart says.
    pub(crate) fn fail(&mut self, actor: ActorRef<Order>) -> Vec<String> {
        self.tell(actor, failing("oops"));
        let mut events = self.realm.events();
        events.retain(|event| !event.contains(" restart"));
        events
    }

    /// Of each kernel, without the blocks of its queues.
    pub(crate) fn holdings(&self) -> Vec<Holdings> {
        let of = |world: &World| {
            let mut holdings = world.holdings();
            holdings.blocks = 0;
            holdings
        };
        self.realm.worlds.iter().map(of).collect()
    }

    pub(crate) fn alive(&self) -> Vec<u64> {
        self.realm.worlds.iter().map(|world| world.stats().actors).collect()
    }
}

/// An order to spawn a child on a kernel, and to make it known.
pub(crate) fn bear(
    shard: usize,
    name: &'static str,
    known: Known,
    prepare: impl Fn(Puppet) -> Puppet + Send + 'static,
) -> Order {
    attempt(move |me, ctx| {
        let log = me.log.clone();
        let factory = move || prepare(Puppet::new(name, &log));
        ctx.child_on(shard).name(name).spawn_from(factory, move |born| {
            order(move |me, _| match born {
                Ok(child) => _ = lock(&known.0).insert(name, child),
                Err(error) => me.say(format_args!("is refused {name}: {error:?}")),
            })
        })?;
        Ok(())
    })
}

pub(crate) const PLAIN: fn(Puppet) -> Puppet = |puppet| puppet;

//! A value that panics as it is dropped, and a family whose child does.

use std::sync::{Arc, Mutex};

use corelane_kernel::ActorRef;

use crate::common::{Census, Log, Order, Puppet, Token, World, lock};

/// A value whose drop panics, once it is armed. It counts as dropped all the same.
pub(crate) struct Bomb {
    pub(crate) armed: bool,
    pub(crate) text: &'static str,
    pub(crate) _token: Token,
}

impl Bomb {
    pub(crate) fn new(text: &'static str, census: &Census) -> Bomb {
        Bomb { armed: true, text, _token: census.token() }
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.armed && !std::thread::panicking() {
            panic!("{}", self.text);
        }
    }
}

/// A watcher `w`, a parent `p` and its child `c`, whose address it gives.
pub(crate) fn family(
    world: &mut World,
    child: impl FnOnce(&Log) -> Puppet,
) -> (ActorRef<Order>, ActorRef<Order>) {
    let (w, p) = (world.puppet("w"), world.puppet("p"));
    let puppet = child(&world.log);
    let slot = Arc::new(Mutex::new(None));
    let store = slot.clone();
    // A puppet with a state to drop is spawned where it is, and carried nowhere.
    let cell = Mutex::new(Some(SendPuppet(puppet)));
    world.have(p, move |_, ctx| {
        let SendPuppet(puppet) = lock(&cell).take().unwrap();
        *lock(&store) = Some(ctx.spawn(puppet).unwrap());
    });
    let c = lock(&slot).take().unwrap();
    world.have(w, move |_, ctx| ctx.watch(c).unwrap());
    world.events();
    (p, c)
}

struct SendPuppet(Puppet);

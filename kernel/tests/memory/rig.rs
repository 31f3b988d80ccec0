//! Ways to use a region up.

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, SpawnError};

use crate::common::{Order, Puppet, World};

/// Needs the least that an actor can.
pub(crate) struct Tiny;

impl Actor for Tiny {
    type Msg = ();
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

/// Fills the region with puppets until there is no room for one more, and what is left over with the smallest actors.
/// Gives the puppets.
pub(crate) fn fill(world: &mut World) -> Vec<ActorRef<Order>> {
    let mut all = Vec::new();
    loop {
        match world.kernel.spawn(Puppet::new("filler", &world.log)) {
            Ok(filler) => all.push(filler),
            Err(SpawnError::OutOfMemory) => break,
            Err(other) => panic!("{other}"),
        }
    }
    while world.kernel.spawn(Tiny).is_ok() {}
    // The starts give their room in the queue of signals back; nobody else can use that.
    world.settle();
    all
}

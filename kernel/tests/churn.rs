//! A million actors, ten times over: the region is used no further after the first round, and timers and watches go with
//! their actors.

mod common;

use common::{World, ms};
use corelane_kernel::{Actor, Address, Ctx, Outcome};

const MANY: u64 = 1_000_000;

/// Every so often does what takes memory of its own.
struct Mayfly {
    handled: u64,
    watches: Address,
}

impl Actor for Mayfly {
    type Msg = u64;
    fn receive(&mut self, n: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.handled += n;
        if n.is_multiple_of(1000) {
            ctx.set_timer(n, ms(50_000), n)?;
            ctx.set_receive_timeout(Some(ms(50_000)))?;
            ctx.watch_with(self.watches, n)?;
        }
        Ok(())
    }
}

/// Reliability 22.
#[test]
fn a_million_actors_spawned_and_stopped_ten_times_use_the_region_no_further() {
    let mut world = World::sized(128 << 20);
    let hub = world.puppet("hub");
    let mut all = Vec::with_capacity(MANY as usize);
    let mut used = Vec::new();
    for round in 0..10 {
        for n in 0..MANY {
            let actor = world.kernel.spawn(Mayfly { handled: 0, watches: hub.address() }).expect("room");
            if n.is_multiple_of(10) {
                world.kernel.tell(actor, n);
            }
            all.push(actor);
            if n % 1024 == 0 {
                world.turn();
            }
        }
        world.settle();
        assert_eq!(world.stats().actors, MANY + 1);
        assert!(world.next_deadline().is_some());
        for (n, actor) in all.drain(..).enumerate() {
            world.kernel.scope().stop(actor);
            if n % 1024 == 0 {
                world.turn();
            }
        }
        world.settle();
        assert_eq!(world.stats().actors, 1, "round {round}");
        assert_eq!(world.next_deadline(), None, "timers are gone");
        used.push(world.stats().used_bytes);
    }
    assert!(used.iter().all(|bytes| *bytes == used[0]), "{used:?}");
    let stats = world.stats();
    assert_eq!((stats.spawned, stats.handled, stats.failed, stats.dead_letters), (10 * MANY + 1, MANY, 0, 0));
    // No watch is left to tell of.
    world.stop(hub);
    assert_eq!(world.events(), ["hub started", "hub stopped"]);
}

//! A million actors spawned and stopped, again and again: memory is used again, and nothing of them stays.

mod common;

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use common::{Puppet, builder, end, next, watch};
use corelane_kernel::{Actor, Ctx, Outcome, Terminated};
use corelane_shard::On;

/// Actors of each round, on both shards together.
const ACTORS: u32 = 1_000_000;
const ROUNDS: u32 = 10;

/// One of a million.
struct One(u64);

impl Actor for One {
    type Msg = u64;
    fn receive(&mut self, n: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.0 += n;
        // Some have more to them than their state.
        if self.0.is_multiple_of(64) {
            ctx.set_timer(1u64, Duration::from_secs(3600), 1)?;
        }
        Ok(())
    }
}

/// Has a part of the million as children, some at a time, and says when all have been told something.
struct Nursery {
    left: u32,
    grown: Sender<()>,
}

impl Actor for Nursery {
    type Msg = ();
    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        for _ in 0..self.left.min(1000) {
            let child = ctx.spawn(One(u64::from(self.left)))?;
            ctx.tell(child, 0);
            if self.left.is_multiple_of(64) {
                ctx.watch(child)?;
            }
            self.left -= 1;
        }
        let me = ctx.me();
        match self.left {
            0 => self.grown.send(())?,
            _ => ctx.tell(me, ()),
        }
        Ok(())
    }
    fn terminated(&mut self, _: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

/// Reliability 22.
#[test]
fn a_million_actors_come_and_go_ten_times_in_the_same_memory() {
    let system = builder(2).region_bytes(512 << 20).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let (notices, heard) = channel();
    let watcher = Puppet::default().notices(notices).on(&system, 1);
    let (grown, is_grown) = channel();
    let mut used = Vec::new();
    for _ in 0..ROUNDS {
        let nurseries = [0, 1].map(|shard| {
            let grown = grown.clone();
            let spawned =
                system.spawn_on(On::Shard(shard), move || Nursery { left: ACTORS / 2, grown: grown.clone() });
            let nursery = spawned.unwrap();
            watch(&system, &mut gateway, watcher, nursery);
            gateway.tell(nursery, ());
            nursery
        });
        for _ in nurseries {
            next(&is_grown);
        }
        let alive = [0, 1].map(|shard| system.call(shard, |scope| scope.stats().actors).unwrap());
        assert_eq!(alive.iter().sum::<u64>(), u64::from(ACTORS) + 3);
        for nursery in nurseries {
            system.call(nursery.place().shard(), move |scope| scope.stop(nursery)).unwrap();
        }
        for _ in nurseries {
            next(&heard);
        }
        used.push([0, 1].map(|shard| {
            let stats = system.call(shard, |scope| scope.stats()).unwrap();
            assert!(stats.actors <= 1, "{}", stats.actors);
            stats.used_bytes
        }));
    }
    assert!(used[1..].iter().all(|now| *now == used[1]), "flat after the first: {used:?}");
    for shard in [0, 1] {
        let (first, last) = (used[0][shard], used[ROUNDS as usize - 1][shard]);
        assert!(last - first < first / 20, "within a twentieth of the first round: {used:?}");
        assert!(last < 64 << 20, "{last} bytes for half a million actors");
    }
    end(system);
}

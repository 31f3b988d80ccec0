//! Kernels that flood each other over tiny lanes, in one thread and in two.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use corelane_kernel::{Actor, ActorRef, Ctx, Kernel, KernelConfig, Outcome, Seat, Time};

use crate::common::{Realm, lane_of};

/// Tells numbers, as many as are taken, and the rest in the next round.
struct Flooder {
    to: ActorRef<u64>,
    next: u64,
    end: u64,
}

impl Actor for Flooder {
    type Msg = ();
    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        while self.next < self.end && ctx.try_tell(self.to, self.next).is_ok() {
            self.next += 1;
        }
        if self.next < self.end {
            let me = ctx.me();
            ctx.tell(me, ());
        }
        Ok(())
    }
}

/// Sees to it that each number comes once and in order.
struct Flooded {
    next: u64,
    end: u64,
    done: Arc<AtomicU64>,
}

impl Actor for Flooded {
    type Msg = u64;
    fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        assert_eq!(n, self.next);
        self.next += 1;
        if self.next == self.end {
            self.done.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

#[test]
fn two_kernels_flooding_each_other_over_tiny_lanes_lose_and_reorder_nothing() {
    const EACH: u64 = 500_000;
    let config = KernelConfig { outbox_bytes: 4096, shares: [8; 4], ..KernelConfig::default() };
    let mut realm = Realm::new::<16>(2, 1 << 20, &config);
    let done = Arc::new(AtomicU64::new(0));
    let to: Vec<_> = (0..2)
        .map(|shard| {
            let flooded = Flooded { next: 0, end: EACH, done: done.clone() };
            realm.worlds[shard].spawn(flooded).unwrap()
        })
        .collect();
    for shard in 0..2 {
        let flooder = Flooder { to: to[1 - shard], next: 0, end: EACH };
        let flooder = realm.worlds[shard].spawn(flooder).unwrap();
        realm.worlds[shard].tell(flooder, ());
    }
    let mut used = None;
    let mut turns = 0u64;
    while done.load(Ordering::SeqCst) < 2 {
        for world in &mut realm.worlds {
            world.turn();
        }
        let now: Vec<_> = realm.worlds.iter().map(|world| world.stats().used_bytes).collect();
        turns += 1;
        if turns == 100 {
            used = Some(now);
        } else if let Some(used) = &used {
            assert_eq!(*used, now, "memory is bounded");
        }
    }
    for world in &realm.worlds {
        assert_eq!((world.panics.len(), world.stats().dead_letters), (0, 0));
    }
}

#[test]
fn two_kernels_on_two_threads_flooding_each_other_lose_and_reorder_nothing() {
    const EACH: u64 = 20_000;
    let done = Arc::new(AtomicU64::new(0));
    let (to_zero, to_one) = (lane_of::<32>(), lane_of::<32>());
    let (signals_to_zero, signals_to_one) = (lane_of::<64>(), lane_of::<64>());
    let (tell_one, heard_by_one) = std::sync::mpsc::channel();
    let (tell_zero, heard_by_zero) = std::sync::mpsc::channel();
    let ends = [
        (to_one.0, signals_to_one.0, to_zero.1, signals_to_zero.1, tell_one, heard_by_zero),
        (to_zero.0, signals_to_zero.0, to_one.1, signals_to_one.1, tell_zero, heard_by_one),
    ];
    let threads: Vec<_> = Seat::realm(2)
        .unwrap()
        .zip(ends)
        .map(|(seat, (out, signals_out, lane, signals, publish, peer))| {
            let done = done.clone();
            thread::spawn(move || {
                let other = 1 - seat.place().shard();
                let config = KernelConfig { outbox_bytes: 4096, shares: [8; 4], ..KernelConfig::default() };
                let mut kernel = Kernel::seated(crate::common::region(1 << 20), config, seat, 2).unwrap();
                kernel.add_lane(lane).unwrap();
                kernel.add_signal_lane(signals).unwrap();
                kernel.connect(other, out, signals_out);
                let flooded = Flooded { next: 0, end: EACH, done: done.clone() };
                publish.send(kernel.spawn(flooded).unwrap()).unwrap();
                let flooder = Flooder { to: peer.recv().unwrap(), next: 0, end: EACH };
                let flooder = kernel.spawn(flooder).unwrap();
                kernel.tell(flooder, ());
                let mut turns = 0;
                while done.load(Ordering::SeqCst) < 2 {
                    kernel.turn(Time::from_nanos(turns));
                    turns += 1;
                    thread::yield_now();
                }
                assert_eq!(kernel.stats().dead_letters, 0);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(done.load(Ordering::SeqCst), 2);
}

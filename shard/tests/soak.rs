//! A soak: two shards flood each other over tiny lanes, with signals going on all the while. Nothing is lost, nothing is
//! reordered, memory stays bounded.

mod common;

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use common::builder;
use corelane_kernel::{Actor, ActorRef, Ctx, KernelConfig, Outcome, Terminated};
use corelane_shard::On;

/// Messages each flooder tells. Debug builds take ten times as long for one.
const EACH: u64 = if cfg!(debug_assertions) { 500_000 } else { 2_000_000 };
/// Flooders on each shard: as many pairs.
const PAIRS: usize = 2;
/// Messages told in one go.
const BURST: u64 = 100;
/// Far longer than it takes; a loaded machine gives two threads a small part of one core.
const PATIENCE: Duration = Duration::from_secs(600);

enum Flood {
    /// Whom to tell.
    Begin(ActorRef<Flood>),
    /// Tell on.
    Go,
    /// The peer's number, and something on the heap so that a lost message is a leak.
    Number(u64, Option<Box<u64>>),
}

/// Tells its peer all numbers in order, hears the peer's, and spawns, watches and stops a child now and then.
struct Flooder {
    peer: Option<ActorRef<Flood>>,
    told: u64,
    heard: u64,
    /// Children whose end was asked for on another shard, and ends heard of.
    ended: (u64, u64),
    reaper: ActorRef<ActorRef<()>>,
    done: Sender<(u64, u64)>,
}

impl Flooder {
    fn tell_on(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let Some(peer) = self.peer else { return Ok(()) };
        let until = EACH.min(self.told + BURST);
        while self.told < until {
            let heavy = self.told.is_multiple_of(64).then(|| Box::new(self.told));
            if ctx.try_tell(peer, Flood::Number(self.told, heavy)).is_err() {
                break;
            }
            self.told += 1;
            if self.told.is_multiple_of(1_000) {
                let child = ctx.spawn(Child)?;
                ctx.watch(child)?;
                if ctx.try_tell(self.reaper, child).is_ok() {
                    self.ended.0 += 1;
                } else {
                    ctx.unwatch(child);
                    ctx.stop(child);
                }
            }
        }
        if self.told < EACH {
            let me = ctx.me();
            ctx.try_tell(me, Flood::Go)?;
        }
        Ok(())
    }

    fn report_if_done(&self) -> Outcome {
        if self.told == EACH && self.heard == EACH && self.ended.0 == self.ended.1 {
            self.done.send(self.ended)?;
        }
        Ok(())
    }
}

impl Actor for Flooder {
    type Msg = Flood;

    fn receive(&mut self, msg: Flood, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Flood::Begin(peer) => {
                self.peer = Some(peer);
                self.tell_on(ctx)?;
            }
            Flood::Go => self.tell_on(ctx)?,
            Flood::Number(number, heavy) => {
                assert_eq!(number, self.heard, "in order, none lost, none twice");
                assert!(heavy.is_none_or(|heavy| *heavy == number));
                self.heard += 1;
            }
        }
        self.report_if_done()
    }

    fn terminated(&mut self, _: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        self.ended.1 += 1;
        self.report_if_done()
    }
}

struct Child;

impl Actor for Child {
    type Msg = ();
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

/// Stops whom it is told of: signals that cross while messages flood.
struct Reaper;

impl Actor for Reaper {
    type Msg = ActorRef<()>;
    fn receive(&mut self, whom: ActorRef<()>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.stop(whom);
        Ok(())
    }
}

/// Reliability 19.
#[test]
fn two_shards_that_flood_each_other_over_tiny_lanes_lose_and_reorder_nothing() {
    let kernel = KernelConfig { outbox_bytes: 16 << 10, ..KernelConfig::default() };
    let system =
        builder(2).lane_bytes(4 << 10).kernel(kernel).shutdown_within(PATIENCE).start().expect("a system");
    let mut gateway = system.gateway().expect("a gateway");
    let (done, heard) = channel();
    let reapers = [0, 1].map(|shard| system.spawn_on(On::Shard(shard), || Reaper).expect("a reaper"));
    for _ in 0..PAIRS {
        let pair = [0, 1].map(|shard| {
            let (reaper, done) = (reapers[1 - shard], done.clone());
            let flooder =
                move || Flooder { peer: None, told: 0, heard: 0, ended: (0, 0), reaper, done: done.clone() };
            system.spawn_on(On::Shard(shard), flooder).expect("a flooder")
        });
        for (one, other) in [(0, 1), (1, 0)] {
            gateway.tell_within(pair[one], Flood::Begin(pair[other]), PATIENCE).expect("a way in");
        }
    }
    for _ in 0..2 * PAIRS {
        let (asked, ended) = heard.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            panic!("a flooder ends: {:?}", system.stats());
        });
        assert_eq!(asked, ended, "each child's end was told once");
    }
    for shard in system.stats() {
        assert!(shard.used_bytes < 4 << 20, "memory stays bounded: {} bytes", shard.used_bytes);
    }
    drop(gateway);
    let report = system.shutdown(PATIENCE);
    assert!(report.is_clean() && report.dead_letters() == 0, "{report}");
}

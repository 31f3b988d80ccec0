//! A storm of panics: hundreds of thousands beside a thousand siblings, which miss nothing, and nothing is left behind.
//!
//! It looks at the memory of the whole process and at its panic hook, so it is alone in its file. Counts end it, not time.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use common::{builder, end, hush, next};
use corelane_kernel::{Actor, ActorRef, Ctx, KernelConfig, Outcome};
use corelane_shard::On;

const SIBLINGS: u64 = 1000;
const WEAK: u64 = 10;
/// Panics and messages to siblings in a round.
const PANICS: u64 = 30;
const MESSAGES: u64 = 100;
const ROUNDS: u64 = 10_000;
/// Rounds after which memory must not grow any more.
const WARM: u64 = 1000;

/// Adds up what it is told.
struct Sibling(Arc<AtomicU64>);

impl Actor for Sibling {
    type Msg = u64;
    fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        self.0.fetch_add(n, Ordering::Relaxed);
        Ok(())
    }
}

/// Panics at every message.
struct Weak(#[allow(dead_code)] Box<[u64; 16]>);

impl Actor for Weak {
    type Msg = u64;
    fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        panic!("on purpose: {n}")
    }
}

/// Tells both, round after round, and shows the process's memory when it is warm and in the end.
struct Storm {
    siblings: Vec<ActorRef<u64>>,
    weak: Vec<ActorRef<u64>>,
    resident: Sender<u64>,
}

impl Actor for Storm {
    type Msg = u64;
    fn receive(&mut self, round: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if round == WARM || round == ROUNDS {
            self.resident.send(resident())?;
        }
        if round < ROUNDS {
            for n in 0..PANICS {
                ctx.tell(self.weak[(n % WEAK) as usize], n);
            }
            for n in 0..MESSAGES {
                ctx.tell(self.siblings[((round * MESSAGES + n) % SIBLINGS) as usize], 1);
            }
            let me = ctx.me();
            ctx.tell(me, round + 1);
        }
        Ok(())
    }
}

/// Resident memory of the process, in bytes; zero where the system does not tell.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Reliability 16: 300,000 panics beside a thousand siblings, every message of which is handled; neither the region nor
/// the process grows; and the panic hook is not called for each.
#[test]
fn a_storm_of_panics_costs_siblings_no_message_and_leaves_no_memory_behind() {
    let shown = Arc::new(AtomicU64::new(0));
    let shows = shown.clone();
    hush();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        shows.fetch_add(1, Ordering::Relaxed);
        before(info);
    }));
    let system = builder(1).kernel(KernelConfig::default()).start().unwrap();
    let sum = Arc::new(AtomicU64::new(0));
    let siblings = (0..SIBLINGS).map(|_| {
        let sum = sum.clone();
        system.spawn_on(On::Shard(0), move || Sibling(sum.clone())).unwrap()
    });
    let siblings: Vec<_> = siblings.collect();
    let weak = (0..WEAK).map(|n| system.spawn_on(On::Shard(0), move || Weak(Box::new([n; 16]))).unwrap());
    let weak: Vec<_> = weak.collect();
    let (resident, measured) = std::sync::mpsc::channel();
    let storm = system.spawn_on(On::Shard(0), move || Storm {
        siblings: siblings.clone(),
        weak: weak.clone(),
        resident: resident.clone(),
    });
    system.gateway().unwrap().tell(storm.unwrap(), 0);
    let warm = next(&measured);
    let used = system.call(0, |scope| scope.stats().used_bytes).unwrap();
    let after = next(&measured);
    let stats = system.call(0, |scope| scope.stats()).unwrap();

    assert_eq!(sum.load(Ordering::Relaxed), ROUNDS * MESSAGES);
    let panics = ROUNDS * PANICS;
    assert_eq!((stats.failed, stats.restarted), (panics, panics));
    assert_eq!(stats.used_bytes, used, "panics leave nothing behind in the region");
    assert!(after <= warm + warm / 20, "the process grew from {warm} to {after} bytes");
    assert_eq!(shown.load(Ordering::Relaxed), 10, "of the panics of a shard, the hook shows ten");
    // Those of other threads are shown as ever.
    assert!(std::panic::catch_unwind(|| panic!("on purpose")).is_err());
    assert_eq!(shown.load(Ordering::Relaxed), 11);
    let report = end(system);
    assert_eq!(report.dead_letters(), panics, "the messages that panicked, and no other");
}

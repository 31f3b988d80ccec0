//! Overload: a consumer that handles a tenth of what it is told. What waits stays within its bounds, what is refused is
//! counted, what was taken is handled, and signals pass all of it. By counts: each round tells so many and takes one turn.

mod common;

use std::sync::{Arc, Mutex};

use common::{Realm, World, lock};
use corelane_kernel::{Actor, ActorRef, Ctx, DeadLetter, DeadReason, Group, KernelConfig, Outcome};

/// Messages a turn handles, and messages told in a round.
const SLOW: u32 = 8;
const FAST: u64 = 10 * SLOW as u64;
const ROUNDS: u64 = 5_000;
/// Rounds after which all that can fill has filled.
const WARM: u64 = 500;

fn config() -> KernelConfig {
    KernelConfig { shares: [SLOW; 4], budget: SLOW, outbox_bytes: 4096, ..KernelConfig::default() }
}

/// Expects the numbers it is told to rise, and counts them.
struct Consumer {
    last: Option<u64>,
    handled: Arc<Mutex<u64>>,
}

impl Actor for Consumer {
    type Msg = u64;
    fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        assert!(self.last.is_none_or(|last| last < n), "{n} after {:?}", self.last);
        self.last = Some(n);
        *lock(&self.handled) += 1;
        Ok(())
    }
}

/// Reliability 19, between two cores: lane and outbox fill, then the sender gets its messages back.
#[test]
fn a_slow_consumer_on_another_core_costs_no_more_memory_than_its_lane_and_outbox() {
    let mut realm = Realm::new::<512>(2, 1 << 20, &config());
    let handled = Arc::new(Mutex::new(0));
    let consumer = Consumer { last: None, handled: handled.clone() };
    let consumer = realm.worlds[1].spawn(consumer).unwrap();
    let watcher = realm.worlds[0].puppet("w");
    realm.events();
    let used = |realm: &Realm| [0, 1].map(|world| realm.worlds[world].stats().used_bytes);
    let (mut taken, mut refused, mut warm) = (0, 0, [0; 2]);
    for round in 0..ROUNDS {
        for n in 0..FAST {
            match realm.worlds[0].try_tell(consumer, round * FAST + n) {
                Ok(()) => taken += 1,
                Err(full) => {
                    assert_eq!(full.into_inner(), round * FAST + n, "it comes back");
                    refused += 1;
                }
            }
        }
        if round % 100 == 0 {
            // A watch and a stop pass all that waits: each within one turn of the other core, and its notice likewise.
            let target = realm.worlds[1].puppet("t");
            realm.worlds[0].have(watcher, move |_, ctx| {
                ctx.watch(target).unwrap();
                ctx.stop(target);
            });
            realm.worlds[0].turn();
            realm.worlds[1].turn();
            realm.worlds[0].turn();
            let events = realm.log().take();
            assert!(
                events.ends_with(&["t stopped".to_owned(), "w hears: t stopped".to_owned()]),
                "{events:?}"
            );
        }
        realm.worlds[0].turn();
        realm.worlds[1].turn();
        if round == WARM {
            warm = used(&realm);
        }
    }
    let waiting = taken - *lock(&handled);
    // Three words each, in a lane of 512 words, an outbox of 4 KiB and a batch.
    assert!((100..=600).contains(&waiting), "{waiting} wait");
    assert!(refused > ROUNDS * FAST * 8 / 10, "{refused} came back");
    for (now, warm) in used(&realm).into_iter().zip(warm) {
        assert!(now <= warm + warm / 10, "{warm} bytes grew to {now}");
    }
    realm.settle();
    assert_eq!(*lock(&handled), taken, "what was taken is handled");
    assert_eq!(realm.worlds[0].letters(), [], "what came back is no dead letter");
}

/// Hears of dead letters.
struct Clerk(Arc<Mutex<u64>>);

impl Actor for Clerk {
    type Msg = DeadLetter;
    fn receive(&mut self, letter: DeadLetter, _: &mut Ctx<'_, Self>) -> Outcome {
        assert_eq!(letter.reason, DeadReason::MailboxFull);
        *lock(&self.0) += 1;
        Ok(())
    }
}

/// Reliability 19, 20: on one core, a mailbox that is full drops what comes; each drop is counted and told of.
#[test]
fn a_slow_consumer_with_a_bounded_mailbox_drops_the_rest_and_each_drop_is_told_of() {
    const BOUND: u32 = 100;
    let mut world = World::with(1 << 20, config());
    let (handled, told) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let consumer = Consumer { last: None, handled: handled.clone() };
    let consumer: ActorRef<u64> = world.scope().spawner().mailbox(BOUND).spawn(consumer).unwrap();
    let clerk = world.scope().spawner().group(Group::Urgent).spawn(Clerk(told.clone())).unwrap();
    world.scope().subscribe_dead_letters(clerk).unwrap();
    let mut warm = 0;
    for round in 0..ROUNDS {
        for n in 0..FAST {
            world.tell(consumer, round * FAST + n);
        }
        if round % 100 == 0 {
            let target = world.puppet("t");
            world.scope().stop(target);
            // One turn, whatever waits.
            world.turn();
            assert_eq!(world.log.take(), ["t started", "t stopped"]);
        }
        world.turn();
        // The clerk's share is as small as the consumer's: let it keep up.
        while *lock(&told) < world.dead_letters(DeadReason::MailboxFull) {
            world.turn();
        }
        if round == WARM {
            warm = world.stats().used_bytes;
        }
        assert!(world.scope().mailbox_len(consumer).unwrap() <= BOUND);
    }
    let used = world.stats().used_bytes;
    assert!(used <= warm + warm / 10, "{warm} bytes grew to {used}");
    world.settle();
    assert_eq!(*lock(&handled) + *lock(&told), ROUNDS * FAST, "each was handled or told of");
    assert_eq!(world.letters(), [(DeadReason::MailboxFull, *lock(&told))]);
}

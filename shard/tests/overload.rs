//! Overload between shards: a consumer that does not come to its messages costs the others the room that lanes and outboxes
//! have, and nothing else; what is ordered meanwhile is done before what waits.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

use common::{Job, Puppet, await_some, builder, end, failure, next, puppet, tell, watch, with};
use corelane_kernel::{ActorRef, Ctx, KernelConfig, Strategy};

/// Messages of a lane that a shard handles in a turn.
const BUDGET: u64 = 16;
/// Bytes of a lane, and of what may wait behind it: a block of the region, at the least.
const LANE: usize = 4 << 10;
const OUTBOX: usize = 64 << 10;
/// Far more than lane and outbox hold.
const FLOOD: u64 = 50_000;

/// Tells a consumer to count, until that is refused or the flood is over. Gives how many were taken.
fn flood(ctx: &mut Ctx<'_, Puppet>, consumer: ActorRef<Job>, handled: &Arc<AtomicU64>) -> u64 {
    (0..FLOOD)
        .filter(|_| {
            let handled = handled.clone();
            let count = Job::run(move |_| _ = handled.fetch_add(1, Ordering::SeqCst));
            ctx.try_tell(consumer, count).is_ok()
        })
        .count() as u64
}

/// Reliability 19, 21: the consumer is held by the test, so that nothing here depends on how fast a shard is.
#[test]
fn a_consumer_that_is_held_costs_others_the_room_of_a_lane_and_signals_pass_what_waits() {
    let batch = 8 * KernelConfig::default().batch_words;
    let kernel = KernelConfig {
        budget: BUDGET as u32,
        outbox_bytes: OUTBOX,
        supervision: Strategy::stopping(),
        ..KernelConfig::default()
    };
    let system = builder(3).lane_bytes(LANE).kernel(kernel).stall_after(None).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let (producer, consumer, other) = (puppet(&system, 0), puppet(&system, 1), puppet(&system, 2));
    let handled = Arc::new(AtomicU64::new(0));
    // When it stops, how many messages were handled.
    let (seen, at_stop) = channel();
    let count = handled.clone();
    let target =
        Puppet::default().stopped(move |_| seen.send(count.load(Ordering::SeqCst)).unwrap()).on(&system, 1);
    let (notices, heard) = channel();
    let watcher = Puppet::default().notices(notices).on(&system, 0);
    watch(&system, &mut gateway, watcher, target);

    // The consumer is in its handler until the test lets it go.
    let (holds, is_held) = channel();
    let (let_go, go_on) = channel::<()>();
    tell(
        &mut gateway,
        consumer,
        Job::run(move |_| {
            holds.send(()).unwrap();
            go_on.recv().unwrap();
        }),
    );
    next(&is_held);
    let mut taken = 0;
    // What waits in the outbox moves on to the lane, until both are full.
    let used = await_some(|| {
        let count = handled.clone();
        let told = with(&mut gateway, producer, move |ctx| flood(ctx, consumer, &count));
        taken += told;
        let used = system.call(0, |scope| scope.stats().used_bytes).unwrap();
        (told == 0).then_some(used)
    });
    // Each is at least four words long.
    let room = ((LANE + batch + OUTBOX) / (4 * 8)) as u64;
    assert!((100..=room).contains(&taken), "{taken} were taken, where {room} have room");

    // Refused ones take no memory, and those on a third shard are served as ever.
    for n in 0..1000u64 {
        assert_eq!(with(&mut gateway, other, move |_| n), n);
    }
    let count = handled.clone();
    assert_eq!(with(&mut gateway, producer, move |ctx| flood(ctx, consumer, &count)), 0);
    assert_eq!(system.call(0, |scope| scope.stats().used_bytes).unwrap(), used);
    assert_eq!(handled.load(Ordering::SeqCst), 0);

    // An order to stop somebody else there is given last, and done first: all that the turn under way may handle is before it.
    with(&mut gateway, producer, move |ctx| ctx.stop(target));
    // It is on its way when the shard has come to a turn after it.
    system.call(0, |_| ()).unwrap();
    system.call(0, |_| ()).unwrap();
    let_go.send(()).unwrap();
    let before = next(&at_stop);
    assert!(before <= BUDGET, "{before} of {taken} messages passed the signal");
    assert_eq!(failure(&next(&heard)), "Stopped");
    await_some(|| (handled.load(Ordering::SeqCst) == taken).then_some(()));
    let report = end(system);
    assert_eq!(report.dead_letters(), 0, "what was refused came back: {report}");
}

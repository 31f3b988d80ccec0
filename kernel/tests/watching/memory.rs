//! With memory used up, notices wait, and are not lost.

use std::time::Duration;

use corelane_kernel::{ActorRef, Group, KernelConfig};

use crate::common::{Order, Puppet, Realm, World, order};

/// Takes all that is left of a region, down to the smallest watch.
fn use_up(world: &mut World) {
    let mut hubs = Vec::new();
    while let Ok(hub) = world.kernel.spawn(Puppet::new("filler", &world.log)) {
        hubs.push(hub);
    }
    world.settle();
    for hub in hubs {
        world.have(hub, |_, ctx| {
            let mut n = 0;
            while ctx.stash(Order::Note(n)).is_ok() && n < 1000 {
                n += 1;
            }
            let mut n = 0;
            while ctx.set_timer(n, Duration::from_secs(1000), Order::Note(n)).is_ok() {
                n += 1;
            }
        });
    }
    world.log.take();
}

#[test]
fn a_notice_that_waits_for_room_holds_up_none_for_others() {
    const MANY: usize = 60;
    let mut realm = Realm::new::<256>(3, 128 << 10, &KernelConfig::default());
    let near = realm.worlds[0].puppet("near");
    let (far, other) = (realm.worlds[1].puppet("far"), realm.worlds[2].puppet("other"));
    realm.events();
    let targets: Vec<_> = (0..MANY).map(|_| realm.worlds[0].puppet("t")).collect();
    let all = targets.clone();
    realm.have(1, far, move |_, ctx| {
        for target in &all {
            ctx.watch(*target).unwrap();
        }
    });
    let last = targets[MANY - 1];
    realm.have(2, other, move |_, ctx| ctx.watch(last).unwrap());
    realm.have(0, near, move |_, ctx| ctx.watch(last).unwrap());
    use_up(&mut realm.worlds[0]);
    for target in targets {
        realm.worlds[0].scope().stop(target);
    }
    for _ in 0..3 {
        realm.worlds[0].turn();
    }
    assert!(realm.worlds[0].turn().more, "some wait for room");
    assert!(realm.log().take().contains(&"near hears: t stopped".to_owned()));
    realm.worlds[2].settle();
    assert_eq!(realm.log().take(), ["other hears: t stopped"]);
    let events = realm.events();
    assert_eq!(events, vec!["far hears: t stopped"; MANY], "each once, when there is room");
}

/// Messages may take what is left of a region.
fn greedy() -> KernelConfig {
    KernelConfig { queue_share: 256, ..KernelConfig::default() }
}

/// Takes the segments that queues have given back: until the next turn has handled what waits.
fn take_all_segments(world: &mut World, to: ActorRef<Order>) {
    while world.try_tell(to, Order::Note(0)).is_ok() {}
}

/// There is room for a few notices in the lane, and for none behind it.
#[test]
fn who_watches_somebody_gone_elsewhere_is_told_so_however_little_memory_is_left_there() {
    const MANY: usize = 12;
    let mut realm = Realm::new::<256>(2, 128 << 10, &greedy());
    let (near, far) = (realm.worlds[0].puppet("near"), realm.worlds[1].puppet("far"));
    let targets: Vec<_> = (0..MANY).map(|_| realm.worlds[0].puppet("t")).collect();
    realm.settle();
    for target in &targets {
        realm.worlds[0].stop(*target);
    }
    use_up(&mut realm.worlds[0]);
    realm.worlds[1].tell(
        far,
        order(move |_, ctx| {
            for target in &targets {
                ctx.watch(*target).unwrap();
            }
        }),
    );
    realm.worlds[1].turn();
    take_all_segments(&mut realm.worlds[0], near);
    let before = realm.worlds[0].stats().refusals;
    realm.worlds[0].turn();
    assert!(realm.worlds[0].stats().refusals > before, "some wait for room");
    realm.settle();
    let heard = realm.log().take().into_iter().filter(|event| event.starts_with("far"));
    assert_eq!(
        heard.collect::<Vec<_>>(),
        vec!["far hears: t not found"; MANY],
        "each once, when there is room"
    );
}

/// A message of a group that may wait goes from its lane to its queue, which had no use for memory before.
#[test]
fn a_message_of_a_lower_group_that_finds_no_queue_runs_out_of_its_lane() {
    let mut realm = Realm::new::<256>(2, 128 << 10, &greedy());
    let log = realm.log();
    let bulk = realm.worlds[0].scope().spawner().group(Group::Bulk).spawn(Puppet::new("bulk", &log)).unwrap();
    let normal = realm.worlds[0].puppet("normal");
    realm.settle();
    use_up(&mut realm.worlds[0]);
    for n in 1..=2 {
        realm.worlds[1].tell(bulk, Order::Note(n));
        realm.worlds[1].tell(normal, Order::Note(n));
    }
    realm.worlds[1].turn();
    take_all_segments(&mut realm.worlds[0], normal);
    realm.worlds[0].turn();
    let mut events = realm.log().take();
    events.truncate(4);
    assert_eq!(events, ["bulk 1", "normal 1", "bulk 2", "normal 2"]);
}

//! Bounds: full is an answer. Queues and mailboxes refuse what is too much, give it back, and take again when there
//! is room; signals are never among what is refused.

mod common;

use common::{Census, Order, Puppet, Realm, World, attempt, ms, order};
use corelane_kernel::{ActorRef, DeadReason, Failure, Group, KernelConfig, ReplyTo, TellError};

/// A world whose queues hold few messages.
fn narrow() -> World {
    World::with(64 * 1024, KernelConfig { queue_share: 1, ..KernelConfig::default() })
}

#[test]
fn a_full_queue_gives_the_message_back_and_takes_again_after_it_was_worked_on() {
    let mut world = narrow();
    let census = Census::default();
    let a = world.puppet("a");
    world.events();
    let mut told = 0;
    let refused = loop {
        match world.try_tell(a, Order::Carry(census.token())) {
            Ok(()) => told += 1,
            Err(refused) => break refused,
        }
    };
    assert!(told > 10, "{told}");
    assert!(matches!(refused, TellError::Full(Order::Carry(_))), "{refused:?}");
    census.expect(told + 1);
    drop(refused);
    // Refusing changed nothing: all that was taken is handled, and there is room again.
    world.settle();
    census.expect_none();
    assert_eq!(world.letters(), []);
    for _ in 0..told {
        world.try_tell(a, Order::Carry(census.token())).expect("room again");
    }
    world.settle();
    census.expect_none();
}

/// Reliability 20.
#[test]
fn what_a_full_queue_refuses_is_counted_as_a_dead_letter_each_time() {
    let mut world = narrow();
    let census = Census::default();
    let a = world.puppet("a");
    world.events();
    let mut told = 0;
    while world.try_tell(a, Order::Note(0)).is_ok() {
        told += 1;
    }
    for _ in 0..25 {
        world.tell(a, Order::Carry(census.token()));
    }
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::QueueFull, 25)]);
    assert_eq!(world.events().len(), told);
}

/// What was taken from a bound is given back to whom it was taken from: of one that is gone that is nobody.
#[test]
fn a_full_queue_gives_back_what_is_told_to_one_who_is_gone_and_leaves_its_successor_alone() {
    let mut world = narrow();
    let bounded = |world: &mut World, name| {
        let puppet = Puppet::new(name, &world.log);
        world.scope().spawner().mailbox(1).spawn(puppet).unwrap()
    };
    let a = world.puppet("a");
    let gone = bounded(&mut world, "gone");
    world.settle();
    world.scope().stop(gone);
    world.settle();
    let fill = |world: &mut World| while world.try_tell(a, Order::Note(0)).is_ok() {};
    fill(&mut world);
    assert!(matches!(world.try_tell(gone, Order::Note(1)), Err(TellError::Full(_))), "nobody is there");
    world.settle();

    let heir = bounded(&mut world, "heir");
    world.settle();
    world.try_tell(heir, Order::Note(2)).expect("room for one");
    fill(&mut world);
    assert!(matches!(world.try_tell(gone, Order::Note(3)), Err(TellError::Full(_))));
    assert_eq!(world.scope().mailbox_len(heir), Some(1));
    assert!(matches!(world.try_tell(heir, Order::Note(4)), Err(TellError::MailboxFull(_))));
}

#[test]
fn one_groups_full_queue_is_not_anothers() {
    let mut world = narrow();
    let bulk = Puppet::new("bulk", &world.log);
    let bulk = world.scope().spawner().group(Group::Bulk).spawn(bulk).unwrap();
    let a = world.puppet("a");
    while world.try_tell(bulk, Order::Note(0)).is_ok() {}
    world.try_tell(a, Order::Note(1)).expect("room in another queue");
    assert!(world.events().contains(&"a 1".to_owned()));
}

#[test]
fn the_length_of_a_bounded_mailbox_can_be_looked_up() {
    let mut world = World::new();
    let bounded = Puppet::new("bounded", &world.log);
    let bounded = world.scope().spawner().mailbox(3).spawn(bounded).unwrap();
    let a = world.puppet("a");
    world.settle();
    assert_eq!(world.scope().mailbox_len(bounded), Some(0));
    (0..5).for_each(|n| world.tell(bounded, Order::Note(n)));
    assert_eq!(world.scope().mailbox_len(bounded), Some(3), "what is refused does not wait");
    world.settle();
    assert_eq!(world.scope().mailbox_len(bounded), Some(0));
    assert_eq!(world.scope().mailbox_len(a), None, "it has no bound");
    assert_eq!(world.scope().mailbox_len(ActorRef::<u64>::nobody()), None);
    world.stop(bounded);
    assert_eq!(world.scope().mailbox_len(bounded), None, "it is gone");
    let mut realm = Realm::pair();
    let far = Puppet::new("far", &realm.log());
    let far = realm.worlds[1].scope().spawner().mailbox(3).spawn(far).unwrap();
    assert_eq!(realm.worlds[0].scope().mailbox_len(far), None, "it lives elsewhere");
}

/// Reliability 20.
#[test]
fn signals_are_taken_however_full_the_queues_are() {
    let mut world = narrow();
    let (w, t, p) = (world.puppet("w"), world.puppet("t"), world.puppet("p"));
    world.have(w, move |_, ctx| ctx.watch(t).unwrap());
    world.have(p, |me, ctx| {
        let child = ctx.spawn(me.other("c")).unwrap();
        ctx.tell(child, attempt(|_, _| Err(Failure::new("bad"))));
    });
    world.events();
    for to in [w, t] {
        while world.try_tell(to, Order::Note(0)).is_ok() {}
    }
    // Stopping, spawning and watching all work, and the stop overtakes all messages.
    let before = world.stats().handled;
    world.scope().stop(t);
    let u = world.puppet("u");
    world.turn();
    let mut events = world.log.take();
    assert_eq!(events[..2], ["t stopped", "u started"]);
    assert!(world.stats().handled > before);
    world.scope().stop(u);
    events.extend(world.events());
    assert!(events.contains(&"w hears: t stopped".to_owned()));
}

fn bounded(world: &mut World, bound: u32) -> ActorRef<Order> {
    let puppet = Puppet::new("a", &world.log);
    let a = world.scope().spawner().mailbox(bound).spawn(puppet).unwrap();
    world.events();
    a
}

/// Reliability 20.
#[test]
fn a_bounded_mailbox_takes_so_many_and_gives_the_next_back() {
    let mut world = World::new();
    let a = bounded(&mut world, 3);
    let b = world.puppet("b");
    for n in 0..3 {
        world.try_tell(a, Order::Note(n)).expect("room");
    }
    let refused = world.try_tell(a, Order::Note(3)).unwrap_err();
    assert!(matches!(refused, TellError::MailboxFull(Order::Note(3))));
    assert_eq!(refused.to_string(), "the actor's mailbox is full");
    world.tell(a, Order::Note(4));
    // It is its own bound: another is told as before.
    world.tell(b, Order::Note(5));
    assert_eq!(world.events(), ["b started", "a 0", "a 1", "a 2", "b 5"]);
    assert_eq!(world.letters(), [(DeadReason::MailboxFull, 1)]);
    for n in 0..3 {
        world.try_tell(a, Order::Note(n)).expect("room again");
    }
    assert_eq!(world.events(), ["a 0", "a 1", "a 2"]);
}

#[test]
fn a_full_mailbox_keeps_out_no_outcome_that_its_actor_waits_for() {
    let mut world = World::new();
    let a = bounded(&mut world, 1);
    world.tell(
        a,
        order(|_, ctx| {
            let myself = ctx.me();
            ctx.tell(myself, Order::Note(1));
            // Nobody can be told, least of all this one: the question is refused, and it hears so.
            ctx.ask(
                myself,
                ms(5),
                |_: ReplyTo<()>| Order::Note(2),
                |outcome| order(move |me, _| me.say(format_args!("{outcome:?}"))),
            );
            ctx.scope().answer(myself, Order::Note(3));
        }),
    );
    assert_eq!(world.events(), ["a 1", "a Err(NotSent)", "a 3"]);
    assert_eq!(world.letters(), []);
    // They were counted: there is room for as many as before.
    world.try_tell(a, Order::Note(4)).expect("room");
    assert!(world.try_tell(a, Order::Note(5)).is_err());
}

#[test]
fn a_bounded_actor_has_room_again_as_soon_as_it_begins_to_handle_one() {
    let mut world = World::new();
    let a = bounded(&mut world, 1);
    world.tell(
        a,
        order(|me, ctx| {
            let myself = ctx.me();
            assert!(ctx.try_tell(myself, Order::Note(1)).is_ok());
            assert!(ctx.try_tell(myself, Order::Note(2)).is_err());
            me.say("told itself");
        }),
    );
    assert_eq!(world.events(), ["a told itself", "a 1"]);
}

#[test]
fn messages_that_wait_behind_a_suspension_count_towards_the_bound() {
    let mut world = World::new();
    let a = bounded(&mut world, 2);
    world.scope().suspend(a).unwrap();
    world.try_tell(a, Order::Note(1)).expect("room");
    world.settle();
    world.try_tell(a, Order::Note(2)).expect("room");
    world.settle();
    assert!(world.try_tell(a, Order::Note(3)).is_err());
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 1", "a 2"]);
    world.try_tell(a, Order::Note(4)).expect("room");
    assert_eq!(world.events(), ["a 4"]);
}

#[test]
fn stashed_messages_do_not_count_towards_the_bound_and_are_not_refused_by_it() {
    let mut world = World::new();
    let a = bounded(&mut world, 1);
    for n in 1..=4 {
        world.try_tell(a, Order::Stash(n)).expect("room");
        world.settle();
    }
    world.tell(a, order(|me, ctx| me.say(ctx.unstash_all())));
    world.settle();
    assert_eq!(world.events(), ["a 4", "a 1", "a 2", "a 3", "a 4"]);
    world.try_tell(a, Order::Note(9)).expect("room");
    assert!(world.try_tell(a, Order::Note(10)).is_err(), "the bound is what it was");
    assert_eq!(world.events(), ["a 9"]);
}

#[test]
fn what_a_bounded_actor_asked_or_set_itself_reaches_it_beyond_the_bound() {
    let mut world = World::new();
    let a = bounded(&mut world, 1);
    let helper = world.puppet("h");
    let t = world.puppet("t");
    world.have(a, move |_, ctx| {
        ctx.set_timer(1, common::ms(1), Order::Say("timer".to_owned())).unwrap();
        ctx.watch_with(t, Order::Say("watch".to_owned())).unwrap();
        ctx.ask(
            helper,
            common::ms(50),
            |reply: ActorRef<u64>| order(move |_, ctx| ctx.tell(reply, 1)),
            |answer| Order::Say(format!("answer {answer:?}")),
        );
        ctx.ask(
            helper,
            common::ms(2),
            |_: ActorRef<u64>| Order::Note(0),
            |answer| Order::Say(format!("answer {answer:?}")),
        );
        ctx.suspend_self().unwrap();
    });
    world.tell(a, Order::Note(1));
    world.stop(t);
    world.pass(common::ms(10));
    world.log.take();
    world.scope().resume(a);
    let mut events = world.events();
    events.sort();
    assert_eq!(events, ["a 1", "a answer Err(Timeout)", "a answer Ok(1)", "a timer", "a watch"]);
    assert_eq!(world.letters(), []);
}

#[test]
fn stopping_a_bounded_actor_gives_no_credit_to_the_next_in_its_cell() {
    let mut world = World::new();
    let first = bounded(&mut world, 2);
    for n in 0..2 {
        world.tell(first, Order::Note(n));
    }
    world.stop(first);
    world.events();
    let second = bounded(&mut world, 2);
    for _ in 0..2 {
        world.tell(first, Order::Note(7));
        world.try_tell(second, Order::Note(1)).expect("room");
    }
    assert!(world.try_tell(second, Order::Note(2)).is_err());
    assert_eq!(world.events(), ["a 1", "a 1"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 4)]);
}

#[test]
fn a_bound_of_zero_is_none() {
    let mut world = World::new();
    let a = bounded(&mut world, 0);
    for n in 0..1000 {
        world.try_tell(a, Order::Note(n)).expect("no bound");
    }
    assert_eq!(world.events().len(), 1000);
}

#[test]
fn a_bounded_actor_can_be_watched_stopped_suspended_and_compared_like_any_other() {
    let mut realm = Realm::pair();
    let a = {
        let puppet = Puppet::new("a", &realm.log());
        realm.worlds[1].scope().spawner().mailbox(1).spawn(puppet).unwrap()
    };
    let (near, far) = (realm.worlds[1].puppet("near"), realm.worlds[0].puppet("far"));
    assert_eq!(a.place(), realm.worlds[1].place());
    realm.have(1, near, move |_, ctx| ctx.watch(a).unwrap());
    realm.have(0, far, move |_, ctx| ctx.watch(a).unwrap());
    realm.have(1, a, move |me, ctx| me.say(ctx.me() == a));
    realm.worlds[1].scope().suspend(a).unwrap();
    realm.worlds[1].scope().resume(a);
    assert!(realm.worlds[1].scope().is_alive(a));
    realm.worlds[0].tell(a, Order::Note(1));
    assert_eq!(realm.events().last().unwrap(), "a 1");
    realm.have(0, far, move |_, ctx| ctx.stop(a));
    let mut events = realm.events();
    events.sort();
    assert_eq!(events, ["a stopped", "far hears: a stopped", "near hears: a stopped"]);
    assert!(!realm.worlds[1].scope().is_alive(a));
}

#[test]
fn what_comes_from_another_core_waits_within_the_bound_while_suspended() {
    let mut realm = Realm::pair();
    let a = {
        let puppet = Puppet::new("a", &realm.log());
        realm.worlds[1].scope().spawner().mailbox(2).spawn(puppet).unwrap()
    };
    realm.events();
    realm.worlds[1].scope().suspend(a).unwrap();
    for n in 0..5 {
        realm.worlds[0].tell(a, Order::Note(n));
    }
    realm.settle();
    assert_eq!(realm.worlds[1].letters(), [(DeadReason::MailboxFull, 3)]);
    assert!(realm.worlds[1].try_tell(a, Order::Note(9)).is_err());
    realm.worlds[1].scope().resume(a);
    assert_eq!(realm.events(), ["a 0", "a 1"]);
    realm.worlds[1].try_tell(a, Order::Note(9)).expect("room");
    assert_eq!(realm.events(), ["a 9"]);
}

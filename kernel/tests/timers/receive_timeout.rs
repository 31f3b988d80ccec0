//! The receive time-out: an actor hears of the silence around it.

use std::time::Duration;

use corelane_kernel::{ActorRef, Ctx, Failure};

use crate::common::{Census, Order, Puppet, World, ms, order};
use crate::rig::{TICK, world};

/// Conformance 7.
#[test]
fn silence_is_heard_after_its_time_and_again_until_it_is_switched_off() {
    let (mut world, a) = world();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(10))).unwrap());
    world.pass(ms(9));
    assert_eq!(world.events(), [""; 0]);
    for _ in 0..3 {
        world.pass(ms(11));
        assert_eq!(world.events(), ["a hears nothing"]);
    }
    world.have(a, |_, ctx| ctx.set_receive_timeout(None).unwrap());
    world.pass(ms(100));
    assert_eq!(world.events(), [""; 0]);
    assert_eq!(world.next_deadline(), None);
}

/// Conformance 7.
#[test]
fn a_receive_time_out_ends_with_its_actor() {
    let (mut world, a) = world();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(10))).unwrap());
    world.pass(ms(5));
    assert!(world.next_deadline().is_some());
    world.stop(a);
    assert_eq!(world.events(), ["a stopped"]);
    assert_eq!(world.next_deadline(), None);
    world.pass(ms(100));
    assert_eq!(world.events(), [""; 0]);
}

#[test]
fn each_message_puts_the_receive_time_out_off() {
    let (mut world, a) = world();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(10))).unwrap());
    for n in 0..20 {
        world.pass(ms(6));
        world.tell(a, Order::Note(n));
    }
    world.pass(ms(6));
    assert!(!world.events().contains(&"a hears nothing".to_owned()));
    world.pass(ms(6));
    assert_eq!(world.events(), ["a hears nothing"]);
}

/// Conformance 7.
#[test]
fn messages_that_do_not_influence_it_leave_the_receive_time_out_alone() {
    let (mut world, a) = world();
    let census = Census::default();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(10))).unwrap());
    for _ in 0..4 {
        world.pass(ms(3));
        world.tell(a, Order::Carry(census.token()));
    }
    assert_eq!(world.events(), ["a hears nothing"]);
    census.expect_none();
}

#[test]
fn messages_of_every_way_put_the_receive_time_out_off() {
    type Way = fn(&mut Puppet, &mut Ctx<'_, Puppet>, ActorRef<Order>);
    let ways: [(&str, Way); 5] = [
        ("a timer", |_, ctx, _| ctx.set_timer(1, ms(6), Order::Note(1)).unwrap()),
        ("an adapter", |_, ctx, helper| {
            let adapter = ctx.adapter(Order::Note).unwrap();
            let deed = move |_: &mut Puppet, ctx: &mut Ctx<'_, Puppet>| ctx.tell(adapter, 1);
            ctx.tell(helper, order(move |_, ctx| ctx.set_timer(1, ms(6), order(deed)).unwrap()));
        }),
        ("an ask's answer", |_, ctx, helper| {
            ctx.ask(
                helper,
                ms(100),
                |reply: ActorRef<u64>| {
                    let deed = move |_: &mut Puppet, ctx: &mut Ctx<'_, Puppet>| ctx.tell(reply, 1);
                    order(move |_, ctx| ctx.set_timer(1, ms(6), order(deed)).unwrap())
                },
                |answer| Order::Note(answer.unwrap()),
            );
        }),
        ("an ask's end", |_, ctx, helper| {
            ctx.ask(helper, ms(6), |_: ActorRef<u64>| Order::Say("is asked".to_owned()), |_| Order::Note(1));
        }),
        ("a watch's message", |me, ctx, _| {
            let child = me.other("c").at_start(|_, ctx| {
                ctx.set_timer(1, ms(6), order(|_, ctx| ctx.stop_self()))?;
                Ok(())
            });
            let child = ctx.spawn(child).unwrap();
            ctx.watch_with(child, Order::Note(1)).unwrap();
        }),
    ];
    for (name, way) in ways {
        let mut world = World::new();
        let (a, helper) = (world.puppet("a"), world.puppet("h"));
        world.have(a, move |me, ctx| {
            ctx.set_receive_timeout(Some(ms(10))).unwrap();
            way(me, ctx, helper);
        });
        world.events();
        world.pass(ms(7));
        assert!(world.events().contains(&"a 1".to_owned()), "{name}");
        world.pass(ms(7));
        assert_eq!(world.events(), [""; 0], "{name} did not count");
        world.pass(ms(5));
        assert_eq!(world.events(), ["a hears nothing"], "{name}");
    }
}

#[test]
fn a_new_receive_time_out_replaces_the_old_one() {
    let (mut world, a) = world();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(10))).unwrap());
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(50))).unwrap());
    world.pass(ms(45));
    assert_eq!(world.events(), [""; 0]);
    world.pass(ms(10));
    assert_eq!(world.events(), ["a hears nothing"]);
}

#[test]
fn a_receive_time_out_of_no_time_fires_at_most_once_a_tick() {
    let (mut world, a) = world();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(Duration::ZERO)).unwrap());
    for _ in 0..10 {
        world.pass(TICK);
    }
    let heard = world.events().len();
    assert!((9..=12).contains(&heard), "{heard}");
}

#[test]
fn silence_counts_while_suspended_but_not_against_messages_that_waited() {
    let (mut world, a) = world();
    world.have(a, |_, ctx| ctx.set_receive_timeout(Some(ms(10))).unwrap());
    world.scope().suspend(a).unwrap();
    world.tell(a, Order::Note(1));
    world.pass(ms(30));
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 1"]);
    world.pass(ms(11));
    assert_eq!(world.events(), ["a hears nothing"]);
    world.scope().suspend(a).unwrap();
    world.pass(ms(30));
    assert_eq!(world.events(), [""; 0]);
    world.scope().resume(a);
    assert_eq!(world.events(), ["a hears nothing"]);
}

#[test]
fn a_failing_receive_time_out_fails_its_actor() {
    let (mut world, a) = world();
    world.have(a, |me, ctx| {
        me.at_silence = Some(Box::new(|_, _| Err(Failure::new("too quiet"))));
        ctx.set_receive_timeout(Some(ms(10))).unwrap();
    });
    world.pass(ms(20));
    assert_eq!(world.events(), ["a hears nothing", "a stopped"]);
    assert_eq!(world.stats().failed, 1);
}

//! The stash: messages set aside by their actor, taken back in order, within a bound.

mod common;

use common::{Census, Order, Puppet, World, attempt, order};
use corelane_kernel::{ActorRef, Ctx, DeadReason, Failure, StashError, limits::STASH_DEFAULT};

fn world() -> (World, ActorRef<Order>) {
    let mut world = World::new();
    let a = world.puppet("a");
    world.events();
    (world, a)
}

fn unstash_all() -> Order {
    order(|me, ctx| me.say(format_args!("takes {} back", ctx.unstash_all())))
}

fn unstash_one() -> Order {
    order(|me, ctx| me.say(format_args!("takes one back: {}", ctx.unstash())))
}

#[test]
fn stashed_messages_come_back_in_order_before_those_that_wait() {
    let (mut world, a) = world();
    for n in 1..=3 {
        world.tell(a, Order::Stash(n));
    }
    world.tell(a, Order::Note(10));
    world.tell(a, unstash_all());
    world.tell(a, Order::Note(11));
    world.tell(a, Order::Note(12));
    assert_eq!(world.events(), ["a 10", "a takes 3 back", "a 1", "a 2", "a 3", "a 11", "a 12"]);
}

#[test]
fn one_at_a_time_comes_back_in_the_same_order() {
    let (mut world, a) = world();
    for n in 1..=3 {
        world.tell(a, Order::Stash(n));
    }
    for n in 0..4 {
        world.tell(a, unstash_one());
        world.tell(a, Order::Note(10 + n));
    }
    assert_eq!(
        world.events(),
        [
            "a takes one back: true",
            "a 1",
            "a 10",
            "a takes one back: true",
            "a 2",
            "a 11",
            "a takes one back: true",
            "a 3",
            "a 12",
            "a takes one back: false",
            "a 13"
        ]
    );
}

#[test]
fn messages_stashed_again_while_they_come_back_keep_their_order() {
    let (mut world, a) = world();
    fn hold(n: u64) -> Order {
        order(move |me, ctx| {
            me.say(format_args!("sees {n}"));
            assert!(ctx.stash(Order::Note(n)).is_ok());
        })
    }
    for n in 1..=3 {
        world.tell(a, order(move |_, ctx| assert!(ctx.stash(hold(n)).is_ok())));
    }
    world.tell(a, unstash_all());
    world.tell(a, unstash_all());
    assert_eq!(
        world.events(),
        ["a takes 3 back", "a sees 1", "a sees 2", "a sees 3", "a takes 3 back", "a 1", "a 2", "a 3"]
    );
}

#[test]
fn an_empty_stash_gives_nothing() {
    let (mut world, a) = world();
    world.tell(a, unstash_all());
    world.tell(a, unstash_one());
    assert_eq!(world.events(), ["a takes 0 back", "a takes one back: false"]);
}

/// Conformance 19. That one message cannot be stashed twice is a matter of types: stashing takes it.
#[test]
fn a_full_stash_gives_the_message_back() {
    let (mut world, a) = world();
    let census = Census::default();
    world.have(a, |_, ctx| ctx.set_stash_bound(2).unwrap());
    for n in 1..=3 {
        world.tell(a, Order::Stash(n));
    }
    let token = census.token();
    world.have(a, move |me, ctx| {
        let Err(StashError::Full(Order::Carry(back))) = ctx.stash(Order::Carry(token)) else {
            panic!("it had room")
        };
        drop(back);
        me.say("got it back");
    });
    census.expect_none();
    assert_eq!(world.events(), ["a cannot stash 3: Full(..)", "a got it back"]);
    // Room again after one has come back.
    world.tell(a, unstash_one());
    world.tell(a, Order::Stash(4));
    world.tell(a, unstash_all());
    assert_eq!(world.events(), ["a takes one back: true", "a 1", "a takes 2 back", "a 2", "a 4"]);
}

#[test]
fn a_smaller_bound_leaves_what_is_stashed() {
    let (mut world, a) = world();
    for n in 1..=5 {
        world.tell(a, Order::Stash(n));
    }
    world.have(a, |_, ctx| ctx.set_stash_bound(0).unwrap());
    world.tell(a, Order::Stash(6));
    world.tell(a, unstash_all());
    let events = world.events();
    assert_eq!(events[0], "a cannot stash 6: Full(..)");
    assert_eq!(events[1..], ["a takes 5 back", "a 1", "a 2", "a 3", "a 4", "a 5"]);
}

#[test]
fn the_bound_is_the_stated_one_unless_told_otherwise() {
    let (mut world, a) = world();
    world.have(a, |me, ctx| {
        let mut stashed = 0;
        while ctx.stash(Order::Note(0)).is_ok() {
            stashed += 1;
        }
        me.say(stashed);
    });
    assert_eq!(world.events(), [format!("a {STASH_DEFAULT}")]);
}

/// Conformance 19.
#[test]
fn what_is_stashed_when_the_actor_ends_becomes_dead_letters() {
    for fails in [false, true] {
        let (mut world, a) = world();
        let census = Census::default();
        for _ in 0..3 {
            let token = census.token();
            world.have(a, move |_, ctx| assert!(ctx.stash(Order::Carry(token)).is_ok()));
        }
        census.expect(3);
        if fails {
            world.tell(a, attempt(|_, _| Err(Failure::new("x"))));
            world.settle();
        } else {
            world.stop(a);
        }
        census.expect_none();
        let failed = fails.then_some((DeadReason::Failed, 1));
        assert_eq!(world.letters(), Vec::from_iter([(DeadReason::Stopped, 3)].into_iter().chain(failed)));
    }
}

#[test]
fn what_comes_back_while_suspended_waits_first_in_line() {
    let (mut world, a) = world();
    world.tell(a, Order::Stash(1));
    world.tell(a, Order::Stash(2));
    world.tell(
        a,
        order(|me: &mut Puppet, ctx: &mut Ctx<'_, Puppet>| {
            ctx.suspend_self().unwrap();
            me.say(ctx.unstash_all());
        }),
    );
    world.tell(a, Order::Note(3));
    assert_eq!(world.events(), ["a 2"]);
    world.scope().resume(a);
    assert_eq!(world.events(), ["a 1", "a 2", "a 3"]);
}

#[test]
fn stashing_takes_no_memory_for_good() {
    let (mut world, a) = world();
    let round = |world: &mut World| {
        for n in 0..1000 {
            world.tell(a, Order::Stash(n));
        }
        world.tell(a, unstash_all());
        assert_eq!(world.events().len(), 1001);
        world.stats().used_bytes
    };
    let used = round(&mut world);
    for _ in 0..20 {
        assert_eq!(round(&mut world), used);
    }
}

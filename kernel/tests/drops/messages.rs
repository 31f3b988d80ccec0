//! Messages of any size: handled, refused, in queues, in timers.

use corelane_kernel::{Actor, Ctx, Failure, Group, Outcome};

use crate::common::{Census, Order, Puppet, Token, World, attempt, ms};

#[test]
fn a_handled_message_is_dropped_by_its_handler() {
    let (mut world, census) = (World::new(), Census::default());
    let a = world.puppet("a");
    for _ in 0..100 {
        world.tell(a, Order::Carry(census.token()));
    }
    census.expect(100);
    world.settle();
    census.expect_none();
}

#[test]
fn messages_in_every_groups_queue_are_dropped_with_the_kernel() {
    let (mut world, census) = (World::sized(2 << 20), Census::default());
    for group in Group::ROUND {
        let puppet = Puppet::new("a", &world.log).keeping(census.token());
        let a = world.scope().spawner().group(group).mailbox(5000).spawn(puppet).unwrap();
        for _ in 0..2000 {
            world.tell(a, Order::Carry(census.token()));
        }
    }
    // Some are handled, some are not.
    world.turn();
    assert!(census.alive() > 4000 && census.alive() < 8004);
    drop(world);
    census.expect_none();
}

#[test]
fn a_periodic_timers_message_and_its_clones_are_dropped_once() {
    struct Clock;
    impl Actor for Clock {
        type Msg = Option<Token>;
        fn receive(&mut self, message: Option<Token>, ctx: &mut Ctx<'_, Self>) -> Outcome {
            if !ctx.has_timer(1) {
                ctx.set_periodic(1, ms(1), message)?;
            }
            Ok(())
        }
    }
    for kernel_goes in [false, true] {
        let (mut world, census) = (World::new(), Census::default());
        let clock = world.spawn(Clock).unwrap();
        world.tell(clock, Some(census.token()));
        for _ in 0..20 {
            world.pass(ms(1));
            census.expect(1);
        }
        assert!(census.born() > 15);
        world.scope().suspend(clock).unwrap();
        world.pass(ms(5));
        if !kernel_goes {
            world.stop(clock);
            census.expect_none();
        }
        drop(world);
        census.expect_none();
    }
}

#[test]
fn boxed_and_inline_messages_are_dropped_alike() {
    let (mut world, census) = (World::new(), Census::default());
    struct Big;
    impl Actor for Big {
        type Msg = ([u64; 62], Token);
        fn receive(&mut self, _: Self::Msg, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let big = world.spawn(Big).unwrap();
    for stop in [false, true] {
        for _ in 0..20 {
            world.tell(big, ([7; 62], census.token()));
        }
        if stop {
            world.stop(big);
        }
        world.settle();
        census.expect_none();
    }
    #[cfg(feature = "alloc")]
    {
        struct Huge;
        impl Actor for Huge {
            type Msg = ([u64; 1000], Token);
            fn receive(&mut self, _: Self::Msg, _: &mut Ctx<'_, Self>) -> Outcome {
                Ok(())
            }
        }
        let huge = world.spawn(Huge).unwrap();
        world.tell(huge, ([7; 1000], census.token()));
        world.settle();
        census.expect_none();
        world.scope().suspend(huge).unwrap();
        world.tell(huge, ([7; 1000], census.token()));
        world.settle();
        world.tell(huge, ([7; 1000], census.token()));
        drop(world);
        census.expect_none();
    }
}

#[test]
fn an_unhandled_order_in_an_attempt_that_fails_is_dropped() {
    let (mut world, census) = (World::new(), Census::default());
    let a = world.puppet("a");
    let token = census.token();
    world.tell(
        a,
        attempt(move |_, _| {
            let _held = token;
            Err(Failure::new("x"))
        }),
    );
    world.settle();
    census.expect_none();
}

//! What a restart leaves as it was: the address, the name, the bounds, and what waits, in its order.

use corelane_kernel::{Actor, Ctx, Failure, KernelConfig, Outcome, SpawnError};

use crate::common::family::failing;
use crate::common::{Log, Order, Puppet, World};
use crate::rig::world;

/// Conformance 2.
#[test]
fn the_old_instance_takes_its_leave_and_the_new_one_starts() {
    let (mut world, a) = world(|puppet| puppet);
    world.tell(a, failing("oops"));
    assert_eq!(
        world.events(),
        ["a restarting: error: oops", "a stopped", "a restarted: error: oops", "a started"]
    );
}

#[test]
fn without_hooks_of_its_own_an_actor_is_stopped_and_started() {
    struct Plain(Log, u32);
    impl Actor for Plain {
        type Msg = Option<u32>;
        fn receive(&mut self, n: Option<u32>, _: &mut Ctx<'_, Self>) -> Outcome {
            self.1 += n.ok_or_else(|| Failure::new("none"))?;
            self.0.add(format!("{}", self.1));
            Ok(())
        }
        fn started(&mut self, _: &mut Ctx<'_, Self>) -> Outcome {
            self.0.add("started");
            Ok(())
        }
        fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
            self.0.add("stopped");
        }
    }
    let mut world = World::new();
    let log = world.log.clone();
    let plain = world.scope().spawn_from(move || Plain(log.clone(), 0)).unwrap();
    for n in [Some(1), Some(1), None, Some(1)] {
        world.tell(plain, n);
    }
    assert_eq!(world.events(), ["started", "1", "2", "stopped", "started", "1"]);
}

#[test]
fn address_name_group_and_what_waits_stay_in_order() {
    let mut world = World::new();
    let log = world.log.clone();
    let spawner = |world: &mut World| {
        let log = log.clone();
        world
            .scope()
            .spawner()
            .name("a")
            .group(corelane_kernel::Group::Bulk)
            .mailbox(4)
            .spawn_from(move || Puppet::new("a", &log))
    };
    let a = spawner(&mut world).unwrap();
    world.events();
    world.tell(a, failing("oops"));
    for n in 1..=3 {
        world.tell(a, Order::Note(n));
    }
    assert!(world.try_tell(a, Order::Note(4)).is_err(), "the bound stays");
    let events = world.events();
    assert_eq!(events[events.len() - 3..], ["a 1", "a 2", "a 3"]);
    assert_eq!(world.scope().named("a"), Some(a.address()));
    assert_eq!(spawner(&mut world), Err(SpawnError::NameTaken));
    assert!(world.scope().is_alive(a));
    // Its credit is as it was.
    for n in 0..4 {
        world.try_tell(a, Order::Note(n)).map_err(drop).expect("room for four");
    }
    assert!(world.try_tell(a, Order::Note(4)).is_err());
}

#[test]
fn what_waits_behind_a_backlog_stays_in_order() {
    let config = KernelConfig { budget: 2, ..KernelConfig::default() };
    let mut world = World::with(1 << 20, config);
    let log = world.log.clone();
    let a = world.scope().spawn_from(move || Puppet::new("a", &log)).unwrap();
    world.settle();
    world.scope().suspend(a).unwrap();
    for n in 0..10 {
        world.tell(a, if n % 3 == 0 { failing("oops") } else { Order::Note(n) });
    }
    world.settle();
    world.scope().resume(a);
    for n in 10..15 {
        world.turn();
        world.tell(a, Order::Note(n));
    }
    let notes: Vec<_> = world.events().into_iter().filter(|event| event.len() < 6).collect();
    let expected: Vec<_> = [1, 2, 4, 5, 7, 8, 10, 11, 12, 13, 14].map(|n| format!("a {n}")).into();
    assert_eq!(notes, expected);
}

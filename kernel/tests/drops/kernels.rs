//! What a kernel has besides its actors: factories, observers, extensions; and drops that panic as it goes.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, Ctx, Failure, Observe, Outcome, SpawnError};

use crate::common::{Census, Order, Puppet, Token, World};

#[test]
fn a_kernel_that_never_turned_drops_what_it_was_given() {
    let (mut world, census) = (World::new(), Census::default());
    let (log, tokens) = (world.log.clone(), [census.token(), census.token()]);
    let [factory, failing] = tokens;
    world.spawn(Puppet::new("value", &log).keeping(census.token())).unwrap();
    let made = world.scope().spawn_from(move || {
        let _ = &factory;
        Puppet::new("made", &log)
    });
    world
        .scope()
        .spawner()
        .try_spawn_from(move || -> Result<Puppet, Failure> {
            let _ = &failing;
            Err(Failure::new("x"))
        })
        .unwrap();
    world.tell(made.unwrap(), Order::Carry(census.token()));
    census.expect(4);
    drop(world);
    census.expect_none();
}

#[test]
fn what_a_refused_spawn_was_given_is_dropped() {
    let (mut world, census) = (World::new(), Census::default());
    for name in ["", "ok", "ok"] {
        let puppet = Puppet::new("a", &world.log).keeping(census.token());
        let log = world.log.clone();
        let token = census.token();
        let by_value = world.scope().spawner().name(name).spawn(puppet);
        let by_factory = world.scope().spawner().name(name).spawn_from(move || {
            let _ = &token;
            Puppet::new("b", &log)
        });
        assert!(by_factory.is_err());
        census.expect(usize::from(name == "ok"));
        let _: Result<_, SpawnError> = by_value;
    }
}

#[test]
fn the_observer_and_the_extensions_are_dropped_once() {
    struct Silent(#[allow(dead_code)] Token);
    impl Observe for Silent {
        fn dead_letter(&mut self, _: &corelane_kernel::DeadLetter, _: corelane_kernel::Path<'_>) {}
        fn failed(&mut self, _: &corelane_kernel::Subject<'_>, _: &Failure) {}
        fn panicked(&mut self, _: &Failure) {}
    }
    let (mut world, census) = (World::new(), Census::default());
    for _ in 0..3 {
        world.scope().observe(Silent(census.token())).unwrap();
        world.set_extension(census.token()).unwrap();
        census.expect(2);
    }
    world.set_extension((1u8, census.token())).unwrap();
    drop(world);
    census.expect_none();
}

#[test]
fn the_extension_that_was_set_last_is_dropped_first() {
    struct Numbered<const N: u8>(Arc<Mutex<Vec<u8>>>);
    impl<const N: u8> Drop for Numbered<N> {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(N);
        }
    }
    let (mut world, dropped) = (World::new(), Arc::new(Mutex::new(Vec::new())));
    world.set_extension(Numbered::<1>(dropped.clone())).unwrap();
    world.set_extension(Numbered::<2>(dropped.clone())).unwrap();
    world.set_extension(Numbered::<3>(dropped.clone())).unwrap();
    drop(world);
    assert_eq!(*dropped.lock().unwrap(), [3, 2, 1]);
}

#[test]
fn a_panicking_drop_does_not_keep_the_kernel_from_dropping_the_rest() {
    struct Bomb(#[allow(dead_code)] Token, bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.1, "meant to");
        }
    }
    impl Actor for Bomb {
        type Msg = (Token, Option<Box<Bomb>>);
        fn receive(&mut self, _: Self::Msg, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    for in_queue in [false, true] {
        let (mut world, census) = (World::new(), Census::default());
        for n in 0..10 {
            let bomb = Bomb(census.token(), n == 5 && !in_queue);
            let a = world.spawn(bomb).unwrap();
            if n % 2 == 0 && n < 5 {
                world.settle();
            }
            let armed = n == 5 && in_queue;
            let inner = Some(Box::new(Bomb(census.token(), armed)));
            world.tell(a, (census.token(), inner));
            world.tell(a, (census.token(), None));
        }
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(world)));
        assert!(dropped.is_err());
        census.expect_none();
    }
}

//! Stale addresses: one that outlives its actor names nobody for ever, whoever lives in its cell later.

mod common;

use std::sync::{Arc, Mutex};

use common::{Order, Puppet, Random, World, lock, order};
use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, DeadReason, Group, Kernel, KernelConfig, Outcome, SpawnError,
};

/// Knows which incarnation it is, and takes nothing that is meant for another.
struct Citizen {
    own: u64,
    wrong: Arc<Mutex<u64>>,
    got: Arc<Mutex<u64>>,
}

impl Actor for Citizen {
    type Msg = u64;
    fn receive(&mut self, whom: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        *lock(if whom == self.own { &self.got } else { &self.wrong }) += 1;
        Ok(())
    }
}

/// Of another size class and another protocol, so that cells and queues are shared by several kinds.
struct Alien {
    citizen: Citizen,
    _ballast: [u64; 9],
}

impl Actor for Alien {
    type Msg = (u64, [u64; 4]);
    fn receive(&mut self, (whom, padding): Self::Msg, _: &mut Ctx<'_, Self>) -> Outcome {
        assert_eq!(padding, [7; 4]);
        *lock(if whom == self.citizen.own { &self.citizen.got } else { &self.citizen.wrong }) += 1;
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Known {
    Citizen(ActorRef<u64>),
    Alien(ActorRef<(u64, [u64; 4])>),
}

impl Known {
    fn address(self) -> Address {
        match self {
            Known::Citizen(a) => a.address(),
            Known::Alien(a) => a.address(),
        }
    }
}

/// Random spawns, stops and tells, also to addresses long dead, against a model of who lives.
fn live_and_let_die(steps: u64, seed: u64, config: KernelConfig, bytes: usize) -> World {
    let mut world = World::with(bytes, config);
    let mut random = Random(seed);
    let (wrong, got) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    // All that ever lived, with whether it does; the address of one that is stopped is kept.
    let mut living: Vec<(u64, Known)> = Vec::new();
    let mut dead: Vec<(u64, Known)> = Vec::new();
    let (mut born, mut expected, mut letters) = (0, 0, 0);
    for step in 0..steps {
        match random.below(100) {
            0..30 if living.len() < 500 => {
                born += 1;
                let citizen = Citizen { own: born, wrong: wrong.clone(), got: got.clone() };
                let group = Group::ROUND[random.below(4)];
                let spawned = if random.chance(3) {
                    let alien = Alien { citizen, _ballast: [born; 9] };
                    world.scope().spawner().group(group).spawn(alien).map(Known::Alien)
                } else {
                    world.scope().spawner().group(group).spawn(citizen).map(Known::Citizen)
                };
                match spawned {
                    Ok(known) => {
                        let address = known.address();
                        assert!(
                            dead.iter().all(|(_, old)| old.address() != address),
                            "an address came again"
                        );
                        living.push((born, known));
                    }
                    Err(error) => {
                        assert_eq!(error, SpawnError::OutOfMemory);
                        born -= 1;
                    }
                }
            }
            30..50 if !living.is_empty() => {
                let gone = living.swap_remove(random.below(living.len()));
                // All that was told before is handled, so that the model need not know what waits.
                world.settle();
                world.scope().stop(gone.1.address());
                world.settle();
                if dead.len() < 300 {
                    dead.push(gone);
                } else {
                    let at = random.below(dead.len());
                    dead[at] = gone;
                }
            }
            _ => {
                let from_the_dead = random.chance(3) && !dead.is_empty();
                let list = if from_the_dead { &dead } else { &living };
                if list.is_empty() {
                    continue;
                }
                let (whom, known) = list[random.below(list.len())];
                match known {
                    Known::Citizen(a) => world.tell(a, whom),
                    Known::Alien(a) => world.tell(a, (whom, [7; 4])),
                }
                if from_the_dead {
                    letters += 1;
                    assert!(!world.scope().is_alive(known.address()));
                } else {
                    expected += 1;
                }
            }
        }
        if step % 64 == 0 {
            world.turn();
        }
    }
    world.settle();
    assert_eq!(*lock(&wrong), 0, "deliveries to the wrong incarnation");
    assert_eq!(*lock(&got), expected);
    assert_eq!(world.dead_letters(DeadReason::NoActor), letters);
    assert_eq!(world.stats().actors, living.len() as u64);
    assert!(letters > steps / 10 && expected > steps / 10);
    world
}

/// Reliability 13.
#[test]
fn a_million_random_steps_deliver_nothing_to_the_wrong_incarnation() {
    live_and_let_die(1_000_000, 1, KernelConfig::default(), 8 << 20);
}

/// Reliability 13: generations start two below their end.
#[test]
fn cells_at_the_end_of_their_generations_retire_instead_of_wrapping() {
    for left in 0..4 {
        let config = KernelConfig { generations: Some(left), ..KernelConfig::default() };
        let world = live_and_let_die(60_000, u64::from(left), config, 8 << 20);
        // Retired cells are not used again, so that new ones are carved.
        assert!(world.stats().used_bytes > (1 << 20) / (left as usize + 1), "{left}");
    }
}

/// Reliability 13.
#[test]
fn a_cell_lives_as_often_as_it_has_generations() {
    for left in [0, 1, 2, 7] {
        let config = KernelConfig { generations: Some(left), ..KernelConfig::default() };
        let mut world = World::with(1 << 20, config);
        let cell = |address: Address| {
            let text = format!("{address:?}");
            text.split_once('#').unwrap().0.to_owned()
        };
        let mut lives = std::collections::HashMap::<_, u32>::new();
        for _ in 0..100 {
            let a = world.puppet("a");
            world.settle();
            *lives.entry(cell(a.address())).or_default() += 1;
            world.stop(a);
            assert!(!world.scope().is_alive(a));
        }
        let most = lives.values().max().unwrap();
        assert_eq!(*most, (left + 1).min(100), "{left} left: {lives:?}");
    }
}

#[test]
fn a_used_up_region_of_retired_cells_is_out_of_memory() {
    let config = KernelConfig { generations: Some(0), ..KernelConfig::default() };
    let mut world = World::with(16 << 10, config);
    let mut lives = 0;
    let error = loop {
        match world.kernel.spawn(Puppet::new("a", &world.log)) {
            Ok(a) => world.stop(a),
            Err(error) => break error,
        }
        lives += 1;
    };
    assert_eq!((error, lives > 20, world.stats().actors), (SpawnError::OutOfMemory, true, 0));
}

#[test]
fn more_generations_than_there_are_is_all_of_them() {
    for generations in [Some(u32::MAX), Some(1 << 27), Some((1 << 26) - 1), Some((1 << 26) - 2)] {
        let config = KernelConfig { generations, ..KernelConfig::default() };
        let mut world = World::of(Kernel::new(common::region(64 << 10), config).unwrap());
        for _ in 0..10 {
            let a = world.puppet("a");
            world.tell(a, Order::Note(1));
            world.stop(a);
        }
        assert_eq!((world.stats().actors, world.panics.len()), (0, 0));
    }
}

/// Conformance 5.
#[test]
fn an_old_address_is_unequal_to_its_heirs_and_does_nothing_to_it() {
    let mut world = World::new();
    let old = world.puppet("old");
    world.settle();
    world.stop(old);
    let (heir, w) = (world.puppet("heir"), world.puppet("w"));
    assert_ne!(old, heir);
    world.events();
    let mut scope = world.scope();
    scope.stop(old);
    scope.suspend(old).unwrap();
    scope.fail(old, corelane_kernel::Failure::new("x"));
    scope.attach(old, 5u8).unwrap();
    world.tell(old, Order::Note(1));
    world.tell(heir, Order::Note(2));
    world.have(w, move |_, ctx| {
        ctx.watch(old).unwrap();
        assert!(!ctx.unwatch(heir));
    });
    world.scope().resume(old);
    assert_eq!(world.events(), ["heir 2", "w hears: old not found"]);
    world.have(heir, |me, ctx| me.say(ctx.scope().stats().failed));
    assert_eq!(world.events(), ["heir 0"]);
}

#[test]
fn timers_asks_and_watches_of_the_dead_do_not_reach_the_heirs_of_their_cells() {
    let mut world = World::new();
    let mut random = Random(4);
    let t = world.puppet("t");
    for _ in 0..200 {
        let a = world.puppet("a");
        let keys = random.below(5) as u64;
        world.have(a, move |_, ctx| {
            for key in 1..=keys {
                ctx.set_timer(key, common::ms(key), Order::Say("an heir's trouble".to_owned())).unwrap();
            }
            ctx.set_receive_timeout(Some(common::ms(2))).unwrap();
            ctx.watch_with(t, Order::Say("an heir's trouble".to_owned())).unwrap();
            let question = |reply: ActorRef<u64>| {
                order(move |_, ctx| {
                    ctx.set_timer(1, common::ms(1), order(move |_, ctx| ctx.tell(reply, 1))).unwrap()
                })
            };
            ctx.ask(t, common::ms(3), question, |_| Order::Say("an heir's trouble".to_owned()));
        });
        world.stop(a);
        let heir = world.puppet("heir");
        world.pass(common::ms(1));
        world.stop(heir);
    }
    world.pass(common::ms(10));
    world.stop(t);
    let trouble = |event: &String| event.contains("trouble") || event.contains("nothing");
    assert_eq!(world.events().into_iter().filter(trouble).collect::<Vec<_>>(), [""; 0]);
}

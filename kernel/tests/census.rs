//! Addresses that come from outside: right, or missing, and never another type's.
#![cfg(feature = "alloc")]

mod common;

use std::sync::{Arc, Mutex};

use common::*;
use corelane_kernel::{
    Actor, ActorRef, Address, AdmitError, Census, Ctx, ForeignRealm, MessageKind, Outcome, RawAddress,
    StopReason, Terminated,
};
use proptest::prelude::*;

struct Adder(u64);

impl Actor for Adder {
    type Msg = u64;
    fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        self.0 += n;
        Ok(())
    }
}

/// Takes messages that would be read as a pointer if they were taken for another's.
struct Reader([u64; 3]);

impl Actor for Reader {
    type Msg = Box<String>;
    fn receive(&mut self, text: Box<String>, _: &mut Ctx<'_, Self>) -> Outcome {
        self.0[0] += text.len() as u64;
        Ok(())
    }
}

fn world() -> (World, Arc<Census>) {
    let mut world = World::new();
    let census = world.kernel.census().expect("no actor yet");
    (world, census)
}

#[test]
fn every_actor_is_admitted_with_its_own_type_and_no_other() {
    let (mut world, census) = world();
    for n in 0..200_u64 {
        let adder = world.kernel.spawn(Adder(n)).unwrap();
        let reader = world.kernel.spawn(Reader([n; 3])).unwrap();
        assert_eq!(census.admit::<u64>(adder.address().to_raw()), Ok(adder));
        assert_eq!(census.admit::<Box<String>>(reader.address().to_raw()), Ok(reader));
        assert_eq!(census.admit::<Box<String>>(adder.address().to_raw()), Err(AdmitError::WrongType));
        assert_eq!(census.admit::<u64>(reader.address().to_raw()), Err(AdmitError::WrongType));
        assert_eq!(census.admit_address(adder.address().to_raw()), Ok(adder.address()));
    }
}

#[test]
fn the_address_of_one_that_ended_is_admitted_and_misses() {
    let (mut world, census) = world();
    let old = world.kernel.spawn(Adder(0)).unwrap();
    world.kernel.scope().stop(old);
    world.settle();
    let new = world.kernel.spawn(Adder(0)).unwrap();
    let admitted = census.admit::<u64>(old.address().to_raw()).unwrap();
    assert_eq!(admitted, old);
    assert_ne!(admitted, new);
    let letters = world.kernel.stats().dead_letters;
    world.kernel.tell(admitted, 1);
    world.settle();
    assert_eq!(world.kernel.stats().dead_letters, letters + 1);
}

#[test]
fn a_census_begins_before_the_first_actor_or_never() {
    let mut world = World::new();
    let _ = world.kernel.spawn(Adder(0)).unwrap();
    assert!(world.kernel.census().is_none());
    let (mut world, census) = self::world();
    let _ = world.kernel.spawn(Adder(0)).unwrap();
    assert!(Arc::ptr_eq(&census, &world.kernel.census().unwrap()));
}

proptest! {
    /// Whatever numbers come, what they admit is one of the cells that were made, and is told what its actor takes: were it
    /// not, the reader would follow a number as a pointer.
    #[test]
    fn made_up_numbers_reach_an_actor_of_the_type_or_nobody(
        tries in prop::collection::vec((0..64_usize, any::<u64>(), 0..4000_u32, 0..3_u8), 1..200),
    ) {
        let (mut world, census) = world();
        let mut known = Vec::new();
        for n in 0..32 {
            known.push(world.kernel.spawn(Adder(n)).unwrap().address());
            known.push(world.kernel.spawn(Reader([n; 3])).unwrap().address());
        }
        world.kernel.scope().stop(known[5]);
        world.settle();
        for (which, noise, index, how) in tries {
            let good = known[which].to_raw();
            let raw = match how {
                0 => RawAddress { index, ..good },
                1 => RawAddress { identity: good.identity ^ (1 << (noise % 64)), ..good },
                _ => RawAddress { identity: noise, index, shard: 0 },
            };
            if let Ok(address) = census.admit_address(raw) {
                prop_assert!(known.iter().any(|cell| cell.to_raw().index == address.to_raw().index));
            }
            if let Ok(adder) = census.admit::<u64>(raw) {
                world.kernel.tell(adder, noise);
            }
            if let Ok(reader) = census.admit::<Box<String>>(raw) {
                world.kernel.tell(reader, Box::new("text".to_owned()));
            }
            world.settle();
        }
    }
}

#[test]
fn an_address_of_a_foreign_realm_is_unreachable_whatever_its_numbers() {
    struct Watcher(Arc<Mutex<Vec<String>>>, ActorRef<u64>);
    impl Actor for Watcher {
        type Msg = ();
        fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
            let _ = ctx.watch(self.1);
            let _ = ctx.watch(self.1);
            ctx.unwatch(self.1);
            let _ = ctx.watch(self.1);
            ctx.tell(self.1, 1);
            ctx.stop(self.1);
            Ok(())
        }
        fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
            lock(&self.0).push(format!("{:?}", gone.reason));
            Ok(())
        }
    }
    let far = ForeignRealm::new().unwrap();
    // An index far beyond the end of this region.
    let raw = RawAddress { identity: 1 << 32 | 1, index: u32::MAX - 5, shard: 1023 };
    let kind = MessageKind::of::<u64>();
    let actor = far.admit_as(raw, kind).unwrap().typed::<u64>().unwrap();
    assert!(far.admit_as(raw, kind).unwrap().typed::<u32>().is_none());
    assert_eq!(actor.address().to_raw(), raw);

    let told = Arc::new(Mutex::new(Vec::new()));
    let mut world = World::new();
    let watcher = world.kernel.spawn(Watcher(told.clone(), actor)).unwrap();
    world.kernel.tell(watcher, ());
    world.settle();
    assert_eq!(world.kernel.stats().dead_letters, 1);
    assert_eq!(*lock(&told), [format!("{:?}", StopReason::NotFound)]);
}

#[test]
fn numbers_that_no_kernel_gives_are_no_foreign_address() {
    let far = ForeignRealm::new().unwrap();
    let good = RawAddress { identity: 1 << 32 | 1, index: 7, shard: 0 };
    assert!(far.address(good).is_some());
    for bad in [
        RawAddress { index: 0, ..good },
        RawAddress { shard: 1024, ..good },
        RawAddress { identity: 1, ..good },
        RawAddress { identity: 1 << 32, ..good },
        RawAddress { identity: good.identity | 7 << 59, ..good },
    ] {
        assert_eq!(far.address(bad), None, "{bad:?}");
    }
    assert!(Address::NOBODY.is_nobody() && !far.address(good).unwrap().is_nobody());
}

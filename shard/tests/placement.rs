//! Where actors live: the shard that was named, one after the other, the emptiest, or the one of a key; from threads and
//! from actors.

mod common;

use std::sync::mpsc::channel;

use common::{Census, Job, Puppet, builder, end, hush, next, puppet, system, with};
use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, SpawnError};
use corelane_shard::{CallError, Gateway, On, ShardCtx, SpawnOnError, System};

fn shard_of<M>(actor: ActorRef<M>) -> usize {
    actor.place().shard()
}

#[test]
fn a_thread_places_actors_where_it_says() {
    let system = system(3);
    for shard in [2, 0, 1, 1] {
        assert_eq!(shard_of(system.spawn_on(On::Shard(shard), Puppet::default).unwrap()), shard);
    }
    let mut counts = [0; 3];
    for _ in 0..12 {
        counts[shard_of(system.spawn(Puppet::default).unwrap())] += 1;
    }
    assert_eq!(counts, [4; 3], "one after the other");
    assert_eq!(
        system.spawn_on(On::Shard(3), Puppet::default).err(),
        Some(SpawnOnError::Call(CallError::NoSuchShard))
    );
    assert_eq!(system.call(3, |_| ()), Err(CallError::NoSuchShard));
    end(system);
}

#[test]
fn the_least_loaded_shard_gets_the_next() {
    let system = system(3);
    for (shard, actors) in [(0, 5), (1, 2), (2, 4)] {
        for _ in 0..actors {
            puppet(&system, shard);
        }
    }
    let mut counts = [5, 2, 4];
    for _ in 0..10 {
        // Each shard tells its level after the requests that changed it: before the next one.
        for shard in 0..3 {
            system.call(shard, |_| ()).unwrap();
        }
        let least = *counts.iter().min().unwrap();
        let shard = shard_of(system.spawn_on(On::LeastLoaded, Puppet::default).unwrap());
        assert_eq!(counts[shard], least, "{counts:?}");
        counts[shard] += 1;
    }
    assert_eq!(counts, [7; 3]);
    end(system);
}

#[test]
fn a_key_has_one_shard_whoever_asks() {
    let system = system(4);
    let mut gateway = system.gateway().unwrap();
    let asker = puppet(&system, 1);
    let mut used = [false; 4];
    for key in 0..40u32 {
        let name = format!("customer-{key}");
        let here = shard_of(system.spawn_on(On::key(&name), Puppet::default).unwrap());
        let again = shard_of(system.spawn_on(On::key(&name), Puppet::default).unwrap());
        let there = shard_of(spawn_from(&mut gateway, asker, On::key(&name)).unwrap());
        assert_eq!((here, here), (again, there));
        used[here] = true;
    }
    assert_eq!(used, [true; 4]);
    end(system);
}

/// Has an actor spawn on a shard, and gives what it was told.
fn spawn_from(gateway: &mut Gateway, from: ActorRef<Job>, on: On) -> Result<ActorRef<Job>, SpawnOnError> {
    let (told, is_told) = channel();
    with(gateway, from, move |ctx| {
        ctx.spawn_on(on, Puppet::default, move |spawned| {
            Job::run(move |ctx| {
                assert_eq!(ctx.shard(), ctx.me().place().shard());
                told.send(spawned).unwrap();
            })
        });
    });
    next(&is_told)
}

#[test]
fn an_actor_places_others_where_it_says() {
    let system = system(3);
    let mut gateway = system.gateway().unwrap();
    for from in 0..3 {
        let spawner = puppet(&system, from);
        for to in 0..3 {
            let spawned = spawn_from(&mut gateway, spawner, On::Shard(to)).unwrap();
            assert_eq!(shard_of(spawned), to);
            assert_eq!(with(&mut gateway, spawned, |ctx| ctx.shard()), to);
            assert_eq!(with(&mut gateway, spawned, |ctx| ctx.system().shards()), 3);
        }
        let mut counts = [0; 3];
        for _ in 0..6 {
            counts[shard_of(spawn_from(&mut gateway, spawner, On::Spread).unwrap())] += 1;
        }
        assert_eq!(counts, [2; 3]);
        assert_eq!(
            spawn_from(&mut gateway, spawner, On::Shard(17)).err(),
            Some(SpawnOnError::Call(CallError::NoSuchShard))
        );
        assert!(spawn_from(&mut gateway, spawner, On::LeastLoaded).is_ok());
    }
    end(system);
}

#[test]
fn an_actor_starts_before_its_first_message() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    for shard in [0, 1] {
        let (said, heard) = channel();
        let told = said.clone();
        let fresh = Puppet::default()
            .started(move |_| {
                said.send("started").unwrap();
                Ok(())
            })
            .on(&system, shard);
        with(&mut gateway, fresh, move |_| told.send("told").unwrap());
        assert_eq!([next(&heard), next(&heard)], ["started", "told"]);
    }
    end(system);
}

/// An actor of 16 KiB: a region of one MiB has no room for many.
struct Large([u8; 16 << 10]);

impl Actor for Large {
    type Msg = ();
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        assert_eq!(self.0[0], 0);
        Ok(())
    }
}

#[test]
fn a_shard_without_room_says_so_and_has_room_again_when_some_stop() {
    let system: System = builder(2).region_bytes(1 << 20).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let census = Census::default();
    let mut all = Vec::new();
    let refused = loop {
        let one = census.one();
        let spawned = system.spawn_on(On::Shard(1), move || {
            let _ = &one;
            Large([0; 16 << 10])
        });
        match spawned {
            Ok(actor) => all.push(actor),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, SpawnOnError::Spawn(SpawnError::OutOfMemory));
    assert!((20..64).contains(&all.len()), "{}", all.len());
    assert_eq!(census.count(), all.len(), "a refused factory is dropped");
    let spawner = puppet(&system, 0);
    let large = all.pop().unwrap();
    with(&mut gateway, spawner, move |ctx| ctx.stop(large));
    common::await_some(|| system.spawn_on(On::Shard(1), || Large([0; 16 << 10])).ok());
    end(system);
    assert_eq!(census.count(), 0);
}

#[test]
fn a_call_gives_its_result_and_its_panic_is_its_own() {
    hush();
    let system = system(2);
    assert_eq!(system.call(1, |scope| scope.place().shard()), Ok(1));
    let counted = puppet(&system, 1);
    assert_eq!(system.call(1, |_| -> u32 { panic!("on purpose") }), Err(CallError::Panicked));
    assert_eq!(system.call(1, move |scope| scope.is_alive(counted)), Ok(true));
    assert_eq!(system.stats().len(), 2);
    end(system);
}

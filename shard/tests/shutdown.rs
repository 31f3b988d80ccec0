//! The end of a system: in order, in time, with nothing lost from sight, however much is going on.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{
    Census, Collect, Collector, Job, LONG, Puppet, await_some, builder, end, next, puppet, system, tell, with,
};
use corelane_kernel::{ActorRef, TellError};
use corelane_shard::{CallError, On, ShardCtx};

/// A puppet that notes its name when it stops.
fn noting(name: String, names: &Arc<Mutex<Vec<String>>>) -> Puppet {
    let names = names.clone();
    Puppet::default().stopped(move |_| names.lock().unwrap().push(name.clone()))
}

#[test]
fn children_stop_before_their_parents_and_all_are_gone() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let names = Arc::new(Mutex::new(Vec::new()));
    for shard in 0..2 {
        let root = noting(format!("{shard}"), &names).on(&system, shard);
        let noted = names.clone();
        with(&mut gateway, root, move |ctx| {
            for n in 0..3 {
                let name = format!("{shard}.{n}");
                let names = noted.clone();
                let child = ctx.spawn(noting(name.clone(), &noted)).unwrap();
                ctx.tell(
                    child,
                    Job::run(move |ctx| {
                        for n in 0..3 {
                            ctx.spawn(noting(format!("{name}.{n}"), &names)).unwrap();
                        }
                    }),
                );
            }
        });
        with(&mut gateway, puppet(&system, shard), |_| ());
    }
    let report = end(system);
    let names = names.lock().unwrap();
    assert_eq!(names.len(), 2 * (1 + 3 + 9));
    let at = |name: &str| names.iter().position(|noted| noted == name).unwrap();
    for name in names.iter() {
        if let Some((parent, _)) = name.rsplit_once('.') {
            assert!(at(name) < at(parent), "{name} before {parent}: {names:?}");
        }
    }
    assert!(report.shards.iter().all(|shard| shard.actors_left == 0 && shard.requests_left == 0));
    assert!(report.handled() > 0);
}

#[test]
fn what_is_said_in_the_last_moment_is_still_heard() {
    for _ in 0..30 {
        let system = system(2);
        let heard = Arc::new(AtomicUsize::new(0));
        for n in 0..10 {
            let heard = heard.clone();
            let speaking = Puppet::default().stopped(move |ctx| {
                let heard = heard.clone();
                let called = ctx.scope().call_on(1, move |_| {
                    heard.fetch_add(1, Ordering::SeqCst);
                });
                assert!(called.is_ok(), "{n}");
            });
            speaking.on(&system, 0);
        }
        end(system);
        assert_eq!(heard.load(Ordering::SeqCst), 10);
    }
}

#[test]
fn the_report_counts_what_happened() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let target = puppet(&system, 0);
    for _ in 0..100 {
        tell(&mut gateway, target, ());
    }
    with(&mut gateway, target, |ctx| ctx.stop_self());
    system.call(0, |_| ()).unwrap();
    for _ in 0..7 {
        tell(&mut gateway, target, ());
    }
    let other = puppet(&system, 0);
    with(&mut gateway, other, |_| ());
    let report = end(system);
    assert_eq!((report.handled(), report.dead_letters()), (102, 7));
    assert_eq!(report.shards.iter().map(|shard| shard.shard).collect::<Vec<_>>(), [0, 1]);
    assert!(report.to_string().contains("102 messages handled, 7 dead letters, 0 actors left"), "{report}");
}

#[test]
fn dropping_the_system_ends_it_in_order() {
    let census = Census::default();
    let stopped = Arc::new(AtomicUsize::new(0));
    {
        let system = system(2);
        for n in 0..10 {
            let stopped = stopped.clone();
            let counting = Puppet::default().holds(census.one()).stopped(move |_| {
                stopped.fetch_add(1, Ordering::SeqCst);
            });
            counting.on(&system, n % 2);
        }
        assert_eq!(census.count(), 10);
    }
    assert_eq!((census.count(), stopped.load(Ordering::SeqCst)), (0, 10));
}

#[test]
fn whoever_waits_is_told_by_whoever_asks() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let actor = puppet(&system, 1);
    assert!(!system.is_shutting_down());
    // An actor may ask, and go on.
    tell(&mut gateway, actor, Job::run(|ctx| ctx.system().request_shutdown()));
    let report = system.wait();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_system_whose_shards_flood_each_other_ends() {
    /// Tells the other, and itself to go on.
    fn flood(other: ActorRef<Job>, census: Census, told: Arc<AtomicUsize>) -> Job {
        Job::run(move |ctx| {
            for _ in 0..100 {
                let one = census.one();
                if ctx.try_tell(other, Job::run(move |_| drop(one))).is_err() {
                    break;
                }
                told.fetch_add(1, Ordering::SeqCst);
            }
            let me = ctx.me();
            ctx.tell(me, flood(other, census, told));
        })
    }
    for _ in 0..5 {
        let system = builder(2).lane_bytes(4096).start().unwrap();
        let mut gateway = system.gateway().unwrap();
        let census = Census::default();
        let told = Arc::new(AtomicUsize::new(0));
        let pair = [puppet(&system, 0), puppet(&system, 1)];
        for at in 0..2 {
            tell(&mut gateway, pair[at], flood(pair[1 - at], census.clone(), told.clone()));
        }
        await_some(|| (told.load(Ordering::SeqCst) > 10_000).then_some(()));
        end(system);
        assert_eq!(census.count(), 0);
    }
}

#[test]
fn a_system_that_threads_flood_ends() {
    let system = system(2);
    let census = Census::default();
    let pair = [puppet(&system, 0), puppet(&system, 1)];
    let told = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for target in pair {
            let mut gateway = system.gateway().unwrap();
            let (census, told) = (census.clone(), told.clone());
            scope.spawn(move || {
                loop {
                    let one = census.one();
                    match gateway.try_tell(target, Job::run(move |_| drop(one))) {
                        Err(TellError::Unreachable(_)) => break,
                        Err(_) => std::thread::yield_now(),
                        Ok(()) => {
                            told.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }
            });
        }
        await_some(|| (told.load(Ordering::SeqCst) > 10_000).then_some(()));
        end(system);
    });
    assert_eq!(census.count(), 0);
}

#[test]
fn an_end_without_patience_drops_everything_once_as_well() {
    for _ in 0..20 {
        let system = builder(2).lane_bytes(4096).start().unwrap();
        let mut gateway = system.gateway().unwrap();
        let census = Census::default();
        let pair = [puppet(&system, 0), puppet(&system, 1)];
        let told = Arc::new(AtomicUsize::new(0));
        for at in 0..2 {
            let (other, census, told) = (pair[1 - at], census.clone(), told.clone());
            fn go_on(other: ActorRef<Job>, census: Census, told: Arc<AtomicUsize>) -> Job {
                Job::run(move |ctx| {
                    for _ in 0..8 {
                        let one = census.one();
                        ctx.tell(other, Job::run(move |_| drop(one)));
                    }
                    told.fetch_add(1, Ordering::SeqCst);
                    let me = ctx.me();
                    ctx.tell(me, go_on(other, census, told));
                })
            }
            tell(&mut gateway, pair[at], go_on(other, census, told));
        }
        await_some(|| (told.load(Ordering::SeqCst) > 1000).then_some(()));
        let report = system.shutdown(Duration::ZERO);
        assert!(report.shards.len() + report.unfinished.len() == 2, "{report}");
        drop(gateway);
        // Shards that had not ended in time end by themselves.
        await_some(|| (census.count() == 0).then_some(()));
    }
}

#[test]
fn requests_after_the_end_are_refused_and_dropped() {
    let system = system(2);
    let handle = system.clone();
    let census = Census::default();
    end(system);
    assert!(handle.is_shutting_down());
    assert_eq!(handle.gateway().err(), Some(CallError::ShuttingDown));
    for shard in [0, 1] {
        let one = census.one();
        assert_eq!(handle.call(shard, move |_| drop(one)), Err(CallError::ShuttingDown));
        let held = census.one();
        let spawned = handle.spawn_on(On::Shard(shard), move || {
            let _ = &held;
            Puppet::default()
        });
        assert!(spawned.is_err());
    }
    assert_eq!(census.count(), 0);
    assert_eq!(handle.call(2, |_| ()), Err(CallError::NoSuchShard));
    handle.request_shutdown();
}

#[test]
fn a_shard_that_does_not_end_is_reported_and_ends_when_it_can() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let census = Census::default();
    let stuck = Puppet::default().holds(census.one()).on(&system, 0);
    let fine = Puppet::default().holds(census.one()).on(&system, 1);
    let (release, released) = channel::<()>();
    let (holding, is_held) = channel();
    tell(
        &mut gateway,
        stuck,
        Job::run(move |_| {
            holding.send(()).unwrap();
            assert!(released.recv().is_err());
        }),
    );
    next(&is_held);
    let waiting = census.one();
    tell(&mut gateway, stuck, Job::run(move |_| drop(waiting)));
    with(&mut gateway, fine, |_| ());
    let begun = Instant::now();
    let report = system.shutdown(Duration::from_millis(50));
    assert!(begun.elapsed() < LONG / 2, "it waits for nobody beyond its time");
    assert_eq!((report.unfinished.as_slice(), report.is_clean()), ([0].as_slice(), false));
    assert_eq!(report.shards.iter().map(|shard| shard.shard).collect::<Vec<_>>(), [1]);
    assert!(report.to_string().contains("shards [0] did not end in time"), "{report}");
    assert_eq!(census.count(), 2, "the other shard's actor is gone");
    drop(release);
    drop(gateway);
    await_some(|| (census.count() == 0).then_some(()));
}

/// Conformance 6.
#[test]
fn spawning_while_the_system_ends_is_refused_or_undone() {
    for _ in 0..20 {
        let system = system(2);
        let census = Census::default();
        let spawned = Arc::new(AtomicUsize::new(0));
        let handle = (*system).clone();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (handle, census, spawned) = (handle.clone(), census.clone(), spawned.clone());
                scope.spawn(move || {
                    loop {
                        let one = census.one();
                        let spawn = handle.spawn(move || {
                            let _ = &one;
                            Puppet::default()
                        });
                        if spawn.is_err() {
                            break;
                        }
                        spawned.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            await_some(|| (spawned.load(Ordering::SeqCst) > 50).then_some(()));
            let begun = Instant::now();
            end(system);
            assert!(begun.elapsed() < LONG / 2, "nobody who was spawned late is waited for");
        });
        assert_eq!(census.count(), 0);
    }
}

#[test]
fn whoever_is_spawned_by_one_that_stops_is_stopped() {
    let system = system(2);
    let census = Census::default();
    let (one, two) = (census.one(), census.one());
    let mut hold = Some((one, two));
    let last_will = Puppet::default().stopped(move |ctx| {
        let (here, there) = hold.take().unwrap();
        ctx.scope().spawn(Puppet::default().holds(here)).unwrap();
        let called = ctx.scope().call_on(1, move |scope| {
            scope.spawn(Puppet::default().holds(there)).unwrap();
        });
        assert!(called.is_ok());
    });
    last_will.on(&system, 0);
    let begun = Instant::now();
    end(system);
    assert!(begun.elapsed() < LONG / 2);
    assert_eq!(census.count(), 0);
}

#[test]
fn starting_and_ending_again_and_again() {
    for n in 0..100 {
        let system = builder(1 + n % 3).region_bytes(2 << 20).start().unwrap();
        let mut gateway = system.gateway().unwrap();
        let collector = Collector::<usize>::on(&system, n % (1 + n % 3));
        gateway.tell(collector, Collect::Add(n));
        assert_eq!(common::collected(&mut gateway, collector), [n]);
        if n % 2 == 0 {
            end(system);
        }
    }
}

#[test]
fn timers_and_asks_of_the_last_moment_hold_nobody_up() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let (timed, silent) = (puppet(&system, 0), puppet(&system, 1));
    let fired = Arc::new(AtomicBool::new(false));
    let (set, seen) = (fired.clone(), fired.clone());
    let (said, heard): (Sender<()>, _) = channel();
    with(&mut gateway, timed, move |ctx| {
        let day = Duration::from_secs(86_400);
        ctx.set_timer(1u64, day, Job::run(move |_| set.store(true, Ordering::SeqCst))).unwrap();
        ctx.ask(
            silent,
            day,
            |_: corelane_kernel::ReplyTo<()>| Job::run(|_| ()),
            move |_| Job::run(move |_| drop(said)),
        );
    });
    end(system);
    assert!(!seen.load(Ordering::SeqCst));
    assert!(heard.try_recv().is_err());
}

//! Blocking work: done on the pool, answered with a message, bounded in threads; whoever asked may be gone.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use common::{Census, Job, LONG, await_some, builder, end, hush, next, puppet, system, with};
use corelane_shard::{OffloadError, ShardCtx};

#[test]
fn work_is_done_on_another_thread_and_answered_with_a_message() {
    let system = builder(2).name("works").start().unwrap();
    let mut gateway = system.gateway().unwrap();
    for shard in [0, 1] {
        let actor = puppet(&system, shard);
        let (said, heard) = channel();
        let own = with(&mut gateway, actor, move |ctx| {
            let work = || std::thread::current().name().unwrap_or_default().to_owned();
            ctx.offload(work, move |result| Job::run(move |ctx| said.send((result, ctx.shard())).unwrap()))
                .unwrap();
            std::thread::current().name().unwrap_or_default().to_owned()
        });
        assert_eq!(own, format!("works-{shard}"));
        let (result, back_on) = next(&heard);
        assert!(result.unwrap().starts_with("works-blocking-"));
        assert_eq!(back_on, shard);
    }
    end(system);
}

#[test]
fn the_actor_goes_on_while_its_work_is_done() {
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let actor = puppet(&system, 0);
    let (release, released) = channel();
    let (said, heard) = channel();
    with(&mut gateway, actor, move |ctx| {
        ctx.offload(move || released.recv().unwrap(), move |n| Job::run(move |_| said.send(n).unwrap()))
    })
    .unwrap();
    assert_eq!(with(&mut gateway, actor, |_| 3), 3);
    assert!(heard.try_recv().is_err());
    release.send(11).unwrap();
    assert_eq!(next(&heard), Ok(11));
    end(system);
}

#[test]
fn a_panic_is_an_answer_as_well() {
    hush();
    let system = builder(1).blocking_threads(1).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let actor = puppet(&system, 0);
    for n in 0..10 {
        let (said, heard) = channel();
        with(&mut gateway, actor, move |ctx| {
            let work = move || -> u32 { panic!("on purpose: {n}") };
            ctx.offload(work, move |result| Job::run(move |_| said.send(result).unwrap()))
        })
        .unwrap();
        assert_eq!(next(&heard), Err(OffloadError::Panicked(format!("on purpose: {n}"))));
    }
    end(system);
}

#[test]
fn no_more_work_is_done_at_once_than_the_pool_has_threads() {
    const THREADS: usize = 3;
    const JOBS: usize = 20;
    let system = builder(2).blocking_threads(THREADS).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (tokens, token) = channel::<()>();
    let token = Arc::new(Mutex::new(token));
    let (said, heard) = channel();
    let (started, is_started) = channel();
    for n in 0..JOBS {
        let actor = puppet(&system, n % 2);
        let (running, most, token) = (running.clone(), most.clone(), token.clone());
        let (said, started) = (said.clone(), started.clone());
        with(&mut gateway, actor, move |ctx| {
            let work = move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                started.send(()).unwrap();
                token.lock().unwrap().recv_timeout(LONG).unwrap();
                running.fetch_sub(1, Ordering::SeqCst);
                n
            };
            ctx.offload(work, move |result| Job::run(move |_| said.send(result.unwrap()).unwrap()))
        })
        .unwrap();
    }
    // All threads are at work, and nobody has a token yet.
    for _ in 0..THREADS {
        next(&is_started);
    }
    assert_eq!(running.load(Ordering::SeqCst), THREADS);
    for _ in 0..JOBS {
        tokens.send(()).unwrap();
    }
    let mut all: Vec<_> = (0..JOBS).map(|_| next(&heard)).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..JOBS));
    assert_eq!(most.load(Ordering::SeqCst), THREADS);
    end(system);
}

#[test]
fn work_of_an_actor_that_is_gone_is_finished_and_its_result_dropped() {
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let census = Census::default();
    let actor = puppet(&system, 0);
    let (release, released) = channel::<()>();
    let (working, is_working) = channel();
    let (one, result) = (census.one(), census.clone());
    with(&mut gateway, actor, move |ctx| {
        let work = move || {
            working.send(()).unwrap();
            released.recv().unwrap();
            result.one()
        };
        ctx.offload(work, move |_| Job::run(move |_| drop(one)))
    })
    .unwrap();
    next(&is_working);
    with(&mut gateway, actor, |ctx| ctx.stop_self());
    await_some(|| (census.count() == 0).then_some(()));
    release.send(()).unwrap();
    let report = end(system);
    assert_eq!(census.count(), 0);
    assert_eq!(report.dead_letters(), 0);
}

/// Panics as it is dropped.
struct Mine;

impl Drop for Mine {
    fn drop(&mut self) {
        panic!("on purpose: drop");
    }
}

#[test]
fn a_result_whose_drop_panics_costs_the_pool_no_thread() {
    hush();
    let system = builder(1).blocking_threads(1).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    for _ in 0..3 {
        let actor = puppet(&system, 0);
        let (release, released) = channel::<()>();
        let (working, is_working) = channel();
        with(&mut gateway, actor, move |ctx| {
            let work = move || {
                working.send(()).unwrap();
                released.recv().unwrap();
                Mine
            };
            ctx.offload(work, |_| Job::run(|_| ()))
        })
        .unwrap();
        next(&is_working);
        // Nobody wants the result once the future that waits for it is gone.
        with(&mut gateway, actor, |ctx| ctx.stop_self());
        with(&mut gateway, puppet(&system, 0), |_| ());
        release.send(()).unwrap();
    }
    let (said, heard) = channel();
    with(&mut gateway, puppet(&system, 0), move |ctx| {
        ctx.offload(|| 5, move |result| Job::run(move |_| said.send(result).unwrap()))
    })
    .unwrap();
    assert_eq!(next(&heard), Ok(5));
    end(system);
}

#[test]
fn what_was_not_begun_when_the_system_ends_is_dropped_and_reported() {
    let system = builder(1).blocking_threads(1).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let census = Census::default();
    let actor = puppet(&system, 0);
    let (release, released) = channel::<()>();
    let (working, is_working) = channel();
    let jobs: Vec<_> = (0..3).map(|_| census.one()).collect();
    with(&mut gateway, actor, move |ctx| {
        let work = move || {
            working.send(()).unwrap();
            // Until the end has begun: the sender goes with the last actor.
            let _ = released.recv();
        };
        ctx.offload(work, |_| Job::run(|_| ())).unwrap();
        for job in jobs {
            ctx.offload(move || drop(job), |_| Job::run(|_| ())).unwrap();
        }
    });
    next(&is_working);
    let census_at_end = census.clone();
    // Lets go when the jobs that were not begun are gone: after the pool has been closed.
    let waiter = std::thread::spawn(move || {
        await_some(|| (census_at_end.count() == 0).then_some(()));
        drop(release);
    });
    let report = system.shutdown(LONG);
    waiter.join().unwrap();
    assert_eq!((report.jobs_left, report.is_clean()), (3, false));
    assert!(report.unfinished.is_empty());
    assert_eq!(census.count(), 0);
}

//! Futures of actors: polled on the shard, answered with a message, ended with their actor; wakers from anywhere.

mod common;

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use common::{
    Census, Job, Puppet, await_some, builder, end, failure, hush, next, puppet, system, tell, watch, with,
};
use corelane_shard::{Idle, ShardCtx};

/// A future that a test completes by hand, from any thread.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    fn open(&self) {
        let waker = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Somebody waits for it.
    fn is_awaited(&self) -> bool {
        self.0.lock().unwrap().1.is_some()
    }
}

impl Future for Gate {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap();
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Comes back this many times before it is done, waking itself.
async fn turns(mut left: u32) {
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_future_answers_with_a_message() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    for shard in [0, 1] {
        let actor = puppet(&system, shard);
        let (said, heard) = channel();
        with(&mut gateway, actor, move |ctx| {
            ctx.spawn_future(async { 6 * 7 }, move |n| {
                Job::run(move |ctx| said.send((n, ctx.shard())).unwrap())
            })
        })
        .unwrap();
        assert_eq!(next(&heard), (42, shard));
    }
    end(system);
}

#[test]
fn a_future_need_not_be_send() {
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let actor = puppet(&system, 0);
    let (said, heard) = channel();
    with(&mut gateway, actor, move |ctx| {
        let shared = Rc::new(Cell::new(1));
        let mine = shared.clone();
        let future = async move {
            turns(10).await;
            mine.set(mine.get() + 1);
            Rc::strong_count(&mine)
        };
        // Neither the output nor what makes the message of it is.
        ctx.spawn_future(future, move |count| {
            let sum = shared.get() + count;
            Job::run(move |_| said.send(sum).unwrap())
        })
    })
    .unwrap();
    assert_eq!(next(&heard), 4);
    end(system);
}

#[test]
fn an_actor_goes_on_while_its_future_runs() {
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let actor = puppet(&system, 0);
    let gate = Gate::default();
    let (said, heard) = channel();
    let future = gate.clone();
    with(&mut gateway, actor, move |ctx| {
        ctx.spawn_future(future, move |()| Job::run(move |_| said.send("ended").unwrap()))
    })
    .unwrap();
    for n in 0..100 {
        assert_eq!(with(&mut gateway, actor, move |_| n), n);
    }
    assert!(heard.try_recv().is_err());
    gate.open();
    assert_eq!(next(&heard), "ended");
    end(system);
}

#[test]
fn thousands_of_futures_each_answer_once() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let (said, heard) = channel();
    for shard in [0, 1] {
        let actor = puppet(&system, shard);
        let said = said.clone();
        with(&mut gateway, actor, move |ctx| {
            for n in 0..2000u32 {
                let said = said.clone();
                let future = async move {
                    turns(n % 7).await;
                    n
                };
                ctx.spawn_future(future, move |n| Job::run(move |_| said.send((shard, n)).unwrap())).unwrap();
            }
        });
    }
    let mut all: Vec<_> = (0..4000).map(|_| next(&heard)).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq((0..2).flat_map(|shard| (0..2000).map(move |n| (shard, n)))));
    assert!(heard.try_recv().is_err());
    end(system);
}

/// Conformance 22.
#[test]
fn messages_wait_for_the_future_in_order_and_its_outcome_comes_first() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let actor = puppet(&system, 1);
    let neighbour = puppet(&system, 1);
    let (said, heard) = channel();
    let gate = Gate::default();
    let (future, outcome) = (gate.clone(), said.clone());
    with(&mut gateway, actor, move |ctx| {
        ctx.wait_for(future, move |()| Job::run(move |_| outcome.send(-1).unwrap()))
    })
    .unwrap();
    for n in 0..100 {
        let said = said.clone();
        tell(&mut gateway, actor, Job::run(move |_| said.send(n).unwrap()));
    }
    // Others on the shard go on; what they tell it waits as well.
    with(&mut gateway, neighbour, move |ctx| {
        for n in 100..200 {
            let said = said.clone();
            ctx.tell(actor, Job::run(move |_| said.send(n).unwrap()));
        }
    });
    assert!(heard.try_recv().is_err());
    gate.open();
    assert!((0..201).map(|_| next(&heard)).eq(-1..200));
    end(system);
}

#[test]
fn one_who_waits_for_two_futures_goes_on_after_both() {
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let actor = puppet(&system, 0);
    let (first, second) = (Gate::default(), Gate::default());
    let (said, heard) = channel();
    let (futures, outcome) = ([first.clone(), second.clone()], said.clone());
    with(&mut gateway, actor, move |ctx| {
        for (n, future) in futures.into_iter().enumerate() {
            let outcome = outcome.clone();
            ctx.wait_for(future, move |()| Job::run(move |_| outcome.send(n).unwrap())).unwrap();
        }
    });
    tell(&mut gateway, actor, Job::run(move |_| said.send(9).unwrap()));
    second.open();
    // Its neighbours answer, and it does not.
    let neighbour = puppet(&system, 0);
    with(&mut gateway, neighbour, |_| ());
    assert!(heard.try_recv().is_err());
    first.open();
    let mut outcomes = [next(&heard), next(&heard)];
    outcomes.sort_unstable();
    assert_eq!((outcomes, next(&heard)), ([0, 1], 9));
    end(system);
}

#[test]
fn one_may_wait_for_one_future_after_the_other() {
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let actor = puppet(&system, 0);
    let (said, heard) = channel();
    fn step(n: u32, said: std::sync::mpsc::Sender<u32>) -> Job {
        Job::new(move |ctx| {
            said.send(n)?;
            if n < 50 {
                ctx.wait_for(turns(n % 3), move |()| step(n + 1, said))?;
            }
            Ok(())
        })
    }
    tell(&mut gateway, actor, step(0, said.clone()));
    tell(&mut gateway, actor, Job::run(move |_| said.send(99).unwrap()));
    assert!((0..51).map(|_| next(&heard)).eq(0..51));
    assert_eq!(next(&heard), 99, "what was told meanwhile comes after all of them");
    end(system);
}

#[test]
fn a_future_ends_with_its_actor() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let census = Census::default();
    for waits in [false, true] {
        for shard in [0, 1] {
            let actor = puppet(&system, shard);
            let (one, two) = (census.one(), census.one());
            let future = async move {
                let _held = one;
                pending::<()>().await;
            };
            with(&mut gateway, actor, move |ctx| {
                let then = move |()| Job::run(move |_| drop(two));
                if waits { ctx.wait_for(future, then) } else { ctx.spawn_future(future, then) }
            })
            .unwrap();
            assert_eq!(census.count(), 2);
            let other = puppet(&system, 1 - shard);
            with(&mut gateway, other, move |ctx| ctx.stop(actor));
            await_some(|| (census.count() == 0).then_some(()));
        }
    }
    end(system);
}

#[test]
fn futures_end_with_the_system() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let census = Census::default();
    for n in 0..100 {
        let actor = puppet(&system, n % 2);
        let one = census.one();
        with(&mut gateway, actor, move |ctx| {
            ctx.spawn_future(pending::<()>(), move |()| Job::run(move |_| drop(one)))
        })
        .unwrap();
    }
    let report = end(system);
    assert_eq!(census.count(), 0);
    assert!(report.shards.iter().all(|shard| shard.futures_left == 0));
}

/// Conformance 22.
#[test]
fn a_panic_in_a_future_or_its_message_fails_the_actor() {
    hush();
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let (notices, heard) = channel();
    let watcher = Puppet::default().notices(notices).on(&system, 1);
    let sibling = puppet(&system, 0);
    for waits in [false, true] {
        for in_future in [false, true] {
            let actor = puppet(&system, 0);
            watch(&system, &mut gateway, watcher, actor);
            tell(
                &mut gateway,
                actor,
                Job::new(move |ctx| {
                    let future = async move {
                        turns(2).await;
                        assert!(!in_future, "on purpose: future");
                    };
                    let then = move |()| -> Job { panic!("on purpose: then") };
                    if waits {
                        ctx.wait_for(future, then)?
                    } else {
                        ctx.spawn_future(future, then)?
                    }
                    Ok(())
                }),
            );
            let what = if in_future { "future" } else { "then" };
            let notice = next(&heard);
            assert_eq!(notice.address, actor.address());
            assert_eq!(failure(&notice), format!("panic: on purpose: {what}"));
            assert_eq!(with(&mut gateway, sibling, |_| 1), 1);
        }
    }
    end(system);
}

#[test]
fn a_waker_called_from_another_thread_wakes_a_sleeping_shard() {
    let system = builder(1).idle(Idle::Frugal).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let actor = puppet(&system, 0);
    for _ in 0..50 {
        let gate = Gate::default();
        let (said, heard) = channel();
        let future = gate.clone();
        with(&mut gateway, actor, move |ctx| {
            ctx.spawn_future(future, move |()| Job::run(move |_| said.send(()).unwrap()))
        })
        .unwrap();
        await_some(|| gate.is_awaited().then_some(()));
        // From here on nothing but the waker makes it move.
        let slept = system.stats()[0].sleeps;
        await_some(|| (system.stats()[0].sleeps > slept || slept > 0).then_some(()));
        std::thread::spawn(move || gate.open()).join().unwrap();
        next(&heard);
    }
    end(system);
}

/// Panics as it is dropped.
struct Mine(Census);

impl Drop for Mine {
    fn drop(&mut self) {
        drop(self.0.one());
        panic!("on purpose: drop");
    }
}

#[test]
fn a_future_whose_drop_panics_takes_nobody_down() {
    hush();
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let sibling = puppet(&system, 0);
    let drops = Arc::new(AtomicU32::new(0));
    for _ in 0..3 {
        let actor = puppet(&system, 0);
        let drops = drops.clone();
        with(&mut gateway, actor, move |ctx| {
            for _ in 0..5 {
                let (mine, drops) = (Mine(Census::default()), drops.clone());
                let future = async move {
                    let _counted = Count(drops);
                    let _mine = mine;
                    pending::<()>().await;
                };
                ctx.spawn_future(future, |()| Job::run(|_| ())).unwrap();
            }
            // Each is polled once, so that what it holds is its own.
            ctx.spawn_future(turns(3), |()| Job::run(|ctx| ctx.stop_self())).unwrap();
        });
        await_some(|| (!with(&mut gateway, sibling, move |ctx| ctx.scope().is_alive(actor))).then_some(()));
    }
    await_some(|| (drops.load(Ordering::SeqCst) == 15).then_some(()));
    // And some that the end of the system finds.
    let actor = puppet(&system, 0);
    with(&mut gateway, actor, |ctx| {
        for _ in 0..5 {
            let mine = Mine(Census::default());
            let future = async move {
                let _mine = mine;
                pending::<()>().await;
            };
            ctx.spawn_future(future, |()| Job::run(|_| ())).unwrap();
        }
    });
    let report = end(system);
    assert_eq!(report.shards.len(), 1);
}

/// Counts its drops.
struct Count(Arc<AtomicU32>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn an_ask_of_another_shard_is_awaited_in_a_handler() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let asker = puppet(&system, 0);
    let asked = puppet(&system, 1);
    let (said, heard) = channel();
    with(&mut gateway, asker, move |ctx| {
        let mut own = ctx.system().gateway().unwrap();
        let question =
            move |reply| Job::run(move |ctx: &mut corelane_kernel::Ctx<'_, Puppet>| ctx.tell(reply, 5u64));
        let answer = own.ask_future(asked, common::LONG, question);
        ctx.wait_for(answer, move |answer| Job::run(move |_| said.send(answer).unwrap()))
    })
    .unwrap();
    assert_eq!(next(&heard), Ok(5));
    end(system);
}

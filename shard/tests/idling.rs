//! Waiting: a shard with nothing to do sleeps as its policy says, and whatever comes wakes it.

mod common;

use std::sync::mpsc::channel;
use std::time::Duration;

use common::{Job, LONG, await_some, builder, end, next, puppet, tell, with};
use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo};
use corelane_shard::topology::{Request, Topology, plan};
use corelane_shard::{Gateway, Idle, On, ShardCtx, System};

/// Waits until a shard has gone to sleep `more` times.
fn await_sleep(system: &System, shard: usize, more: u64) -> u64 {
    let before = system.stats()[shard].sleeps;
    await_some(|| {
        let sleeps = system.stats()[shard].sleeps;
        (sleeps >= before + more).then_some(sleeps)
    })
}

/// Keeps a shard busy with messages of its own.
fn busy(gateway: &mut Gateway, of: corelane_kernel::ActorRef<Job>, messages: u32) {
    fn step(left: u32, done: std::sync::mpsc::Sender<()>) -> Job {
        Job::new(move |ctx| {
            if left == 0 {
                return Ok(done.send(())?);
            }
            let me = ctx.me();
            ctx.tell(me, step(left - 1, done));
            Ok(())
        })
    }
    let (done, is_done) = channel();
    tell(gateway, of, step(messages, done));
    next(&is_done);
}

#[test]
fn a_shard_with_nothing_to_do_takes_no_turns() {
    for idle in [Idle::Balanced, Idle::Frugal] {
        let system = builder(2).idle(idle).start().unwrap();
        let mut gateway = system.gateway().unwrap();
        let worker = puppet(&system, 1);
        // Long enough for a shard that does not sleep to take thousands of turns: once to come to rest, and once more.
        busy(&mut gateway, worker, 200_000);
        let asleep = system.stats()[0];
        busy(&mut gateway, worker, 200_000);
        let later = system.stats()[0];
        assert!(asleep.sleeps > 0);
        assert_eq!((later.turns, later.sleeps), (asleep.turns, asleep.sleeps), "a shard with nothing to do");
        assert!(system.call(1, |scope| scope.stats().handled).unwrap() > 400_000);
        end(system);
    }
}

#[test]
fn a_shard_that_sleeps_answers_whoever_wakes_it() {
    for idle in [Idle::Balanced, Idle::Frugal] {
        let system = builder(2).idle(idle).start().unwrap();
        let mut gateway = system.gateway().unwrap();
        let (first, second) = (puppet(&system, 0), puppet(&system, 1));
        for _ in 0..20 {
            // By a message of a thread, which goes on to another shard.
            await_sleep(&system, 0, 0);
            let (said, heard) = channel();
            tell(
                &mut gateway,
                first,
                Job::run(move |ctx| ctx.tell(second, Job::run(move |ctx| said.send(ctx.shard()).unwrap()))),
            );
            assert_eq!(next(&heard), 1);
            // By a call, by a signal.
            assert_eq!(system.call(1, |scope| scope.place().shard()), Ok(1));
            let doomed = puppet(&system, 1);
            with(&mut gateway, first, move |ctx| ctx.stop(doomed));
            await_some(|| (!system.call(1, move |scope| scope.is_alive(doomed)).unwrap()).then_some(()));
        }
        assert!(system.stats().iter().all(|shard| shard.sleeps > 0));
        end(system);
    }
}

struct Echo;

impl Actor for Echo {
    type Msg = (u64, ReplyTo<u64>);
    fn receive(&mut self, (n, reply): Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.tell(reply, n);
        Ok(())
    }
}

#[test]
fn latency_never_sleeps_where_it_may_spin_and_frugal_always_does() {
    let may_spin = plan(&Topology::read(), &Request::auto().shards(1)).unwrap().may_spin();
    for (idle, sleeps) in [(Idle::Latency, !may_spin), (Idle::Frugal, true)] {
        let system = builder(1).idle(idle).start().unwrap();
        let mut gateway = system.gateway().unwrap();
        let echo = system.spawn_on(On::Shard(0), || Echo).unwrap();
        // Each finds a shard that has had nothing to do for as long as a thread takes to ask.
        for n in 0..3000 {
            assert_eq!(gateway.ask(echo, LONG, move |reply| (n, reply)), Ok(n));
        }
        // Busy for more turns than it takes for its counts to be published.
        let worker = puppet(&system, 0);
        for _ in 0..2000 {
            with(&mut gateway, worker, |_| ());
        }
        assert_eq!(system.stats()[0].sleeps > 0, sleeps, "{idle:?}");
        assert!(system.stats()[0].turns > 1000);
        end(system);
    }
}

#[test]
fn a_timer_fires_in_a_shard_that_sleeps() {
    for idle in [Idle::Balanced, Idle::Frugal] {
        let system = builder(1).idle(idle).start().unwrap();
        let mut gateway = system.gateway().unwrap();
        let timed = puppet(&system, 0);
        for millis in [1, 3, 10] {
            let (said, heard) = channel();
            let after = Duration::from_millis(millis);
            let set_at = with(&mut gateway, timed, move |ctx| {
                ctx.set_timer(1u64, after, Job::run(move |ctx| said.send(ctx.now()).unwrap())).unwrap();
                ctx.now()
            });
            let fired_at = next(&heard);
            assert!(fired_at.since(set_at) >= after, "never early");
        }
        assert!(system.stats()[0].sleeps > 0, "it had nothing else to do");
        end(system);
    }
}

/// Sets a periodic timer and says so each time.
struct Clock(std::sync::mpsc::Sender<()>);

impl Actor for Clock {
    type Msg = ();
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        Ok(ctx.set_periodic(1u64, Duration::from_millis(1), ())?)
    }
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        // A test that no longer listens has heard enough.
        let _ = self.0.send(());
        Ok(())
    }
}

#[test]
fn a_periodic_timer_keeps_waking_its_shard() {
    let system = builder(1).idle(Idle::Frugal).start().unwrap();
    let (said, heard) = channel();
    system.spawn_on(On::Shard(0), move || Clock(said.clone())).unwrap();
    for _ in 0..50 {
        next(&heard);
    }
    assert!(system.stats()[0].sleeps > 10);
    end(system);
}

#[test]
fn a_time_out_of_an_ask_comes_from_a_shard_that_sleeps() {
    let system = builder(2).idle(Idle::Frugal).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let (asker, silent) = (puppet(&system, 0), puppet(&system, 1));
    let (said, heard) = channel();
    with(&mut gateway, asker, move |ctx| {
        let question = |_: ReplyTo<()>| Job::run(|_| ());
        ctx.ask(silent, Duration::from_millis(5), question, move |answer| {
            Job::run(move |_| said.send(answer).unwrap())
        });
    });
    assert_eq!(next(&heard), Err(corelane_kernel::AskError::Timeout));
    end(system);
}

//! Supervision on shards: a failure that nobody takes stops the system with a reason, and futures belong to the instance
//! that began them.

mod common;

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::time::Duration;

use common::{Job, LONG, Puppet, await_some, builder, end, hush, next, puppet, tell, with};
use corelane_kernel::{Actor, ActorRef, Ctx, Failure, KernelConfig, Outcome, ReplyTo, Strategy};
use corelane_shard::{CallError, On, ShardCtx, System};

/// A system whose top-level actors are looked after like this.
fn system(shards: usize, supervision: Strategy) -> System {
    let kernel = KernelConfig { supervision, ..KernelConfig::default() };
    builder(shards).kernel(kernel).start().expect("a system")
}

/// Conformance 6.
#[test]
fn a_failure_escalated_past_all_supervisors_stops_the_system_with_this_reason() {
    let system = system(2, Strategy::escalating());
    let mut gateway = system.gateway().unwrap();
    let (stopped, has_stopped) = channel();
    // Those on the other shard stop as well, before anybody asks for the end.
    let other = Puppet::default().stopped(move |_| stopped.send(()).unwrap()).on(&system, 0);
    with(&mut gateway, other, |_| ());
    let weak = puppet(&system, 1);
    tell(&mut gateway, weak, Job::new(|_| Err(Failure::new("cannot go on"))));
    next(&has_stopped);
    assert!(system.is_shutting_down());
    assert_eq!(
        system.spawn(Puppet::default).err().map(|error| error.to_string()),
        Some(CallError::ShuttingDown.to_string())
    );
    // Whoever waits goes on at once.
    let report = system.wait();
    assert_eq!(report.escalated.as_ref().map(Failure::text), Some("cannot go on"));
    assert!(!report.is_clean() && report.shards.iter().all(|shard| shard.actors_left == 0), "{report}");
    assert!(report.to_string().contains("cannot go on"), "{report}");
}

#[test]
fn a_system_that_was_shut_down_names_no_failure() {
    let system = system(1, Strategy::default());
    let report = end(system);
    assert_eq!(report.escalated, None);
}

/// Whether its future lives is seen by the number of these.
struct Alive(Rc<Cell<u32>>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Has one future in each instance, which never ends by itself.
struct Dreamer {
    alive: Rc<Cell<u32>>,
}

enum Dream {
    Wake,
    Futures(ReplyTo<u32>),
}

impl Actor for Dreamer {
    type Msg = Dream;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.alive.set(self.alive.get() + 1);
        let alive = Alive(self.alive.clone());
        ctx.spawn_future(
            async move {
                pending::<()>().await;
                drop(alive);
            },
            |()| Dream::Wake,
        )?;
        Ok(())
    }

    fn receive(&mut self, dream: Dream, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match dream {
            Dream::Wake => Err(Failure::new("woken")),
            Dream::Futures(reply) => {
                ctx.tell(reply, self.alive.get());
                Ok(())
            }
        }
    }
}

thread_local! {
    /// Counts the futures of a shard, whichever instance began them.
    static ALIVE: Rc<Cell<u32>> = Rc::default();
}

#[test]
fn the_futures_of_an_instance_end_with_it_and_not_with_the_next() {
    let system = system(1, Strategy::default());
    let mut gateway = system.gateway().unwrap();
    let dreamer: ActorRef<Dream> =
        system.spawn_on(On::Shard(0), || Dreamer { alive: ALIVE.with(Rc::clone) }).unwrap();
    for _ in 0..5 {
        gateway.tell_within(dreamer, Dream::Wake, LONG).unwrap();
        // One that was given up is dropped when the executor comes to it.
        await_some(|| (gateway.ask(dreamer, LONG, Dream::Futures) == Ok(1)).then_some(()));
    }
    system.call(0, move |scope| scope.stop(dreamer)).unwrap();
    let gone = || system.call(0, |_| ALIVE.with(|alive| alive.get())).unwrap() == 0;
    await_some(|| gone().then_some(()));
    end(system);
}

/// Conformance 22.
#[test]
fn an_actor_whose_awaited_future_panics_runs_again_after_its_restart() {
    hush();
    let system = system(1, Strategy::default());
    let mut gateway = system.gateway().unwrap();
    struct Waiter;
    impl Actor for Waiter {
        type Msg = Option<ReplyTo<u8>>;
        fn receive(&mut self, reply: Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
            match reply {
                Some(reply) => ctx.tell(reply, 7),
                None => ctx.wait_for(async { panic!("on purpose") }, |()| None)?,
            }
            Ok(())
        }
    }
    let waiter = system.spawn_on(On::Shard(0), || Waiter).unwrap();
    for _ in 0..3 {
        gateway.tell_within(waiter, None, LONG).unwrap();
        assert_eq!(gateway.ask(waiter, LONG, Some), Ok(7));
    }
    end(system);
}

#[test]
fn a_back_off_wakes_a_shard_that_sleeps() {
    let backoff = corelane_kernel::Backoff::new(Duration::from_millis(5), Duration::from_millis(5));
    let system = system(1, Strategy::one_for_one().backoff(backoff));
    let mut gateway = system.gateway().unwrap();
    struct Weak(std::sync::mpsc::Sender<()>);
    impl Actor for Weak {
        type Msg = ();
        fn started(&mut self, _: &mut Ctx<'_, Self>) -> Outcome {
            let _ = self.0.send(());
            Ok(())
        }
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Err(Failure::new("weak"))
        }
    }
    let (started, has_started) = channel();
    let weak = system.spawn_on(On::Shard(0), move || Weak(started.clone())).unwrap();
    for _ in 0..3 {
        next(&has_started);
        gateway.tell_within(weak, (), LONG).unwrap();
    }
    next(&has_started);
    end(system);
}

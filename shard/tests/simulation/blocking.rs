//! Blocking work and futures run in the thread of the simulation, on its clock.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use corelane_kernel::{Ctx, ReplyTo};
use corelane_shard::sim::{Event, Sim, note};
use corelane_shard::{GatewayAskError, On, ShardCtx};

use crate::rig::{Puppet, SECOND, calm, job};

#[test]
fn what_blocks_outside_lets_the_simulation_go_on() {
    let trace = Sim::new(5).shards(3).run(|sim| {
        let system = sim.system().clone();
        let puppet = system.spawn_on(On::Shard(2), || Puppet)?;
        assert_eq!(system.call(2, |scope| scope.stats().actors)?, 1);
        let mut gateway = system.gateway()?;
        let answer = gateway.ask(puppet, SECOND, |reply: ReplyTo<u64>| job(move |ctx| ctx.tell(reply, 42)));
        assert_eq!(answer, Ok(42));
        let soon =
            gateway.ask_future(puppet, SECOND, |reply: ReplyTo<u64>| job(move |ctx| ctx.tell(reply, 43)));
        assert_eq!(sim.block_on(soon), Ok(43));
        let never = gateway.ask(puppet, SECOND, |_: ReplyTo<u64>| job(|_| ()));
        assert!(matches!(never, Err(GatewayAskError::Ask(_))), "{never:?}");
        // More than its lane holds.
        for _ in 0..5000 {
            gateway.tell_within(puppet, job(|_| ()), Duration::from_secs(60)).expect("room in time");
        }
        sim.run_until_idle();
        Ok(())
    });
    assert_eq!(trace.expect("it runs").report.handled(), 5003);
}

#[test]
fn an_actor_that_blocks_its_shard_fails_with_the_reason() {
    let trace = calm(1).run(|sim| {
        let puppet = sim.spawn_on(0, || Puppet)?;
        let block = |ctx: &mut Ctx<'_, Puppet>| {
            let _ = ctx.system().call(1, |_| ());
        };
        sim.tell(puppet, job(block));
        sim.run_until_idle();
        Ok(())
    });
    let trace = trace.expect("it runs");
    let says =
        |event: &Event| matches!(event, Event::Failed { text, .. } if text.contains("this blocks its shard"));
    assert!(trace.events.iter().any(|(_, event)| says(event)), "{trace}");
}

#[test]
fn offloaded_work_runs_in_the_thread_of_the_simulation_after_a_time() {
    let trace = calm(1).run(|sim| {
        let puppet = sim.spawn_on(0, || Puppet)?;
        let here = std::thread::current().id();
        let begun = sim.now();
        sim.tell(
            puppet,
            job(move |ctx| {
                let work = || std::thread::current().id();
                let then = move |thread: Result<_, _>| {
                    job(move |ctx| {
                        assert_eq!(thread.ok(), Some(here));
                        assert!(ctx.now().since(begun) >= Duration::from_micros(10));
                        note("done");
                    })
                };
                ctx.offload(work, then).expect("room");
            }),
        );
        sim.run_until_idle();
        Ok(())
    });
    assert_eq!(trace.expect("it runs").notes().collect::<Vec<_>>(), ["done"]);
}

#[test]
fn an_actor_that_waits_for_a_future_handles_its_outcome_first() {
    let trace = Sim::new(9).run(|sim| {
        let puppet = sim.spawn_on(1, || Puppet)?;
        sim.tell(
            puppet,
            job(|ctx| {
                let mut left = 5;
                let future = poll_fn(move |cx| {
                    left -= 1;
                    cx.waker().wake_by_ref();
                    if left == 0 { Poll::Ready(()) } else { Poll::Pending }
                });
                ctx.wait_for(future, |()| job(|_| note("outcome"))).expect("room");
            }),
        );
        sim.tell(puppet, job(|_| note("message")));
        sim.run_until_idle();
        Ok(())
    });
    assert_eq!(trace.expect("it runs").notes().collect::<Vec<_>>(), ["outcome", "message"]);
}

#[test]
fn a_full_mailbox_keeps_out_no_outcome_of_a_future() {
    let trace = calm(1).run(|sim| {
        let puppet = sim.call(0, |scope| scope.spawner().mailbox(1).spawn_from(|| Puppet))??;
        sim.tell(
            puppet,
            job(|ctx| {
                ctx.spawn_future(async {}, |()| job(|_| note("outcome"))).expect("room");
                let me = ctx.me();
                ctx.tell(
                    me,
                    job(|ctx| {
                        let me = ctx.me();
                        // Full again when the future is looked at.
                        ctx.tell(me, job(|_| ()));
                    }),
                );
            }),
        );
        sim.run_until_idle();
        Ok(())
    });
    let trace = trace.expect("it runs");
    assert_eq!((trace.notes().count(), trace.report.dead_letters()), (1, 0), "{trace}");
}

#[test]
fn a_mailbox_bound_does_not_refuse_the_outcome_of_a_spawn() {
    let trace = calm(1).run(|sim| {
        let parent = sim.spawn_on(0, || Puppet)?;
        sim.tell(
            parent,
            job(|ctx| {
                let bounded = ctx.spawner().mailbox(1).spawn(Puppet).unwrap();
                let spawn_three = job(|ctx| {
                    let me = ctx.me();
                    // The mailbox is full from here on, for others.
                    ctx.try_tell(me, job(|_| ())).unwrap();
                    ctx.try_tell(me, job(|_| ())).unwrap_err();
                    for shard in [0, 1, 2] {
                        ctx.spawn_on(
                            On::Shard(shard),
                            || Puppet,
                            move |spawned| job(move |_| note(format_args!("{shard}: {}", spawned.is_ok()))),
                        );
                    }
                });
                ctx.tell(bounded, spawn_three);
            }),
        );
        sim.run_until_idle();
        Ok(())
    });
    let trace = trace.expect("it runs");
    let mut notes: Vec<_> = trace.notes().collect();
    notes.sort_unstable();
    assert_eq!(notes, ["0: true", "1: true", "2: false"], "{trace}");
}

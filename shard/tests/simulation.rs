//! The simulator: a system of several shards in one thread, from a seed. The same code as under threads, the same trace for
//! the same seed, every fault that was asked for, and rules that notice what is broken.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use corelane_kernel::{
    Actor, ActorRef, Ctx, DeadReason, Failure, Outcome, ReplyTo, StopReason, Strategy, TellError, Terminated,
    Time,
};
use corelane_shard::sim::random::RandomWorld;
use corelane_shard::sim::{
    Chaos, Event, Fault, HostPlan, Moment, Options, Sim, SimError, Simulation, Trace, World, note,
};
use corelane_shard::{CallError, GatewayAskError, On, ShardCtx, ShutdownPhase};

const SECOND: Duration = Duration::from_secs(1);

/// What is told to a [`Puppet`]: a closure that it runs.
struct Job(Work);

type Work = Box<dyn FnOnce(&mut Ctx<'_, Puppet>) -> Outcome + Send>;

fn job(work: impl FnOnce(&mut Ctx<'_, Puppet>) + Send + 'static) -> Job {
    Job(Box::new(|ctx| {
        work(ctx);
        Ok(())
    }))
}

struct Puppet;

impl Actor for Puppet {
    type Msg = Job;

    fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        (job.0)(ctx)
    }

    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        let reason = match &gone.reason {
            StopReason::Failed(failure) => failure.to_string(),
            other => format!("{other:?}"),
        };
        note(format_args!("hears: {reason}"));
        Ok(())
    }
}

/// Tells a number back to whoever told it, with one more, until none is left.
struct Player;

struct Ball(u32, ActorRef<Ball>);

impl Actor for Player {
    type Msg = Ball;

    fn receive(&mut self, Ball(left, from): Ball, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if left > 0 {
            let me = ctx.me();
            ctx.tell(from, Ball(left - 1, me));
        }
        Ok(())
    }
}

fn calm(seed: u64) -> Sim {
    Sim::new(seed).options(Options::calm())
}

/// Some of everything: games between all shards, futures, blocking work, timers.
fn story(sim: &mut Simulation) -> Result<(), Box<dyn std::error::Error>> {
    let mut players = Vec::new();
    for n in 0..8 {
        players.push(sim.spawn_on(n % 3, || Chaos::around(Player))?);
    }
    let puppet = sim.spawn_on(1, || Puppet)?;
    for round in 0..20 {
        for n in 0..players.len() {
            let other = players[(n + round) % players.len()];
            sim.tell(players[n], Ball(10, other));
        }
        sim.tell(
            puppet,
            job(move |ctx| {
                ctx.offload(move || round, |_| job(|_| note("a job"))).expect("room");
                ctx.spawn_future(async {}, |()| job(|_| note("a future"))).expect("room");
                ctx.set_timer(1, Duration::from_millis(3), job(|_| note("a timer"))).expect("room");
            }),
        );
        sim.run_for(Duration::from_millis(5));
    }
    sim.run_until_idle();
    Ok(())
}

fn run(seed: u64) -> Trace {
    Sim::new(seed).shards(3).run(story).expect("it runs")
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let (first, again, other) = (run(7), run(7), run(8));
    assert!(first.messages > 500, "{}", first.messages);
    assert_eq!(first.to_string(), again.to_string());
    assert_eq!(first, again);
    assert_ne!(first.hash, other.hash);
}

#[test]
fn every_kind_of_fault_is_injected_and_counted() {
    let often = Options {
        lane_words: 64..=64,
        stall_one_in: 20,
        clock_jump_one_in: 20,
        clock_back_one_in: 20,
        panic_one_in: 20,
        shutdown_one_in: 20,
        region_bytes: 256 << 10,
        ..Options::default()
    };
    let trace = Sim::new(1).shards(3).options(often).run(|sim| {
        let flood = sim.spawn_on(0, || Puppet)?;
        let sink = sim.spawn_on(1, || Puppet)?;
        sim.tell(flood, job(move |ctx| (0..1000).for_each(|_| ctx.tell(sink, job(|_| ())))));
        story(sim)?;
        let fill = |ctx: &mut Ctx<'_, Puppet>| while ctx.spawner().spawn(Puppet).is_ok() {};
        sim.tell(sink, job(fill));
        sim.run_until_idle();
        assert!(sim.lose_shard(2));
        assert!(sim.is_asked_to_end());
        Ok(())
    });
    let trace = trace.expect("it runs");
    assert_eq!(trace.faults.count(Fault::Shutdown), 1, "a system ends once");
    for (fault, count) in trace.faults.iter() {
        let listed =
            |(_, event): &&(Time, Event)| matches!(event, Event::Fault { fault: one, .. } if *one == fault);
        assert!(count > 0, "{fault:?}");
        assert_eq!(trace.events.iter().filter(listed).count() as u64, count, "{fault:?}");
    }
}

#[test]
fn a_calm_simulation_injects_nothing() {
    let trace = calm(3).shards(3).run(story).expect("it runs");
    let injected = [Fault::Stall, Fault::ClockJump, Fault::ClockBack, Fault::Panic, Fault::Spill];
    assert!(injected.iter().all(|fault| trace.faults.count(*fault) == 0), "{:?}", trace.faults);
    assert!(trace.report.is_clean());
    for what in ["a job", "a future", "a timer"] {
        assert_eq!(trace.notes().filter(|note| *note == what).count(), 20, "{what}");
    }
}

#[test]
fn time_passes_only_where_something_happens_or_it_is_let_pass() {
    let trace = calm(1).run(|sim| {
        let puppet = sim.spawn_on(1, || Puppet)?;
        let before = sim.now();
        sim.tell(
            puppet,
            job(|ctx| {
                let set = ctx.now();
                let hour = Duration::from_secs(3600);
                let fired = move |ctx: &mut Ctx<'_, Puppet>| assert!(ctx.now().since(set) >= hour);
                ctx.set_timer(1, hour, job(fired)).expect("room");
            }),
        );
        sim.run_until_idle();
        assert!(sim.now().since(before) < SECOND, "a timer that is not due is not waited for");
        let fired = sim.system().stats()[1].handled;
        sim.run_for(Duration::from_secs(3601));
        assert_eq!(sim.now().since(before).as_secs(), 3601);
        assert_eq!(sim.system().stats()[1].handled, fired + 1);
        Ok(())
    });
    assert_eq!(trace.expect("it runs").report.dead_letters(), 0);
}

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
fn a_watcher_on_another_shard_hears_of_a_failure() {
    for seed in 0..20 {
        let options = Options { supervision: Strategy::stopping(), ..Options::default() };
        let trace = Sim::new(seed).options(options).run(|sim| {
            let (watcher, watched) = (sim.spawn_on(0, || Puppet)?, sim.spawn_on(1, || Puppet)?);
            sim.tell(watcher, job(move |ctx| ctx.watch(watched).expect("room")));
            sim.run_until_idle();
            sim.tell(watched, Job(Box::new(|_| Err(Failure::new("told to")))));
            sim.run_until_idle();
            Ok(())
        });
        assert_eq!(trace.expect("it runs").notes().collect::<Vec<_>>(), ["hears: error: told to"], "{seed}");
    }
}

#[test]
fn a_stalled_shard_does_nothing_for_a_while() {
    let trace = calm(1).run(|sim| {
        let puppet = sim.spawn_on(1, || Puppet)?;
        let until = sim.now() + SECOND;
        sim.stall(1, SECOND);
        sim.tell(puppet, job(move |ctx| assert!(ctx.now() >= until)));
        sim.run_until_idle();
        Ok(())
    });
    let trace = trace.expect("it runs");
    assert_eq!((trace.report.handled(), trace.report.dead_letters()), (1, 0), "{trace}");
    assert!(trace.events.iter().all(|(_, event)| !matches!(event, Event::Failed { .. })), "{trace}");
}

/// A disk: each read takes its time, and tells whoever asked.
struct Disk {
    reads: Rc<Cell<u32>>,
    next: Option<Time>,
    done: Arc<AtomicUsize>,
}

impl World for Disk {
    fn next_time(&mut self, moment: &Moment<'_>) -> Option<Time> {
        if self.next.is_none() && self.reads.get() > 0 {
            self.reads.set(self.reads.get() - 1);
            let takes = moment.time(&(Duration::from_micros(80)..=Duration::from_millis(8)));
            self.next = Some(moment.now() + takes);
        }
        self.next
    }

    fn step(&mut self, moment: &Moment<'_>) {
        self.next = None;
        self.done.fetch_add(1, Ordering::Relaxed);
        moment.note("a read is done");
    }
}

#[test]
fn a_further_world_has_its_events_among_all_others() {
    let run = || {
        let trace = Sim::new(4).run(|sim| {
            let (reads, done) = (Rc::new(Cell::new(0)), Arc::new(AtomicUsize::new(0)));
            sim.add_world(Disk { reads: reads.clone(), next: None, done: done.clone() });
            let player = sim.spawn_on(0, || Player)?;
            let other = sim.spawn_on(1, || Player)?;
            sim.tell(player, Ball(100, other));
            reads.set(3);
            sim.run_until_idle();
            assert_eq!(done.load(Ordering::Relaxed), 3);
            Ok(())
        });
        trace.expect("it runs")
    };
    assert_eq!(run().notes().count(), 3);
    assert_eq!(run(), run());
}

#[test]
fn a_story_that_fails_names_its_seed() {
    let failed = Sim::new(77).run(|_| Err("no luck".into()));
    assert_eq!(failed.unwrap_err().to_string(), "the simulation of seed 77 failed: no luck");
}

#[test]
fn options_that_make_no_system_are_refused_by_name() {
    for (options, complaint) in [
        (Options { lane_words: 8..=8, ..Options::calm() }, "lane_words is 8"),
        (Options { signal_words: 1..=64, ..Options::calm() }, "signal_words is 1"),
        (Options { region_bytes: 4096, ..Options::calm() }, "region_bytes is 4096"),
        (Options { budgets: 0..=1, ..Options::calm() }, "budgets"),
        (Options { batch_words: 1..=1, ..Options::calm() }, "batch_words"),
    ] {
        let refused = Sim::new(1).options(options).run(|_| Ok(())).unwrap_err();
        assert!(matches!(refused, SimError::Start(_)), "{refused:?}");
        assert!(refused.to_string().contains(complaint), "{refused}");
    }
    assert!(Sim::new(1).shards(0).run(|_| Ok(())).unwrap_err().to_string().contains("not 0"));
}

#[test]
fn a_shard_that_is_lost_takes_those_who_live_there_along_and_all_others_hear_of_it() {
    let trace = calm(3).shards(3).run(|sim| {
        let [here, there, third] = [0, 1, 2].map(|shard| sim.spawn_on(shard, || Puppet).expect("room"));
        // It watches one who is to be lost, has a child there, and is to lose its own parent.
        sim.tell(here, job(move |ctx| ctx.watch(there).expect("room")));
        let child_on = |shard, name: &'static str| {
            job(move |ctx| {
                let born = move |child: Result<ActorRef<Job>, _>| {
                    job(move |ctx| {
                        note(format_args!("{name}: {}", child.is_ok()));
                        if let Ok(child) = child {
                            ctx.watch(child).expect("room");
                        }
                    })
                };
                if ctx.child_on(shard).spawn_from(|| Puppet, born).is_err() {
                    note(format_args!("{name}: refused"));
                }
            })
        };
        sim.tell(here, child_on(1, "a child there"));
        sim.tell(there, child_on(2, "a child elsewhere"));
        sim.run_until_idle();
        sim.tell(third, job(|ctx| note(format_args!("{} live on the third", ctx.scope().stats().actors))));
        sim.run_until_idle();

        sim.tell(there, job(|_| note("never handled")));
        assert!(sim.lose_shard(1) && sim.is_lost(1) && !sim.lose_shard(1) && !sim.lose_shard(3));
        sim.run_until_idle();
        sim.tell(third, job(|ctx| note(format_args!("{} live on the third", ctx.scope().stats().actors))));
        sim.tell(here, child_on(1, "another"));
        sim.run_until_idle();
        // Nobody waits for it in vain, and a way in that is made from now on leads to the others.
        assert_eq!(sim.call(1, |_| ()), Err(CallError::ShardLost));
        let refused = sim.spawn_on(1, || Puppet).unwrap_err();
        assert_eq!(refused.to_string(), "the shard is lost");
        assert!(matches!(sim.try_tell(there, job(|_| ())), Err(TellError::Unreachable(_))));
        let mut gateway = sim.system().gateway()?;
        sim.run_until_idle();
        assert!(matches!(gateway.try_tell(there, job(|_| ())), Err(TellError::Unreachable(_))));
        gateway.try_tell(third, job(|_| note("goes on"))).map_err(|_| "refused")?;
        sim.run_until_idle();
        Ok(())
    });
    let trace = trace.expect("it runs");
    let mut notes: Vec<_> = trace.notes().collect();
    notes.sort_unstable();
    let wanted = [
        "1 live on the third",
        "2 live on the third",
        "a child elsewhere: true",
        "a child there: true",
        "another: refused",
        "goes on",
        "hears: Unreachable",
        "hears: Unreachable",
    ];
    assert_eq!(notes, wanted, "{trace}");
    assert_eq!(trace.faults.count(Fault::ShardLoss), 1);
    assert_eq!(trace.report.unfinished, [1]);
    assert_eq!(trace.report.shards.iter().map(|shard| shard.actors_left).sum::<u64>(), 0);
}

#[test]
fn an_ask_of_a_shard_that_is_lost_has_an_outcome() {
    struct Silent;
    impl Actor for Silent {
        type Msg = ReplyTo<u32>;
        fn receive(&mut self, _: ReplyTo<u32>, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let trace = calm(1).run(|sim| {
        let silent = sim.spawn_on(1, || Silent)?;
        let mut gateway = sim.system().gateway()?;
        let asked = gateway.ask_future(silent, SECOND, |reply| reply);
        sim.step();
        sim.lose_shard(1);
        drop(gateway);
        assert_eq!(sim.block_on(asked), Err(GatewayAskError::Unreachable));
        Ok(())
    });
    assert!(trace.is_ok(), "{trace:?}");
}

#[test]
fn shards_are_lost_at_random_but_never_the_last() {
    for seed in 0..20 {
        let options = Options { shard_loss_one_in: 3, ..Options::calm() };
        let trace = Sim::new(seed).shards(3).options(options).run(|sim| {
            sim.run_for(SECOND);
            let left = (0..3).filter(|shard| !sim.is_lost(*shard)).count();
            assert!(left > 0);
            Ok(())
        });
        let trace = trace.expect("it runs");
        assert_eq!(trace.report.unfinished.len() as u64, trace.faults.count(Fault::ShardLoss));
        assert!(trace.report.shards.len() + trace.report.unfinished.len() == 3);
    }
}

#[test]
fn a_story_that_never_rests_is_found_out() {
    struct Restless;
    impl Actor for Restless {
        type Msg = ();
        fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
            let me = ctx.me();
            ctx.tell(me, ());
            Ok(())
        }
    }
    let story = || {
        let options = Options { events_max: 1000, ..Options::calm() };
        Sim::new(1).options(options).run(|sim| {
            let restless = sim.spawn_on(0, || Restless)?;
            sim.tell(restless, ());
            sim.run_until_idle();
            Ok(())
        })
    };
    let panic = std::panic::catch_unwind(story).unwrap_err();
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(text.contains("does not come to rest: 1000 events"), "{text}");
    // The next one is not troubled by it.
    assert!(calm(1).run(|_| Ok(())).is_ok());
}

#[test]
fn what_is_left_at_the_end_is_reported_and_dropped_once() {
    struct Counted(Arc<Mutex<u32>>);
    impl Drop for Counted {
        fn drop(&mut self) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let dropped = Arc::new(Mutex::new(0));
    let counted = dropped.clone();
    let trace = Sim::new(6).run(move |sim| {
        let (a, b) = (sim.spawn_on(0, || Puppet)?, sim.spawn_on(1, || Puppet)?);
        for _ in 0..100 {
            let counted = Counted(counted.clone());
            sim.tell(a, job(move |ctx| ctx.tell(b, job(move |_| drop(counted)))));
        }
        Ok(())
    });
    let report = trace.expect("it runs").report;
    assert!(report.is_clean(), "{report}");
    assert_eq!(*dropped.lock().unwrap(), 100);
}

#[test]
fn a_message_to_one_that_is_gone_is_a_dead_letter_of_the_trace() {
    let trace = calm(1).run(|sim| {
        let puppet = sim.spawn_on(1, || Puppet)?;
        sim.stop(puppet);
        sim.run_until_idle();
        sim.tell(puppet, job(|_| ()));
        sim.run_until_idle();
        Ok(())
    });
    let trace = trace.expect("it runs");
    let letter = |event: &Event| matches!(event, Event::DeadLetter { reason: DeadReason::NoActor, .. });
    assert_eq!(trace.events.iter().filter(|(_, event)| letter(event)).count(), 1, "{trace}");
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

#[test]
fn the_tasks_of_a_coordinated_shutdown_run_by_the_clock_of_the_simulation() {
    let run = || {
        calm(1).run(|sim| {
            let puppet = sim.spawn_on(1, || Puppet)?;
            let shutdown = sim.system().coordinated_shutdown();
            shutdown.add_actor_task(ShutdownPhase::SERVICE_UNBIND, "actor", puppet, |_, reply| {
                job(move |ctx| ctx.tell(reply, ()))
            })?;
            shutdown.add_blocking_task(ShutdownPhase::SERVICE_UNBIND, "blocking", |_| Ok(()))?;
            shutdown.add_task(ShutdownPhase::SERVICE_UNBIND, "endless", |_| std::future::pending())?;
            Ok(())
        })
    };
    let trace = run().expect("it runs");
    let [phase] = &trace.report.phases[..] else { panic!("one phase: {:?}", trace.report.phases) };
    assert_eq!(phase.timed_out, ["endless"]);
    let mut done = phase.done.clone();
    done.sort_unstable();
    assert_eq!(done, ["actor", "blocking"]);
    assert!(trace.virtual_time >= SECOND, "{:?}", trace.virtual_time);
    assert_eq!(run().expect("it runs"), trace);
}

// --- random worlds -------------------------------------------------------------------------------------------------

#[test]
fn every_rule_holds_in_random_worlds() {
    for seed in 0..60 {
        let outcome = RandomWorld::new(seed).run().expect("a world");
        assert!(outcome.broken.is_none(), "{outcome}");
    }
}

#[test]
fn a_random_world_is_the_same_again_with_or_without_a_record() {
    let is_long = |seed: &u64| {
        let trace = RandomWorld::new(*seed).record().run().expect("a world").trace;
        trace.events.len() > 1000
    };
    let long: Vec<u64> = (0..100).filter(is_long).take(3).collect();
    assert_eq!(long.len(), 3, "most worlds are long");
    for seed in long {
        let [first, again] = [(); 2].map(|()| RandomWorld::new(seed).run().expect("a world").trace);
        assert_eq!(first, again);
        let recorded = RandomWorld::new(seed).record().run().expect("a world").trace;
        assert_eq!(recorded.hash, first.hash);
    }
}

#[test]
fn a_faulty_actor_is_found_out_with_its_seed() {
    let outcome = RandomWorld::new(5).faulty().run().expect("a world");
    assert!(outcome.to_string().starts_with("seed 5: a message is handled or dropped once: "), "{outcome}");
}

/// Says when it is stopped, and when it is dropped.
struct Mortal(u32);

impl Actor for Mortal {
    type Msg = ReplyTo<u32>;
    fn receive(&mut self, reply: ReplyTo<u32>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.tell(reply, self.0);
        Ok(())
    }
    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        note(format_args!("{} is stopped", self.0));
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        note(format_args!("{} is dropped", self.0));
    }
}

#[test]
fn hosts_come_and_go_on_one_clock_and_a_crash_runs_no_hook() {
    let trace = calm(3).shards(1).run(|sim| {
        let (mut near, mut far) = (sim.start_host(HostPlan::new(2))?, sim.start_host(HostPlan::new(1))?);
        assert_eq!((near.number(), far.number()), (1, 2));
        let own = sim.spawn_on(0, || Mortal(0))?;
        let first = near.spawn_on(1, || Mortal(1))?;
        let second = far.spawn_on(0, || Mortal(2))?;
        assert!(near.is_at(first.place()) && !near.is_at(second.place()));
        assert_eq!(sim.ask(own, SECOND, |reply| reply)?, 0);
        assert_eq!(near.ask(first, SECOND, |reply| reply)?, 1);
        assert_eq!(far.ask(second, SECOND, |reply| reply)?, 2);
        // What is of one host means nothing to another.
        assert!(matches!(far.ask(first, SECOND, |reply| reply), Err(GatewayAskError::Unreachable)));
        sim.note("crash");
        near.crash();
        sim.run_for(SECOND);
        assert_eq!(far.ask(second, SECOND, |reply| reply)?, 2);
        // Its number is given again.
        let mut again = sim.start_host(HostPlan::new(1))?;
        assert_eq!(again.number(), 1);
        let third = again.spawn_on(0, || Mortal(3))?;
        assert_eq!(again.ask(third, SECOND, |reply| reply)?, 3);
        sim.note("end");
        let report = far.shut_down();
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.ran, sim.now().since(Time::ZERO));
        assert!(again.shut_down().ran < report.ran);
        Ok(())
    });
    let trace = trace.unwrap();
    let notes: Vec<_> = trace.notes().collect();
    let expected = [
        "crash",
        "1 is dropped",
        "end",
        "2 is stopped",
        "2 is dropped",
        "3 is stopped",
        "3 is dropped",
        "0 is stopped",
        "0 is dropped",
    ];
    assert_eq!(notes, expected, "{trace}");
    assert!(trace.report.is_clean());
}

#[test]
fn hosts_that_are_left_when_a_story_ends_or_fails_are_gone_with_it() {
    let run = |seed: u64, fails: bool| {
        let kept = Rc::new(Cell::new(None));
        let keep = kept.clone();
        let ended = Sim::new(seed).run(move |sim| {
            let mut far = sim.start_host(HostPlan::new(3))?;
            far.stall(2, SECOND);
            let one = far.spawn_on(2, || Mortal(1))?;
            assert!(sim.now() >= Time::ZERO + SECOND);
            far.tell(one, ReplyTo::nobody());
            keep.set(Some(far));
            if fails { Err("on purpose".into()) } else { Ok(()) }
        });
        assert_eq!(ended.is_err(), fails);
        // It has nothing left to drop.
        drop(kept.take());
        ended.ok()
    };
    assert!(run(4, true).is_none());
    let (first, second) = (run(5, false).unwrap(), run(5, false).unwrap());
    assert!(first == second);
    assert!(first.hash != run(6, false).unwrap().hash);
}

#[test]
fn a_host_that_cannot_be_started_leaves_nothing_behind() {
    let trace = calm(1).run(|sim| {
        let Err(error) = sim.start_host(HostPlan::new(0)) else { panic!("a host without shards") };
        assert!(error.to_string().contains("a system has 1 to"), "{error}");
        assert_eq!(sim.start_host(HostPlan::new(1))?.number(), 1);
        Ok(())
    });
    assert!(trace.unwrap().report.is_clean());
}

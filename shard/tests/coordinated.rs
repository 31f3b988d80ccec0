//! Coordinated shutdown: tasks in phases, once, before the actors are stopped.

mod common;

use std::future::{pending, ready};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use common::{Census, Job, LONG, Log, Puppet, builder, end, hush, next, puppet, system, tell, with};
use corelane_kernel::ReplyTo;
use corelane_shard::{
    AddTaskError, BoxError, CoordinatedShutdown, PhaseError, SHUTDOWN_TASKS_MAX, ShardCtx, ShutdownPhase,
    ShutdownReason, StartError,
};

const FIRST: &str = ShutdownPhase::BEFORE_SERVICE_UNBIND;
const STOP: &str = ShutdownPhase::SERVICE_STOP;
const LAST: &str = ShutdownPhase::BEFORE_SYSTEM_TERMINATE;

/// A task that says that it ran.
fn task(log: &Log, to: &CoordinatedShutdown, phase: &str, name: &'static str) {
    let log = log.clone();
    let task = move |_| {
        log.add(name);
        ready(Ok(()))
    };
    to.add_task(phase, name, task).unwrap();
}

/// A time that is over before anything can be done in it, however fast the machine.
const NO_TIME: Duration = Duration::ZERO;

/// Conformance 35.
#[test]
fn phases_run_in_order_before_the_actors_are_stopped() {
    let log = Log::default();
    let phases = [
        ShutdownPhase::new("cluster-leave").after(STOP).before(LAST),
        ShutdownPhase::new("cluster-exiting").after("cluster-leave").before(LAST),
    ];
    let [leave, exiting] = phases;
    let system = builder(2).shutdown_phase(exiting).shutdown_phase(leave).start().unwrap();
    let shutdown = system.coordinated_shutdown();
    let phases = shutdown.phases();
    let expected =
        [FIRST, "service-unbind", "service-requests-done", STOP, "cluster-leave", "cluster-exiting", LAST];
    assert_eq!(phases, expected);
    let stopped = log.clone();
    Puppet::default().stopped(move |_| stopped.add("actor stopped")).on(&system, 1);
    for phase in expected.iter().rev() {
        task(&log, &shutdown, phase, phase);
    }
    let report = end(system);
    assert_eq!(log.take(), [&expected[..], &["actor stopped"]].concat());
    let reported: Vec<_> =
        report.phases.iter().map(|phase| (phase.phase.as_str(), phase.done.len())).collect();
    assert_eq!(reported, expected.map(|phase| (phase, 1)));
}

/// Conformance 35.
#[test]
fn phases_that_make_a_cycle_keep_the_system_from_starting() {
    let cycle = builder(1)
        .shutdown_phase(ShutdownPhase::new("a").after("b"))
        .shutdown_phase(ShutdownPhase::new("b").after("a"));
    let error = cycle.start().unwrap_err();
    assert!(
        matches!(&error, StartError::Phases(PhaseError::Cycle(phases)) if phases == &["a", "b"]),
        "{error}"
    );
    assert_eq!(error.to_string(), "shutdown phases: a -> b -> a is a cycle");
    let unknown = builder(1).shutdown_phase(ShutdownPhase::new("a").after("z")).start().unwrap_err();
    assert_eq!(unknown.to_string(), "shutdown phases: \"a\" comes before or after \"z\", which is no phase");
}

#[test]
fn the_tasks_of_one_phase_run_side_by_side() {
    let system = system(1);
    let shutdown = system.coordinated_shutdown();
    // Each ends only if the other has begun.
    let (to_b, from_a) = oneshot::async_channel();
    let (to_a, from_b) = oneshot::async_channel();
    let meet = |to: oneshot::Sender<()>, from: oneshot::AsyncReceiver<()>| {
        move |_| async move {
            to.send(()).map_err(|_| "alone")?;
            Ok::<(), BoxError>(from.await?)
        }
    };
    shutdown.add_task(FIRST, "a", meet(to_b, from_b)).unwrap();
    shutdown.add_task(FIRST, "b", meet(to_a, from_a)).unwrap();
    let together = Arc::new(Barrier::new(2));
    for name in ["c", "d"] {
        let together = together.clone();
        let task = move |_| {
            together.wait();
            Ok(())
        };
        shutdown.add_blocking_task(FIRST, name, task).unwrap();
    }
    let mut done = end(system).phases[0].done.clone();
    done.sort();
    assert_eq!(done, ["a", "b", "c", "d"]);
}

/// Conformance 35: it runs once, and its reason is kept.
#[test]
fn the_first_reason_stands_and_every_task_is_told_of_it() {
    let log = Log::default();
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let shutdown = system.coordinated_shutdown();
    assert_eq!(shutdown.reason(), None);
    let (task, blocking) = (log.clone(), log.clone());
    shutdown
        .add_task(FIRST, "task", move |reason| {
            ready({
                task.add(format!("{reason}"));
                Ok(())
            })
        })
        .unwrap();
    shutdown
        .add_blocking_task(LAST, "work", move |reason| {
            blocking.add(format!("{reason}"));
            Ok(())
        })
        .unwrap();
    let actor = puppet(&system, 1);
    with(&mut gateway, actor, |ctx| {
        let shutdown = ctx.system().coordinated_shutdown();
        shutdown.request(ShutdownReason::Failed("the disk".to_owned()));
        shutdown.request(ShutdownReason::Other("another".to_owned()));
        ctx.system().request_shutdown();
    });
    let report = system.wait();
    assert!(report.is_clean(), "{report}");
    let reason = ShutdownReason::Failed("the disk".to_owned());
    assert_eq!((&report.reason, shutdown.reason()), (&reason, Some(reason.clone())));
    assert_eq!(log.take(), ["failed: the disk"; 2]);
}

#[test]
fn dropping_a_system_runs_it_too() {
    let log = Log::default();
    let system = system(1);
    let shutdown = system.coordinated_shutdown();
    task(&log, &shutdown, LAST, "ran");
    drop(system);
    assert_eq!((log.take(), shutdown.reason()), (vec!["ran".to_owned()], Some(ShutdownReason::Dropped)));
    let late = shutdown.add_task(LAST, "late", |_| ready(Ok(())));
    assert_eq!(late, Err(AddTaskError::TooLate { phase: LAST.to_owned() }));
}

#[test]
fn a_system_without_tasks_reports_no_phases() {
    let report = end(system(1));
    assert_eq!((report.phases, report.reason), (vec![], ShutdownReason::Requested));
}

/// Conformance 35.
#[test]
fn a_phase_that_takes_too_long_does_not_keep_the_next_from_running() {
    let (log, census) = (Log::default(), Census::default());
    let system = builder(1).shutdown_phase(ShutdownPhase::new(FIRST).within(NO_TIME)).start().unwrap();
    let shutdown = system.coordinated_shutdown();
    let counted = census.one();
    let endless = move |_| async move {
        let _counted = counted;
        pending::<Result<(), BoxError>>().await
    };
    shutdown.add_task(FIRST, "endless", endless).unwrap();
    task(&log, &shutdown, FIRST, "short");
    task(&log, &shutdown, LAST, "last");
    let report = system.shutdown(LONG);
    assert_eq!(log.take(), ["short", "last"], "each task is begun at least");
    assert_eq!(
        (&report.phases[0].timed_out[..], &report.phases[0].done[..]),
        (&["endless".into()][..], &["short".into()][..])
    );
    assert_eq!(report.phases[1].done, ["last"]);
    assert_eq!(census.count(), 0, "what is out of time is dropped");
    assert!(!report.is_clean());
    assert!(
        report.to_string().contains("before-service-unbind: 1 tasks done, \"endless\" out of time"),
        "{report}"
    );
}

/// Conformance 35: a task that fails or panics is like one that takes too long.
#[test]
fn a_task_that_fails_does_not_keep_the_others_from_running() {
    hush();
    let (log, system) = (Log::default(), system(1));
    let shutdown = system.coordinated_shutdown();
    shutdown.add_task(FIRST, "fails", |_| ready(Err("no".into()))).unwrap();
    shutdown.add_task(FIRST, "panics", |_| async { panic!("at once") }).unwrap();
    shutdown
        .add_task(FIRST, "unmade", |_| -> std::future::Ready<Result<(), BoxError>> { panic!("unmade") })
        .unwrap();
    shutdown.add_blocking_task(FIRST, "blocks", |_| panic!("on the pool")).unwrap();
    task(&log, &shutdown, FIRST, "beside");
    task(&log, &shutdown, STOP, "later");
    let report = system.shutdown(LONG);
    assert_eq!(log.take(), ["beside", "later"]);
    let mut failed = report.phases[0].failed.clone();
    failed.sort();
    let expected = [
        ("blocks", "blocking work panicked: on the pool"),
        ("fails", "no"),
        ("panics", "it panicked: at once"),
        ("unmade", "it panicked: unmade"),
    ];
    assert_eq!(failed, expected.map(|(name, why)| (name.to_owned(), why.to_owned())));
}

/// Conformance 35.
#[test]
fn where_recovery_is_off_later_phases_are_skipped_and_the_actors_stop_all_the_same() {
    for fails in [true, false] {
        let log = Log::default();
        let strict = ShutdownPhase::new("service-unbind").recover(false).within(NO_TIME);
        let system = builder(1).shutdown_phase(strict).start().unwrap();
        let shutdown = system.coordinated_shutdown();
        let stopped = log.clone();
        Puppet::default().stopped(move |_| stopped.add("actor stopped")).on(&system, 0);
        task(&log, &shutdown, FIRST, "first");
        let strict = move |_| async move {
            if fails { Err("no".into()) } else { pending::<Result<(), BoxError>>().await }
        };
        shutdown.add_task("service-unbind", "strict", strict).unwrap();
        task(&log, &shutdown, STOP, "skipped");
        let report = system.shutdown(LONG);
        assert_eq!(log.take(), ["first", "actor stopped"]);
        assert_eq!(report.phases[2].skipped, ["skipped"]);
        assert_eq!((report.shards[0].actors_left, report.is_clean()), (0, false));
    }
}

/// Conformance 35.
#[test]
fn tasks_may_be_added_to_later_phases_while_it_runs() {
    let (log, system) = (Log::default(), system(1));
    let shutdown = system.coordinated_shutdown();
    let (own, inner) = (shutdown.clone(), log.clone());
    let adds = move |_| {
        task(&log, &own, STOP, "added");
        for phase in [FIRST, "service-unbind"] {
            let late = own.add_task(phase, "late", |_| ready(Ok(())));
            assert_eq!(late, Err(AddTaskError::TooLate { phase: phase.to_owned() }));
        }
        ready(Ok(()))
    };
    shutdown.add_task("service-unbind", "adds", adds).unwrap();
    let report = end(system);
    assert_eq!(inner.take(), ["added"]);
    assert_eq!(report.phases.len(), 2);
}

#[test]
fn an_actor_does_a_task_on_its_own_shard() {
    let (log, system) = (Log::default(), system(2));
    let mut gateway = system.gateway().unwrap();
    let actor = puppet(&system, 1);
    let own = log.clone();
    let flush = move |reason: ShutdownReason, reply: ReplyTo<()>| {
        Job::run(move |ctx| {
            own.add(format!("flushed on {}: {reason}", ctx.shard()));
            ctx.tell(reply, ());
        })
    };
    with(&mut gateway, actor, move |ctx| {
        let (me, shutdown) = (ctx.me(), ctx.system().coordinated_shutdown());
        shutdown.add_actor_task(STOP, "flush", me, flush).unwrap();
    });
    let report = end(system);
    assert_eq!(
        (log.take(), &report.phases[0].done[..]),
        (vec!["flushed on 1: requested".to_owned()], &["flush".to_owned()][..])
    );
}

#[test]
fn an_actor_that_does_not_answer_is_out_of_time() {
    let system = builder(1).shutdown_phase(ShutdownPhase::new(STOP).within(NO_TIME)).start().unwrap();
    let actor = puppet(&system, 0);
    let shutdown = system.coordinated_shutdown();
    shutdown.add_actor_task(STOP, "flush", actor, |_, _| Job::from(())).unwrap();
    let report = system.shutdown(LONG);
    assert_eq!(
        (&report.phases[0].timed_out[..], report.shards[0].actors_left),
        (&["flush".to_owned()][..], 0)
    );
}

#[test]
fn the_system_works_as_ever_while_it_runs() {
    let system = system(2);
    let (handle, mut gateway) = ((*system).clone(), system.gateway().unwrap());
    let actor = puppet(&system, 1);
    let work = move |_| {
        assert!(!handle.is_shutting_down());
        let spawned = handle.spawn(Puppet::default)?;
        tell(&mut gateway, spawned, ());
        assert_eq!(with(&mut gateway, actor, |ctx| ctx.shard()), 1);
        Ok(())
    };
    system.coordinated_shutdown().add_blocking_task(LAST, "work", work).unwrap();
    assert_eq!(end(system).phases[0].done, ["work"]);
}

#[test]
fn the_whole_time_is_the_last_word() {
    let system = system(1);
    let shutdown = system.coordinated_shutdown();
    shutdown.add_task(FIRST, "endless", |_| pending::<Result<(), BoxError>>()).unwrap();
    // The phase has five seconds, the shutdown none.
    let begun = std::time::Instant::now();
    let report = system.shutdown(NO_TIME);
    assert_eq!(report.phases[0].timed_out, ["endless"]);
    assert!(report.unfinished.is_empty() && begun.elapsed() < LONG);
}

#[test]
fn a_task_can_be_taken_out_again_and_one_for_no_phase_is_refused() {
    let (census, system) = (Census::default(), system(1));
    let shutdown = system.coordinated_shutdown();
    let counted = census.one();
    let task = shutdown
        .add_blocking_task(LAST, "task", move |_| {
            drop(counted);
            Ok(())
        })
        .unwrap();
    assert!(shutdown.remove_task(task));
    assert!(!shutdown.remove_task(task));
    let counted = census.one();
    let refused = shutdown
        .add_blocking_task("nowhere", "task", move |_| {
            drop(counted);
            Ok(())
        })
        .unwrap_err();
    assert_eq!(census.count(), 0);
    let text = refused.to_string();
    assert!(text.contains("\"nowhere\"") && text.contains(STOP), "{text}");
    assert_eq!(end(system).phases, []);
}

#[test]
fn tasks_are_bounded() {
    let system = system(1);
    let shutdown = system.coordinated_shutdown();
    let tasks: Vec<_> =
        (0..SHUTDOWN_TASKS_MAX).map(|_| shutdown.add_task(LAST, "", |_| ready(Ok(()))).unwrap()).collect();
    assert_eq!(shutdown.add_task(FIRST, "more", |_| ready(Ok(()))), Err(AddTaskError::Full));
    assert!(shutdown.remove_task(tasks[7]));
    shutdown.add_task(FIRST, "more", |_| ready(Ok(()))).unwrap();
    let report = end(system);
    assert_eq!((report.phases[0].done.len(), report.phases[1].done.len()), (1, SHUTDOWN_TASKS_MAX - 1));
}

#[test]
fn a_start_that_fails_runs_no_tasks() {
    let (added, seen) = channel();
    let refused = builder(1).extension(move |loading| -> Result<corelane_shard::EventStream, BoxError> {
        let ran = added.clone();
        let task = move |_| ready(ran.send(()).map_err(BoxError::from));
        loading.handle().coordinated_shutdown().add_task(LAST, "task", task)?;
        Err("no".into())
    });
    assert!(refused.start().is_err());
    assert!(seen.try_recv().is_err());
    let system = system(1);
    let (added, seen) = channel();
    let task = move |_| ready(added.send(()).map_err(BoxError::from));
    system.coordinated_shutdown().add_task(LAST, "task", task).unwrap();
    end(system);
    next(&seen);
}

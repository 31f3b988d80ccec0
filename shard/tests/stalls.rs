//! Stalls: a handler that holds its shard too long is found while it runs, named when it returns, and counted once.
//!
//! Nothing here is timed: each handler goes on until the watchdog has found it. What listens to the log is set for the whole
//! process, so one test looks at it.

mod common;

use std::sync::mpsc::channel;
use std::time::Duration;

use common::lines::{Keep, Line};
use common::{Job, LONG, Puppet, await_some, builder, end, failure, hush, next, puppet, tell, watch, with};
use corelane_shard::{Handle, On, StartError};
use tracing::Level;

/// Holds up a shard until that is found.
fn hold_up(handle: &Handle, shard: usize) {
    let before = handle.stats()[shard].stalls;
    await_some(|| (handle.stats()[shard].stalls > before).then_some(()));
}

/// The lines with this text.
fn saying(lines: &[Line], text: &str) -> Vec<Line> {
    lines.iter().filter(|(_, fields)| fields["message"] == text).cloned().collect()
}

/// Reliability 21: the detector names who spins, and other shards go on meanwhile.
#[test]
fn a_handler_that_holds_its_shard_is_found_named_and_counted() {
    hush();
    let keep = Keep::default();
    tracing::subscriber::set_global_default(keep.clone()).unwrap();
    let system = builder(2).stall_after(Duration::from_millis(50)).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let spinner = system.spawn_named(On::Shard(0), "spinner", Puppet::default).unwrap();
    let neighbour = puppet(&system, 0);
    let elsewhere = puppet(&system, 1);
    keep.take();

    // Among messages to others before and behind it.
    let (found, is_found) = channel();
    let (handle, go_on) = ((*system).clone(), channel::<()>());
    tell(&mut gateway, neighbour, ());
    tell(
        &mut gateway,
        spinner,
        Job::run(move |_| {
            hold_up(&handle, 0);
            found.send(()).unwrap();
            go_on.1.recv().unwrap();
        }),
    );
    tell(&mut gateway, neighbour, ());
    next(&is_found);
    // It still runs, and is known; the other shard handles messages.
    let lines = await_some(|| Some(keep.take()).filter(|lines| !lines.is_empty()));
    let begun = saying(&lines, "a handler holds up its shard");
    assert!(
        begun.iter().any(|(level, fields)| *level == Level::WARN && fields["shard"] == "0"),
        "{lines:#?}"
    );
    for n in 0..1000 {
        assert_eq!(with(&mut gateway, elsewhere, move |_| n), n);
    }
    go_on.0.send(()).unwrap();
    assert_eq!(with(&mut gateway, neighbour, |_| 1), 1);
    system.call(0, |_| ()).unwrap();
    let lines = keep.take();
    let ended = saying(&lines, "a handler held up its shard");
    let [(Level::WARN, fields)] = &ended[..] else { panic!("{lines:#?}") };
    assert_eq!((&fields["shard"][..], &fields["path"][..]), ("0", "/user/spinner"));
    assert!(fields["actor"].ends_with("::Puppet") && fields["message_type"].ends_with("::Job"), "{fields:?}");
    assert_eq!(fields["address"], format!("{:?}", spinner.address()));
    assert!(fields.contains_key("held"), "{fields:?}");

    // One that panics in the end.
    let (notices, heard) = channel();
    let watcher = Puppet::default().notices(notices).on(&system, 1);
    watch(&system, &mut gateway, watcher, spinner);
    let handle = (*system).clone();
    tell(
        &mut gateway,
        spinner,
        Job::run(move |_| {
            hold_up(&handle, 0);
            panic!("on purpose: after a stall");
        }),
    );
    assert_eq!(failure(&next(&heard)), "panic: on purpose: after a stall");
    system.call(0, |_| ()).unwrap();
    assert_eq!(with(&mut gateway, neighbour, |_| 1), 1);
    let lines = keep.take();
    // By the address: it has stopped, and has no path any more.
    let ended = saying(&lines, "a handler held up its shard");
    let [(_, fields)] = &ended[..] else { panic!("{lines:#?}") };
    assert_eq!(fields["path"], format!("{:?}", spinner.address()));
    assert!(fields["actor"].ends_with("::Puppet"), "{fields:?}");

    // A call from outside is no actor.
    let handle = (*system).clone();
    system.call(0, move |_| hold_up(&handle, 0)).unwrap();
    system.call(0, |_| ()).unwrap();
    let lines = keep.take();
    let nameless = "something that is no actor, or is none any more, held up its shard";
    assert_eq!(saying(&lines, nameless).len(), 1, "{lines:#?}");
    assert!(system.stats()[0].stalls >= 3);
    end(system);
}

#[test]
fn what_may_not_be_a_stall_is_refused() {
    for after in [Duration::ZERO, Duration::from_micros(999), Duration::MAX] {
        let Err(StartError::Config(why)) = builder(1).stall_after(after).start() else {
            panic!("{after:?} is taken")
        };
        assert!(why.contains("stall_after") && why.contains("1 ms to a day"), "{why}");
    }
}

/// Threads of this process by this name.
#[cfg(target_os = "linux")]
fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a list of threads");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|comm| comm.trim() == name)
        .count()
}

#[cfg(target_os = "linux")]
#[test]
fn a_watchdog_is_there_if_it_is_wanted_and_ends_with_its_system() {
    let system = builder(1).name("hen").stall_after(None).start().unwrap();
    end(system);
    let system = builder(1).name("fox").stall_after(Duration::from_hours(24)).start().unwrap();
    await_some(|| (threads("fox-watchdog") == 1).then_some(()));
    assert_eq!(threads("hen-watchdog"), 0);
    // Though its next look is far off.
    let report = system.shutdown(LONG);
    assert!(report.is_clean(), "{report}");
    // A thread that was waited for stays in the list for a moment.
    await_some(|| (threads("fox-watchdog") == 0).then_some(()));
}

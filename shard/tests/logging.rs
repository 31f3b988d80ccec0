//! The log: `tracing` events that say in fields what happened, to whom and where, and of dead letters not too many.
//!
//! What listens is set for the whole process, so everything is in one test.

mod common;

use std::collections::BTreeMap;

use common::lines::Keep;
use common::{Job, Puppet, builder, end, hush, next, tell, with};
use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
use corelane_shard::On;
use tracing::Level;

/// An actor that takes numbers.
struct Counter;

impl Actor for Counter {
    type Msg = u64;
    fn receive(&mut self, n: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if n == 13 {
            return Err(std::fmt::Error.into());
        }
        ctx.unhandled(n);
        Ok(())
    }
}

/// Conformance 34: dropped and unhandled messages count towards the limit, and the last line says that silence follows.
#[test]
fn failures_and_dead_letters_say_who_and_where_in_fields() {
    hush();
    let keep = Keep::default();
    tracing::subscriber::set_global_default(keep.clone()).unwrap();
    let system = builder(2).log_dead_letters(4).stall_after(None).start().unwrap();
    // What the start had to say about this machine.
    keep.take();
    let mut gateway = system.gateway().unwrap();
    let parent = system.spawn_named(On::Shard(1), "parent", Puppet::default).unwrap();
    let (counter, bounded): (ActorRef<u64>, ActorRef<Job>) = with(&mut gateway, parent, |ctx| {
        let counter = ctx.spawner().name("counter").spawn(Counter).unwrap();
        (counter, ctx.spawner().name("bounded").mailbox(1).spawn(Puppet::default()).unwrap())
    });
    let take = |n: usize| {
        // What a shard logs is there when it has come to a turn after it.
        system.call(1, |_| ()).unwrap();
        system.call(1, |_| ()).unwrap();
        let lines = keep.take();
        assert_eq!(lines.len(), n, "{lines:#?}");
        lines
    };
    let ask = |fields: &BTreeMap<&str, String>, names: &[&str]| -> Vec<String> {
        names
            .iter()
            .map(|name| fields.get(name).unwrap_or_else(|| panic!("no {name} in {fields:?}")).clone())
            .collect()
    };

    // Unhandled, by a living actor.
    gateway.tell(counter, 1);
    with(&mut gateway, parent, |_| ());
    let [(level, fields)] = &take(1)[..] else { unreachable!() };
    assert_eq!(*level, Level::INFO);
    assert_eq!(
        ask(fields, &["shard", "path", "address", "message_type", "reason", "message"]),
        ["1", "/user/parent/counter", &format!("{:?}", counter.address()), "u64", "unhandled", "dead letter"]
    );

    // Dropped, before a living actor.
    with(&mut gateway, parent, move |ctx| (0..2).for_each(|_| ctx.tell(bounded, ().into())));
    let [(_, fields)] = &take(1)[..] else { unreachable!() };
    assert_eq!(ask(fields, &["path", "reason"]), ["/user/parent/bounded", "mailbox full"]);

    // A failure, and a panic.
    let (gone, notices) = std::sync::mpsc::channel();
    let watcher = Puppet::default().notices(gone).on(&system, 0);
    common::watch(&system, &mut gateway, watcher, counter);
    common::watch(&system, &mut gateway, watcher, bounded);
    gateway.tell(counter, 13);
    next(&notices);
    let [(level, failed), (then, decided)] = &take(2)[..] else { unreachable!() };
    assert_eq!((*level, *then), (Level::ERROR, Level::WARN));
    let says = "actor failed: it is stopped";
    for (fields, says) in [(failed, "actor failed"), (decided, says)] {
        assert_eq!(
            ask(fields, &["shard", "path", "address", "message_type", "message"]),
            ["1", "/user/parent/counter", &format!("{:?}", counter.address()), "u64", says]
        );
        assert!(fields["actor"].ends_with("::Counter") && !fields["failure"].is_empty(), "{fields:?}");
        assert!(!fields.contains_key("location"), "an error is no panic: {fields:?}");
    }
    let line = line!() + 1;
    tell(&mut gateway, bounded, Job::run(|_| panic!("on purpose: over the edge")));
    next(&notices);
    let [(_, fields), _] = &take(2)[..] else { unreachable!() };
    assert_eq!(
        ask(fields, &["path", "failure"]),
        ["/user/parent/bounded", "panic: on purpose: over the edge"]
    );
    assert!(fields["location"].starts_with(&format!("{}:{line}:", file!())), "{fields:?}");

    // To one that is gone: its address. Then the last line before the silence.
    gateway.tell(counter, 1);
    let [(_, fields)] = &take(1)[..] else { unreachable!() };
    assert_eq!(ask(fields, &["path", "reason"]), [&format!("{:?}", counter.address()), "no such actor"]);
    for n in 0..10 {
        gateway.tell(counter, n);
    }
    let [(_, last), (_, silence)] = &take(2)[..] else { unreachable!() };
    assert_eq!(last["message"], "dead letter");
    assert!(silence["message"].starts_with("no more dead letters are logged for 300s"), "{silence:?}");
    with(&mut gateway, parent, |ctx| ctx.unhandled(().into()));
    take(0);
    let report = end(system);
    // Those whose handlers failed among them, which are logged as failures.
    assert_eq!(report.dead_letters(), 16);
}

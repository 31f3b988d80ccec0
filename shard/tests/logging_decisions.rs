//! The log of failures: each with the place of its panic, however many there are, and what is decided about them, so
//! many of a kind.
//!
//! What listens is set for the whole process, so everything is in one test.

mod common;

use std::sync::mpsc::channel;
use std::time::Duration;

use common::lines::{Keep, Line};
use common::{Puppet, builder, end, hush, next, with};
use corelane_kernel::{Actor, ActorRef, Address, Backoff, Ctx, Directive, Failure, Outcome, Strategy};
use corelane_shard::On;
use tracing::Level;

/// Fails as it is told.
struct Weak;

#[derive(Clone, Copy)]
enum Fail {
    Error(&'static str),
    Panic,
}

impl Actor for Weak {
    type Msg = Fail;
    fn receive(&mut self, fail: Fail, _: &mut Ctx<'_, Self>) -> Outcome {
        if let Fail::Error(text) = fail {
            return Err(Failure::new(text));
        }
        panic!("on purpose");
    }
}

/// Decides by what a failure says, and waits before restarts where it is told to. Gives the addresses of its children.
struct Parent {
    waits: bool,
    tells: std::sync::mpsc::Sender<ActorRef<Fail>>,
}

impl Actor for Parent {
    type Msg = ();
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let child = ctx.spawner().name("child").spawn_from(|| Weak)?;
        Ok(self.tells.send(child)?)
    }
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
    fn strategy(&self) -> Strategy {
        let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1)).jitter(0);
        if self.waits { Strategy::one_for_one().backoff(backoff) } else { Strategy::one_for_one() }
    }
    fn decide(&mut self, _: Address, failure: &Failure, _: &mut Ctx<'_, Self>) -> Directive {
        match failure.text() {
            "go on" => Directive::Resume,
            "stop" => Directive::Stop,
            "up" => Directive::Escalate,
            _ => Directive::Restart,
        }
    }
}

/// Of lines, their level and text, and who it was.
fn brief(lines: &[Line]) -> Vec<(Level, &str, &str)> {
    let path = |line: &Line| line.1.contains_key("path");
    lines
        .iter()
        .filter(|line| path(line))
        .map(|(level, of)| (*level, &*of["message"], &*of["path"]))
        .collect()
}

#[test]
fn every_failure_is_logged_with_its_place_and_so_many_decisions_of_a_kind() {
    const RESTARTS: usize = 25;
    hush();
    let keep = Keep::default();
    tracing::subscriber::set_global_default(keep.clone()).unwrap();
    let system = builder(1).stall_after(None).start().unwrap();
    keep.take();
    let mut gateway = system.gateway().unwrap();
    let (tells, told) = channel();
    let parent = |name: &str, waits| {
        let tells = tells.clone();
        system.spawn_named(On::Shard(0), name, move || Parent { waits, tells: tells.clone() }).unwrap();
        next(&told)
    };
    let (hasty, patient) = (parent("hasty", false), parent("patient", true));
    let other = Puppet::default().on(&system, 0);
    let mut lines_of = |to: ActorRef<Fail>, fails: &[Fail]| {
        for fail in fails {
            gateway.tell(to, *fail);
        }
        with(&mut gateway, other, |_| ());
        system.call(0, |_| ()).unwrap();
        keep.take()
    };

    // Each with a level of its own.
    let child = "/user/hasty/child";
    let lines = lines_of(hasty, &[Fail::Error("go on"), Fail::Error("oops")]);
    assert_eq!(
        brief(&lines),
        [
            (Level::ERROR, "actor failed", child),
            (Level::INFO, "actor failed: it goes on as it is", child),
            (Level::ERROR, "actor failed", child),
            (Level::INFO, "actor failed: it is restarted", child)
        ]
    );
    let lines = lines_of(patient, &[Fail::Error("oops")]);
    let (level, fields) = &lines[1];
    assert_eq!((*level, &*fields["message"]), (Level::INFO, "actor failed: it is restarted"));
    for (field, value) in [("after", "1ms"), ("path", "/user/patient/child"), ("failure", "error: oops")] {
        assert_eq!(fields[field], value);
    }

    // A storm: all of them with their place, though the hook shows but ten; of the decisions ten in all.
    let lines = lines_of(hasty, &[Fail::Panic; RESTARTS]);
    let (failed, decided): (Vec<_>, Vec<_>) = lines.iter().partition(|(level, _)| *level == Level::ERROR);
    assert_eq!(failed.len(), RESTARTS);
    for (_, fields) in failed {
        assert!(fields["location"].starts_with(concat!(file!(), ":")), "{fields:?}");
    }
    // Three were before.
    let texts: Vec<_> = decided.iter().map(|(_, fields)| &*fields["message"]).collect();
    assert_eq!(texts[..7], ["actor failed: it is restarted"; 7]);
    assert!(texts[7].starts_with("no more restarts are logged for 300s") && texts.len() == 8, "{texts:?}");

    // Ends are told all the same, and so are escalations: the parent fails with its child, and has nobody but the root.
    let lines = lines_of(hasty, &[Fail::Error("up")]);
    assert_eq!(
        brief(&lines),
        [
            (Level::ERROR, "actor failed", child),
            (Level::WARN, "actor failed: its supervisor fails with it", child),
            (Level::ERROR, "actor failed", "/user/hasty"),
            (Level::WARN, "actor failed: it is stopped", "/user/hasty")
        ]
    );
    end(system);
}

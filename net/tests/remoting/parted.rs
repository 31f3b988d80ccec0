//! Two processes in two networks, whose cable is pulled out: for a while, for too long, and before one of them dies.
//!
//! In each case both are asked what they have noticed: who watches is told once or not at all, questions end, families are
//! parted, messages arrive in order and at most once, and whatever is alive when the cable is back goes on. Some of it is done
//! on io_uring, where that is permitted, and some by readiness.

use std::sync::mpsc::{Receiver, channel};

use corelane_kernel::{ActorRef, AskError, Strategy};
use corelane_net::reactor::Choice;
use corelane_shard::On;

use crate::cable::{Cable, End};
use crate::common::*;
use crate::family::*;
use crate::other::{Ground, Mute, Other, Patience, runs};
use crate::processes::{employ, hangs_and_comes_back, is_killed_and_followed};
use crate::until;

/// This host and the other process, with actors at each that the other's know.
struct Pair<'a> {
    ground: Ground<'a>,
    near: Host,
    other: Other,
    /// Adders: the one here, what it has seen, and the one there.
    here: ActorRef<Order>,
    seen: Receiver<u64>,
    there: ActorRef<Order>,
    watcher: ActorRef<Watching>,
    heard: Receiver<String>,
    log: Log,
    office: Office,
    reporter: ActorRef<String>,
}

impl<'a> Pair<'a> {
    /// Two that have met. The connection is made by the first.
    fn meet(ground: Ground<'a>, patience: Patience, first: End) -> Pair<'a> {
        let log = Log::new();
        let (near, mut other) = (ground.near(&log, patience), ground.other(patience));
        let office = log.office(&near, Strategy::one_for_one());
        let said = log.said.clone();
        let reporter = near.system.spawn_on(On::Shard(0), move || Reporter(said.clone())).unwrap();
        let (here, seen) = Adder::spawn(&near, On::Shard(0), "adder");
        near.system.spawn_named(On::Shard(0), "mute", || Mute(Vec::new())).unwrap();
        if first == End::Far {
            other.say(format_args!("ask {}", near.url("adder")));
            other.expect("Ok(0)");
        }
        let there = near.lookup::<Order>(&other.url("adder")).unwrap();
        let (watcher, heard) = Watcher::spawn(&near, 0);
        Pair { ground, near, other, here, seen, there, watcher, heard, log, office, reporter }
    }

    /// Each watches the other's adder, and is known to.
    fn watch_each_other(&mut self) {
        self.near.have(self.watcher, Watching::Watch(self.there));
        self.near.have(self.watcher, Watching::Speak);
        assert_eq!(next(&self.heard), "here");
        self.near.ask(0, self.there).unwrap();
        let url = self.near.url("adder");
        self.other.say(format_args!("watch {url}"));
        assert_eq!(next(&self.other.heard), "here");
        self.other.say(format_args!("ask {url}"));
        assert!(next(&self.other.said).starts_with("Ok"));
    }

    /// The boss here has a worker there, whom this gives, and the one there has one here.
    fn hire_each_other(&mut self) -> ActorRef<Job> {
        let worker = employ(&self.log, &self.near, &self.office, &self.other, self.reporter);
        assert_eq!(next(&self.other.log), "w started");
        self.other.say(format_args!("hire {}", self.near.at()));
        self.log.expect(&["v started"]);
        worker
    }

    /// Each asks somebody of the other and does not wait. Gives what becomes of it here; there it is said.
    fn wonder(&mut self, about: &str) -> Receiver<Result<u64, AskError>> {
        // Somebody who is known needs no look-up.
        let of =
            if about == "adder" { self.there } else { self.near.lookup(&self.other.url(about)).unwrap() };
        let (sender, answer) = channel();
        self.near
            .system
            .call(0, move |scope| scope.ask(of, LONG, Order::Get, move |answer| _ = sender.send(answer)))
            .unwrap();
        self.other.say(format_args!("wonder {}", self.near.url(about)));
        self.other.expect("asked");
        answer
    }

    fn tell_each_other(&mut self, first: u64, last: u64) {
        (first..=last).for_each(|number| self.near.tell(0, self.there, Order::Add(number)));
        self.other.say(format_args!("tell {} {first} {last}", self.near.url("adder")));
        self.other.expect("told");
    }

    /// What both adders have seen since they were asked last.
    fn seen(&mut self) -> [String; 2] {
        // Whoever has answered has seen what it was told before.
        self.near.ask(0, self.there).unwrap();
        self.other.say(format_args!("ask {}", self.near.url("adder")));
        assert!(next(&self.other.said).starts_with("Ok"));
        self.other.say("seen");
        [runs(&self.seen), next(&self.other.said)]
    }

    #[track_caller]
    fn assert_seen(&mut self, expected: &str) {
        assert_eq!(self.seen(), [expected; 2]);
    }

    /// Nobody has heard anything since it was asked last.
    #[track_caller]
    fn assert_nothing_heard(&mut self) {
        self.near.have(self.watcher, Watching::Speak);
        assert_eq!(next(&self.heard), "here");
        self.other.say("speak");
        assert_eq!(next(&self.other.heard), "here");
    }

    /// What is heard here when the other is lost, and nothing else is.
    #[track_caller]
    fn hear_of_its_loss(&self, answer: &Receiver<Result<u64, AskError>>) {
        assert_eq!(next(&self.heard), "Unreachable");
        assert_eq!(next(answer), Err(AskError::Unreachable));
        self.log.expect_all(&["boss hears Unreachable", "v stopped"]);
    }

    /// The other is there, as it was or as another life: actors are told, asked and watched, and children made. Nothing more of
    /// what was before comes in between.
    fn go_on(&mut self) {
        self.watch_each_other();
        self.tell_each_other(201, 300);
        self.assert_seen("201-300");
        let worker = self.hire_each_other();
        self.near.give(worker, Job::Note(1));
        self.log.expect(&["w 1"]);
        self.near.give(worker, Job::Fail("oops".into()));
        self.log.expect(&["boss decides: error: oops", "w stopped", "w started"]);
        self.near.have(self.watcher, Watching::Stop(self.there));
        assert_eq!(next(&self.heard), "Stopped");
        let here = self.here;
        self.near.system.call(0, move |scope| scope.stop(here)).unwrap();
        assert_eq!(next(&self.other.heard), "Stopped");
    }
}

/// Each end alone, and both.
const CUTS: [&[End]; 3] = [&[End::Near], &[End::Far], &[End::Near, End::Far]];

/// Reliability 31.
#[test]
fn a_cut_that_heals_in_time_costs_no_message_and_nobody_is_lost() {
    Cable::with(|cable| {
        let mut pair = Pair::meet(Ground::of(cable), Patience::Long, End::Near);
        pair.watch_each_other();
        let worker = pair.hire_each_other();
        pair.tell_each_other(1, 100);
        pair.assert_seen("1-100");
        for (round, cut) in (1..).zip(CUTS) {
            cable.cut(cut);
            let (first, last) = (round * 100 + 1, (round + 1) * 100);
            pair.tell_each_other(first, last);
            let answer = pair.wonder("adder");
            pair.near.give(worker, Job::Fail("oops".into()));
            pair.near.give(worker, Job::Note(round));
            until("both have spoken in vain", || {
                [End::Near, End::Far].into_iter().all(|end| cable.has_sent_in_vain(end))
            });
            assert!(answer.try_recv().is_err());
            cable.mend(cut);
            let sum = (1..=last).sum();
            assert_eq!(next(&answer), Ok(sum));
            pair.other.expect(&format!("Ok({sum})"));
            pair.assert_seen(&format!("{first}-{last}"));
            let note = format!("w {round}");
            pair.log.expect(&["boss decides: error: oops", "w stopped", "w started", &note]);
            pair.assert_nothing_heard();
        }
        assert_eq!(pair.near.gate().lost, 0);
        pair.near.end();
    });
}

/// A cut for so long that both give each other up, whoever has made the connection.
fn outlasts(cable: &Cable, backend: Choice, ends: &[End], first: End) {
    parts(cable, backend, first, false, || cable.cut(ends), || cable.mend(ends));
}

fn parts(cable: &Cable, backend: Choice, first: End, one_way: bool, cut: impl Fn(), mend: impl Fn()) {
    let mut pair = Pair::meet(Ground::of(cable).on(backend), Patience::Short, first);
    pair.watch_each_other();
    let worker = pair.hire_each_other();
    pair.tell_each_other(1, 100);
    let answer = pair.wonder("mute");
    pair.assert_seen("1-100");
    cut();
    pair.tell_each_other(101, 200);
    pair.hear_of_its_loss(&answer);
    assert_eq!(next(&pair.other.heard), "Unreachable");
    pair.other.expect("Err(Unreachable)");
    let mut log = [next(&pair.other.log), next(&pair.other.log)];
    log.sort();
    assert_eq!(log, ["boss hears Unreachable", "w stopped"]);
    assert_eq!(pair.near.ask(0, pair.there), Err(AskError::NotSent));
    assert!(pair.near.gate().lost > 0);
    mend();
    // The same actors, which have lost nothing but each other, and those messages.
    assert_eq!(pair.near.lookup::<Order>(&pair.other.url("adder")), Ok(pair.there));
    if one_way {
        // On the way that was open some have arrived, from the first on and without a gap.
        let some = |seen: &String| seen.is_empty() || (seen.starts_with("101-") && !seen.contains(' '));
        let seen = pair.seen();
        assert!(seen.iter().all(some) && seen.contains(&String::new()), "{seen:?}");
    }
    pair.go_on();
    pair.office.have(&pair.near, move |_, ctx| Ok(ctx.watch(worker)?));
    let gone = pair.log.next();
    assert!(gone == "boss hears NotFound" || gone == "boss hears Stopped", "{gone}");
    pair.near.end();
}

/// Conformance 38, reliability 31.
#[test]
fn a_cut_at_this_end_for_too_long_is_a_loss_told_once_at_both_and_both_go_on() {
    Cable::with(|cable| outlasts(cable, Choice::Automatic, &[End::Near], End::Near));
}

/// Conformance 38, reliability 31.
#[test]
fn a_cut_at_the_other_end_for_too_long_is_a_loss_told_once_at_both_and_both_go_on() {
    Cable::with(|cable| outlasts(cable, Choice::Poll, &[End::Far], End::Far));
}

/// Conformance 38, reliability 31.
#[test]
fn a_cut_at_both_ends_for_too_long_is_a_loss_told_once_at_both_and_both_go_on() {
    Cable::with(|cable| outlasts(cable, Choice::Automatic, &[End::Near, End::Far], End::Near));
}

/// All that arrives at one end is lost, while the other hears all that is said.
fn loses_one_way(cable: &Cable, backend: Choice, deaf: End) {
    if let Err(why) = cable.lose(deaf, Some(1)).and_then(|()| cable.lose(deaf, None)) {
        return cable.leave_out(&why);
    }
    let lose = |one_in| cable.lose(deaf, one_in).unwrap();
    parts(cable, backend, End::Near, true, || lose(Some(1)), || lose(None));
}

/// Conformance 38, reliability 31.
#[test]
fn a_cut_of_the_way_here_for_too_long_is_a_loss_told_once_at_both_and_both_go_on() {
    Cable::with(|cable| loses_one_way(cable, Choice::Automatic, End::Near));
}

/// Conformance 38, reliability 31.
#[test]
fn a_cut_of_the_way_there_for_too_long_is_a_loss_told_once_at_both_and_both_go_on() {
    Cable::with(|cable| loses_one_way(cable, Choice::Poll, End::Far));
}

/// The other dies behind a cut, so that its connections stay half open here, and is followed.
fn dies_behind(ground: Ground<'_>, cable: &Cable, cut: &[End], first: End, patience: Patience) {
    let mut pair = Pair::meet(ground, patience, first);
    pair.watch_each_other();
    pair.hire_each_other();
    pair.tell_each_other(1, 100);
    let answer = pair.wonder("mute");
    pair.assert_seen("1-100");
    let address = pair.other.address;
    cable.cut(cut);
    pair.other.kill();
    if patience == Patience::Short {
        // Nothing but its silence says so.
        pair.hear_of_its_loss(&answer);
        assert_eq!(pair.near.ask(0, pair.there), Err(AskError::NotSent));
    }
    pair.other = pair.ground.again(address, patience);
    assert!(pair.heard.try_recv().is_err());
    cable.mend(cut);
    if patience == Patience::Long {
        // Nobody has missed it; its next life is who says so.
        pair.hear_of_its_loss(&answer);
    }
    let old = pair.there;
    pair.there = pair.near.lookup::<Order>(&pair.other.url("adder")).unwrap();
    assert_ne!(pair.there, old);
    pair.go_on();
    assert_eq!(pair.near.ask(0, old), Err(AskError::NotSent));
    pair.near.end();
}

/// Conformance 38, 40, reliability 31.
#[test]
fn a_process_that_dies_behind_a_cut_is_missed_for_its_silence_and_its_successor_is_welcome() {
    Cable::with(|cable| dies_behind(Ground::of(cable), cable, &[End::Far], End::Near, Patience::Short));
}

/// Conformance 38, 40, reliability 31: and was the one that had made the connection.
#[test]
fn a_process_that_had_dialed_and_dies_behind_a_cut_is_missed_for_its_silence() {
    Cable::with(|cable| {
        dies_behind(Ground::of(cable).on(Choice::Poll), cable, &[End::Near], End::Far, Patience::Short)
    });
}

/// Conformance 38, 40, reliability 31.
#[test]
fn a_process_that_is_followed_behind_a_cut_is_lost_when_its_successor_speaks() {
    Cable::with(|cable| dies_behind(Ground::of(cable), cable, &[End::Far], End::Near, Patience::Long));
}

/// Conformance 38, 40, reliability 31.
#[test]
fn a_process_that_had_dialed_and_is_followed_behind_a_cut_is_lost_when_its_successor_speaks() {
    Cable::with(|cable| {
        dies_behind(
            Ground::of(cable).on(Choice::Poll),
            cable,
            &[End::Near, End::Far],
            End::Far,
            Patience::Long,
        )
    });
}

/// Conformance 38, 40: between networks.
#[test]
fn a_process_in_another_network_that_is_killed_is_lost_once_and_its_successor_is_welcome_at_once() {
    Cable::with(|cable| is_killed_and_followed(&Ground::of(cable)));
}

/// Conformance 38: between networks.
#[test]
fn a_process_in_another_network_that_hangs_is_lost_and_may_come_back() {
    Cable::with(|cable| hangs_and_comes_back(&Ground::of(cable)));
}

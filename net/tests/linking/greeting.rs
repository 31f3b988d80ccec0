//! Hellos: whom a link takes up a connection with, which connection stays, and how it ends.

use std::time::Duration;

use corelane_kernel::Time;
use corelane_net::link::{
    Action, Connection, GREETING_MAX, Inbound, Link, LinkConfig, LinkTo, Loss, SignalError, Verdict, greet,
};
use corelane_net::wire::{Goodbye, Hello, Meaning, MessageHead, Reason, Signal, capability};

use crate::peer::*;

/// Conformance 36: what is no hello, and what comes too late, ends its connection, and nobody was taken for anybody.
#[test]
fn a_connection_begins_with_a_good_hello_or_ends() {
    let me = me(10, 100);
    let greeted =
        |hello: Hello<'_>| greet(&me, &bytes(&[Meaning::Hello(hello)])).map(|_| ()).map_err(|end| end.reason);
    let good = hello(200, 1, 1);
    assert_eq!(greeted(good), Ok(()));
    assert_eq!(greeted(Hello { to_node: 0, ..good }), Ok(()));
    assert_eq!(greeted(Hello { welcome: true, ..good }), Err(Reason::Protocol));
    assert_eq!(greeted(Hello { system: "bank", ..good }), Err(Reason::WrongAddress));
    assert_eq!(greeted(Hello { to_node: 11, ..good }), Err(Reason::WrongAddress));
    assert_eq!(greeted(Hello { node: 10, ..good }), Err(Reason::WrongAddress));
    assert_eq!(greeted(Hello { version_oldest: 2, ..good }), Err(Reason::Incompatible));
    assert_eq!(greeted(Hello { required: 1 << 63, ..good }), Err(Reason::Incompatible));
    let without = Hello { capabilities: capability::CHUNKS, ..good };
    assert_eq!(greeted(without), Err(Reason::Incompatible));
    assert_eq!(greeted(Hello { frame_max: 4095, ..good }), Err(Reason::Protocol));
    assert_eq!(greet(&me, &bytes(&[BEAT])).unwrap_err().reason, Reason::Protocol);
    assert_eq!(greet(&me, b"GET / HTTP/1.1\r\n").unwrap_err().reason, Reason::Protocol);
    // Byte by byte, it is awaited, within a bound.
    let whole = bytes(&[Meaning::Hello(good)]);
    assert!(whole.len() < GREETING_MAX);
    for end in 0..whole.len() {
        assert_eq!(greet(&me, &whole[..end]), Ok(None));
    }
    // Another link's.
    let mut link = link();
    let wrong_shard = accept(&mut link, at(0), FIRST, &Hello { to_shard: 0, ..good });
    assert_eq!(wrong_shard.unwrap_err().reason, Reason::WrongAddress);

    // Who was welcomed and is silent.
    accept(&mut link, at(0), FIRST, &good).unwrap();
    assert_eq!(link.next_time(), Some(at(15_000)));
    link.tick(at(14_999));
    assert_eq!(actions(&mut link), []);
    link.tick(at(15_000));
    assert_eq!(closes(&actions(&mut link)), Some(Reason::TooLate));
    // Who was dialed and is silent.
    link.start(at(20_000));
    assert_eq!(actions(&mut link), [Action::Dial]);
    link.dialed(at(20_000), Connection(2));
    assert!(matches!(meanings(&flush(&mut link, at(20_000)))[..], [Meaning::Hello(_)]));
    link.tick(at(35_000));
    assert_eq!(closes(&actions(&mut link)), Some(Reason::TooLate));
    assert!(link.open().is_none() && link.to().incarnation == 0);
}

/// Conformance 40: a restarted peer is welcome at once; what was with its former life is lost, and that life is never
/// listened to again.
#[test]
fn a_new_life_is_welcome_at_once_and_the_old_one_never_again() {
    let mut link = link();
    assert_eq!(open(&mut link, at(0), FIRST, &hello(200, 5, 1)), [up(200, 1)]);
    let reborn = open(&mut link, at(10), Connection(2), &hello(201, 1, 1));
    assert_eq!(reborn[0], lost(200, 1, Loss::Restarted));
    assert!(
        matches!(reborn[1], Action::Close(FIRST, Some(farewell)) if farewell.reason == Reason::Superseded)
    );
    assert_eq!(reborn[2..], [Action::Down, up(201, 1)]);
    // Bytes of the old connection that were on their way.
    let mut notes = Notes::default();
    let late = bytes(&[message(1, b"late"), Meaning::Signal(1, stop(1))]);
    assert_eq!(feed(&mut link, at(11), FIRST, &late, &mut notes), []);
    assert!(notes.messages.is_empty() && notes.signals.is_empty());
    let refused = accept(&mut link, at(12), Connection(3), &hello(200, 9, 1)).unwrap_err();
    assert_eq!(refused.reason, Reason::Quarantined);
    assert_eq!(link.open(), Some(Connection(2)));
}

/// Conformance 40: who called before the new life answered does not come after it.
#[test]
fn a_life_that_called_before_the_present_one_answered_is_not_taken_for_its_successor() {
    let mut link = link();
    accept(&mut link, at(0), FIRST, &hello(200, 1, 1)).unwrap();
    accept(&mut link, at(1), Connection(2), &hello(201, 1, 1)).unwrap();
    let answered = feed(&mut link, at(2), Connection(2), &bytes(&[BEAT]), &mut Notes::default());
    assert_eq!(answered[1], up(201, 1));
    assert!(matches!(answered[0], Action::Close(FIRST, _)));
    // The answer of the dead, which was under way for long.
    assert_eq!(feed(&mut link, at(3), FIRST, &bytes(&[BEAT]), &mut Notes::default()), []);
    assert_eq!((link.open(), link.to().incarnation), (Some(Connection(2)), 201));
}

#[test]
fn a_hello_alone_changes_nothing() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    for connection in 2..20 {
        accept(&mut link, at(1), Connection(connection), &hello(200 + connection, 9, 7)).unwrap();
    }
    let closed = actions(&mut link);
    assert!(closed.iter().all(|action| matches!(action, Action::Close(_, None))), "{closed:?}");
    assert_eq!(closed.len(), 14, "four may wait");
    assert_eq!((link.open(), link.to().incarnation, link.association()), (Some(FIRST), 200, 1));
}

/// Whether the two know each other's lives, from other links, or do not.
#[test]
fn of_two_that_dial_at_once_the_smaller_nodes_connection_stays() {
    [false, true].into_iter().for_each(dial_at_once);
}

fn dial_at_once(known: bool) {
    let dialing = |node, other| {
        let to = LinkTo { node: other, incarnation: if known { other * 10 } else { 0 }, shard: 0 };
        let mut link = Link::new(me(node, node * 10), 0, to, LinkConfig::default()).unwrap();
        link.start(at(0));
        assert_eq!(actions(&mut link), [Action::Dial]);
        link.dialed(at(0), Connection(node));
        let hello = flush(&mut link, at(0));
        (link, hello)
    };
    let (mut small, from_small) = dialing(10, 20);
    let (mut large, from_large) = dialing(20, 10);
    let refused = accept(&mut small, at(1), Connection(20), &only_hello(&from_large)).unwrap_err();
    assert_eq!((refused.reason, refused.detail), (Reason::Superseded, 1));
    let welcome = accept(&mut large, at(1), Connection(10), &only_hello(&from_small)).unwrap();
    // The refusal comes first; then there is no need to dial again while the other is about to answer.
    let goodbye = bytes(&[Meaning::Goodbye(Goodbye { reason: Reason::Superseded, detail: 1, text: "" })]);
    let closed = feed(&mut large, at(2), Connection(20), &goodbye, &mut Notes::default());
    assert!(matches!(closed[..], [Action::Close(Connection(20), None)]));
    large.tick(at(1000));
    assert_eq!(actions(&mut large), []);
    let opened = feed(&mut small, at(2), Connection(10), &welcome, &mut Notes::default());
    assert_eq!(opened, [up(200, 1)]);
    let first = flush(&mut small, at(2));
    assert_eq!(feed(&mut large, at(3), Connection(10), &first, &mut Notes::default()), [up(100, 1)]);
}

/// One of two dials while the other's call is welcomed already: the second connection is given up, not both.
#[test]
fn who_has_welcomed_a_peer_does_not_compete_with_it() {
    let mut link = link();
    link.start(at(0));
    assert_eq!(actions(&mut link), [Action::Dial]);
    accept(&mut link, at(1), FIRST, &hello(200, 1, 1)).unwrap();
    link.dialed(at(2), Connection(2));
    assert_eq!(actions(&mut link), [Action::Close(Connection(2), None)]);
    let opened = feed(&mut link, at(3), FIRST, &bytes(&[BEAT]), &mut Notes::default());
    assert_eq!((opened, link.open()), (vec![up(200, 1)], Some(FIRST)));

    // If nobody answers the welcome, it dials after all.
    let mut link = self::link();
    link.start(at(0));
    assert_eq!(actions(&mut link), [Action::Dial]);
    accept(&mut link, at(1), FIRST, &hello(200, 1, 1)).unwrap();
    link.dialed(at(2), Connection(2));
    assert_eq!(actions(&mut link).len(), 1);
    let late = link.next_time().unwrap();
    link.tick(late);
    assert!(matches!(actions(&mut link)[..], [Action::Close(FIRST, Some(_)), Action::Dial]));
}

/// Conformance 40: another link has met the next life: this one loses the former at once, and expects whoever is named next.
#[test]
fn a_life_of_which_another_link_knows_that_it_is_over_is_over_here() {
    let mut link = link();
    assert_eq!(open(&mut link, at(0), FIRST, &hello(200, 5, 1)), [up(200, 1)]);
    link.outlived(at(10));
    let over = actions(&mut link);
    assert!(matches!(over[0], Action::Close(FIRST, Some(_))));
    assert_eq!(over[1..], [Action::Down, lost(200, 1, Loss::Restarted)]);
    link.outlived(at(11));
    assert_eq!((actions(&mut link), link.to().incarnation), (vec![], 0));
    assert_eq!(link.signal(at(11), stop(1)), Err(SignalError::NoPeer));
    link.expect(200);
    assert_eq!(link.to().incarnation, 0, "who is over is not expected");
    link.expect(201);
    assert_eq!(link.signal(at(12), stop(1)), Ok(()));
    let refused = accept(&mut link, at(13), Connection(2), &hello(200, 9, 1)).unwrap_err();
    assert_eq!(refused.reason, Reason::Quarantined);
    assert_eq!(open(&mut link, at(14), Connection(3), &hello(201, 1, 1)), [up(201, 1)]);
    assert_eq!(meanings(&flush(&mut link, at(14))).last(), Some(&Meaning::Signal(1, stop(1))));
    // Somebody else was expected: what was to be signalled is lost, and that is told.
    let mut link = self::link();
    link.expect(200);
    link.signal(at(0), stop(1)).unwrap();
    let met = open(&mut link, at(1), FIRST, &hello(201, 1, 1));
    assert_eq!(met, [lost(200, 1, Loss::Restarted), up(201, 1)]);
}

/// Knows a life that is over.
struct Knows(u64);

impl Inbound for Knows {
    fn may_meet(&mut self, incarnation: u64) -> bool {
        incarnation != self.0
    }
    fn message(&mut self, _: MessageHead, _: &[u8]) -> Verdict {
        panic!("a message of a life that is over")
    }
    fn signal(&mut self, _: Signal<'_>) {
        panic!("a signal of a life that is over")
    }
}

/// Conformance 40: what a former life has said last comes when its successor is known from another link: it is not met, and
/// whoever is expected is so still.
#[test]
fn what_comes_late_of_a_former_life_changes_nothing_for_the_one_that_is_expected() {
    let mut link = link();
    link.expect(201);
    link.signal(at(0), stop(1)).unwrap();
    link.start(at(0));
    // Once over a connection that came in, and once over one that was dialed.
    accept(&mut link, at(1), FIRST, &hello(200, 1, 1)).unwrap();
    link.received(at(2), FIRST, &bytes(&[BEAT]), &mut Knows(200));
    assert_eq!(closes(&actions(&mut link)), Some(Reason::Quarantined));
    link.dialed(at(3), Connection(2));
    let epoch = only_hello(&flush(&mut link, at(3))).epoch;
    let welcome = Hello { welcome: true, version_newest: 1, ..hello(200, epoch, 1) };
    link.received(at(4), Connection(2), &bytes(&[Meaning::Hello(welcome)]), &mut Knows(200));
    assert_eq!(closes(&actions(&mut link)), Some(Reason::Quarantined));
    assert_eq!((link.to().incarnation, link.signals_waiting()), (201, 1));
    assert_eq!(open(&mut link, at(5), Connection(3), &hello(201, 1, 1)), [up(201, 1)]);
}

/// A peer that has gone on talks on a newer connection; a hello that is older than that is refused.
#[test]
fn a_newer_connection_takes_the_place_of_an_older_and_not_the_other_way_round() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &hello(200, 3, 1));
    let refused = accept(&mut link, at(1), Connection(2), &hello(200, 3, 1)).unwrap_err();
    assert_eq!((refused.reason, refused.detail), (Reason::Superseded, 3));
    let changed = open(&mut link, at(1), Connection(3), &hello(200, 4, 1));
    assert!(matches!(changed[0], Action::Close(FIRST, Some(_))));
    assert_eq!(changed[1..], [Action::Down, up(200, 1)]);
}

/// A peer that says it has what it was never sent is refused before anything has changed.
#[test]
fn a_hello_that_cannot_be_true_takes_nothing_from_the_connection_that_is_there() {
    for (incarnation, association) in [(200, 1), (200, 2), (201, 1)] {
        let mut link = link();
        open(&mut link, at(0), FIRST, &hello(200, 1, 1));
        link.signal(at(0), stop(1)).unwrap();
        let untrue = Hello { signals_received: 2, ..hello(incarnation, 2, association) };
        let refused = open(&mut link, at(1), Connection(2), &untrue);
        let [Action::Close(Connection(2), Some(farewell))] = refused[..] else { panic!("{refused:?}") };
        assert_eq!(farewell.reason, Reason::Protocol);
        assert_eq!((link.open(), link.to().incarnation, link.signals_waiting()), (Some(FIRST), 200, 1));
        assert_eq!(feed(&mut link, at(2), FIRST, &bytes(&[BEAT]), &mut Notes::default()), []);
    }
}

#[test]
fn a_system_that_leaves_says_so_and_is_lost_at_once() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    let goodbye = Meaning::Goodbye(Goodbye { reason: Reason::Leaving, detail: 0, text: "" });
    let all = feed(&mut link, at(1), FIRST, &bytes(&[goodbye]), &mut Notes::default());
    assert_eq!(all, [Action::Close(FIRST, None), Action::Down, lost(200, 1, Loss::Left)]);
    assert_eq!(
        accept(&mut link, at(2), Connection(2), &hello(200, 2, 1)).unwrap_err().reason,
        Reason::Quarantined
    );
    assert_eq!(open(&mut link, at(3), Connection(3), &hello(201, 1, 1)), [up(201, 1)]);

    link.leave();
    let all = actions(&mut link);
    assert_eq!(closes(&all), Some(Reason::Leaving));
    assert_eq!(all[1..], [Action::Down, lost(201, 1, Loss::Leaving)]);
    assert_eq!(link.signal(at(4), stop(1)), Err(SignalError::Left));
    assert_eq!(
        accept(&mut link, at(4), Connection(4), &hello(202, 1, 1)).unwrap_err().reason,
        Reason::Leaving
    );
    link.start(at(5));
    assert_eq!((actions(&mut link), link.next_time()), (vec![], None));
}

#[test]
fn who_is_rejected_is_told_and_tries_again_after_the_longest_wait() {
    let mut link = link();
    link.start(at(0));
    actions(&mut link);
    link.dialed(at(0), FIRST);
    flush(&mut link, at(0));
    let goodbye = Meaning::Goodbye(Goodbye { reason: Reason::Incompatible, detail: 0, text: "no" });
    let all = feed(&mut link, at(1), FIRST, &bytes(&[goodbye]), &mut Notes::default());
    assert_eq!(all, [Action::Close(FIRST, None), Action::Rejected(Reason::Incompatible)]);
    assert!(link.next_time().unwrap() > at(4001));
}

#[test]
fn waits_between_dials_grow_and_end_with_a_connection() {
    let mut link = link();
    link.start(at(0));
    let mut waits = Vec::new();
    let mut now = at(0);
    for _ in 0..10 {
        assert_eq!(actions(&mut link), [Action::Dial]);
        link.dial_failed(now);
        let next = link.next_time().unwrap();
        waits.push(next.since(now));
        now = next;
        link.tick(now);
    }
    for (at, wait) in waits.iter().enumerate() {
        let full = Duration::from_millis((50 << at).min(5000));
        assert!(*wait <= full && *wait >= full * 4 / 5, "{waits:?}");
    }
}

#[test]
fn waits_between_dials_may_be_as_long_as_anybody_likes() {
    let longest = Duration::MAX;
    for first in [longest, Duration::from_secs(1)] {
        let config = LinkConfig { redial_first: first, redial_max: longest, ..LinkConfig::default() };
        let mut link = link_with(config);
        link.start(at(0));
        let mut now = at(0);
        for _ in 0..100 {
            link.dial_failed(now);
            let next = link.next_time().unwrap();
            assert!(next > now || next == Time::MAX);
            now = next;
            link.tick(now);
        }
        assert_eq!(now, Time::MAX);
    }
}

#[test]
fn a_link_whose_peer_is_known_to_be_there_does_not_wait_for_its_next_dial() {
    let mut link = link();
    // Nobody dials yet.
    link.hurry(at(0));
    assert_eq!(actions(&mut link), []);
    link.start(at(0));
    for now in [0, 1000, 2000, 3000] {
        link.tick(at(now));
        assert_eq!(actions(&mut link), [Action::Dial]);
        link.hurry(at(now));
        assert_eq!(actions(&mut link), [], "it is dialed already");
        link.dial_failed(at(now));
    }
    link.hurry(at(3001));
    assert_eq!(actions(&mut link), [Action::Dial]);
    // And if nobody answers, waits are short again.
    link.dial_failed(at(3001));
    assert!(link.next_time().unwrap() <= at(3051));
    link.leave();
    actions(&mut link);
    link.hurry(at(9000));
    assert_eq!(actions(&mut link), []);
}

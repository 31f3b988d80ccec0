//! Signs of life and signals: what is lost, and what is sent again.

use corelane_net::link::{Action, Connection, Farewell, Link, LinkConfig, LinkTo, Loss, SignalError};
use corelane_net::wire::{Hello, Meaning, Reason};

use crate::peer::*;

/// Conformance 36, 38: a peer without heartbeats is lost, once, and its watchers with it; another contact is another
/// association.
#[test]
fn a_peer_that_falls_silent_is_lost_once() {
    let mut link = link();
    assert_eq!(open(&mut link, at(0), FIRST, &hello(200, 1, 1)), [up(200, 1)]);
    link.signal(at(0), stop(7)).unwrap();
    for second in 1..60 {
        feed(
            &mut link,
            at(second * 1000),
            FIRST,
            &bytes(&[Meaning::Heartbeat(second)]),
            &mut Notes::default(),
        );
        flush(&mut link, at(second * 1000));
        assert_eq!(actions(&mut link), []);
    }
    let mut silent = Vec::new();
    for second in 60..100 {
        link.tick(at(second * 1000));
        silent.extend(actions(&mut link).into_iter().map(|action| (second, action)));
    }
    let farewell = Farewell { reason: Reason::Forgotten, detail: 2, text: "the association was given up" };
    let expected = [Action::Close(FIRST, Some(farewell)), Action::Down, lost(200, 1, Loss::Silent)];
    assert_eq!(silent.iter().map(|(_, action)| *action).collect::<Vec<_>>(), expected);
    assert!((70..73).contains(&silent[0].0), "{silent:?}");
    assert_eq!((link.signals_waiting(), link.association()), (0, 2));
    // It was not dead: in the old association it is refused, and told which one is next.
    let refused = accept(&mut link, at(100_000), Connection(2), &hello(200, 2, 1)).unwrap_err();
    assert_eq!((refused.reason, refused.detail), (Reason::Forgotten, 2));
    assert_eq!(open(&mut link, at(100_000), Connection(3), &hello(200, 3, 2)), [up(200, 2)]);
}

/// Reliability 31: a process that was stopped for a while does not take its peers for dead.
#[test]
fn a_pause_of_this_process_is_not_the_peers_silence() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    for second in 1..20 {
        feed(
            &mut link,
            at(second * 1000),
            FIRST,
            &bytes(&[Meaning::Heartbeat(second)]),
            &mut Notes::default(),
        );
        flush(&mut link, at(second * 1000));
    }
    link.tick(at(90_000));
    assert_eq!(actions(&mut link), []);
    // From there on it counts.
    let mut gone = None;
    for second in 91..130 {
        link.tick(at(second * 1000));
        if let (None, Some(_)) = (gone, closes(&actions(&mut link))) {
            gone = Some(second);
        }
    }
    assert!((100..104).contains(&gone.unwrap()), "{gone:?}");
}

/// Reliability 31: what came during a pause and is read behind it is no sign of life for as long again.
#[test]
fn what_is_read_behind_a_pause_of_this_process_does_not_hide_the_silence_that_follows() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    for second in 1..20 {
        let beat = bytes(&[Meaning::Heartbeat(second)]);
        feed(&mut link, at(second * 1000), FIRST, &beat, &mut Notes::default());
        flush(&mut link, at(second * 1000));
    }
    // A turn reads before it looks at the time.
    feed(&mut link, at(3_600_000), FIRST, &bytes(&[Meaning::Heartbeat(20)]), &mut Notes::default());
    link.tick(at(3_600_000));
    assert_eq!(actions(&mut link), []);
    let mut gone = None;
    for second in 3601..3700 {
        link.tick(at(second * 1000));
        if let (None, Some(_)) = (gone, closes(&actions(&mut link))) {
            gone = Some(second);
        }
    }
    assert!((3610..3615).contains(&gone.unwrap_or_default()), "{gone:?}");
}

/// Conformance 38: who never answers is lost as well, if anything was to be signalled to it.
#[test]
fn a_peer_that_never_answers_is_lost_if_somebody_watches_there() {
    let to = LinkTo { node: 20, incarnation: 200, shard: 2 };
    let mut link = Link::new(me(10, 100), 1, to, LinkConfig::default()).unwrap();
    link.start(at(0));
    link.signal(at(0), stop(1)).unwrap();
    let mut all = Vec::new();
    while let Some(next) = link.next_time().filter(|next| *next < at(30_000)) {
        link.tick(next);
        for action in actions(&mut link) {
            match action {
                Action::Dial => link.dial_failed(next),
                other => all.push((next, other)),
            }
        }
    }
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].1, lost(200, 1, Loss::Silent));
    assert!(all[0].0 > at(10_000) && all[0].0 < at(14_000), "{all:?}");
}

/// Conformance 37: signals go again on the next connection from the first that was not taken in; what comes twice is
/// dropped, and what leaves a gap ends the connection.
#[test]
fn signals_are_sent_again_and_taken_in_once() {
    let mut link = link();
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    for identity in 1..=5 {
        link.signal(at(0), stop(identity)).unwrap();
    }
    let signalled = |bytes: &[u8]| -> Vec<u64> {
        meanings(bytes)
            .iter()
            .filter_map(|meaning| match meaning {
                Meaning::Signal(seq, _) => Some(*seq),
                _ => None,
            })
            .collect()
    };
    assert_eq!(signalled(&flush(&mut link, at(1))), [1, 2, 3, 4, 5]);
    assert_eq!(signalled(&flush(&mut link, at(1))), []);
    feed(&mut link, at(2), FIRST, &bytes(&[Meaning::Acknowledgement(2)]), &mut Notes::default());
    assert_eq!(link.signals_waiting(), 3);
    // The connection breaks; the next hello says what came after the last acknowledgement.
    link.disconnected(at(3), FIRST);
    assert_eq!(actions(&mut link), [Action::Down]);
    link.signal(at(3), stop(6)).unwrap();
    open(&mut link, at(4), Connection(2), &Hello { signals_received: 3, ..hello(200, 2, 1) });
    assert_eq!(signalled(&flush(&mut link, at(4))), [4, 5, 6]);
    // An acknowledgement that is older than what is known does no harm; one of the future does.
    let connection = Connection(2);
    assert_eq!(
        feed(&mut link, at(5), connection, &bytes(&[Meaning::Acknowledgement(1)]), &mut Notes::default()),
        []
    );
    let ahead =
        feed(&mut link, at(5), connection, &bytes(&[Meaning::Acknowledgement(7)]), &mut Notes::default());
    assert_eq!(closes(&ahead), Some(Reason::Protocol));

    // The other direction.
    let mut notes = Notes::default();
    let connection = Connection(3);
    open(&mut link, at(6), connection, &Hello { signals_received: 6, ..hello(200, 3, 1) });
    let twice = bytes(&[
        Meaning::Signal(1, stop(1)),
        Meaning::Signal(2, stop(2)),
        Meaning::Signal(1, stop(1)),
        Meaning::Signal(2, stop(2)),
        Meaning::Signal(3, stop(3)),
    ]);
    assert_eq!(feed(&mut link, at(7), connection, &twice, &mut notes), []);
    assert_eq!((notes.signals.clone(), link.stats().signals_repeated), (vec![1, 2, 3], 2));
    assert!(meanings(&flush(&mut link, at(7))).contains(&Meaning::Acknowledgement(3)));
    let gap = feed(&mut link, at(8), connection, &bytes(&[Meaning::Signal(5, stop(5))]), &mut notes);
    assert_eq!((closes(&gap), notes.signals.len()), (Some(Reason::Protocol), 3));
}

/// Conformance 37: more signals than may wait, and the peer is given up: none is lost without notice.
#[test]
fn too_many_signals_that_nobody_takes_in_end_the_association() {
    let mut link = link_with(LinkConfig { signals_max: 3, ..LinkConfig::default() });
    assert_eq!(link.signal(at(0), stop(1)), Err(SignalError::NoPeer));
    open(&mut link, at(0), FIRST, &hello(200, 1, 1));
    for identity in 1..=3 {
        link.signal(at(0), stop(identity)).unwrap();
    }
    assert_eq!(link.signal(at(0), stop(4)), Err(SignalError::Full));
    let all = actions(&mut link);
    assert_eq!((closes(&all), all[2]), (Some(Reason::Forgotten), lost(200, 1, Loss::SignalsFull)));
}

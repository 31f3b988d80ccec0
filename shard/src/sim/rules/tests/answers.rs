//! Asks and futures.

use super::*;

#[test]
fn each_ask_and_each_future_has_its_own_outcome_once() {
    let asked = Act::Asked { id: 2, no: 7, deadline: Time::from_millis(500) };
    let answered = |reply, millis| Act::Answered { id: 2, no: 7, reply, now: Time::from_millis(millis) };
    let answer = answered(Reply::Answer(7), 100);
    let rule = Some("each ask has one outcome");
    assert_eq!(broken(&[asked, answer]), None);
    assert_eq!(broken(&[asked]), rule);
    assert_eq!(broken(&[asked, answer, answered(Reply::Timeout, 500)]), rule);
    assert_eq!(broken(&[asked, answered(Reply::Answer(6), 100)]), Some("an answer is that of its ask"));
    assert_eq!(broken(&[asked, answered(Reply::Timeout, 499)]), Some("an ask is never over early"));

    let begun = Act::FutureBegun { id: 2, no: 1, waits: false };
    let done = Act::FutureDone { id: 2, no: 1, waits: false };
    let rule = Some("each future has one outcome");
    assert_eq!(broken(&[begun, done]), None);
    assert_eq!(broken(&[begun]), rule);
    assert_eq!(broken(&[begun, done, done]), rule);
    // One whose end waits already when its instance is restarted may be heard of once.
    let again = [&[begun][..], &fails(RESTART), &RESTARTS].concat();
    assert_eq!(broken(&again), None);
    assert_eq!(broken(&[&again[..], &[done]].concat()), None);
    assert_eq!(broken(&[&again[..], &[done, done]].concat()), rule);
}

#[test]
fn what_an_instance_set_up_ends_with_it() {
    let due = Time::from_millis(500);
    let story = |before: &[Act], after: Act| broken(&[before, &fails(RESTART), &RESTARTS, &[after]].concat());
    let set = Act::TimerSet { id: 2, key: 1, no: 1, due, every: false };
    let fired = Act::TimerFired { id: 2, key: 1, no: 1, now: due };
    let once = Some("a timer fires once, and not after it was cancelled or replaced");
    assert_eq!(story(&[set], fired), once);
    let asked = Act::Asked { id: 2, no: 7, deadline: NOW };
    let answered = Act::Answered { id: 2, no: 7, reply: Reply::Answer(7), now: due };
    assert_eq!(story(&[asked, Act::Replied { no: 7 }], answered), None);
    let later = [&[asked][..], &fails(RESTART), &RESTARTS, &[Act::Replied { no: 7 }, answered]].concat();
    assert_eq!(broken(&later), Some("an ask ends with its instance"));
    let ended = [&[watching(2, 3)][..], &fails(RESTART), &RESTARTS, &ends(3), &[notice(2, 3)]].concat();
    assert_eq!(broken(&ended), Some("each watch has one notice"));
}

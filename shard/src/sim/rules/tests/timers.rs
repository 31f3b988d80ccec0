//! Timers and receive time-outs.

use super::*;

#[test]
fn timers_fire_once_in_time_and_not_after_they_were_cancelled() {
    let due = Time::from_millis(500);
    let set = |no| Act::TimerSet { id: 2, key: 1, no, due, every: false };
    let fired = |no, millis| Act::TimerFired { id: 2, key: 1, no, now: Time::from_millis(millis) };
    let cancelled = |was| Act::TimerCancelled { id: 2, key: 1, was };
    assert_eq!(broken(&[set(1), fired(1, 500)]), None);
    let once = Some("a timer fires once, and not after it was cancelled or replaced");
    assert_eq!(broken(&[set(1), fired(1, 500), fired(1, 501)]), once);
    assert_eq!(broken(&[set(1), set(2), fired(1, 500)]), once);
    assert_eq!(broken(&[set(1), cancelled(true), fired(1, 500)]), once);
    assert_eq!(broken(&[set(1), fired(1, 499)]), Some("a timer is never early"));
    assert_eq!(broken(&[set(1)]), Some("no timer is forgotten"));
    let every = Act::TimerSet { id: 2, key: 1, no: 1, due, every: true };
    assert_eq!(broken(&[every, fired(1, 500), fired(1, 600)]), None);
    let known = Some("a timer is set until it fires or is cancelled");
    assert_eq!(broken(&[set(1), cancelled(false)]), known);
    assert_eq!(broken(&[cancelled(true)]), known);
}

#[test]
fn a_receive_time_out_comes_after_silence() {
    let at = Time::from_millis;
    let silence = |millis| Act::Silence { id: 2, now: at(millis) };
    let set = [
        Act::SilenceSet { id: 2, after: Some(Duration::from_millis(10)) },
        Act::Heard { id: 2, now: at(100) },
    ];
    let rule = Some("a receive time-out comes after silence");
    assert_eq!(broken(&[&set[..], &[silence(110)]].concat()), None);
    assert_eq!(broken(&[&set[..], &[silence(109)]].concat()), rule);
    assert_eq!(broken(&[silence(109)]), rule);
}

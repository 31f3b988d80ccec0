//! Watches and their notices.

use super::*;

#[test]
fn each_watch_has_one_notice_after_the_end() {
    let rule = Some("each watch has one notice");
    let watched = [&[watching(3, 2)][..], &ends(2)].concat();
    assert_eq!(broken(&[&watched[..], &[notice(3, 2)]].concat()), None);
    assert_eq!(broken(&watched), rule);
    assert_eq!(broken(&[&watched[..], &[notice(3, 2), notice(3, 2)]].concat()), rule);
    let unwatched = Act::Unwatched { watcher: 3, target: 2, was: true };
    assert_eq!(broken(&[&watched[..], &[unwatched, notice(3, 2)]].concat()), rule);
    assert_eq!(broken(&[watching(3, 2), notice(3, 2)]), Some("a notice comes after the end"));
    let early = [&[told(1, 2, 1)][..], &watched, &[notice(3, 2)]].concat();
    assert_eq!(broken(&early), Some("a notice comes after all that was told before the end"));
}

#[test]
fn a_watch_is_there_until_it_is_ended_or_its_notice_comes() {
    let rule = Some("each watch has one notice");
    let unwatched = |was| Act::Unwatched { watcher: 3, target: 2, was };
    assert_eq!(broken(&[watching(3, 2), unwatched(true)]), None);
    assert_eq!(broken(&[unwatched(false)]), None);
    assert_eq!(broken(&[unwatched(true)]), rule);
    assert_eq!(broken(&[watching(3, 2), unwatched(false)]), rule);
    let retired = Act::Retired { owner: 1, routee: 2 };
    assert_eq!(broken(&[retired]), rule, "who belongs to a pool is watched");
}

#[test]
fn a_notice_that_comes_as_a_message_stays_when_its_watch_is_ended() {
    let rule = Some("each watch has one notice");
    let with = Act::Watching { watcher: 3, target: 2, with: true };
    let ended = [&[with][..], &ends(2)].concat();
    let unwatched = Act::Unwatched { watcher: 3, target: 2, was: false };
    assert_eq!(broken(&[&ended[..], &[unwatched, notice(3, 2)]].concat()), None);
    // That of an instance that was restarted comes besides that of the next.
    let again = [&ended[..], &fails_below(OUTSIDE, 3, RESTART, Reach::One), &restarts_of(3)].concat();
    assert_eq!(broken(&[&again[..], &[notice(3, 2)]].concat()), None);
    let both = [&again[..], &[watching(3, 2), notice(3, 2), notice(3, 2)]].concat();
    assert_eq!(broken(&both), None);
    assert_eq!(broken(&[&both[..], &[notice(3, 2)]].concat()), rule);
    // While its watcher waits, it waits as well; a signal does not.
    assert_eq!(broken(&[&ended[..], &[Act::Suspended { id: 3 }]].concat()), None);
    let signal = [&[watching(3, 2)][..], &ends(2), &[Act::Suspended { id: 3 }]].concat();
    assert_eq!(broken(&signal), rule);
}

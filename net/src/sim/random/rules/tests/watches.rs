//! Watches and their notices; and stops.

use super::*;

const WATCHES: Act = Act::Watches { by: A, of: C };
const ENDS: Act = Act::Dropped { id: C };

const fn notice(how: How) -> Act {
    Act::Notice { by: A, of: Some(C), how }
}

#[test]
fn each_watch_has_one_notice_after_the_end() {
    let rule = Some("each watch has one notice");
    for how in [How::Stopped, How::NotFound] {
        assert_eq!(broken(&[WATCHES, ENDS, notice(how)]), None);
        assert_eq!(broken(&[WATCHES, ENDS, notice(how), notice(how)]), rule);
        assert_eq!(broken(&[WATCHES, notice(how)]), Some("a notice comes after the end"));
    }
    let short = Limits { memory: true, ..Limits::default() };
    assert_eq!(broken_in(short, &[WATCHES, notice(How::NotFound)]), None);
    assert_eq!(broken_in(short, &[WATCHES, notice(How::Stopped)]), Some("a notice comes after the end"));
    assert_eq!(broken(&[WATCHES]), None);
    assert_eq!(broken(&[WATCHES, ENDS]), rule);
    assert_eq!(broken(&[WATCHES, ENDS, Act::Dropped { id: A }]), None);
    assert_eq!(broken(&[ENDS, Act::Notice { by: A, of: None, how: How::Stopped }]), rule);
    // Whoever watches no more is not told, and need not be.
    let unwatches = Act::Unwatches { by: A, of: C };
    assert_eq!(broken(&[WATCHES, unwatches, ENDS]), None);
    assert_eq!(broken(&[WATCHES, unwatches, ENDS, notice(How::Stopped)]), rule);
}

#[test]
fn a_notice_says_how_it_ended() {
    let failed = notice(How::Failed);
    assert_eq!(broken(&[WATCHES, Act::Fails { id: C }, ENDS, failed]), None);
    let rule = Some("a notice says how it ended");
    assert_eq!(broken(&[WATCHES, ENDS, failed]), rule);
    let (fails, stopped) = (Act::Fails { id: C }, notice(How::Stopped));
    assert_eq!(broken(&[WATCHES, fails, ENDS, stopped]), rule);
    assert_eq!(broken(&[WATCHES, Act::Stops { by: A, of: C }, fails, ENDS, stopped]), None);
}

#[test]
fn a_host_is_given_up_only_if_something_was_wrong() {
    let rule = Some("a host is given up only if something was wrong");
    let lost = notice(How::Unreachable);
    assert_eq!(broken(&[WATCHES, trouble(LONG), lost]), None);
    assert_eq!(broken(&[WATCHES, trouble(SHORT), lost]), rule);
    assert_eq!(broken(&[WATCHES, Act::Over { life: FAR }, lost]), None);
    let own = Act::Watches { by: A, of: B };
    let lost_own = Act::Notice { by: A, of: Some(B), how: How::Unreachable };
    assert_eq!(broken(&[own, trouble(LONG), lost_own]), rule);
    // Where few watches are taken, one more is answered so.
    let few = Limits { watches: Some(1), ..Limits::default() };
    let other = Act::Watches { by: B, of: C };
    assert_eq!(broken_in(few, &[other, WATCHES, lost]), None);
    assert_eq!(broken_in(few, &[WATCHES, lost]), rule);
    assert_eq!(broken(&[other, WATCHES, lost]), rule);
}

#[test]
fn watches_over_a_shard_are_those_of_others_who_live_over_who_lives_there() {
    let over = |story: &[Act]| {
        let mut rules = Rules::default();
        hosts().iter().chain(story).for_each(|act| rules.see(*act).expect("a rule holds"));
        (rules.watches_over(FAR, 0), rules.watches_over(NEAR, 0), rules.watches_over(FAR, 1))
    };
    let other = Act::Watches { by: B, of: C };
    assert_eq!(over(&[WATCHES, other, Act::Watches { by: A, of: B }]), (2, 0, 0));
    assert_eq!(over(&[WATCHES, other, Act::Unwatches { by: A, of: C }]), (1, 0, 0));
    assert_eq!(over(&[WATCHES, other, Act::Dropped { id: A }]), (1, 0, 0));
    assert_eq!(over(&[WATCHES, other, ENDS]), (0, 0, 0));
}

#[test]
fn who_is_told_to_stop_does_unless_the_hosts_lost_each_other() {
    let rule = Some("who is told to stop does");
    let stops = Act::Stops { by: A, of: C };
    assert_eq!(broken(&[stops, ENDS]), None);
    assert_eq!(broken(&[stops]), rule);
    assert_eq!(broken(&[stops, trouble(SHORT)]), rule);
    assert_eq!(broken(&[stops, trouble(LONG)]), None);
}

//! Every rule notices what breaks it, and nothing else: stories told to the rules directly, with a file for each file of
//! rules. Each story that breaks a rule stands beside one that is like it and lawful; and for each check of a rule there is one
//! that only this check notices.

mod families;
mod messages;
mod questions;
mod watches;

use std::time::Duration;

use corelane_kernel::Time;

use super::*;

/// Those of every story: two of the first host's first life, one of the second's.
const A: Id = 0;
const B: Id = 1;
const C: Id = 2;
const NEAR: Life = 0;
const FAR: Life = 1;

const SECOND: Duration = Duration::from_secs(1);
const SHORT: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(60);

fn at(second: u64) -> Time {
    Time::from_millis(second * 1000)
}

fn hosts() -> Vec<Act> {
    let top = |life| Act::Settles { life, shard: 0 };
    vec![Act::Begins { host: 1 }, Act::Begins { host: 2 }, top(NEAR), top(NEAR), top(FAR)]
}

/// Something is wrong between the two hosts.
fn trouble(lasts: Duration) -> Act {
    Act::Trouble { one: NEAR, other: FAR, now: at(1), lasts }
}

/// The second host's life is followed by another, which has one who is born after all others.
const NEXT: [Act; 3] = [Act::Over { life: FAR }, Act::Begins { host: 2 }, Act::Settles { life: 2, shard: 0 }];

/// Tells a story after that of the three, and gives the rule that it broke: at its last act, or at rest after it.
fn broken_in(limits: Limits, story: &[Act]) -> Option<&'static str> {
    let mut rules = Rules::new(limits);
    for act in &hosts() {
        rules.see(*act).expect("a rule holds");
    }
    for (no, act) in story.iter().enumerate() {
        if let Err(broken) = rules.see(*act) {
            assert_eq!(no, story.len() - 1, "{act:?}: {broken}");
            return Some(broken.rule);
        }
    }
    rules.at_rest(at(100)).err().map(|broken| broken.rule)
}

fn broken(story: &[Act]) -> Option<&'static str> {
    broken_in(Limits::default(), story)
}

/// A story, and another behind it.
fn and(one: &[Act], other: &[Act]) -> Vec<Act> {
    [one, other].concat()
}

#[test]
fn trouble_adds_up_and_its_end_is_forgotten_in_time() {
    let reset = |second| Act::Trouble { one: NEAR, other: FAR, now: at(second), lasts: SHORT };
    let watched = [Act::Watches { by: A, of: C }];
    let lost = [Act::Notice { by: A, of: Some(C), how: How::Unreachable }];
    let rule = Some("a host is given up only if something was wrong");
    assert_eq!(broken(&[&watched[..], &[reset(1), reset(1), reset(1)], &lost].concat()), None);
    assert_eq!(broken(&[&watched[..], &[reset(1), reset(3), reset(5)], &lost].concat()), rule);
    assert_eq!(broken(&[&watched[..], &[trouble(SECOND)], &lost].concat()), rule);
    assert_eq!(broken(&[&watched[..], &[trouble(2 * SECOND)], &lost].concat()), None);
}

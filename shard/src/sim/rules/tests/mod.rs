//! Every rule notices what breaks it, and nothing else: stories told to the rules directly, with a file for each file of
//! rules. Each story that breaks a rule stands beside one that is like it and lawful; and for each check of a rule there is
//! one that only this check notices.

mod answers;
mod families;
mod lacks;
mod losses;
mod machines;
mod order;
mod restarts;
mod routing;
mod timers;
mod tree;
mod watches;

use std::time::Duration;

use corelane_kernel::Time;

use super::{Act, Decision, Id, Lack, OUTSIDE, Reach, Reply, Rules};

const NOW: Time = Time::from_millis(1000);

/// Somebody comes to live.
fn born(id: Id, parent: Id, shard: usize) -> [Act; 3] {
    [Act::Spawned { id, parent, shard }, Act::Made { id }, Act::Started { id }]
}

/// Two who live on shard 0, the second a child of the first, and one on shard 1.
fn three() -> Vec<Act> {
    [born(1, OUTSIDE, 0), born(2, 1, 0), born(3, OUTSIDE, 1)].concat()
}

fn told(from: Id, to: Id, no: u32) -> Act {
    Act::Told { from, to, no }
}

fn handled(from: Id, to: Id, no: u32) -> Act {
    Act::Handled { by: to, from, to, no }
}

fn stashed(from: Id, to: Id, no: u32) -> Act {
    Act::Stashed { by: to, from, to, no }
}

fn notice(watcher: Id, target: Id) -> Act {
    Act::Notice { watcher, target, found: true }
}

fn watching(watcher: Id, target: Id) -> Act {
    Act::Watching { watcher, target, with: false }
}

fn ends(id: Id) -> [Act; 2] {
    [Act::Stopped { id }, Act::Ended { id }]
}

/// The hooks of an actor that is restarted.
const fn restarts_of(id: Id) -> [Act; 6] {
    [
        Act::Restarting { id, keeps: false },
        Act::Stopped { id },
        Act::Ended { id },
        Act::Made { id },
        Act::Restarted { id, now: NOW },
        Act::Started { id },
    ]
}

const RESTARTS: [Act; 6] = restarts_of(2);

/// A child fails, and its parent decides.
fn fails_below(parent: Id, child: Id, decision: Decision, reach: Reach) -> [Act; 2] {
    [Act::Fails { id: child }, Act::ChildFailed { parent, child, now: NOW, decision, reach }]
}

/// The second fails, and its parent decides.
fn fails(decision: Decision) -> [Act; 2] {
    fails_below(1, 2, decision, Reach::One)
}

const RESTART: Decision =
    Decision::Restart { wait: Duration::ZERO, at_most: Some(Duration::ZERO), limit: None };

/// What has been told to rules, which have held so far.
struct Story(Rules);

impl Story {
    /// Tells a story that breaks no rule after that of the three.
    fn of(acts: &[Act]) -> Story {
        let mut story = Story(Rules::default());
        story.goes_on(&three());
        story.goes_on(acts);
        story
    }

    fn goes_on(&mut self, acts: &[Act]) {
        for act in acts {
            self.0.see(*act).expect("a rule holds");
        }
    }

    /// The rule that the next act breaks.
    fn broken_by(mut self, act: Act) -> Option<&'static str> {
        self.0.see(act).err().map(|broken| broken.rule)
    }

    /// The rule that is broken where nothing more comes.
    fn broken_at_rest(&mut self) -> Option<&'static str> {
        self.0.at_rest(NOW).err().map(|broken| broken.rule)
    }

    fn broken_at_end(&self) -> Option<&'static str> {
        self.0.at_end().err().map(|broken| broken.rule)
    }
}

/// Tells a story after that of the three, and gives the rule that it broke, at its last act or at rest after it.
fn broken(story: &[Act]) -> Option<&'static str> {
    let Some((last, before)) = story.split_last() else { return Story::of(&[]).broken_at_rest() };
    let mut told = Story::of(before);
    match told.0.see(*last) {
        Err(broken) => Some(broken.rule),
        Ok(()) => told.broken_at_rest(),
    }
}

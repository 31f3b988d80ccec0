//! How those who live in a random world look after their children: each in its own way, which its number decides.

use std::time::Duration;

use corelane_kernel::{Backoff, Directive, Failure, Strategy};

use super::super::rules::{Decision, Growth, Id, Reach};
use super::town::Town;

const FIRST: Duration = Duration::from_millis(1);
const MOST: Duration = Duration::from_millis(8);
const JITTER: u32 = 50;
/// Waits without quiet, where there is an end to them.
const WAITS: u32 = 2;

#[derive(Clone, Copy)]
pub(super) struct Parenting {
    pub(super) reach: Reach,
    limit: Option<(u32, Duration)>,
    backs_off: bool,
    gives_up: bool,
}

impl Parenting {
    pub(super) fn of(id: Id) -> Parenting {
        Parenting {
            reach: [Reach::One, Reach::One, Reach::All, Reach::Rest][id as usize % 4],
            limit: [None, None, Some((2, Duration::from_millis(50)))][id as usize % 3],
            backs_off: id.is_multiple_of(5) || id.is_multiple_of(7),
            gives_up: id.is_multiple_of(7),
        }
    }

    pub(super) fn strategy(self) -> Strategy {
        let mut strategy = match self.reach {
            Reach::One => Strategy::one_for_one(),
            Reach::All => Strategy::all_for_one(),
            Reach::Rest => Strategy::rest_for_one(),
        };
        if let Some((most, within)) = self.limit {
            strategy = strategy.restarts(most, within);
        }
        if self.backs_off {
            let backoff = Backoff::new(FIRST, MOST).jitter(JITTER);
            strategy = strategy.backoff(backoff);
            if self.gives_up {
                strategy = strategy.give_up_after(WAITS);
            }
        }
        strategy
    }

    /// What a directive means for the children whom it concerns.
    pub(super) fn decision(self, directive: Directive) -> Decision {
        let wait = match directive {
            Directive::Resume => return Decision::Resume,
            Directive::Stop => return Decision::Stop,
            Directive::Escalate => return Decision::Escalate,
            Directive::RestartAfter(wait) => wait,
            Directive::Restart if self.backs_off => {
                let give_up_after = self.gives_up.then_some(WAITS);
                let growth =
                    Growth { first: FIRST, most: MOST, jitter_percent: JITTER, quiet: MOST, give_up_after };
                return Decision::BackOff { growth, limit: self.limit };
            }
            Directive::Restart => Duration::ZERO,
        };
        Decision::Restart { wait, at_most: Some(wait), limit: self.limit }
    }

    /// How a kernel looks after its top-level actors.
    const fn of_a_kernel(kind: usize) -> Parenting {
        let within = Some((3, Duration::from_millis(48)));
        let (reach, limit, backs_off, gives_up) = match kind {
            0 | 1 => (Reach::One, None, false, false),
            2 => (Reach::One, within, true, false),
            3 => (Reach::Rest, None, true, true),
            4 => (Reach::All, within, false, false),
            _ => (Reach::Rest, within, false, false),
        };
        Parenting { reach, limit, backs_off, gives_up }
    }
}

/// The strategies of kernels: what each decides is drawn, and noted in the books of the world of this thread.
pub(super) fn of_kernels(kind: usize) -> Strategy {
    let (decider, kind): (fn(&Failure) -> Directive, usize) = match kind % KINDS {
        0 => (decide_at_top::<0>, 0),
        1 => (decide_at_top::<1>, 1),
        2 => (decide_at_top::<2>, 2),
        3 => (decide_at_top::<3>, 3),
        4 => (decide_at_top::<4>, 4),
        _ => (decide_at_top::<5>, 5),
    };
    Parenting::of_a_kernel(kind).strategy().deciding(decider)
}

/// How many strategies of kernels there are.
pub(super) const KINDS: usize = 6;

/// Decides about a top-level actor: the one that failed last, as a failure is decided about at once.
fn decide_at_top<const KIND: usize>(failure: &Failure) -> Directive {
    // A kernel that outlives its world decides for nobody.
    let Some(town) = Town::of_this_thread() else { return Directive::for_failure(failure) };
    let parenting = Parenting::of_a_kernel(KIND);
    let directive = match (KIND, town.below(20)) {
        (0, _) => Directive::Stop,
        (_, 0..4) => Directive::Resume,
        (_, 4..14) => Directive::Restart,
        (_, 14..17) => Directive::RestartAfter(Duration::from_micros(town.below(20_000))),
        (1, 17) if town.one_in(4) => Directive::Escalate,
        _ => Directive::Stop,
    };
    let (decision, reach) = (parenting.decision(directive), parenting.reach);
    town.decided_at_top(decision, reach);
    directive
}

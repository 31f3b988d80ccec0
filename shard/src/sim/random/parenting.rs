//! How those who live in a random world look after their children: each in its own way, which its number decides.

use std::time::Duration;

use corelane_kernel::{Backoff, Directive, Strategy};

use super::super::rules::{Decision, Id, Reach};

const FIRST: Duration = Duration::from_millis(1);
const MOST: Duration = Duration::from_millis(8);
const JITTER: u32 = 50;

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
                strategy = strategy.give_up_after(2);
            }
        }
        strategy
    }

    /// What a directive means for the children whom it concerns.
    pub(super) fn decision(self, directive: Directive) -> Decision {
        let (wait, longest) = match directive {
            Directive::Resume => return Decision::Resume,
            Directive::Stop => return Decision::Stop,
            Directive::Escalate => return Decision::Escalate,
            Directive::RestartAfter(wait) => (wait, wait),
            Directive::Restart if self.backs_off => (FIRST - FIRST * JITTER / 100, MOST),
            Directive::Restart => (Duration::ZERO, Duration::ZERO),
        };
        let may_stop = self.limit.is_some() || self.gives_up;
        let limit = self.limit.filter(|_| self.reach == Reach::One);
        Decision::Restart { wait, at_most: (!may_stop).then_some(longest), limit }
    }

    /// How a kernel looks after its top-level actors.
    pub(super) fn of_a_kernel(kind: usize) -> Strategy {
        let backoff = Backoff::new(FIRST, MOST).jitter(JITTER);
        match kind {
            0 => Strategy::stopping(),
            1 => Strategy::one_for_one(),
            2 => Strategy::one_for_one().restarts(3, 6 * MOST).backoff(backoff),
            3 => Strategy::rest_for_one().backoff(backoff).give_up_after(2),
            _ => Strategy::one_for_one().deciding(|_| Directive::Resume),
        }
    }
}

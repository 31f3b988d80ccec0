//! Waits before restarts: each longer than the one before, short again after quiet, and not more of them than there are to
//! be. When exactly a wait was over is not known, as chance shortens it: so neither is it always how many there were.

use std::time::Duration;

use corelane_kernel::Time;

use super::tree::Lives;
use super::{Decision, Growth, Id};

/// The waits of one actor since the last quiet time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waits {
    /// So many at least, and at most.
    count: (u32, u32),
    /// The last one was over then at the earliest, and at the latest.
    over: (Time, Time),
}

/// The next wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// There is none.
    GivesUp,
    /// As long as this at least and at most, if there is one, which is `certain` or not.
    Waits { least: Duration, most: Duration, certain: bool },
}

impl Growth {
    fn after(&self, waits: u32) -> Duration {
        self.first.saturating_mul(2u32.saturating_pow(waits)).min(self.most)
    }

    fn shortest_after(&self, waits: u32) -> Duration {
        let longest = self.after(waits).as_nanos();
        let jitter = (longest * u128::from(self.jitter_percent)).div_ceil(100);
        Duration::from_nanos(u64::try_from(longest - jitter.min(longest)).unwrap_or(u64::MAX))
    }
}

impl Waits {
    /// It fails at this time, and is to wait.
    fn next(&mut self, growth: &Growth, now: Time) -> Next {
        if now.since(self.over.1) >= growth.quiet {
            self.count = (0, 0);
        } else if now.since(self.over.0) >= growth.quiet {
            self.count.0 = 0;
        }
        let enough = growth.give_up_after.unwrap_or(u32::MAX);
        if self.count.0 >= enough {
            return Next::GivesUp;
        }
        let certain = self.count.1 < enough;
        let (least, most) = (self.count.0, self.count.1.min(enough - 1));
        self.count = (least + 1, most + 1);
        let (least, most) = (growth.shortest_after(least), growth.after(most));
        self.over = (now + least, now + most);
        Next::Waits { least, most, certain }
    }

    /// It waits for so long, however often it has before.
    fn waits(&mut self, now: Time, least: Duration, most: Duration) {
        self.over = (now + least, now + most);
    }

    /// It is restarted over another, perhaps, which ends with a wait as well.
    pub(super) fn may_wait(&mut self, now: Time, least: Duration, most: Option<Duration>) {
        let (from, to) = self.over;
        let latest = most.map_or(Time::MAX, |most| now + most);
        self.over = (from.min(now + least), to.max(latest));
    }

    /// Its last wait is over by this time.
    pub(super) fn are_over(&mut self, now: Time) {
        self.over = (self.over.0.min(now), now);
    }
}

impl Lives {
    /// What a decision comes to, before limits, and whether that is certain.
    pub(super) fn backs_off(&mut self, child: Id, now: Time, decision: Decision) -> (Decision, bool) {
        let waits = &mut self.at(child).ward.waits;
        match decision {
            Decision::BackOff { growth, limit } => match waits.next(&growth, now) {
                Next::GivesUp => return (Decision::Stop, true),
                Next::Waits { least, most, certain } => {
                    let at_most = certain.then_some(most);
                    return (Decision::Restart { wait: least, at_most, limit }, certain);
                }
            },
            Decision::Restart { wait, at_most, .. } => {
                waits.waits(now, wait, at_most.unwrap_or(wait));
            }
            Decision::Resume => {
                // Who has nothing to go on with is made at once, and so are those below whose failure was escalated.
                if !self.of(child).lives() {
                    self.at(child).ward.waits.waits(now, Duration::ZERO, Duration::ZERO);
                }
                self.each_below(child, &|life| {
                    if !life.lives() {
                        life.ward.waits.may_wait(now, Duration::ZERO, None);
                    }
                });
            }
            _ => {}
        }
        (decision, true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Act, OUTSIDE, Reach, Rules};
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn growth(jitter_percent: u32) -> Growth {
        Growth { first: MS, most: 8 * MS, jitter_percent, quiet: 10 * MS, give_up_after: Some(2) }
    }

    /// One fails again and again, so long after its start each time, and waits for so long; gives the rule that this breaks.
    fn broken(jitter_percent: u32, lives: &[(Duration, Duration)]) -> Option<&'static str> {
        let mut rules = Rules::default();
        let mut now = Time::from_millis(1000);
        let (id, parent, shard) = (1, OUTSIDE, 0);
        let born = [Act::Spawned { id, parent, shard }, Act::Made { id }, Act::Started { id }];
        born.into_iter().for_each(|act| rules.see(act).expect("a start"));
        let decision = Decision::BackOff { growth: growth(jitter_percent), limit: None };
        for (lived, waited) in lives {
            now = now + *lived;
            let heard = Act::ChildFailed { parent, child: id, now, decision, reach: Reach::One };
            now = now + *waited;
            let acts = [
                Act::Fails { id },
                heard,
                Act::Restarting { id, keeps: false },
                Act::Stopped { id },
                Act::Ended { id },
                Act::Made { id },
                Act::Restarted { id, now },
                Act::Started { id },
            ];
            if let Some(broken) = acts.into_iter().find_map(|act| rules.see(act).err()) {
                return Some(broken.rule);
            }
        }
        rules.at_rest(now).err().map(|broken| broken.rule)
    }

    #[test]
    fn waits_grow() {
        let early = Some("a back-off is waited for");
        assert_eq!(broken(0, &[(MS, MS), (MS, 2 * MS)]), None);
        assert_eq!(broken(0, &[(MS, MS - Duration::from_nanos(1))]), early);
        assert_eq!(broken(0, &[(MS, MS), (MS, 2 * MS - Duration::from_nanos(1))]), early);
        assert_eq!(broken(50, &[(MS, MS / 2), (MS, MS)]), None, "jitter makes them shorter");
        assert_eq!(broken(50, &[(MS, MS / 2), (MS, MS - Duration::from_nanos(1))]), early, "by so much");
    }

    #[test]
    fn too_many_waits_are_an_end_and_quiet_time_lets_them_begin_anew() {
        let refused = Some("nobody is restarted whom no decision concerns");
        assert_eq!(broken(0, &[(MS, MS), (MS, 2 * MS), (MS, 4 * MS)]), refused);
        assert_eq!(broken(0, &[(MS, MS), (MS, 2 * MS), (10 * MS, MS)]), None);
        assert_eq!(broken(0, &[(MS, MS), (MS, 2 * MS), (10 * MS, MS), (MS, 2 * MS), (MS, MS)]), refused);
    }

    #[test]
    fn what_chance_decides_is_let_pass() {
        let mut waits = Waits::default();
        let now = Time::from_millis(1000);
        let [first, second] = [MS, 2 * MS].map(|most| Next::Waits { least: most / 2, most, certain: true });
        assert_eq!([waits.next(&growth(50), now), waits.next(&growth(50), now + 5 * MS)], [first, second]);
        // Quiet for 10 ms if that wait took 1 ms, and not if it took 2.
        let perhaps = Next::Waits { least: MS / 2, most: 2 * MS, certain: false };
        assert_eq!(waits.next(&growth(50), now + (5 + 1 + 10) * MS), perhaps);
    }

    #[test]
    fn a_restart_that_is_forgotten_is_noticed_where_it_was_certain() {
        let (id, parent, shard) = (1, OUTSIDE, 0);
        let now = Time::from_millis(1000);
        let decision = Decision::BackOff { growth: growth(50), limit: None };
        let mut rules = Rules::default();
        for act in [
            Act::Spawned { id, parent, shard },
            Act::Made { id },
            Act::Started { id },
            Act::Fails { id },
            Act::ChildFailed { parent, child: id, now, decision, reach: Reach::One },
            Act::Restarting { id, keeps: false },
            Act::Stopped { id },
            Act::Ended { id },
        ] {
            rules.see(act).expect("a restart that begins");
        }
        assert_eq!(rules.at_rest(now + MS), Ok(()), "it may wait for so long");
        assert_eq!(rules.at_rest(now + 3 * MS).map_err(|broken| broken.rule), Err("no restart is forgotten"));
    }
}

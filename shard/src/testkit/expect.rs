//! What a test may expect of a probe. Each expectation reads what it was about, and leaves what comes after it.
//!
//! | of the next message | of several | of none, and of ends |
//! |---|---|---|
//! | `expect`, `expect_within`, `expect_any_of` | `expect_many`, `expect_many_within`, `expect_all_of` | `expect_no`, `expect_silence` |
//! | `fish`: one, whatever comes before it | `gather`, `expect_while` | `expect_terminated` |

use std::any::type_name;
use std::fmt;
use std::time::Duration;

use corelane_kernel::{Address, Terminated};

use super::{Drive, Probe};

/// What becomes of a message that is [fished](Probe::fish) for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fish {
    /// It is the one.
    Take,
    /// It is another one: it is thrown away.
    Skip,
}

/// What becomes of a message where several are [gathered](Probe::gather).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gather {
    /// It is one of them, and more are to come.
    Keep,
    /// It is none of them: it is thrown away.
    Skip,
    /// It is the last of them.
    Last,
}

impl<M: Send + 'static> Probe<M> {
    /// Takes the next message, if one comes in time.
    #[track_caller]
    fn next(&self, of: &mut impl Drive, within: Duration) -> Option<M> {
        self.await_heard(of, within, |heard| !heard.messages.is_empty());
        self.heard().messages.pop_front()
    }

    /// The next message.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn expect(&self, of: &mut impl Drive) -> M {
        self.expect_within(of, of.patience())
    }

    /// The next message, within a time.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn expect_within(&self, of: &mut impl Drive, within: Duration) -> M {
        let next = self.next(of, within);
        next.unwrap_or_else(|| panic!("no {} came within {within:?}", type_name::<M>()))
    }

    /// The next message, which is one of these.
    ///
    /// # Panics
    /// If none comes, or another.
    #[track_caller]
    pub fn expect_any_of(&self, of: &mut impl Drive, these: &[M]) -> M
    where
        M: PartialEq + fmt::Debug,
    {
        let next = self.expect(of);
        assert!(these.contains(&next), "{next:?} came, which is none of {these:?}");
        next
    }

    /// The next so many messages.
    ///
    /// # Panics
    /// If fewer come.
    #[track_caller]
    pub fn expect_many(&self, of: &mut impl Drive, count: usize) -> Vec<M> {
        self.expect_many_within(of, count, of.patience())
    }

    /// The next so many messages, all within a time.
    ///
    /// # Panics
    /// If fewer come.
    #[track_caller]
    pub fn expect_many_within(&self, of: &mut impl Drive, count: usize, within: Duration) -> Vec<M> {
        self.await_heard(of, within, |heard| heard.messages.len() >= count);
        let mut heard = self.heard();
        let came = heard.messages.len();
        assert!(came >= count, "{came} of {count} {} came within {within:?}", type_name::<M>());
        heard.messages.drain(..count).collect()
    }

    /// The next messages, which are these, in any order: as many as these, each as often as it is among them. Gives them in
    /// the order in which they came.
    ///
    /// # Panics
    /// If fewer come, or others.
    #[track_caller]
    pub fn expect_all_of(&self, of: &mut impl Drive, these: &[M]) -> Vec<M>
    where
        M: PartialEq + fmt::Debug,
    {
        let came = self.expect_many(of, these.len());
        let mut missing: Vec<&M> = these.iter().collect();
        for message in &came {
            let Some(at) = missing.iter().position(|expected| *expected == message) else {
                panic!("{came:?} came, and not {these:?}: {message:?} is one too many");
            };
            missing.swap_remove(at);
        }
        came
    }

    /// The messages that come as long as `these` says so of the next one and none takes longer than `idle` to come, until
    /// the time is over. The first that is none of them is left to be read. There may be none.
    #[track_caller]
    pub fn expect_while(
        &self,
        of: &mut impl Drive,
        idle: Duration,
        mut these: impl FnMut(&M) -> bool,
    ) -> Vec<M> {
        let until = of.now() + of.patience();
        let mut came = Vec::new();
        loop {
            let within = until.since(of.now()).min(idle);
            self.await_heard(of, within, |heard| !heard.messages.is_empty());
            let mut heard = self.heard();
            match heard.messages.pop_front() {
                Some(next) if these(&next) => came.push(next),
                Some(other) => {
                    heard.messages.push_front(other);
                    return came;
                }
                None => return came,
            }
        }
    }

    /// No message comes within a time, all of which passes.
    ///
    /// # Panics
    /// If one does.
    #[track_caller]
    pub fn expect_no(&self, of: &mut impl Drive, within: Duration) {
        let before = of.now();
        if self.await_heard(of, within, |heard| !heard.messages.is_empty()) {
            panic!("a {} came after {:?}", type_name::<M>(), of.now().since(before));
        }
    }

    /// No message comes any more: not for three seconds, or for what is left of the [block](Drive::within) around it, all of
    /// which passes.
    ///
    /// # Panics
    /// If one does.
    #[track_caller]
    pub fn expect_silence(&self, of: &mut impl Drive) {
        self.expect_no(of, of.patience());
    }

    /// The first message that `fish` takes, within a time; those before it are thrown away.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn fish(&self, of: &mut impl Drive, within: Duration, mut fish: impl FnMut(&M) -> Fish) -> M {
        let until = of.now() + within;
        let mut skipped = 0;
        loop {
            let Some(next) = self.next(of, until.since(of.now())) else {
                panic!("no such {} came within {within:?}, and {skipped} others", type_name::<M>());
            };
            match fish(&next) {
                Fish::Take => return next,
                Fish::Skip => skipped += 1,
            }
        }
    }

    /// The messages that `gather` keeps up to its last, within a time; what it skips is thrown away.
    ///
    /// ```
    /// # use corelane_shard::testkit::{Drive, Gather, Probe, TestKernel};
    /// # use std::time::Duration;
    /// # let mut kernel = TestKernel::new();
    /// let probe = Probe::new(&mut kernel);
    /// for n in 1..=9 {
    ///     kernel.tell(probe.at(), n);
    /// }
    /// let odd = probe.gather(&mut kernel, Duration::from_secs(1), |n| match n {
    ///     7 => Gather::Last,
    ///     n if n % 2 == 1 => Gather::Keep,
    ///     _ => Gather::Skip,
    /// });
    /// assert_eq!(odd, [1, 3, 5, 7]);
    /// assert_eq!(probe.expect(&mut kernel), 8);
    /// ```
    ///
    /// # Panics
    /// If the last does not come.
    #[track_caller]
    pub fn gather(
        &self,
        of: &mut impl Drive,
        within: Duration,
        mut gather: impl FnMut(&M) -> Gather,
    ) -> Vec<M> {
        let until = of.now() + within;
        let (mut kept, mut skipped) = (Vec::new(), 0);
        loop {
            let Some(next) = self.next(of, until.since(of.now())) else {
                let (name, kept) = (type_name::<M>(), kept.len());
                panic!(
                    "the last {name} did not come within {within:?}; {kept} were kept, {skipped} were not"
                );
            };
            match gather(&next) {
                Gather::Keep => kept.push(next),
                Gather::Skip => skipped += 1,
                Gather::Last => {
                    kept.push(next);
                    return kept;
                }
            }
        }
    }

    /// The notice that an actor which it watches is gone.
    ///
    /// # Panics
    /// If none comes, or that of another comes first.
    #[track_caller]
    pub fn expect_terminated(&self, of: &mut impl Drive, whom: impl Into<Address>) -> Terminated {
        let (whom, within) = (whom.into(), of.patience());
        self.await_heard(of, within, |heard| !heard.notices.is_empty());
        let Some(gone) = self.heard().notices.pop_front() else {
            panic!("no notice came that {whom:?} is gone within {within:?}");
        };
        assert!(gone.address == whom, "{:?} is gone, and not {whom:?}", gone.address);
        gone
    }
}

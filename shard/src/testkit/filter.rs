//! Filters: so many failures or dead letters of a kind, while something is done.

use corelane_kernel::DeadReason;

use super::Drive;
use crate::sim::Event;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Failure,
    DeadLetter,
}

/// What kind of failures or dead letters is expected.
///
/// ```
/// # use corelane_kernel::{Actor, Ctx, Failure, Outcome};
/// use corelane_shard::testkit::{Filter, TestKernel};
///
/// struct Glass;
///
/// impl Actor for Glass {
///     type Msg = u32;
///     fn receive(&mut self, force: u32, _: &mut Ctx<'_, Self>) -> Outcome {
///         if force > 9 { Err(Failure::new("shattered")) } else { Ok(()) }
///     }
/// }
///
/// let mut kernel = TestKernel::new();
/// let glass = kernel.spawn(Glass);
/// Filter::failures().of("Glass").saying("shattered").expect(&mut kernel, 1, |kernel| kernel.tell(glass, 10));
/// Filter::dead_letters().expect(&mut kernel, 2, |kernel| (0..2).for_each(|force| kernel.tell(glass, force)));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a filter does nothing until something is expected of it"]
pub struct Filter {
    kind: Kind,
    of: String,
    saying: String,
    because: Option<DeadReason>,
}

impl Filter {
    fn new(kind: Kind) -> Filter {
        Filter { kind, of: String::new(), saying: String::new(), because: None }
    }

    /// Matches failures of actors: errors and panics of handlers, hooks and factories.
    pub fn failures() -> Filter {
        Filter::new(Kind::Failure)
    }

    /// Matches dead letters, for whatever reason.
    pub fn dead_letters() -> Filter {
        Filter::new(Kind::DeadLetter)
    }

    /// Of actors, or messages, the name of whose type has this part.
    pub fn of(mut self, name: impl Into<String>) -> Self {
        self.of = name.into();
        self
    }

    /// Failures whose text has this part.
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.saying = text.into();
        self
    }

    /// Dead letters for this reason.
    pub fn because(mut self, reason: DeadReason) -> Self {
        self.because = Some(reason);
        self
    }

    fn matches(&self, event: &Event) -> bool {
        match (self.kind, event) {
            (Kind::Failure, Event::Failed { actor, text, .. }) => {
                actor.contains(&self.of) && text.contains(&self.saying)
            }
            (Kind::DeadLetter, Event::DeadLetter { message, reason, .. }) => {
                message.contains(&self.of) && self.because.is_none_or(|because| because == *reason)
            }
            _ => false,
        }
    }

    fn count(&self, of: &impl Drive) -> usize {
        of.happened().iter().filter(|(_, event)| self.matches(event)).count()
    }

    /// Does something, lets three seconds of virtual time pass, or what is left of the [block](Drive::within) around it, and
    /// gives what that gave.
    ///
    /// # Panics
    /// If there were more or fewer of this kind than `count`.
    #[track_caller]
    pub fn expect<D: Drive, T>(&self, of: &mut D, count: usize, story: impl FnOnce(&mut D) -> T) -> T {
        let before = self.count(of);
        let told = story(of);
        of.drive(of.patience(), &mut || false);
        let came = self.count(of) - before;
        assert!(came == count, "{came} came, and not {count}, of {self:?}");
        told
    }
}

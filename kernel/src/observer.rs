//! The observer: how a kernel shows its driver what went wrong, without knowing what a log is.

use core::fmt;
use core::time::Duration;

use crate::address::Address;
use crate::beacon::Seen;
use crate::behavior::Role;
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::letters::DeadLetter;
use crate::paths::{Path, Tree};
use crate::time::Time;

/// The actor that something is shown of. Prints as its path.
#[derive(Clone, Copy)]
pub struct Subject<'k> {
    /// Its address.
    pub address: Address,
    /// Name of its type; [`Subject::ELSEWHERE`] where its kernel knows that, and this one does not.
    pub actor: &'static str,
    /// Name of the type of its messages; or as for `actor`.
    pub message: &'static str,
    path: Path<'k>,
}

impl Subject<'_> {
    /// Stands for the types of a child that lives on another shard than its parent, where its parent's decision is shown. Its
    /// own kernel has shown its failure, and knows them.
    pub const ELSEWHERE: &'static str = "on another shard";
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} at {}", self.actor, self.address, self.path)
    }
}

/// What comes of a failure, when its supervisor's [`Directive`](crate::Directive) has met with its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The actor goes on with its state.
    Resume,
    /// It gets a new state.
    Restart,
    /// It gets a new state after this time, in which its messages wait.
    RestartAfter(Duration),
    /// It stops.
    Stop,
    /// It stops, for it was restarted as often as its supervisor's [`Strategy`](crate::Strategy) allows, or waited for it as
    /// often. So it does where there is no room any more to count that.
    GiveUp,
    /// It was to be restarted, and stops: it was spawned from a value and not from a factory, or there is no room to note
    /// the restart.
    CannotRestart,
    /// Its supervisor fails with it.
    Escalate,
}

impl Decision {
    /// Whether the actor stops.
    pub const fn is_stop(self) -> bool {
        matches!(self, Decision::Stop | Decision::GiveUp | Decision::CannotRestart)
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Decision::Resume => "it goes on as it is",
            Decision::Restart => "it is restarted",
            Decision::RestartAfter(wait) => return write!(f, "it is restarted after {wait:?}"),
            Decision::Stop => "it is stopped",
            Decision::GiveUp => "it is stopped: there were too many restarts",
            Decision::CannotRestart => "it is stopped: it cannot be made again",
            Decision::Escalate => "its supervisor fails with it",
        })
    }
}

/// Sees what a kernel's driver may want to log. Called off the hot path only. Must not block.
///
/// ```
/// # use corelane_kernel::{DeadLetter, Failure, Kernel, Observe, OutOfMemory, Path, Subject};
/// struct Printer;
///
/// impl Observe for Printer {
///     fn dead_letter(&mut self, letter: &DeadLetter, target: Path<'_>) {
///         eprintln!("{target} did not get a {}: {}", letter.message, letter.reason);
///     }
///     fn failed(&mut self, who: &Subject<'_>, failure: &Failure) {
///         eprintln!("{who} ({}) failed: {failure}", who.actor);
///     }
///     fn panicked(&mut self, failure: &Failure) {
///         eprintln!("{failure}");
///     }
/// }
///
/// fn prepare(kernel: &mut Kernel) -> Result<(), OutOfMemory> {
///     kernel.scope().observe(Printer)
/// }
/// ```
pub trait Observe: 'static {
    /// A message was not handled. `target` is the path of whom it was for, if that lives here, or else its address.
    fn dead_letter(&mut self, letter: &DeadLetter, target: Path<'_>);

    /// An actor failed: its handler, a hook or its factory returned an error or panicked, or somebody failed it.
    /// What is done about it comes in [`Observe::decided`].
    fn failed(&mut self, who: &Subject<'_>, failure: &Failure);

    /// What is done about a failure was decided, which is shown before it is done. Siblings whom the decision concerns as
    /// well are not shown one by one.
    fn decided(&mut self, who: &Subject<'_>, failure: &Failure, decision: Decision, now: Time) {
        let _ = (who, failure, decision, now);
    }

    /// A failure was escalated past all supervisors: nobody is left to decide about it. Whoever failed is stopped.
    fn escalated(&mut self, failure: &Failure) {
        let _ = failure;
    }

    /// Code that belongs to no actor panicked, and was caught: a call from outside, a message's drop.
    fn panicked(&mut self, failure: &Failure);
}

/// The observer in use, if any.
pub(crate) struct Observer {
    set: Option<crate::erased::Erased<dyn Observe>>,
}

impl Observer {
    pub(crate) const fn new() -> Observer {
        Observer { set: None }
    }

    pub(crate) fn set(&mut self, observer: crate::erased::Erased<dyn Observe>) {
        self.set = Some(observer);
    }

    pub(crate) fn escalated(&mut self, failure: &Failure) {
        if let Some(observer) = &mut self.set {
            observer.escalated(failure);
        }
    }

    pub(crate) fn panicked(&mut self, failure: &Failure) {
        if let Some(observer) = &mut self.set {
            observer.panicked(failure);
        }
    }
}

impl Kernel {
    /// The actor that lives where somebody saw code run, looking at this kernel's [`Beacon`](crate::Beacon). `None` if it has
    /// ended since. If another was spawned in its place meanwhile, it is that one: ask before the next turn.
    pub fn subject(&self, seen: Seen) -> Option<Subject<'_>> {
        if seen.place != self.place {
            return None;
        }
        let behavior = self.memory.header(seen.cell).behavior.get()?;
        if behavior.role != Role::Actor {
            return None;
        }
        Some(Subject {
            address: self.address_of(seen.cell),
            actor: (behavior.name)(),
            message: (behavior.message.name)(),
            path: self.path(self.address_of(seen.cell)),
        })
    }

    /// Shows a dead letter.
    pub(crate) fn show_letter(&mut self, letter: &DeadLetter) {
        let here = self.path(letter.target).here;
        // Written out: the observer is borrowed besides.
        let Kernel { memory, sides, names, bonds, root, observer, .. } = self;
        let tree = Tree { memory, sides, names, bonds, root: *root };
        if let Some(observer) = &mut observer.set {
            observer.dead_letter(letter, Path { tree, address: letter.target, here });
        }
    }

    /// Shows that the actor of a cell has failed.
    pub(crate) fn show_failure(&mut self, cell: u32, failure: &Failure) {
        self.show(cell, |observer, who| observer.failed(who, failure));
    }

    /// Shows what is done about it.
    pub(crate) fn show_decision(&mut self, cell: u32, failure: &Failure, decision: Decision) {
        let now = self.now;
        self.show(cell, |observer, who| observer.decided(who, failure, decision, now));
    }

    /// Shows something of the actor of a cell. The cell may be on its way out, but still knows its parent.
    fn show(&mut self, cell: u32, show: impl FnOnce(&mut dyn Observe, &Subject<'_>)) {
        let own = self.address_of(cell);
        let Some(behavior) = self.memory.header(cell).behavior.get() else { return };
        let (address, is_outpost) = match behavior.role {
            Role::Outpost => (self.known_address(cell).unwrap_or(Address::NOBODY), true),
            _ => (own, false),
        };
        // Written out: the observer is borrowed besides.
        let Kernel { memory, sides, names, bonds, root, observer, .. } = self;
        let tree = Tree { memory, sides, names, bonds, root: *root };
        if let Some(observer) = &mut observer.set {
            let (actor, message) = match is_outpost {
                true => (Subject::ELSEWHERE, Subject::ELSEWHERE),
                false => ((behavior.name)(), (behavior.message.name)()),
            };
            // A child elsewhere has its name here, and without one is known by its address.
            let path = match behavior.role {
                Role::Actor => Path { tree, address, here: true },
                Role::Outpost if tree.has_name(cell) => Path { tree, address: own, here: true },
                _ => Path { tree, address, here: false },
            };
            let who = Subject { address, actor, message, path };
            show(&mut **observer, &who);
        }
    }

    pub(crate) fn set_observer<O: Observe>(&mut self, observer: O) -> Result<(), crate::error::OutOfMemory> {
        let erased = crate::erased::Erased::new(&mut self.memory, observer);
        let erased = erased.map_err(|_| crate::error::OutOfMemory)?;
        self.observer.set(erased.erase(|at| at as core::ptr::NonNull<dyn Observe>));
        Ok(())
    }
}

//! The probe: how a kernel shows its driver what went wrong, without knowing what a log is.

use core::fmt;

use crate::address::Address;
use crate::beacon::Seen;
use crate::behavior::Role;
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::letters::DeadLetter;
use crate::paths::{Path, Tree};

/// The actor that something is shown of. Prints as its path.
#[derive(Clone, Copy)]
pub struct Subject<'k> {
    /// Its address.
    pub address: Address,
    /// Name of its type.
    pub actor: &'static str,
    /// Name of the type of its messages.
    pub message: &'static str,
    path: Path<'k>,
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

    /// An actor failed.
    fn failed(&mut self, who: &Subject<'_>, failure: &Failure);

    /// A failure was escalated past all supervisors: nobody is left to decide about it. Whoever failed is stopped.
    fn escalated(&mut self, failure: &Failure) {
        let _ = failure;
    }

    /// Code that belongs to no actor panicked, and was caught: a call from outside, a message's drop.
    fn panicked(&mut self, failure: &Failure);
}

/// The observer in use, if any.
pub(crate) struct Probe {
    observer: Option<crate::erased::Erased<dyn Observe>>,
}

impl Probe {
    pub(crate) const fn new() -> Probe {
        Probe { observer: None }
    }

    pub(crate) fn set(&mut self, observer: crate::erased::Erased<dyn Observe>) {
        self.observer = Some(observer);
    }

    pub(crate) fn escalated(&mut self, failure: &Failure) {
        if let Some(observer) = &mut self.observer {
            observer.escalated(failure);
        }
    }

    pub(crate) fn panicked(&mut self, failure: &Failure) {
        if let Some(observer) = &mut self.observer {
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
        // Written out: the probe is borrowed besides.
        let Kernel { memory, sides, names, bonds, root, probe, .. } = self;
        let tree = Tree { memory, sides, names, bonds, root: *root };
        if let Some(observer) = &mut probe.observer {
            observer.dead_letter(letter, Path { tree, address: letter.target, here });
        }
    }

    /// Shows that the actor of a cell has failed. The cell may be on its way out, but still knows its parent.
    pub(crate) fn show_failure(&mut self, cell: u32, failure: &Failure) {
        let address = self.address_of(cell);
        let Some(behavior) = self.memory.header(cell).behavior.get() else { return };
        let here = behavior.role == Role::Actor;
        // Written out: the probe is borrowed besides.
        let Kernel { memory, sides, names, bonds, root, probe, .. } = self;
        let tree = Tree { memory, sides, names, bonds, root: *root };
        if let Some(observer) = &mut probe.observer {
            let who = Subject {
                address,
                actor: (behavior.name)(),
                message: (behavior.message.name)(),
                path: Path { tree, address, here },
            };
            observer.failed(&who, failure);
        }
    }

    pub(crate) fn set_observer<O: Observe>(&mut self, observer: O) -> Result<(), crate::error::OutOfMemory> {
        let erased = crate::erased::Erased::new(&mut self.memory, observer);
        let erased = erased.map_err(|_| crate::error::OutOfMemory)?;
        self.probe.set(erased.erase(|at| at as core::ptr::NonNull<dyn Observe>));
        Ok(())
    }
}

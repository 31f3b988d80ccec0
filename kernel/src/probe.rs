//! The probe: how a kernel shows its driver what went wrong, without knowing what a log is.

use crate::address::Address;
use crate::failure::Failure;
use crate::letters::DeadLetter;

/// Sees what a kernel's driver may want to log. Called off the hot path only. Must not block.
///
/// ```
/// # use corelane_kernel::{Address, DeadLetter, Failure, Kernel, Observe, OutOfMemory};
/// struct Printer;
///
/// impl Observe for Printer {
///     fn dead_letter(&mut self, letter: &DeadLetter) {
///         eprintln!("{:?} did not get a {}: {}", letter.target, letter.message, letter.reason);
///     }
///     fn failed(&mut self, address: Address, actor: &'static str, failure: &Failure) {
///         eprintln!("{actor} {address:?} failed: {failure}");
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
    /// A message was not handled.
    fn dead_letter(&mut self, letter: &DeadLetter);

    /// An actor failed. `actor` is the name of its type.
    fn failed(&mut self, address: Address, actor: &'static str, failure: &Failure);

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

    pub(crate) fn dead_letter(&mut self, letter: &DeadLetter) {
        if let Some(observer) = &mut self.observer {
            observer.dead_letter(letter);
        }
    }

    pub(crate) fn failed(&mut self, address: Address, actor: &'static str, failure: &Failure) {
        if let Some(observer) = &mut self.observer {
            observer.failed(address, actor, failure);
        }
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

impl crate::kernel::Kernel {
    pub(crate) fn set_observer<O: Observe>(&mut self, observer: O) -> Result<(), crate::error::OutOfMemory> {
        let erased = crate::erased::Erased::new(&mut self.memory, observer);
        let erased = erased.map_err(|_| crate::error::OutOfMemory)?;
        self.probe.set(erased.erase(|at| at as core::ptr::NonNull<dyn Observe>));
        Ok(())
    }
}

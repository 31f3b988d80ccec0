//! What a shard drives besides its kernel: a layer above with input and output of its own (sockets, say), of which the shard
//! knows only when to call it.
//!
//! In each turn: the driver hands out what has come → the kernel's turn → the driver passes on what was asked for. A shard
//! that has one does not sleep by itself but in it, so that it waits for lanes and for the driver's input at once; whoever
//! tells the shard something wakes it by the driver's waker.

use std::fmt;
use std::time::Duration;

use corelane_kernel::{Scope, Time};

use crate::local::Local;
use crate::turn::Worker;
use crate::unwind::guard;

/// Pieces of input that a driver may hand out in one turn.
const BUDGET: u32 = 256;

/// Ends a driver's wait, from any thread.
pub type DriverWaker = Box<dyn Fn() + Send + Sync>;

/// Input and output that a shard drives on its own thread. Installed by [`install_driver`].
///
/// Nothing here may block but [`Driver::park`].
pub trait Driver: 'static {
    /// Hands out what has come, to actors of this shard: at most `budget` pieces, so that none starves the others. Called once
    /// in each turn, before the kernel's.
    fn complete(&mut self, shard: &mut Scope<'_>, now: Time, budget: u32) -> Driven;

    /// Passes on what was asked for since the last time. Called once in each turn, after the kernel's.
    fn submit(&mut self);

    /// It is this time, and what other threads asked the shard for is about to be done: before [`Driver::complete`], perhaps after
    /// a long sleep. What is asked of the driver from there counts from now.
    fn advance_to(&mut self, now: Time) {
        let _ = now;
    }

    /// Whether something has come that was not handed out. Called while the shard spins, so it must be cheap.
    fn has_input(&mut self) -> bool;

    /// Whether [`Driver::park`] would have nothing to wait for. Asked before it is called: what a wait would find by itself, it
    /// may leave to that, and so to a wait that goes on until more of it can be handed out at once.
    fn has_pending(&mut self) -> bool {
        self.has_input()
    }

    /// Waits until something comes, the waker is used, or the time is over; for ever without one. Must return at once if the
    /// waker was used since it last returned. May return early.
    fn park(&mut self, timeout: Option<Duration>);

    /// Ends [`Driver::park`], or the next if there is none at present. Asked for once, when the driver is installed.
    fn waker(&self) -> DriverWaker;

    /// When it is to be called again though nothing comes: for what it has set itself a time for. In a simulation, where nobody
    /// parks, also for input that will have come then.
    fn next_deadline(&mut self) -> Option<Time> {
        None
    }

    /// Whether all that its actors have left to it is done. A system that stops waits for that, within its time.
    fn is_quiet(&self) -> bool {
        true
    }
}

/// What a driver did in a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Driven {
    /// Pieces of input that were handed out.
    pub handled: u32,
    /// More of them wait.
    pub more: bool,
}

/// Why a driver was not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstallDriverError {
    /// The shard has one already.
    Taken,
    /// The shard runs: drivers are installed while it starts, by an [`Extension`](crate::Extension).
    Running,
    /// No system runs this kernel.
    NoShard,
}

impl fmt::Display for InstallDriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InstallDriverError::Taken => "the shard has a driver already",
            InstallDriverError::Running => "the shard runs: a driver is installed while it starts",
            InstallDriverError::NoShard => "no system runs this kernel",
        })
    }
}

impl std::error::Error for InstallDriverError {}

/// Has this shard drive a driver from its first turn on. To be called in [`Extension::on_shard`](crate::Extension::on_shard); a
/// shard has at most one driver, which is dropped on its thread when it has ended.
///
/// # Errors
/// [`InstallDriverError`]; the driver is dropped.
pub fn install_driver(shard: &mut Scope<'_>, driver: impl Driver) -> Result<(), InstallDriverError> {
    let local = shard.extension::<Local>().ok_or(InstallDriverError::NoShard)?;
    match local.driver {
        Berth::Free => local.driver = Berth::Taken(Box::new(driver)),
        Berth::Taken(_) => return Err(InstallDriverError::Taken),
        Berth::Closed => return Err(InstallDriverError::Running),
    }
    Ok(())
}

/// Where a driver waits until its shard runs.
pub(crate) enum Berth {
    Free,
    Taken(Box<dyn Driver>),
    /// The shard runs.
    Closed,
}

impl Berth {
    /// Takes out what was put in; nothing is, any more.
    pub(crate) fn close(&mut self) -> Option<Box<dyn Driver>> {
        match std::mem::replace(self, Berth::Closed) {
            Berth::Taken(driver) => Some(driver),
            Berth::Free | Berth::Closed => None,
        }
    }
}

impl Worker {
    /// Has the driver hand out what has come.
    pub(crate) fn complete(&mut self, now: Time) -> Driven {
        let Some(driver) = &mut self.driver else { return Driven::default() };
        match guard(|| driver.complete(&mut self.kernel.scope(), now, BUDGET)) {
            Ok(driven) => driven,
            Err(failure) => {
                self.recover(failure);
                Driven { handled: 1, more: true }
            }
        }
    }

    /// Has the driver pass on what was asked for.
    pub(crate) fn submit(&mut self) {
        if let Some(driver) = &mut self.driver
            && let Err(failure) = guard(|| driver.submit())
        {
            self.recover(failure);
        }
    }

    /// Has the driver know the time before requests are handled.
    pub(crate) fn advance_driver(&mut self) {
        let now = self.kernel.scope().now();
        if let Some(driver) = &mut self.driver
            && let Err(failure) = guard(|| driver.advance_to(now))
        {
            self.recover(failure);
        }
    }

    pub(crate) fn driver_has_input(&mut self) -> bool {
        self.driver.as_mut().is_some_and(|driver| driver.has_input())
    }

    pub(crate) fn driver_has_pending(&mut self) -> bool {
        self.driver.as_mut().is_some_and(|driver| driver.has_pending())
    }

    pub(crate) fn driver_is_quiet(&self) -> bool {
        self.driver.as_ref().is_none_or(|driver| driver.is_quiet())
    }

    /// Waits in the driver.
    pub(crate) fn park(&mut self, timeout: Option<Duration>) {
        if let Some(driver) = &mut self.driver
            && let Err(failure) = guard(|| driver.park(timeout))
        {
            self.recover(failure);
        }
    }

    /// When something is due here.
    pub(crate) fn next_deadline(&mut self) -> Option<Time> {
        let driver = self.driver.as_mut().and_then(|driver| driver.next_deadline());
        self.kernel.next_deadline().into_iter().chain(driver).min()
    }
}

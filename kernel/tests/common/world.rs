//! One kernel, its clock, and the log of its puppets; and memory for it.

use std::any::Any;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use corelane_kernel::{
    ActorRef, Address, Ctx, DeadReason, Failure, Kernel, KernelConfig, Region, Time, Turn,
};

use super::lock;
use super::puppet::{Log, Order, Puppet, order};

/// What is leaked stays reachable from here, so that a leak checker sees only what tests really leak.
pub(super) static LEAKED: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Memory that is never used again.
pub(crate) fn memory(bytes: usize) -> &'static mut [MaybeUninit<u8>] {
    let memory: &'static mut [MaybeUninit<u8>] = Box::leak(Box::new_uninit_slice(bytes));
    lock(&LEAKED).push(memory.as_ptr() as usize);
    memory
}

/// A region of `bytes`.
pub(crate) fn region(bytes: usize) -> Region {
    Region::from_static(memory(bytes)).expect("a test's region is large enough")
}

/// One kernel, its clock, and the log of its puppets.
pub(crate) struct World {
    pub(crate) kernel: Kernel,
    pub(crate) now: Time,
    pub(crate) log: Log,
    /// Texts of panics that came out of turns, in order.
    pub(crate) panics: Vec<String>,
}

impl World {
    /// A world of one MiB.
    pub(crate) fn new() -> World {
        World::sized(1 << 20)
    }

    pub(crate) fn sized(bytes: usize) -> World {
        World::with(bytes, KernelConfig::default())
    }

    pub(crate) fn with(bytes: usize, config: KernelConfig) -> World {
        World::of(Kernel::new(region(bytes), config).expect("a kernel"))
    }

    pub(crate) fn of(kernel: Kernel) -> World {
        World { kernel, now: Time::from_millis(1000), log: Log::default(), panics: Vec::new() }
    }

    /// One turn at the world's time. A panic out of it is laid at its actor's door, as a driver does.
    pub(crate) fn turn(&mut self) -> Turn {
        match catch_unwind(AssertUnwindSafe(|| self.kernel.turn(self.now))) {
            Ok(turn) => turn,
            Err(mut panic) => {
                // An actor's end may run inside `recover`, and may panic as well.
                loop {
                    let text = text_of(&*panic);
                    assert!(self.panics.len() < 5000, "panics without end: {text}");
                    self.panics.push(text.clone());
                    let failure = Failure::panic(&text);
                    match catch_unwind(AssertUnwindSafe(|| self.kernel.recover(failure))) {
                        Ok(()) => break,
                        Err(again) => panic = again,
                    }
                }
                Turn { handled: 1, more: true }
            }
        }
    }

    /// Turns until the kernel says that nothing more waits.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            if !self.turn().more {
                return;
            }
        }
        panic!("the kernel does not come to rest");
    }

    /// Settles, lets time pass, and settles again.
    pub(crate) fn pass(&mut self, by: Duration) {
        self.settle();
        self.now = self.now + by;
        self.settle();
    }

    /// Spawns a puppet at the top.
    pub(crate) fn puppet(&mut self, name: &'static str) -> ActorRef<Order> {
        let puppet = Puppet::new(name, &self.log);
        self.kernel.spawn(puppet).expect("room for a puppet")
    }

    /// Has a puppet do something, and settles.
    pub(crate) fn have(
        &mut self,
        puppet: ActorRef<Order>,
        deed: impl FnOnce(&mut Puppet, &mut Ctx<'_, Puppet>) + Send + 'static,
    ) {
        self.kernel.tell(puppet, order(deed));
        self.settle();
    }

    /// Asks an actor to stop, and settles.
    pub(crate) fn stop(&mut self, actor: impl Into<Address>) {
        self.kernel.scope().stop(actor);
        self.settle();
    }

    /// What was logged since the last call, after settling.
    pub(crate) fn events(&mut self) -> Vec<String> {
        self.settle();
        self.log.take()
    }

    /// Dead letters by reason that are not zero.
    pub(crate) fn letters(&self) -> Vec<(DeadReason, u64)> {
        let counts = DeadReason::ALL.map(|reason| (reason, self.kernel.dead_letters(reason)));
        let total: u64 = counts.iter().map(|(_, n)| n).sum();
        assert_eq!(total, self.kernel.stats().dead_letters, "the total is the sum of all reasons");
        counts.into_iter().filter(|(_, n)| *n > 0).collect()
    }
}

impl Deref for World {
    type Target = Kernel;
    fn deref(&self) -> &Kernel {
        &self.kernel
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Kernel {
        &mut self.kernel
    }
}

/// A panic's message.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

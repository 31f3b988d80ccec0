//! A kernel that is stepped by hand.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::Duration;

use corelane_kernel::{
    Actor, ActorRef, DeadLetter, Failure, Kernel, KernelConfig, Observe, Path, Seat, Subject, Time,
};

use super::Drive;
use crate::memory::Housed;
use crate::sim::Event;
use crate::unwind::guard;

/// Bytes of the region, unless told otherwise.
const REGION: usize = 4 << 20;

/// Turns without a rest after which actors are taken for restless.
const TURNS_MAX: u32 = 1_000_000;

type Happened = Rc<RefCell<Vec<(Time, Event)>>>;

/// One kernel, stepped by hand, with a clock that only the test moves. Panics of actors are their failures, as on a shard.
///
/// It is a [`Kernel`] besides, for all that a driver may do.
///
/// ```
/// # use corelane_kernel::{Actor, Ctx, Outcome};
/// use corelane_shard::testkit::TestKernel;
/// # struct Idler;
/// # impl Actor for Idler {
/// #     type Msg = u64;
/// #     fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
/// # }
/// let mut kernel = TestKernel::new();
/// let idler = kernel.spawn(Idler);
/// kernel.tell(idler, 7);
/// kernel.settle();
/// assert_eq!(kernel.stats().handled, 1);
/// ```
pub struct TestKernel {
    kernel: Housed,
    now: Rc<Cell<Time>>,
    happened: Happened,
}

struct Observer {
    happened: Happened,
    now: Rc<Cell<Time>>,
}

impl Observer {
    fn add(&self, event: Event) {
        self.happened.borrow_mut().push((self.now.get(), event));
    }
}

impl Observe for Observer {
    fn dead_letter(&mut self, letter: &DeadLetter, _: Path<'_>) {
        let (whom, message, reason) = (letter.target.into(), letter.message, letter.reason);
        self.add(Event::DeadLetter { whom, message, reason });
    }

    fn failed(&mut self, who: &Subject<'_>, failure: &Failure) {
        let (whom, actor) = (who.address.into(), who.actor);
        self.add(Event::Failed { whom, actor, text: failure.to_string() });
    }

    fn escalated(&mut self, failure: &Failure) {
        self.add(Event::Escalated { text: failure.to_string() });
    }

    fn panicked(&mut self, failure: &Failure) {
        self.add(Event::Panicked { text: failure.to_string() });
    }
}

impl TestKernel {
    /// A kernel of 4 MiB with [`KernelConfig::default`].
    ///
    /// # Panics
    /// If the system gives no memory.
    #[expect(clippy::new_without_default, reason = "it takes memory from the system")]
    pub fn new() -> TestKernel {
        TestKernel::with(REGION, KernelConfig::default())
    }

    /// A kernel with a region of so many bytes.
    ///
    /// # Panics
    /// If the system gives no memory, or the kernel refuses its settings; the message says why.
    pub fn with(bytes: usize, config: KernelConfig) -> TestKernel {
        let seat = Seat::realm(1).ok().and_then(|mut seats| seats.next()).expect("a realm for one kernel");
        let kernel = Housed::new(bytes, config, seat, 1);
        let mut kernel = kernel.unwrap_or_else(|error| panic!("a kernel of {bytes} bytes: {error:?}"));
        let happened = Happened::default();
        let now = Rc::new(Cell::new(Time::ZERO));
        let observer = Observer { happened: happened.clone(), now: now.clone() };
        kernel.scope().observe(observer).expect("room for an observer");
        TestKernel { kernel, now, happened }
    }

    /// The virtual time. It starts at [`Time::ZERO`], and passes only where a test lets it.
    pub fn now(&self) -> Time {
        self.now.get()
    }

    /// Spawns a top-level actor.
    ///
    /// # Panics
    /// If the region is used up.
    pub fn spawn<A: Actor>(&mut self, actor: A) -> ActorRef<A::Msg> {
        self.kernel.spawn(actor).expect("room for an actor")
    }

    /// One turn. Says whether more is to be done at once.
    pub fn turn(&mut self) -> bool {
        let now = self.now.get();
        match guard(|| self.kernel.turn(now)) {
            Ok(turn) => turn.more,
            Err(mut failure) => {
                while let Err(next) = guard(|| self.kernel.recover(failure)) {
                    failure = next;
                }
                true
            }
        }
    }

    /// Turns until nothing is left to be done at this time.
    ///
    /// # Panics
    /// If that takes more than a million turns.
    pub fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            if !self.turn() {
                return;
            }
        }
        panic!("actors that do not come to rest: {:?}", *self.kernel);
    }

    /// Lets time pass, from one timer to the next: each fires at its own time.
    pub fn advance(&mut self, time: Duration) {
        self.drive(time, &mut || false);
    }

    /// What happened so far, in order: failures, dead letters, and what the test noted.
    pub fn trace(&self) -> Vec<(Time, Event)> {
        self.happened.borrow().clone()
    }

    /// Notes something in the trace.
    pub fn note(&mut self, text: impl fmt::Display) {
        self.happened.borrow_mut().push((self.now.get(), Event::Note(text.to_string())));
    }
}

impl Deref for TestKernel {
    type Target = Kernel;
    fn deref(&self) -> &Kernel {
        &self.kernel
    }
}

impl DerefMut for TestKernel {
    fn deref_mut(&mut self) -> &mut Kernel {
        &mut self.kernel
    }
}

impl Drive for TestKernel {
    fn now(&self) -> Time {
        self.now.get()
    }

    fn drive(&mut self, within: Duration, done: &mut dyn FnMut() -> bool) -> bool {
        let until = self.now.get() + within;
        loop {
            for turn in 0.. {
                assert!(turn < TURNS_MAX, "actors that do not come to rest: {:?}", *self.kernel);
                let more = self.turn();
                if done() {
                    return true;
                }
                if !more {
                    break;
                }
            }
            if self.now.get() >= until {
                return false;
            }
            let next = self.kernel.next_deadline();
            self.now.set(next.map_or(until, |at| at.clamp(self.now.get(), until)));
        }
    }

    fn spawn_from<A: Actor>(&mut self, factory: impl FnMut() -> A + Send + 'static) -> ActorRef<A::Msg> {
        self.kernel.scope().spawn_from(factory).expect("room for an actor")
    }

    fn tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        self.kernel.tell(to, message);
    }

    fn happened(&self) -> Vec<(Time, Event)> {
        self.trace()
    }
}

impl fmt::Debug for TestKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestKernel({:?}, {:?})", self.now.get(), *self.kernel)
    }
}

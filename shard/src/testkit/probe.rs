//! Probes: actors whose messages the test reads. What a test may expect of them stands in `expect.rs`.

use std::any::{Any, type_name};
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Address, Ctx, Outcome, Scope, Terminated};

use super::{Drive, PATIENCE};

/// What a probe has heard and nobody has read.
pub(super) struct Heard<M> {
    pub(super) messages: VecDeque<M>,
    pub(super) notices: VecDeque<Terminated>,
    address: Option<ActorRef<M>>,
    ignores: Option<Ignores<M>>,
    autopilot: Option<Pilot<M>>,
    /// What a panic of the autopilot said, for the test.
    panic: Option<Box<dyn Any + Send>>,
}

type Ignores<M> = Box<dyn Fn(&M) -> bool + Send>;

type Pilot<M> = Box<dyn FnMut(&M, &mut Scope<'_>) -> Autopilot + Send>;

type Inbox<M> = Arc<Mutex<Heard<M>>>;

/// Whether an [autopilot](Probe::autopilot) goes on after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autopilot {
    /// It is shown the next message as well.
    Keep,
    /// This was its last.
    Off,
}

enum Order<M> {
    Hear(M),
    Watch(Address),
    Unwatch(Address),
}

struct Ear<M> {
    inbox: Inbox<M>,
}

fn lock<M>(inbox: &Inbox<M>) -> MutexGuard<'_, Heard<M>> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<M: Send + 'static> Ear<M> {
    fn hear(&self, message: M, ctx: &mut Ctx<'_, Self>) {
        let mut heard = lock(&self.inbox);
        if heard.ignores.as_ref().is_some_and(|ignores| ignores(&message)) {
            return;
        }
        // It runs while nobody holds the lock: it may ask its probe something.
        let pilot = heard.autopilot.take();
        drop(heard);
        let flown = pilot.map(|mut pilot| {
            catch_unwind(AssertUnwindSafe(|| pilot(&message, &mut ctx.scope()))).map(|next| (next, pilot))
        });
        let mut heard = lock(&self.inbox);
        match flown {
            // One that was set meanwhile comes before it.
            Some(Ok((Autopilot::Keep, pilot))) => _ = heard.autopilot.get_or_insert(pilot),
            Some(Ok((Autopilot::Off, _))) | None => {}
            Some(Err(panic)) => heard.panic = Some(panic),
        }
        heard.messages.push_back(message);
    }
}

impl<M: Send + 'static> Actor for Ear<M> {
    type Msg = Order<M>;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let address = ctx.adapter(Order::Hear)?;
        lock(&self.inbox).address = Some(address);
        Ok(())
    }

    fn receive(&mut self, order: Order<M>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Hear(message) => self.hear(message, ctx),
            Order::Watch(whom) => ctx.watch(whom)?,
            Order::Unwatch(whom) => _ = ctx.unwatch(whom),
        }
        Ok(())
    }

    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        lock(&self.inbox).notices.push_back(gone.clone());
        Ok(())
    }
}

/// An actor whose messages the test reads, in the order in which they came. What it expects and does not get is a panic
/// that says what came instead.
///
/// Whatever waits lets virtual time pass: where a message is there already, or the next event brings it, none. What is given
/// no time waits for three seconds, or for what is left of the [block](Drive::within) around it.
///
/// ```
/// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
/// use corelane_shard::sim::Sim;
/// use corelane_shard::testkit::Probe;
/// # struct Echo;
/// # impl Actor for Echo {
/// #     type Msg = (u64, ActorRef<u64>);
/// #     fn receive(&mut self, (n, to): Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome { ctx.tell(to, n); Ok(()) }
/// # }
///
/// Sim::new(1).shards(2).run(|sim| {
///     let echo = sim.spawn_on(1, || Echo)?;
///     let probe = Probe::new(sim);
///     sim.tell(echo, (7, probe.at()));
///     assert_eq!(probe.expect(sim), 7);
///     probe.watch(sim, echo);
///     sim.stop(echo);
///     probe.expect_terminated(sim, echo);
///     Ok(())
/// })?;
/// # Ok::<(), corelane_shard::sim::SimError>(())
/// ```
pub struct Probe<M> {
    inbox: Inbox<M>,
    ear: ActorRef<Order<M>>,
    at: ActorRef<M>,
}

impl<M: Send + 'static> Probe<M> {
    /// A probe among the actors that `of` runs.
    ///
    /// # Panics
    /// If there is no room for it.
    pub fn new(of: &mut impl Drive) -> Probe<M> {
        let heard = Heard {
            messages: VecDeque::new(),
            notices: VecDeque::new(),
            address: None,
            ignores: None,
            autopilot: None,
            panic: None,
        };
        let inbox = Arc::new(Mutex::new(heard));
        let own = inbox.clone();
        let ear = of.spawn_from(move || Ear { inbox: own.clone() });
        // However little is left of a block: that is for what is expected.
        of.drive(PATIENCE, &mut || lock(&inbox).address.is_some());
        let at = lock(&inbox).address.expect("a probe that has started");
        Probe { inbox, ear, at }
    }

    /// Where to tell it something.
    pub fn at(&self) -> ActorRef<M> {
        self.at
    }

    /// The actor itself: to stop or to watch it.
    pub fn address(&self) -> Address {
        self.ear.address()
    }

    pub(super) fn heard(&self) -> MutexGuard<'_, Heard<M>> {
        lock(&self.inbox)
    }

    /// Lets time pass until what was heard is enough. Says whether it is.
    #[track_caller]
    pub(super) fn await_heard(
        &self,
        of: &mut impl Drive,
        within: Duration,
        mut enough: impl FnMut(&Heard<M>) -> bool,
    ) -> bool {
        let mut came = false;
        of.drive(within, &mut || {
            let heard = self.heard();
            came = enough(&heard);
            came || heard.panic.is_some()
        });
        let panic = self.heard().panic.take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        came
    }

    /// From now on it does not hear what `ignores` says.
    pub fn ignore(&self, ignores: impl Fn(&M) -> bool + Send + 'static) {
        self.heard().ignores = Some(Box::new(ignores));
    }

    /// From now on `pilot` is shown each message as it comes, and may answer it, in the place of the one before. The test
    /// reads the messages all the same; those that are [ignored](Probe::ignore) it is not shown.
    ///
    /// A panic of the autopilot ends it, and goes on in what the probe is to expect next.
    ///
    /// ```
    /// use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
    /// use corelane_shard::testkit::{Autopilot, Probe, TestKernel};
    ///
    /// /// Has two numbers added by somebody who can.
    /// struct Pupil { teacher: ActorRef<(u64, u64, ActorRef<u64>)>, sum: ActorRef<u64> }
    ///
    /// impl Actor for Pupil {
    ///     type Msg = (u64, u64);
    ///     fn receive(&mut self, (a, b): (u64, u64), ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         ctx.tell(self.teacher, (a, b, self.sum));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let mut kernel = TestKernel::new();
    /// let (teacher, sum) = (Probe::new(&mut kernel), Probe::new(&mut kernel));
    /// teacher.autopilot(|&(a, b, to): &(u64, u64, ActorRef<u64>), scope| {
    ///     scope.tell(to, a + b);
    ///     Autopilot::Keep
    /// });
    /// let pupil = kernel.spawn(Pupil { teacher: teacher.at(), sum: sum.at() });
    /// kernel.tell(pupil, (2, 3));
    /// assert_eq!(sum.expect(&mut kernel), 5);
    /// assert_eq!(teacher.expect(&mut kernel).0, 2);
    /// ```
    pub fn autopilot(&self, pilot: impl FnMut(&M, &mut Scope<'_>) -> Autopilot + Send + 'static) {
        self.heard().autopilot = Some(Box::new(pilot));
    }

    /// From now on nobody answers for it.
    pub fn no_autopilot(&self) {
        self.heard().autopilot = None;
    }

    /// What it has heard already, and was not read.
    pub fn take(&self) -> Vec<M> {
        self.heard().messages.drain(..).collect()
    }

    /// Has it watch an actor. What the actor is told from now on finds it watched, on the probe's own core; elsewhere the
    /// signal is on its way.
    pub fn watch(&self, of: &mut impl Drive, whom: impl Into<Address>) {
        of.tell(self.ear, Order::Watch(whom.into()));
    }

    /// Has it watch an actor no more.
    pub fn unwatch(&self, of: &mut impl Drive, whom: impl Into<Address>) {
        of.tell(self.ear, Order::Unwatch(whom.into()));
    }
}

impl<M> fmt::Debug for Probe<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe<{}>({:?})", type_name::<M>(), self.ear)
    }
}

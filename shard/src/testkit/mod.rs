//! The test kit: what tests of actors are written with. Nothing here sleeps and nothing is timed: time is virtual, on a
//! kernel that is stepped by hand ([`TestKernel`]) as well as in a [simulation](crate::sim).
//!
//! | what | for |
//! |---|---|
//! | [`TestKernel`] | one kernel, stepped by hand, with a clock that only the test moves |
//! | [`Probe`] | an actor whose messages and notices the test reads, typed: `expect`, `expect_no`, `fish`, `watch`, `autopilot` … |
//! | [`Drive::within`] | a block of expectations that takes so much virtual time, and no more |
//! | [`Filter`] | so many failures or dead letters of a kind, no more and no less, while something is done |
//! | [`Drive`] | what probes and filters need of whatever runs the actors |
//!
//! ```
//! use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
//! use corelane_shard::testkit::{Probe, TestKernel};
//! use std::time::Duration;
//!
//! /// Tells somebody the time of day, once a minute.
//! struct Bell { listener: ActorRef<&'static str> }
//!
//! impl Actor for Bell {
//!     type Msg = ();
//!     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         ctx.set_periodic("minute", Duration::from_secs(60), ())?;
//!         Ok(())
//!     }
//!     fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         ctx.tell(self.listener, "ding");
//!         Ok(())
//!     }
//! }
//!
//! let mut kernel = TestKernel::new();
//! let probe = Probe::new(&mut kernel);
//! kernel.spawn(Bell { listener: probe.at() });
//! probe.expect_no(&mut kernel, Duration::from_secs(59));
//! assert_eq!(probe.expect(&mut kernel), "ding");
//! ```

mod expect;
mod filter;
mod kernel;
mod probe;
mod within;

use std::ops::RangeBounds;
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Time};

pub use self::expect::{Fish, Gather};
pub use self::filter::Filter;
pub use self::kernel::TestKernel;
pub use self::probe::{Autopilot, Probe};
pub use self::within::Within;
use crate::sim::{Event, Simulation};

/// How long what is given no time waits for what it expects, in virtual time.
const PATIENCE: Duration = Duration::from_secs(3);

/// What runs the actors of a test, and lets time pass for them.
pub trait Drive {
    /// The virtual time.
    fn now(&self) -> Time;

    /// Goes on until `done`, at most for `within`. Says whether it is done.
    fn drive(&mut self, within: Duration, done: &mut dyn FnMut() -> bool) -> bool;

    /// Spawns a top-level actor from a factory; in a simulation on shard 0.
    ///
    /// # Panics
    /// If there is no room for it.
    fn spawn_from<A: Actor>(&mut self, factory: impl FnMut() -> A + Send + 'static) -> ActorRef<A::Msg>;

    /// Tells an actor, which handles it when time passes next: in [`drive`](Drive::drive), or while a probe expects
    /// something. What is refused is a dead letter; a [`Simulation`] drops it.
    fn tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M);

    /// What happened so far: failures, dead letters, notes.
    fn happened(&self) -> Vec<(Time, Event)>;

    /// How much time is left of the [block](Drive::within) that this is, if it is one whose time has an end.
    fn left(&self) -> Option<Duration> {
        None
    }

    /// How long an expectation waits that is given no time: what is left of the block, or else three seconds.
    fn patience(&self) -> Duration {
        self.left().unwrap_or(PATIENCE)
    }

    /// Does something that is to take a time within these bounds, in virtual time, and gives what that gave.
    ///
    /// What is expected inside without a time of its own, by whatever probe, waits as long as the block has left; what is
    /// given a time waits for that, and the block fails in its end if this was too much. Blocks may stand in each other:
    /// none lasts longer than the one around it.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
    /// use corelane_shard::testkit::{Drive, Probe, TestKernel};
    /// use std::time::Duration;
    /// # struct Kettle { whistle: ActorRef<&'static str> }
    /// # impl Actor for Kettle {
    /// #     type Msg = &'static str;
    /// #     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
    /// #         ctx.set_timer("hot", Duration::from_secs(90), "hot")?;
    /// #         ctx.set_timer("boils", Duration::from_secs(100), "boils")?;
    /// #         Ok(())
    /// #     }
    /// #     fn receive(&mut self, what: &'static str, ctx: &mut Ctx<'_, Self>) -> Outcome {
    /// #         ctx.tell(self.whistle, what);
    /// #         Ok(())
    /// #     }
    /// # }
    ///
    /// const fn secs(secs: u64) -> Duration { Duration::from_secs(secs) }
    ///
    /// let mut kernel = TestKernel::new();
    /// let probe = Probe::new(&mut kernel);
    /// let whistle = probe.at();
    /// kernel.within(secs(99)..=secs(101), |kernel| {
    ///     kernel.spawn(Kettle { whistle });
    ///     assert_eq!(probe.expect(kernel), "hot");
    ///     kernel.within(..=secs(11), |kernel| assert_eq!(probe.expect(kernel), "boils"));
    /// });
    /// ```
    ///
    /// # Panics
    /// If it takes longer, or less, or if the block around it has less left than the least that this is to take.
    #[track_caller]
    fn within<T>(
        &mut self,
        time: impl RangeBounds<Duration>,
        story: impl FnOnce(&mut Within<'_, Self>) -> T,
    ) -> T
    where
        Self: Sized,
    {
        within::within(self, time, story)
    }

    /// Goes on until a condition holds.
    ///
    /// # Panics
    /// If it does not within [`Drive::patience`].
    #[track_caller]
    fn await_that(&mut self, mut condition: impl FnMut() -> bool) {
        let within = self.patience();
        assert!(
            self.drive(within, &mut condition),
            "what is waited for did not come about within {within:?}"
        );
    }
}

impl Drive for Simulation {
    fn now(&self) -> Time {
        Simulation::now(self)
    }

    fn drive(&mut self, within: Duration, done: &mut dyn FnMut() -> bool) -> bool {
        self.run_until(within, done)
    }

    fn spawn_from<A: Actor>(&mut self, factory: impl FnMut() -> A + Send + 'static) -> ActorRef<A::Msg> {
        self.spawn_on(0, factory).expect("room for an actor on shard 0")
    }

    fn tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        Simulation::tell(self, to, message);
    }

    fn happened(&self) -> Vec<(Time, Event)> {
        self.events()
    }
}

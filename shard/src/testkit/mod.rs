//! The test kit: what tests of actors are written with. Nothing here sleeps and nothing is timed: time is virtual, on a
//! kernel that is stepped by hand ([`TestKernel`]) as well as in a [simulation](crate::sim).
//!
//! | what | for |
//! |---|---|
//! | [`TestKernel`] | one kernel, stepped by hand, with a clock that only the test moves |
//! | [`Probe`] | an actor whose messages and notices the test reads, typed: `expect`, `expect_no`, `fish`, `watch` … |
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

mod filter;
mod kernel;
mod probe;

use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Time};

pub use self::filter::Filter;
pub use self::kernel::TestKernel;
pub use self::probe::{Fish, Probe};
use crate::sim::{Event, Simulation};

/// What runs the actors of a test, and lets time pass for them.
pub trait Drive {
    /// The time.
    fn now(&self) -> Time;

    /// Goes on until `done`, at most for `within`. Says whether it is done.
    fn drive(&mut self, within: Duration, done: &mut dyn FnMut() -> bool) -> bool;

    /// Spawns a top-level actor.
    ///
    /// # Panics
    /// If there is no room for it.
    fn place<A: Actor>(&mut self, factory: impl FnMut() -> A + Send + 'static) -> ActorRef<A::Msg>;

    /// Tells an actor.
    fn hand<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M);

    /// What happened so far: failures, dead letters, notes.
    fn happened(&self) -> Vec<(Time, Event)>;
}

impl Drive for Simulation {
    fn now(&self) -> Time {
        Simulation::now(self)
    }

    fn drive(&mut self, within: Duration, done: &mut dyn FnMut() -> bool) -> bool {
        self.run_until(within, done)
    }

    fn place<A: Actor>(&mut self, factory: impl FnMut() -> A + Send + 'static) -> ActorRef<A::Msg> {
        self.spawn_on(0, factory).expect("room for an actor on shard 0")
    }

    fn hand<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        self.tell(to, message);
    }

    fn happened(&self) -> Vec<(Time, Event)> {
        self.events()
    }
}

//! The simulator: a whole system of several shards in one thread, on a virtual clock, everything drawn from one seed.
//!
//! The code that runs is the code that always runs: the shards' loop, the kernels, lanes, wake-ups, futures, gateways, the
//! end of a system. Only what lies around is replaced: who runs a shard when, what the clock says, when what one shard
//! published is seen by another, and how long blocking work takes. All of that is drawn: the order of shards, delays on
//! lanes, budgets, sizes of lanes (so that they spill), stalls, jumps of the clock, panics ([`Chaos`]). The same seed does
//! the same, byte for byte, and [`Trace::hash`] says so.
//!
//! ```
//! use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo};
//! use corelane_shard::ShardCtx;
//! use corelane_shard::sim::Sim;
//! use std::time::Duration;
//!
//! enum Msg { Load(u64, ReplyTo<u64>), Loaded(u64, ReplyTo<u64>) }
//!
//! /// Asks a slow disk, without holding up its shard.
//! struct Store;
//!
//! impl Actor for Store {
//!     type Msg = Msg;
//!     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         match msg {
//!             Msg::Load(key, reply) => {
//!                 ctx.offload(move || key * 10, move |value| Msg::Loaded(value.unwrap_or(0), reply))?;
//!             }
//!             Msg::Loaded(value, reply) => ctx.tell(reply, value),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let run = |seed| {
//!     Sim::new(seed).shards(3).run(|sim| {
//!         let store = sim.spawn_on(2, || Store)?;
//!         let answer = sim.ask(store, Duration::from_secs(5), |reply| Msg::Load(7, reply))?;
//!         assert_eq!(answer, 70);
//!         Ok(())
//!     })
//! };
//! assert_eq!(run(1)?.hash, run(1)?.hash);
//! assert_ne!(run(1)?.hash, run(2)?.hash);
//! # Ok::<(), corelane_shard::sim::SimError>(())
//! ```
//!
//! # What a program must do for it
//!
//! Nothing, if it takes time and chance from its context: `Ctx::now`, timers, messages. What it asks the process for
//! (`Instant::now`, threads of its own, hash maps with random keys whose order it shows) the simulator does not see.
//! A simulated [`Handle`](crate::Handle) and [`Gateway`](crate::Gateway) work as ever, on the thread of the simulation and as long as it
//! runs: where they block, the simulation goes on.
//!
//! # Further worlds
//!
//! A simulation is made of worlds ([`World`]): the shards, the blocking pool, and what is added: a network, a disk, a
//! second system's users. Further systems are started as on hosts of their own ([`Host`]), and crash.
//!
//! # Reading order
//!
//! `dice`, `options`, `trace` (chance, and what came of it) → `world`, `stage` (what a simulation is made of) → `shards`,
//! `jobs` (the worlds of a system) → [`Host`] → [`Simulation`] → [`rules`] (what must hold, whatever happens) → [`random`] (a system
//! that does everything at random, watched by the rules).

mod chaos;
mod dice;
mod host;
mod jobs;
mod observer;
mod options;
pub mod random;
pub mod rules;

mod shards;
mod simulation;
pub(crate) mod stage;
mod trace;
mod world;

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub use self::chaos::Chaos;
pub use self::dice::Dice;
pub use self::host::{Host, HostPlan};
pub use self::options::Options;
pub use self::simulation::Simulation;
pub use self::trace::{Event, Fault, Faults, Trace, Whom};
pub use self::world::{Moment, World};
use crate::error::{BoxError, StartError};
use crate::extensions::{Extension, Loading, Plan};

/// A simulation to be: a seed, how many shards, and what may happen.
#[derive(Clone, Debug)]
#[must_use = "a simulation does nothing until `run` is called"]
pub struct Sim {
    seed: u64,
    shards: usize,
    options: Options,
    extensions: Plan,
}

/// Why a simulation did not come to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum SimError {
    /// Its system could not be made with these options.
    Start(StartError),
    /// What ran in it returned an error.
    Failed {
        /// The seed that makes it happen again.
        seed: u64,
        /// The error.
        error: Box<dyn Error>,
    },
}

impl fmt::Display for SimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SimError::Start(error) => error.fmt(f),
            SimError::Failed { seed, error } => write!(f, "the simulation of seed {seed} failed: {error}"),
        }
    }
}

impl Error for SimError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SimError::Start(error) => Some(error),
            SimError::Failed { error, .. } => Some(&**error),
        }
    }
}

impl Sim {
    /// A simulation of two shards that is drawn from a seed, with [`Options::default`].
    pub fn new(seed: u64) -> Sim {
        Sim { seed, shards: 2, options: Options::default(), extensions: Plan::default() }
    }

    /// How many shards its system has: from 1 to [`SHARDS_MAX`](corelane_kernel::limits::SHARDS_MAX); two unless
    /// set.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// What may happen, and how often; [`Options::default`] unless set.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Loads an extension, as [`Builder::extension`](crate::Builder::extension) does.
    pub fn extension<X: Extension>(
        mut self,
        make: impl Fn(&Loading<'_>) -> Result<X, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.extensions.want(make);
        self
    }

    /// Runs `story` in a simulated system, which is then shut down in order, and gives what happened.
    ///
    /// # Errors
    /// [`SimError`]: the options make no system, or the story returned an error.
    ///
    /// # Panics
    /// With what the story panics with, after a line on standard error that names the seed.
    pub fn run(
        self,
        story: impl FnOnce(&mut Simulation) -> Result<(), Box<dyn Error>>,
    ) -> Result<Trace, SimError> {
        let seed = self.seed;
        let simulation = Simulation::start(seed, self.shards, self.options, &self.extensions);
        let mut simulation = simulation.map_err(SimError::Start)?;
        match catch_unwind(AssertUnwindSafe(|| story(&mut simulation).map(|()| simulation.finish()))) {
            Ok(Ok(trace)) => Ok(trace),
            Ok(Err(error)) => Err(SimError::Failed { seed, error }),
            Err(panic) => {
                eprintln!("the simulation of seed {seed} failed; Sim::new({seed}) makes it happen again");
                drop(simulation);
                resume_unwind(panic)
            }
        }
    }
}

/// Adds a world to this thread's simulation; gives it back where there is none. For what an [extension](crate::Extension) brings
/// along.
///
/// # Errors
/// The world.
pub fn add_world<W: World + 'static>(world: W) -> Result<(), W> {
    match stage::try_current() {
        Some(stage) => {
            stage.add_world(Box::new(world));
            Ok(())
        }
        None => Err(world),
    }
}

/// Notes something in the trace of this thread's simulation; does nothing where there is none.
pub fn note(text: impl fmt::Display) {
    if let Some(stage) = stage::try_current() {
        stage.add(Event::Note(text.to_string()));
    }
}

//! Random clusters: two to four hosts whose actors tell, ask, watch, stop and look up each other and have children on each
//! other's hosts at random, in a network that delays, loses and cuts, while processes pause and crash, hosts lose their power,
//! leave in order and come back. What `corelane sim --hosts` runs, seed after seed.
//!
//! A seed decides all of it: `weather` what may go wrong and what is small, `story` what happens from outside, `ambush` which
//! faults follow right after something was sent, so that they fall between a signal and its acknowledgement. `rules` has what
//! must hold, whatever happens: order for each pair and at most once, no message for another life, one notice for each watch and
//! only for a reason, one outcome for each question, look-up and birth, each decision about a child's failure made and done once,
//! no child without its parent, nothing lost where nothing was wrong; and when all is well again, everybody reaches everybody,
//! and what was taken is given back. `message`, `resident`, `habits` and `clerk` are the actors, `books` what they and the
//! rules share.
//!
//! ```
//! use corelane_net::sim::random::RandomCluster;
//!
//! let outcome = RandomCluster::new(7).run()?;
//! assert!(outcome.broken.is_none());
//! assert_eq!(outcome.trace.hash, RandomCluster::new(7).run()?.trace.hash);
//! # Ok::<(), corelane_shard::sim::SimError>(())
//! ```

mod ambush;
mod books;
mod clerk;
mod habits;
mod message;
mod resident;
mod rules;
mod story;
mod tally;
mod weather;

use std::fmt;

use corelane_shard::sim::{Dice, Options, Sim, SimError, Trace};

use self::books::Books;
pub use self::rules::Broken;
use self::story::World;
pub use self::tally::Tally;
use self::weather::{Weather, draw};

/// Things that actors do of their own accord in one world, at most.
const ACTS: u32 = 1200;

/// A random cluster to be.
#[derive(Clone, Debug)]
#[must_use = "a world does nothing until it is run"]
pub struct RandomCluster {
    seed: u64,
    faulty: bool,
    record: bool,
}

/// How a random cluster ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What happened.
    pub trace: Trace,
    /// The first rule that was broken.
    pub broken: Option<Broken>,
    /// How many of the trace's events had happened by then, if these are kept.
    pub broken_after: Option<usize>,
    /// How much happened, by kind.
    pub tally: Tally,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.broken {
            None => write!(f, "seed {}: every rule holds", self.trace.seed),
            Some(broken) => write!(f, "seed {}: {broken}", self.trace.seed),
        }
    }
}

impl RandomCluster {
    /// The cluster of a seed.
    pub const fn new(seed: u64) -> RandomCluster {
        RandomCluster { seed, faulty: false, record: false }
    }

    /// With books that are wrong now and then: to see that somebody notices.
    pub const fn faulty(mut self) -> RandomCluster {
        self.faulty = true;
        self
    }

    /// Keep the trace's events, and not only their hash.
    pub const fn record(mut self) -> RandomCluster {
        self.record = true;
        self
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`SimError`] when no such world could be made, or something in its story failed. A rule that is broken is no error
    /// but an [`Outcome`].
    pub fn run(self) -> Result<Outcome, SimError> {
        let mut dice = Dice::new(self.seed).fork();
        let options = Options { record: self.record, ..draw(&mut dice) };
        let weather = Weather::draw(&mut dice, &options);
        let books = Books::new(dice.fork(), ACTS, weather.limits, weather.ambush_one_in, self.faulty);
        let (kept, seed) = (books.clone(), self.seed);
        let trace = Sim::new(seed)
            .shards(1)
            .options(options)
            .run(move |sim| World::found(sim, seed, kept, weather, &mut dice)?.live(sim, &mut dice))?;
        if let Some(text) = trace.failures.keys().find(|text| !text.ends_with("on purpose")) {
            books.break_rule("nothing fails but on purpose", text.clone());
        }
        let (tally, first) = books.close();
        let (broken, broken_after) = (first.broken().cloned(), first.after());
        Ok(Outcome { trace, broken, broken_after, tally })
    }
}

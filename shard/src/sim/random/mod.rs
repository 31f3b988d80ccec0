//! Random worlds: a system whose actors do everything that actors can do, at random, in a simulation where everything goes
//! wrong, watched by the [rules](super::rules). What `corelane sim` runs, seed after seed.
//!
//! A seed decides all of it: how many shards, how small their lanes, what goes wrong how often, and what each actor does.
//! `town` keeps the books; `dweller`, `clockwork` and `foreman` are the actors (plain ones, state machines, owners of pools),
//! `habits` what all of them do, `parenting` how they look after their children, `message` what they are told; the story
//! is here. Many a world ends in the middle of things: somebody asks for it, or a failure is escalated past the top. In some
//! worlds shards are lost on the way, in some their memory is used up.
//!
//! ```
//! use corelane_shard::sim::random::RandomWorld;
//!
//! let world = RandomWorld::new(7);
//! let outcome = world.clone().run()?;
//! assert!(outcome.broken.is_none());
//! assert_eq!(outcome.trace.hash, world.clone().run()?.trace.hash);
//! # Ok::<(), corelane_shard::sim::SimError>(())
//! ```

mod clockwork;
mod dweller;
mod foreman;
mod habits;
mod message;
mod parenting;
mod town;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use corelane_kernel::{ActorRef, Scope, TellError};

use self::habits::spawn_at_top;
use self::message::{Msg, Token};
use self::town::{Person, Town};
use super::rules::{Act, Broken, Lack, OUTSIDE};
use super::stage::News;
use super::{Dice, Options, Sim, SimError, Simulation, Trace};
use crate::error::{CallError, GatewayAskError};
use crate::report::Report;

/// Messages that are told in one world, at most.
const MESSAGES: u32 = 3000;
/// Actors that live at one time, about.
const POPULATION: u32 = 120;

/// A random world to be.
#[derive(Clone, Debug)]
#[must_use = "a world does nothing until it is run"]
pub struct RandomWorld {
    seed: u64,
    faulty: bool,
    record: bool,
}

/// How a random world ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What happened.
    pub trace: Trace,
    /// The first rule that was broken.
    pub broken: Option<Broken>,
    /// How many of the trace's events had happened by then, if these are kept.
    pub broken_after: Option<usize>,
}

impl RandomWorld {
    /// The world of a seed.
    pub const fn new(seed: u64) -> RandomWorld {
        RandomWorld { seed, faulty: false, record: false }
    }

    /// With actors that say now and then that they handled a message twice: to see that somebody notices.
    pub const fn faulty(mut self) -> RandomWorld {
        self.faulty = true;
        self
    }

    /// Keep the trace's events, and not only their hash.
    pub const fn record(mut self) -> RandomWorld {
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
        let shards = 1 + dice.index(4);
        let options = Options { record: self.record, ..draw(&mut dice) };
        let town = Town::new(dice.fork(), self.faulty, MESSAGES, POPULATION);
        let (told, _here) = (town.clone(), town.settle());
        let trace = Sim::new(self.seed)
            .shards(shards)
            .options(options)
            .run(move |sim| tell(sim, &told, shards, &mut dice))?;
        let report = &trace.report;
        if report.escalated.is_some() != town.is_escalated() {
            town.broken("a system says which failure it ended with", format!("{report}"));
        }
        // Jobs that nobody has begun when all actors are gone are given up, and counted.
        let in_order = Report { escalated: None, jobs_left: 0, unfinished: Vec::new(), ..report.clone() };
        if !in_order.is_clean() || report.unfinished != town.lost() {
            town.broken("a system ends in order", format!("{report}"));
        }
        let wants = ["the kernel's region", "the region had no room"];
        let wants = |text: &str| wants.iter().any(|want| text.contains(want)) && !town.has_plenty();
        let on_purpose = |text: &&String| text.ends_with(": on purpose") || wants(text);
        if let Some(text) = trace.failures.keys().find(|text| !on_purpose(text)) {
            town.broken("nothing fails but on purpose", text.clone());
        }
        town.check(|rules| rules.at_end());
        let (broken, broken_after) = town.verdict();
        Ok(Outcome { trace, broken, broken_after })
    }
}

/// What may happen in a world.
fn draw(dice: &mut Dice) -> Options {
    let mut often = |one_in: u32| [0, one_in, one_in / 4][dice.index(3)];
    let mut options = Options {
        stall_one_in: often(400),
        clock_jump_one_in: often(2000),
        clock_back_one_in: often(400),
        panic_one_in: often(400),
        ..Options::default()
    };
    let many = 1 << (3 * dice.below(4));
    options.budgets = 1..=many;
    options.lane_words = [64, 128, 256, 4096].map(|words| words..=words)[dice.index(4)].clone();
    options.lane_time = Duration::ZERO..=Duration::from_micros([1, 20, 500, 5000][dice.index(4)]);
    options.step_time = Duration::from_nanos(100)..=Duration::from_micros([2, 20, 200][dice.index(3)]);
    options.generations = [None, None, Some(0), Some(1 + dice.below(20) as u32)][dice.index(4)];
    // In a few it is used up.
    options.region_bytes = [2048, 2048, 2048, 2048, 2048, 64, 128, 256][dice.index(8)] << 10;
    options.supervision = parenting::of_kernels(dice.index(parenting::KINDS));
    options.shutdown_one_in = [0, 0, 0, 4000][dice.index(4)];
    options.shard_loss_one_in = [0, 0, 0, 0, 0, 4000][dice.index(6)];
    options.events_max = 3_000_000;
    options
}

/// What a system at rest without actors must have in use: as much as when it was new.
fn holdings(scope: &mut Scope<'_>) -> [u32; 3] {
    let holdings = scope.holdings();
    [holdings.cells, holdings.parcels, holdings.records]
}

/// The story of a world, which ends at once where the system is asked to end.
fn tell(sim: &mut Simulation, town: &Town, shards: usize, dice: &mut Dice) -> Result<(), Box<dyn Error>> {
    match live(sim, town, shards, dice) {
        Err(error) if !sim.is_asked_to_end() => Err(error),
        _ => {
            town.end();
            Ok(())
        }
    }
}

/// The story of a world that goes on to its end: some who live there at first, some rounds of messages from outside, and the end of all.
fn live(sim: &mut Simulation, town: &Town, shards: usize, dice: &mut Dice) -> Result<(), Box<dyn Error>> {
    let books = town.clone();
    sim.on_news(move |news| match news {
        News::Lost { shard } => books.see(Act::Lost { shard }),
        News::OutOfMemory { shard } => books.is_out_of_memory(shard),
        News::GivenUp { whom } => books.see(Act::Lacks { id: books.child_at(whom), what: Lack::Restart }),
    });
    let mut at_first = Vec::new();
    for shard in 0..shards {
        at_first.push(call(sim, shard, holdings)?);
    }
    for _ in 0..4 + dice.index(12) {
        let (shard, at) = (dice.index(shards), town.clone());
        let id = town.expect(OUTSIDE, shard);
        match call(sim, shard, move |scope| spawn_at_top(scope, &at, id))? {
            Some(Ok(at)) => town.enter(Person { id, at }),
            Some(Err(error)) if !town.is_short(shard) => return Err(error.into()),
            _ => {}
        }
    }
    for _ in 0..3 + dice.index(8) {
        for _ in 0..1 + dice.index(80) {
            if sim.is_asked_to_end() {
                return Ok(());
            }
            let Some(person) = town.somebody() else { break };
            say(sim, town, person);
            if dice.one_in(20) {
                // Another way in, that is closed again.
                let mut gateway = sim.system().gateway()?;
                let question = |reply| Msg::Count(reply);
                let answer = gateway.ask_future(person.at, Duration::from_millis(50), question);
                drop(gateway);
                // That nobody answers in time is an answer as well; that nobody can be asked is none.
                let unasked = dice.one_in(2) && sim.block_on(answer) == Err(GatewayAskError::Unreachable);
                let shard = person.at.place().shard();
                if unasked && !sim.is_asked_to_end() && !sim.is_lost(shard) && !town.is_short(shard) {
                    let what = "a gateway's question is not asked".to_owned();
                    town.broken("what was told before a gateway is dropped is delivered", what);
                }
            }
            if dice.one_in(10) {
                sim.run_for(Duration::from_micros(dice.below(500)));
            }
            if dice.one_in(30) {
                town.see(Act::StopAsked { id: person.id, by: OUTSIDE });
                sim.stop(person.at);
            }
        }
        rest(sim, town);
        sim.run_for(Duration::from_micros(dice.below(100_000)));
        rest(sim, town);
    }
    sim.run_for(Duration::from_millis(200));
    town.see(Act::StopAsked { id: OUTSIDE, by: OUTSIDE });
    // Again for those that were on their way to another shard.
    let mut living = u64::MAX;
    while living > 0 {
        living = 0;
        for shard in 0..shards {
            call(sim, shard, |scope| scope.stop_all())?;
        }
        sim.run_until_idle();
        for shard in 0..shards {
            living += call(sim, shard, |scope| scope.stats().actors)?.unwrap_or(0);
        }
    }
    rest(sim, town);
    if town.lost().is_empty() {
        town.check(|rules| rules.at_end());
    }
    for (shard, before) in at_first.into_iter().enumerate() {
        let after = call(sim, shard, holdings)?;
        if after.is_some() && before != after {
            town.broken(
                "what was taken is given back",
                format!("shard {shard} has {after:?} cells, parcels, records, and {before:?} at first"),
            );
        }
    }
    Ok(())
}

/// Runs a closure on a shard, unless that is lost.
fn call<T: Send + 'static>(
    sim: &mut Simulation,
    shard: usize,
    call: impl FnOnce(&mut Scope<'_>) -> T + Send + 'static,
) -> Result<Option<T>, CallError> {
    match sim.call(shard, call) {
        Ok(done) => Ok(Some(done)),
        Err(CallError::ShardLost) if sim.is_lost(shard) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells somebody something from outside.
fn say(sim: &mut Simulation, town: &Town, person: Person) {
    let token = Token::new(town, OUTSIDE, person.id);
    let refused = sim.try_tell(person.at, Msg::Talk(token)).map_err(TellError::into_inner);
    if let Err(Msg::Talk(token)) = refused {
        token.refused();
    }
}

/// Lets everything arrive, and sees whether it did.
fn rest(sim: &mut Simulation, town: &Town) {
    sim.run_until_idle();
    if !sim.is_asked_to_end() {
        town.check(|rules| rules.at_rest(sim.now()));
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.broken {
            None => write!(f, "seed {}: every rule holds", self.trace.seed),
            Some(broken) => write!(f, "seed {}: {broken}", self.trace.seed),
        }
    }
}

/// Where somebody lives.
type Where = ActorRef<Msg>;

/// What an act adds to the trace's hash.
fn digest(act: &Act) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = super::trace::Digest::new();
    act.hash(&mut hasher);
    hasher.finish()
}

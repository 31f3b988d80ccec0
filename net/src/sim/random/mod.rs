//! Random clusters: two to four hosts whose actors tell, ask, watch, stop and look up each other at random, in a network that
//! delays, loses and cuts, while processes crash, hosts lose their power, leave in order and come back. What `corelane sim
//! --hosts` runs, seed after seed.
//!
//! A seed decides all of it. `books` has what must hold: order for each pair and at most once, no message for another life,
//! one notice for each watch and only of what has ended or was given up for a reason, one outcome for each question and look-up
//! by its deadline, nothing lost between hosts where nothing was wrong; and when all is well again, everybody reaches everybody,
//! and what was taken is given back. `message` and `resident` are the actors; the story is here.
//!
//! ```
//! use corelane_net::sim::random::RandomCluster;
//!
//! let outcome = RandomCluster::new(7).run()?;
//! assert!(outcome.broken.is_none());
//! assert_eq!(outcome.trace.hash, RandomCluster::new(7).run()?.trace.hash);
//! # Ok::<(), corelane_shard::sim::SimError>(())
//! ```

mod books;
mod message;
mod resident;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use corelane_kernel::{Scope, Strategy};
use corelane_shard::On;
use corelane_shard::sim::{Dice, Event, Host, Options, Sim, SimError, Simulation, Trace};

use self::books::{Books, Life};
pub use self::books::{Broken, Tally};
use self::message::Msg;
use self::resident::{Resident, SYSTEM};
use super::{Cluster, Network, NetworkOptions};
use crate::codec::Registry;
use crate::endpoint::{Endpoint, EndpointConfig};
use crate::link::LinkConfig;
use crate::liveness::LivenessConfig;

/// Things that actors do of their own accord in one world, at most.
const ACTS: u32 = 1200;
/// Actors that are spawned in one life of a host at first, about.
const POPULATION: usize = 6;
/// Heartbeats of links.
const HEARTBEAT: Duration = Duration::from_millis(400);
/// How long a peer may be silent.
const PAUSE: Duration = Duration::from_secs(3);

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
        let plan = Weather::draw(&mut dice);
        let disturbed = plan.network.reset_one_in > 0 || options.clock_jump_one_in > 0;
        let books = Books::new(dice.fork(), ACTS, disturbed, self.faulty);
        let (kept, seed) = (books.clone(), self.seed);
        let trace = Sim::new(seed)
            .shards(1)
            .options(options)
            .run(move |sim| World::found(sim, seed, kept, plan, &mut dice)?.live(sim, &mut dice))?;
        if let Some(text) = trace.failures.keys().find(|text| !text.ends_with("on purpose")) {
            books.break_rule("nothing fails but on purpose", text.clone());
        }
        let (tally, broken) = books.close();
        let broken_after = trace
            .events
            .iter()
            .position(|(_, event)| matches!(event, Event::Note(text) if text.starts_with(books::BROKEN)));
        Ok(Outcome { trace, broken, broken_after, tally })
    }
}

/// What shards may do.
fn draw(dice: &mut Dice) -> Options {
    let mut often = |one_in: u32| [0, 0, one_in][dice.index(3)];
    let mut options = Options {
        stall_one_in: often(400),
        clock_jump_one_in: often(4000),
        clock_back_one_in: often(400),
        ..Options::calm()
    };
    options.clock_back = Duration::from_micros(1)..=Duration::from_millis(5);
    options.stall_time = Duration::from_micros(100)..=Duration::from_millis(20);
    options.clock_jump = Duration::from_millis(1)..=Duration::from_secs(2);
    options.lane_words = 256..=4096;
    options.budgets = 1..=64;
    options.lane_time = Duration::ZERO..=Duration::from_micros([1, 200][dice.index(2)]);
    options.step_time = Duration::from_micros(1)..=Duration::from_micros([3, 50][dice.index(2)]);
    options.region_bytes = 2 << 20;
    options.supervision = Strategy::stopping();
    options.events_max = 3_000_000;
    options
}

/// What may go wrong between hosts.
#[derive(Clone, Debug)]
struct Weather {
    network: NetworkOptions,
    /// Rounds, after one of which each kind of fault comes.
    fault_one_in: u32,
    crash_one_in: u32,
}

impl Weather {
    fn draw(dice: &mut Dice) -> Weather {
        let network = NetworkOptions {
            delay: Duration::from_micros(20)..Duration::from_micros([100, 2000, 50_000][dice.index(3)]),
            window: [3000, 20_000, 64 << 10][dice.index(3)],
            reset_one_in: [0, 0, 0, 40, 400][dice.index(5)],
            lose_one_in: [0, 0, 20, 200][dice.index(4)],
            retransmit: Duration::from_millis(50)..Duration::from_millis(300),
            ..NetworkOptions::default()
        };
        Weather { network, fault_one_in: [0, 6, 2][dice.index(3)], crash_one_in: [0, 10, 4][dice.index(3)] }
    }
}

/// A host that runs.
struct Place {
    host: Host,
    life: Life,
    /// What each shard's kernel had in use when it was new.
    at_first: Vec<[u32; 3]>,
}

/// The cluster.
struct World {
    books: Books,
    cluster: Cluster,
    network: Network,
    weather: Weather,
    /// Some way is cut.
    cut: bool,
    /// By the host's number, from 1 on: how many shards it has, and its present life.
    places: Vec<(usize, Option<Place>)>,
}

/// What a kernel without actors must have in use: as much as when it was new.
fn holdings(scope: &mut Scope<'_>) -> [u32; 3] {
    let holdings = scope.holdings();
    [holdings.cells, holdings.parcels, holdings.records]
}

type Told = Result<(), Box<dyn Error>>;

impl World {
    fn found(
        sim: &mut Simulation,
        seed: u64,
        books: Books,
        weather: Weather,
        dice: &mut Dice,
    ) -> Result<World, Box<dyn Error>> {
        let mut cluster = Cluster::new(seed);
        cluster.endpoint = EndpointConfig {
            system: SYSTEM.to_owned(),
            link: LinkConfig {
                heartbeat: HEARTBEAT,
                liveness: LivenessConfig { pause: PAUSE, first: HEARTBEAT, ..LivenessConfig::default() },
                handshake: Duration::from_secs(2),
                redial_first: Duration::from_millis(20),
                redial_max: Duration::from_millis(500),
                chunk: [1024, 16 << 10][dice.index(2)],
                streams_max: 1 + dice.index(4),
                credit_bytes: [64 << 10, 4 << 20][dice.index(2)],
                credit_messages: [2, 50, 1 << 16][dice.index(3)],
                ..LinkConfig::default()
            },
            pending_bytes: [2000, 4 << 20][dice.index(2)],
            ..cluster.endpoint
        };
        let network = cluster.network();
        network.set_options(weather.network.clone());
        let places = (0..2 + dice.index(3)).map(|_| (1 + dice.index(2), None)).collect();
        let mut world = World { books, cluster, network, weather, cut: false, places };
        for host in 1..=world.places.len() {
            world.begin(sim, host as u8, dice)?;
        }
        Ok(world)
    }

    fn numbers(&self) -> impl Iterator<Item = u8> + use<> {
        1..=self.places.len() as u8
    }

    fn place(&mut self, host: u8) -> &mut Option<Place> {
        &mut self.places[usize::from(host) - 1].1
    }

    /// A host begins a new life.
    fn begin(&mut self, sim: &mut Simulation, host: u8, dice: &mut Dice) -> Told {
        let mut registry = Registry::new();
        registry.register::<Msg>()?;
        let shards = self.places[usize::from(host) - 1].0;
        let mut started = sim.start_host(self.cluster.plan(host, shards, registry))?;
        let life = self.books.begin_life(host);
        if self.cut {
            self.books.disturb_all(life);
        }
        let mut at_first = Vec::new();
        for shard in 0..shards {
            at_first.push(started.call(shard, holdings)?);
        }
        for shard in 0..shards {
            self.settle(&started, life, shard, true)?;
        }
        for _ in 0..1 + dice.index(POPULATION) {
            self.settle(&started, life, dice.index(shards), false)?;
        }
        *self.place(host) = Some(Place { host: started, life, at_first });
        Ok(())
    }

    /// Somebody is born.
    fn settle(&self, host: &Host, life: Life, shard: usize, is_anchor: bool) -> Told {
        let id = self.books.be_born(life, shard, is_anchor);
        let name = if is_anchor { resident::anchor(shard) } else { resident::name(id) };
        let books = self.books.clone();
        let make = move || Resident::new(&books, id, is_anchor);
        let at = host.system().spawn_named(On::Shard(shard), &name, make)?;
        self.books.settle(id, at);
        Ok(())
    }

    /// The story: some rounds of acts and faults, then rest, then the end of all.
    fn live(mut self, sim: &mut Simulation, dice: &mut Dice) -> Told {
        for _ in 0..4 + dice.index(8) {
            for host in self.numbers() {
                let shards = self.places[usize::from(host) - 1].0;
                let books = self.books.clone();
                let Some(place) = self.place(host) else { continue };
                let life = place.life;
                for _ in 0..dice.index(8) {
                    let Some((_, person)) = books.somebody_alive(Some(life), None) else { break };
                    if let Some(at) = person.at.filter(|_| !person.is_anchor) {
                        place.host.tell(at, Msg::Act(1 + dice.below(12) as u32));
                    }
                }
                if dice.one_in(4) {
                    let (life, shard) = (place.life, dice.index(shards));
                    let place = self.place(host).take();
                    if let Some(place) = place {
                        self.settle(&place.host, life, shard, false)?;
                        *self.place(host) = Some(place);
                    }
                }
            }
            self.fault(sim, dice)?;
            // Now and then long enough for a host to be given up.
            let most = [2_000, 50_000, 600_000, 8_000_000][dice.index(4)];
            sim.run_for(Duration::from_micros(dice.below(most)));
            if self.books.is_broken() {
                return Ok(());
            }
        }
        self.rest(sim, dice)?;
        if self.books.is_broken() {
            return Ok(());
        }
        self.end(sim)
    }

    /// Something goes wrong, or is well again.
    fn fault(&mut self, sim: &mut Simulation, dice: &mut Dice) -> Told {
        let one = 1 + dice.index(self.places.len()) as u8;
        let other =
            1 + (usize::from(one) + dice.index(self.places.len() - 1)) as u8 % self.places.len() as u8;
        let (near, far) = (Cluster::host(one), Cluster::host(other));
        if dice.one_in(self.weather.fault_one_in) && one != other {
            self.books.disturb(one, other);
            match dice.index(4) {
                0 => {
                    sim.note(format_args!("{one} and {other} are reset"));
                    self.books.tally(|tally| tally.resets += 1);
                    self.network.reset(near, far);
                }
                kind => {
                    sim.note(format_args!("the way from {one} to {other} is cut: {kind}"));
                    self.books.tally(|tally| tally.cuts += 1);
                    self.cut = true;
                    self.network.cut(near, far);
                    if kind > 1 {
                        self.network.cut(far, near);
                    }
                }
            }
        } else if dice.one_in(3) {
            sim.note("all ways are mended");
            self.network.mend_all();
            self.cut = false;
        }
        if dice.one_in(self.weather.crash_one_in) {
            match self.place(one).take() {
                None => self.begin(sim, one, dice)?,
                Some(Place { host, life, .. }) => {
                    match dice.index(4) {
                        0 => {
                            self.books.tally(|tally| tally.departures += 1);
                            sim.note(format_args!("{one} leaves"));
                            // Whoever was told something there may have been gone already.
                            self.books.disturb_all(life);
                            host.shut_down();
                            self.books.end_life(life);
                        }
                        1 => {
                            self.books.tally(|tally| tally.blackouts += 1);
                            self.books.end_life(life);
                            self.network.switch_off(near);
                            host.crash();
                        }
                        _ => {
                            self.books.tally(|tally| tally.crashes += 1);
                            self.books.end_life(life);
                            host.crash();
                        }
                    }
                    if dice.one_in(2) {
                        self.begin(sim, one, dice)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// All is well again: everybody hears what is still to be heard, and reaches everybody.
    fn rest(&mut self, sim: &mut Simulation, dice: &mut Dice) -> Told {
        sim.note("rest");
        self.network.mend_all();
        self.cut = false;
        self.network.set_options(NetworkOptions {
            delay: Duration::from_micros(20)..Duration::from_millis(1),
            reset_one_in: 0,
            lose_one_in: 0,
            ..self.weather.network.clone()
        });
        for host in self.numbers() {
            if self.place(host).is_none() {
                self.begin(sim, host, dice)?;
            }
        }
        // As long as it takes to give up whoever is silent, and to answer or end what was asked last.
        sim.run_for(Duration::from_secs(20));
        self.reach(sim);
        sim.run_for(Duration::from_secs(20));
        self.books.reunion();
        self.books.rest(sim.now());
        Ok(())
    }

    /// Each shard's anchor asks all those of other hosts.
    fn reach(&mut self, sim: &mut Simulation) {
        sim.note("reunion");
        let all: Vec<(u8, usize)> = self
            .numbers()
            .flat_map(|host| (0..self.places[usize::from(host) - 1].0).map(move |shard| (host, shard)))
            .collect();
        let books = self.books.clone();
        for host in self.numbers() {
            let Some(place) = self.place(host) else { continue };
            for (id, at) in books.anchors(place.life) {
                for (other, shard) in all.iter().copied().filter(|(other, _)| *other != host) {
                    books.will_reach(id, other, shard);
                    place.host.tell(at, Msg::Reach(other, shard));
                }
            }
        }
    }

    /// All actors stop; what was taken is given back.
    fn end(&mut self, sim: &mut Simulation) -> Told {
        sim.note("end");
        for (_, place) in &mut self.places {
            let Some(place) = place else { continue };
            for shard in 0..place.at_first.len() {
                place.host.call(shard, |scope| scope.stop_all())?;
            }
        }
        sim.run_for(Duration::from_secs(10));
        for (_, place) in &mut self.places {
            let Some(place) = place else { continue };
            let endpoint = place.host.system().extension::<Endpoint>().ok_or("an endpoint")?;
            for (shard, before) in place.at_first.iter().enumerate() {
                let after = place.host.call(shard, holdings)?;
                if after != *before {
                    let life = place.life;
                    self.books.break_rule(
                        "what was taken is given back",
                        format!("life {life}, shard {shard} has {after:?} cells, parcels, records, and {before:?} at first"),
                    );
                }
                let stats = endpoint.stats(shard)?;
                if stats.pending != 0 {
                    self.books.break_rule("what was taken is given back", format!("{stats:?}"));
                }
            }
        }
        for (_, place) in &mut self.places {
            if let Some(place) = place.take() {
                let life = place.life;
                let report = place.host.shut_down();
                self.books.end_life(life);
                if !report.is_clean() {
                    self.books.break_rule("a system ends in order", format!("{report}"));
                }
            }
        }
        Ok(())
    }
}

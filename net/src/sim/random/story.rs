//! The story of a random cluster: rounds of acts and faults, then rest, then the end of all.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use corelane_kernel::Scope;
use corelane_shard::sim::{Dice, Host, Simulation};
use corelane_shard::{Extension, On};

use super::ambush::{Fault, Kind, Watchman};
use super::books::Books;
use super::clerk::Clerk;
use super::habits::name;
use super::message::{Hire, Msg, Slip};
use super::resident::Resident;
use super::rules::{Act, Id, Life};
use super::weather::Weather;
use crate::codec::Registry;
use crate::endpoint::Endpoint;
use crate::reactor::sim::{Network, NetworkOptions};
use crate::sim::Cluster;

/// Actors that are spawned in one life of a host at first, about.
const POPULATION: usize = 6;
/// What lasts until somebody mends it.
const LONG: Duration = Duration::from_secs(60);

/// A host that runs.
struct Place {
    host: Host,
    life: Life,
    /// Messages that its peers may send ahead, on each link.
    credit: u64,
    /// What each shard's kernel had in use when it was new.
    at_first: Vec<[u32; 3]>,
}

/// The cluster.
pub(super) struct World {
    books: Books,
    cluster: Cluster,
    network: Network,
    weather: Weather,
    /// Ways that are cut.
    cuts: BTreeSet<(u8, u8)>,
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
    pub(super) fn found(
        sim: &mut Simulation,
        seed: u64,
        books: Books,
        weather: Weather,
        dice: &mut Dice,
    ) -> Result<World, Box<dyn Error>> {
        let mut cluster = Cluster::new(seed);
        cluster.endpoint = weather.endpoint.clone();
        cluster.reactor.send_bytes = weather.send_bytes;
        let network = cluster.network();
        network.set_options(weather.network.clone());
        sim.add_world(Watchman(books.clone()));
        let places = (0..2 + dice.index(3)).map(|_| (1 + dice.index(2), None)).collect();
        let mut world = World { books, cluster, network, weather, cuts: BTreeSet::new(), places };
        if world.weather.in_ring {
            world.books.lay_ring(world.places.len() as u8);
        }
        for host in world.numbers() {
            world.begin(sim, host, dice)?;
        }
        Ok(world)
    }

    fn numbers(&self) -> impl Iterator<Item = u8> + use<> {
        1..=self.places.len() as u8
    }

    fn place(&mut self, host: u8) -> &mut Option<Place> {
        &mut self.places[usize::from(host) - 1].1
    }

    fn shards(&self, host: u8) -> usize {
        self.places[usize::from(host) - 1].0
    }

    /// A host begins a new life.
    fn begin(&mut self, sim: &mut Simulation, host: u8, dice: &mut Dice) -> Told {
        let life = self.books.begin_life(host);
        let mut registry = Registry::new();
        registry.register::<Msg>()?;
        registry.register::<Slip>()?;
        let books = self.books.clone();
        registry.spawns(move |hire: &Hire| Resident::child(&books, life, *hire))?;
        let shards = self.shards(host);
        self.cluster.endpoint.link = self.weather.link(dice);
        let credit = self.cluster.endpoint.link.credit_messages;
        let mut started = sim.start_host(self.cluster.plan(host, shards, registry))?;
        for (one, other) in self.cuts.iter().copied() {
            if [one, other].contains(&host) {
                self.books.trouble(one, other, sim.now(), LONG);
            }
        }
        let mut at_first = Vec::new();
        for shard in 0..shards {
            at_first.push(started.call(shard, holdings)?);
        }
        for shard in 0..shards {
            self.settle(&started, life, shard, true)?;
            self.settle_clerk(&started, life, shard)?;
        }
        for _ in 0..1 + dice.index(POPULATION) {
            self.settle(&started, life, dice.index(shards), false)?;
        }
        *self.place(host) = Some(Place { host: started, life, credit, at_first });
        Ok(())
    }

    /// Somebody is born.
    fn settle(&self, host: &Host, life: Life, shard: usize, is_anchor: bool) -> Told {
        let id = self.books.be_born(life, shard, is_anchor);
        let books = self.books.clone();
        let make = move || Resident::new(&books, id, is_anchor);
        match host.system().spawn_named(On::Shard(shard), &name(id), make) {
            Ok(at) => self.books.settle(id, at),
            // There may be no memory for it.
            Err(_) if self.weather.limits.memory => self.books.drop_one(id),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// A clerk is born.
    fn settle_clerk(&self, host: &Host, life: Life, shard: usize) -> Told {
        let id = self.books.be_born(life, shard, false);
        let books = self.books.clone();
        match host.system().spawn_named(On::Shard(shard), &name(id), move || Clerk::new(&books, id)) {
            Ok(_) => self.books.settle_clerk(id),
            Err(_) if self.weather.limits.memory => self.books.drop_one(id),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Some rounds of acts and faults, then rest, then the end of all.
    pub(super) fn live(mut self, sim: &mut Simulation, dice: &mut Dice) -> Told {
        for _ in 0..4 + dice.index(8) {
            self.round(dice)?;
            self.fault(sim, dice)?;
            // Now and then long enough for a host to be given up.
            let most = [2_000, 50_000, 600_000, 8_000_000][dice.index(4)];
            let time = Duration::from_micros(dice.below(most));
            if self.weather.limits.memory {
                // While a flood is there.
                for _ in 0..3 {
                    let soon = Duration::from_micros(dice.below(3000));
                    self.pass(sim, dice, soon)?;
                    self.audit()?;
                }
            }
            self.pass(sim, dice, time)?;
            self.audit()?;
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

    /// Some do something, and somebody more comes to live here and there.
    fn round(&mut self, dice: &mut Dice) -> Told {
        for host in self.numbers() {
            let shards = self.shards(host);
            let books = self.books.clone();
            let Some(mut place) = self.place(host).take() else { continue };
            for _ in 0..dice.index(8) {
                let Some(id) = books.somebody_alive(Some(place.life), None, false) else { break };
                if let Some(at) = books.at(id).filter(|_| !books.is_anchor(id)) {
                    place.host.tell(at, Msg::Act(1 + dice.below(12) as u32));
                    if books.is_short() && dice.one_in(3) {
                        place.host.tell(at, Msg::Flood);
                    }
                }
            }
            if dice.one_in(4) {
                self.settle(&place.host, place.life, dice.index(shards), false)?;
            }
            *self.place(host) = Some(place);
        }
        Ok(())
    }

    /// Lets time pass, and what lies in ambush happen.
    fn pass(&mut self, sim: &mut Simulation, dice: &mut Dice, time: Duration) -> Told {
        let until = sim.now() + time;
        loop {
            let books = self.books.clone();
            let left = until.since(sim.now());
            let sprung = sim.run_until(left, || books.ambushes(|ambushes, _| ambushes.has_sprung()));
            while let Some(fault) = self.books.next_sprung() {
                self.books.tally(|tally| tally.ambushes += 1);
                self.spring(sim, dice, fault)?;
                let now = sim.now();
                self.books.ambushes(|ambushes, dice| ambushes.follow(dice, fault, now));
            }
            if !sprung || self.books.is_broken() {
                return Ok(());
            }
        }
    }

    /// A fault comes out of its ambush.
    fn spring(&mut self, sim: &mut Simulation, dice: &mut Dice, fault: Fault) -> Told {
        let Fault { kind, one, other } = fault;
        sim.note(format_args!("out of ambush: {kind:?}, {one} and {other}"));
        match kind {
            Kind::Reset => self.reset(sim, one, other),
            Kind::Cut { both, lasts } => self.cut(sim, one, other, both, lasts),
            Kind::Mend => {
                for (from, to) in [(one, other), (other, one)] {
                    self.network.mend(Cluster::host(from), Cluster::host(to));
                    self.cuts.remove(&(from, to));
                }
            }
            Kind::Pause { lasts } => {
                let (shards, books) = (self.shards(one), self.books.clone());
                if let Some(place) = self.place(one) {
                    books.tally(|tally| tally.pauses += 1);
                    books.trouble_all(place.life, sim.now(), lasts);
                    books.see(Act::Pauses { life: place.life, until: sim.now() + lasts });
                    for shard in 0..shards {
                        place.host.stall(shard, lasts);
                    }
                }
            }
            Kind::Crash { again } => {
                if let Some(place) = self.place(one).take() {
                    self.crash(place);
                    if again {
                        self.begin(sim, one, dice)?;
                    }
                }
            }
            Kind::Return => {
                if self.place(one).is_none() {
                    self.begin(sim, one, dice)?;
                }
            }
        }
        Ok(())
    }

    fn reset(&mut self, sim: &mut Simulation, one: u8, other: u8) {
        self.books.tally(|tally| tally.resets += 1);
        self.books.trouble(one, other, sim.now(), Duration::ZERO);
        self.network.reset(Cluster::host(one), Cluster::host(other));
    }

    fn cut(&mut self, sim: &mut Simulation, from: u8, to: u8, both: bool, lasts: Duration) {
        self.books.tally(|tally| tally.cuts += 1);
        self.books.trouble(from, to, sim.now(), lasts);
        for (from, to) in [(from, to), (to, from)].into_iter().take(1 + usize::from(both)) {
            self.network.cut(Cluster::host(from), Cluster::host(to));
            self.cuts.insert((from, to));
        }
    }

    fn crash(&mut self, place: Place) {
        self.books.tally(|tally| tally.crashes += 1);
        self.books.see(Act::Over { life: place.life });
        place.host.crash();
    }

    fn mend_all(&mut self) {
        self.network.mend_all();
        self.cuts.clear();
    }

    /// Something goes wrong, or is well again.
    fn fault(&mut self, sim: &mut Simulation, dice: &mut Dice) -> Told {
        let one = 1 + dice.index(self.places.len()) as u8;
        let other =
            1 + (usize::from(one) + dice.index(self.places.len() - 1)) as u8 % self.places.len() as u8;
        if dice.one_in(self.weather.fault_one_in) && one != other {
            sim.note(format_args!("something is wrong between {one} and {other}"));
            match dice.index(4) {
                0 => self.reset(sim, one, other),
                kind => self.cut(sim, one, other, kind > 1, LONG),
            }
        } else if dice.one_in(3) {
            sim.note("all ways are mended");
            self.mend_all();
        }
        if dice.one_in(self.weather.crash_one_in) {
            match self.place(one).take() {
                None => self.begin(sim, one, dice)?,
                Some(place) => {
                    self.end_life(sim, dice, one, place);
                    if dice.one_in(2) {
                        self.begin(sim, one, dice)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A host's life ends, one way or another.
    fn end_life(&mut self, sim: &mut Simulation, dice: &mut Dice, host: u8, place: Place) {
        match dice.index(4) {
            0 => {
                let Place { host: leaving, life, .. } = place;
                self.books.tally(|tally| tally.departures += 1);
                sim.note(format_args!("{host} leaves"));
                // Whoever was told something there may have been gone already.
                self.books.trouble_all(life, sim.now(), LONG);
                leaving.shut_down();
                self.books.see(Act::Over { life });
            }
            1 => {
                self.books.tally(|tally| tally.blackouts += 1);
                self.books.see(Act::Over { life: place.life });
                self.network.switch_off(Cluster::host(host));
                place.host.crash();
            }
            _ => self.crash(place),
        }
    }

    /// What no gate may have at any time: a peer that broke the protocol, or more messages that wait for room than their sender
    /// has credit for.
    fn audit(&mut self) -> Told {
        for (shards, place) in &mut self.places {
            let Some(place) = place else { continue };
            for shard in 0..*shards {
                let audit = place.host.call(shard, |scope| Endpoint::part(scope).map(|gate| gate.audit()))?;
                let audit = audit.ok_or("a gate")?;
                self.books.tally(|tally| tally.held += u64::from(audit.held_most > 0));
                let what = || format!("life {}, shard {shard}: {audit:?}", place.life);
                if audit.violations > 0 {
                    self.books.break_rule("peers keep to the protocol", what());
                }
                if audit.held_most > place.credit {
                    self.books.break_rule("no more is held than there is credit for", what());
                }
            }
        }
        Ok(())
    }

    /// All is well again: everybody hears what is still to be heard, and reaches everybody.
    fn rest(&mut self, sim: &mut Simulation, dice: &mut Dice) -> Told {
        sim.note("rest");
        self.books.ambushes(|ambushes, _| ambushes.disarm());
        self.mend_all();
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
        sim.run_for(Duration::from_secs(15));
        self.books.calm_down();
        sim.run_for(Duration::from_secs(5));
        self.call(sim);
        sim.run_for(Duration::from_secs(9));
        self.books.called();
        self.reach(sim);
        sim.run_for(Duration::from_secs(10));
        self.books.reunion();
        self.books.rest(sim.now());
        self.count()
    }

    /// Everybody asks all whom it knows.
    fn call(&mut self, sim: &mut Simulation) {
        sim.note("roll call");
        for host in self.numbers() {
            let (shards, books) = (self.shards(host), self.books.clone());
            let Some(place) = self.place(host) else { continue };
            for (_, at) in (0..shards).flat_map(|shard| books.residents(place.life, shard)) {
                place.host.tell(at, Msg::Call);
            }
        }
    }

    /// Each shard's anchor asks all those of other hosts, and everybody says something.
    fn reach(&mut self, sim: &mut Simulation) {
        sim.note("reunion");
        let books = self.books.clone();
        let lives: Vec<Life> =
            self.places.iter().filter_map(|(_, place)| Some(place.as_ref()?.life)).collect();
        let all: Vec<Id> = lives.iter().flat_map(|life| books.anchors(*life)).map(|(id, _)| id).collect();
        // No more at once than look-ups may wait.
        for some in all.chunks(2) {
            for place in self.places.iter_mut().filter_map(|(_, place)| place.as_mut()) {
                for (id, at) in books.anchors(place.life) {
                    for whom in some.iter().copied().filter(|whom| books.life_of(*whom) != place.life) {
                        books.will_reach(id, whom);
                        place.host.tell(at, Msg::Reach(books.host_of(whom), whom));
                    }
                }
            }
            sim.run_for(Duration::from_secs(2));
        }
        for host in self.numbers() {
            let shards = self.shards(host);
            let Some(place) = self.place(host) else { continue };
            for (_, at) in (0..shards).flat_map(|shard| books.stir(place.life, shard)) {
                place.host.tell(at, Msg::Stir);
            }
        }
    }

    /// Those who live are those who were born and have not ended.
    fn count(&mut self) -> Told {
        for (shards, place) in &mut self.places {
            let Some(place) = place else { continue };
            let endpoint = place.host.system().extension::<Endpoint>().ok_or("an endpoint")?;
            for shard in 0..*shards {
                let actors = place.host.call(shard, |scope| scope.stats().actors)?;
                let known = self.books.population(place.life, shard);
                if actors != known as u64 {
                    let what = format!("life {}, shard {shard}: {actors}, not {known}", place.life);
                    self.books.break_rule("nobody lives who is not in the books", what);
                }
                let watches = endpoint.stats(shard)?.watches;
                let known = self.books.watches(place.life, shard);
                // The refusal of one too many may cross the next watch of the same two, which is taken and then forgotten here.
                if watches > known as u64 && self.weather.limits.watches.is_none() {
                    let what = format!("life {}, shard {shard}: {watches}, not {known}", place.life);
                    self.books.break_rule("nobody is watched but by who watches", what);
                }
            }
        }
        Ok(())
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
                let audit = place.host.call(shard, |scope| Endpoint::part(scope).map(|gate| gate.audit()))?;
                let kept = [
                    audit.map_or(1, |audit| audit.credit_kept + audit.bytes_kept),
                    stats.pending,
                    stats.held,
                    stats.signals,
                    stats.watches,
                    stats.children,
                    stats.births,
                    stats.lookups,
                ];
                if kept != [0; 8] {
                    self.books.break_rule("what was taken is given back", format!("{audit:?}, {stats:?}"));
                }
            }
        }
        for (_, place) in &mut self.places {
            if let Some(place) = place.take() {
                let life = place.life;
                let report = place.host.shut_down();
                self.books.see(Act::Over { life });
                if !report.is_clean() {
                    self.books.break_rule("a system ends in order", format!("{report}"));
                }
            }
        }
        Ok(())
    }
}

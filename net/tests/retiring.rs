//! Retiring over hosts, in the simulator: who is let go handles what it was told before, wherever it lives and whatever becomes
//! of the connection, and then stops. And children that may live anywhere, of a host that has lost a shard.

use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Address, Ctx, Outcome, Strategy, Terminated};
use corelane_net::codec::{Compact, Props, Registry, Wire};
use corelane_net::link::LinkConfig;
use corelane_net::sim::Cluster;
use corelane_net::{Endpoint, EndpointConfig, RemoteCtx, RemotePool, RemoteSpawnError};
use corelane_shard::Extension;
use corelane_shard::sim::{Host, Options, Sim, Simulation, note};
use serde::{Deserialize, Serialize};

const SECOND: Duration = Duration::from_secs(1);

/// A number, and as many bytes as are wanted.
#[derive(Serialize, Deserialize)]
struct Word(u64, Vec<u8>);

impl Wire for Word {
    const NAME: &'static str = "test.Word";
    type Form = Compact;
}

#[derive(Clone, Serialize, Deserialize)]
struct Listen;

impl Wire for Listen {
    const NAME: &'static str = "test.Listen";
    type Form = Compact;
}

impl Props for Listen {
    type Msg = Word;
}

struct Listener;

impl Actor for Listener {
    type Msg = Word;
    fn receive(&mut self, Word(number, _): Word, _: &mut Ctx<'_, Self>) -> Outcome {
        note(format_args!("hears {number}"));
        Ok(())
    }
    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        note("stops");
    }
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.spawns(|_: &Listen| Listener).unwrap();
    registry
}

enum Task {
    /// Tell so many words of so many bytes, and let the listeners go.
    Part(u64, usize),
    /// Let those go who were let go last.
    PartAgain,
    Hire,
    Hired(Result<ActorRef<Word>, RemoteSpawnError>),
}

/// Keeps listeners on another host.
struct Keeper {
    at: String,
    pool: RemotePool<Listen>,
    watches: bool,
    parted: Vec<Address>,
}

impl Actor for Keeper {
    type Msg = Task;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        Ok(self.pool.start(ctx)?)
    }
    fn receive(&mut self, task: Task, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match task {
            Task::Part(count, bytes) => {
                let routees: Vec<Address> =
                    self.pool.routees(ctx).iter().map(|routee| routee.to().address()).collect();
                for number in 0..count {
                    self.pool.tell(ctx, Word(number, vec![7; bytes]));
                }
                for routee in &routees {
                    assert!(self.pool.retire(ctx, *routee));
                    if self.watches {
                        ctx.watch(*routee)?;
                    }
                }
                self.parted = routees;
            }
            Task::PartAgain => self.parted.iter().for_each(|routee| ctx.retire(*routee)),
            Task::Hire => ctx.child_at(&self.at).within(SECOND).spawn(Listen, Task::Hired)?,
            Task::Hired(born) => {
                note(format_args!("hired on {:?}", born.map(|child| child.place().shard())));
            }
        }
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        note(format_args!("gone: {:?}", gone.reason));
        Ok(())
    }
}

struct Story {
    cluster: Cluster,
    near: Host,
    far: Host,
    keeper: ActorRef<Task>,
}

impl Story {
    fn have(&mut self, sim: &mut Simulation, task: Task) {
        self.near.tell(self.keeper, task);
        sim.run_for(SECOND);
    }

    fn part(&mut self, sim: &mut Simulation, count: u64, bytes: usize) {
        self.have(sim, Task::Part(count, bytes));
    }
}

/// What is noted where a host keeps `routees` on the other, which has so many shards.
fn tell(
    link: LinkConfig,
    routees: usize,
    shards: usize,
    story: impl FnOnce(&mut Simulation, &mut Story),
) -> Vec<String> {
    let options = Options { supervision: Strategy::stopping(), ..Options::calm() };
    let sim = Sim::new(1).shards(1).options(options);
    let trace = sim.run(|sim| {
        let mut cluster = Cluster::new(sim.seed());
        cluster.endpoint = EndpointConfig { link, ..cluster.endpoint };
        let mut near = sim.start_host(cluster.plan(1, 1, registry())).unwrap();
        let far = sim.start_host(cluster.plan(2, shards, registry())).unwrap();
        let at = cluster.url(2, "");
        let make = move || {
            let pool = RemotePool::new(routees, Listen).at([&at]);
            Keeper { at: at.clone(), pool, watches: routees == 1, parted: Vec::new() }
        };
        let keeper = near.spawn_on(0, make).unwrap();
        sim.run_for(SECOND);
        story(sim, &mut Story { cluster, near, far, keeper });
        Ok(())
    });
    trace.unwrap().notes().map(str::to_owned).collect()
}

/// One routee that has heard so many, in order, and was then stopped, of which whoever watched it was told.
fn heard(count: u64) -> Vec<String> {
    let words = (0..count).map(|number| format!("hears {number}"));
    words.chain(["stops".to_owned(), "gone: Stopped".to_owned()]).collect()
}

#[test]
fn a_routee_on_another_host_handles_what_it_was_told_before_it_stops() {
    let notes = tell(LinkConfig::default(), 1, 1, |sim, story| story.part(sim, 100, 10));
    assert_eq!(notes, heard(100));
}

/// In pieces, among which everything else passes.
#[test]
fn it_handles_large_messages_that_are_still_on_their_way() {
    let link = LinkConfig { chunk: 4096, ..LinkConfig::default() };
    let notes = tell(link, 1, 1, |sim, story| {
        story.part(sim, 10, 100_000);
        sim.run_for(10 * SECOND);
    });
    assert_eq!(notes, heard(10));
}

#[test]
fn it_handles_what_waits_for_credit() {
    let link = LinkConfig { credit_messages: 4, ..LinkConfig::default() };
    let notes = tell(link, 1, 1, |sim, story| {
        story.part(sim, 100, 10);
        sim.run_for(10 * SECOND);
    });
    assert_eq!(notes, heard(100));
}

#[test]
fn it_handles_what_waits_for_a_connection() {
    let notes = tell(LinkConfig::default(), 1, 1, |sim, story| {
        let (one, other) = (Cluster::host(1), Cluster::host(2));
        let network = story.cluster.network();
        network.reset(one, other);
        sim.run_for(SECOND / 100);
        network.cut(one, other);
        network.cut(other, one);
        network.reset(one, other);
        story.part(sim, 20, 10);
        sim.note("mended");
        network.mend_all();
        sim.run_for(20 * SECOND);
    });
    assert_eq!(notes, [vec!["mended".to_owned()], heard(20)].concat());
}

/// What was under way is lost with the connection, the word to retire is not: it is said again.
#[test]
fn a_connection_that_breaks_costs_messages_and_no_retirement() {
    let notes = tell(LinkConfig::default(), 1, 1, |sim, story| {
        let (one, other) = (Cluster::host(1), Cluster::host(2));
        let network = story.cluster.network();
        network.cut(one, other);
        story.part(sim, 20, 10);
        network.reset(one, other);
        network.mend_all();
        sim.note("mended");
        sim.run_for(20 * SECOND);
    });
    assert_eq!(notes, ["mended", "stops", "gone: Stopped"]);
}

/// The answer is lost, and it is said twice.
#[test]
fn a_retirement_that_is_said_twice_is_done_once() {
    let notes = tell(LinkConfig::default(), 1, 1, |sim, story| {
        let (one, other) = (Cluster::host(1), Cluster::host(2));
        let network = story.cluster.network();
        network.cut(other, one);
        story.part(sim, 20, 10);
        sim.note("retired");
        network.reset(one, other);
        network.mend_all();
        sim.run_for(20 * SECOND);
    });
    let mut expected = heard(20);
    expected.insert(21, "retired".to_owned());
    assert_eq!(notes, expected);
}

/// It waits behind messages for which there is no credit, and so does not go with the connection.
#[test]
fn a_retirement_that_was_not_sent_yet_waits_once_whoever_asks_again_and_whatever_breaks() {
    let link = LinkConfig { credit_messages: 4, ..LinkConfig::default() };
    let notes = tell(link, 1, 1, |sim, story| {
        let (one, other) = (Cluster::host(1), Cluster::host(2));
        let network = story.cluster.network();
        // Four get through, and nothing comes back: the rest waits.
        network.cut(other, one);
        story.part(sim, 20, 10);
        story.have(sim, Task::PartAgain);
        let stats = |host: &mut Host| {
            let stats = host.call(0, |scope| Endpoint::part(scope).map(|gate| gate.stats()));
            stats.unwrap().unwrap()
        };
        assert_eq!(stats(&mut story.near).pending, 17);
        network.reset(one, other);
        network.mend_all();
        sim.run_for(20 * SECOND);
        // The words, and the one to retire.
        assert_eq!((stats(&mut story.near).pending, stats(&mut story.far).messages_in), (0, 21));
    });
    assert_eq!(notes, heard(20));
}

#[test]
fn all_routees_of_a_pool_can_be_let_go_at_once() {
    let mut notes = tell(LinkConfig::default(), 6, 3, |sim, story| story.part(sim, 60, 10));
    assert_eq!(notes.iter().filter(|line| *line == "stops").count(), 6);
    notes.retain(|line| line != "stops");
    assert_eq!(notes.len(), 60);
}

/// Nobody waits for a child there until its time is over, though there are others who would have it.
#[test]
fn a_child_that_may_live_anywhere_is_born_on_no_shard_that_is_lost() {
    let notes = tell(LinkConfig::default(), 0, 3, |sim, story| {
        assert!(story.far.lose_shard(1));
        sim.run_for(SECOND);
        for _ in 0..6 {
            story.have(sim, Task::Hire);
        }
    });
    let mut on: Vec<_> = notes.iter().filter(|line| line.starts_with("hired")).cloned().collect();
    on.sort_unstable();
    assert_eq!(on, ["hired on Ok(0)"; 3].into_iter().chain(["hired on Ok(2)"; 3]).collect::<Vec<_>>());
}

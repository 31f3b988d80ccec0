//! Clusters in the simulator: hosts that crash, lose their power and are cut off, and random ones, which keep every rule.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, AskError, Backoff, Ctx, Outcome, ReplyTo, Strategy, Terminated};
use corelane_net::codec::{Compact, Props, Registry, Wire};
use corelane_net::link::LinkConfig;
use corelane_net::liveness::LivenessConfig;
use corelane_net::sim::random::{RandomCluster, Tally};
use corelane_net::sim::{Cluster, NetworkOptions};
use corelane_net::{
    Endpoint, EndpointConfig, LinkEvent, Pem, RemoteCtx, RemoteLookupError, RemotePool, Resolver, TlsConfig,
};
use corelane_shard::sim::{Host, Options, Sim, Simulation, Trace, note};
use corelane_shard::{Extension, On, ShardCtx};
use serde::{Deserialize, Serialize};

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
enum Word {
    Say(u64),
    Count(ReplyTo<u64>),
}

impl Wire for Word {
    const NAME: &'static str = "test.Word";
    type Form = Compact;
}

/// Notes what it hears.
struct Listener(u64);

impl Actor for Listener {
    type Msg = Word;
    fn receive(&mut self, word: Word, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match word {
            Word::Say(number) => {
                note(format_args!("hears {number}"));
                self.0 += 1;
            }
            Word::Count(reply) => ctx.tell(reply, self.0),
        }
        Ok(())
    }
}

enum Deed {
    /// Look the listener up, and watch it.
    Find(String),
    Found(Result<ActorRef<Word>, RemoteLookupError>),
    Say(u64),
    Count,
    Counted(Result<u64, AskError>),
}

/// Does what it is told, and notes what comes of it.
#[derive(Default)]
struct Speaker {
    listener: Option<ActorRef<Word>>,
}

impl Actor for Speaker {
    type Msg = Deed;
    fn receive(&mut self, deed: Deed, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match (deed, self.listener) {
            (Deed::Find(url), _) => ctx.lookup_at(&url, LONG, Deed::Found),
            (Deed::Found(found), _) => {
                let found = found?;
                ctx.watch(found)?;
                self.listener = Some(found);
                note("found");
            }
            (Deed::Say(number), Some(to)) => {
                if ctx.try_tell(to, Word::Say(number)).is_err() {
                    note(format_args!("{number} is refused"));
                }
            }
            (Deed::Count, Some(of)) => ctx.ask(of, SECOND, Word::Count, Deed::Counted),
            (Deed::Counted(count), _) => note(format_args!("counted {count:?}")),
            _ => note("nobody"),
        }
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        note(format_args!("gone: {:?}", gone.reason));
        Ok(())
    }
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register::<Word>().unwrap();
    registry
}

struct Two {
    cluster: Cluster,
    near: Host,
    far: Option<Host>,
    speaker: ActorRef<Deed>,
}

impl Two {
    fn begin(sim: &mut Simulation, tls: Option<TlsConfig>) -> Two {
        let mut cluster = Cluster::new(sim.seed());
        let liveness =
            LivenessConfig { pause: 3 * SECOND, first: Duration::from_millis(500), ..Default::default() };
        let heartbeat = Duration::from_millis(500);
        cluster.endpoint = EndpointConfig {
            link: LinkConfig { heartbeat, liveness, ..LinkConfig::default() },
            tls,
            ..cluster.endpoint
        };
        let mut near = sim.start_host(cluster.plan(1, 1, registry())).unwrap();
        let speaker = near.spawn_on(0, Speaker::default).unwrap();
        let mut two = Two { cluster, near, far: None, speaker };
        two.start_far(sim);
        two.find(sim);
        two
    }

    fn start_far(&mut self, sim: &mut Simulation) {
        let far = sim.start_host(self.cluster.plan(2, 1, registry())).unwrap();
        far.system().spawn_named(On::Shard(0), "listener", || Listener(0)).unwrap();
        self.far = Some(far);
    }

    fn find(&mut self, sim: &mut Simulation) {
        let url = self.cluster.url(2, "/user/listener");
        self.have(sim, Deed::Find(url));
    }

    fn have(&mut self, sim: &mut Simulation, deed: Deed) {
        self.near.tell(self.speaker, deed);
        sim.run_for(SECOND);
    }
}

fn run(story: impl FnOnce(&mut Simulation, &mut Two)) -> Trace {
    run_under(None, story)
}

fn run_under(tls: Option<TlsConfig>, story: impl FnOnce(&mut Simulation, &mut Two)) -> Trace {
    run_seed(1, tls, story)
}

fn run_seed(seed: u64, tls: Option<TlsConfig>, story: impl FnOnce(&mut Simulation, &mut Two)) -> Trace {
    let options = Options { supervision: Strategy::stopping(), ..Options::calm() };
    let sim = Sim::new(seed).shards(1).options(options);
    sim.run(|sim| {
        let mut two = Two::begin(sim, tls);
        story(sim, &mut two);
        Ok(())
    })
    .unwrap()
}

fn notes(trace: &Trace) -> Vec<&str> {
    trace.notes().collect()
}

/// Conformance 38, 40: the process is gone, its connections end; it is lost when its next life is met, and that is welcome at
/// once.
#[test]
fn a_process_that_crashes_is_lost_once_and_its_next_life_welcome() {
    let trace = run(|sim, two| {
        two.have(sim, Deed::Say(1));
        two.far = None;
        sim.note("crash");
        two.start_far(sim);
        two.have(sim, Deed::Say(2));
        sim.run_for(SECOND);
        two.have(sim, Deed::Say(3));
        two.find(sim);
        two.have(sim, Deed::Say(4));
        two.have(sim, Deed::Count);
    });
    let expected = [
        "found",
        "hears 1",
        "crash",
        "gone: Unreachable",
        "3 is refused",
        "found",
        "hears 4",
        "counted Ok(1)",
    ];
    assert_eq!(notes(&trace), expected);
}

/// Shards wait for each other before they say goodbye, but for none that is lost.
#[test]
fn a_system_that_has_lost_a_shard_says_goodbye_and_ends_as_soon_as_the_others_are_done() {
    let trace = run(|sim, two| {
        let mut far = sim.start_host(two.cluster.plan(3, 2, registry())).unwrap();
        far.system().spawn_named(On::Shard(0), "listener", || Listener(0)).unwrap();
        two.have(sim, Deed::Find(two.cluster.url(3, "/user/listener")));
        assert!(far.lose_shard(1));
        sim.run_for(SECOND);
        let before = sim.now();
        far.shut_down();
        assert!(sim.now().since(before) < SECOND);
        sim.run_for(SECOND);
        assert_eq!(lost(two), 1);
    });
    assert_eq!(notes(&trace), ["found", "found", "gone: Stopped"]);
}

/// A third host of so many shards, with a listener on each, all of which the speaker watches.
fn start_third(sim: &mut Simulation, two: &mut Two, shards: usize) -> Host {
    let third = sim.start_host(two.cluster.plan(3, shards, registry())).unwrap();
    for shard in 0..shards {
        let name = format!("listener-{shard}");
        third.system().spawn_named(On::Shard(shard), &name, || Listener(0)).unwrap();
        two.have(sim, Deed::Find(two.cluster.url(3, &format!("/user/{name}"))));
    }
    third
}

/// Bytes are under way for long, and not between two heartbeats: one that came to who is gone would break its connection.
fn slow_down(sim: &mut Simulation, two: &mut Two) {
    let delay = Duration::from_micros(10)..Duration::from_millis(50);
    two.cluster.network().set_options(NetworkOptions { delay, ..NetworkOptions::default() });
    sim.run_for(SECOND / 4);
}

/// How many links the near host has lost.
fn lost(two: &mut Two) -> u64 {
    two.near.call(0, |scope| Endpoint::part(scope).map(|gate| gate.stats().lost)).unwrap().unwrap()
}

/// Each shard of a host says goodbye on a link of its own, behind its last words; which link is the fastest, is chance.
#[test]
fn the_last_words_of_each_shard_are_heard_whichever_says_goodbye_first() {
    for seed in 0..32 {
        let trace = run_seed(seed, None, |sim, two| {
            let third = start_third(sim, two, 3);
            slow_down(sim, two);
            third.shut_down();
            sim.run_for(SECOND);
            two.have(sim, Deed::Say(1));
        });
        let stopped = "gone: Stopped";
        let expected = ["found", "found", "found", "found", stopped, stopped, stopped, "1 is refused"];
        assert_eq!(notes(&trace), expected, "seed {seed}");
    }
}

/// What is under way on the other links for too long is not waited for, and not heard when it comes.
#[test]
fn a_goodbye_ends_all_of_a_host_soon_though_no_other_word_comes() {
    let trace = run(|sim, two| {
        let third = start_third(sim, two, 3);
        slow_down(sim, two);
        third.shut_down();
        while lost(two) == 0 {
            sim.run_for(SECOND / 1000);
        }
        two.cluster.network().cut(Cluster::host(3), Cluster::host(1));
        sim.run_for(2 * SECOND - SECOND / 100);
        sim.note("still heard");
        sim.run_for(SECOND / 100);
        sim.note("over");
        two.cluster.network().mend_all();
        sim.run_for(LONG);
        assert_eq!(lost(two), 3);
    });
    // Of the second the end has come, and the goodbye behind it not.
    let stopped = "gone: Stopped";
    let expected = [stopped, stopped, "still heard", "gone: Unreachable", "over"];
    assert_eq!(notes(&trace)[4..], expected);
}

/// A shard that is lost says nothing, so its actors are gone soon after another has said goodbye.
#[test]
fn a_goodbye_ends_all_of_a_host_soon_though_a_shard_of_it_says_none() {
    let trace = run(|sim, two| {
        let mut third = start_third(sim, two, 2);
        assert!(third.lose_shard(1));
        sim.note("lost");
        sim.run_for(SECOND);
        two.have(sim, Deed::Say(1));
        third.shut_down();
        sim.note("down");
        sim.run_for(SECOND);
        two.have(sim, Deed::Say(1));
        sim.note("over");
        sim.run_for(LONG);
    });
    let expected = [
        "found",
        "found",
        "found",
        "lost",
        "down",
        "gone: Stopped",
        "gone: Unreachable",
        "1 is refused",
        "over",
    ];
    assert_eq!(notes(&trace), expected);
}

/// Look-ups go to the first shard of a host, as long as that is there.
#[test]
fn a_host_that_has_lost_its_first_shard_answers_look_ups_over_a_link_to_another() {
    let trace = run(|sim, two| {
        let mut third = start_third(sim, two, 3);
        let url = two.cluster.url(3, "/user/listener-2");
        // The first is asked before anybody knows, the other when the link is known to fail.
        assert!(third.lose_shard(0));
        two.have(sim, Deed::Find(url.clone()));
        two.have(sim, Deed::Find(url));
        two.have(sim, Deed::Say(1));
    });
    assert_eq!(notes(&trace)[4..], ["found", "found", "hears 1"]);
}

/// The link over which the question went instead fails as well, and leads nowhere any more: the host comes back with one shard.
#[test]
fn what_was_asked_over_another_link_is_answered_by_the_next_life_of_the_host() {
    let trace = run(|sim, two| {
        let mut third = start_third(sim, two, 2);
        let (one, other) = (Cluster::host(1), Cluster::host(3));
        assert!(third.lose_shard(0));
        sim.run_for(SECOND);
        // Asked over the link to the other shard, and not answered.
        two.cluster.network().cut(other, one);
        two.have(sim, Deed::Find(two.cluster.url(3, "/user/listener-0")));
        third.crash();
        two.cluster.network().mend_all();
        sim.run_for(2 * SECOND);
        sim.note("back");
        let _third = start_third(sim, two, 1);
        sim.run_for(10 * SECOND);
    });
    let notes = notes(&trace);
    let back = notes.iter().position(|line| *line == "back").unwrap();
    assert_eq!(notes[back + 1..].iter().filter(|line| **line == "found").count(), 2, "{notes:?}");
}

/// Both hosts show one certificate, which is its own root.
fn tls() -> TlsConfig {
    let names = [1, 2].map(|number| Cluster::host(number).to_string());
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate = || Pem::text(made.cert.pem());
    TlsConfig::new(certificate(), Pem::text(made.signing_key.serialize_pem()), certificate())
}

#[test]
fn under_tls_a_crash_and_a_cut_are_the_same() {
    let trace = run_under(Some(tls()), |sim, two| {
        two.have(sim, Deed::Say(1));
        two.cluster.network().cut(Cluster::host(1), Cluster::host(2));
        for number in 2..=3 {
            two.near.tell(two.speaker, Deed::Say(number));
        }
        sim.run_for(2 * SECOND);
        two.cluster.network().mend_all();
        sim.run_for(5 * SECOND);
        two.far = None;
        sim.note("crash");
        two.start_far(sim);
        two.have(sim, Deed::Say(4));
        sim.run_for(SECOND);
        two.find(sim);
        two.have(sim, Deed::Say(5));
        let tls = two.near.call(0, |scope| Endpoint::part(scope).map(|gate| gate.stats().tls));
        let tls = tls.unwrap().unwrap();
        assert!(tls.handshakes >= 2 && tls.certificate == 0, "{tls:?}");
    });
    let expected =
        ["found", "hears 1", "hears 2", "hears 3", "crash", "gone: Unreachable", "found", "hears 5"];
    assert_eq!(notes(&trace), expected);
}

/// Conformance 38: nothing comes from a host without power, not even an end of its connections.
#[test]
fn a_host_that_loses_its_power_is_given_up_when_it_is_silent_for_too_long() {
    let trace = run(|sim, two| {
        two.cluster.network().switch_off(Cluster::host(2));
        two.far = None;
        sim.note("dark");
        two.have(sim, Deed::Count);
        sim.run_for(SECOND);
        sim.note("silent");
        sim.run_for(5 * SECOND);
        two.have(sim, Deed::Say(1));
        two.start_far(sim);
        sim.run_for(5 * SECOND);
        two.find(sim);
        two.have(sim, Deed::Say(2));
    });
    let expected = [
        "found",
        "dark",
        "counted Err(Timeout)",
        "silent",
        "gone: Unreachable",
        "1 is refused",
        "found",
        "hears 2",
    ];
    assert_eq!(notes(&trace), expected);
}

#[test]
fn a_short_cut_of_either_way_costs_time_and_no_message() {
    for (from, to) in [(1, 2), (2, 1)] {
        let trace = run(|sim, two| {
            two.cluster.network().cut(Cluster::host(from), Cluster::host(to));
            for number in 1..=3 {
                two.near.tell(two.speaker, Deed::Say(number));
            }
            sim.run_for(2 * SECOND);
            two.cluster.network().mend_all();
            sim.run_for(5 * SECOND);
            two.have(sim, Deed::Count);
        });
        assert_eq!(
            notes(&trace),
            ["found", "hears 1", "hears 2", "hears 3", "counted Ok(3)"],
            "{from}, {to}"
        );
    }
}

/// Notes what becomes of links.
struct Herald;

impl Actor for Herald {
    type Msg = LinkEvent;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let me = ctx.me();
        Ok(ctx.system().events().subscribe(me)?)
    }
    fn receive(&mut self, event: LinkEvent, _: &mut Ctx<'_, Self>) -> Outcome {
        assert_eq!(event.host.address(), Cluster::address(2));
        note(format_args!("{:?} with life {}", event.state, event.incarnation));
        Ok(())
    }
}

#[test]
fn what_becomes_of_links_is_published() {
    let trace = run(|sim, two| {
        two.near.spawn_on(0, || Herald).unwrap();
        sim.run_for(SECOND);
        two.cluster.network().reset(Cluster::host(1), Cluster::host(2));
        sim.run_for(5 * SECOND);
        two.far = None;
        sim.note("crash");
        sim.run_for(SECOND);
        two.start_far(sim);
        sim.run_for(10 * SECOND);
    });
    let expected = [
        "found",
        "Down with life 2",
        "Open with life 2",
        "crash",
        "Down with life 2",
        "gone: Unreachable",
        "Lost(Restarted) with life 2",
        "Open with life 3",
    ];
    assert_eq!(notes(&trace), expected);
}

/// What was noted between such marks, each part in its own order.
fn parts_of<'t>(trace: &'t Trace, marks: &[&str]) -> Vec<Vec<&'t str>> {
    let mut parts: Vec<_> = notes(trace)[1..].split(|line| marks.contains(line)).map(<[_]>::to_vec).collect();
    parts.iter_mut().for_each(|part| part.sort_unstable());
    parts
}

/// What each routee is made of.
#[derive(Clone, Serialize, Deserialize)]
struct Listen;

impl Wire for Listen {
    const NAME: &'static str = "test.Listen";
    type Form = Compact;
}

impl Props for Listen {
    type Msg = Word;
}

/// Keeps listeners on other hosts.
struct Crew(RemotePool<Listen>);

enum Task {
    Say(u64),
    Grow(usize),
    Count,
}

impl Actor for Crew {
    type Msg = Task;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        Ok(self.0.start(ctx)?)
    }
    fn receive(&mut self, task: Task, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match task {
            Task::Say(number) => self.0.tell(ctx, Word::Say(number)),
            Task::Grow(size) => self.0.resize(ctx, size)?,
            Task::Count => note(format_args!("{} there", self.0.routees(ctx).len())),
        }
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        note(format_args!("gone: {:?}", gone.reason));
        assert!(self.0.replace(ctx, gone.address)?);
        Ok(())
    }
}

/// Conformance 28, 38. Its own host, in the end, as any other.
#[test]
fn a_pool_finds_the_host_of_its_routees_by_a_name_wherever_that_has_moved() {
    let moves = || {
        run(|sim, two| {
            let listens = || {
                let mut registry = registry();
                registry.spawns(|_: &Listen| Listener(0)).unwrap();
                registry
            };
            let book = Arc::new(Mutex::new(vec![Cluster::address(9), Cluster::address(3)]));
            let known = book.clone();
            two.cluster.endpoint.resolver = Resolver::by(move |name, port| match (name, port) {
                ("till", 1) => Ok(known.lock().unwrap().clone()),
                _ => Err(std::io::ErrorKind::NotFound.into()),
            });
            let till = format!("corelane://{}@till:1", two.cluster.endpoint.system);
            let third = sim.start_host(two.cluster.plan(3, 1, listens())).unwrap();
            let _fourth = sim.start_host(two.cluster.plan(4, 1, listens())).unwrap();
            let mut own = sim.start_host(two.cluster.plan(5, 2, listens())).unwrap();
            let make = move || {
                let workers = RemotePool::new(2, Listen).at([&till]).named("w");
                Crew(workers.backoff(Backoff::new(SECOND / 10, SECOND)))
            };
            let crew = own.spawn_on(0, make).unwrap();
            let mut have = |sim: &mut Simulation, number| {
                for task in [Task::Say(number), Task::Say(number + 1), Task::Count] {
                    own.tell(crew, task);
                }
                sim.run_for(SECOND);
            };
            sim.run_for(5 * SECOND);
            have(sim, 0);
            for (host, at) in [(3, 4), (4, 5)] {
                *book.lock().unwrap() = vec![Cluster::address(at)];
                two.cluster.network().switch_off(Cluster::host(host));
                sim.note(format_args!("at {at}"));
                sim.run_for(60 * SECOND);
                have(sim, u64::from(at));
            }
            drop(third);
        })
    };
    let trace = moves();
    let gone = "gone: Unreachable";
    let expected = [
        vec!["2 there", "hears 0", "hears 1"],
        vec!["2 there", gone, gone, "hears 4", "hears 5"],
        vec!["2 there", gone, gone, "hears 5", "hears 6"],
    ];
    assert_eq!(parts_of(&trace, &["at 4", "at 5"]), expected);
    // Addresses are found out and tried as the seed has it.
    assert_eq!(trace.to_string(), moves().to_string());
}

/// Conformance 28, 38.
#[test]
fn a_pool_has_its_routees_on_other_hosts_while_one_is_without_power_and_on_that_when_it_is_back() {
    let trace = run(|sim, two| {
        let listens = || {
            let mut registry = registry();
            registry.spawns(|_: &Listen| Listener(0)).unwrap();
            registry
        };
        let start = |sim: &mut Simulation, two: &mut Two, host| {
            sim.start_host(two.cluster.plan(host, 1, listens())).unwrap()
        };
        let third = start(sim, two, 3);
        let fourth = start(sim, two, 4);
        let hosts = [3, 4].map(|host| two.cluster.url(host, ""));
        let make = move || {
            let workers = RemotePool::new(4, Listen).at(&hosts);
            Crew(workers.backoff(Backoff::new(SECOND / 10, SECOND)))
        };
        let crew = two.near.spawn_on(0, make).unwrap();
        let have = |sim: &mut Simulation, two: &mut Two, tasks: Vec<Task>| {
            tasks.into_iter().for_each(|task| two.near.tell(crew, task));
            sim.run_for(SECOND);
        };
        let four = |from| (from..from + 4).map(Task::Say).chain([Task::Count]).collect();
        sim.run_for(5 * SECOND);
        have(sim, two, four(0));
        two.cluster.network().switch_off(Cluster::host(3));
        drop(third);
        sim.note("dark");
        sim.run_for(20 * SECOND);
        have(sim, two, four(10));
        let _third = start(sim, two, 3);
        sim.note("back");
        have(sim, two, vec![Task::Grow(8)]);
        sim.run_for(20 * SECOND);
        have(sim, two, vec![Task::Count]);
        two.cluster.network().switch_off(Cluster::host(4));
        drop(fourth);
        sim.note("dark");
        sim.run_for(60 * SECOND);
        have(sim, two, (20..28).map(Task::Say).chain([Task::Count]).collect());
    });
    let gone = "gone: Unreachable";
    let expected = [
        vec!["4 there", "hears 0", "hears 1", "hears 2", "hears 3"],
        vec!["4 there", gone, gone, "hears 10", "hears 11", "hears 12", "hears 13"],
        vec!["8 there"],
        vec![
            "8 there", gone, gone, gone, gone, "hears 20", "hears 21", "hears 22", "hears 23", "hears 24",
            "hears 25", "hears 26", "hears 27",
        ],
    ];
    assert_eq!(parts_of(&trace, &["dark", "back"]), expected);
}

/// Conformance 38: both live, one way is cut, and each gives the other up; when it is mended, they find each other again.
#[test]
fn a_long_cut_of_one_way_ends_the_association_once_and_the_next_begins_when_it_is_mended() {
    for (from, to) in [(1, 2), (2, 1)] {
        let trace = run(|sim, two| {
            two.cluster.network().cut(Cluster::host(from), Cluster::host(to));
            sim.run_for(30 * SECOND);
            sim.note("mended");
            two.cluster.network().mend_all();
            sim.run_for(30 * SECOND);
            two.find(sim);
            two.have(sim, Deed::Say(1));
        });
        assert_eq!(
            notes(&trace),
            ["found", "gone: Unreachable", "mended", "found", "hears 1"],
            "{from}, {to}"
        );
    }
}

/// Conformance 37, 38, 40, reliability 31: random clusters, of which the command runs thousands.
#[test]
fn random_clusters_keep_every_rule() {
    let mut tally = Tally::default();
    for seed in 0..24 {
        let outcome = RandomCluster::new(seed).run().unwrap();
        assert_eq!(outcome.broken, None, "seed {seed}");
        tally.add(&outcome.tally);
    }
    // All of it happened, but for what one world in a hundred has.
    assert!(tally.iter().all(|(name, count)| count > 0 || name == "held"), "{tally:?}");
}

#[test]
fn a_random_cluster_is_the_same_whenever_it_is_run() {
    let hash = |seed: u64| RandomCluster::new(seed).run().unwrap().trace.hash;
    let forward: Vec<_> = (100..106).map(hash).collect();
    let mut backward: Vec<_> = (100..106).rev().map(hash).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    assert!(forward.is_sorted_by(|one, other| one != other));
}

#[test]
fn a_broken_rule_is_noticed_and_its_place_in_the_trace_known() {
    let broken = (0..20).find_map(|seed| {
        let outcome = RandomCluster::new(seed).faulty().record().run().unwrap();
        outcome.broken.map(|broken| (broken, outcome.broken_after, outcome.trace))
    });
    let (broken, after, trace) = broken.expect("some message is said to have come twice");
    assert_eq!(broken.rule, "messages of a pair come in order and at most once", "{broken}");
    let (_, event) = &trace.events[after.expect("events are kept")];
    assert!(event.to_string().contains(broken.rule), "{event}");
}

/// What a shard is asked for after a long sleep counts from then, and not from its last turn.
#[test]
fn a_look_up_by_another_thread_after_a_long_sleep_has_all_its_time() {
    let mut found = None;
    run(|sim, two| {
        let third = sim.start_host(two.cluster.plan(3, 1, registry())).unwrap();
        sim.run_for(60 * SECOND);
        let endpoint = third.system().extension::<Endpoint>().unwrap();
        let asked = endpoint.lookup_future::<Word>(&two.cluster.url(2, "/user/listener"), 5 * SECOND);
        sim.run_for(6 * SECOND);
        found = Some(pin!(asked).poll(&mut Context::from_waker(Waker::noop())));
        third.shut_down();
    });
    assert!(matches!(found, Some(Poll::Ready(Ok(_)))), "{found:?}");
}

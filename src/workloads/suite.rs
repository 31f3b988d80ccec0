//! The list of the workloads, in the order in which they are run and printed.

use super::raw::{hop, memory, queue, wake};
use super::savina::{self, big, chameneos, count, forkjoin, pingpong};
use super::{Cost, Plan, Unit, WorkloadError};
use super::{
    ask, cross, fsm, gateway, random, remote, restart, ring, route, socket, spawn, spray, stall, storm, tell,
};

/// How a workload or a raw loop is run.
pub type Run = fn(&Plan) -> Result<Cost, WorkloadError>;

/// One workload.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Its name, as `--only` and the results have it. Names of a family share what stands before the last dot.
    pub name: &'static str,
    /// The unit of its figure.
    pub unit: Unit,
    /// What it does, in one line.
    pub what: &'static str,
    /// Messages in one unit of the figure, for the rate; zero where the unit is an actor.
    pub messages: u32,
    /// Whether it must be run in a process that has done nothing before.
    pub own_process: bool,
    /// Runs it once.
    pub run: Run,
    /// The raw loop that bounds it.
    pub raw: Option<Raw>,
}

/// The raw loop beside a workload, in the same unit.
#[derive(Debug, Clone, Copy)]
pub struct Raw {
    /// What it does, in one line.
    pub what: &'static str,
    /// Runs it once.
    pub run: Run,
}

/// An entry whose figure is nanoseconds for each message.
const fn message(name: &'static str, what: &'static str, run: Run) -> Workload {
    Workload { name, unit: Unit::NanosPerMessage, what, messages: 1, own_process: false, run, raw: None }
}

/// An entry whose figure is nanoseconds for each round trip of so many messages.
const fn round_trip(name: &'static str, messages: u32, what: &'static str, run: Run) -> Workload {
    Workload { unit: Unit::NanosPerRoundTrip, messages, ..message(name, what, run) }
}

/// An entry whose figure is nanoseconds for each actor.
const fn actor(name: &'static str, what: &'static str, run: Run) -> Workload {
    Workload { unit: Unit::NanosPerActor, messages: 0, ..message(name, what, run) }
}

impl Workload {
    /// With this raw loop beside it.
    const fn beside(self, what: &'static str, run: Run) -> Self {
        Self { raw: Some(Raw { what, run }), ..self }
    }

    /// With a plain tell beside it.
    const fn beside_tell(self) -> Self {
        self.beside("local.tell: one told without a router", tell::local)
    }

    /// With the loop that bounds every message on one core beside it.
    const fn beside_ring(self) -> Self {
        self.beside("ring push and pop of the same record, one indirect call", queue::tell)
    }
}

/// Every workload.
pub const WORKLOADS: &[Workload] = &[
    message("local.tell", "one actor tells another on its core", tell::local).beside_ring(),
    round_trip("local.pingpong", 2, "two actors of a core, one message under way", ring::pingpong)
        .beside("twice the loop of local.tell", queue::pingpong),
    message("local.random.10k", "tells to random actors of ten thousand", random::ten_thousand).beside_ring(),
    message("local.random.1m", "tells to random actors of a million", random::a_million).beside_ring(),
    message("local.random.10m", "tells to random actors of ten million", random::ten_million).beside_ring(),
    message("local.ring.100", "a token around a ring of 100 actors", ring::hundred).beside_ring(),
    message("local.ring.10k", "a token around a ring of 10,000 actors", ring::ten_thousand).beside_ring(),
    message("route.roundrobin", "one actor tells eight through a router, each in turn", route::round_robin)
        .beside_tell(),
    message("route.random", "one actor tells eight through a router, any of them", route::random)
        .beside_tell(),
    message("route.hash", "one actor tells eight through a router, by the hash of a key", route::hash)
        .beside_tell(),
    message(
        "route.leastload",
        "one actor tells eight through a router, who has least to do",
        route::least_load,
    )
    .beside_tell(),
    actor("spawn", "actors spawned, told once and stopped", spawn::spawn)
        .beside("a vector's push of the same bytes", memory::push),
    Workload {
        unit: Unit::BytesPerActor,
        own_process: true,
        ..actor("actor.bytes", "resident memory of idle actors", super::memory::resident_bytes)
    }
    .beside("the size by design", memory::bound),
    Workload {
        unit: Unit::NanosPerRestart,
        ..actor("restart.error", "an actor that fails with an error value and is restarted", restart::error)
    }
    .beside("its state made and dropped, the constructor behind a pointer", restart::construct),
    Workload {
        unit: Unit::NanosPerRestart,
        ..actor("restart.panic", "an actor that panics and is restarted", restart::panic)
    }
    .beside("a panic raised and caught", restart::unwind),
    Workload {
        unit: Unit::NanosAtP99,
        ..actor("storm", "1,000 busy siblings of actors that panic 10,000 times a second", storm::storm)
    }
    .beside("the same siblings, nobody panics", storm::quiet),
    round_trip("ask.local", 2, "sequential asks between two actors of a core", ask::local)
        .beside("two tells of local.tell", ask::two_tells),
    message("fsm", "one actor tells a state machine, every fourth message a transition", fsm::machine)
        .beside("a plain actor that does the same", fsm::plain),
    message("cross.tell", "one actor tells another on another core", tell::cross)
        .beside("rtrb's ring in chunks of the same bytes, one indirect call for each record", hop::stream),
    round_trip("cross.pingpong", 2, "two actors of two cores, one message under way", cross::pingpong)
        .beside("two of rtrb's rings, both sides spinning", hop::pingpong),
    Workload {
        unit: Unit::NanosAtP99,
        ..actor("cross.stall", "1,000 busy siblings beside a core whose actor spins for 500 ms", stall::stall)
    }
    .beside("the same siblings, nobody spins", stall::quiet),
    message("cross.all.random", "each shard tells random actors on all shards", spray::random),
    message("cross.all.big", "Savina's big on all shards", big::cross),
    message("cross.all.fanin", "eight actors on all shards tell one", spray::fan_in),
    round_trip("gateway.ask", 2, "blocking asks from a plain thread", gateway::ask)
        .beside("two of rtrb's rings, both sides spinning", hop::pingpong),
    round_trip("wake", 2, "two actors of two shards that park at once", cross::wake)
        .beside("two threads that park and unpark each other, a futex each way", wake::park),
    round_trip(
        "net.echo.uring",
        2,
        "64 bytes to an actor's connection and back, by io_uring",
        socket::echo_uring,
    )
    .beside("a thread that reads and writes, neither side blocks", socket::raw_echo),
    round_trip(
        "net.echo.poll",
        2,
        "64 bytes to an actor's connection and back, by readiness",
        socket::echo_poll,
    )
    .beside("a thread that reads and writes, neither side blocks", socket::raw_echo),
    message(
        "net.stream.uring",
        "writes of 64 KiB that an actor is told of, by io_uring",
        socket::stream_uring,
    )
    .beside("a thread that reads, neither side blocks", socket::raw_stream),
    message(
        "net.stream.poll",
        "writes of 64 KiB that an actor is told of, by readiness",
        socket::stream_poll,
    )
    .beside("a thread that reads, neither side blocks", socket::raw_stream),
    round_trip(
        "remote.pingpong",
        2,
        "64 bytes to an actor of another process and back, both spin",
        remote::pingpong,
    )
    .beside("the faster of two echoes that spin, on plain sockets and by io_uring", remote::raw_pingpong),
    Workload {
        unit: Unit::NanosAtP99,
        ..round_trip("remote.p99", 2, "the slowest but one in a hundred of these rounds", remote::p99)
    }
    .beside("the same of these echoes", remote::raw_p99),
    round_trip("remote.parked", 2, "the same between shards that park at once", remote::parked)
        .beside("two threads that sleep in read", remote::raw_parked),
    message("remote.tell", "64 bytes to an actor of another process, one way", remote::tell)
        .beside("a stream of the same bytes in writes of 64 KiB", remote::raw_tell),
    round_trip(
        "remote.pipelined",
        2,
        "a thousand balls of 64 bytes under way, to and fro",
        remote::pipelined,
    )
    .beside("an echo with as many bytes under way", remote::raw_pipelined),
    message("remote.akka", "Akka.NET's RemotePingPong: 10 clients, both ways count", remote::akka)
        .beside("an echo with as many bytes under way", remote::raw_akka),
    #[cfg(target_os = "linux")]
    round_trip(
        "remote.memory.pingpong",
        2,
        "remote.pingpong through memory that both processes share",
        remote::nearby::memory_pingpong,
    )
    .beside("an echo that spins through two rings of rtrb", remote::nearby::raw_memory_pingpong),
    #[cfg(target_os = "linux")]
    message(
        "remote.memory.tell",
        "remote.tell through memory that both processes share",
        remote::nearby::memory_tell,
    )
    .beside("the same bytes through a ring of rtrb", remote::nearby::raw_memory_tell),
    #[cfg(target_os = "linux")]
    round_trip(
        "remote.memory.pipelined",
        2,
        "remote.pipelined through memory that both processes share",
        remote::nearby::memory_pipelined,
    )
    .beside("an echo through two rings with as many under way", remote::nearby::raw_memory_pipelined),
    #[cfg(target_os = "linux")]
    round_trip("remote.unix.pingpong", 2, "remote.pingpong over Unix sockets", remote::nearby::unix_pingpong)
        .beside("an echo that spins over a pair of Unix sockets", remote::nearby::raw_unix_pingpong),
    #[cfg(target_os = "linux")]
    message("remote.unix.tell", "remote.tell over Unix sockets", remote::nearby::unix_tell)
        .beside("a stream of the same bytes over such a pair", remote::nearby::raw_unix_tell),
    Workload {
        unit: Unit::NanosAtP99,
        ..round_trip(
            "remote.bombs",
            2,
            "a thousand balls under way, while peers throw a bomb each millisecond",
            remote::bombs::bombed,
        )
    }
    .beside("the same balls, nobody throws anything", remote::bombs::quiet),
    Workload {
        unit: Unit::NanosPerJoin,
        ..actor("remote.join", "the slowest member to join past a crowd of 2,000", remote::join::crowded)
    }
    .beside("the same, nobody else is there", remote::join::quiet),
    round_trip("remote.tls.pingpong", 2, "remote.pingpong over TLS", remote::secure_pingpong)
        .beside("the same in the clear", remote::pingpong),
    message("remote.tls.tell", "remote.tell over TLS", remote::secure_tell)
        .beside("the same in the clear", remote::tell),
    round_trip("savina.pingpong", 3, "40,000 round trips, a tick to itself before each", pingpong::run),
    message("savina.count", "a million increments at once, then the count", count::run),
    message("savina.fjthrput", "10,000 messages to each of 60 actors that compute", forkjoin::throughput),
    actor("savina.fjcreate", "40,000 actors that compute once and stop", forkjoin::create),
    message("savina.threadring", "a token around 100 actors, 100,000 hops", savina::threadring),
    message("savina.chameneos", "100 creatures, 200,000 meetings at one mall", chameneos::run),
    message("savina.big", "120 actors ping each other at random, 20,000 pings each", big::run),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::Scale;
    use corelane_shard::topology::Topology;

    #[test]
    fn names_are_unique() {
        for (at, workload) in WORKLOADS.iter().enumerate() {
            assert!(WORKLOADS[..at].iter().all(|other| other.name != workload.name), "{}", workload.name);
        }
    }

    #[test]
    fn the_workloads_of_one_core_count_right() {
        let core = Topology::read().allowed[0];
        let plan = Plan::new(Scale::Quick, vec![core]).expect("one core is enough for a plan");
        let light = |name: &str| {
            ["local.tell", "local.pingpong", "local.ring.100", "spawn", "ask.local", "fsm", "storm"]
                .contains(&name)
                || name.starts_with("restart.")
                || name.starts_with("route.")
                || name.starts_with("savina.")
        };
        let mut measured = 0;
        for workload in WORKLOADS.iter().filter(|workload| light(workload.name)) {
            let cost = (workload.run)(&plan).unwrap_or_else(|error| panic!("{}: {error}", workload.name));
            assert!(cost.each() > 0.0, "{}", workload.name);
            measured += 1;
        }
        assert_eq!(measured, 20);
    }

    #[test]
    fn every_workload_between_cores_says_so_on_one_core() {
        let plan = Plan::new(Scale::Quick, vec![0]).expect("one core is enough for a plan");
        let between = |name: &str| name.starts_with("cross.") || name.starts_with("remote.");
        for workload in WORKLOADS.iter().filter(|workload| between(workload.name)) {
            let error = (workload.run)(&plan).expect_err("one core is not two");
            assert!(error.is_unavailable(), "{}: {error}", workload.name);
        }
    }
}

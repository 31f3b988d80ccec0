//! Messages between two hosts: the workloads `remote`.
//!
//! The hosts are two processes with a shard each, on the plan's first core and on its second, joined over the loopback device;
//! all that the actors do is tell. One ball of 64 bytes is played to and fro (`pingpong`, `p99`, and `parked` between shards
//! that sleep), balls are told one way (`tell`), a thousand are under way (`pipelined`), or many clients have texts played back
//! as in Akka.NET's benchmark (`akka`). `tls.pingpong` and `tls.tell` are the same over TLS, beside themselves in the clear;
//! those of hosts on one machine, which need no network, are in [`nearby`]. What strangers do to those who belong there is in files of their own: `bombs` and `join`.
//!
//! The raw loops send the same bytes over plain sockets, without a frame around them, between the same cores.

pub(super) mod bombs;
mod far;
mod host;
pub(super) mod join;
mod near;
#[cfg(target_os = "linux")]
pub(super) mod nearby;
mod secure;
mod words;

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use corelane_shard::Idle;

pub use self::host::peer;
use self::host::{Hosts, Speech};
use self::near::{Client, Counter, Judge, Ping, Teller};
use self::words::Want;
use super::error::check;
use super::quantile::Times;
use super::raw::socket::{self, ECHO, WRITE, Waiting};
#[cfg(target_os = "linux")]
use super::raw::uring;
use super::stage::{Later, Report};
use super::{Cost, Plan, WorkloadError};

/// Balls under way in `remote.pipelined`.
const WINDOW: u64 = 1_000;

// Akka.NET's RemotePingPong: how many clients (of 1, 5, 10, 15, 20, 25 and 30, one in the middle), how many of each client's
// messages are under way, and what is in each. Both directions count.
const CLIENTS: u64 = 10;
const IN_FLIGHT: u64 = 50;
const TEXT: &str = "hit";
/// Bytes of the text as it is written: its length and its letters.
const TEXT_BYTES: u64 = 1 + TEXT.len() as u64;

fn rounds(plan: &Plan) -> u64 {
    plan.pick(50_000, 5_000)
}

fn parked_rounds(plan: &Plan) -> u64 {
    plan.pick(5_000, 500)
}

/// A multiple of what goes in one write of the raw loop.
fn messages(plan: &Plan) -> u64 {
    plan.pick(4_000, 400) * (WRITE / ECHO) as u64
}

fn pipelined_rounds(plan: &Plan) -> u64 {
    plan.pick(1_000_000, 100_000)
}

fn texts(plan: &Plan) -> u64 {
    plan.pick(100_000, 10_000)
}

// --- balls to and fro ------------------------------------------------------------------------------------------------

/// `remote.pingpong`: one ball, two shards that never park.
pub(super) fn pingpong(plan: &Plan) -> Result<Cost, WorkloadError> {
    let rounds = rounds(plan);
    rally(plan, Idle::Latency, Speech::Clear, 1, rounds, None)
        .map(|report| Cost::time(report.elapsed, rounds))
}

/// `remote.tls.pingpong`: the same over TLS.
pub(super) fn secure_pingpong(plan: &Plan) -> Result<Cost, WorkloadError> {
    let rounds = rounds(plan);
    rally(plan, Idle::Latency, Speech::Tls, 1, rounds, None).map(|report| Cost::time(report.elapsed, rounds))
}

/// `remote.p99`: what 99 of 100 of its rounds take at most.
pub(super) fn p99(plan: &Plan) -> Result<Cost, WorkloadError> {
    let report = rally(plan, Idle::Latency, Speech::Clear, 1, rounds(plan), Some(Times::new()))?;
    Ok(Cost::time(report.elapsed, 1))
}

/// `remote.parked`: two shards that park at once.
pub(super) fn parked(plan: &Plan) -> Result<Cost, WorkloadError> {
    let rounds = parked_rounds(plan);
    rally(plan, Idle::Frugal, Speech::Clear, 1, rounds, None).map(|report| Cost::time(report.elapsed, rounds))
}

/// `remote.pipelined`: a million round trips, a thousand balls under way.
pub(super) fn pipelined(plan: &Plan) -> Result<Cost, WorkloadError> {
    let rounds = pipelined_rounds(plan);
    rally(plan, Idle::Latency, Speech::Clear, WINDOW, rounds, None)
        .map(|report| Cost::time(report.elapsed, rounds))
}

fn rally(
    plan: &Plan,
    idle: Idle,
    speech: Speech,
    window: u64,
    rounds: u64,
    times: Option<Times>,
) -> Result<Report, WorkloadError> {
    let mut hosts = Hosts::start(plan, idle, speech)?;
    let (peer, reporter, mut times) = (Later::default(), hosts.stage.reporter(), times);
    let later = peer.clone();
    let ping = hosts.stage.spawn(0, move || Ping {
        times: times.take(),
        ..Ping::new(later.clone(), window, rounds, reporter.clone())
    })?;
    peer.set(hosts.meet(move |reply| Want::Echo(ping, reply))?);
    hosts.stage.tell(ping, words::Ball::new(0))?;
    let report = hosts.stage.wait()?;
    hosts.end()?;
    check("the balls that came back", rounds, report.found)?;
    Ok(report)
}

/// Beside `remote.pingpong`: the faster of two echoes that spin, on plain sockets and by io_uring.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn raw_pingpong(plan: &Plan) -> Result<Cost, WorkloadError> {
    fastest(plan, rounds(plan), false)
}

/// Beside `remote.p99`: the same of the echo whose 99th of 100 is faster.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn raw_p99(plan: &Plan) -> Result<Cost, WorkloadError> {
    fastest(plan, rounds(plan), true)
}

/// The least that a round, or 99 of 100 of them, took on either kind of echo.
fn fastest(plan: &Plan, rounds: u64, p99: bool) -> Result<Cost, WorkloadError> {
    let figure = |cost: Cost, times: &Times| {
        if p99 { Cost::time(times.per_mille(990), 1) } else { cost }
    };
    let mut times = Times::new();
    let wanted = p99.then_some(&mut times);
    let client = |server| socket::call(socket::connect(server, Waiting::Spins)?, rounds, wanted);
    let cost = socket::beside_a_thread(plan, Waiting::Spins, client, |peer| socket::answer(peer, rounds))?;
    let plain = figure(cost, &times);
    #[cfg(target_os = "linux")]
    if uring::is_there() {
        let mut times = Times::new();
        let cost = uring::echo(plan, rounds, p99.then_some(&mut times))?;
        let ringed = figure(cost, &times);
        if ringed.each() < plain.each() {
            return Ok(ringed);
        }
    }
    Ok(plain)
}

/// Beside `remote.parked`: two threads that sleep in `read`.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn raw_parked(plan: &Plan) -> Result<Cost, WorkloadError> {
    let rounds = parked_rounds(plan);
    let client = |server| socket::call(socket::connect(server, Waiting::Sleeps)?, rounds, None);
    socket::beside_a_thread(plan, Waiting::Sleeps, client, |peer| socket::answer(peer, rounds))
}

/// Beside `remote.pipelined`: as many bytes under way, sent on as they come.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn raw_pipelined(plan: &Plan) -> Result<Cost, WorkloadError> {
    juggle(plan, WINDOW, pipelined_rounds(plan), ECHO as u64)
}

fn juggle(plan: &Plan, window: u64, rounds: u64, each: u64) -> Result<Cost, WorkloadError> {
    let (window, all) = ((window * each) as usize, (rounds * each) as usize);
    let client = |server| {
        let began = socket::juggle(socket::connect(server, Waiting::Spins)?, window, all)?;
        Ok(began.elapsed())
    };
    let elapsed = socket::beside_a_thread(plan, Waiting::Spins, client, |peer| socket::reflect(peer, all))?;
    Ok(Cost::time(elapsed, rounds))
}

// --- balls one way ---------------------------------------------------------------------------------------------------

/// `remote.tell`: four million balls from one actor to another.
pub(super) fn tell(plan: &Plan) -> Result<Cost, WorkloadError> {
    pour(plan, Speech::Clear)
}

/// `remote.tls.tell`: the same over TLS.
pub(super) fn secure_tell(plan: &Plan) -> Result<Cost, WorkloadError> {
    pour(plan, Speech::Tls)
}

fn pour(plan: &Plan, speech: Speech) -> Result<Cost, WorkloadError> {
    let messages = messages(plan);
    let mut hosts = Hosts::start(plan, Idle::Latency, speech)?;
    let (peer, began) = (Later::default(), Arc::new(OnceLock::<Instant>::new()));
    let (of_judge, reporter) = (began.clone(), hosts.stage.reporter());
    let judge =
        hosts.stage.spawn(0, move || Judge { began: of_judge.clone(), reporter: reporter.clone() })?;
    peer.set(hosts.meet(move |reply| Want::Sink(messages, judge, reply))?);
    let teller = hosts.stage.spawn(0, move || Teller {
        peer: peer.clone(),
        messages,
        sent: 0,
        began: began.clone(),
    })?;
    hosts.stage.tell(teller, ())?;
    let report = hosts.stage.wait()?;
    hosts.end()?;
    check("the balls that came", messages, report.found)?;
    Ok(Cost::time(report.elapsed, messages))
}

/// Beside `remote.tell`: a stream of the same bytes in writes of 64 KiB.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn raw_tell(plan: &Plan) -> Result<Cost, WorkloadError> {
    let each = (WRITE / ECHO) as u64;
    let writes = messages(plan) / each;
    let client = |server| socket::pour(socket::connect(server, Waiting::Spins)?, writes);
    let cost = socket::beside_a_thread(plan, Waiting::Spins, client, |peer| socket::drain(peer, writes))?;
    Ok(cost.split(each))
}

// --- as Akka.NET measures --------------------------------------------------------------------------------------------

/// `remote.akka`: ten clients with 100,000 texts each, 50 of them under way; a text and the one that comes back are two
/// messages.
pub(super) fn akka(plan: &Plan) -> Result<Cost, WorkloadError> {
    let texts = texts(plan);
    let mut hosts = Hosts::start(plan, Idle::Latency, Speech::Clear)?;
    let reporter = hosts.stage.reporter();
    let counter = hosts.stage.spawn(0, move || Counter {
        left: CLIENTS as usize,
        back: 0,
        began: None,
        reporter: reporter.clone(),
    })?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let peer = Later::default();
        let later = peer.clone();
        let client = hosts.stage.spawn(0, move || Client {
            peer: later.clone(),
            window: IN_FLIGHT,
            rounds: texts,
            sent: 0,
            back: 0,
            begun: false,
            counter,
        })?;
        peer.set(hosts.meet_texts(move |reply| Want::Texts(client, reply))?);
        clients.push(client);
    }
    hosts.stage.tell(counter, 0)?;
    for client in clients {
        hosts.stage.tell(client, TEXT.to_owned())?;
    }
    let report = hosts.stage.wait()?;
    hosts.end()?;
    check("the texts that came back", CLIENTS * texts, report.found)?;
    Ok(Cost::time(report.elapsed, 2 * CLIENTS * texts))
}

/// Beside `remote.akka`: as many bytes of text under way, sent on as they come.
///
/// # Errors
/// See [`WorkloadError`].
pub(super) fn raw_akka(plan: &Plan) -> Result<Cost, WorkloadError> {
    juggle(plan, CLIENTS * IN_FLIGHT, CLIENTS * texts(plan), TEXT_BYTES).map(|cost| cost.split(2))
}

//! The other of two processes: the test's own program, started once more as a host that does what it is told over its standard
//! input and says on its standard output what happens to it.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, ReplyTo, Scope, Strategy};
use corelane_net::link::LinkConfig;
use corelane_net::liveness::LivenessConfig;
use corelane_net::reactor::Choice;
use corelane_net::{EndpointConfig, Pem, TlsConfig};
use corelane_shard::On;

#[cfg(target_os = "linux")]
use crate::cable::{Cable, End};
use crate::common::*;
use crate::family::{Hire, Log, Office};
use crate::pki::{Authority, Shown};
use crate::until;

/// The address at which the child listens; set in a child only.
const BIND: &str = "CORELANE_TEST_REMOTE_BIND";
/// The rest of what it is: how many shards it has, how patient it is, what drives its sockets, and what it shows and believes
/// under TLS.
const SHARDS: &str = "CORELANE_TEST_REMOTE_SHARDS";
const PATIENCE: &str = "CORELANE_TEST_REMOTE_PATIENCE";
const BACKEND: &str = "CORELANE_TEST_REMOTE_BACKEND";
const TLS: [&str; 3] =
    ["CORELANE_TEST_REMOTE_CERTIFICATE", "CORELANE_TEST_REMOTE_KEY", "CORELANE_TEST_REMOTE_ROOTS"];

/// When a host gives another up for its silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Soon.
    Short,
    /// Not before any test has ended.
    Long,
}

impl Patience {
    pub(crate) fn link(self) -> LinkConfig {
        match self {
            Patience::Short => impatient(),
            Patience::Long => {
                let liveness = LivenessConfig { pause: 10 * LONG, ..LivenessConfig::default() };
                LinkConfig { liveness, ..link_config() }
            }
        }
    }
}

/// Where two processes are joined.
pub(crate) struct Ground<'a> {
    near: Ipv4Addr,
    far: Ipv4Addr,
    /// Whom both believe under TLS.
    authority: Option<Authority>,
    /// What drives the sockets of both.
    backend: Choice,
    /// Starts this program where the other process is to be.
    again: Box<dyn Fn() -> Command + 'a>,
}

impl<'a> Ground<'a> {
    /// On this machine, in the clear.
    pub(crate) fn loopback() -> Ground<'a> {
        let again = || Command::new(std::env::current_exe().unwrap());
        let (near, far) = (Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST);
        Ground { near, far, authority: None, backend: Choice::Automatic, again: Box::new(again) }
    }

    /// On this machine, under TLS.
    pub(crate) fn loopback_under_tls() -> Ground<'a> {
        Ground { authority: Some(Authority::new("ours")), ..Ground::loopback() }
    }

    /// In two networks, under TLS, as is meant beyond one machine.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(cable: &'a Cable) -> Ground<'a> {
        let again = || cable.far_command(&std::env::current_exe().unwrap());
        let (near, far) = (End::Near.address(), End::Far.address());
        Ground { near, far, again: Box::new(again), ..Ground::loopback_under_tls() }
    }

    /// The same with these sockets.
    #[cfg(target_os = "linux")]
    pub(crate) fn on(self, backend: Choice) -> Ground<'a> {
        Ground { backend, ..self }
    }

    /// This process's host.
    pub(crate) fn near(&self, log: &Log, patience: Patience) -> Host {
        let tls = self.shown(self.near).map(|shown| self.authority.as_ref().unwrap().trusted_by(&shown));
        log.host(1, self.backend, config(SocketAddr::from((self.near, 0)), patience, tls))
    }

    /// The other process.
    pub(crate) fn other(&self, patience: Patience) -> Other {
        self.other_of(1, patience)
    }

    pub(crate) fn other_of(&self, shards: usize, patience: Patience) -> Other {
        self.start(SocketAddr::from((self.far, 0)), shards, patience)
    }

    /// Another life at the same address.
    pub(crate) fn again(&self, address: SocketAddr, patience: Patience) -> Other {
        let other = self.start(address, 1, patience);
        assert_eq!(other.address, address);
        other
    }

    fn start(&self, bind: SocketAddr, shards: usize, patience: Patience) -> Other {
        let mut command = (self.again)();
        command.env(BIND, bind.to_string()).env(SHARDS, shards.to_string());
        command.env(PATIENCE, format!("{patience:?}")).env(BACKEND, format!("{:?}", self.backend));
        if let Some(shown) = self.shown(self.far) {
            let roots = self.authority.as_ref().unwrap().roots();
            command.envs(TLS.into_iter().zip([shown.certificate, shown.key, roots]));
        }
        Other::start(command)
    }

    /// What a host shows that is reached there, if it shows anything.
    fn shown(&self, at: Ipv4Addr) -> Option<Shown> {
        Some(self.authority.as_ref()?.make(&[&at.to_string()], |_| ()))
    }
}

fn config(bind: SocketAddr, patience: Patience, tls: Option<TlsConfig>) -> EndpointConfig {
    EndpointConfig { system: "test".into(), bind, link: patience.link(), tls, ..EndpointConfig::default() }
}

/// The other process, killed when it is dropped.
pub(crate) struct Other {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it answers, what its watcher hears, and what its boss and the workers there say.
    pub(crate) said: Receiver<String>,
    pub(crate) heard: Receiver<String>,
    pub(crate) log: Receiver<String>,
}

impl Other {
    fn start(mut command: Command) -> Other {
        let mut child = command
            .args(["--exact", "other::child_of_another_test", "--nocapture", "--test-threads=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address = out
            .find_map(|line| line.strip_prefix("listens ").map(str::to_owned))
            .expect("the child listens")
            .parse()
            .unwrap();
        let ((said, says), (heard, hears), (log, logs)) = (channel(), channel(), channel());
        // Also what nobody wants to know is read, so that it does not block the child.
        std::thread::spawn(move || {
            out.for_each(|line| {
                let _ = match line.split_once(": ") {
                    Some(("heard", what)) => heard.send(what.to_owned()),
                    Some(("log", what)) => log.send(what.to_owned()),
                    _ => said.send(line),
                };
            });
        });
        Other { child, address, said: says, heard: hears, log: logs }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}/user/{name}", self.at())
    }

    pub(crate) fn at(&self) -> String {
        format!("corelane://test@{}", self.address)
    }

    /// Tells it what to do.
    pub(crate) fn say(&mut self, line: impl Display) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    #[track_caller]
    pub(crate) fn expect(&self, line: &str) {
        assert_eq!(next(&self.said), line);
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Stops it where it is, and waits until it stands still.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
        let end = std::time::Instant::now() + LONG;
        loop {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
            // The state comes behind the name, which is in brackets.
            let stands = stat.is_ok_and(|stat| stat.rsplit(')').next().unwrap_or("").starts_with(" T"));
            if stands || !cfg!(target_os = "linux") {
                return;
            }
            assert!(std::time::Instant::now() < end, "it stands still");
            std::thread::yield_now();
        }
    }

    /// What it has in memory, in KiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Kills it, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Never answers, and keeps who asked.
pub(crate) struct Mute(pub(crate) Vec<ReplyTo<u64>>);

impl Actor for Mute {
    type Msg = Order;
    fn receive(&mut self, order: Order, _: &mut Ctx<'_, Self>) -> Outcome {
        if let Order::Get(reply) = order {
            self.0.push(reply);
        }
        Ok(())
    }
}

/// Counts ticks, and says what is out of order. Holds up its shard at the first, where there is somebody to wake it.
struct Counter {
    wake: Option<Receiver<()>>,
    next: u64,
    missing: u64,
}

/// In the `from` of a tick: it is the last, and the counter says what it has.
pub(crate) const LAST: u64 = 1;

impl Actor for Counter {
    type Msg = Tick;
    fn receive(&mut self, tick: Tick, _: &mut Ctx<'_, Self>) -> Outcome {
        if let Some(wake) = self.wake.take() {
            report("sleeps");
            wake.recv().unwrap();
        }
        match tick.number.checked_sub(self.next) {
            Some(missing) => self.missing += missing,
            None => report(format_args!("{} is late or comes twice", tick.number)),
        }
        self.next = tick.number + 1;
        if tick.from == LAST {
            report(format_args!("counted to {}, {} missing", tick.number, self.missing));
        }
        Ok(())
    }
}

/// The numbers that an adder has seen, in runs: "1-100 205-300".
pub(crate) fn runs(seen: &Receiver<u64>) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for number in seen.try_iter() {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    runs.iter().map(|(first, last)| format!("{first}-{last}")).collect::<Vec<_>>().join(" ")
}

fn report(what: impl Display) {
    println!("{what}");
}

/// What the child does: runs until its standard input ends.
#[test]
fn child_of_another_test() {
    let Ok(bind) = std::env::var(BIND) else { return };
    let variable = |name: &str| std::env::var(name).ok();
    let patience = match variable(PATIENCE).as_deref() {
        Some("Long") => Patience::Long,
        _ => Patience::Short,
    };
    let backend = match variable(BACKEND).as_deref() {
        Some("Poll") => Choice::Poll,
        _ => Choice::Automatic,
    };
    let tls = match TLS.map(variable) {
        [Some(certificate), Some(key), Some(roots)] => {
            Some(TlsConfig::new(Pem::text(certificate), Pem::text(key), Pem::text(roots)))
        }
        _ => None,
    };
    let config = config(bind.parse().unwrap(), patience, tls);
    let log = Log::new();
    let host = log.host(variable(SHARDS).unwrap().parse().unwrap(), backend, config);
    let last = On::Shard(host.system.shards() - 1);
    let office = log.office(&host, Strategy::one_for_one());
    let (adder, seen) = Adder::spawn(&host, On::Shard(0), "adder");
    let (_, _neighbour_has_seen) = Adder::spawn(&host, last, "neighbour");
    let (watcher, heard) = Watcher::spawn(&host, 0);
    let (wake, sleeps) = channel();
    let sleeps = std::sync::Mutex::new(Some(sleeps));
    let sleeper = move || Counter { wake: sleeps.lock().unwrap().take(), next: 0, missing: 0 };
    host.system.spawn_named(last, "sleeper", sleeper).unwrap();
    host.system.spawn_named(On::Shard(0), "counter", || Counter { wake: None, next: 0, missing: 0 }).unwrap();
    host.system.spawn_named(On::Shard(0), "mute", || Mute(Vec::new())).unwrap();
    report(format_args!("\nlistens {}", host.address));
    log.each(|said| report(format_args!("log: {said}")));
    std::thread::spawn(move || heard.iter().for_each(|heard| report(format_args!("heard: {heard}"))));
    let mut servant = Servant { host, office, adder, watcher, seen, wake, met: HashMap::new() };
    for line in std::io::stdin().lines() {
        servant.obey(&line.unwrap());
    }
    servant.host.end();
}

/// What the child is told to do is done by this.
struct Servant {
    host: Host,
    office: Office,
    adder: ActorRef<Order>,
    watcher: ActorRef<Watching>,
    seen: Receiver<u64>,
    wake: Sender<()>,
    /// Whom it has looked up, by their URLs.
    met: HashMap<String, ActorRef<Order>>,
}

impl Servant {
    fn obey(&mut self, line: &str) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["stop"] => {
                let adder = self.adder;
                self.host.system.call(0, move |scope| scope.stop(adder)).unwrap();
            }
            ["hire", at] => {
                let worker = self.office.try_hire(&self.host, at, "v", Hire::of("v")).unwrap();
                self.office.have(&self.host, move |_, ctx| Ok(ctx.watch(worker)?));
            }
            ["watch", url] => {
                let target = self.find(url);
                self.host.have(self.watcher, Watching::Watch(target));
                // Says that it has done so.
                self.host.have(self.watcher, Watching::Speak);
            }
            ["speak"] => self.host.have(self.watcher, Watching::Speak),
            ["ask", url] => {
                let of = self.find(url);
                report(format_args!("{:?}", self.host.ask(0, of)));
            }
            ["wonder", url] => {
                let of = self.find(url);
                // Says that it has asked before any answer.
                let ask = move |scope: &mut Scope<'_>| {
                    report("asked");
                    scope.ask(of, LONG, Order::Get, |answer| report(format_args!("{answer:?}")));
                };
                self.host.system.call(0, ask).unwrap();
            }
            ["tell", url, first, last] => {
                let to = self.find(url);
                let numbers = first.parse().unwrap()..=last.parse().unwrap();
                numbers.for_each(|number| self.host.tell(0, to, Order::Add(number)));
                report("told");
            }
            ["meet", url] => {
                // Whoever was known there may be no more.
                until("it is met", || {
                    let Ok(there) = self.host.lookup(url) else { return false };
                    self.met.insert(url.to_owned(), there);
                    self.host.ask(0, there).is_ok()
                });
                report("met");
            }
            ["seen"] => report(runs(&self.seen)),
            ["wake"] => self.wake.send(()).unwrap(),
            _ => panic!("{line}"),
        }
    }

    fn find(&mut self, url: &str) -> ActorRef<Order> {
        let lookup = || self.host.lookup(url).unwrap();
        *self.met.entry(url.to_owned()).or_insert_with(lookup)
    }
}

//! Two hosts: this process, and another that it starts from its own program.
//!
//! A program that measures calls [`peer`] first of all: where it was started as the other host it serves, and ends when the one
//! that started it closes its standard input. Its first line of output is the address of its endpoint, and its exit code says
//! whether it ended in order.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use corelane_kernel::{ActorRef, ReplyTo};
use corelane_net::{Endpoint, EndpointConfig, Net, NetConfig};
use corelane_shard::{Builder, Idle, On, System};

use super::far::{USHER, Usher};
use super::secure;
use super::words::{Meet, MeetTexts, Want, registry};
use crate::workloads::stage::Stage;
use crate::workloads::{Plan, WorkloadError};

/// The first argument of a process that is the other host. Its core follows, how it waits, and how it speaks.
const PEER: &str = "remote-peer";
const SPINS: &str = "spins";
const SLEEPS: &str = "sleeps";
const CLEAR: &str = "clear";
const TLS: &str = "tls";
const UNIX: &str = "unix";
const MEMORY: &str = "memory";

/// Longer than any answer takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// This program serves as the other host if it is started as one.
static CAN_SERVE: AtomicBool = AtomicBool::new(false);

/// Serves as the other host of the remote workloads, if this process was started as one: then `main` is to end with this code.
/// To be called first of all by a program that runs them; in one that does not call it they are unavailable.
#[must_use]
pub fn peer() -> Option<ExitCode> {
    CAN_SERVE.store(true, Ordering::Relaxed);
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [word, core, waiting, speech] = &arguments[..] else { return None };
    if word != PEER {
        return None;
    }
    let core = core.to_str().and_then(|core| core.parse().ok())?;
    let idle = if waiting == SLEEPS { Idle::Frugal } else { Idle::Latency };
    let speech = match speech.to_str() {
        Some(TLS) => Speech::Tls,
        Some(UNIX) => Speech::Unix,
        Some(MEMORY) => Speech::Memory,
        _ => Speech::Clear,
    };
    Some(match serve(core, idle, speech) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

/// What goes over the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    Clear,
    Tls,
    /// In the clear, over Unix sockets.
    Unix,
    /// In the clear, through shared memory.
    Memory,
}

/// A system with an endpoint on one core.
pub(super) fn builder(core: usize, idle: Idle, speech: Speech) -> Result<Builder, WorkloadError> {
    let registry = registry().map_err(WorkloadError::runtime("the messages could not be registered"))?;
    let tls = (speech == Speech::Tls).then(secure::settings);
    let config = EndpointConfig {
        system: "bench".to_owned(),
        unix_sockets: matches!(speech, Speech::Unix | Speech::Memory),
        shared_memory: speech == Speech::Memory,
        tls,
        ..EndpointConfig::default()
    };
    let builder = System::builder().name("bench").cores(&[core]).idle(idle).shutdown_within(PATIENCE);
    Ok(builder.extension(Net::of(NetConfig::default())).extension(Endpoint::of(config, registry)))
}

/// The other host, from its beginning to its end.
fn serve(core: usize, idle: Idle, speech: Speech) -> Result<(), WorkloadError> {
    let started = builder(core, idle, speech)?.start();
    let system = started.map_err(WorkloadError::runtime("the system could not be started"))?;
    let spawned = system.spawn_named(On::Shard(0), USHER, || Usher);
    spawned.map_err(WorkloadError::runtime("the usher could not be spawned"))?;
    let endpoint = system.extension::<Endpoint>().ok_or(WorkloadError::Panicked)?;
    let said = writeln!(io::stdout(), "{}", endpoint.address()).and_then(|()| io::stdout().flush());
    said.map_err(WorkloadError::runtime("the address could not be told"))?;
    // Whoever started this process wants it no more, or is gone.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    drop(endpoint);
    let report = system.shutdown(PATIENCE);
    if report.is_clean() && report.dead_letters() == 0 {
        Ok(())
    } else {
        Err(WorkloadError::Unclean { report: report.to_string() })
    }
}

/// The other host, as this one knows it.
pub(super) struct Far {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(super) address: SocketAddr,
}

impl Far {
    pub(super) fn start(core: usize, idle: Idle, speech: Speech) -> Result<Self, WorkloadError> {
        if !CAN_SERVE.load(Ordering::Relaxed) {
            let reason = "this program cannot be started as the other host".to_owned();
            return Err(WorkloadError::Unsupported { reason });
        }
        let failed = || WorkloadError::runtime("the other host could not be started");
        let waiting = if idle == Idle::Frugal { SLEEPS } else { SPINS };
        let mut command = Command::new(std::env::current_exe().map_err(failed())?);
        let speech = match speech {
            Speech::Clear => CLEAR,
            Speech::Tls => TLS,
            Speech::Unix => UNIX,
            Speech::Memory => MEMORY,
        };
        command.args([PEER, &core.to_string(), waiting, speech]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed())?;
        let stdin = child.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(failed())?;
        }
        match line.trim().parse() {
            Ok(address) => Ok(Self { child, stdin, address }),
            Err(_) => {
                drop(stdin);
                Err(WorkloadError::runtime("the other host could not be started")(complaint(&mut child)))
            }
        }
    }

    /// Has it end, and says how it did.
    pub(super) fn end(mut self) -> Result<(), WorkloadError> {
        self.stdin = None;
        let failed = WorkloadError::runtime("the other host's end could not be awaited");
        if self.child.wait().map_err(failed)?.success() {
            Ok(())
        } else {
            let report = format!("the other host: {}", complaint(&mut self.child));
            Err(WorkloadError::Unclean { report })
        }
    }
}

/// What a process has said that ends.
fn complaint(child: &mut Child) -> String {
    let mut said = String::new();
    if let Some(stderr) = &mut child.stderr {
        let _ = stderr.read_to_string(&mut said);
    }
    said.trim().to_owned()
}

impl Drop for Far {
    fn drop(&mut self) {
        // In order it has ended already; if it hangs, nobody waits for it.
        if self.stdin.is_some() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Both hosts: a stage on the plan's first core, and another process on its second.
pub(super) struct Hosts {
    pub(super) stage: Stage,
    far: Far,
    usher: ActorRef<Want>,
}

impl Hosts {
    pub(super) fn start(plan: &Plan, idle: Idle, speech: Speech) -> Result<Self, WorkloadError> {
        let [near, far] = plan.pair()?;
        let far = Far::start(far, idle, speech)?;
        let stage = Stage::with(builder(near, idle, speech)?)?;
        let endpoint = stage.system().extension::<Endpoint>().ok_or(WorkloadError::Panicked)?;
        let url = format!("corelane://bench@{}/user/{USHER}", far.address);
        let usher = endpoint.lookup(&url, PATIENCE);
        let usher = usher.map_err(WorkloadError::runtime("the usher could not be found"))?;
        drop(endpoint);
        Ok(Self { stage, far, usher })
    }

    /// Where the other one is.
    pub(super) fn address(&self) -> SocketAddr {
        self.far.address
    }

    fn ask<R: Send + 'static>(
        &self,
        want: impl FnOnce(ReplyTo<R>) -> Want + Send + 'static,
    ) -> Result<R, WorkloadError> {
        let (usher, (answer, answered)) = (self.usher, mpsc::channel());
        let asked = self.stage.system().call(0, move |scope| {
            scope.ask(usher, PATIENCE, want, move |met| _ = answer.send(met));
        });
        asked.map_err(WorkloadError::runtime("the usher could not be asked"))?;
        let met = answered.recv().map_err(WorkloadError::runtime("the usher was not asked"))?;
        met.map_err(WorkloadError::runtime("the usher did not answer"))
    }

    /// An actor of the other host that deals with balls.
    pub(super) fn meet(
        &self,
        want: impl FnOnce(ReplyTo<Meet>) -> Want + Send + 'static,
    ) -> Result<ActorRef<super::words::Ball>, WorkloadError> {
        self.ask(want).map(|Meet(actor)| actor)
    }

    /// One that deals with texts.
    pub(super) fn meet_texts(
        &self,
        want: impl FnOnce(ReplyTo<MeetTexts>) -> Want + Send + 'static,
    ) -> Result<ActorRef<String>, WorkloadError> {
        self.ask(want).map(|MeetTexts(actor)| actor)
    }

    /// Ends both in order, this one first.
    pub(super) fn end(self) -> Result<(), WorkloadError> {
        let Self { stage, far, .. } = self;
        stage.end()?;
        far.end()
    }
}

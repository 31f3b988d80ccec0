//! ractor_cluster: a node in each process, on a tokio runtime of one thread pinned to its core; the actors find each other by
//! process groups, and the balls are vectors of bytes, which go over the wire as they are.
//!
//! With one ball under way a task that only yields keeps either runtime awake, and it looks at its sockets every fourth time
//! instead of every 61st. With many under way there is always something to do, and the runtimes are as tokio makes them.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use core_affinity::CoreId;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, pg};
use ractor_cluster::{NodeServer, NodeServerMessage, client_connect};
use tokio::io::AsyncReadExt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::pin;
use crate::system::{BALL, Places, RunError, System, rounds};

/// The first argument of a process that is the other node; its core follows, and whether it is kept awake.
const PEER: &str = "ractor-peer";
const AWAKE: &str = "awake";
const ASLEEP: &str = "asleep";
/// Tasks between two looks at the sockets, of a runtime that is kept awake.
const EVENT_INTERVAL: u32 = 4;
const COOKIE: &str = "rally";
/// The groups of who plays back and of who measures.
const ECHO: &str = "echo";
const PING: &str = "ping";

/// The system `ractor_cluster`.
pub(crate) struct RactorCluster;

impl System for RactorCluster {
    fn name(&self) -> &'static str {
        "ractor_cluster"
    }

    fn round_trip(&self, places: Places, window: u64, quick: bool) -> Result<f64, RunError> {
        let rounds = rounds(window, quick);
        let is_awake = window == 1;
        let far = Far::start(places.far, is_awake)?;
        pin(places.near)?;
        let elapsed = runtime(is_awake)?.block_on(play(far.port, window, rounds))?;
        far.end()?;
        Ok(elapsed.as_nanos() as f64 / rounds as f64)
    }
}

/// Serves as the other node, if this process was started as one.
pub(crate) fn peer() -> Option<ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [word, core, waiting] = &arguments[..] else { return None };
    if word != PEER {
        return None;
    }
    let id = core.to_str().and_then(|core| core.parse().ok())?;
    let is_awake = waiting == AWAKE;
    let served = pin(CoreId { id }).and_then(|()| runtime(is_awake)?.block_on(serve()));
    Some(match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

/// The other process.
struct Far {
    child: Child,
    port: u16,
}

impl Far {
    fn start(core: CoreId, is_awake: bool) -> Result<Self, RunError> {
        let failed = |error| RunError::Os("cannot start the other process", error);
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.args([PEER, &core.id.to_string(), if is_awake { AWAKE } else { ASLEEP }]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
        }
        match line.trim().parse() {
            Ok(port) => Ok(Self { child, port }),
            Err(_) => Err(RunError::Refused("the other process", complaint(&mut child))),
        }
    }

    fn end(mut self) -> Result<(), RunError> {
        drop(self.child.stdin.take());
        let failed = |error| RunError::Os("cannot wait for the other process", error);
        if self.child.wait().map_err(failed)?.success() {
            Ok(())
        } else {
            Err(RunError::Refused("the other process", complaint(&mut self.child)))
        }
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        // In order it has ended already.
        if self.child.stdin.is_some() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn complaint(child: &mut Child) -> String {
    drop(child.stdin.take());
    let mut said = String::new();
    if let Some(stderr) = &mut child.stderr {
        let _ = stderr.read_to_string(&mut said);
    }
    said.trim().to_owned()
}

/// A runtime of one thread. One that is kept awake looks at its sockets between any few tasks, and never sleeps.
fn runtime(is_awake: bool) -> Result<Runtime, RunError> {
    let mut builder = Builder::new_current_thread();
    if is_awake {
        builder.event_interval(EVENT_INTERVAL);
    }
    let runtime =
        builder.enable_all().build().map_err(|error| RunError::Os("cannot make a runtime", error))?;
    if is_awake {
        runtime.spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
    }
    Ok(runtime)
}

/// A node of this process, and the port at which it listens.
async fn node(name: &str) -> Result<(ActorRef<NodeServerMessage>, u16), RunError> {
    // Free a moment ago: the node does not say which one it was given.
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let port = free.map_err(|error| RunError::Os("no free port", error))?.port();
    let server =
        NodeServer::new(port, COOKIE.to_owned(), name.to_owned(), "localhost".to_owned(), None, None)
            .with_listen_addr(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let (node, _) = Actor::spawn(None, server, ()).await.map_err(RunError::refused("node"))?;
    Ok((node, port))
}

/// The other process, until its standard input ends.
async fn serve() -> Result<(), RunError> {
    let (node, port) = node("far").await?;
    let (echo, _) = Actor::spawn(None, Echo, ()).await.map_err(RunError::refused("spawn"))?;
    pg::join(ECHO.to_owned(), vec![echo.get_cell()]);
    let said = writeln!(std::io::stdout(), "{port}").and_then(|()| std::io::stdout().flush());
    said.map_err(|error| RunError::Os("cannot tell the port", error))?;
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    echo.stop(None);
    node.stop(None);
    Ok(())
}

/// This process: what so many balls took.
async fn play(port: u16, window: u64, rounds: u64) -> Result<Duration, RunError> {
    let (node, _) = node("near").await?;
    client_connect(&node, ("127.0.0.1", port)).await.map_err(RunError::refused("connect"))?;
    let echo = member(ECHO).await;
    let (done, ended) = oneshot::channel();
    let game = Game { echo, window, rounds, sent: 0, back: 0, began: None, done: Some(done) };
    let (ping, handle) = Actor::spawn(None, Ping, game).await.map_err(RunError::refused("spawn"))?;
    pg::join(PING.to_owned(), vec![ping.get_cell()]);
    ping.cast(Vec::new()).map_err(RunError::refused("tell"))?;
    let elapsed = ended.await.map_err(RunError::refused("ball"))?;
    ping.stop(None);
    let _ = handle.await;
    node.stop(None);
    elapsed.ok_or(RunError::WrongBall)
}

/// The first member of a group, once it is known here.
async fn member(group: &str) -> ActorCell {
    loop {
        if let Some(member) = pg::get_members(&group.to_owned()).into_iter().next() {
            return member;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn ball(number: u64) -> Vec<u8> {
    let mut bytes = vec![0; BALL];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// Plays every ball back to who measures.
struct Echo;

impl Actor for Echo {
    type Msg = Vec<u8>;
    type State = Option<ActorCell>;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Vec<u8>>, (): ()) -> Result<Self::State, ActorProcessingErr> {
        Ok(None)
    }

    async fn handle(
        &self,
        _: ActorRef<Vec<u8>>,
        ball: Vec<u8>,
        peer: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let peer = match peer {
            Some(peer) => peer,
            None => peer.insert(member(PING).await),
        };
        Ok(peer.send_message(ball)?)
    }
}

struct Game {
    echo: ActorCell,
    window: u64,
    rounds: u64,
    sent: u64,
    back: u64,
    began: Option<Instant>,
    done: Option<oneshot::Sender<Option<Duration>>>,
}

impl Game {
    fn serve(&mut self) -> Result<(), ActorProcessingErr> {
        if self.sent < self.rounds {
            self.echo.send_message(ball(self.sent))?;
            self.sent += 1;
        }
        Ok(())
    }

    fn end(&mut self, elapsed: Option<Duration>) {
        if let Some(done) = self.done.take() {
            let _ = done.send(elapsed);
        }
    }
}

/// Keeps some balls under way.
struct Ping;

impl Actor for Ping {
    type Msg = Vec<u8>;
    type State = Game;
    type Arguments = Game;

    async fn pre_start(&self, _: ActorRef<Vec<u8>>, game: Game) -> Result<Game, ActorProcessingErr> {
        Ok(game)
    }

    async fn handle(
        &self,
        _: ActorRef<Vec<u8>>,
        came: Vec<u8>,
        game: &mut Game,
    ) -> Result<(), ActorProcessingErr> {
        let Some(began) = game.began else {
            // The word to begin.
            game.began = Some(Instant::now());
            for _ in 0..game.window {
                game.serve()?;
            }
            return Ok(());
        };
        if came.get(..8) != Some(&game.back.to_le_bytes()) {
            game.end(None);
            return Ok(());
        }
        game.back += 1;
        if game.back == game.rounds {
            game.end(Some(began.elapsed()));
            return Ok(());
        }
        game.serve()
    }
}

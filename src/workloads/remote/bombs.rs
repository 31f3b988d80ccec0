//! Peers that throw bombs at a host, and what a link of the same host notices of it that stays busy. The workload
//! `remote.bombs`, whose figure is not the bombs' but the link's: what 99 of 100 round trips take at most, with a thousand balls
//! under way. Beside it is the same while nobody throws anything.
//!
//! A thousand times a second somebody connects, says a good hello, and throws a bomb of 64 KiB: lengths of 4 GiB, pieces with
//! gaps, streams that go no further, a message of 4 GiB that is announced. Another connection stays, and carries 80 million frames
//! a second that mean nothing, or as many as its socket takes. As many ticks end both.
//!
//! The bombs are thrown by an actor beside the one that plays, so what it costs to throw them is in the figure: with two
//! cores there is no third for it. And as with [`storm`](crate::workloads::storm), what is compared is a core at work: on an idle
//! one, a round's p99 would be the time that it takes to let a connection in, whatever the runtime does.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use corelane_kernel::{Actor, Ctx, Outcome};
use corelane_net::codec::type_hash;
use corelane_net::wire::{Chunk, Hello, Meaning, Room, VERSION, VERSION_OLDEST, capability};
use corelane_shard::Idle;

use super::WINDOW;
use super::host::{Hosts, Speech};
use super::words::{Ball, Want};
use crate::workloads::error::check;
use crate::workloads::quantile::Times;
use crate::workloads::stage::{Later, Reporter};
use crate::workloads::{Cost, Plan, WorkloadError};

const PERIOD: Duration = Duration::from_micros(100);
/// In so many ticks there is one bomb; what means nothing is said at each.
const BOMB_EACH: u64 = 10;
/// Bytes of a bomb, and of what means nothing at a tick.
const BOMB: usize = 64 << 10;
/// Balls whose times are not noted at first: the way is not warm yet.
const WARMING: u64 = 50 * WINDOW;
/// Longer than a host takes to close a connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections whose end is not looked for yet.
const OPEN_MAX: usize = 32;
/// The address that the thrower says is its own. Nobody listens at this port.
const OWN: &str = "127.0.0.1:9";

/// Keeps balls under way, and notes what each took, until it is told that it is over.
struct Juggler {
    peer: Later<Ball>,
    since: Instant,
    sent: u64,
    back: u64,
    in_order: u64,
    times: Times,
    over: Arc<AtomicBool>,
    reporter: Reporter,
}

impl Juggler {
    fn now(&self) -> u64 {
        self.since.elapsed().as_nanos() as u64
    }

    fn serve(&mut self, ctx: &mut Ctx<'_, Self>) {
        let mut ball = Ball::new(self.sent);
        ball.rest[0] = self.now();
        ctx.tell(self.peer.get(), ball);
        self.sent += 1;
    }
}

impl Actor for Juggler {
    type Msg = Ball;

    fn receive(&mut self, ball: Ball, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if self.sent == 0 {
            (0..WINDOW).for_each(|_| self.serve(ctx));
            return Ok(());
        }
        self.in_order += u64::from(ball.number == self.back);
        self.back += 1;
        if self.back > WARMING {
            self.times.add(self.now() - ball.rest[0]);
        }
        if !self.over.load(Ordering::Relaxed) {
            self.serve(ctx);
        } else if self.back == self.sent {
            self.reporter.report(self.times.per_mille(990), self.sent - self.in_order);
        }
        Ok(())
    }
}

fn bytes(meaning: &Meaning<'_>) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 10];
    let mut room = Room::new(&mut bytes);
    let fits = meaning.write(&mut room);
    let used = if fits { room.used() } else { 0 };
    bytes.truncate(used);
    bytes
}

fn piece(stream: u32, offset: u64, bytes: &[u8]) -> Vec<u8> {
    self::bytes(&Meaning::Chunk(Chunk { stream, offset, last: false, bytes }))
}

/// What peers throw. Each ends its connection.
fn bombs() -> [Vec<u8>; 4] {
    // A message's head, of nobody and no type, and a length.
    let endless = [[0; 24].as_slice(), &(4_u64 << 30).to_le_bytes()].concat();
    let all = |bomb: &mut dyn Iterator<Item = Vec<u8>>| {
        let mut bytes: Vec<u8> = Vec::new();
        while bytes.len() < BOMB {
            bytes.extend(bomb.next().unwrap_or_default());
        }
        bytes
    };
    [
        [0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0].repeat(BOMB / 8),
        all(&mut (0..).map(|number| piece(1, number * 16, &[1; 8]))),
        all(&mut (0..).map(|stream| piece(stream, 0, &[1; 8]))),
        piece(1, 0, &endless),
    ]
}

/// Throws bombs at a host.
struct Thrower {
    at: SocketAddr,
    node: u64,
    bombs: [Vec<u8>; 4],
    /// One that stays, and what it says.
    steady: Option<TcpStream>,
    nothing: Vec<u8>,
    epoch: u64,
    thrown: u64,
    /// Connections that are to be closed by the other end, the oldest first.
    open: VecDeque<TcpStream>,
    /// How many were.
    closed: Arc<AtomicU64>,
    left: u64,
    throws: bool,
    over: Arc<AtomicBool>,
}

impl Thrower {
    /// A connection on which a hello was said, and a frame behind it: only then it stands.
    fn connect(&mut self, address: &str) -> std::io::Result<TcpStream> {
        self.epoch += 1;
        let hello = Hello {
            welcome: false,
            version_oldest: VERSION_OLDEST,
            version_newest: VERSION,
            from_shard: 0,
            to_shard: 0,
            capabilities: capability::ALL,
            required: 0,
            node: type_hash(&format!("corelane://bench@{address}")),
            incarnation: 1,
            to_node: self.node,
            to_incarnation: 0,
            // The other end may dial meanwhile, and counts one up each time.
            epoch: self.epoch << 16,
            association: 1,
            frame_max: 1 << 16,
            message_max: 1 << 20,
            streams_max: 4,
            credit_bytes: 1 << 20,
            credit_messages: 1 << 10,
            signals_received: 0,
            system: "bench",
            address,
        };
        let mut stream = TcpStream::connect(self.at)?;
        stream.set_nodelay(true)?;
        stream.write_all(&[bytes(&Meaning::Hello(hello)), bytes(&Meaning::Heartbeat(0))].concat())?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    fn throw(&mut self) -> std::io::Result<()> {
        let mut stream = self.connect(OWN)?;
        // All that the socket takes; the other end may have closed it before the last byte.
        let _ = stream.write(&self.bombs[self.thrown as usize % self.bombs.len()]);
        self.thrown += 1;
        self.open.push_back(stream);
        while self.open.len() > OPEN_MAX {
            self.close_oldest()?;
        }
        Ok(())
    }

    /// Says frames that mean nothing, as many as the socket takes.
    fn say_nothing(&mut self) -> std::io::Result<()> {
        if self.steady.is_none() {
            self.steady = Some(self.connect("127.0.0.1:7")?);
        }
        let Some(steady) = &mut self.steady else { return Ok(()) };
        match steady.write(&self.nothing) {
            // Where a frame was cut off it goes on.
            Ok(count) => self.nothing.rotate_left(count % 8),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads the oldest connection to its end, which has come long ago unless the other end keeps it.
    fn close_oldest(&mut self) -> std::io::Result<()> {
        let Some(mut stream) = self.open.pop_front() else { return Ok(()) };
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        match stream.read_to_end(&mut Vec::new()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // It was closed with some of the bomb unread.
            Ok(_) | Err(_) => self.closed.fetch_add(1, Ordering::Relaxed),
        };
        Ok(())
    }
}

impl Actor for Thrower {
    type Msg = ();

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        Ok(ctx.set_periodic(0u64, PERIOD, ())?)
    }

    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.left -= 1;
        if self.throws {
            if self.left.is_multiple_of(BOMB_EACH) {
                self.throw()?;
            }
            self.say_nothing()?;
        }
        if self.left == 0 {
            ctx.cancel_timer(0u64);
            while !self.open.is_empty() {
                self.close_oldest()?;
            }
            self.over.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// `remote.bombs`: 2,000 of them, two seconds.
///
/// # Errors
/// See [`WorkloadError`].
pub(in crate::workloads) fn bombed(plan: &Plan) -> Result<Cost, WorkloadError> {
    run(plan, true)
}

/// Beside `remote.bombs`: as many ticks, and nobody throws anything.
///
/// # Errors
/// See [`WorkloadError`].
pub(in crate::workloads) fn quiet(plan: &Plan) -> Result<Cost, WorkloadError> {
    run(plan, false)
}

fn run(plan: &Plan, throws: bool) -> Result<Cost, WorkloadError> {
    let ticks = plan.pick(20_000, 3_000);
    let mut hosts = Hosts::start(plan, Idle::Latency, Speech::Clear)?;
    let (peer, over, closed) = (Later::default(), Arc::default(), Arc::<AtomicU64>::default());
    let (later, reporter, over_too) = (peer.clone(), hosts.stage.reporter(), Arc::clone(&over));
    let juggler = hosts.stage.spawn(0, move || Juggler {
        peer: later.clone(),
        since: Instant::now(),
        sent: 0,
        back: 0,
        in_order: 0,
        times: Times::new(),
        over: Arc::clone(&over_too),
        reporter: reporter.clone(),
    })?;
    peer.set(hosts.meet(move |reply| Want::Echo(juggler, reply))?);
    hosts.stage.tell(juggler, Ball::new(0))?;
    let (at, count) = (hosts.address(), Arc::clone(&closed));
    hosts.stage.spawn(0, move || Thrower {
        at,
        node: type_hash(&format!("corelane://bench@{at}")),
        bombs: bombs(),
        steady: None,
        nothing: [0, 0, 0, 0, 200, 0, 0, 0].repeat(BOMB / 8),
        epoch: 0,
        thrown: 0,
        open: VecDeque::new(),
        closed: Arc::clone(&count),
        left: ticks,
        throws,
        over: Arc::clone(&over),
    })?;
    let report = hosts.stage.wait()?;
    hosts.end()?;
    check("the balls that came back out of order", 0, report.found)?;
    let expected = if throws { ticks / BOMB_EACH } else { 0 };
    check("the connections that ended for their bombs", expected, closed.load(Ordering::Relaxed))?;
    Ok(Cost::time(report.elapsed, 1))
}

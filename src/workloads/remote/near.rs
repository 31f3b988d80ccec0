//! The actors of this host, which measure.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::words::Ball;
use crate::workloads::quantile::Times;
use crate::workloads::stage::{Later, Reporter};

/// Messages that the teller tells before it lets the shard do other work.
const BURST: u64 = 32;

/// Keeps some balls under way until all rounds are played; with one, they are played one after the other.
pub(super) struct Ping {
    pub(super) peer: Later<Ball>,
    pub(super) window: u64,
    pub(super) rounds: u64,
    pub(super) sent: u64,
    pub(super) back: u64,
    pub(super) began: Option<Instant>,
    /// What each round took, where one ball is under way and that is wanted; then what is reported is what 99 of 100 take
    /// at most.
    pub(super) times: Option<Times>,
    pub(super) last: Instant,
    pub(super) reporter: Reporter,
}

impl Ping {
    pub(super) fn new(peer: Later<Ball>, window: u64, rounds: u64, reporter: Reporter) -> Self {
        let last = Instant::now();
        Self { peer, window, rounds, sent: 0, back: 0, began: None, times: None, last, reporter }
    }

    fn serve(&mut self, ctx: &mut Ctx<'_, Self>) {
        if self.sent < self.rounds {
            ctx.tell(self.peer.get(), Ball::new(self.sent));
            self.sent += 1;
        }
    }
}

impl Actor for Ping {
    type Msg = Ball;

    fn receive(&mut self, ball: Ball, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let Some(began) = self.began else {
            self.last = Instant::now();
            self.began = Some(self.last);
            (0..self.window).for_each(|_| self.serve(ctx));
            return Ok(());
        };
        self.back += u64::from(ball.number == self.back);
        if let Some(times) = &mut self.times {
            let now = Instant::now();
            times.add((now - self.last).as_nanos() as u64);
            self.last = now;
        }
        if self.back < self.rounds {
            self.serve(ctx);
        } else {
            let p99 = self.times.as_ref().map(|times| times.per_mille(990));
            self.reporter.report(p99.unwrap_or_else(|| began.elapsed()), self.back);
        }
        Ok(())
    }
}

/// Tells balls one after the other; when there is no room for more, it lets the shard work and goes on.
pub(super) struct Teller {
    pub(super) peer: Later<Ball>,
    pub(super) messages: u64,
    pub(super) sent: u64,
    pub(super) began: Arc<OnceLock<Instant>>,
}

impl Actor for Teller {
    type Msg = ();

    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.began.get_or_init(Instant::now);
        let (peer, end) = (self.peer.get(), self.messages.min(self.sent + BURST));
        while self.sent < end && ctx.try_tell(peer, Ball::new(self.sent)).is_ok() {
            self.sent += 1;
        }
        if self.sent < self.messages {
            let me = ctx.me();
            ctx.tell(me, ());
        }
        Ok(())
    }
}

/// Hears from the sink how many came.
pub(super) struct Judge {
    pub(super) began: Arc<OnceLock<Instant>>,
    pub(super) reporter: Reporter,
}

impl Actor for Judge {
    type Msg = Ball;

    fn receive(&mut self, found: Ball, _: &mut Ctx<'_, Self>) -> Outcome {
        let elapsed = self.began.get().map(Instant::elapsed).unwrap_or_default();
        self.reporter.report(elapsed, found.number);
        Ok(())
    }
}

/// A client of Akka.NET's benchmark: keeps some texts under way until as many as are wanted have come back. The first that it
/// hears of is the word to begin.
pub(super) struct Client {
    pub(super) peer: Later<String>,
    pub(super) window: u64,
    pub(super) rounds: u64,
    pub(super) sent: u64,
    pub(super) back: u64,
    pub(super) begun: bool,
    pub(super) counter: ActorRef<u64>,
}

impl Client {
    fn serve(&mut self, text: String, ctx: &mut Ctx<'_, Self>) {
        if self.sent < self.rounds {
            ctx.tell(self.peer.get(), text);
            self.sent += 1;
        }
    }
}

impl Actor for Client {
    type Msg = String;

    fn receive(&mut self, text: String, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if !std::mem::replace(&mut self.begun, true) {
            (0..self.window).for_each(|_| self.serve(text.clone(), ctx));
            return Ok(());
        }
        self.back += u64::from(text == super::TEXT);
        if self.back == self.rounds {
            ctx.tell(self.counter, self.back);
        } else {
            self.serve(text, ctx);
        }
        Ok(())
    }
}

/// Notes when it begins, at the first it hears, and reports when all clients are done.
pub(super) struct Counter {
    pub(super) left: usize,
    pub(super) back: u64,
    pub(super) began: Option<Instant>,
    pub(super) reporter: Reporter,
}

impl Actor for Counter {
    type Msg = u64;

    fn receive(&mut self, back: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        let Some(began) = self.began else {
            self.began = Some(Instant::now());
            return Ok(());
        };
        self.back += back;
        self.left -= 1;
        if self.left == 0 {
            self.reporter.report(began.elapsed(), self.back);
        }
        Ok(())
    }
}

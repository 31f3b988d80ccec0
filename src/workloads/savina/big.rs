//! `savina.big`: 120 actors ping each other at random, 20,000 pings each; also on all shards, as `cross.all.big`.
//!
//! Each actor has one ping under way: it draws a peer, pings it, and draws the next when the pong has come. A sink
//! hears of each that is done. Every actor answers pings until all are done.

use std::sync::Arc;
use std::time::Instant;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use crate::workloads::dice::Dice;
use crate::workloads::error::check;
use crate::workloads::stage::{Report, Reporter, Stage};
use crate::workloads::{Cost, Plan, WorkloadError};

/// Actors.
const ACTORS: u32 = 120;

/// Pings of each.
const PINGS: u64 = 20_000;

/// What one of the many is told.
#[derive(Clone, Copy)]
enum Word {
    Begin,
    Ping { from: u32 },
    Pong { from: u32 },
}

/// Pings and answers.
struct Peer {
    number: u32,
    peers: Arc<Peers>,
    dice: Dice,
    asked: u32,
    left: u64,
    answers: u64,
}

/// The addresses of all, known when the last is spawned.
type Peers = std::sync::OnceLock<(Box<[ActorRef<Word>]>, ActorRef<News>)>;

impl Peer {
    fn ping(&mut self, ctx: &mut Ctx<'_, Self>) {
        let Some((peers, sink)) = self.peers.get() else { return };
        if self.left == 0 {
            ctx.tell(*sink, News::Done { answers: self.answers });
            return;
        }
        self.left -= 1;
        let peer = self.dice.below(peers.len());
        self.asked = peer as u32;
        ctx.tell(peers[peer], Word::Ping { from: self.number });
    }
}

impl Actor for Peer {
    type Msg = Word;

    fn receive(&mut self, word: Word, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match word {
            Word::Begin => self.ping(ctx),
            Word::Ping { from } => {
                if let Some((peers, _)) = self.peers.get() {
                    ctx.tell(peers[from as usize], Word::Pong { from: self.number });
                }
            }
            Word::Pong { from } => {
                // Only the one that was asked may answer.
                self.answers += u64::from(from == self.asked);
                self.ping(ctx);
            }
        }
        Ok(())
    }
}

/// What the sink is told.
#[derive(Clone, Copy)]
enum News {
    Begin,
    Done { answers: u64 },
}

/// Starts all and hears of each that is done.
struct Sink {
    peers: Arc<Peers>,
    done: u32,
    answers: u64,
    began: Instant,
    reporter: Reporter,
}

impl Actor for Sink {
    type Msg = News;

    fn receive(&mut self, news: News, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match news {
            News::Begin => {
                self.began = Instant::now();
                for &peer in self.peers.get().iter().flat_map(|(peers, _)| peers) {
                    ctx.tell(peer, Word::Begin);
                }
            }
            News::Done { answers } => {
                self.answers += answers;
                self.done += 1;
                if self.done == ACTORS {
                    self.reporter.report(self.began.elapsed(), self.answers);
                }
            }
        }
        Ok(())
    }
}

/// `savina.big`, on one shard.
pub(in crate::workloads) fn run(plan: &Plan) -> Result<Cost, WorkloadError> {
    many(&[plan.core()], PINGS)
}

/// `cross.all.big`: the same on all shards, the actors dealt to them in turn.
pub(in crate::workloads) fn cross(plan: &Plan) -> Result<Cost, WorkloadError> {
    plan.pair()?;
    many(plan.cores(), plan.pick(PINGS, PINGS / 4))
}

fn many(cores: &[usize], pings: u64) -> Result<Cost, WorkloadError> {
    let mut stage = Stage::on(cores)?;
    let all = Arc::<Peers>::default();
    let spawned: Box<[_]> = (0..ACTORS)
        .map(|number| {
            let peers = Arc::clone(&all);
            stage.spawn(number as usize % cores.len(), move || Peer {
                number,
                peers: Arc::clone(&peers),
                dice: Dice::new(u64::from(number)),
                asked: 0,
                left: pings,
                answers: 0,
            })
        })
        .collect::<Result<_, _>>()?;
    let (peers, reporter) = (Arc::clone(&all), stage.reporter());
    let sink = stage.spawn(0, move || Sink {
        peers: Arc::clone(&peers),
        done: 0,
        answers: 0,
        began: Instant::now(),
        reporter: reporter.clone(),
    })?;
    all.get_or_init(|| (spawned, sink));
    stage.tell(sink, News::Begin)?;
    let Report { elapsed, found } = stage.finish()?;
    let answers = u64::from(ACTORS) * pings;
    check("the answers", answers, found)?;
    Ok(Cost::time(elapsed, 2 * answers))
}

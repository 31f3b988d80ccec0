//! Kameo: unbounded mailboxes, `tell(..).try_send()` and `ask(..).send()`.

use std::convert::Infallible;
use std::time::Instant;

use kameo::actor::{Actor, ActorRef, Spawn};
use kameo::mailbox;
use kameo::message::{Context, Message};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, yield_now};

use crate::place::Place;
use crate::runtime::{Waiting, let_burst_be_handled, run, yield_until};
use crate::system::{BURST, Idle, Ran, RunError, System, bursts, share};
use crate::{resident, tally};

/// The system `kameo`.
pub(crate) struct Kameo;

impl System for Kameo {
    fn name(&self) -> &'static str {
        "kameo"
    }

    fn tell(&self, place: Place, sources: u64, messages: u64) -> Result<Ran, RunError> {
        run(place, Waiting::Park, async |far: Handle| {
            let sum = start_on(&far, Sum { total: 0 });
            sum.wait_for_startup().await;
            let begin = Instant::now();
            let mut tasks = JoinSet::new();
            for index in 0..sources {
                let sum = sum.clone();
                tasks.spawn(async move {
                    for burst in bursts(share(index, sources, messages)) {
                        for number in burst {
                            sum.tell(Number(number)).try_send().map_err(RunError::refused("tell"))?;
                        }
                        let_burst_be_handled().await;
                    }
                    Ok::<_, RunError>(())
                });
            }
            while let Some(end) = tasks.join_next().await {
                end.map_err(RunError::refused("source"))??;
            }
            let check = sum.ask(GetSum).send().await.map_err(RunError::refused("ask"))?;
            Ok(Ran { elapsed: begin.elapsed(), check })
        })
    }

    fn pingpong(&self, place: Place, round_trips: u64) -> Result<Ran, RunError> {
        run(place, Waiting::Poll, async |far: Handle| {
            let last = round_trips * 2;
            let (done, ended) = oneshot::channel();
            let pong = start_on(&far, Bat { to: None, last, done: None });
            let ping = start(Bat { to: Some(pong.clone()), last, done: Some(done) });
            pong.ask(Meet(ping.clone())).send().await.map_err(RunError::refused("meet"))?;
            ping.wait_for_startup().await;
            let begin = Instant::now();
            ping.tell(Ball(0)).try_send().map_err(RunError::refused("tell"))?;
            let check = ended.await.map_err(RunError::refused("ball"))?;
            Ok(Ran { elapsed: begin.elapsed(), check })
        })
    }

    fn ask(&self, place: Place, asks: u64) -> Result<Ran, RunError> {
        run(place, Waiting::Poll, async |far: Handle| {
            let next = start_on(&far, Next);
            next.wait_for_startup().await;
            let begin = Instant::now();
            let caller = tokio::spawn(async move {
                let mut sum = 0;
                for number in 0..asks {
                    sum += next.ask(Question(number)).send().await.map_err(RunError::refused("ask"))?;
                }
                Ok::<_, RunError>(sum)
            });
            let check = caller.await.map_err(RunError::refused("caller"))??;
            Ok(Ran { elapsed: begin.elapsed(), check })
        })
    }

    fn spawn(&self, place: Place, actors: u64) -> Result<Ran, RunError> {
        tally::reset();
        run(place, Waiting::Park, async |_| {
            let begin = Instant::now();
            let spawner = tokio::spawn(async move {
                let mut addresses = Vec::with_capacity(BURST as usize);
                for burst in bursts(0..actors) {
                    addresses.extend(burst.map(|number| start(Once(tally::State(number)))));
                    // What arrives before an actor has started is put aside for it, which costs more than a turn.
                    yield_now().await;
                    for address in addresses.drain(..) {
                        address.tell(Number(1)).try_send().map_err(RunError::refused("tell"))?;
                    }
                    yield_now().await;
                }
                yield_until(|| tally::gone() == actors).await;
                Ok::<_, RunError>(())
            });
            spawner.await.map_err(RunError::refused("spawner"))??;
            Ok(Ran { elapsed: begin.elapsed(), check: tally::sum() })
        })
    }

    fn idle(&self, place: Place, actors: u64) -> Result<Idle, RunError> {
        tally::reset();
        run(place, Waiting::Park, async |_| {
            let mut addresses: Vec<Option<_>> = (0..actors).map(|_| None).collect();
            let before = resident::bytes()?;
            for (address, number) in addresses.iter_mut().zip(0..) {
                *address = Some(start(Once(tally::State(number))));
            }
            yield_until(|| tally::started() == actors).await;
            let grown = resident::bytes()?.saturating_sub(before);
            for address in addresses.iter().flatten() {
                address.tell(Number(1)).try_send().map_err(RunError::refused("tell"))?;
            }
            yield_until(|| tally::gone() == actors).await;
            Ok(Idle { grown, check: tally::sum() })
        })
    }
}

/// Spawns on the runtime of the calling task.
fn start<A: Actor<Args = A>>(actor: A) -> ActorRef<A> {
    A::spawn_with_mailbox(actor, mailbox::unbounded())
}

/// Spawns on the runtime of `side`.
fn start_on<A: Actor<Args = A>>(side: &Handle, actor: A) -> ActorRef<A> {
    let _inside = side.enter();
    start(actor)
}

struct Number(u64);
struct GetSum;

/// The summing actor.
struct Sum {
    total: u64,
}

impl Actor for Sum {
    type Args = Self;
    type Error = Infallible;
    async fn on_start(sum: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(sum)
    }
}

impl Message<Number> for Sum {
    type Reply = ();
    async fn handle(&mut self, Number(number): Number, _: &mut Context<Self, ()>) {
        self.total += number;
    }
}

impl Message<GetSum> for Sum {
    type Reply = u64;
    async fn handle(&mut self, _: GetSum, _: &mut Context<Self, u64>) -> u64 {
        self.total
    }
}

struct Ball(u64);
struct Meet(ActorRef<Bat>);

/// One side of the game: returns the ball, one higher, until it has reached `last`.
struct Bat {
    to: Option<ActorRef<Bat>>,
    last: u64,
    done: Option<oneshot::Sender<u64>>,
}

impl Actor for Bat {
    type Args = Self;
    type Error = Infallible;
    async fn on_start(bat: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(bat)
    }
}

impl Message<Meet> for Bat {
    type Reply = ();
    async fn handle(&mut self, Meet(other): Meet, _: &mut Context<Self, ()>) {
        self.to = Some(other);
    }
}

impl Message<Ball> for Bat {
    type Reply = ();
    async fn handle(&mut self, Ball(ball): Ball, _: &mut Context<Self, ()>) {
        if ball < self.last {
            if let Some(to) = &self.to {
                let _ = to.tell(Ball(ball + 1)).try_send();
            }
        } else if let Some(done) = self.done.take() {
            let _ = done.send(ball);
        }
    }
}

struct Question(u64);

/// Answers each number with the next.
struct Next;

impl Actor for Next {
    type Args = Self;
    type Error = Infallible;
    async fn on_start(next: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(next)
    }
}

impl Message<Question> for Next {
    type Reply = u64;
    async fn handle(&mut self, Question(number): Question, _: &mut Context<Self, u64>) -> u64 {
        number + 1
    }
}

/// Handles one message and stops.
struct Once(tally::State);

impl Actor for Once {
    type Args = Self;
    type Error = Infallible;
    async fn on_start(once: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        tally::start();
        Ok(once)
    }
}

impl Message<Number> for Once {
    type Reply = ();
    async fn handle(&mut self, Number(message): Number, ctx: &mut Context<Self, ()>) {
        self.0.handle(message);
        ctx.stop();
    }
}

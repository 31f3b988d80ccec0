//! Ractor: `cast` and `call` without a timeout.

use std::time::Instant;

use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, yield_now};

use crate::place::Place;
use crate::runtime::{Waiting, let_burst_be_handled, run, yield_until};
use crate::system::{BURST, Idle, Ran, RunError, System, bursts, share};
use crate::{resident, tally};

/// The system `ractor`.
pub(crate) struct Ractor;

impl System for Ractor {
    fn name(&self) -> &'static str {
        "ractor"
    }

    fn tell(&self, place: Place, sources: u64, messages: u64) -> Result<Ran, RunError> {
        run(place, Waiting::Park, async |far: Handle| {
            let sum = start_on(&far, Sum, ()).await?;
            let begin = Instant::now();
            let mut tasks = JoinSet::new();
            for index in 0..sources {
                let sum = sum.clone();
                tasks.spawn(async move {
                    for burst in bursts(share(index, sources, messages)) {
                        for number in burst {
                            sum.cast(Add::Number(number)).map_err(RunError::refused("tell"))?;
                        }
                        let_burst_be_handled().await;
                    }
                    Ok::<_, RunError>(())
                });
            }
            while let Some(end) = tasks.join_next().await {
                end.map_err(RunError::refused("source"))??;
            }
            let check = answer(sum.call(Add::Sum, None).await.map_err(RunError::refused("ask"))?)?;
            Ok(Ran { elapsed: begin.elapsed(), check })
        })
    }

    fn pingpong(&self, place: Place, round_trips: u64) -> Result<Ran, RunError> {
        run(place, Waiting::Poll, async |far: Handle| {
            let last = round_trips * 2;
            let (done, ended) = oneshot::channel();
            let pong = start_on(&far, Bat, Game { to: None, last, done: None }).await?;
            let ping = start(Bat, Game { to: Some(pong.clone()), last, done: Some(done) }).await?;
            let meet = |reply| Ball::Meet(ping.clone(), reply);
            answer(pong.call(meet, None).await.map_err(RunError::refused("meet"))?)?;
            let begin = Instant::now();
            ping.cast(Ball::At(0)).map_err(RunError::refused("tell"))?;
            let check = ended.await.map_err(RunError::refused("ball"))?;
            Ok(Ran { elapsed: begin.elapsed(), check })
        })
    }

    fn ask(&self, place: Place, asks: u64) -> Result<Ran, RunError> {
        run(place, Waiting::Poll, async |far: Handle| {
            let next = start_on(&far, Next, ()).await?;
            let begin = Instant::now();
            let caller = tokio::spawn(async move {
                let mut sum = 0;
                for number in 0..asks {
                    let question = |reply| Question(number, reply);
                    sum += answer(next.call(question, None).await.map_err(RunError::refused("ask"))?)?;
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
                    for number in burst {
                        addresses.push(start(Once, tally::State(number)).await?);
                    }
                    for address in addresses.drain(..) {
                        address.cast(1).map_err(RunError::refused("tell"))?;
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
                *address = Some(start(Once, tally::State(number)).await?);
            }
            yield_until(|| tally::started() == actors).await;
            let grown = resident::bytes()?.saturating_sub(before);
            for address in addresses.iter().flatten() {
                address.cast(1).map_err(RunError::refused("tell"))?;
            }
            yield_until(|| tally::gone() == actors).await;
            Ok(Idle { grown, check: tally::sum() })
        })
    }
}

/// Spawns on the runtime of the calling task.
async fn start<A: Actor>(actor: A, arguments: A::Arguments) -> Result<ActorRef<A::Msg>, RunError> {
    let (address, _task) = A::spawn(None, actor, arguments).await.map_err(RunError::refused("spawn"))?;
    Ok(address)
}

/// Spawns on the runtime of `side`.
async fn start_on<A: Actor>(
    side: &Handle,
    actor: A,
    arguments: A::Arguments,
) -> Result<ActorRef<A::Msg>, RunError> {
    side.spawn(start(actor, arguments)).await.map_err(RunError::refused("spawn"))?
}

fn answer<T>(result: CallResult<T>) -> Result<T, RunError> {
    match result {
        CallResult::Success(answer) => Ok(answer),
        CallResult::Timeout => Err(RunError::Refused("ask", "timed out".to_owned())),
        CallResult::SenderError => Err(RunError::Refused("ask", "no answer".to_owned())),
    }
}

enum Add {
    Number(u64),
    Sum(RpcReplyPort<u64>),
}

/// The summing actor.
struct Sum;

impl Actor for Sum {
    type Msg = Add;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Add>, _: ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Add>, msg: Add, total: &mut u64) -> Result<(), ActorProcessingErr> {
        match msg {
            Add::Number(number) => *total += number,
            Add::Sum(reply) => reply.send(*total)?,
        }
        Ok(())
    }
}

enum Ball {
    At(u64),
    Meet(ActorRef<Ball>, RpcReplyPort<()>),
}

struct Game {
    to: Option<ActorRef<Ball>>,
    last: u64,
    done: Option<oneshot::Sender<u64>>,
}

/// One side of the game: returns the ball, one higher, until it has reached `last`.
struct Bat;

impl Actor for Bat {
    type Msg = Ball;
    type State = Game;
    type Arguments = Game;

    async fn pre_start(&self, _: ActorRef<Ball>, game: Game) -> Result<Game, ActorProcessingErr> {
        Ok(game)
    }

    async fn handle(&self, _: ActorRef<Ball>, msg: Ball, game: &mut Game) -> Result<(), ActorProcessingErr> {
        match msg {
            Ball::At(ball) if ball < game.last => {
                if let Some(to) = &game.to {
                    to.cast(Ball::At(ball + 1))?;
                }
            }
            Ball::At(ball) => {
                if let Some(done) = game.done.take() {
                    let _ = done.send(ball);
                }
            }
            Ball::Meet(other, reply) => {
                game.to = Some(other);
                reply.send(())?;
            }
        }
        Ok(())
    }
}

struct Question(u64, RpcReplyPort<u64>);

/// Answers each number with the next.
struct Next;

impl Actor for Next {
    type Msg = Question;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Question>, _: ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Question>,
        Question(number, reply): Question,
        _: &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(reply.send(number + 1)?)
    }
}

/// Handles one message and stops.
struct Once;

impl Actor for Once {
    type Msg = u64;
    type State = tally::State;
    type Arguments = tally::State;

    async fn pre_start(
        &self,
        _: ActorRef<u64>,
        state: tally::State,
    ) -> Result<tally::State, ActorProcessingErr> {
        tally::start();
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<u64>,
        message: u64,
        state: &mut tally::State,
    ) -> Result<(), ActorProcessingErr> {
        state.handle(message);
        myself.stop(None);
        Ok(())
    }
}

//! Plain tokio: an actor is a task that owns its state and the receiver of an `mpsc` channel.

use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, yield_now};

use crate::place::Place;
use crate::runtime::{Waiting, run, yield_until};
use crate::system::{BURST, Idle, Ran, RunError, System, bursts, share};
use crate::{resident, tally};

/// The system `tokio`.
pub(crate) struct Tokio;

impl System for Tokio {
    fn name(&self) -> &'static str {
        "tokio"
    }

    fn tell(&self, place: Place, sources: u64, messages: u64) -> Result<Ran, RunError> {
        run(place, Waiting::Park, async |far: Handle| {
            let (to, from) = unbounded_channel();
            far.spawn(sum(from));
            let begin = Instant::now();
            let mut tasks = JoinSet::new();
            for index in 0..sources {
                let to = to.clone();
                tasks.spawn(async move {
                    for burst in bursts(share(index, sources, messages)) {
                        for number in burst {
                            to.send(Add::Number(number)).map_err(RunError::refused("tell"))?;
                        }
                        yield_now().await;
                    }
                    Ok::<_, RunError>(())
                });
            }
            while let Some(end) = tasks.join_next().await {
                end.map_err(RunError::refused("source"))??;
            }
            let (answer, answered) = oneshot::channel();
            to.send(Add::Sum(answer)).map_err(RunError::refused("ask"))?;
            let check = answered.await.map_err(RunError::refused("ask"))?;
            Ok(Ran { elapsed: begin.elapsed(), check })
        })
    }

    fn pingpong(&self, place: Place, round_trips: u64) -> Result<Ran, RunError> {
        run(place, Waiting::Poll, async |far: Handle| {
            let (ping, ping_in) = unbounded_channel();
            let (pong, pong_in) = unbounded_channel();
            let (done, ended) = oneshot::channel();
            far.spawn(bat(pong_in, ping.clone(), round_trips * 2, None));
            tokio::spawn(bat(ping_in, pong, round_trips * 2, Some(done)));
            let begin = Instant::now();
            ping.send(0).map_err(RunError::refused("tell"))?;
            let check = ended.await.map_err(RunError::refused("ball"))?;
            Ok(Ran { elapsed: begin.elapsed(), check })
        })
    }

    fn ask(&self, place: Place, asks: u64) -> Result<Ran, RunError> {
        run(place, Waiting::Poll, async |far: Handle| {
            let (to, from) = unbounded_channel::<(u64, oneshot::Sender<u64>)>();
            far.spawn(answer(from));
            let begin = Instant::now();
            let caller = tokio::spawn(async move {
                let mut sum = 0;
                for number in 0..asks {
                    let (reply, replied) = oneshot::channel();
                    to.send((number, reply)).map_err(RunError::refused("ask"))?;
                    sum += replied.await.map_err(RunError::refused("ask"))?;
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
                    addresses.extend(burst.map(once));
                    for address in addresses.drain(..) {
                        address.send(1).map_err(RunError::refused("tell"))?;
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
                *address = Some(once(number));
            }
            yield_until(|| tally::started() == actors).await;
            let grown = resident::bytes()?.saturating_sub(before);
            for address in addresses.iter().flatten() {
                address.send(1).map_err(RunError::refused("tell"))?;
            }
            yield_until(|| tally::gone() == actors).await;
            Ok(Idle { grown, check: tally::sum() })
        })
    }
}

enum Add {
    Number(u64),
    Sum(oneshot::Sender<u64>),
}

/// The summing actor: takes as many messages at a time as there are, up to a burst.
async fn sum(mut from: UnboundedReceiver<Add>) {
    let mut total = 0;
    let mut batch = Vec::with_capacity(BURST as usize);
    while from.recv_many(&mut batch, BURST as usize).await > 0 {
        for message in batch.drain(..) {
            match message {
                Add::Number(number) => total += number,
                // An asker that has gone needs no answer.
                Add::Sum(answer) => drop(answer.send(total)),
            }
        }
    }
}

/// One side of the game: returns the ball, one higher, until it has reached `last`.
async fn bat(
    mut from: UnboundedReceiver<u64>,
    to: UnboundedSender<u64>,
    last: u64,
    mut done: Option<oneshot::Sender<u64>>,
) {
    while let Some(ball) = from.recv().await {
        if ball < last {
            let _ = to.send(ball + 1);
        } else if let Some(done) = done.take() {
            let _ = done.send(ball);
            return;
        }
    }
}

/// Answers each number with the next.
async fn answer(mut from: UnboundedReceiver<(u64, oneshot::Sender<u64>)>) {
    while let Some((number, reply)) = from.recv().await {
        let _ = reply.send(number + 1);
    }
}

/// Spawns an actor that handles one message and stops.
fn once(number: u64) -> UnboundedSender<u64> {
    let (to, mut from) = unbounded_channel();
    let state = tally::State(number);
    tokio::spawn(async move {
        tally::start();
        if let Some(message) = from.recv().await {
            state.handle(message);
        }
    });
    to
}

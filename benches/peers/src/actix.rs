//! Actix: a `System` on the near side, an `Arbiter` on the far side, and `do_send`.

use std::io;
use std::time::Instant;

use actix::{Actor, ActorContext, Addr, Arbiter, ArbiterHandle, Context, Handler, Message};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::place::{Place, pin};
use crate::runtime::{Waiting, current_thread, poll_forever, yield_until};
use crate::system::{BURST, Idle, Ran, RunError, System, bursts, share};
use crate::{resident, tally};

/// The system `actix`.
pub(crate) struct Actix;

impl System for Actix {
    fn name(&self) -> &'static str {
        "actix"
    }

    fn tell(&self, place: Place, sources: u64, messages: u64) -> Result<Ran, RunError> {
        run(place, Waiting::Park, async |far: ArbiterHandle| {
            let sum = Sum::start_in_arbiter(&far, |_| Sum { total: 0 });
            let begin = Instant::now();
            let mut tasks = Vec::new();
            for index in 0..sources {
                let sum = sum.clone();
                tasks.push(actix::spawn(async move {
                    for burst in bursts(share(index, sources, messages)) {
                        for number in burst {
                            sum.do_send(Number(number));
                        }
                        yield_now().await;
                    }
                }));
            }
            for task in tasks {
                task.await.map_err(RunError::refused("source"))?;
            }
            let check = sum.send(GetSum).await.map_err(RunError::refused("ask"))?;
            Ok(Ran { elapsed: begin.elapsed(), check })
        })
    }

    fn pingpong(&self, place: Place, round_trips: u64) -> Result<Ran, RunError> {
        run(place, Waiting::Poll, async |far: ArbiterHandle| {
            let last = round_trips * 2;
            let (done, ended) = oneshot::channel();
            let pong = Bat::start_in_arbiter(&far, move |_| Bat { to: None, last, done: None });
            let ping = Bat { to: Some(pong.clone()), last, done: Some(done) }.start();
            pong.send(Meet(ping.clone())).await.map_err(RunError::refused("meet"))?;
            let begin = Instant::now();
            ping.do_send(Ball(0));
            let check = ended.await.map_err(RunError::refused("ball"))?;
            Ok(Ran { elapsed: begin.elapsed(), check })
        })
    }

    fn ask(&self, place: Place, asks: u64) -> Result<Ran, RunError> {
        run(place, Waiting::Poll, async |far: ArbiterHandle| {
            let next = Next::start_in_arbiter(&far, |_| Next);
            let begin = Instant::now();
            let caller = actix::spawn(async move {
                let mut sum = 0;
                for number in 0..asks {
                    sum += next.send(Question(number)).await.map_err(RunError::refused("ask"))?;
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
            let spawner = actix::spawn(async move {
                let mut addresses = Vec::with_capacity(BURST as usize);
                for burst in bursts(0..actors) {
                    addresses.extend(burst.map(|number| Once(tally::State(number)).start()));
                    for address in addresses.drain(..) {
                        address.do_send(Number(1));
                    }
                    yield_now().await;
                }
                yield_until(|| tally::gone() == actors).await;
            });
            spawner.await.map_err(RunError::refused("spawner"))?;
            Ok(Ran { elapsed: begin.elapsed(), check: tally::sum() })
        })
    }

    fn idle(&self, place: Place, actors: u64) -> Result<Idle, RunError> {
        tally::reset();
        run(place, Waiting::Park, async |_| {
            let mut addresses: Vec<Option<_>> = (0..actors).map(|_| None).collect();
            let before = resident::bytes()?;
            for (address, number) in addresses.iter_mut().zip(0..) {
                *address = Some(Once(tally::State(number)).start());
            }
            yield_until(|| tally::started() == actors).await;
            let grown = resident::bytes()?.saturating_sub(before);
            for address in addresses.iter().flatten() {
                address.do_send(Number(1));
            }
            yield_until(|| tally::gone() == actors).await;
            Ok(Idle { grown, check: tally::sum() })
        })
    }
}

/// Runs `body` in a system on the near side, with the handle of the arbiter on the far side: the system's own on one
/// core. Both run on a runtime without drivers.
fn run<T, F>(place: Place, waiting: Waiting, body: F) -> Result<T, RunError>
where
    F: AsyncFnOnce(ArbiterHandle) -> Result<T, RunError>,
{
    pin(place.near)?;
    let near = current_thread()?;
    actix::System::with_tokio_rt(move || near).block_on(async {
        if !place.is_split() {
            return body(Arbiter::current()).await;
        }
        let far = Arbiter::try_with_tokio_rt(move || {
            pin(place.far).and_then(|()| current_thread()).map_err(io::Error::other)
        })
        .map_err(|error| RunError::Os("cannot start an arbiter", error))?;
        if waiting == Waiting::Poll {
            far.spawn(poll_forever());
            actix::spawn(poll_forever());
        }
        let result = body(far.handle()).await;
        far.stop();
        far.join().map_err(|_| RunError::Panicked)?;
        result
    })
}

struct Number(u64);
impl Message for Number {
    type Result = ();
}

struct GetSum;
impl Message for GetSum {
    type Result = u64;
}

/// The summing actor.
struct Sum {
    total: u64,
}

impl Actor for Sum {
    type Context = Context<Self>;
}

impl Handler<Number> for Sum {
    type Result = ();
    fn handle(&mut self, Number(number): Number, _: &mut Context<Self>) {
        self.total += number;
    }
}

impl Handler<GetSum> for Sum {
    type Result = u64;
    fn handle(&mut self, _: GetSum, _: &mut Context<Self>) -> u64 {
        self.total
    }
}

struct Ball(u64);
impl Message for Ball {
    type Result = ();
}

struct Meet(Addr<Bat>);
impl Message for Meet {
    type Result = ();
}

/// One side of the game: returns the ball, one higher, until it has reached `last`.
struct Bat {
    to: Option<Addr<Bat>>,
    last: u64,
    done: Option<oneshot::Sender<u64>>,
}

impl Actor for Bat {
    type Context = Context<Self>;
}

impl Handler<Meet> for Bat {
    type Result = ();
    fn handle(&mut self, Meet(other): Meet, _: &mut Context<Self>) {
        self.to = Some(other);
    }
}

impl Handler<Ball> for Bat {
    type Result = ();
    fn handle(&mut self, Ball(ball): Ball, _: &mut Context<Self>) {
        if ball < self.last {
            if let Some(to) = &self.to {
                to.do_send(Ball(ball + 1));
            }
        } else if let Some(done) = self.done.take() {
            let _ = done.send(ball);
        }
    }
}

struct Question(u64);
impl Message for Question {
    type Result = u64;
}

/// Answers each number with the next.
struct Next;

impl Actor for Next {
    type Context = Context<Self>;
}

impl Handler<Question> for Next {
    type Result = u64;
    fn handle(&mut self, Question(number): Question, _: &mut Context<Self>) -> u64 {
        number + 1
    }
}

/// Handles one message and stops.
struct Once(tally::State);

impl Actor for Once {
    type Context = Context<Self>;
    fn started(&mut self, _: &mut Context<Self>) {
        tally::start();
    }
}

impl Handler<Number> for Once {
    type Result = ();
    fn handle(&mut self, Number(message): Number, ctx: &mut Context<Self>) {
        self.0.handle(message);
        ctx.stop();
    }
}

//! Corelane: a system of one shard, or of two, each pinned to its core; sources, callers and spawners are actors.
//!
//! Telling goes through `try_tell`, so that a source that has outrun its receiver waits a turn instead of losing messages.
//! Shards are `Balanced`, the default: they spin while there is traffic.

use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use corelane::prelude::*;

use crate::place::Place;
use crate::system::{BURST, Idle as IdleRan, Ran, RunError, System as Measured, share};
use crate::{resident, tally};

/// The system `corelane`.
pub(crate) struct Corelane;

impl Measured for Corelane {
    fn name(&self) -> &'static str {
        "corelane"
    }

    fn tell(&self, place: Place, sources: u64, messages: u64) -> Result<Ran, RunError> {
        run(place, move |system, far, done| {
            let sum = spawn(system, far, || Sum { total: 0 })?;
            let judge =
                spawn(system, 0, move || Judge { sum, left: sources, begin: None, done: done.clone() })?;
            for index in 0..sources {
                let numbers = share(index, sources, messages);
                let source =
                    spawn(system, 0, move || Source { sum, judge, numbers: numbers.clone(), begun: false })?;
                start(system, source, ())?;
            }
            Ok(())
        })
    }

    fn pingpong(&self, place: Place, round_trips: u64) -> Result<Ran, RunError> {
        run(place, move |system, far, done| {
            let pong = spawn(system, far, || Pong)?;
            let ping = spawn(system, 0, move || Ping {
                pong,
                last: round_trips * 2,
                begin: None,
                done: done.clone(),
            })?;
            start(system, ping, 0)
        })
    }

    fn ask(&self, place: Place, asks: u64) -> Result<Ran, RunError> {
        run(place, move |system, far, done| {
            let next = spawn(system, far, || Next)?;
            let caller = spawn(system, 0, move || Caller {
                next,
                asks,
                asked: 0,
                sum: 0,
                begin: None,
                done: done.clone(),
            })?;
            start(system, caller, None)
        })
    }

    fn spawn(&self, place: Place, actors: u64) -> Result<Ran, RunError> {
        tally::reset();
        run(place, move |system, _, done| {
            let nursery =
                spawn(system, 0, move || Nursery { spawned: 0, actors, begin: None, done: done.clone() })?;
            start(system, nursery, ())
        })
    }

    fn idle(&self, place: Place, actors: u64) -> Result<IdleRan, RunError> {
        tally::reset();
        let system = System::builder()
            .cores(&[place.near.id])
            .start()
            .map_err(RunError::refused("starting the system"))?;
        let mut addresses = vec![ActorRef::nobody(); actors as usize];
        // Touched before, so that it does not count.
        addresses.fill(ActorRef::nobody());
        let before = resident::bytes()?;
        let spawned = system.call(0, move |scope| {
            for (address, number) in addresses.iter_mut().zip(0..) {
                *address = scope.spawn(Once(tally::State(number)))?;
            }
            Ok::<_, corelane::kernel::SpawnError>(addresses)
        });
        let addresses =
            spawned.map_err(RunError::refused("spawning"))?.map_err(RunError::refused("spawning"))?;
        wait_until(&system, || tally::started() == actors)?;
        let grown = resident::bytes()?.saturating_sub(before);
        let told = system.call(0, move |scope| {
            for address in addresses {
                scope.tell(address, 1);
            }
        });
        told.map_err(RunError::refused("telling"))?;
        wait_until(&system, || tally::gone() == actors)?;
        end(system)?;
        Ok(IdleRan { grown, check: tally::sum() })
    }
}

/// Runs `body` with a system and the number of the far shard; it starts actors that report into the channel.
fn run(
    place: Place,
    body: impl FnOnce(&System, usize, Sender<Ran>) -> Result<(), RunError>,
) -> Result<Ran, RunError> {
    let cores = if place.is_split() { vec![place.near.id, place.far.id] } else { vec![place.near.id] };
    let system = System::builder().cores(&cores).start().map_err(RunError::refused("starting the system"))?;
    let (done, reported): (Sender<Ran>, Receiver<Ran>) = channel();
    body(&system, cores.len() - 1, done)?;
    let ran = reported.recv().map_err(RunError::refused("report"))?;
    end(system)?;
    Ok(ran)
}

fn end(system: System) -> Result<(), RunError> {
    let report = system.shutdown(Duration::from_secs(30));
    if report.is_clean() && report.dead_letters() == 0 {
        return Ok(());
    }
    Err(RunError::Refused("shutdown", report.to_string()))
}

fn spawn<A: Actor>(
    system: &System,
    shard: usize,
    factory: impl FnMut() -> A + Send + 'static,
) -> Result<ActorRef<A::Msg>, RunError> {
    system.spawn_on(On::Shard(shard), factory).map_err(RunError::refused("spawning"))
}

fn start<M: Send + 'static>(system: &System, actor: ActorRef<M>, message: M) -> Result<(), RunError> {
    let shard = actor.place().shard();
    system.call(shard, move |scope| scope.tell(actor, message)).map_err(RunError::refused("telling"))
}

/// Has the shard run until `done`; each call lets it work off what waits.
fn wait_until(system: &System, done: impl Fn() -> bool) -> Result<(), RunError> {
    while !done() {
        system.call(0, |_| ()).map_err(RunError::refused("waiting"))?;
    }
    Ok(())
}

enum Count {
    Number(u64),
    Get(ReplyTo<u64>),
}

/// The summing actor.
struct Sum {
    total: u64,
}

impl Actor for Sum {
    type Msg = Count;
    fn receive(&mut self, msg: Count, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Count::Number(number) => self.total += number,
            Count::Get(reply) => ctx.tell(reply, self.total),
        }
        Ok(())
    }
}

/// Tells the sum its numbers, a burst at a time.
struct Source {
    sum: ActorRef<Count>,
    judge: ActorRef<Verdict>,
    numbers: Range<u64>,
    begun: bool,
}

impl Actor for Source {
    type Msg = ();
    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        if !std::mem::replace(&mut self.begun, true) {
            ctx.tell(self.judge, Verdict::Begun);
        }
        let end = self.numbers.end.min(self.numbers.start + BURST);
        for number in self.numbers.start..end {
            if ctx.try_tell(self.sum, Count::Number(number)).is_err() {
                break;
            }
            self.numbers.start += 1;
        }
        if self.numbers.is_empty() {
            ctx.tell(self.judge, Verdict::Sent);
        } else {
            let me = ctx.me();
            ctx.tell(me, ());
        }
        Ok(())
    }
}

enum Verdict {
    Begun,
    Sent,
    Sum(Result<u64, AskError>),
}

/// Takes the time from the first source's beginning until the sum is told.
struct Judge {
    sum: ActorRef<Count>,
    left: u64,
    begin: Option<Instant>,
    done: Sender<Ran>,
}

impl Actor for Judge {
    type Msg = Verdict;
    fn receive(&mut self, msg: Verdict, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Verdict::Begun => {
                self.begin.get_or_insert_with(Instant::now);
            }
            Verdict::Sent => {
                self.left -= 1;
                if self.left == 0 {
                    ctx.ask(self.sum, Duration::from_secs(60), Count::Get, Verdict::Sum);
                }
            }
            Verdict::Sum(sum) => report(&self.done, self.begin, sum?)?,
        }
        Ok(())
    }
}

fn report(done: &Sender<Ran>, begin: Option<Instant>, check: u64) -> Outcome {
    let begin = begin.ok_or_else(|| Failure::new("ended before it began"))?;
    Ok(done.send(Ran { elapsed: begin.elapsed(), check })?)
}

/// Returns the ball, one higher.
struct Pong;

impl Actor for Pong {
    type Msg = (ActorRef<u64>, u64);
    fn receive(&mut self, (to, ball): Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.tell(to, ball + 1);
        Ok(())
    }
}

struct Ping {
    pong: ActorRef<(ActorRef<u64>, u64)>,
    last: u64,
    begin: Option<Instant>,
    done: Sender<Ran>,
}

impl Actor for Ping {
    type Msg = u64;
    fn receive(&mut self, ball: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.begin.get_or_insert_with(Instant::now);
        if ball >= self.last {
            return report(&self.done, self.begin, ball);
        }
        let me = ctx.me();
        ctx.tell(self.pong, (me, ball + 1));
        Ok(())
    }
}

/// Answers each number with the next.
struct Next;

impl Actor for Next {
    type Msg = (u64, ReplyTo<u64>);
    fn receive(&mut self, (number, reply): Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.tell(reply, number + 1);
        Ok(())
    }
}

struct Caller {
    next: ActorRef<(u64, ReplyTo<u64>)>,
    asks: u64,
    asked: u64,
    sum: u64,
    begin: Option<Instant>,
    done: Sender<Ran>,
}

impl Actor for Caller {
    type Msg = Option<Result<u64, AskError>>;
    fn receive(&mut self, answer: Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.begin.get_or_insert_with(Instant::now);
        if let Some(answer) = answer {
            self.sum += answer?;
        }
        if self.asked == self.asks {
            return report(&self.done, self.begin, self.sum);
        }
        let number = self.asked;
        self.asked += 1;
        ctx.ask(self.next, Duration::from_secs(60), |reply| (number, reply), Some);
        Ok(())
    }
}

/// Handles one message and stops.
struct Once(tally::State);

impl Actor for Once {
    type Msg = u64;
    fn started(&mut self, _: &mut Ctx<'_, Self>) -> Outcome {
        tally::start();
        Ok(())
    }
    fn receive(&mut self, message: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.0.handle(message);
        ctx.stop_self();
        Ok(())
    }
}

/// Spawns and tells in bursts, until all are gone.
struct Nursery {
    spawned: u64,
    actors: u64,
    begin: Option<Instant>,
    done: Sender<Ran>,
}

impl Actor for Nursery {
    type Msg = ();
    fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.begin.get_or_insert_with(Instant::now);
        if tally::gone() == self.actors {
            return report(&self.done, self.begin, tally::sum());
        }
        let end = self.actors.min(self.spawned + BURST);
        for number in self.spawned..end {
            let actor = ctx.spawn(Once(tally::State(number)))?;
            ctx.tell(actor, 1);
        }
        self.spawned = end;
        let me = ctx.me();
        ctx.tell(me, ());
        Ok(())
    }
}

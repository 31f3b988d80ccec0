//! A pool of painters that grows with the rush, shrinks when it is quiet, and does without one that leaves.
//!
//!     cargo run --example 5_router_pool
//!
//! The picture is the Mandelbrot set, a row for each job. The studio tells each row to the painter with the smallest load,
//! by a router in its own state; every painted row says who has painted it, which takes one off that painter's load.
//! Every fourth row, the resizer looks at the loads. In the rush all rows are told at once, so that loads pile up; when
//! it is quiet, a row is told when the one before has been painted, and all painters but one are idle.
//!
//! A [`Pool`]'s routees are its owner's children and live on its shard. For routees on many shards there is
//! `corelane::shard::SpreadPool`, which an owner uses likewise; started by `start_deployed`, it leaves to a configuration
//! file how it routes, how many routees it has, and on which shards they live.

use std::error::Error;
use std::time::Duration;

use corelane::prelude::*;
use corelane::router::{Evicted, Resizer, ResizerConfig, ResizerError, SmallestLoad};

const WIDTH: usize = 60;
const HEIGHT: usize = 19;

/// Longer than a picture takes on any machine.
const PATIENCE: Duration = Duration::from_secs(30);

// --- painters ----------------------------------------------------------------------------------------------------

/// What a painter is told: the number of a row, and who gets it.
struct Job {
    row: usize,
    to: ReplyTo<Painted>,
}

struct Painted {
    row: usize,
    line: String,
    by: Address,
}

struct Painter;

impl Actor for Painter {
    type Msg = Job;

    fn receive(&mut self, Job { row, to }: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let line: String = (0..WIDTH).map(|column| shade(column, row)).collect();
        let line = line.trim_end().to_owned();
        let by = ctx.me().address();
        ctx.tell(to, Painted { row, line, by });
        Ok(())
    }
}

/// The darker, the longer a point takes to escape.
fn shade(column: usize, row: usize) -> char {
    let (re, im) = (column as f64 * 3.0 / WIDTH as f64 - 2.2, row as f64 * 2.2 / (HEIGHT - 1) as f64 - 1.1);
    let (mut x, mut y, mut steps) = (0.0, 0.0, 0);
    while x * x + y * y <= 4.0 && steps < 200 {
        (x, y) = (x * x - y * y + re, 2.0 * x * y + im);
        steps += 1;
    }
    match steps {
        0..=3 => ' ',
        4..=5 => '.',
        6..=9 => ':',
        10..=19 => '*',
        _ => '#',
    }
}

// --- the studio --------------------------------------------------------------------------------------------------

/// How rows are told.
#[derive(Clone, Copy, PartialEq)]
enum Pace {
    AllAtOnce,
    OneByOne,
}

/// What the studio is told.
enum Msg {
    Paint(Pace, ReplyTo<Picture>),
    Painted(Painted),
    /// Stops a painter, and answers with the number of those that are left.
    Dismiss(ReplyTo<usize>),
}

struct Picture {
    lines: Vec<String>,
    /// How many painters there were, each time that changed.
    painters: Vec<usize>,
}

/// A picture that is being painted.
struct Commission {
    pace: Pace,
    told: usize,
    painted: usize,
    picture: Picture,
    customer: ReplyTo<Picture>,
}

struct Studio {
    painters: Pool<Painter, SmallestLoad>,
    /// Where painted rows come.
    easel: ReplyTo<Painted>,
    commission: Option<Commission>,
    dismissal: ReplyTo<usize>,
}

impl Studio {
    fn new() -> Result<Studio, ResizerError> {
        let resizer = Resizer::new(ResizerConfig {
            lower_bound: 2,
            upper_bound: 8,
            ramp_up_percent: 50,
            messages_per_resize: 4,
            ..ResizerConfig::default()
        })?;
        let painters =
            Pool::new(2, || Painter).strategy(SmallestLoad::new()).named("painter").resizer(resizer);
        Ok(Studio { painters, easel: ActorRef::nobody(), commission: None, dismissal: ActorRef::nobody() })
    }

    /// Tells the next row, if there is one.
    fn tell_next(&mut self, ctx: &mut Ctx<'_, Self>) {
        let Some(commission) = self.commission.as_mut().filter(|commission| commission.told < HEIGHT) else {
            return;
        };
        self.painters.tell(ctx, Job { row: commission.told, to: self.easel });
        commission.told += 1;
        if commission.picture.painters.last() != Some(&self.painters.len()) {
            commission.picture.painters.push(self.painters.len());
        }
    }

    fn hang(&mut self, Painted { row, line, by }: Painted, ctx: &mut Ctx<'_, Self>) {
        self.painters.done(by);
        let Some(commission) = &mut self.commission else { return };
        commission.picture.lines[row] = line;
        commission.painted += 1;
        if commission.painted == HEIGHT {
            if let Some(Commission { picture, customer, .. }) = self.commission.take() {
                ctx.tell(customer, picture);
            }
        } else if commission.pace == Pace::OneByOne {
            self.tell_next(ctx);
        }
    }
}

impl Actor for Studio {
    type Msg = Msg;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.easel = ctx.adapter(Msg::Painted)?;
        self.painters.start(ctx)?;
        Ok(())
    }

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Paint(pace, customer) => {
                let picture = Picture { lines: vec![String::new(); HEIGHT], painters: vec![] };
                self.commission = Some(Commission { pace, told: 0, painted: 0, picture, customer });
                let rows = if pace == Pace::AllAtOnce { HEIGHT } else { 1 };
                (0..rows).for_each(|_| self.tell_next(ctx));
            }
            Msg::Painted(painted) => self.hang(painted, ctx),
            Msg::Dismiss(reply) => {
                self.dismissal = reply;
                // As if it left by itself: what it had not painted would be lost. `Pool::retire` lets it finish.
                if let Some(eldest) = self.painters.routees().first() {
                    ctx.stop(eldest.address());
                }
            }
        }
        Ok(())
    }

    /// A painter is gone: the pool tells it no more. Were it the last one, the next row would bring others.
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match self.painters.evict(gone.address) {
            Evicted::Left(painters) => ctx.tell(self.dismissal, painters),
            Evicted::Last | Evicted::Stranger => {}
        }
        Ok(())
    }
}

fn main() -> Result<Report, Box<dyn Error>> {
    // Settings that make no sense are refused here, before there is an actor.
    Studio::new()?;
    let system = System::builder().shards(1).start()?;
    let studio = system.spawn(|| Studio::new().expect("checked before"))?;
    let mut gateway = system.gateway()?;

    let rush = gateway.ask(studio, PATIENCE, |reply| Msg::Paint(Pace::AllAtOnce, reply))?;
    println!("{}", rush.lines.join("\n"));
    println!("painters in the rush:    {:?}", rush.painters);

    let quiet = gateway.ask(studio, PATIENCE, |reply| Msg::Paint(Pace::OneByOne, reply))?;
    println!("painters when quiet:     {:?}", quiet.painters);

    let left = gateway.ask(studio, PATIENCE, Msg::Dismiss)?;
    println!("painters after one left: [{left}]");

    let again = gateway.ask(studio, PATIENCE, |reply| Msg::Paint(Pace::AllAtOnce, reply))?;
    println!("painters in a new rush:  {:?}", again.painters);
    println!("one picture: {}", rush.lines == quiet.lines && rush.lines == again.lines);

    let report = system.shutdown(PATIENCE);
    println!("{} dead letters, ended cleanly: {}", report.dead_letters(), report.is_clean());
    Ok(report)
}

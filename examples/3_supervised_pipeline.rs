//! A pipeline on two cores whose stages fail, are looked after, and come back.
//!
//!     cargo run --example 3_supervised_pipeline
//!
//! ```text
//!            ┌─────────── shop ────────────┐
//!            │  spawns and watches         │ parcels
//!            ▼                             │
//!          line                            │
//!            │  supervises all three       │
//!            ├──▶ parse ──▶ price ──▶ pack ┘
//!            │      shard 0         │ shard 1
//! ```
//!
//! Packing has a core of its own. For the line that makes no difference: `pack` is its child as the others are, and fails,
//! is restarted and ends as they do. Only, its address comes a little later; what is ordered before that is stashed.
//!
//! The line decides what becomes of a stage that failed, by what it failed with:
//!
//! - An order that cannot be read is an *error value*: the state of the stage is sound, and it goes on.
//! - A bug *panics*: the stage gets a new state, after a pause. Its address stays, so that the stage before it goes on
//!   telling it orders; they wait.
//! - A stage that fails again and again is *stopped*. The line watches it, cannot go on without it, and fails itself; the
//!   shop gives the line up.
//!
//! What waited for a stage that is restarted is handled by its next instance, in order. An order that is lost all the same
//! (its handler failed, or its stage is gone) is a dead letter, so that the count at the end comes out even.

use std::error::Error;
use std::num::ParseIntError;
use std::time::Duration;

use corelane::kernel::SpawnError;
use corelane::prelude::*;

/// Longer than a batch takes on any machine.
const PATIENCE: Duration = Duration::from_secs(30);

// --- the stages --------------------------------------------------------------------------------------------------

/// Reads orders: "2 tea".
struct Parse {
    next: ActorRef<Order>,
    read: u32,
}

struct Order {
    number: u32,
    count: u32,
    item: &'static str,
}

impl Actor for Parse {
    type Msg = &'static str;

    fn receive(&mut self, line: &'static str, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.read += 1;
        let (count, item) = line.split_once(' ').unwrap_or((line, ""));
        ctx.tell(self.next, Order { number: self.read, count: count.parse()?, item });
        Ok(())
    }
}

/// Knows what things cost.
struct Price {
    next: ActorRef<Priced>,
    list: Vec<(&'static str, u32)>,
}

struct Priced {
    order: Order,
    total: u32,
}

impl Actor for Price {
    type Msg = Order;

    fn started(&mut self, _: &mut Ctx<'_, Self>) -> Outcome {
        self.list = vec![("tea", 3), ("pot", 20)];
        Ok(())
    }

    /// Without this, `started` alone runs on the new instance.
    fn restarted(&mut self, _: &Failure, ctx: &mut Ctx<'_, Self>) -> Outcome {
        println!("price: reads its list again");
        self.started(ctx)
    }

    fn receive(&mut self, order: Order, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let price = self.list.iter().find(|(item, _)| *item == order.item);
        let (_, each) = price.expect("all that is ordered has a price");
        ctx.tell(self.next, Priced { total: order.count * each, order });
        Ok(())
    }
}

/// Makes parcels, no larger than its machine.
struct Pack {
    next: ActorRef<Msg>,
    packed: u32,
}

impl Actor for Pack {
    type Msg = Priced;

    fn receive(&mut self, Priced { order, total }: Priced, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let Order { number, count, item } = order;
        if count > 100 {
            return Err(Failure::new(format_args!("{count} {item} do not fit")));
        }
        self.packed += 1;
        let parcel = format!("order {number}: {count} {item} for {total}, parcel {}", self.packed);
        ctx.tell(self.next, Msg::Parcel(parcel));
        Ok(())
    }
}

// --- who looks after them ----------------------------------------------------------------------------------------

struct Line {
    /// Once there is one.
    first: Option<ActorRef<&'static str>>,
    parcels: ActorRef<Msg>,
}

/// What the line is told.
enum Work {
    Order(&'static str),
    /// The stage on the other core is there, or could not be made.
    Pack(Result<ActorRef<Priced>, SpawnError>),
}

impl Line {
    /// The last stage first: each is made with the address of the next. From factories, so that they can be made again.
    fn complete(&mut self, pack: ActorRef<Priced>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.watch(pack)?;
        let next = ctx.spawner().name("price").spawn_from(move || Price { next: pack, list: Vec::new() })?;
        let first = ctx.spawner().name("parse").spawn_from(move || Parse { next, read: 0 })?;
        self.first = Some(first);
        ctx.unstash_all();
        Ok(())
    }
}

impl Actor for Line {
    type Msg = Work;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let next = self.parcels;
        let pack = move || Pack { next, packed: 0 };
        ctx.child_spawner(On::Shard(1)).name("pack").spawn_from(pack, Work::Pack)?;
        Ok(())
    }

    fn receive(&mut self, work: Work, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match (work, self.first) {
            (Work::Pack(pack), _) => self.complete(pack?, ctx)?,
            (Work::Order(order), Some(first)) => ctx.tell(first, order),
            (early, None) => ctx.stash(early).map_err(|_| Failure::new("too many orders wait"))?,
        }
        Ok(())
    }

    /// Two restarts of a stage in a minute, each after a pause; the third failure stops it.
    fn strategy(&self) -> Strategy {
        let backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(20));
        Strategy::one_for_one().restarts(2, Duration::from_secs(60)).backoff(backoff)
    }

    fn decide(&mut self, stage: Address, failure: &Failure, ctx: &mut Ctx<'_, Self>) -> Directive {
        println!("line: {} failed: {failure}", ctx.name_of(stage).unwrap_or("a stage"));
        if failure.is::<ParseIntError>() {
            return Directive::Resume;
        }
        self.strategy().directive(failure)
    }

    /// A watcher hears nothing of restarts: this is the end of a stage. (What it does not want to decide about, a parent
    /// can also pass on at once, with `Directive::Escalate`.)
    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        match &gone.reason {
            StopReason::Failed(failure) => Err(Failure::new(format_args!("no packing any more: {failure}"))),
            _ => Ok(()),
        }
    }
}

/// Orders, a batch at a time.
struct Shop {
    line: ActorRef<Work>,
    /// Parcels that are still to come of this batch, and whom to tell when they are there.
    missing: usize,
    done: ReplyTo<()>,
}

enum Msg {
    Order { lines: &'static [&'static str], parcels: usize, done: ReplyTo<()> },
    Parcel(String),
}

impl Actor for Shop {
    type Msg = Msg;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let parcels = ctx.me();
        self.line = ctx.spawn_from(move || Line { first: None, parcels })?;
        ctx.watch(self.line)?;
        Ok(())
    }

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Order { lines, parcels, done } => {
                (self.missing, self.done) = (parcels, done);
                for order in lines {
                    ctx.tell(self.line, Work::Order(order));
                }
            }
            Msg::Parcel(parcel) => {
                println!("shop: gets {parcel}");
                self.missing -= 1;
                if self.missing == 0 {
                    ctx.tell(self.done, ());
                }
            }
        }
        Ok(())
    }

    fn strategy(&self) -> Strategy {
        Strategy::stopping()
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        println!("shop: the line is gone: {:?}", gone.reason);
        ctx.tell(self.done, ());
        Ok(())
    }
}

fn main() -> Result<Report, Box<dyn Error>> {
    // The line says what failed: no need to hear of panics twice.
    std::panic::set_hook(Box::new(|_| {}));

    let system = System::builder().shards(2).start()?;
    let shop = system.spawn(|| Shop { line: ActorRef::nobody(), missing: 0, done: ActorRef::nobody() })?;
    let mut gateway = system.gateway()?;
    let mut order = |lines: &'static [&'static str], parcels| {
        println!("--- {}", lines.join(", "));
        gateway.ask(shop, PATIENCE, move |done| Msg::Order { lines, parcels, done })
    };
    order(&["2 tea", "some tea", "1 pot"], 2)?;
    order(&["1 cake", "4 tea", "2 pot"], 2)?;
    order(&["200 tea", "300 pot", "400 tea", "1 pot"], usize::MAX)?;

    drop(gateway);
    let report = system.shutdown(Duration::from_secs(5));
    println!("--- 10 orders, 4 parcels, {} dead letters", report.dead_letters());
    println!("ended cleanly: {}", report.is_clean());
    Ok(report)
}

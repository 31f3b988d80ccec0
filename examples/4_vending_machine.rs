//! A vending machine: an actor whose answer to an event depends on the state it is in.
//!
//!     cargo run --example 4_vending_machine
//!
//! ```text
//!              coins                    choice that is paid
//!     Idle ───────────▶ Paying ─────────────────────────────▶ Dispensing
//!      ▲ ▲                 │ nothing for a while, or cancelled     │
//!      │ └─────────────────┘                                       │
//!      └───────────────────────────────────────────────────────────┘ the motor has turned
//! ```
//!
//! Paying has a limit: who inserts coins and walks away gets them back. The motor's time is an alarm, which no event
//! puts off. What a state has no answer to becomes a dead letter. The display observes the machine's transitions; all
//! three actors live on one shard, so what they print has one order.

use std::error::Error;
use std::time::Duration;

use corelane::fsm::{Ending, Observers, StateChange};
use corelane::prelude::*;

// --- the machine -------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Paying,
    Dispensing,
}

/// What may be told to the machine.
enum Event {
    /// Coins, and who inserts them.
    Insert(u32, ActorRef<Item>),
    Choose(Snack),
    /// The coins back, please.
    Cancel,
    /// Tell this display what the machine does.
    Observe(ActorRef<StateChange<State>>),
    Unplug,
}

#[derive(Clone, Copy, Debug)]
enum Snack {
    Chips,
    Nuts,
}

impl Snack {
    const fn price(self) -> u32 {
        match self {
            Snack::Chips => 150,
            Snack::Nuts => 120,
        }
    }
}

/// What the machine gives.
#[derive(Debug)]
enum Item {
    Snack(Snack),
    Coins(u32),
    /// What is still to be paid.
    Request(u32),
}

/// What the machine knows besides its state.
enum Data {
    Nothing,
    Paid { coins: u32, by: ActorRef<Item> },
    Bought { snack: Snack, change: u32, by: ActorRef<Item> },
}

struct Vending {
    observers: Observers<State>,
}

/// The alarm of the motor.
const MOTOR: &str = "motor";

impl Vending {
    fn new() -> Machine<Vending> {
        Machine::new(Vending { observers: Observers::new() }, State::Idle, Data::Nothing)
    }

    /// Gives the coins back.
    fn give_up(data: &Data, ctx: &mut FsmCtx<'_, Self>) -> Step<State, Data> {
        if let Data::Paid { coins, by } = *data {
            ctx.tell(by, Item::Coins(coins));
        }
        Step::goto(State::Idle).using(Data::Nothing)
    }
}

impl Fsm for Vending {
    type State = State;
    type Event = Event;
    type Data = Data;

    fn handle(
        &mut self,
        state: State,
        event: Event,
        data: &mut Data,
        ctx: &mut FsmCtx<'_, Self>,
    ) -> Next<Self> {
        Ok(match (state, event, &mut *data) {
            (State::Idle, Event::Insert(coins, by), _) => {
                Step::goto(State::Paying).using(Data::Paid { coins, by })
            }
            (State::Paying, Event::Insert(more, _), Data::Paid { coins, .. }) => {
                *coins += more;
                Step::stay()
            }
            (State::Paying, Event::Choose(snack), &mut Data::Paid { coins, by }) => {
                match coins.checked_sub(snack.price()) {
                    Some(change) => {
                        ctx.set_alarm(MOTOR, Duration::from_millis(20))?;
                        Step::goto(State::Dispensing).using(Data::Bought { snack, change, by })
                    }
                    None => {
                        ctx.tell(by, Item::Request(snack.price() - coins));
                        Step::stay()
                    }
                }
            }
            (State::Paying, Event::Cancel, data) => Vending::give_up(data, ctx),
            (state, Event::Observe(who), _) => {
                self.observers.subscribe(who, state, ctx)?;
                Step::stay()
            }
            (_, Event::Unplug, _) => Step::stop(),
            (state, event, _) => return self.unhandled(state, event, data, ctx),
        })
    }

    fn time_limit(&self, state: State) -> Option<Duration> {
        (state == State::Paying).then_some(Duration::from_millis(200))
    }

    fn state_timeout(&mut self, _: State, data: &mut Data, ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
        Ok(Vending::give_up(data, ctx))
    }

    fn alarm(&mut self, _: TimerKey, _: State, data: &mut Data, ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
        if let Data::Bought { snack, change, by } = *data {
            ctx.tell(by, Item::Snack(snack));
            ctx.tell(by, Item::Coins(change));
        }
        Ok(Step::goto(State::Idle).using(Data::Nothing))
    }

    fn observers(&mut self) -> Option<&mut Observers<State>> {
        Some(&mut self.observers)
    }

    fn stopped(&mut self, ending: &Ending, state: State, _: &mut Data, _: &mut FsmCtx<'_, Self>) {
        println!("machine: ends while {state:?}: {ending:?}");
    }
}

// --- who uses it -------------------------------------------------------------------------------------------------

/// Shows what the machine does.
struct Display;

impl Actor for Display {
    type Msg = StateChange<State>;

    fn receive(&mut self, change: StateChange<State>, _: &mut Ctx<'_, Self>) -> Outcome {
        match change {
            StateChange::Current { state, .. } => println!("display: {state:?}"),
            StateChange::Transition { from, to, .. } => println!("display: {from:?} -> {to:?}"),
        }
        Ok(())
    }
}

/// Buys, one thing after the other, and says when it is done.
struct Customer {
    machine: ActorRef<Event>,
    /// Where the machine puts what it gives.
    tray: ActorRef<Item>,
    visits: u32,
    done: Option<ReplyTo<u32>>,
}

enum Msg {
    Shop(ReplyTo<u32>),
    Get(Item),
}

impl Customer {
    fn does(&self, event: Event, ctx: &mut Ctx<'_, Self>) {
        match &event {
            Event::Insert(coins, _) => println!("customer: inserts {coins}"),
            Event::Choose(snack) => println!("customer: chooses {snack:?}"),
            _ => {}
        }
        ctx.tell(self.machine, event);
    }

    fn visit(&mut self, ctx: &mut Ctx<'_, Self>) {
        self.visits += 1;
        match self.visits {
            1 => {
                self.does(Event::Insert(100, self.tray), ctx);
                self.does(Event::Choose(Snack::Chips), ctx);
            }
            2 => {
                // The machine is idle: it has no answer to that.
                self.does(Event::Choose(Snack::Nuts), ctx);
                self.does(Event::Insert(200, self.tray), ctx);
                self.does(Event::Cancel, ctx);
            }
            3 => {
                self.does(Event::Insert(50, self.tray), ctx);
                println!("customer: walks away");
            }
            _ => self.does(Event::Unplug, ctx),
        }
    }
}

impl Actor for Customer {
    type Msg = Msg;

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Shop(done) => {
                self.done = Some(done);
                self.tray = ctx.adapter(Msg::Get)?;
                ctx.watch(self.machine)?;
                let display = ctx.spawn(Display)?;
                self.does(Event::Observe(display), ctx);
                self.visit(ctx);
            }
            Msg::Get(Item::Request(missing)) => {
                println!("customer: is asked for {missing} more");
                self.does(Event::Insert(missing + 20, self.tray), ctx);
                self.does(Event::Choose(Snack::Chips), ctx);
            }
            Msg::Get(Item::Snack(snack)) => println!("customer: gets {snack:?}"),
            Msg::Get(Item::Coins(coins)) => {
                println!("customer: gets {coins} back");
                self.visit(ctx);
            }
        }
        Ok(())
    }

    /// The machine is unplugged.
    fn terminated(&mut self, _: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if let Some(done) = self.done.take() {
            ctx.tell(done, self.visits);
        }
        Ok(())
    }
}

fn main() -> Result<Report, Box<dyn Error>> {
    let system = System::builder().shards(1).start()?;
    let machine = system.spawn(Vending::new)?;
    let customer =
        system.spawn(move || Customer { machine, tray: ActorRef::nobody(), visits: 0, done: None })?;
    let visits = system.gateway()?.ask(customer, Duration::from_secs(60), Msg::Shop)?;

    let report = system.shutdown(Duration::from_secs(5));
    println!(
        "visits: {visits}, dead letters: {}, ended cleanly: {}",
        report.dead_letters(),
        report.is_clean()
    );
    Ok(report)
}

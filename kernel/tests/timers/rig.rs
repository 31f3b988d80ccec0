//! An actor that sets timers, and one whose timer is periodic.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use crate::common::{Order, Token, World, lock};

/// The wheel's resolution.
pub(crate) const TICK: Duration = Duration::from_nanos(1 << 16);

pub(crate) fn world() -> (World, ActorRef<Order>) {
    let mut world = World::new();
    let a = world.puppet("a");
    world.events();
    (world, a)
}

pub(crate) fn set(world: &mut World, a: ActorRef<Order>, key: u64, after: Duration, note: u64) {
    world.have(a, move |_, ctx| ctx.set_timer(key, after, Order::Note(note)).unwrap());
}

/// An actor with a periodic timer, whose messages are `Clone`.
pub(crate) struct Ticker {
    ticks: Ticks,
    cancel_at: Option<u64>,
}

#[derive(Clone)]
pub(crate) enum Tick {
    Every(Duration, Option<Token>),
    Beat(u64, #[allow(dead_code)] Option<Token>),
    Cancel,
}

impl Actor for Ticker {
    type Msg = Tick;
    fn receive(&mut self, tick: Tick, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match tick {
            Tick::Every(period, token) => ctx.set_periodic("tick", period, Tick::Beat(1, token))?,
            Tick::Beat(n, _) => {
                let mut ticks = lock(&self.ticks);
                ticks.push((ctx.now().as_nanos() / 1_000_000, n));
                if self.cancel_at == Some(ticks.len() as u64) {
                    assert!(ctx.cancel_timer("tick"));
                }
            }
            Tick::Cancel => assert!(ctx.cancel_timer("tick")),
        }
        Ok(())
    }
}

/// When it ticked, in milliseconds, and with which number.
pub(crate) type Ticks = Arc<Mutex<Vec<(u64, u64)>>>;

pub(crate) fn ticker(world: &mut World, cancel_at: Option<u64>) -> (ActorRef<Tick>, Ticks) {
    let ticks = Arc::new(Mutex::new(Vec::new()));
    let ticker = world.spawn(Ticker { ticks: ticks.clone(), cancel_at }).unwrap();
    (ticker, ticks)
}

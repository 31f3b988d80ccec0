//! An actor with a bomb in every place where something of it is dropped.

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, ReplyTo};

use crate::common::{Log, ms};
use crate::rig::Bomb;

/// An actor with a bomb in every place that is dropped when it ends.
pub(crate) struct Minefield {
    log: Log,
    bombs: Vec<Bomb>,
    laid: u64,
    watching_itself: bool,
    panic_at_stop: bool,
}

impl Minefield {
    pub(crate) fn new(log: Log) -> Minefield {
        Minefield { log, bombs: Vec::new(), laid: 0, watching_itself: false, panic_at_stop: false }
    }
}

pub(crate) enum Mine {
    Own(#[allow(dead_code)] Bomb),
    Lay(Where, Bomb),
    Plain,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Where {
    State,
    Hook,
    Stash,
    Timer,
    Watch,
    Attachment,
    Adapter,
    Ask,
    Backlog,
    Queue,
}

pub(crate) const PLACES: [Where; 10] = [
    Where::State,
    Where::Hook,
    Where::Stash,
    Where::Timer,
    Where::Watch,
    Where::Attachment,
    Where::Adapter,
    Where::Ask,
    Where::Backlog,
    Where::Queue,
];

impl Actor for Minefield {
    type Msg = Mine;

    fn receive(&mut self, mine: Mine, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let Mine::Lay(at, bomb) = mine else { return Ok(()) };
        self.laid += 1;
        match at {
            Where::State => self.bombs.push(bomb),
            Where::Hook => {
                self.panic_at_stop = true;
                defuse(bomb);
            }
            Where::Stash => assert!(ctx.stash(Mine::Own(bomb)).is_ok()),
            Where::Timer => ctx.set_timer(self.laid, ms(5), Mine::Own(bomb))?,
            Where::Watch => {
                let of = if self.watching_itself { ctx.parent() } else { ctx.me().address() };
                self.watching_itself = true;
                ctx.watch_with(of, Mine::Own(bomb))?;
            }
            Where::Attachment => ctx.attach(bomb)?,
            Where::Adapter => {
                ctx.adapter(move |_: u8| {
                    let _ = &bomb;
                    Mine::Plain
                })?;
            }
            Where::Ask => {
                let me: ActorRef<Mine> = ctx.me();
                ctx.ask(
                    me,
                    ms(50),
                    |_: ReplyTo<u8>| Mine::Plain,
                    move |_| {
                        let _ = &bomb;
                        Mine::Plain
                    },
                );
            }
            Where::Backlog | Where::Queue => defuse(bomb),
        }
        Ok(())
    }

    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        self.log.add("stopped");
        if self.panic_at_stop {
            panic!("hook");
        }
    }
}

fn defuse(mut bomb: Bomb) {
    bomb.armed = false;
}

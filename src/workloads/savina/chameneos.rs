//! `savina.chameneos`: a hundred creatures meet in pairs at a mall, 200,000 times, and change their colours.
//!
//! A creature tells the mall that it is there. The mall lets the first wait and forwards the second's message to
//! it; it changes its colour, tells the other to do the same, and both are back at the mall. After the last
//! meeting the mall sends whoever comes home, and adds up how often each has met.

use std::time::Instant;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use crate::workloads::error::check;
use crate::workloads::stage::{Report, Reporter, Stage};
use crate::workloads::{Cost, Plan, WorkloadError};

/// Creatures.
const CREATURES: u64 = 100;

/// Meetings.
const MEETINGS: u64 = 200_000;

/// Messages of one meeting: two arrivals, the second forwarded, a change.
const MESSAGES_EACH: u64 = 4;

/// A creature's colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    Blue,
    Red,
    Yellow,
}

impl Colour {
    const ALL: [Self; 3] = [Self::Blue, Self::Red, Self::Yellow];

    /// The colour of both after `self` met `other`: the same if they had the same, else the third.
    fn complement(self, other: Self) -> Self {
        match (self, other) {
            (one, same) if one == same => one,
            (Self::Blue, Self::Red) | (Self::Red, Self::Blue) => Self::Yellow,
            (Self::Blue, Self::Yellow) | (Self::Yellow, Self::Blue) => Self::Red,
            _ => Self::Blue,
        }
    }
}

/// Somebody is there and wants to meet.
#[derive(Clone, Copy)]
struct Arrival {
    colour: Colour,
    creature: ActorRef<Word>,
}

/// What a creature is told.
#[derive(Clone, Copy)]
enum Word {
    Meet(Arrival),
    Change(Colour),
    GoHome,
}

/// What the mall is told.
#[derive(Clone, Copy)]
enum News {
    Open,
    Here(Arrival),
    Gone { meetings: u64 },
}

/// Meets and changes.
struct Creature {
    colour: Colour,
    meetings: u64,
    mall: ActorRef<News>,
}

impl Creature {
    /// Takes its new colour and goes back to the mall.
    fn met(&mut self, colour: Colour, ctx: &mut Ctx<'_, Self>) {
        self.colour = colour;
        self.meetings += 1;
        let creature = ctx.me();
        ctx.tell(self.mall, News::Here(Arrival { colour, creature }));
    }
}

impl Actor for Creature {
    type Msg = Word;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let creature = ctx.me();
        ctx.tell(self.mall, News::Here(Arrival { colour: self.colour, creature }));
        Ok(())
    }

    fn receive(&mut self, word: Word, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match word {
            Word::Meet(other) => {
                let colour = self.colour.complement(other.colour);
                ctx.tell(other.creature, Word::Change(colour));
                self.met(colour, ctx);
            }
            Word::Change(colour) => self.met(colour, ctx),
            Word::GoHome => {
                ctx.tell(self.mall, News::Gone { meetings: self.meetings });
                ctx.stop_self();
            }
        }
        Ok(())
    }
}

/// Brings the creatures together.
struct Mall {
    left: u64,
    waiting: Option<ActorRef<Word>>,
    gone: u64,
    meetings: u64,
    began: Instant,
    reporter: Reporter,
}

impl Actor for Mall {
    type Msg = News;

    fn receive(&mut self, news: News, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match news {
            News::Open => {
                self.began = Instant::now();
                let mall = ctx.me();
                for &colour in Colour::ALL.iter().cycle().take(CREATURES as usize) {
                    ctx.spawn(Creature { colour, meetings: 0, mall })?;
                }
            }
            News::Here(arrival) if self.left == 0 => ctx.tell(arrival.creature, Word::GoHome),
            News::Here(arrival) => match self.waiting.take() {
                None => self.waiting = Some(arrival.creature),
                Some(first) => {
                    self.left -= 1;
                    ctx.tell(first, Word::Meet(arrival));
                }
            },
            News::Gone { meetings } => {
                self.meetings += meetings;
                self.gone += 1;
                if self.gone == CREATURES {
                    self.reporter.report(self.began.elapsed(), self.meetings);
                }
            }
        }
        Ok(())
    }
}

/// Runs it.
pub(in crate::workloads) fn run(plan: &Plan) -> Result<Cost, WorkloadError> {
    let mut stage = Stage::on(&[plan.core()])?;
    let reporter = stage.reporter();
    let mall = stage.spawn(0, move || Mall {
        left: MEETINGS,
        waiting: None,
        gone: 0,
        meetings: 0,
        began: Instant::now(),
        reporter: reporter.clone(),
    })?;
    stage.tell(mall, News::Open)?;
    let Report { elapsed, found } = stage.finish()?;
    check("the meetings of all creatures", 2 * MEETINGS, found)?;
    Ok(Cost::time(elapsed, MESSAGES_EACH * MEETINGS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_colours_make_the_third_and_one_stays() {
        for one in Colour::ALL {
            for other in Colour::ALL {
                let both = one.complement(other);
                assert_eq!(both, other.complement(one));
                assert_eq!(both == one, one == other);
                assert_eq!(both == other, one == other);
            }
        }
    }
}

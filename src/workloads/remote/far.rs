//! The actors of the other host.

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};

use super::words::{Ball, Meet, MeetTexts, Want};

/// The name that its usher bears.
pub(super) const USHER: &str = "usher";

/// Spawns who is asked for.
pub(super) struct Usher;

impl Actor for Usher {
    type Msg = Want;

    fn receive(&mut self, want: Want, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match want {
            Want::Echo(peer, reply) => {
                let echo = ctx.spawn(Echo { peer })?;
                ctx.tell(reply, Meet(echo));
            }
            Want::Sink(left, judge, reply) => {
                let sink = ctx.spawn(Sink { left, found: Ball::new(0), judge })?;
                ctx.tell(reply, Meet(sink));
            }
            Want::Texts(peer, reply) => {
                let texts = ctx.spawn(Texts { peer })?;
                ctx.tell(reply, MeetTexts(texts));
            }
        }
        Ok(())
    }
}

/// Plays every ball back.
struct Echo {
    peer: ActorRef<Ball>,
}

impl Actor for Echo {
    type Msg = Ball;

    fn receive(&mut self, ball: Ball, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.tell(self.peer, ball);
        Ok(())
    }
}

/// Plays every text back.
struct Texts {
    peer: ActorRef<String>,
}

impl Actor for Texts {
    type Msg = String;

    fn receive(&mut self, text: String, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.tell(self.peer, text);
        Ok(())
    }
}

/// Counts balls.
struct Sink {
    left: u64,
    /// How many came in the order of their numbers, in place of a number.
    found: Ball,
    judge: ActorRef<Ball>,
}

impl Actor for Sink {
    type Msg = Ball;

    fn receive(&mut self, ball: Ball, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.found.number += u64::from(ball.number == self.found.number && ball.rest[6] == ball.number);
        self.left -= 1;
        if self.left == 0 {
            ctx.tell(self.judge, self.found);
        }
        Ok(())
    }
}

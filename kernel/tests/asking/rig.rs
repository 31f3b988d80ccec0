//! One who asks, and a clerk who is asked.

use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Outcome, ReplyTo};

use crate::common::{Order, World, order};

/// Answers with a number more, at once or when it is told to.
pub(crate) struct Clerk {
    pub(crate) waiting: Vec<(u64, ReplyTo<u64>)>,
}

pub(crate) enum Question {
    Now(u64, ReplyTo<u64>),
    Later(u64, ReplyTo<u64>),
    Answer,
    AnswerTwice,
    Drop,
}

impl Clerk {
    pub(crate) fn new() -> Clerk {
        Clerk { waiting: Vec::new() }
    }
}

impl Actor for Clerk {
    type Msg = Question;
    fn receive(&mut self, question: Question, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match question {
            Question::Now(n, reply) => ctx.tell(reply, n + 1),
            Question::Later(n, reply) => self.waiting.push((n, reply)),
            Question::Answer => {
                for (n, reply) in self.waiting.drain(..) {
                    ctx.tell(reply, n + 1);
                }
            }
            Question::AnswerTwice => {
                for (n, reply) in self.waiting.drain(..) {
                    ctx.tell(reply, n + 1);
                    ctx.tell(reply, n + 2);
                }
            }
            Question::Drop => self.waiting.clear(),
        }
        Ok(())
    }
}

/// Has a puppet ask, and log the answer.
pub(crate) fn ask(
    clerk: ActorRef<Question>,
    within: Duration,
    question: fn(u64, ReplyTo<u64>) -> Question,
    n: u64,
) -> Order {
    order(move |_, ctx| ctx.ask(clerk, within, move |reply| question(n, reply), heard))
}

pub(crate) fn heard(answer: Result<u64, AskError>) -> Order {
    match answer {
        Ok(n) => Order::Note(n),
        Err(error) => Order::Say(error.to_string()),
    }
}

pub(crate) fn world() -> (World, ActorRef<Order>, ActorRef<Question>) {
    let mut world = World::new();
    let a = world.puppet("a");
    let clerk = world.spawn(Clerk::new()).unwrap();
    world.events();
    (world, a, clerk)
}

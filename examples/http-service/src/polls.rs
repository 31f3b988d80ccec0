//! The actors: each shard has one that keeps the polls whose names belong to it.

use std::collections::BTreeMap;

use corelane::prelude::*;

/// Choices with their votes.
pub(crate) type Tally = BTreeMap<String, u64>;

/// What may be told to a keeper of polls.
pub(crate) enum Msg {
    /// Count a vote, and say how many that choice has now.
    Vote { poll: String, choice: String, reply: ReplyTo<u64> },
    /// Say how a poll stands, if there is one.
    Stand { poll: String, reply: ReplyTo<Option<Tally>> },
}

/// Keeps polls in memory.
#[derive(Default)]
pub(crate) struct Keeper {
    polls: BTreeMap<String, Tally>,
}

impl Actor for Keeper {
    type Msg = Msg;

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Vote { poll, choice, reply } => {
                let votes = self.polls.entry(poll).or_default().entry(choice).or_default();
                *votes += 1;
                ctx.tell(reply, *votes);
            }
            Msg::Stand { poll, reply } => ctx.tell(reply, self.polls.get(&poll).cloned()),
        }
        Ok(())
    }
}

//! What is told in a random world.

use corelane_kernel::{ActorRef, AskError, ReplyTo};

use super::super::rules::{Act, Id};
use super::town::Town;

/// A message as the books know it: it is handled, or says as it is dropped that it was not.
pub(super) struct Token {
    town: Town,
    pub(super) from: Id,
    pub(super) to: Id,
    pub(super) no: u32,
    open: bool,
}

impl Token {
    /// The next message of a pair, which is told now.
    pub(super) fn new(town: &Town, from: Id, to: Id) -> Token {
        let no = town.next_of(from, to);
        town.see(Act::Told { from, to, no });
        Token { town: town.clone(), from, to, no, open: true }
    }

    /// It came back.
    pub(super) fn refused(mut self) {
        self.open = false;
        self.town.see(Act::Refused { from: self.from, to: self.to, no: self.no });
    }

    /// Actor `by` handles it.
    pub(super) fn handled(mut self, by: Id) {
        self.open = false;
        let act = Act::Handled { by, from: self.from, to: self.to, no: self.no };
        self.town.see(act);
        if self.town.is_faulty() && self.town.one_in(50) {
            self.town.see(act);
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if self.open {
            self.town.see(Act::Dropped { from: self.from, to: self.to, no: self.no });
        }
    }
}

pub(super) enum Msg {
    /// Do something.
    Talk(Token),
    /// Answer with the number.
    Ask(Token, u32, ReplyTo<u32>),
    /// The outcome of an ask.
    Answer(u32, Result<u32, AskError>),
    /// Say how often you were told something.
    Count(ReplyTo<u32>),
    /// Another may run again.
    Resume(Token, Id, ActorRef<Msg>),
    /// A timer, by key and number.
    Timer(u8, u32),
    /// One who was watched is gone.
    Gone(Id),
    /// A future has ended, which was waited for or not.
    Future(u32, bool),
    /// Somebody lives on another shard now.
    Came(Id, Option<ActorRef<Msg>>),
}

impl Clone for Msg {
    /// Only timers are repeated.
    fn clone(&self) -> Msg {
        match self {
            Msg::Timer(key, no) => Msg::Timer(*key, *no),
            _ => unreachable!("a message that is told once"),
        }
    }
}

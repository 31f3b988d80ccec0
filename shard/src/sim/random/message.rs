//! What is told in a random world.

use corelane_kernel::{ActorRef, AskError, ReplyTo};

use super::super::rules::{Act, Id, Lack};
use super::clockwork::Change;
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

/// What is routed, as the books know it: whom it reaches is the router's to say.
pub(super) struct Errand {
    town: Town,
    owner: Id,
    pub(super) no: u32,
    open: bool,
}

impl Errand {
    /// The next one, which is routed now.
    pub(super) fn new(town: &Town, owner: Id, all: bool) -> Errand {
        let no = town.serial();
        town.see(Act::Routed { owner, no, all });
        Errand { town: town.clone(), owner, no, open: true }
    }

    pub(super) fn handled(mut self, by: Id) {
        self.open = false;
        self.town.see(Act::RoutedHandled { by, owner: self.owner, no: self.no });
    }
}

impl Clone for Errand {
    fn clone(&self) -> Errand {
        self.town.see(Act::Copied { owner: self.owner, no: self.no });
        Errand { town: self.town.clone(), owner: self.owner, no: self.no, open: self.open }
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        if self.open {
            self.town.see(Act::RoutedDropped { owner: self.owner, no: self.no });
        }
    }
}

/// What became of a child that was to be born on another shard, as the books know it.
pub(super) struct Birth {
    town: Town,
    pub(super) id: Id,
    open: bool,
}

impl Birth {
    /// The parent's closure is told of it.
    pub(super) fn told(town: &Town, id: Id, lives: bool) -> Birth {
        town.see(Act::BirthTold { id, lives });
        Birth { town: town.clone(), id, open: true }
    }

    pub(super) fn heard(mut self) {
        self.open = false;
        self.town.see(Act::BirthHeard { id: self.id });
    }
}

impl Drop for Birth {
    fn drop(&mut self) {
        if self.open {
            self.town.see(Act::BirthDropped { id: self.id });
        }
    }
}

/// What is to come to somebody besides what others tell it, as the books know it: it is heard, or says as it is dropped that
/// it was not.
pub(super) struct Due {
    town: Town,
    id: Id,
    what: Lack,
    open: bool,
}

impl Due {
    pub(super) fn new(town: &Town, id: Id, what: Lack) -> Due {
        Due { town: town.clone(), id, what, open: true }
    }

    pub(super) fn heard(mut self) -> Lack {
        self.open = false;
        self.what
    }
}

impl Clone for Due {
    fn clone(&self) -> Due {
        Due::new(&self.town, self.id, self.what)
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        if self.open {
            self.town.see(Act::Lacks { id: self.id, what: self.what });
        }
    }
}

pub(super) enum Msg {
    /// Do something.
    Talk(Token),
    /// Answer with the number.
    Ask(Token, u32, ReplyTo<u32>),
    /// The outcome of an ask.
    Answer(Due, Result<u32, AskError>),
    /// Say how often you were told something.
    Count(ReplyTo<u32>),
    /// Do what was routed to you.
    Errand(Errand),
    /// Say there which transitions you make.
    Observe(Token, ActorRef<Change>),
    /// A machine has made one.
    Changed(Change),
    /// Another may run again.
    Resume(Token, Id, ActorRef<Msg>),
    /// A timer, by key and number.
    Timer(Due),
    /// One who was watched is gone.
    Gone(Due),
    /// A future has ended, which was waited for or not.
    Future(Due),
    /// Somebody lives on another shard now, or could not.
    Came,
    /// A child was born on another shard, or was not.
    Born(Birth),
}

impl Msg {
    /// A number to route it by.
    pub(super) fn number(&self) -> u32 {
        match self {
            Msg::Errand(Errand { no, .. }) | Msg::Timer(Due { what: Lack::Timer { no, .. }, .. }) => *no % 64,
            _ => 0,
        }
    }
}

impl Clone for Msg {
    /// Only timers are repeated, and what is routed to all is copied.
    fn clone(&self) -> Msg {
        match self {
            Msg::Timer(due) => Msg::Timer(due.clone()),
            Msg::Errand(errand) => Msg::Errand(errand.clone()),
            _ => unreachable!("a message that is told once"),
        }
    }
}

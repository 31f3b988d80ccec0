//! Who lives in a random cluster: an actor at the top of its shard, or a child of one on another host, that says what it does
//! and what befalls it. What it does is in `habits`.

use corelane_kernel::{
    Actor, ActorRef, Address, AskError, Ctx, Directive, Failure, Outcome, SpawnError, StopReason, Terminated,
};
use corelane_shard::sim::note;

use super::books::{Books, ClerkAt, Whom};
use super::habits::{FLOOD, PATIENCE, birth_named, name, url};
use super::message::{Hire, Msg, Slip, Token, body};
use super::rules::{Act, Born, Decision, Found, How, Id, Life};
use crate::resolve::{RemoteCtx, RemoteLookupError};
use crate::spawning::RemoteSpawnError;

pub(super) struct Resident {
    pub(super) books: Books,
    pub(super) id: Id,
    pub(super) host: u8,
    /// What it was made of, if it is a child.
    pub(super) hire: Option<Hire>,
    /// Anchors do nothing by themselves.
    is_anchor: bool,
    pub(super) known: Vec<Whom>,
    pub(super) clerks: Vec<ClerkAt>,
    pub(super) watching: Vec<(Address, Id)>,
}

impl Resident {
    pub(super) fn new(books: &Books, id: Id, is_anchor: bool) -> Resident {
        Resident::made(books, id, None, is_anchor)
    }

    /// A child of somebody, which is made in this life.
    pub(super) fn child(books: &Books, life: Life, hire: Hire) -> Resident {
        let id = books.make(hire.birth, life);
        Resident::made(books, id, Some(hire), false)
    }

    fn made(books: &Books, id: Id, hire: Option<Hire>, is_anchor: bool) -> Resident {
        let (host, known, clerks, watching) = (books.host_of(id), Vec::new(), Vec::new(), Vec::new());
        Resident { books: books.clone(), id, host, hire, is_anchor, known, clerks, watching }
    }

    fn hear(&self, token: Token) {
        self.books.see(Act::Heard { by: self.id, from: token.from, to: token.to, no: token.no });
    }

    pub(super) fn know(&mut self, id: Id, at: ActorRef<Msg>) {
        // Those who are no more are mostly forgotten, of whatever life they were.
        let books = &self.books;
        self.known.retain(|(known, _)| *known != id && (books.is_alive(*known) || books.one_in(3)));
        if self.known.len() >= 12 {
            self.known.remove(0);
        }
        self.known.push((id, at));
    }

    pub(super) fn know_clerk(&mut self, id: Id, at: ActorRef<Slip>) {
        let books = &self.books;
        self.clerks.retain(|(known, _)| *known != id && (books.is_alive(*known) || books.one_in(3)));
        if self.clerks.len() >= 4 {
            self.clerks.remove(0);
        }
        self.clerks.push((id, at));
    }

    /// Calls all whom it knows and who live, some of them behind as much as goes in many pieces.
    fn call(&self, ctx: &mut Ctx<'_, Self>) {
        for (whom, at) in self.known.iter().copied().filter(|(id, _)| self.books.is_alive(*id)) {
            for _ in 0..if self.books.one_in(4) { 3 } else { 0 } {
                self.talk_at_length((whom, at), 18_000, ctx);
            }
            self.books.calls(self.id, whom);
            ctx.ask(at, PATIENCE[2], |reply| Msg::Hail(whom, reply), move |answer| Msg::Called(whom, answer));
        }
    }

    /// Something has gone to the host of somebody, or has come from there.
    pub(super) fn provoke(&self, with: Id, ctx: &Ctx<'_, Self>) {
        self.books.provoke(self.host, self.books.host_of(with), ctx.now());
    }

    /// Something was heard: perhaps it leads to something.
    fn react(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if !self.is_anchor && self.books.one_in(6) && self.books.spend() {
            self.act(ctx)?;
        }
        Ok(())
    }

    fn reached(&self, whom: Id, found: Result<ActorRef<Msg>, RemoteLookupError>, ctx: &mut Ctx<'_, Self>) {
        note(format_args!("{} has found {whom}: {:?}", self.id, found.as_ref().err()));
        if let Ok(at) = found {
            let answered = move |answer| Msg::ReachAnswer(whom, answer);
            ctx.ask(at, PATIENCE[2], |reply| Msg::Hail(7, reply), answered);
        }
    }
}

/// What an outcome of a look-up is to the rules.
fn outcome<M>(found: &Result<ActorRef<M>, RemoteLookupError>) -> Found {
    match found {
        Ok(_) => Found::Them,
        Err(RemoteLookupError::NoSuchActor { .. }) => Found::Nobody,
        Err(RemoteLookupError::TooMany) => Found::TooMany,
        Err(_) => Found::NoAnswer,
    }
}

/// What came of a birth, to the rules.
fn born(child: &Result<ActorRef<Msg>, RemoteSpawnError>) -> Born {
    match child {
        Ok(_) => Born::There,
        Err(RemoteSpawnError::TooMany) => Born::TooMany,
        Err(RemoteSpawnError::Host(RemoteLookupError::NotConnected(_)) | RemoteSpawnError::NoAnswer) => {
            Born::Late
        }
        Err(RemoteSpawnError::Lost | RemoteSpawnError::Host(_)) => Born::Lost,
        Err(RemoteSpawnError::OutOfMemory | RemoteSpawnError::Spawn(SpawnError::OutOfMemory)) => {
            Born::OutOfMemory
        }
        Err(_) => Born::Refused,
    }
}

impl Actor for Resident {
    type Msg = Msg;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if let Some(hire) = self.hire {
            self.books.settle(self.id, ctx.me());
            self.books.see(Act::Started { birth: hire.birth, shard: ctx.me().place().shard() });
            self.books.provoke(self.host, hire.host, ctx.now());
            if self.books.one_in(2) {
                ctx.tell(ctx.me(), Msg::Act(1 + self.books.below(3) as u32));
            }
        }
        Ok(())
    }

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Talk(token, bytes) => {
                self.hear(token);
                if bytes != body(token.no, bytes.len()) {
                    self.books.break_rule("a message is what was told", format!("{token:?}"));
                }
                self.react(ctx)
            }
            Msg::Ask(token, no, reply) => {
                self.hear(token);
                for _ in 0..self.books.below(3) {
                    ctx.tell(reply, no);
                }
                self.provoke(token.from, ctx);
                self.react(ctx)
            }
            Msg::Meet(token, id, at) => {
                self.hear(token);
                self.know(id, at);
                self.react(ctx)
            }
            Msg::Present(token, id, at) => {
                self.hear(token);
                self.know_clerk(id, at);
                self.react(ctx)
            }
            Msg::Hail(no, reply) => {
                ctx.tell(reply, no);
                Ok(())
            }
            Msg::Act(times) => {
                for _ in 0..times {
                    if !self.books.spend() {
                        break;
                    }
                    self.act(ctx)?;
                }
                Ok(())
            }
            Msg::Flood => {
                self.flood(FLOOD, ctx);
                Ok(())
            }
            Msg::Call => {
                self.call(ctx);
                Ok(())
            }
            Msg::Called(whom, answer) => {
                self.books.has_called(self.id, whom, answer);
                Ok(())
            }
            Msg::Stir => {
                self.books.has_stirred(self.id);
                Ok(())
            }
            Msg::Answer(no, answer) => {
                match answer {
                    Err(AskError::NotSent | AskError::OutOfMemory) => {}
                    answer => {
                        let (by, answer, now) = (self.id, answer.ok(), ctx.now());
                        self.books.see(Act::Answered { by, no, answer, now });
                    }
                }
                Ok(())
            }
            Msg::Found(no, id, found) => {
                let (by, now) = (self.id, ctx.now());
                self.books.see(Act::LookedUp { by, no, found: outcome(&found), now });
                if let Ok(at) = found {
                    self.know(id, at);
                }
                self.react(ctx)
            }
            Msg::FoundClerk(no, id, found) => {
                let (by, now) = (self.id, ctx.now());
                self.books.see(Act::LookedUp { by, no, found: outcome(&found), now });
                if let Ok(at) = found {
                    self.know_clerk(id, at);
                }
                self.react(ctx)
            }
            Msg::Hired(birth, child) => {
                let (by, now) = (self.id, ctx.now());
                if let Err(error) = &child {
                    note(format_args!("{birth} is not born: {error}"));
                }
                self.books.see(Act::Hired { by, birth, born: born(&child), now });
                if let (Ok(at), Some(id)) = (child, self.books.child_of(birth)) {
                    self.know(id, at);
                    self.provoke(id, ctx);
                }
                self.react(ctx)
            }
            Msg::Reach(host, whom) => {
                let url = url(host, &name(whom));
                ctx.lookup_at(&url, PATIENCE[2], move |found| Msg::Reached(whom, found));
                Ok(())
            }
            Msg::Reached(whom, found) => {
                self.reached(whom, found, ctx);
                Ok(())
            }
            Msg::ReachAnswer(whom, answer) => {
                note(format_args!("{} has {answer:?} of {whom}", self.id));
                // Who has no memory to ask has found them all the same.
                let lacks = answer == Err(AskError::OutOfMemory) && self.books.is_short();
                if answer == Ok(7) || lacks {
                    self.books.has_reached(self.id, whom);
                }
                Ok(())
            }
        }
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let at = self.watching.iter().position(|(address, _)| *address == gone.address);
        let of = at.map(|at| self.watching.swap_remove(at).1);
        let how = match &gone.reason {
            StopReason::Failed(_) => How::Failed,
            StopReason::NotFound => How::NotFound,
            StopReason::Unreachable => How::Unreachable,
            _ => How::Stopped,
        };
        self.books.see(Act::Notice { by: self.id, of, how });
        if let Some(of) = of {
            self.provoke(of, ctx);
        }
        // A child may hear of it while it waits for a decision, and is not to fail once more.
        if self.hire.is_none() { self.react(ctx) } else { Ok(()) }
    }

    fn decide(&mut self, child: Address, _: &Failure, ctx: &mut Ctx<'_, Self>) -> Directive {
        let (what, directive) = match self.books.below(12) {
            0..4 => (Decision::Resume, Directive::Resume),
            4..9 => (Decision::Restart, Directive::Restart),
            9..11 => (Decision::Stop, Directive::Stop),
            _ => (Decision::Escalate, Directive::Escalate),
        };
        match ctx.name_of(child).and_then(birth_named) {
            Some(birth) => {
                self.books.see(Act::Decides { by: self.id, birth, what });
                if let Some(id) = self.books.child_of(birth) {
                    self.provoke(id, ctx);
                }
            }
            None => self.books.break_rule("a parent knows its child", format!("{} does not", self.id)),
        }
        directive
    }

    fn restarting(&mut self, _: &Failure, ctx: &mut Ctx<'_, Self>) {
        self.books.see(Act::Restarting { id: self.id });
        ctx.stop_children();
    }

    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        if let Some(hire) = self.hire {
            self.books.provoke(self.host, hire.host, ctx.now());
        }
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.books.drop_one(self.id);
    }
}

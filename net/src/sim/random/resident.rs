//! Who lives in a random cluster: an actor that tells, asks, watches, stops and looks up others, here and on other hosts, and says
//! what it does.

use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Address, AskError, Ctx, Failure, Outcome, TellError, Terminated};

use super::books::{Books, Id};
use super::message::{Msg, Token, body};
use crate::resolve::RemoteCtx;
use crate::sim::Cluster;

/// How long those who are looked up or asked may take.
const PATIENCE: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(700), Duration::from_secs(8)];

/// The name of a resident.
pub(super) fn name(id: Id) -> String {
    format!("r{id}")
}

/// The name of who is always there on a shard.
pub(super) fn anchor(shard: usize) -> String {
    format!("anchor{shard}")
}

/// The name of a simulated system.
pub(super) const SYSTEM: &str = "world";

fn url(host: u8, name: &str) -> String {
    format!("corelane://{SYSTEM}@{}/user/{name}", Cluster::address(host))
}

pub(super) struct Resident {
    books: Books,
    id: Id,
    /// Anchors do nothing by themselves.
    is_anchor: bool,
    known: Vec<(Id, ActorRef<Msg>)>,
    watching: Vec<(Address, Id)>,
}

impl Resident {
    pub(super) fn new(books: &Books, id: Id, is_anchor: bool) -> Resident {
        Resident { books: books.clone(), id, is_anchor, known: Vec::new(), watching: Vec::new() }
    }

    fn hear(&self, token: Token) {
        self.books.hear(self.id, token.from, token.to, token.no);
    }

    fn know(&mut self, id: Id, at: ActorRef<Msg>) {
        // Those who are no more are mostly forgotten, of whatever life they were.
        let books = &self.books;
        self.known.retain(|(known, _)| *known != id && (books.is_alive(*known) || books.one_in(3)));
        if self.known.len() >= 12 {
            self.known.remove(0);
        }
        self.known.push((id, at));
    }

    /// Somebody it knows, or a neighbour.
    fn somebody(&self) -> Option<(Id, ActorRef<Msg>)> {
        let neighbour = self.known.is_empty() || self.books.one_in(10);
        if neighbour {
            let (id, other) = self.books.somebody_alive(Some(self.books.person(self.id).life), None)?;
            return Some((id, other.at?));
        }
        self.known.get(self.books.below(self.known.len())).copied()
    }

    fn send(
        &self,
        to: (Id, ActorRef<Msg>),
        make: impl FnOnce(Token) -> Msg,
        ctx: &mut Ctx<'_, Self>,
    ) -> bool {
        let token = Token { from: self.id, to: to.0, no: self.books.tell(self.id, to.0) };
        let Err(refused) = ctx.try_tell(to.1, make(token)) else { return true };
        let why = match refused {
            TellError::Full(_) => "full",
            TellError::Unreachable(_) => "unreachable",
            TellError::NoWireForm(_) => "no wire form",
            TellError::TooLarge(_) => "too large",
            _ => "otherwise",
        };
        self.books.refused(token.from, token.to, token.no, why);
        false
    }

    fn talk(&self, to: (Id, ActorRef<Msg>), ctx: &mut Ctx<'_, Self>) -> bool {
        let size = match self.books.below(60) {
            0 => self.books.below(60_000),
            1..8 => self.books.below(3000),
            _ => self.books.below(40),
        };
        self.send(to, |token| Msg::Talk(token, body(token.no, size)), ctx)
    }

    fn ask(&self, to: (Id, ActorRef<Msg>), ctx: &mut Ctx<'_, Self>) {
        let within = PATIENCE[self.books.below(PATIENCE.len())];
        let no = self.books.ask(self.id, to.0, ctx.now() + within);
        let token = Token { from: self.id, to: to.0, no: self.books.tell(self.id, to.0) };
        let (books, id) = (self.books.clone(), to.0);
        ctx.ask(
            to.1,
            within,
            |reply| Msg::Ask(token, no, reply),
            move |answer| {
                if matches!(answer, Err(AskError::NotSent | AskError::OutOfMemory)) {
                    books.refused(token.from, id, token.no, "not sent");
                    books.not_asked(no);
                }
                Msg::Answer(no, answer)
            },
        );
    }

    fn act(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match self.books.below(400) {
            0..150 => {
                if let Some(to) = self.somebody() {
                    for _ in 0..1 + self.books.below(6) {
                        if !self.talk(to, ctx) {
                            break;
                        }
                    }
                }
            }
            150..210 => {
                if let Some(to) = self.somebody() {
                    self.ask(to, ctx);
                }
            }
            210..290 => {
                // Now and then somebody who is no more.
                let gone = self.books.one_in(6);
                let own = Some(self.books.person(self.id).life).filter(|_| !self.books.one_in(8));
                let somebody =
                    if gone { self.books.somebody() } else { self.books.somebody_alive(None, own) };
                let Some((id, other)) = somebody else { return Ok(()) };
                let within = PATIENCE[self.books.below(PATIENCE.len())];
                let no = self.books.look_up(self.id, ctx.now() + within);
                let url = url(other.host, &name(id));
                ctx.lookup_at(&url, within, move |found| Msg::Found(no, id, found));
            }
            290..320 => {
                if let (Some(to), Some((id, at))) = (self.somebody(), self.somebody()) {
                    self.send(to, |token| Msg::Meet(token, id, at), ctx);
                }
            }
            320..370 => {
                let Some((id, at)) = self.somebody() else { return Ok(()) };
                let watches = self.watching.iter().any(|(_, other)| *other == id);
                if id != self.id && !watches && self.watching.len() < 20 {
                    self.books.watch(self.id, id);
                    self.watching.push((at.address(), id));
                    ctx.watch(at)?;
                }
            }
            370..388 => {
                if let Some((address, id)) = self.watching.pop() {
                    self.books.unwatch(self.id, id);
                    ctx.unwatch(address);
                }
            }
            388..396 => {
                if let Some((id, at)) = self.somebody()
                    && !self.books.person(id).is_anchor
                {
                    corelane_shard::sim::note(format_args!("{} stops {id}", self.id));
                    ctx.stop(at);
                }
            }
            396..398 => return Err(Failure::new("on purpose")),
            _ => ctx.stop_self(),
        }
        Ok(())
    }

    /// Something was heard: perhaps it leads to something.
    fn react(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if !self.is_anchor && self.books.one_in(6) && self.books.spend() {
            self.act(ctx)?;
        }
        Ok(())
    }
}

impl Actor for Resident {
    type Msg = Msg;

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Talk(token, bytes) => {
                self.hear(token);
                if bytes != body(token.no, bytes.len()) {
                    self.books.break_rule("a message is what was told", format!("{token:?}"));
                }
                self.react(ctx)
            }
            Msg::Ask(Token { to: Id::MAX, .. }, no, reply) => {
                ctx.tell(reply, no);
                Ok(())
            }
            Msg::Ask(token, no, reply) => {
                self.hear(token);
                for _ in 0..self.books.below(3) {
                    ctx.tell(reply, no);
                }
                self.react(ctx)
            }
            Msg::Meet(token, id, at) => {
                self.hear(token);
                self.know(id, at);
                self.react(ctx)
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
            Msg::Answer(no, answer) => {
                match answer {
                    Err(AskError::NotSent | AskError::OutOfMemory) => {}
                    answer => self.books.answered(self.id, no, answer.ok(), ctx.now()),
                }
                Ok(())
            }
            Msg::Found(no, id, found) => {
                self.books.looked_up(self.id, no, found.is_ok().then_some(id), ctx.now());
                if let Ok(at) = found {
                    self.know(id, at);
                }
                self.react(ctx)
            }
            Msg::Reach(host, shard) => {
                let url = url(host, &anchor(shard));
                ctx.lookup_at(&url, PATIENCE[2], move |found| Msg::Reached(host, shard, found));
                Ok(())
            }
            Msg::Reached(host, shard, found) => {
                corelane_shard::sim::note(format_args!(
                    "{} has found {host}/{shard}: {:?}",
                    self.id,
                    found.as_ref().err()
                ));
                if let Ok(at) = found {
                    let token = Token { from: self.id, to: Id::MAX, no: 0 };
                    ctx.ask(
                        at,
                        PATIENCE[2],
                        |reply| Msg::Ask(token, 7, reply),
                        move |answer| Msg::ReachAnswer(host, shard, answer),
                    );
                }
                Ok(())
            }
            Msg::ReachAnswer(host, shard, answer) => {
                corelane_shard::sim::note(format_args!("{} has {answer:?} of {host}/{shard}", self.id));
                if answer == Ok(7) {
                    self.books.has_reached(self.id, host, shard);
                }
                Ok(())
            }
        }
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let at = self.watching.iter().position(|(address, _)| *address == gone.address);
        let target = at.map(|at| self.watching.swap_remove(at).1);
        self.books.notice(self.id, target, &gone.reason);
        self.react(ctx)
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.books.end(self.id);
    }
}

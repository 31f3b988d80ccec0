//! What residents do of their own accord: they tell, ask and look up others, watch them and stop watching, have them stop, and have
//! children on other hosts.

use std::time::Duration;

use corelane_kernel::{ActorRef, AskError, Ctx, Failure, Outcome, SpawnError, TellError};

use super::books::{ClerkAt, Whom};
use super::message::{Hire, Msg, Slip, Token, body};
use super::resident::Resident;
use super::rules::{Act, Birth, Id};
use crate::resolve::RemoteCtx;
use crate::sim::Cluster;
use crate::spawning::RemoteSpawnError;

/// How long those who are looked up or asked may take.
pub(super) const PATIENCE: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(700), Duration::from_secs(8)];

/// The name of a simulated system.
pub(super) const SYSTEM: &str = "world";

/// Generations that live on other hosts, at most.
const DEPTH: u8 = 3;
/// Messages of a flood, at most.
pub(super) const FLOOD: usize = 3000;

/// The name of a resident.
pub(super) fn name(id: Id) -> String {
    format!("r{id}")
}

/// The birth of a child of this name.
pub(super) fn birth_named(name: &str) -> Option<Birth> {
    name.strip_prefix('c')?.parse().ok()
}

pub(super) fn url(host: u8, name: &str) -> String {
    format!("{}/user/{name}", host_url(host))
}

fn host_url(host: u8) -> String {
    format!("corelane://{SYSTEM}@{}", Cluster::address(host))
}

impl Resident {
    fn is_near(&self, id: Id) -> bool {
        self.books.is_near(self.host, self.books.host_of(id))
    }

    fn patience(&self) -> Duration {
        PATIENCE[self.books.below(PATIENCE.len())]
    }

    /// Somebody it knows, or a neighbour.
    fn somebody(&self) -> Option<Whom> {
        if self.known.is_empty() || self.books.one_in(20) {
            let id = self.books.somebody_alive(Some(self.books.life_of(self.id)), None, false)?;
            return Some((id, self.books.at(id)?));
        }
        let known = self.known.get(self.books.below(self.known.len())).copied()?;
        let afar = || self.known.iter().find(|(id, _)| self.books.host_of(*id) != self.host).copied();
        Some(if self.books.one_in(2) { afar().unwrap_or(known) } else { known })
    }

    /// One of its children, or somebody.
    fn child_or_somebody(&self, ctx: &Ctx<'_, Self>) -> Option<Whom> {
        let own = self.known.iter().find(|(_, at)| ctx.name_of(*at).is_some());
        own.copied().filter(|_| self.books.one_in(2)).or_else(|| self.somebody())
    }

    fn send<M: Send + 'static>(
        &self,
        to: (Id, ActorRef<M>),
        make: impl FnOnce(Token) -> M,
        ctx: &mut Ctx<'_, Self>,
    ) -> bool {
        let (from, no) = (self.id, self.books.tell(self.id, to.0));
        let token = Token { from, to: to.0, no };
        let Err(refused) = ctx.try_tell(to.1, make(token)) else { return true };
        let why = match refused {
            TellError::Full(_) => "full",
            TellError::Unreachable(_) => "unreachable",
            TellError::NoWireForm(_) => "no wire form",
            TellError::TooLarge(_) => "too large",
            _ => "otherwise",
        };
        corelane_shard::sim::note(format_args!("it is {why}"));
        self.books.see(Act::Refused { from, to: to.0, no });
        false
    }

    fn talk(&self, to: Whom, ctx: &mut Ctx<'_, Self>) -> bool {
        let size = match self.books.below(60) {
            0 => self.books.below(60_000),
            1..8 => self.books.below(3000),
            _ => self.books.below(40),
        };
        self.talk_at_length(to, size, ctx)
    }

    pub(super) fn talk_at_length(&self, to: Whom, size: usize, ctx: &mut Ctx<'_, Self>) -> bool {
        self.send(to, |token| Msg::Talk(token, body(token.no, size)), ctx)
    }

    fn slip(&self, to: ClerkAt, size: usize, ctx: &mut Ctx<'_, Self>) -> bool {
        self.send(to, |token| Slip { token, bytes: body(token.no, size) }, ctx)
    }

    /// A clerk whom it knows.
    fn clerk(&self) -> Option<ClerkAt> {
        self.clerks.get(self.books.below(self.clerks.len())).copied()
    }

    fn look_for_clerk(&self, ctx: &mut Ctx<'_, Self>) {
        let of = self.books.some_clerk(self.books.life_of(self.id));
        let Some(of) = of.filter(|of| self.is_near(*of)) else { return };
        let (no, within) = (self.books.number(), self.patience());
        let now = ctx.now();
        self.books.see(Act::LooksUp { by: self.id, of, no, now, until: now + within });
        let url = url(self.books.host_of(of), &name(of));
        ctx.lookup_at(&url, within, move |found| Msg::FoundClerk(no, of, found));
        self.provoke(of, ctx);
    }

    /// Tells a clerk one slip after the other, mostly of one length, and something else in between now and then.
    fn dictate(&mut self, ctx: &mut Ctx<'_, Self>) {
        let Some(mut to) = self.clerk().filter(|_| !self.books.one_in(10)) else {
            return self.look_for_clerk(ctx);
        };
        let mut size = self.books.below(24);
        for _ in 0..1 + self.books.below([6, 60][self.books.below(2)]) {
            match self.books.below(80) {
                0..4 => size = self.books.below(24),
                4 => size = self.books.below(3000),
                5 if self.books.one_in(4) => size = self.books.below(60_000),
                6 => to = self.clerk().unwrap_or(to),
                7..9 => _ = self.somebody().map(|somebody| self.talk(somebody, ctx)),
                9 => _ = self.somebody().map(|somebody| self.watch(somebody, ctx)),
                10 if !self.watching.is_empty() => self.unwatch(0, ctx),
                11 => _ = self.somebody().map(|somebody| self.ask(somebody, ctx)),
                _ => {}
            }
            if !self.slip(to, size, ctx) {
                break;
            }
        }
        if self.books.one_in(4) {
            self.provoke(to.0, ctx);
        }
    }

    fn ask(&self, to: Whom, ctx: &mut Ctx<'_, Self>) {
        let (by, of, within) = (self.id, to.0, self.patience());
        let no = self.books.number();
        let now = ctx.now();
        self.books.see(Act::Asks { by, of, no, now, until: now + within });
        let token = Token { from: by, to: of, no: self.books.tell(by, of) };
        let books = self.books.clone();
        ctx.ask(
            to.1,
            within,
            |reply| Msg::Ask(token, no, reply),
            move |answer| {
                if matches!(answer, Err(AskError::NotSent | AskError::OutOfMemory)) {
                    books.see(Act::Refused { from: by, to: of, no: token.no });
                    books.see(Act::NotAsked { no });
                }
                Msg::Answer(no, answer)
            },
        );
    }

    fn look_up(&self, ctx: &mut Ctx<'_, Self>) {
        // Now and then somebody who is no more.
        let gone = self.books.one_in(6);
        let own = Some(self.books.life_of(self.id)).filter(|_| !self.books.one_in(8));
        let of = if gone { self.books.somebody() } else { self.books.somebody_alive(None, own, true) };
        let Some(of) = of.filter(|of| self.is_near(*of)) else { return };
        let (no, within) = (self.books.number(), self.patience());
        let now = ctx.now();
        self.books.see(Act::LooksUp { by: self.id, of, no, now, until: now + within });
        let url = url(self.books.host_of(of), &name(of));
        ctx.lookup_at(&url, within, move |found| Msg::Found(no, of, found));
        self.provoke(of, ctx);
    }

    fn watch(&mut self, (of, at): Whom, ctx: &mut Ctx<'_, Self>) {
        let watches = self.watching.iter().any(|(_, other)| *other == of);
        if of == self.id || watches || self.watching.len() >= 20 {
            return;
        }
        self.books.see(Act::Watches { by: self.id, of });
        if ctx.watch(at).is_ok() {
            self.watching.push((at.address(), of));
        } else {
            self.books.see(Act::Unwatches { by: self.id, of });
        }
    }

    fn unwatch(&mut self, at: usize, ctx: &mut Ctx<'_, Self>) {
        let (address, of) = self.watching.swap_remove(at);
        self.books.see(Act::Unwatches { by: self.id, of });
        ctx.unwatch(address);
    }

    fn stop(&self, (of, at): Whom, ctx: &mut Ctx<'_, Self>) {
        if !self.books.is_anchor(of) {
            self.books.see(Act::Stops { by: self.id, of });
            ctx.stop(at);
        }
    }

    /// Has a child on some host.
    fn hire(&self, ctx: &mut Ctx<'_, Self>) {
        let depth = self.hire.map_or(0, |hire| hire.depth + 1);
        let own = Some(self.books.life_of(self.id)).filter(|_| !self.books.one_in(8));
        let there = self.books.somebody_alive(None, own, true);
        let Some(there) = there.filter(|there| depth < DEPTH && self.is_near(*there)) else { return };
        let (by, host, birth, now) = (self.id, self.books.host_of(there), self.books.number(), ctx.now());
        let within = self.patience();
        self.books.see(Act::Hires { by, birth, host, now, until: now + within });
        let name = format!("c{birth}");
        let url = host_url(host);
        let spawner = ctx.child_at(&url).name(&name).within(within);
        let spawner = if self.books.one_in(2) { spawner.shard(0) } else { spawner };
        let hire = Hire { birth, depth, host: self.host };
        if let Err(error) = spawner.spawn(hire, move |child| Msg::Hired(birth, child)) {
            self.books.see(Act::NotHired { birth });
            if error != RemoteSpawnError::Spawn(SpawnError::OutOfMemory) {
                self.books.break_rule("a birth ends for a reason", format!("{birth} of {by}: {error}"));
            }
        }
    }

    /// Tells somebody on another host more than finds room there, or at once.
    pub(super) fn flood(&self, most: usize, ctx: &mut Ctx<'_, Self>) {
        let is_afar = |id: Id| self.books.is_alive(id) && self.books.host_of(id) != self.host;
        if let Some(to) = self.clerk().filter(|(id, _)| is_afar(*id) && self.books.one_in(2)) {
            let mut size = self.books.below(24);
            for _ in 0..self.books.below(most) {
                size = if self.books.one_in(12) { self.books.below(24) } else { size };
                if !self.slip(to, size, ctx) {
                    break;
                }
            }
            return self.provoke(to.0, ctx);
        }
        let mut afar = self.known.iter().filter(|(id, _)| is_afar(*id));
        // One who is still there when it comes, if possible.
        let Some(to) = afar.clone().find(|(id, _)| self.books.is_anchor(*id)).or(afar.next()).copied() else {
            return;
        };
        for _ in 0..self.books.below(most) {
            if !self.send(to, |token| Msg::Talk(token, Vec::new()), ctx) {
                break;
            }
        }
        self.provoke(to.0, ctx);
    }

    pub(super) fn act(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        // Whoever knows nobody beyond its shard looks around first.
        let lonely = !self.known.iter().any(|(id, _)| self.books.host_of(*id) != self.host);
        if lonely && self.books.one_in(3) {
            self.look_up(ctx);
            return Ok(());
        }
        let Some(to) = self.somebody() else { return Ok(()) };
        match self.books.below(400) {
            0..30 => self.dictate(ctx),
            30..110 => {
                for _ in 0..1 + self.books.below(6) {
                    if !self.talk(to, ctx) {
                        break;
                    }
                }
                if self.books.one_in(4) {
                    self.provoke(to.0, ctx);
                }
            }
            110..150 => {
                self.ask(to, ctx);
                self.provoke(to.0, ctx);
            }
            150..195 => self.look_up(ctx),
            195..220 => {
                if let Some((id, at)) = self.clerk().filter(|_| self.books.one_in(3)) {
                    self.send(to, |token| Msg::Present(token, id, at), ctx);
                } else if let Some((id, at)) = self.somebody() {
                    self.send(to, |token| Msg::Meet(token, id, at), ctx);
                }
            }
            220..280 => {
                self.watch(to, ctx);
                self.provoke(to.0, ctx);
                if self.books.one_in(4) {
                    self.stop(to, ctx);
                }
            }
            280..305 if !self.watching.is_empty() => {
                let at = self.books.below(self.watching.len());
                let of = self.watching[at].1;
                self.unwatch(at, ctx);
                self.provoke(of, ctx);
            }
            305..315 => {
                if let Some(at) = self.watching.iter().position(|(_, of)| *of == to.0) {
                    self.unwatch(at, ctx);
                    self.watch(to, ctx);
                    self.provoke(to.0, ctx);
                }
            }
            315..330 => {
                if let Some(whom) = self.child_or_somebody(ctx) {
                    self.stop(whom, ctx);
                    self.provoke(whom.0, ctx);
                }
            }
            330..368 => self.hire(ctx),
            368..371 => self.flood(FLOOD / 30, ctx),
            371..392 if self.hire.is_some() || self.books.one_in(10) => {
                self.books.see(Act::Fails { id: self.id });
                if let Some(hire) = self.hire {
                    self.books.provoke(self.host, hire.host, ctx.now());
                }
                return Err(Failure::new(format!("{} fails on purpose", self.id)));
            }
            392..396 => ctx.stop_self(),
            _ => {}
        }
        Ok(())
    }
}

//! Who lives in a random world: an actor that does whatever actors can do, and says what it does.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use corelane_kernel::{
    Actor, ActorRef, Address, AskError, Ctx, Directive, Failure, Group, Outcome, ReplyTo, StopReason,
    Strategy, TellError, Terminated, TimerKey,
};

use super::super::rules::{Act, Decision, Id, OUTSIDE, Reply};
use super::super::stage;
use super::super::trace::{Event, Fault};
use super::message::{Msg, Token};
use super::parenting::Parenting;
use super::town::{Person, Town};
use crate::local::ShardCtx;
use crate::spawn::On;

pub(super) struct Dweller {
    town: Town,
    id: Id,
    heard: u32,
    stashed: u32,
    /// It has asked to stop: what fails after that only stops, and nobody decides about it.
    leaves: bool,
    /// Questions that are answered later, or never.
    open: Vec<(u32, ReplyTo<u32>)>,
    /// The numbers of its alarms, which ring without one.
    alarms: [u32; 2],
}

/// The keys of alarms come after those of timers.
const ALARMS: u8 = 3;

impl Dweller {
    pub(super) fn new(town: &Town, id: Id) -> Dweller {
        town.see(Act::Made { id });
        Dweller {
            town: town.clone(),
            id,
            heard: 0,
            stashed: 0,
            leaves: false,
            open: Vec::new(),
            alarms: [0; 2],
        }
    }

    /// What a factory does: it fails, now and then.
    pub(super) fn make(town: &Town, id: Id) -> Dweller {
        if town.one_in(60) {
            town.see(Act::Fails { id });
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        Dweller::new(town, id)
    }

    /// Something goes wrong, now and then: a panic, or an error.
    fn perhaps_fail(&self) -> Outcome {
        if self.leaves {
            return Ok(());
        }
        let stage = stage::try_current();
        let panics = stage.as_ref().is_some_and(|stage| {
            let one_in = stage.options().panic_one_in;
            one_in != 0 && self.town.one_in(one_in)
        });
        if let Some(stage) = stage.filter(|_| panics) {
            stage.add(Event::Fault { fault: Fault::Panic, shard: None });
            self.town.see(Act::Fails { id: self.id });
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        if self.town.one_in(100) {
            self.town.see(Act::Fails { id: self.id });
            return Err(Failure::new("on purpose"));
        }
        Ok(())
    }

    fn tell(&self, ctx: &mut Ctx<'_, Self>, to: Person) {
        if !self.town.may_tell() {
            return;
        }
        let token = Token::new(&self.town, self.id, to.id);
        self.send(ctx, to.at, Msg::Talk(token));
    }

    fn send(&self, ctx: &mut Ctx<'_, Self>, to: ActorRef<Msg>, message: Msg) {
        let refused = ctx.try_tell(to, message).map_err(TellError::into_inner);
        if let Err(Msg::Talk(token) | Msg::Resume(token, ..)) = refused {
            token.refused();
        }
    }

    fn spawn(&self, ctx: &mut Ctx<'_, Self>) {
        if !self.town.has_room() {
            return;
        }
        let id = self.town.expect(self.id, ctx.me().place().shard());
        let group = [Group::Normal, Group::Normal, Group::Urgent, Group::Bulk, Group::Background]
            [self.town.below(5) as usize];
        let bound = if self.town.one_in(4) { 1 + self.town.below(8) as u32 } else { 0 };
        let name = format!("{id}");
        let mut spawner = ctx.spawner().group(group).mailbox(bound);
        if self.town.one_in(4) {
            spawner = spawner.name(&name);
        }
        let spawned = if self.town.one_in(2) {
            spawner.spawn(Dweller::new(&self.town, id))
        } else {
            let town = self.town.clone();
            spawner.spawn_from(move || Dweller::make(&town, id))
        };
        if let Ok(at) = spawned {
            self.town.enter(Person { id, at });
        }
    }

    fn spawn_away(&self, ctx: &mut Ctx<'_, Self>) {
        if !self.town.has_room() {
            return;
        }
        let shards = ctx.system().shards();
        let shard = self.town.below(shards as u64) as usize;
        let (id, town) = (self.town.expect(OUTSIDE, shard), self.town.clone());
        ctx.spawn_on(On::Shard(shard), move || Dweller::make(&town, id), move |at| Msg::Came(id, at.ok()));
    }

    fn watch(&self, ctx: &mut Ctx<'_, Self>, target: Person) -> Outcome {
        if target.id == self.id {
            return Ok(());
        }
        let with = self.town.one_in(3);
        self.town.see(Act::Watching { watcher: self.id, target: target.id, with });
        if with {
            ctx.watch_with(target.at, Msg::Gone(target.id))?
        } else {
            ctx.watch(target.at)?
        }
        Ok(())
    }

    fn ask(&self, ctx: &mut Ctx<'_, Self>, to: Person) {
        if !self.town.may_tell() {
            return;
        }
        let no = self.town.serial();
        let within = Duration::from_micros(1 + self.town.below(20_000));
        self.town.see(Act::Asked { id: self.id, no, deadline: ctx.now() + within });
        let token = Token::new(&self.town, self.id, to.id);
        ctx.ask(to.at, within, |reply| Msg::Ask(token, no, reply), move |answer| Msg::Answer(no, answer));
    }

    fn set_timer(&self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let (key, no) = (self.town.below(3) as u8, self.town.serial());
        let after = Duration::from_micros(1 + self.town.below(30_000));
        let every = self.town.one_in(4);
        let due = ctx.now() + after;
        self.town.see(Act::TimerSet { id: self.id, key, no, due, every });
        let number = u64::from(key);
        if every {
            ctx.set_periodic(number, after, Msg::Timer(key, no))?;
        } else {
            ctx.set_timer(number, after, Msg::Timer(key, no))?;
        }
        Ok(())
    }

    fn set_alarm(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let (at, no) = (self.town.below(2) as usize, self.town.serial());
        let after = Duration::from_micros(1 + self.town.below(30_000));
        let key = ALARMS + at as u8;
        self.town.see(Act::TimerSet { id: self.id, key, no, due: ctx.now() + after, every: false });
        self.alarms[at] = no;
        ctx.set_alarm(u64::from(key), after)?;
        Ok(())
    }

    fn cancel_timer(&self, ctx: &mut Ctx<'_, Self>) {
        let key = self.town.below(5) as u8;
        let was = ctx.cancel_timer(u64::from(key));
        self.town.see(Act::TimerCancelled { id: self.id, key, was });
    }

    fn reply(&self, ctx: &mut Ctx<'_, Self>, no: u32, reply: ReplyTo<u32>) {
        self.town.see(Act::Replied { no });
        ctx.tell(reply, no);
    }

    /// One who lives on this shard is to have this one run again.
    fn suspend(&self, ctx: &mut Ctx<'_, Self>, by: Person) -> Outcome {
        if by.id == self.id || by.at.place() != ctx.me().place() || !self.town.may_tell() {
            return Ok(());
        }
        let token = Token::new(&self.town, self.id, by.id);
        let resume = Msg::Resume(token, self.id, ctx.me());
        self.send(ctx, by.at, resume);
        ctx.suspend_self()?;
        self.town.see(Act::Suspended { id: self.id });
        Ok(())
    }

    fn begin_future(&self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let (no, polls) = (self.town.serial(), self.town.below(4));
        let mut left = polls;
        let future = poll_fn(move |cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        match self.town.below(3) {
            0 => {
                self.town.see(Act::FutureBegun { id: self.id, no, waits: false });
                ctx.spawn_future(future, move |()| Msg::Future(no, false))?;
            }
            1 => {
                ctx.wait_for(future, move |()| Msg::Future(no, true))?;
                self.town.see(Act::FutureBegun { id: self.id, no, waits: true });
            }
            _ => {
                self.town.see(Act::FutureBegun { id: self.id, no, waits: false });
                ctx.offload(move || no, move |no| Msg::Future(no.unwrap_or(0), false))?;
            }
        }
        Ok(())
    }

    fn unstash(&mut self, ctx: &mut Ctx<'_, Self>) {
        let count = if self.town.one_in(2) { ctx.unstash_all() } else { u32::from(ctx.unstash()) };
        self.stashed -= count.min(self.stashed);
        self.town.see(Act::Unstashed { by: self.id, count });
    }

    /// Does one thing or another.
    fn do_something(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let Some(other) = self.town.somebody() else { return Ok(()) };
        match self.town.below(100) {
            0..40 => self.tell(ctx, other),
            40 => (0..20 + self.town.below(60)).for_each(|_| self.tell(ctx, other)),
            41..48 => self.spawn(ctx),
            48..51 => self.spawn_away(ctx),
            51..58 => self.watch(ctx, other)?,
            58..61 => {
                let was = ctx.unwatch(other.at);
                self.town.see(Act::Unwatched { watcher: self.id, target: other.id, was });
            }
            61..70 => self.ask(ctx, other),
            70..74 => self.set_timer(ctx)?,
            74..76 => self.set_alarm(ctx)?,
            76..79 => self.cancel_timer(ctx),
            79..82 => self.suspend(ctx, other)?,
            82..87 => self.begin_future(ctx)?,
            87..90 => {
                let after = Duration::from_micros(500 + self.town.below(20_000));
                let after = (!self.town.one_in(3)).then_some(after);
                ctx.set_receive_timeout(after)?;
                self.town.see(Act::Heard { id: self.id, now: ctx.now() });
                self.town.see(Act::SilenceSet { id: self.id, after });
            }
            90..92 if self.town.one_in(2) => {
                self.leaves = true;
                ctx.stop_self();
            }
            92..94 if self.town.one_in(2) => {
                self.leaves |= other.id == self.id;
                self.town.see(Act::StopAsked { id: other.id });
                ctx.stop(other.at);
            }
            94..96 => {
                while let Some((no, reply)) = self.open.pop() {
                    self.reply(ctx, no, reply);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn handle(&mut self, token: Token, ctx: &mut Ctx<'_, Self>) -> Outcome {
        token.handled(self.id);
        self.heard += 1;
        if self.stashed > 0 && self.town.one_in(6) {
            self.unstash(ctx);
        }
        for _ in 0..self.town.below(5) {
            self.do_something(ctx)?;
        }
        self.perhaps_fail()
    }

    /// Puts a message aside, now and then; gives it back otherwise.
    fn perhaps_stash(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Option<Msg> {
        let Msg::Talk(Token { from, to, no, .. }) = msg else { return Some(msg) };
        if !self.town.one_in(12) {
            return Some(msg);
        }
        if let Err(back) = ctx.stash(msg) {
            return Some(back.into_inner());
        }
        self.stashed += 1;
        self.town.see(Act::Stashed { by: self.id, from, to, no });
        None
    }
}

impl Actor for Dweller {
    type Msg = Msg;

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.town.see(Act::Heard { id: self.id, now: ctx.now() });
        let Some(msg) = self.perhaps_stash(msg, ctx) else { return Ok(()) };
        if matches!(msg, Msg::Talk(_) | Msg::Ask(..)) {
            // The others are outcomes, which would be lost with the message.
            self.perhaps_fail()?;
        }
        match msg {
            Msg::Talk(token) => return self.handle(token, ctx),
            Msg::Ask(token, no, reply) => {
                match self.town.below(4) {
                    0 => self.open.push((no, reply)),
                    1 if self.town.one_in(4) => {}
                    _ => self.reply(ctx, no, reply),
                }
                return self.handle(token, ctx);
            }
            Msg::Answer(no, answer) => {
                let reply = match answer {
                    Ok(of) => Reply::Answer(of),
                    Err(AskError::Timeout) => Reply::Timeout,
                    Err(_) => Reply::NotSent,
                };
                self.town.see(Act::Answered { id: self.id, no, reply, now: ctx.now() });
            }
            Msg::Count(reply) => ctx.tell(reply, self.heard),
            Msg::Resume(token, id, at) => {
                token.handled(self.id);
                self.town.see(Act::Resumed { id });
                ctx.scope().resume(at);
            }
            Msg::Timer(key, no) => {
                self.town.see(Act::TimerFired { id: self.id, key, no, now: ctx.now() });
                self.do_something(ctx)?;
            }
            Msg::Gone(target) => {
                self.town.see(Act::Notice { watcher: self.id, target, found: false });
            }
            Msg::Future(no, waits) => {
                self.town.see(Act::FutureDone { id: self.id, no, waits });
                self.do_something(ctx)?;
            }
            Msg::Came(id, at) => {
                if let Some(at) = at {
                    self.town.enter(Person { id, at });
                }
            }
        }
        Ok(())
    }

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.town.see(Act::Started { id: self.id });
        self.town.enter(Person { id: self.id, at: ctx.me() });
        if self.town.one_in(4) {
            self.do_something(ctx)?;
        }
        self.perhaps_fail()
    }

    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        self.town.see(Act::Stopped { id: self.id });
        if self.town.one_in(3)
            && let Some(other) = self.town.somebody()
        {
            self.tell(ctx, other);
        }
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let target = self.town.at(gone.address);
        let found = matches!(gone.reason, StopReason::Stopped | StopReason::Failed(_));
        self.town.see(Act::Notice { watcher: self.id, target, found });
        self.do_something(ctx)?;
        self.perhaps_fail()
    }

    fn strategy(&self) -> Strategy {
        Parenting::of(self.id).strategy()
    }

    fn decide(&mut self, child: Address, _: &Failure, ctx: &mut Ctx<'_, Self>) -> Directive {
        let (parenting, child) = (Parenting::of(self.id), self.town.at(child));
        let directive = match self.town.below(20) {
            0..4 => Directive::Resume,
            4..12 => Directive::Restart,
            12..14 => Directive::RestartAfter(Duration::from_micros(self.town.below(20_000))),
            // One that has asked to stop does, and nobody would hear of its own failure.
            14..16 if !self.leaves => Directive::Escalate,
            _ => Directive::Stop,
        };
        let (decision, reach) = (parenting.decision(directive), parenting.reach);
        self.town.see(Act::ChildFailed { parent: self.id, child, now: ctx.now(), decision, reach });
        if decision == Decision::Escalate {
            self.town.see(Act::Fails { id: self.id });
        }
        directive
    }

    fn restarting(&mut self, _: &Failure, ctx: &mut Ctx<'_, Self>) {
        let keeps = self.town.one_in(3);
        self.town.see(Act::Restarting { id: self.id, keeps });
        if !keeps {
            ctx.stop_children();
        }
        if self.town.one_in(3) {
            // What it sets up here ends with this instance.
            let _ = self.set_timer(ctx);
        }
    }

    fn restarted(&mut self, _: &Failure, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.town.see(Act::Restarted { id: self.id, now: ctx.now() });
        self.started(ctx)
    }

    fn alarm(&mut self, key: TimerKey, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let TimerKey::Number(key) = key else { return Ok(()) };
        let key = key as u8;
        let no = self.alarms[usize::from(key - ALARMS)];
        self.town.see(Act::TimerFired { id: self.id, key, no, now: ctx.now() });
        self.do_something(ctx)?;
        self.perhaps_fail()
    }

    fn receive_timeout(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.town.see(Act::Silence { id: self.id, now: ctx.now() });
        self.town.see(Act::Heard { id: self.id, now: ctx.now() });
        self.do_something(ctx)
    }
}

impl Drop for Dweller {
    fn drop(&mut self) {
        self.town.see(Act::Ended { id: self.id });
    }
}

//! What those who live in a random world do, whatever kind of actor they are: one thing or another, at random, and they
//! say what they do.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use corelane_kernel::fsm::StateChange;
use corelane_kernel::{
    Actor, ActorRef, Address, AskError, Ctx, Directive, Outcome, ReplyTo, Scope, SpawnError, StopReason,
    TellError, Terminated, TimerKey,
};

use super::super::rules::{Act, Decision, Id, Lack, OUTSIDE, Reach, Reply};
use super::Where;
use super::clockwork::{Change, Clockwork};
use super::dweller::{ALARMS, Dweller, panic_on_purpose};
use super::foreman::foreman;
use super::message::{Birth, Due, Msg, Token};
use super::parenting::Parenting;
use super::town::{Person, Town};
use crate::local::ShardCtx;
use crate::spawn::On;

/// What somebody is: their number decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trade {
    /// An actor that makes all it does up as it goes.
    Dweller,
    /// A state machine.
    Clockwork,
    /// The owner of a pool.
    Foreman,
}

impl Trade {
    const fn of(id: Id) -> Trade {
        // A prime: each trade has parents of each kind.
        match id % 11 {
            3 | 7 | 9 => Trade::Clockwork,
            5 => Trade::Foreman,
            _ => Trade::Dweller,
        }
    }
}

/// Spawns somebody at the top of a shard, from a factory.
pub(super) fn spawn_at_top(scope: &mut Scope<'_>, town: &Town, id: Id) -> Result<Where, SpawnError> {
    let (town, shard) = (town.clone(), scope.place().shard());
    match Trade::of(id) {
        Trade::Dweller => scope.spawn_from(move || Dweller::make(&town, id)),
        Trade::Clockwork => scope.spawn_from(move || Clockwork::make(&town, id)),
        Trade::Foreman => scope.spawn_from(move || foreman(&town, id, shard)),
    }
}

impl Dweller {
    pub(super) fn tell<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>, to: Person) {
        if !self.town.may_tell() {
            return;
        }
        let token = Token::new(&self.town, self.id, to.id);
        self.send(ctx, to.at, Msg::Talk(token));
    }

    pub(super) fn send<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>, to: ActorRef<Msg>, message: Msg) {
        let refused = ctx.try_tell(to, message).map_err(TellError::into_inner);
        if let Err(Msg::Talk(token) | Msg::Resume(token, ..)) = refused {
            token.refused();
        }
    }

    fn spawn<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>) {
        if !self.town.has_room() {
            return;
        }
        let here = ctx.me().place().shard();
        let id = self.town.expect(self.id, here);
        let (group, bound) = (self.town.any_group(), self.town.any_bound());
        let name = format!("{id}");
        let mut spawner = ctx.spawner().group(group).mailbox(bound);
        if self.town.one_in(4) {
            spawner = spawner.name(&name);
        }
        let given = self.town.one_in(2);
        let town = self.town.clone();
        let spawned = match Trade::of(id) {
            Trade::Dweller if given => spawner.spawn(Dweller::new(&town, id)),
            Trade::Dweller => spawner.spawn_from(move || Dweller::make(&town, id)),
            Trade::Clockwork if given => spawner.spawn(Clockwork::new(&town, id)),
            Trade::Clockwork => spawner.spawn_from(move || Clockwork::make(&town, id)),
            Trade::Foreman => spawner.spawn_from(move || foreman(&town, id, here)),
        };
        if let Ok(at) = spawned {
            self.town.enter(Person { id, at });
        }
    }

    /// Spawns a child on some shard of the realm.
    fn spawn_afar<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>) {
        if !self.town.has_room() {
            return;
        }
        let shard = self.town.below(ctx.system().shards() as u64) as usize;
        let (parent, id, town) = (self.id, self.town.expect(self.id, shard), self.town.clone());
        let (group, bound) = (self.town.any_group(), self.town.any_bound());
        let name = format!("{id}");
        let mut spawner = ctx.child_on(shard).group(group).mailbox(bound);
        if self.town.one_in(4) {
            spawner = spawner.name(&name);
        }
        let books = self.town.clone();
        let born = move |at: Result<Where, SpawnError>| {
            let birth = Birth::told(&books, id, at.is_ok());
            if let Ok(at) = at {
                books.enter(Person { id, at });
            }
            if books.one_in(80) && books.may_fail(parent) {
                books.see(Act::Fails { id: parent });
                panic_on_purpose();
            }
            Msg::Born(birth)
        };
        let spawned = match Trade::of(id) {
            Trade::Dweller if self.town.one_in(2) => {
                spawner.try_spawn_from(move || Dweller::try_make(&town, id), born)
            }
            Trade::Dweller => spawner.spawn_from(move || Dweller::make(&town, id), born),
            Trade::Clockwork => spawner.spawn_from(move || Clockwork::make(&town, id), born),
            Trade::Foreman => spawner.spawn_from(move || foreman(&town, id, shard), born),
        };
        if spawned.is_err() {
            self.town.see(Act::Unspawned { id });
        }
    }

    fn spawn_away<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>) {
        if !self.town.has_room() {
            return;
        }
        let shards = ctx.system().shards();
        let shard = self.town.below(shards as u64) as usize;
        let (id, town) = (self.town.expect(OUTSIDE, shard), self.town.clone());
        let books = self.town.clone();
        let came = move |at: Result<Where, _>| {
            if let Ok(at) = at {
                books.enter(Person { id, at });
            }
            Msg::Came
        };
        let on = On::Shard(shard);
        match Trade::of(id) {
            Trade::Dweller => ctx.spawn_on(on, move || Dweller::make(&town, id), came),
            Trade::Clockwork => ctx.spawn_on(on, move || Clockwork::make(&town, id), came),
            Trade::Foreman => ctx.spawn_on(on, move || foreman(&town, id, shard), came),
        }
    }

    fn watch<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>, target: Person) -> Outcome {
        // Whom it has hired it watches already, and goes on to.
        if target.id == self.id || self.has_hired(target.id) {
            return Ok(());
        }
        let with = self.town.one_in(3);
        if with {
            let due = Due::new(&self.town, self.id, Lack::Notice { target: target.id });
            ctx.watch_with(target.at, Msg::Gone(due))?
        } else {
            ctx.watch(target.at)?
        }
        self.town.see(Act::Watching { watcher: self.id, target: target.id, with });
        Ok(())
    }

    fn ask<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>, to: Person) {
        if !self.town.may_tell() {
            return;
        }
        let no = self.town.serial();
        let within = Duration::from_micros(1 + self.town.below(20_000));
        self.town.see(Act::Asked { id: self.id, no, deadline: ctx.now() + within });
        let token = Token::new(&self.town, self.id, to.id);
        let due = Due::new(&self.town, self.id, Lack::Answer { no });
        ctx.ask(to.at, within, |reply| Msg::Ask(token, no, reply), move |answer| Msg::Answer(due, answer));
    }

    fn set_timer<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>) -> Outcome {
        let (key, no) = (self.town.below(3) as u8, self.town.serial());
        let after = Duration::from_micros(1 + self.town.below(30_000));
        let every = self.town.one_in(4);
        let due = ctx.now() + after;
        let number = u64::from(key);
        let message = Msg::Timer(Due::new(&self.town, self.id, Lack::Timer { key, no }));
        if every {
            ctx.set_periodic(number, after, message)?;
        } else {
            ctx.set_timer(number, after, message)?;
        }
        self.town.see(Act::TimerSet { id: self.id, key, no, due, every });
        Ok(())
    }

    fn set_alarm<A: Actor<Msg = Msg>>(&mut self, ctx: &mut Ctx<'_, A>) -> Outcome {
        let (at, no) = (self.town.below(2) as usize, self.town.serial());
        let after = Duration::from_micros(1 + self.town.below(30_000));
        let key = ALARMS + at as u8;
        ctx.set_alarm(u64::from(key), after)?;
        self.town.see(Act::TimerSet { id: self.id, key, no, due: ctx.now() + after, every: false });
        self.alarms[at] = no;
        Ok(())
    }

    fn cancel_timer<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>) {
        let key = self.town.below(5) as u8;
        let was = ctx.cancel_timer(u64::from(key));
        self.town.see(Act::TimerCancelled { id: self.id, key, was });
    }

    fn reply<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>, no: u32, reply: ReplyTo<u32>) {
        self.town.see(Act::Replied { no });
        ctx.tell(reply, no);
    }

    /// One who lives on this shard is to have this one run again.
    fn suspend<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>, by: Person) -> Outcome {
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

    fn begin_future<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>) -> Outcome {
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
        let way = self.town.below(3);
        let (id, waits, books) = (self.id, way == 1, self.town.clone());
        let done = move |no| Msg::Future(Due::new(&books, id, Lack::Future { no, waits }));
        match way {
            0 => ctx.spawn_future(future, move |()| done(no))?,
            1 => ctx.wait_for(future, move |()| done(no))?,
            _ => ctx.offload(move || no, move |no| done(no.unwrap_or(0)))?,
        }
        self.town.see(Act::FutureBegun { id, no, waits });
        Ok(())
    }

    fn unstash<A: Actor<Msg = Msg>>(&mut self, ctx: &mut Ctx<'_, A>) {
        let count = if self.town.one_in(2) { ctx.unstash_all() } else { u32::from(ctx.unstash()) };
        self.stashed -= count.min(self.stashed);
        self.town.see(Act::Unstashed { by: self.id, count });
    }

    /// Does one thing or another.
    pub(super) fn do_something<A: Actor<Msg = Msg>>(&mut self, ctx: &mut Ctx<'_, A>) -> Outcome {
        let Some(other) = self.town.somebody() else { return Ok(()) };
        match self.town.below(100) {
            0..40 => self.tell(ctx, other),
            40 => (0..20 + self.town.below(60)).for_each(|_| self.tell(ctx, other)),
            41..45 => self.spawn(ctx),
            45..49 => self.spawn_afar(ctx),
            49..51 => self.spawn_away(ctx),
            51..58 => self.watch(ctx, other)?,
            58..61 if !self.has_hired(other.id) => {
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
                self.leave();
                ctx.stop_self();
            }
            92..94 if self.town.one_in(2) => {
                self.leaves |= other.id == self.id;
                self.town.see(Act::StopAsked { id: other.id, by: self.id });
                ctx.stop(other.at);
            }
            94..95 => self.observe(ctx, other)?,
            95..97 => {
                while let Some((no, reply)) = self.open.pop() {
                    self.reply(ctx, no, reply);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn has_hired(&self, whom: Id) -> bool {
        self.hired.iter().any(|(_, id)| *id == whom)
    }

    fn hear_of_change(&self, change: Change) {
        let (machine, from, to) = match change {
            StateChange::Current { machine, state } => (machine, None, state),
            StateChange::Transition { machine, from, to } => (machine, Some(from.no), to),
        };
        let machine = self.town.at(machine);
        self.town.see(Act::Observed { observer: self.id, machine, from, to: to.no });
    }

    /// What it does before another state takes the place of this one.
    pub(super) fn take_leave<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>) {
        let keeps = self.town.one_in(3);
        self.town.see(Act::Restarting { id: self.id, keeps });
        if !keeps {
            ctx.stop_children();
        }
        if self.town.one_in(3) {
            // What it sets up here ends with this instance.
            let _ = self.set_timer(ctx);
        }
        if !keeps && self.town.one_in(60) {
            panic_on_purpose();
        }
    }

    /// It has asked to stop, or does now.
    pub(super) fn leave(&mut self) {
        self.leaves = true;
        self.town.see(Act::Leaves { id: self.id });
    }

    /// Asks somebody to say which transitions they make, in case they are a machine.
    fn observe<A: Actor<Msg = Msg>>(&mut self, ctx: &mut Ctx<'_, A>, other: Person) -> Outcome {
        if Trade::of(other.id) != Trade::Clockwork || !self.town.may_tell() {
            return Ok(());
        }
        let observer = match self.observer {
            Some(observer) => observer,
            None => *self.observer.insert(ctx.adapter(Msg::Changed)?),
        };
        let token = Token::new(&self.town, self.id, other.id);
        self.send(ctx, other.at, Msg::Observe(token, observer));
        Ok(())
    }

    fn handle<A: Actor<Msg = Msg>>(&mut self, token: Token, ctx: &mut Ctx<'_, A>) -> Outcome {
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
    fn perhaps_stash<A: Actor<Msg = Msg>>(&mut self, msg: Msg, ctx: &mut Ctx<'_, A>) -> Option<Msg> {
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

    // --- what is heard ---------------------------------------------------------------------------------------------------

    pub(super) fn hear<A: Actor<Msg = Msg>>(&mut self, msg: Msg, ctx: &mut Ctx<'_, A>) -> Outcome {
        self.town.see(Act::Received { id: self.id, now: ctx.now() });
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
            Msg::Answer(due, answer) => {
                let Lack::Answer { no } = due.heard() else { return Ok(()) };
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
            Msg::Timer(due) => {
                let Lack::Timer { key, no } = due.heard() else { return Ok(()) };
                self.town.see(Act::TimerFired { id: self.id, key, no, now: ctx.now() });
                self.do_something(ctx)?;
            }
            Msg::Gone(due) => {
                let Lack::Notice { target } = due.heard() else { return Ok(()) };
                self.town.see(Act::Notice { watcher: self.id, target, found: false });
            }
            Msg::Future(due) => {
                let Lack::Future { no, waits } = due.heard() else { return Ok(()) };
                self.town.see(Act::FutureDone { id: self.id, no, waits });
                self.do_something(ctx)?;
            }
            Msg::Errand(errand) => {
                errand.handled(self.id);
                self.do_something(ctx)?;
            }
            // Nobody but a machine has states to be observed.
            Msg::Observe(token, _) => token.handled(self.id),
            Msg::Changed(change) => self.hear_of_change(change),
            Msg::Born(birth) => birth.heard(),
            Msg::Came => {}
        }
        Ok(())
    }

    pub(super) fn begin<A: Actor<Msg = Msg>>(&mut self, ctx: &mut Ctx<'_, A>) -> Outcome {
        self.announce(ctx);
        self.go_on(ctx)
    }

    /// Says that it has started, and where it lives.
    pub(super) fn announce<A: Actor<Msg = Msg>>(&self, ctx: &mut Ctx<'_, A>) {
        self.town.see(Act::Started { id: self.id });
        self.town.enter(Person { id: self.id, at: ctx.me() });
    }

    /// Does something at its start.
    pub(super) fn go_on<A: Actor<Msg = Msg>>(&mut self, ctx: &mut Ctx<'_, A>) -> Outcome {
        if self.town.one_in(4) {
            self.do_something(ctx)?;
        }
        self.perhaps_fail()
    }

    pub(super) fn end<A: Actor<Msg = Msg>>(&mut self, ctx: &mut Ctx<'_, A>) {
        self.town.see(Act::Stopped { id: self.id });
        if self.town.one_in(3)
            && let Some(other) = self.town.somebody()
        {
            self.tell(ctx, other);
        }
        if self.town.one_in(100) {
            panic_on_purpose();
        }
    }

    pub(super) fn mourn<A: Actor<Msg = Msg>>(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, A>) -> Outcome {
        let target = self.town.at(gone.address);
        let found = matches!(gone.reason, StopReason::Stopped | StopReason::Failed(_));
        self.town.see(Act::Notice { watcher: self.id, target, found });
        self.do_something(ctx)?;
        self.perhaps_fail()
    }

    pub(super) fn judge<A: Actor<Msg = Msg>>(&self, child: Address, ctx: &mut Ctx<'_, A>) -> Directive {
        let (parenting, child) = (Parenting::of(self.id), self.town.child_at(child));
        let directive = match self.town.below(20) {
            0..4 => Directive::Resume,
            4..12 => Directive::Restart,
            12..14 => Directive::RestartAfter(Duration::from_micros(self.town.below(20_000))),
            // One that has asked to stop does, and nobody would hear of its own failure.
            14..16 if !self.leaves => Directive::Escalate,
            _ => Directive::Stop,
        };
        let panics = self.town.one_in(40) && self.town.may_fail(self.id);
        let (decision, reach) = match panics {
            true => (Decision::Stop, Reach::One),
            false => (parenting.decision(directive), parenting.reach),
        };
        self.town.see(Act::ChildFailed { parent: self.id, child, now: ctx.now(), decision, reach });
        if panics {
            // Nobody knows what to do with the child, and this one fails as well.
            self.town.see(Act::Fails { id: self.id });
            panic_on_purpose();
        }
        if decision == Decision::Escalate {
            self.town.see(Act::Fails { id: self.id });
        }
        directive
    }

    pub(super) fn ring<A: Actor<Msg = Msg>>(&mut self, key: TimerKey, ctx: &mut Ctx<'_, A>) -> Outcome {
        let TimerKey::Number(key) = key else { return Ok(()) };
        let key = key as u8;
        let no = self.alarms[usize::from(key - ALARMS)];
        self.town.see(Act::TimerFired { id: self.id, key, no, now: ctx.now() });
        self.do_something(ctx)?;
        self.perhaps_fail()
    }

    pub(super) fn silence<A: Actor<Msg = Msg>>(&mut self, ctx: &mut Ctx<'_, A>) -> Outcome {
        self.town.see(Act::Silence { id: self.id, now: ctx.now() });
        self.town.see(Act::Heard { id: self.id, now: ctx.now() });
        self.do_something(ctx)
    }
}

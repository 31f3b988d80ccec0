//! Who lives in a random world: an actor that does whatever actors can do, and says what it does.

use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, Directive, Failure, OutOfMemory, Outcome, ReplyTo, Strategy, Terminated,
    TimerKey,
};

use corelane_kernel::router::PoolError;

use super::super::rules::{Act, Id};
use super::super::stage;
use super::super::trace::{Event, Fault};
use super::clockwork::Change;
use super::message::Msg;
use super::parenting::Parenting;
use super::town::Town;

pub(super) struct Dweller {
    pub(super) town: Town,
    pub(super) id: Id,
    pub(super) heard: u32,
    pub(super) stashed: u32,
    /// It has asked to stop: what fails after that only stops, and nobody decides about it.
    pub(super) leaves: bool,
    /// Questions that are answered later, or never.
    pub(super) open: Vec<(u32, ReplyTo<u32>)>,
    /// The numbers of its alarms, which ring without one.
    pub(super) alarms: [u32; 2],
    /// Where it hears of machines' transitions.
    pub(super) observer: Option<ActorRef<Change>>,
    /// The routees of its pool, if it has one.
    pub(super) hired: Vec<(Address, Id)>,
}

/// The keys of alarms come after those of timers.
pub(super) const ALARMS: u8 = 3;

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
            observer: None,
            hired: Vec::new(),
        }
    }

    /// What a factory does: it fails, now and then.
    pub(super) fn make(town: &Town, id: Id) -> Dweller {
        perhaps_fail_to_make(town, id);
        Dweller::new(town, id)
    }

    /// As one that may also say that it fails.
    pub(super) fn try_make(town: &Town, id: Id) -> Result<Dweller, Failure> {
        if town.one_in(60) {
            town.see(Act::Fails { id });
            return Err(Failure::new("on purpose"));
        }
        Ok(Dweller::make(town, id))
    }

    /// What it fails with for want of memory is a failure as any other, which it has not said yet.
    pub(super) fn owns(&self, outcome: Outcome) -> Outcome {
        let Err(failure) = outcome.as_ref() else { return outcome };
        if !is_want(failure) {
            return outcome;
        }
        if !self.town.may_fail(self.id) {
            // It is to stop anyway, and nobody would hear of this.
            return Ok(());
        }
        self.town.see(Act::Fails { id: self.id });
        outcome
    }

    /// Something goes wrong, now and then: a panic, or an error.
    pub(super) fn perhaps_fail(&self) -> Outcome {
        if self.leaves {
            return Ok(());
        }
        let stage = stage::try_current();
        let panics = stage.as_ref().is_some_and(|stage| {
            let one_in = stage.options().panic_one_in;
            one_in != 0 && self.town.one_in(one_in)
        });
        if let Some(stage) = stage.filter(|_| panics) {
            stage.add(Event::Fault { fault: Fault::Panic, host: 0, shard: None });
            self.town.see(Act::Fails { id: self.id });
            panic_on_purpose();
        }
        if self.town.one_in(100) {
            self.town.see(Act::Fails { id: self.id });
            return Err(Failure::new("on purpose"));
        }
        Ok(())
    }
}

/// Whether it is for want of memory that somebody fails.
pub(super) fn is_want(failure: &Failure) -> bool {
    failure.is::<OutOfMemory>() || failure.is::<PoolError>()
}

/// A panic that nobody is told of on standard error.
pub(super) fn panic_on_purpose() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}

/// A factory fails, now and then.
pub(super) fn perhaps_fail_to_make(town: &Town, id: Id) {
    if town.one_in(60) {
        town.see(Act::Fails { id });
        panic_on_purpose();
    }
}

impl Actor for Dweller {
    type Msg = Msg;

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.hear(msg, ctx);
        self.owns(outcome)
    }

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.begin(ctx);
        self.owns(outcome)
    }

    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        self.end(ctx);
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.mourn(gone, ctx);
        self.owns(outcome)
    }

    fn strategy(&self) -> Strategy {
        Parenting::of(self.id).strategy()
    }

    fn decide(&mut self, child: Address, _: &Failure, ctx: &mut Ctx<'_, Self>) -> Directive {
        self.judge(child, ctx)
    }

    fn restarting(&mut self, _: &Failure, ctx: &mut Ctx<'_, Self>) {
        self.take_leave(ctx);
    }

    fn restarted(&mut self, _: &Failure, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.town.see(Act::Restarted { id: self.id, now: ctx.now() });
        self.started(ctx)
    }

    fn alarm(&mut self, key: TimerKey, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.ring(key, ctx);
        self.owns(outcome)
    }

    fn receive_timeout(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let outcome = self.silence(ctx);
        self.owns(outcome)
    }
}

impl Drop for Dweller {
    fn drop(&mut self) {
        self.town.see(Act::Ended { id: self.id });
    }
}

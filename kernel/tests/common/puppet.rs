//! Puppets: actors that do as they are told, and log what happens to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, Address, Ctx, Directive, Failure, Outcome, StopReason, Strategy, Terminated};

use super::census::Token;
use super::lock;

/// What happened, as a list of words, and who is who.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    words: Vec<String>,
    names: HashMap<Address, &'static str>,
}

impl Log {
    pub(crate) fn add(&self, word: impl Into<String>) {
        lock(&self.0).words.push(word.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0).words)
    }

    pub(crate) fn know(&self, address: Address, name: &'static str) {
        lock(&self.0).names.insert(address, name);
    }

    pub(crate) fn name_of(&self, address: Address) -> &'static str {
        lock(&self.0).names.get(&address).copied().unwrap_or("somebody")
    }
}

/// Something to do, once, by a puppet.
pub(crate) type Deed = Box<dyn FnOnce(&mut Puppet, &mut Ctx<'_, Puppet>) -> Outcome + Send>;

/// What a puppet is told.
pub(crate) enum Order {
    /// Log a number.
    Note(u64),
    /// Log a text.
    Say(String),
    /// Do something.
    Do(Deed),
    /// Hold a token for as long as it takes to handle it.
    Carry(Token),
    /// Set a number aside.
    Stash(u64),
}

/// An order to do something that cannot fail.
pub(crate) fn order(deed: impl FnOnce(&mut Puppet, &mut Ctx<'_, Puppet>) + Send + 'static) -> Order {
    Order::Do(Box::new(move |me, ctx| {
        deed(me, ctx);
        Ok(())
    }))
}

/// An order to do something that may fail.
pub(crate) fn attempt(
    deed: impl FnOnce(&mut Puppet, &mut Ctx<'_, Puppet>) -> Outcome + Send + 'static,
) -> Order {
    Order::Do(Box::new(deed))
}

/// An actor that does as it is told, and logs what happens to it.
pub(crate) struct Puppet {
    pub(crate) name: &'static str,
    pub(crate) log: Log,
    pub(crate) at_start: Option<Deed>,
    pub(crate) at_stop: Option<Deed>,
    pub(crate) at_end_of_other: Option<Deed>,
    pub(crate) at_failure_of_child: Option<Deed>,
    /// Instead of stopping the children.
    pub(crate) at_restart: Option<Deed>,
    pub(crate) at_silence: Option<Deed>,
    pub(crate) strategy: Strategy,
    /// Dropped with the state.
    pub(crate) kept: Vec<Token>,
}

impl Puppet {
    pub(crate) fn new(name: &'static str, log: &Log) -> Puppet {
        Puppet {
            name,
            log: log.clone(),
            at_start: None,
            at_stop: None,
            at_end_of_other: None,
            at_failure_of_child: None,
            at_restart: None,
            at_silence: None,
            strategy: Strategy::one_for_one(),
            kept: Vec::new(),
        }
    }

    /// Another puppet with the same log.
    pub(crate) fn other(&self, name: &'static str) -> Puppet {
        Puppet::new(name, &self.log)
    }

    pub(crate) fn at_start(
        mut self,
        deed: impl FnOnce(&mut Puppet, &mut Ctx<'_, Puppet>) -> Outcome + Send + 'static,
    ) -> Puppet {
        self.at_start = Some(Box::new(deed));
        self
    }

    pub(crate) fn at_stop(
        mut self,
        deed: impl FnOnce(&mut Puppet, &mut Ctx<'_, Puppet>) + Send + 'static,
    ) -> Puppet {
        self.at_stop = Some(Box::new(move |me, ctx| {
            deed(me, ctx);
            Ok(())
        }));
        self
    }

    pub(crate) fn at_restart(
        mut self,
        deed: impl FnOnce(&mut Puppet, &mut Ctx<'_, Puppet>) + Send + 'static,
    ) -> Puppet {
        self.at_restart = Some(Box::new(move |me, ctx| {
            deed(me, ctx);
            Ok(())
        }));
        self
    }

    pub(crate) fn looking_after(mut self, strategy: Strategy) -> Puppet {
        self.strategy = strategy;
        self
    }

    pub(crate) fn keeping(mut self, token: Token) -> Puppet {
        self.kept.push(token);
        self
    }

    pub(crate) fn say(&self, what: impl std::fmt::Display) {
        self.log.add(format!("{} {what}", self.name));
    }
}

impl Actor for Puppet {
    type Msg = Order;

    fn receive(&mut self, order: Order, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Note(n) => self.say(n),
            Order::Say(text) => self.say(text),
            Order::Do(deed) => return deed(self, ctx),
            Order::Carry(token) => drop(token),
            Order::Stash(n) => match ctx.stash(Order::Note(n)) {
                Ok(()) => {}
                Err(refused) => self.say(format_args!("cannot stash {n}: {refused:?}")),
            },
        }
        Ok(())
    }

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.log.know(ctx.me().address(), self.name);
        self.say("started");
        self.at_start.take().map_or(Ok(()), |deed| deed(self, ctx))
    }

    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        self.say("stopped");
        if let Some(deed) = self.at_stop.take() {
            let _ = deed(self, ctx);
        }
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let who = self.log.name_of(gone.address);
        self.say(format_args!("hears: {who} {}", why(&gone.reason)));
        self.at_end_of_other.take().map_or(Ok(()), |deed| deed(self, ctx))
    }

    fn strategy(&self) -> Strategy {
        self.strategy
    }

    fn decide(&mut self, child: Address, failure: &Failure, ctx: &mut Ctx<'_, Self>) -> Directive {
        self.say(format_args!("decides on {}: {failure}", self.log.name_of(child)));
        let deed = self.at_failure_of_child.take();
        if deed.is_some_and(|deed| deed(self, ctx).is_err()) {
            return Directive::Escalate;
        }
        self.strategy.directive(failure)
    }

    fn restarting(&mut self, failure: &Failure, ctx: &mut Ctx<'_, Self>) {
        self.say(format_args!("restarting: {failure}"));
        match self.at_restart.take() {
            Some(deed) => drop(deed(self, ctx)),
            None => ctx.stop_children(),
        }
    }

    fn restarted(&mut self, failure: &Failure, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.say(format_args!("restarted: {failure}"));
        self.started(ctx)
    }

    fn receive_timeout(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.say("hears nothing");
        self.at_silence.take().map_or(Ok(()), |deed| deed(self, ctx))
    }

    /// Tokens do not count as messages.
    fn influences_receive_timeout(order: &Order) -> bool {
        !matches!(order, Order::Carry(_))
    }
}

/// A stop reason in words.
pub(crate) fn why(reason: &StopReason) -> String {
    match reason {
        StopReason::Stopped => "stopped".to_owned(),
        StopReason::Failed(failure) => format!("failed ({failure})"),
        StopReason::NotFound => "not found".to_owned(),
        other => format!("{other:?}"),
    }
}

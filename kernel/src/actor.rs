//! The actor: state, one protocol, and what happens to it.

use crate::address::Address;
use crate::context::Ctx;
use crate::failure::{Failure, Outcome};
use crate::supervise::{Directive, Strategy};
use crate::timers::TimerKey;

/// State that handles messages of one type, one at a time, on one core.
///
/// The state need not be `Send`: it never leaves its core. Messages must be, for they may come from another. Handlers
/// must not block; a handler that returns an error (or panics, where there is unwinding) fails its actor, and its parent
/// decides what becomes of it.
///
/// ```
/// use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo};
///
/// enum Msg { Add(u64), Get(ReplyTo<u64>) }
///
/// struct Counter { total: u64 }
///
/// impl Actor for Counter {
///     type Msg = Msg;
///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match msg {
///             Msg::Add(n) => self.total += n,
///             Msg::Get(reply) => ctx.tell(reply, self.total),
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// # Failures
///
/// An actor fails when a handler or hook of it returns an error or panics. Its parent's [`Actor::decide`] is asked at once,
/// before any other message of this kernel is handled (if it lives on another shard, as soon as it hears of it there; the
/// actor and all below it wait so long): it says what to do about which failure of which child, and
/// [`Actor::strategy`] whom that concerns and how often. Who says nothing gets what most want: an actor that could not
/// start stops, and so does one that failed with whom it watched; any other is restarted. Top-level actors are the kernel's, which decides by
/// [`KernelConfig::supervision`](crate::KernelConfig::supervision).
///
/// The message whose handler failed is gone, whatever is decided: it was moved into the handler. That it was not handled is
/// told as a dead letter, without the message, for the reason [`DeadReason::Failed`](crate::DeadReason::Failed).
///
/// An actor that has asked to stop when it fails stops, and nobody is asked; so does one that is stopping already.
///
/// One panic may follow another: that of the handler, then that of a hook, then that of the state's drop, each of which is
/// caught. A panic *within* another, of a value that is dropped while the stack unwinds, is none of these: Rust aborts the
/// process, and no supervisor is asked. A `Drop` that may panic should look at `std::thread::panicking` first.
///
/// # Restarts
///
/// A restart puts a new state, an *instance*, in the place of the old one. What others hold on the actor stays: its address,
/// the messages that wait for it in their order, its watchers, its name, scheduling group and mailbox bound. What the old
/// instance had set up ends with it:
///
/// | of the old instance | |
/// |---|---|
/// | children | are stopped, unless [`Actor::restarting`] is overridden; those that it leaves alone are suspended meanwhile, and restarted after it (those spawned from a value: stopped), or go on as they are where its first hook fails and the parent resumes it |
/// | timers, receive time-out | cancelled |
/// | asks | dropped; answers that come later are dead letters |
/// | adapters | end; what is told to them is a dead letter |
/// | futures and other attachments | dropped |
/// | watches | end, without a notice |
/// | stash | goes back to the front of what waits, in order; its bound is the default again |
/// | suspensions | end, whoever asked for them |
///
/// In this order:
///
/// 1. [`restarting`](Actor::restarting) on the old instance, which stops the children;
/// 2. when these are gone, [`stopped`](Actor::stopped) on the old instance, which is then dropped, and all of the table with
///    it;
/// 3. if there is a back-off, the wait;
/// 4. the factory makes the new instance, and [`restarted`](Actor::restarted) runs on it, which calls
///    [`started`](Actor::started) unless it is overridden.
///
/// Signals are handled meanwhile, messages wait. A panic of one of the old instance's hooks or drops is shown to the
/// observer, and the next step follows. An instance that cannot be made, or whose first hook fails, is a failure like any
/// other, of kind [`Start`](crate::FailureKind::Start): unless the parent says otherwise, it stops the actor. When the
/// parent has it made again, that is tried in the next turn at the earliest, so that others are served in between. An actor
/// of which no instance ever lived is not restarted but started, however often it takes.
pub trait Actor: Sized + 'static {
    /// What may be told to it: an enum, usually.
    type Msg: Send + 'static;

    /// Handles one message.
    ///
    /// # Errors
    /// An error fails the actor; its parent decides what becomes of it.
    fn receive(&mut self, msg: Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome;

    /// Runs once, before the first message; on an instance that is a restarted one, by [`Actor::restarted`].
    ///
    /// # Errors
    /// An error fails the actor before it handled anything.
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let _ = ctx;
        Ok(())
    }

    /// Runs once for each instance that began to start, after its last message, when the children that end with it are
    /// gone; also where that start failed. An actor that is stopped before its start has no hooks. When the actor stops,
    /// what it tells itself here is a dead letter. Nothing can be spawned below it here.
    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        let _ = ctx;
    }

    /// A watched actor is gone (see [`Ctx::watch`]).
    ///
    /// # Errors
    /// An error fails the actor; so does not overriding this and watching all the same (a *death pact*), over which its
    /// parent stops it unless it says otherwise.
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let _ = ctx;
        Err(gone.death_pact())
    }

    /// How this actor looks after its children. Asked at each failure of a child, after [`Actor::decide`].
    ///
    /// Unless overridden, [`Strategy::one_for_one`] without a limit.
    fn strategy(&self) -> Strategy {
        Strategy::default()
    }

    /// A child failed: what is to be done? It is neither stopped nor restarted yet; none of its code runs.
    ///
    /// Unless overridden, what [`Actor::strategy`] says about the failure; and unless that is told otherwise,
    /// [`Directive::for_failure`]. A panic here fails this actor, and stops the child. Of others that fail before that is
    /// decided about, it is not asked: [`Strategy::default`] decides.
    ///
    /// ```
    /// # use core::num::ParseIntError;
    /// # use corelane_kernel::{Actor, Address, Ctx, Directive, Failure, Outcome};
    /// struct Intake;
    ///
    /// impl Actor for Intake {
    ///     type Msg = ();
    ///     fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
    ///
    ///     fn decide(&mut self, child: Address, failure: &Failure, ctx: &mut Ctx<'_, Self>) -> Directive {
    ///         if failure.is::<ParseIntError>() {
    ///             // A bad message does not spoil the state.
    ///             Directive::Resume
    ///         } else if ctx.name_of(child) == Some("journal") {
    ///             Directive::Escalate
    ///         } else {
    ///             Directive::for_failure(failure)
    ///         }
    ///     }
    /// }
    /// ```
    fn decide(&mut self, child: Address, failure: &Failure, ctx: &mut Ctx<'_, Self>) -> Directive {
        let _ = (child, ctx);
        self.strategy().directive(failure)
    }

    /// Runs on the old instance when it is to be restarted, before [`Actor::stopped`]. Not on one whose state was never
    /// made. What it sets up ends with the instance.
    ///
    /// Unless overridden, stops all children. Those that it does not stop are restarted after this actor.
    fn restarting(&mut self, failure: &Failure, ctx: &mut Ctx<'_, Self>) {
        let _ = failure;
        ctx.stop_children();
    }

    /// Runs on the new instance after a restart, before its first message. `failure` is what the restart was for.
    ///
    /// Unless overridden, calls [`Actor::started`].
    ///
    /// # Errors
    /// An error fails the new instance before it handled anything.
    fn restarted(&mut self, failure: &Failure, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let _ = failure;
        self.started(ctx)
    }

    /// No message came for as long as [`Ctx::set_receive_timeout`] says. Repeats until that is switched off.
    ///
    /// # Errors
    /// An error fails the actor.
    fn receive_timeout(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let _ = ctx;
        Ok(())
    }

    /// An alarm rings (see [`Ctx::set_alarm`]).
    ///
    /// # Errors
    /// An error fails the actor.
    fn alarm(&mut self, key: TimerKey, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let _ = (key, ctx);
        Ok(())
    }

    /// The kernel's word to a [`Machine`](crate::fsm::Machine) that its state's time may be up.
    #[doc(hidden)]
    fn state_alarm(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let _ = ctx;
        Ok(())
    }

    /// Whether a message puts the receive time-out off. Asked only while one is set.
    fn influences_receive_timeout(msg: &Self::Msg) -> bool {
        let _ = msg;
        true
    }
}

/// Notice that a watched actor is gone. Comes exactly once for each watch.
#[derive(Clone, Debug)]
pub struct Terminated {
    /// The actor that was watched.
    pub address: Address,
    /// Why it ended.
    pub reason: StopReason,
}

impl Terminated {
    /// The failure of a watcher that has no handler for this.
    pub(crate) fn death_pact(&self) -> Failure {
        Failure::death_pact(format_args!("{:?} is gone ({:?})", self.address, self.reason))
    }
}

/// Why an actor ended, as its watchers are told in [`Terminated::reason`].
///
/// ```
/// use corelane_kernel::StopReason;
///
/// /// Whether it is worth while to look for another like it.
/// fn is_worth_replacing(reason: &StopReason) -> bool {
///     match reason {
///         StopReason::Failed(_) | StopReason::Unreachable => true,
///         StopReason::Stopped | StopReason::NotFound => false,
///         // Reasons may be added.
///         _ => false,
///     }
/// }
/// assert!(is_worth_replacing(&StopReason::Unreachable));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StopReason {
    /// It stopped itself, was told to, or its parent stopped.
    Stopped,
    /// It failed.
    Failed(Failure),
    /// It was already gone when the watch began, or never lived; or it lives on another shard, whose region had no room to
    /// keep the watch.
    NotFound,
    /// Its kernel is gone, and with it whoever lived there: the shard has ended, or was lost, or its host was.
    Unreachable,
}

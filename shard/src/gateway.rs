//! Gateways: how threads that are no shard tell and ask actors.
//!
//! Each gateway has a lane of its own to each shard, so telling takes no lock and shares nothing with other threads. It
//! is `Send` but not `Clone`: one for each thread, or a pool of them.
//!
//! What is for an actor of another system goes over the lane of a shard, whose uplink carries it on (see `beyond`).

use std::any::{TypeId, type_name};
use std::fmt;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use corelane_kernel::{
    ActorRef, Address, AskError, DeadLetter, DeadReason, LaneSender, ReplyTo, Scope, TellError, UplinkRefusal,
};

use crate::error::{CallError, GatewayAskError};
use crate::events::{Reader, each_of};
use crate::host::Deadline;
use crate::inbox::Request;
use crate::shared::{Phase, Shared};

/// How long a blocking ask looks for its answer before its thread sleeps.
const SPIN: Duration = Duration::from_micros(50);

/// A thread's own way into a system.
///
/// It has a lane of its own to each shard: telling takes no lock and shares nothing with other threads. `Send`, but not
/// `Clone`: one for each thread, or a pool of them. What was told before it is dropped is still delivered.
///
/// Actors of other hosts are told and asked as well, where a layer is loaded that carries messages there. One of this
/// system's shards does it for the gateway: what is known to be impossible comes back at once (a type that has no wire form, a host
/// that is lost), and what that shard's link has no room for is a dead letter of the shard.
pub struct Gateway {
    shared: Arc<Shared>,
    /// One for each shard.
    lanes: Vec<LaneSender>,
    /// Who subscribed to what it publishes.
    events: Reader,
}

impl Gateway {
    pub(crate) fn open(shared: &Arc<Shared>, bytes: usize, events: Reader) -> Result<Gateway, CallError> {
        let mut lanes = Vec::with_capacity(shared.posts.len());
        for post in &shared.posts {
            let (sender, mut receiver) = shared.host.lane(bytes / 8, post.place);
            receiver.bind(post.place);
            let added = post.inbox.push(Request::AddLane(receiver), &post.wake);
            // One to a lost shard refuses all that it is told.
            if added.is_err() && shared.phase() != Phase::Running {
                return Err(CallError::ShuttingDown);
            }
            lanes.push(sender);
        }
        Ok(Gateway { shared: shared.clone(), lanes, events })
    }

    /// Puts a message on its way without making it visible yet; [`Gateway::flush`] does. Cheaper for many at once.
    ///
    /// # Errors
    /// [`TellError`] with the message.
    #[inline]
    pub fn feed<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), TellError<M>> {
        self.feed_lane(to, message).map(|_| ())
    }

    /// As [`Gateway::feed`]. Gives the lane that is to be revealed.
    #[inline]
    fn feed_lane<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<usize, TellError<M>> {
        let shard = to.place().shard();
        let Some(lane) = self.lanes.get_mut(shard) else { return self.feed_beyond(to, message) };
        match lane.try_tell(to, message) {
            Ok(()) => Ok(shard),
            Err(TellError::Unreachable(message)) => self.feed_beyond(to, message),
            Err(refused) => {
                // What fills the lane must be seen to be drained.
                if matches!(refused, TellError::Full(_)) {
                    self.reveal(shard);
                }
                Err(refused)
            }
        }
    }

    /// The lane to the shard that carries what is for an actor of another realm, if a way leads there for messages of a type:
    /// the same for all that this gateway has for that actor, so that it stays in order.
    fn lane_beyond<M: 'static>(&self, to: ActorRef<M>) -> Result<usize, UplinkRefusal> {
        let place = to.place();
        let own = self.shared.posts[0].place;
        let beyond = self.shared.beyond.get().filter(|_| place.realm() != 0 && !place.same_realm(own));
        let beyond = beyond.and_then(Weak::upgrade).ok_or(UplinkRefusal::Unreachable)?;
        beyond.check(to.address(), TypeId::of::<M>())?;
        Ok(place.shard() % self.lanes.len())
    }

    #[cold]
    #[inline(never)]
    fn feed_beyond<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<usize, TellError<M>> {
        let shard = match self.lane_beyond(to) {
            Ok(shard) => shard,
            Err(UplinkRefusal::NoWireForm) => return Err(TellError::NoWireForm(message)),
            Err(UplinkRefusal::Full) => return Err(TellError::Full(message)),
            Err(UplinkRefusal::TooLarge) => return Err(TellError::TooLarge(message)),
            Err(_) => return Err(TellError::Unreachable(message)),
        };
        let told = self.lanes[shard].try_tell_beyond(to, message);
        if matches!(told, Err(TellError::Full(_))) {
            self.reveal(shard);
        }
        told.map(|()| shard)
    }

    #[inline]
    fn reveal(&mut self, shard: usize) {
        if self.lanes[shard].publish() {
            self.shared.posts[shard].wake.wake();
        }
    }

    /// Makes everything fed so far visible.
    pub fn flush(&mut self) {
        for shard in 0..self.lanes.len() {
            self.reveal(shard);
        }
    }

    /// Tells an actor, or gives the message back.
    ///
    /// # Errors
    /// [`TellError`]: the lane to the actor's shard is full, or too small for the message; the system is gone, or the actor is
    /// of another that no way leads to, or whose messages cannot leave the process.
    #[inline]
    pub fn try_tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), TellError<M>> {
        let shard = self.feed_lane(to, message)?;
        self.reveal(shard);
        Ok(())
    }

    /// Tells an actor; what is refused is dropped, counted as a dead letter, and published as one.
    pub fn tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        if let Err(refused) = self.try_tell(to, message) {
            let reason = match &refused {
                TellError::Full(_) | TellError::TooLarge(_) => DeadReason::QueueFull,
                TellError::MailboxFull(_) => DeadReason::MailboxFull,
                TellError::NoWireForm(_) => DeadReason::NoWireForm,
                _ => DeadReason::Unreachable,
            };
            self.bury(to.address(), type_name::<M>(), reason, TypeId::of::<M>());
        }
    }

    /// Counts a dead letter and tells of it, unless it was itself such a notice. Those who cannot be told miss it.
    #[cold]
    fn bury(&mut self, target: Address, message: &'static str, reason: DeadReason, id: TypeId) {
        self.shared.gateway_letters.fetch_add(1, Ordering::Relaxed);
        if id == TypeId::of::<DeadLetter>() {
            return;
        }
        if let Some(to) = self.events.subscribers::<DeadLetter>() {
            let letter = DeadLetter { target, message, reason, at: self.shared.clock.now() };
            for to in &*to {
                let _ = self.try_tell(*to, letter);
            }
        }
    }

    /// Publishes an event to all who [subscribed](crate::EventStream) to its type; see there for the cost. A subscriber
    /// whose way is full misses it, which is a dead letter.
    pub fn publish<E: Clone + Send + 'static>(&mut self, event: E) {
        if let Some(to) = self.events.subscribers::<E>() {
            each_of(&to, event, |to, event| self.tell(to, event));
        }
    }

    /// Tells an actor, waiting up to `within` while the lane is full.
    ///
    /// # Errors
    /// [`TellError`] with the message: still full after that time, or for another reason.
    pub fn tell_within<M: Send + 'static>(
        &mut self,
        to: ActorRef<M>,
        message: M,
        within: Duration,
    ) -> Result<(), TellError<M>> {
        let mut refused = match self.try_tell(to, message) {
            Err(TellError::Full(message)) => message,
            other => return other,
        };
        let host = self.shared.host;
        let deadline = host.deadline(within);
        loop {
            host.pause();
            refused = match self.try_tell(to, refused) {
                Err(TellError::Full(message)) if !deadline.is_over() => message,
                other => return other,
            };
        }
    }

    /// Has the shard of `to` ask, with the answer given to `answer`. Waits up to `patience` while the lane is full.
    fn send_question<T, R>(
        &mut self,
        to: ActorRef<T>,
        within: Duration,
        patience: Duration,
        question: impl FnOnce(ReplyTo<R>) -> T + Send + 'static,
        answer: impl FnOnce(Result<R, AskError>) + Send + 'static,
    ) -> Result<(), GatewayAskError>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let mut shard = to.place().shard();
        if self.shared.posts.get(shard).is_none_or(|post| post.place != to.place()) {
            shard = self.lane_beyond(to).map_err(|refusal| match refusal {
                UplinkRefusal::Unreachable => GatewayAskError::Unreachable,
                _ => GatewayAskError::Ask(AskError::NotSent),
            })?;
        }
        let mut call = move |scope: &mut Scope<'_>| scope.ask(to, within, question, answer);
        let host = self.shared.host;
        let mut deadline: Option<Deadline> = None;
        loop {
            call = match self.lanes[shard].try_call(call) {
                Ok(()) => break,
                Err(TellError::Full(call))
                    if !deadline.get_or_insert_with(|| host.deadline(patience)).is_over() =>
                {
                    call
                }
                Err(TellError::Full(_) | TellError::TooLarge(_)) => {
                    return Err(GatewayAskError::Ask(AskError::NotSent));
                }
                Err(_) => return Err(GatewayAskError::Unreachable),
            };
            self.reveal(shard);
            host.pause();
        }
        self.reveal(shard);
        if self.lanes[shard].is_refused() {
            // The shard ended meanwhile: the question may lie in the lane for as long as this gateway lives.
            return Err(GatewayAskError::Unreachable);
        }
        Ok(())
    }

    /// Asks, and blocks this thread until the answer is there, at most for `within`. `question` makes the message around
    /// a reply address; it runs on the actor's shard.
    ///
    /// Spins for a moment, then sleeps. Must not be called from an actor: it would block its core.
    ///
    /// # Errors
    /// [`GatewayAskError`].
    pub fn ask<T, R>(
        &mut self,
        to: ActorRef<T>,
        within: Duration,
        question: impl FnOnce(ReplyTo<R>) -> T + Send + 'static,
    ) -> Result<R, GatewayAskError>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.send_question(to, within, within, question, move |answer| {
            // Nobody waits any more if the time is over.
            let _ = sender.send(answer);
        })?;
        let answered = || receiver.has_message() || receiver.is_closed();
        if !self.shared.host.simulate_until(Some(within), answered) {
            return match receiver.try_recv() {
                Ok(answer) => finish(Some(answer)),
                Err(oneshot::TryRecvError::Empty) => Err(GatewayAskError::Ask(AskError::Timeout)),
                Err(oneshot::TryRecvError::Disconnected) => finish(None),
            };
        }
        // Reading the clock takes a good part of an answer's way: first look, then see how late it is.
        let mut start = None;
        let spin = if self.shared.may_spin { SPIN.min(within) } else { Duration::ZERO };
        while start.is_none_or(|start: Instant| start.elapsed() < spin) {
            for _ in 0..128 {
                if answered() {
                    return finish(receiver.recv().ok());
                }
                std::hint::spin_loop();
            }
            start.get_or_insert_with(Instant::now);
        }
        let spent = start.map_or(Duration::ZERO, |start| start.elapsed());
        match receiver.recv_timeout(within.saturating_sub(spent)) {
            Ok(answer) => finish(Some(answer)),
            Err(oneshot::RecvTimeoutError::Timeout) => Err(GatewayAskError::Ask(AskError::Timeout)),
            Err(oneshot::RecvTimeoutError::Disconnected) => finish(None),
        }
    }

    /// Asks, with the answer as a future that any executor can await. The question is sent now, the future need only
    /// be polled for its answer; dropping it gives the answer up.
    ///
    /// # Errors
    /// [`GatewayAskError`], from the future.
    pub fn ask_future<T, R, Q>(
        &mut self,
        to: ActorRef<T>,
        within: Duration,
        question: Q,
    ) -> impl Future<Output = Result<R, GatewayAskError>> + Send + use<T, R, Q>
    where
        T: Send + 'static,
        R: Send + 'static,
        Q: FnOnce(ReplyTo<R>) -> T + Send + 'static,
    {
        let (sender, receiver) = oneshot::async_channel();
        // Waiting for room would block an executor's thread: a full lane is an answer.
        let sent = self.send_question(to, within, Duration::ZERO, question, move |answer| {
            let _ = sender.send(answer);
        });
        async move {
            sent?;
            finish(receiver.await.ok())
        }
    }
}

/// An answer, or none because the shard ended first.
fn finish<R>(answer: Option<Result<R, AskError>>) -> Result<R, GatewayAskError> {
    answer.ok_or(GatewayAskError::Unreachable)?.map_err(GatewayAskError::Ask)
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Each lane is published as it goes, and its shard then lets go of its end.
        self.lanes.clear();
        for post in &self.shared.posts {
            post.wake.wake();
            let _ = post.inbox.push(Request::Prune, &post.wake);
        }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway(to {} shards)", self.lanes.len())
    }
}

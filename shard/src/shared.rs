//! What the threads of a system share besides lanes: for each shard its sleep, its inbox and its gauges, and for all
//! the phase of their life.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, Weak};

use corelane_kernel::{Failure, Place, Scope};
use crossbeam_utils::CachePadded;

use crate::beyond::Beyond;
use crate::clock::Clock;
use crate::error::CallError;
use crate::host::Host;
use crate::inbox::{Inbox, Request};
use crate::stall::Pulse;
use crate::unwind::guard;
use crate::wake::Wake;

/// Where a system is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    Running = 0,
    /// Actors are being stopped; what they still say is delivered.
    Stopping = 1,
    /// Nothing is left: no shard takes another turn.
    Ending = 2,
    /// All shards have taken their last: what is still in lanes and kernels is dropped.
    Over = 3,
}

/// One shard as other threads see it.
pub(crate) struct Post {
    pub(crate) place: Place,
    pub(crate) core: Option<usize>,
    pub(crate) wake: Wake,
    pub(crate) inbox: Inbox,
    pub(crate) gauges: Gauges,
    pub(crate) pulse: CachePadded<Pulse>,
    /// While the system stops: how often other shards published something for this one, counted behind it.
    pub(crate) told: AtomicU64,
    /// One more than `told` was when this shard last saw that nothing waits there and no actor lives; zero if something
    /// does. It stands as long as `told` stands.
    pub(crate) quiet: AtomicU64,
    /// Turns in which something moved: quiet means little if this changes.
    pub(crate) active_turns: AtomicU64,
    /// It has taken its last turn, and has published what it said.
    pub(crate) ended: AtomicBool,
}

impl Post {
    /// Something was published for the shard: its word that it is quiet no longer stands. It is to be woken after this.
    pub(crate) fn note_told(&self) {
        self.told.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether the shard's word that it is quiet still stands, if it gave it.
    pub(crate) fn is_quiet(&self) -> bool {
        let quiet = self.quiet.load(Ordering::SeqCst);
        quiet != 0 && quiet == self.told.load(Ordering::SeqCst) + 1
    }

    /// Whether the shard gave its word that it is quiet, and has been told something since.
    pub(crate) fn was_told_since(&self) -> bool {
        self.quiet.load(Ordering::SeqCst) != 0 && !self.is_quiet()
    }

    /// Grows with whatever may end a quiet.
    pub(crate) fn stirs(&self) -> u64 {
        self.active_turns.load(Ordering::SeqCst) + self.told.load(Ordering::SeqCst)
    }
}

/// A shard's counts, as it last published them: at least every few thousand turns, and before it sleeps.
#[derive(Default)]
pub(crate) struct Gauges {
    pub(crate) actors: AtomicU64,
    pub(crate) handled: AtomicU64,
    pub(crate) spawned: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) restarted: AtomicU64,
    pub(crate) dead_letters: AtomicU64,
    pub(crate) used_bytes: AtomicU64,
    pub(crate) region_bytes: AtomicU64,
    pub(crate) turns: AtomicU64,
    pub(crate) sleeps: AtomicU64,
}

pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) host: Host,
    pub(crate) posts: Box<[CachePadded<Post>]>,
    phase: AtomicU8,
    next: AtomicU64,
    /// The same, for children that are placed by a decision.
    next_decided: AtomicU64,
    /// Each shard has a core to itself, so that whoever waits may spin.
    pub(crate) may_spin: bool,
    /// Dead letters of gateways.
    pub(crate) gateway_letters: AtomicU64,
    /// The first failure that was escalated past all supervisors of a shard: why the system stops.
    escalated: Mutex<Option<Failure>>,
    /// Who knows of other realms.
    pub(crate) beyond: OnceLock<Weak<dyn Beyond>>,
}

impl Shared {
    pub(crate) fn new(clock: Clock, host: Host, posts: Vec<Post>, may_spin: bool) -> Shared {
        Shared {
            clock,
            host,
            posts: posts.into_iter().map(CachePadded::new).collect(),
            phase: AtomicU8::new(Phase::Running as u8),
            next: AtomicU64::new(0),
            next_decided: AtomicU64::new(0),
            may_spin,
            gateway_letters: AtomicU64::new(0),
            escalated: Mutex::new(None),
            beyond: OnceLock::new(),
        }
    }

    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::Stopping,
            2 => Phase::Ending,
            _ => Phase::Over,
        }
    }

    /// Nothing waits on any shard, and nothing moved while we looked. Shards that are `gone` (whose thread could not
    /// start, or has panicked) say nothing any more.
    ///
    /// What is under way between two shards keeps one of them from being quiet: the sender says that it moves before it
    /// takes anything up, and counts what it told at the receiver, whose word then no longer stands, before it says
    /// that it is quiet.
    pub(crate) fn is_quiet(&self, gone: impl Fn(usize) -> bool) -> bool {
        let stirs = || -> u64 { self.posts.iter().map(|post| post.stirs()).sum() };
        let before = stirs();
        let mut posts = self.posts.iter().enumerate();
        let quiet = posts.all(|(shard, post)| gone(shard) || (post.is_quiet() && !post.inbox.has_requests()));
        quiet && stirs() == before
    }

    /// Moves on to a phase, and wakes everybody to see it.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
        for post in &self.posts {
            post.wake.wake();
        }
    }

    /// Nobody is left who could decide about a failure: the system stops, for this reason if it is the first.
    pub(crate) fn escalate(&self, failure: &Failure) {
        let mut first = self.escalated.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| failure.clone());
        drop(first);
        self.enter(Phase::Stopping);
    }

    /// Why the system stopped by itself, if it did.
    pub(crate) fn escalated(&self) -> Option<Failure> {
        self.escalated.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has a shard run a closure between turns. Refused once the end has begun.
    pub(crate) fn run_on(
        &self,
        shard: usize,
        call: impl FnOnce(&mut Scope<'_>) + Send + 'static,
    ) -> Result<(), CallError> {
        let post = self.posts.get(shard).ok_or(CallError::NoSuchShard)?;
        if self.phase() != Phase::Running {
            return Err(CallError::ShuttingDown);
        }
        post.inbox.push(Request::Run(Box::new(call)), &post.wake).map_err(|_| self.refusal())
    }

    /// Why a shard whose inbox is closed takes no request.
    pub(crate) fn refusal(&self) -> CallError {
        if self.phase() == Phase::Running { CallError::ShardLost } else { CallError::ShuttingDown }
    }

    /// A shard's thread ends, whatever ends it: nothing is asked of it any more, and all others are woken, to hear the
    /// farewell of its kernel.
    pub(crate) fn leave(&self, shard: usize) {
        let post = &self.posts[shard];
        post.pulse.rest();
        post.pulse.hide();
        // Who waits for one of these hears that it will not be done.
        for request in post.inbox.close() {
            if let Err(failure) = guard(|| drop(request)) {
                tracing::error!(shard, %failure, "dropping a request panicked");
            }
        }
        for post in &self.posts {
            post.wake.wake();
        }
    }

    /// Whether a shard takes no requests any more: it is lost, or the system is at its end.
    pub(crate) fn is_lost(&self, shard: usize) -> bool {
        self.posts.get(shard).is_some_and(|post| post.inbox.is_closed())
    }

    /// The shard with the fewest actors, as last published, of those that are not lost. (What such a one published last
    /// stands for ever.)
    pub(crate) fn least_loaded(&self) -> usize {
        let load = |post: &CachePadded<Post>| post.gauges.actors.load(Ordering::Relaxed);
        let there = self.posts.iter().enumerate().filter(|(shard, _)| !self.is_lost(*shard));
        there.min_by_key(|(_, post)| load(post)).map_or(0, |(shard, _)| shard)
    }

    /// The shards in turn, but for those that are lost.
    pub(crate) fn next_in_turn(&self) -> usize {
        self.next_of(&self.next)
    }

    /// The shards in turn, for children that are placed by a decision. The code that spawns one has often had its turn
    /// already: were this the same, each would take two, and leave out every other shard.
    pub(crate) fn next_decided(&self) -> usize {
        self.next_of(&self.next_decided)
    }

    fn next_of(&self, turn: &AtomicU64) -> usize {
        let next = || (turn.fetch_add(1, Ordering::Relaxed) % self.posts.len() as u64) as usize;
        let first = next();
        // Where all are lost, any is as good.
        let others = (1..self.posts.len()).map(|_| next());
        std::iter::once(first).chain(others).find(|shard| !self.is_lost(*shard)).unwrap_or(first)
    }
}

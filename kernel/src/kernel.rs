//! The kernel: one core's worth of actors.
//!
//! A [`Kernel`] belongs to its driver (a shard's thread, a microcontroller's main loop, a simulator), which gives it
//! memory once and time at each [`Kernel::turn`]. Everything actors can do to it goes through [`Scope`], which hides
//! the driver's half. This file holds the parts; telling, dispatch, lifecycle, watching, timers … each have
//! a file of their own.

use core::any::{Any, TypeId};
use core::fmt;
use core::sync::atomic::Ordering;

use heapless::Vec;

use crate::actor::Actor;
use crate::address::{ActorRef, Address, Place, Seat};
use crate::backlog::Ring;
use crate::backoff::Dice;
use crate::bond::Bond;
use crate::config::KernelConfig;
use crate::deadline::{Deadlines, OddAsks};
use crate::error::{KernelError, OutOfMemory, SpawnError, TellError};
use crate::exits::Exits;
use crate::extension::Extensions;
use crate::failure::Failure;
use crate::grants::Grants;
use crate::inlet::Inlets;
use crate::lane::{LaneReceiver, LaneSender};
use crate::letters::{DeadReason, Letters};
use crate::lifecycle::Row;
use crate::limits::{GROUPS, SHARDS_MAX, UNBORN_MAX, UNSTOPPED_MAX, UNWATCHED_MAX};
use crate::names::Name;
use crate::observer::Observer;
use crate::pool::{Handle, Pool};
use crate::protocol::Protocols;
use crate::queue::Queue;
use crate::region::{Memory, NONE, Region};
use crate::scope::Scope;
use crate::side::{FAILED_BARE, Side};
use crate::supervise::Step;
use crate::ties::Ties;
use crate::time::Time;
use crate::timers::Timer;
use crate::uplink::Way;
use crate::watch::{Obituary, Watch};
use crate::wheel::Wheel;

/// What a kernel is doing, so that whoever catches a panic knows whose it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The running cell's handler.
    Handler,
    /// A hook of the running cell.
    Hook,
    /// The running cell's factory, or the first hook of a new instance.
    Start,
    /// The running cell's decision about a child.
    Decision,
    /// A step of the running cell's restart.
    Restart(Step),
    /// The drop of the timers of the running cell, which begins to stop.
    Cancel,
    /// The running cell's `stopped` hook.
    StoppedHook,
    /// The drop of the running cell's state.
    DropState,
    /// The drop of what waited at the running cell.
    DropWaiting,
    /// Code that belongs to no actor: a call from outside, the drop of a dead letter.
    Foreign,
}

/// Counts since the kernel was made, and levels as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Actors that live, without the kernel's own.
    pub actors: u64,
    /// Messages that actors handled, each once: what they were told, on whatever way, what their timers told them, and
    /// what an answer or its absence became. Neither dead letters, nor calls, nor signals and hooks.
    pub handled: u64,
    /// Actors spawned.
    pub spawned: u64,
    /// Failures of actors, those that were escalated to them among them.
    pub failed: u64,
    /// New instances that were made in the place of one that failed.
    pub restarted: u64,
    /// Dead letters, all reasons together. Signals to other cores that were lost for want of memory are among them.
    pub dead_letters: u64,
    /// Bytes of the region, and of these, bytes that were ever used.
    pub region_bytes: usize,
    /// See `region_bytes`.
    pub used_bytes: usize,
    /// How often something was asked of the region that it had no room for: whoever asked was told so, went without, or asked
    /// again later.
    pub refusals: u64,
}

/// One core's worth of actors.
///
/// It belongs to its driver: a shard's thread, a microcontroller's main loop, a simulation.
///
/// A driver's loop: turns while there is something to do, then sleeps until the next deadline or until something comes over a
/// lane.
///
/// ```
/// use corelane_kernel::{Kernel, Time};
///
/// fn run(kernel: &mut Kernel, clock: impl Fn() -> Time, sleep_until: impl Fn(Option<Time>)) {
///     while kernel.stats().actors > 0 {
///         let turn = kernel.turn(clock());
///         if turn.handled == 0 && !turn.more && !kernel.has_input() {
///             sleep_until(kernel.next_deadline());
///         }
///     }
/// }
/// ```
pub struct Kernel {
    pub(crate) memory: Memory,
    pub(crate) place: Place,
    /// Something waits that overtakes messages: signals or notices.
    pub(crate) pressing: bool,
    pub(crate) stage: Stage,
    pub(crate) queues: [Queue; GROUPS],
    pub(crate) now: Time,
    /// Records that were taken to be delivered, and messages that came from nowhere else.
    pub(crate) handled: u64,
    /// Of these, records that were no message an actor handled then. Apart, because a turn's shares count them.
    pub(crate) unhandled: u64,
    pub(crate) signals: Queue,
    /// Stops that go on in the next turn.
    pub(crate) deferred: Queue,
    pub(crate) exits: Exits,
    pub(crate) inlets: Inlets,
    pub(crate) root: u32,
    pub(crate) sides: Pool<Side>,
    pub(crate) watches: Pool<Watch>,
    pub(crate) obituaries: Pool<Obituary>,
    pub(crate) ties: Ties,
    /// Dead cells whose watchers wait for a queue to pass their end, one list per group.
    pub(crate) mourned: [(u32, u32); GROUPS],
    /// Actors that retire when a queue has passed what they were told, one list per group; see [`crate::retiring`].
    pub(crate) retiring: [(u32, u32); GROUPS],
    /// How many cells are in these lists and those of the dead.
    pub(crate) queue_waiters: u32,
    /// The actor whose failure is being dealt with, and the failure.
    pub(crate) at_hand: Option<(Address, Failure)>,
    /// Restarts that go on when the signals are through.
    pub(crate) restarts: Row,
    /// Restarts that go on in the next turn.
    pub(crate) late_restarts: Row,
    /// How many new instances may still be made in this turn.
    pub(crate) restarts_left: u32,
    /// Cells that keep all below them suspended.
    pub(crate) holding: u32,
    /// The cell that asked to stop in the handler that runs, or ran last.
    pub(crate) stops_itself: u32,
    /// The cell without a side record of which another instance is being made, or was last: no other place says that one
    /// has lived.
    pub(crate) reborn: u32,
    /// What was escalated past the last supervisor, first.
    pub(crate) escalated: Option<Failure>,
    pub(crate) dice: Dice,
    pub(crate) timers: Pool<Timer>,
    pub(crate) wheel: Wheel<Timer>,
    pub(crate) deadlines: Deadlines,
    /// Number of the timer that was set last.
    pub(crate) serial: u32,
    pub(crate) ring: Ring,
    pub(crate) names: Pool<Name>,
    pub(crate) bonds: Pool<Bond>,
    /// Something is left to say, or to be done, about some bond.
    pub(crate) bonds_wait: bool,
    /// Children that could not be, of whose parents' kernels that could not be told yet.
    pub(crate) unborn: Vec<(Address, SpawnError), UNBORN_MAX>,
    /// Watches from elsewhere that could not be kept, watcher and target, of which nothing could be said yet.
    pub(crate) unwatched: Vec<(Address, Address), UNWATCHED_MAX>,
    /// Actors elsewhere that are to stop, of whom that could not be said yet.
    pub(crate) unstopped: Vec<Address, UNSTOPPED_MAX>,
    pub(crate) grants: Grants,
    pub(crate) way: Way,
    pub(crate) protocols: Protocols,
    pub(crate) extensions: Extensions,
    pub(crate) letters: Letters,
    pub(crate) observer: Observer,
    pub(crate) config: KernelConfig,
    pub(crate) actors: u64,
    pub(crate) spawned: u64,
    pub(crate) failed: u64,
    pub(crate) restarted: u64,
    /// A failure found no room among the signals and is marked at its cell only.
    pub(crate) marked_failures: bool,
    /// A stop found no room among the signals and is marked at its cell only.
    pub(crate) marked_stops: bool,
    /// The marked ones are being looked for; still set after a panic that cut this short.
    pub(crate) finding_stops: bool,
    pub(crate) dropping: bool,
    pub(crate) odd_asks: OddAsks,
}

impl Kernel {
    /// A kernel on its own, in a realm of its own.
    ///
    /// # Errors
    /// [`KernelError`] if a setting makes no sense or the region is too small for it; the region is gone then.
    pub fn new(region: Region, config: KernelConfig) -> Result<Kernel, KernelError> {
        let seat = Seat::realm(1)?.next().ok_or(KernelError::Config("a realm has at least one shard"))?;
        Kernel::seated(region, config, seat, 1)
    }

    /// A kernel that is one of `shards` in a realm.
    ///
    /// # Errors
    /// As [`Kernel::new`].
    pub fn seated(
        region: Region,
        config: KernelConfig,
        seat: Seat,
        shards: usize,
    ) -> Result<Kernel, KernelError> {
        config.check()?;
        if !(1..=SHARDS_MAX).contains(&shards) || seat.place().shard() >= shards {
            return Err(KernelError::Config("the seat's shard must be one of the realm's"));
        }
        let mut memory = Memory::new(region, config.generations);
        let (bytes, _) = memory.usage();
        let blocks = (bytes / memory.block_bytes()) as u64;
        let queue = ((blocks * config.queue_share as u64 / 256) as u32).max(2);
        let no_room = KernelError::Config("the region is too small for this many shards");
        let exits = Exits::new(&mut memory, seat.place().shard(), shards, &config).ok_or(no_room)?;
        let ties = Ties::new(&mut memory, seat.place(), shards).ok_or(no_room)?;
        let mut kernel = Kernel {
            place: seat.place(),
            pressing: false,
            stage: Stage::Foreign,
            queues: [Queue::new(queue), Queue::new(queue), Queue::new(queue), Queue::new(queue)],
            now: Time::ZERO,
            handled: 0,
            unhandled: 0,
            signals: Queue::new(u32::MAX),
            deferred: Queue::new(u32::MAX),
            exits,
            inlets: Inlets::new(),
            root: NONE,
            sides: Pool::new(&memory),
            watches: Pool::new(&memory),
            obituaries: Pool::new(&memory),
            ties,
            mourned: [(NONE, NONE); GROUPS],
            retiring: [(NONE, NONE); GROUPS],
            queue_waiters: 0,
            at_hand: None,
            restarts: Row::EMPTY,
            late_restarts: Row::EMPTY,
            restarts_left: config.budget,
            holding: 0,
            stops_itself: NONE,
            reborn: NONE,
            escalated: None,
            dice: Dice::new(config.seed ^ (seat.place().shard() as u64).rotate_left(32)),
            timers: Pool::new(&memory),
            wheel: Wheel::new(),
            deadlines: Deadlines::new(),
            serial: 0,
            ring: Ring::new(),
            names: Pool::new(&memory),
            bonds: Pool::new(&memory),
            bonds_wait: false,
            unborn: Vec::new(),
            unwatched: Vec::new(),
            unstopped: Vec::new(),
            grants: Grants::new(),
            way: Way::new(),
            protocols: Protocols::new(),
            extensions: Extensions::new(),
            letters: Letters::new(),
            observer: Observer::new(),
            config,
            actors: 0,
            spawned: 0,
            failed: 0,
            restarted: 0,
            marked_failures: false,
            marked_stops: false,
            finding_stops: false,
            dropping: false,
            odd_asks: OddAsks::new(),
            memory,
        };
        kernel.plant_root().map_err(|_| KernelError::Config("the region is too small for the root"))?;
        Ok(kernel)
    }

    /// Which kernel this is: its realm, and its shard in that. Part of the address of each of its actors.
    pub fn place(&self) -> Place {
        self.place
    }

    /// What actors and closures use the kernel through; also for its driver, between turns.
    pub fn scope(&mut self) -> Scope<'_> {
        Scope::new(self)
    }

    /// Spawns a top-level actor; see [`Scope::spawn`].
    ///
    /// # Errors
    /// As [`Scope::spawn`].
    pub fn spawn<A: Actor>(&mut self, actor: A) -> Result<ActorRef<A::Msg>, SpawnError> {
        self.scope().spawn(actor)
    }

    /// Tells an actor; what is refused becomes a dead letter. See [`Scope::tell`].
    #[inline]
    pub fn tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) {
        self.dispatch_tell(to, message);
    }

    /// Tells an actor, or gives the message back.
    ///
    /// # Errors
    /// As [`Scope::try_tell`].
    #[inline]
    pub fn try_tell<M: Send + 'static>(&mut self, to: ActorRef<M>, message: M) -> Result<(), TellError<M>> {
        self.send(to, message)
    }

    /// Takes a lane into use: what is told into its other end is delivered here, in the turns to come.
    ///
    /// # Errors
    /// The lane comes back when the region is used up, or when it is bound to another kernel.
    pub fn add_lane(&mut self, mut lane: LaneReceiver) -> Result<(), LaneReceiver> {
        lane.bind(self.place);
        if !lane.is_bound_to(self.place) {
            return Err(lane);
        }
        self.inlets.add(&mut self.memory, lane)
    }

    /// Takes into use the lane on which another shard's signals come. It is read before all others.
    ///
    /// # Errors
    /// The lane comes back when the region is used up, or when it is bound to another kernel.
    pub fn add_signal_lane(&mut self, mut lane: LaneReceiver) -> Result<(), LaneReceiver> {
        lane.bind(self.place);
        if !lane.is_bound_to(self.place) {
            return Err(lane);
        }
        self.inlets.add_signals(&mut self.memory, lane)
    }

    /// Lets go of lanes whose sender is gone and that are empty. Says whether some lane without a sender still holds
    /// messages, and is to be let go of later.
    pub fn prune_lanes(&mut self) -> bool {
        self.inlets.prune()
    }

    /// Whether something waits in a lane. A driver looks here before it sleeps, and while it spins.
    #[inline]
    pub fn has_input(&mut self) -> bool {
        self.inlets.have_more()
    }

    /// Gives the kernel its way to another shard of its realm: one lane for messages, one for signals, both bound by
    /// that shard's kernel.
    ///
    /// # Panics
    /// If `shard` is not another shard of the realm, or the lane for signals has less than 64 words: it could never pass
    /// on the largest signal, nor what comes behind it.
    pub fn connect(&mut self, shard: usize, messages: LaneSender, signals: LaneSender) {
        assert!(shard != self.place.shard(), "a shard needs no lane to itself");
        self.exits.connect(shard, messages, signals);
    }

    /// When a timer or the deadline of an ask is due next, if any is set. A turn at that time does its work; an earlier one is not needed.
    pub fn next_deadline(&mut self) -> Option<Time> {
        self.next_due()
    }

    /// What was counted since the kernel was made, and levels as they are now. Costs a few loads; may be asked each turn.
    pub fn stats(&self) -> Stats {
        let (region_bytes, used_bytes) = self.memory.usage();
        Stats {
            actors: self.actors,
            handled: self.handled - self.unhandled,
            spawned: self.spawned,
            failed: self.failed,
            restarted: self.restarted,
            dead_letters: self.letters.total(),
            region_bytes,
            used_bytes,
            refusals: self.memory.refusals(),
        }
    }

    /// Dead letters so far of one reason.
    pub fn dead_letters(&self, reason: DeadReason) -> u64 {
        self.letters.count(reason)
    }

    /// The first failure that was escalated past all supervisors, if there was one. Nobody is left who could decide about
    /// it; a driver is well advised to stop all actors and end with this as the reason.
    pub fn escalated(&self) -> Option<&Failure> {
        self.escalated.as_ref()
    }

    /// Called by a driver that caught a panic out of [`Kernel::turn`]: lays it at the door of the actor whose code
    /// ran, which fails, or of nobody if it ran none. The kernel is ready for its next turn after that.
    ///
    /// What follows from that is decided and done before this returns, as it is within a turn: the end of an actor may begin
    /// here, or a restart, and run hooks and drops of its own. A panic of these passes through, as it does through a turn: it
    /// is caught and brought here again.
    pub fn recover(&mut self, failure: Failure) {
        let cell = self.running();
        self.set_running(NONE);
        let stage = core::mem::replace(&mut self.stage, Stage::Handler);
        self.after_panic(cell, stage, failure);
        if self.pressing {
            // What was decided or is to be comes before anybody else's code, also before that which runs between turns.
            self.run_pressing();
            self.set_running(NONE);
        }
    }

    /// The cell whose code runs, or [`NONE`].
    #[inline(always)]
    pub(crate) fn running(&self) -> u32 {
        self.memory.running().load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set_running(&mut self, cell: u32) {
        self.memory.set_running(cell);
    }

    /// Notes whose code runs next, and in what.
    #[inline(always)]
    pub(crate) fn enter(&mut self, cell: u32, stage: Stage) {
        self.set_running(cell);
        self.stage = stage;
    }

    /// Address of a living cell.
    #[inline(always)]
    pub(crate) fn address_of(&self, cell: u32) -> Address {
        let identity = self.memory.header(cell).identity.get().with_gate(crate::address::Gate::Ready);
        Address { identity, index: cell, place: self.place }
    }

    pub(crate) fn side_of(&self, cell: u32) -> Option<Handle<Side>> {
        let side = self.memory.header(cell).side.get();
        (side != NONE && side != FAILED_BARE).then(|| Handle::from_number(side))
    }

    /// The side record of a cell, made if there is none.
    pub(crate) fn need_side(&mut self, cell: u32) -> Result<Handle<Side>, OutOfMemory> {
        if let Some(side) = self.side_of(cell) {
            return Ok(side);
        }
        let mut new = Side::new();
        // What the mark says that takes the record's place until there is one.
        new.obituary = self.obituary_of(cell);
        new.ward.marked = self.is_marked_failed(cell);
        let side = self.sides.insert(&mut self.memory, new).map_err(|_| OutOfMemory)?;
        self.memory.header(cell).side.set(side.number());
        Ok(side)
    }

    pub(crate) fn extension_mut(&mut self, id: TypeId) -> Option<&mut (dyn Any + 'static)> {
        self.extensions.get(id)
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("place", &self.place).field("stats", &self.stats()).finish()
    }
}

//! A shard's thread: turn after turn, and what it does between them.
//!
//! inbox → what has come to the driver, if there is one → the kernel's turn (signals, lanes, queues, timers, lanes out) →
//! wake whom something was told → what the driver was asked for → futures that are ready → if nothing is left: spin or
//! sleep. All but the last is a *step*, which the simulator calls as well. Time is read after a turn, for the next; turns
//! that handle next to nothing share a reading, which would take as long as they do.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use corelane_kernel::{Subject, Time};

use crate::coordinated::ShutdownReason;
use crate::drive::Driver;
use crate::future::Executor;
use crate::handle::Handle;
use crate::idle::{Idler, Rest};
use crate::inbox::Request;
use crate::memory::Housed;
use crate::report::ShardReport;
use crate::shared::{Phase, Post, Shared};
use crate::unwind::guard;

/// Looks at the lanes between two looks at the clock, while spinning.
const LOOKS: u32 = 64;
/// Turns that end with messages behind a full lane, until the core is offered to others: the lane's reader may be
/// waiting for it. Far cheaper than a time slice spent on telling a reader that does not run.
const STUCK_TURNS: u32 = 16;
/// Messages after which the time is read again. Far fewer than one turn may handle at one time.
const CLOCK_EVERY: u32 = 32;
/// Turns between two publications of the gauges while the shard is busy.
const GAUGE_TURNS: u64 = 1024;

/// What a shard does, one step after the other; who drives it waits in between.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) handle: Handle,
    pub(crate) shard: usize,
    pub(crate) executor: Executor,
    pub(crate) idler: Idler,
    /// Some lane's sender is gone.
    pub(crate) orphans: bool,
    pub(crate) kernel: Housed,
    /// Dropped after the kernel, whose actors may still use it.
    pub(crate) driver: Option<Box<dyn Driver>>,
}

/// What a worker's steps leave for the next: apart, so that a loop around them keeps it in registers.
pub(crate) struct Pace {
    now: Time,
    turns: u64,
    sleeps: u64,
    /// Actors ever spawned when all were last told to stop, once the system stops.
    stopping: Option<u64>,
    since_clock: u32,
}

impl Pace {
    pub(crate) fn starting_at(now: Time) -> Pace {
        Pace { now, turns: 0, sleeps: 0, stopping: None, since_clock: 0 }
    }

    /// The shard rested, until this time.
    pub(crate) fn rested(&mut self, until: Time) {
        self.now = until;
    }
}

/// What is to follow a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Another at once: more is to be done.
    Busy,
    /// Another soon: something waits behind a full lane, whose reader tells nobody when it has worked.
    Stuck,
    /// Nothing is left to be done. Whoever sleeps looks at what has come, and at whether this is still the phase.
    Idle(Phase),
    /// None: the system ends.
    Over,
}

impl Worker {
    fn post(&self) -> &Post {
        &self.shared.posts[self.shard]
    }

    /// Runs until the system ends.
    pub(crate) fn run(&mut self) -> ShardReport {
        let shared = self.shared.clone();
        let clock = || shared.clock.now();
        let mut pace = Pace::starting_at(clock());
        let mut stuck = 0;
        loop {
            match self.step(&mut pace, clock) {
                Step::Busy => stuck = 0,
                Step::Stuck => {
                    stuck += 1;
                    if stuck == STUCK_TURNS {
                        stuck = 0;
                        std::thread::yield_now();
                    }
                }
                Step::Idle(phase) => match self.idler.rest(pace.now) {
                    // The time read after the last turn is less than a microsecond old, and will do for the next.
                    Rest::Spin => self.spin(),
                    Rest::Sleep => {
                        self.prepare_to_sleep(&mut pace);
                        self.sleep(clock(), phase);
                        pace.rested(clock());
                    }
                },
                Step::Over => break,
            }
        }
        let report = self.end(&pace);
        // What others said last is in our lanes only when they have all said it.
        while self.shared.phase() != Phase::Over {
            std::thread::park();
        }
        report
    }

    /// One turn, and what a shard does around it.
    #[inline(always)]
    pub(crate) fn step(&mut self, pace: &mut Pace, clock: impl Fn() -> Time) -> Step {
        if pace.stopping.is_some() && self.has_input() {
            self.note_activity();
        }
        self.post().pulse.begin(pace.turns + 1);
        // What is asked for between turns may come after a long sleep.
        self.kernel.advance_to(pace.now);
        let mut moved = self.handle_requests();
        let driven = self.complete(pace.now);
        moved |= driven.handled > 0;
        let turn = match guard(|| self.kernel.turn(pace.now)) {
            Ok(turn) => turn,
            Err(failure) => {
                self.recover(failure);
                corelane_kernel::Turn { handled: 1, more: true }
            }
        };
        if self.kernel.escalated().is_some() {
            self.stop_system();
        }
        let shared = &self.shared;
        self.kernel.published(|shard| {
            if pace.stopping.is_some() {
                shared.posts[shard].note_told();
            }
            shared.posts[shard].wake.wake();
        });
        self.submit();
        moved |= turn.handled > 0;
        if self.orphans {
            self.orphans = self.kernel.prune_lanes();
        }
        // What futures lead to is published by the next turn.
        let more = driven.more | turn.more | (self.executor.has_ready() && self.run_futures());
        if self.post().pulse.is_late() {
            self.end_stall(pace, clock());
        }
        pace.turns += 1;
        pace.since_clock += turn.handled + 1;
        if pace.since_clock >= CLOCK_EVERY || !moved {
            pace.since_clock = 0;
            pace.now = clock();
        }
        if moved || more {
            self.idler.moved(pace.now);
            if pace.turns.is_multiple_of(GAUGE_TURNS) {
                self.publish_gauges(pace);
            }
            if pace.stopping.is_some() {
                self.note_activity();
            }
        }
        let phase = self.shared.phase();
        match phase {
            Phase::Running => {}
            Phase::Stopping => {
                let spawned = self.kernel.stats().spawned;
                if pace.stopping.is_none() {
                    // For all that was told before it counted.
                    for post in &self.shared.posts {
                        post.note_told();
                        post.wake.wake();
                    }
                }
                // Again for those spawned since: by a hook, or by a request that came before the end began.
                if pace.stopping != Some(spawned) {
                    pace.stopping = Some(spawned);
                    self.kernel.scope().stop_all();
                    return Step::Busy;
                }
            }
            Phase::Ending | Phase::Over => return Step::Over,
        }
        // What waits for a full lane moves on when its reader has worked: soon, and without telling us.
        if self.kernel.spilled() {
            return Step::Stuck;
        }
        if more {
            return Step::Busy;
        }
        if pace.stopping.is_some() {
            self.note_quiet();
        }
        Step::Idle(phase)
    }

    /// Shows what it has done so far: for a while nothing will change.
    pub(crate) fn prepare_to_sleep(&self, pace: &mut Pace) {
        self.post().pulse.rest();
        pace.sleeps += 1;
        self.publish_gauges(pace);
    }

    /// Whether a shard that is idle may sleep: nothing has come since its last step, and nothing else is asked of it.
    pub(crate) fn may_sleep(&mut self, phase: Phase) -> bool {
        !(self.has_own_input()
            || self.driver_has_pending()
            || self.shared.phase() != phase
            || (phase == Phase::Stopping && self.post().was_told_since()))
    }

    /// Waits a moment, or less if something comes.
    fn spin(&mut self) {
        for _ in 0..LOOKS {
            if self.has_input() {
                return;
            }
            // After each look, though this takes longer than one: what is awaited may be at work on the other thread of
            // this very core, which a loop without it slows down by more.
            std::hint::spin_loop();
        }
    }

    fn has_input(&mut self) -> bool {
        self.has_own_input() || self.driver_has_input()
    }

    fn has_own_input(&mut self) -> bool {
        self.kernel.has_input() || self.executor.has_ready() || self.post().inbox.has_requests()
    }

    /// Sleeps until something comes, a timer is due, or the phase is no longer the one last looked at.
    fn sleep(&mut self, now: Time, phase: Phase) {
        let timeout = self.next_deadline().map(|at| at.since(now));
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return;
        }
        let shared = self.shared.clone();
        let post = &shared.posts[self.shard];
        if self.driver.is_none() {
            return post.wake.sleep(timeout, || !self.may_sleep(phase));
        }
        post.wake.sleep_elsewhere(|| {
            if self.may_sleep(phase) {
                self.park(timeout);
            }
        });
    }

    /// Does what other threads asked for.
    fn handle_requests(&mut self) -> bool {
        if !self.post().inbox.has_requests() {
            return false;
        }
        let requests = self.post().inbox.take();
        let some = !requests.is_empty();
        self.advance_driver();
        for request in requests {
            self.handle_request(request);
        }
        self.publish_actors();
        some
    }

    fn handle_request(&mut self, request: Request) {
        match request {
            Request::Run(call) => {
                if let Err(failure) = guard(|| call(&mut self.kernel.scope())) {
                    self.recover(failure);
                }
            }
            Request::AddLane(lane) => {
                if self.kernel.add_lane(lane).is_err() {
                    // Its gateway hears of it: what is told into it is refused once the receiving end is gone.
                    tracing::error!(shard = self.shard, "no room for another gateway's lane");
                }
            }
            Request::Prune => self.orphans = true,
        }
    }

    pub(crate) fn recover(&mut self, failure: corelane_kernel::Failure) {
        // Recovery runs the failed actor's `stopped` hook and drops its state, either of which may panic in turn. Each
        // step is taken once, so this ends.
        let mut failure = failure;
        while let Err(next) = guard(|| self.kernel.recover(failure)) {
            failure = next;
        }
    }

    /// Says who held up the shard in the turn that ends.
    #[cold]
    fn end_stall(&self, pace: &Pace, now: Time) {
        let Some(seen) = self.post().pulse.end_stall(pace.turns + 1) else { return };
        // The time is read often enough for this.
        let (shard, held) = (self.shard, now.since(pace.now));
        match seen.and_then(|seen| self.kernel.subject(seen)) {
            Some(who) => {
                let Subject { address, actor, message, .. } = who;
                tracing::warn!(
                    shard, path = %who, ?address, actor, message_type = message, ?held, "a handler held up its shard"
                );
            }
            // A call, a future, or an actor that has ended.
            None => tracing::warn!(
                shard,
                ?held,
                "something that is no actor, or is none any more, held up its shard"
            ),
        }
    }

    /// A failure was escalated past all supervisors here: the system stops, and whoever waits for it hears why.
    #[cold]
    fn stop_system(&self) {
        if let Some(failure) = self.kernel.escalated()
            && self.shared.phase() == Phase::Running
        {
            self.handle.services.coordinator.note(ShutdownReason::Failed(failure.to_string()));
            self.shared.escalate(failure);
            self.handle.request_shutdown();
        }
    }

    fn run_futures(&mut self) -> bool {
        let mut moved = false;
        loop {
            // What a future panics with is its actor's; what comes out here is from the drop of one that was given up.
            match guard(|| self.executor.next_done()) {
                Ok(None) => return moved,
                Ok(Some(done)) => {
                    if let Err(failure) = guard(|| done(&mut self.kernel.scope())) {
                        self.recover(failure);
                    }
                }
                Err(failure) => self.recover(failure),
            }
            moved = true;
        }
    }

    /// Runs what may drop values that nobody wants any more. Their panics have no one to go to.
    fn dispose(&self, f: impl FnOnce()) {
        if let Err(failure) = guard(f) {
            tracing::error!(shard = self.shard, %failure, "dropping what was left panicked");
        }
    }

    fn publish_actors(&self) {
        let actors = self.kernel.stats().actors;
        self.post().gauges.actors.store(actors, Ordering::Relaxed);
    }

    fn publish_gauges(&self, pace: &Pace) {
        let stats = self.kernel.stats();
        let gauges = &self.post().gauges;
        for (gauge, value) in [
            (&gauges.actors, stats.actors),
            (&gauges.handled, stats.handled),
            (&gauges.spawned, stats.spawned),
            (&gauges.failed, stats.failed),
            (&gauges.restarted, stats.restarted),
            (&gauges.dead_letters, stats.dead_letters),
            (&gauges.used_bytes, stats.used_bytes as u64),
            (&gauges.region_bytes, stats.region_bytes as u64),
            (&gauges.turns, pace.turns),
            (&gauges.sleeps, pace.sleeps),
        ] {
            gauge.store(value, Ordering::Relaxed);
        }
    }

    fn note_activity(&self) {
        self.post().quiet.store(0, Ordering::SeqCst);
        self.post().active_turns.fetch_add(1, Ordering::SeqCst);
    }

    /// While the system stops: nothing waits here.
    fn note_quiet(&mut self) {
        // Read before looking: what is told from then on makes the note stale.
        let told = self.post().told.load(Ordering::SeqCst);
        let quiet = self.kernel.stats().actors == 0
            && !self.kernel.spilled()
            && !self.has_input()
            && self.driver_is_quiet();
        self.post().quiet.store(if quiet { told + 1 } else { 0 }, Ordering::SeqCst);
    }

    /// The system ends: nothing comes any more, and what is left is reported.
    pub(crate) fn end(&mut self, pace: &Pace) -> ShardReport {
        self.post().pulse.rest();
        self.kernel.flush();
        self.post().ended.store(true, Ordering::Release);
        let mut requests = 0;
        for request in self.post().inbox.close() {
            requests += u64::from(matches!(request, Request::Run(_)));
            self.dispose(|| drop(request));
        }
        let futures = self.executor.give_up();
        while let Some(done) = guard(|| self.executor.next_done()).transpose() {
            self.dispose(|| drop(done));
        }
        self.publish_gauges(pace);
        let stats = self.kernel.stats();
        ShardReport {
            shard: self.shard,
            core: self.post().core,
            handled: stats.handled,
            actors_left: stats.actors,
            requests_left: requests,
            futures_left: futures,
            dead_letters: corelane_kernel::DeadReason::ALL
                .map(|reason| (reason, self.kernel.dead_letters(reason))),
        }
    }
}

//! What the tests of this folder share: a world whose clock only the test moves, actors that do as they are told, a
//! log of what happened, and a census of values that must be dropped exactly once.

#![allow(dead_code)]

pub(crate) mod family;

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, DeadLetter, DeadReason, Directive, Failure, Kernel, KernelConfig,
    LaneMemory, LaneReceiver, LaneSender, Outcome, Region, Seat, StopReason, Strategy, Terminated, Time,
    Turn,
};

/// Regions stay reachable from here, so that a leak checker sees only what tests really leak.
static REGIONS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Memory that is never used again.
pub(crate) fn memory(bytes: usize) -> &'static mut [MaybeUninit<u8>] {
    let memory: &'static mut [MaybeUninit<u8>] = Box::leak(Box::new_uninit_slice(bytes));
    lock(&REGIONS).push(memory.as_ptr() as usize);
    memory
}

/// A region of `bytes`.
pub(crate) fn region(bytes: usize) -> Region {
    Region::from_static(memory(bytes)).expect("a test's region is large enough")
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// One kernel, its clock, and the log of its puppets.
pub(crate) struct World {
    pub(crate) kernel: Kernel,
    pub(crate) now: Time,
    pub(crate) log: Log,
    /// Texts of panics that came out of turns, in order.
    pub(crate) panics: Vec<String>,
}

impl World {
    /// A world of one MiB.
    pub(crate) fn new() -> World {
        World::sized(1 << 20)
    }

    pub(crate) fn sized(bytes: usize) -> World {
        World::with(bytes, KernelConfig::default())
    }

    pub(crate) fn with(bytes: usize, config: KernelConfig) -> World {
        World::of(Kernel::new(region(bytes), config).expect("a kernel"))
    }

    pub(crate) fn of(kernel: Kernel) -> World {
        World { kernel, now: Time::from_millis(1000), log: Log::default(), panics: Vec::new() }
    }

    /// One turn at the world's time. A panic out of it is laid at its actor's door, as a driver does.
    pub(crate) fn turn(&mut self) -> Turn {
        match catch_unwind(AssertUnwindSafe(|| self.kernel.turn(self.now))) {
            Ok(turn) => turn,
            Err(mut panic) => {
                // An actor's end may run inside `recover`, and may panic as well.
                loop {
                    let text = text_of(&*panic);
                    assert!(self.panics.len() < 5000, "panics without end: {text}");
                    self.panics.push(text.clone());
                    let failure = Failure::panic(&text);
                    match catch_unwind(AssertUnwindSafe(|| self.kernel.recover(failure))) {
                        Ok(()) => break,
                        Err(again) => panic = again,
                    }
                }
                Turn { handled: 1, more: true }
            }
        }
    }

    /// Turns until the kernel says that nothing more waits.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            if !self.turn().more {
                return;
            }
        }
        panic!("the kernel does not come to rest");
    }

    /// Settles, lets time pass, and settles again.
    pub(crate) fn pass(&mut self, by: Duration) {
        self.settle();
        self.now = self.now + by;
        self.settle();
    }

    /// Spawns a puppet at the top.
    pub(crate) fn puppet(&mut self, name: &'static str) -> ActorRef<Order> {
        let puppet = Puppet::new(name, &self.log);
        self.kernel.spawn(puppet).expect("room for a puppet")
    }

    /// Has a puppet do something, and settles.
    pub(crate) fn have(
        &mut self,
        puppet: ActorRef<Order>,
        deed: impl FnOnce(&mut Puppet, &mut Ctx<'_, Puppet>) + Send + 'static,
    ) {
        self.kernel.tell(puppet, order(deed));
        self.settle();
    }

    /// Asks an actor to stop, and settles.
    pub(crate) fn stop(&mut self, actor: impl Into<Address>) {
        self.kernel.scope().stop(actor);
        self.settle();
    }

    /// What was logged since the last call, after settling.
    pub(crate) fn events(&mut self) -> Vec<String> {
        self.settle();
        self.log.take()
    }

    /// Dead letters by reason that are not zero.
    pub(crate) fn letters(&self) -> Vec<(DeadReason, u64)> {
        let counts = DeadReason::ALL.map(|reason| (reason, self.kernel.dead_letters(reason)));
        let total: u64 = counts.iter().map(|(_, n)| n).sum();
        assert_eq!(total, self.kernel.stats().dead_letters, "the total is the sum of all reasons");
        counts.into_iter().filter(|(_, n)| *n > 0).collect()
    }
}

impl Deref for World {
    type Target = Kernel;
    fn deref(&self) -> &Kernel {
        &self.kernel
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Kernel {
        &mut self.kernel
    }
}

/// A panic's message.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

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

/// Counts values that must be dropped exactly once.
#[derive(Clone, Default)]
pub(crate) struct Census(Arc<Mutex<People>>);

#[derive(Default)]
struct People {
    born: u64,
    alive: HashSet<u64>,
    dropped_twice: u64,
}

/// A value under census.
pub(crate) struct Token {
    number: u64,
    census: Census,
}

impl Census {
    pub(crate) fn token(&self) -> Token {
        let mut people = lock(&self.0);
        people.born += 1;
        let number = people.born;
        people.alive.insert(number);
        drop(people);
        Token { number, census: self.clone() }
    }

    pub(crate) fn alive(&self) -> usize {
        lock(&self.0).alive.len()
    }

    pub(crate) fn born(&self) -> u64 {
        lock(&self.0).born
    }

    /// All that were born are dropped, and none twice.
    #[track_caller]
    pub(crate) fn expect_none(&self) {
        self.expect(0);
    }

    /// So many are alive, and none was dropped twice.
    #[track_caller]
    pub(crate) fn expect(&self, alive: usize) {
        let people = lock(&self.0);
        assert_eq!(people.dropped_twice, 0, "something was dropped twice");
        assert_eq!(people.alive.len(), alive, "alive of {} that were born", people.born);
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let mut people = lock(&self.census.0);
        if !people.alive.remove(&self.number) {
            people.dropped_twice += 1;
        }
    }
}

impl Clone for Token {
    fn clone(&self) -> Token {
        self.census.token()
    }
}

/// An actor that keeps every dead letter's reason in the log.
pub(crate) struct Undertaker(pub(crate) Log);

impl Actor for Undertaker {
    type Msg = DeadLetter;
    fn receive(&mut self, letter: DeadLetter, _: &mut Ctx<'_, Self>) -> Outcome {
        self.0.add(format!("dead letter for {}: {}", self.0.name_of(letter.target), letter.reason));
        Ok(())
    }
}

/// A lane of static memory, so that it works without an allocator in the kernel.
pub(crate) fn lane_of<const WORDS: usize>() -> (LaneSender, LaneReceiver) {
    let memory: &'static LaneMemory<WORDS> = Box::leak(Box::new(LaneMemory::new()));
    lock(&REGIONS).push(std::ptr::from_ref(memory) as usize);
    memory.split().expect("fresh memory splits")
}

/// Kernels of one realm, each connected to each with lanes of so many words for messages.
pub(crate) struct Realm {
    pub(crate) worlds: Vec<World>,
}

/// Words of the lanes for signals in tests: a few of the largest.
pub(crate) const SIGNAL_WORDS: usize = 64;

impl Realm {
    pub(crate) fn new<const WORDS: usize>(shards: usize, bytes: usize, config: &KernelConfig) -> Realm {
        Realm::wired(shards, bytes, config, lane_of::<WORDS>)
    }

    /// Two kernels with lanes for messages on the heap.
    #[cfg(feature = "alloc")]
    pub(crate) fn on_heap(words: usize) -> Realm {
        Realm::wired(2, 1 << 20, &KernelConfig::default(), || corelane_kernel::lane(words))
    }

    fn wired(
        shards: usize,
        bytes: usize,
        config: &KernelConfig,
        lane_for_messages: impl Fn() -> (LaneSender, LaneReceiver),
    ) -> Realm {
        let log = Log::default();
        let mut worlds: Vec<World> = Seat::realm(shards)
            .expect("a realm")
            .map(|seat| {
                let kernel = Kernel::seated(region(bytes), config.clone(), seat, shards).expect("a kernel");
                let mut world = World::of(kernel);
                world.log = log.clone();
                world
            })
            .collect();
        for from in 0..shards {
            for to in 0..shards {
                if from != to {
                    let (messages_in, messages_out) = lane_for_messages();
                    let (signals_in, signals_out) = lane_of::<SIGNAL_WORDS>();
                    worlds[to].add_lane(messages_out).expect("room for a lane");
                    worlds[to].add_signal_lane(signals_out).expect("room for a lane");
                    worlds[from].connect(to, messages_in, signals_in);
                }
            }
        }
        Realm { worlds }
    }

    /// Two kernels with ordinary lanes.
    pub(crate) fn pair() -> Realm {
        Realm::new::<1024>(2, 1 << 20, &KernelConfig::default())
    }

    pub(crate) fn log(&self) -> Log {
        self.worlds[0].log.clone()
    }

    /// Turns all kernels until nothing moves.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            let mut still = true;
            for world in &mut self.worlds {
                let turn = world.turn();
                still &= turn.handled == 0 && !turn.more && !world.spilled();
            }
            if still && !self.worlds.iter_mut().any(|world| world.has_input()) {
                return;
            }
        }
        panic!("the realm does not come to rest");
    }

    pub(crate) fn pass(&mut self, by: Duration) {
        self.settle();
        for world in &mut self.worlds {
            world.now = world.now + by;
        }
        self.settle();
    }

    pub(crate) fn events(&mut self) -> Vec<String> {
        self.settle();
        self.worlds[0].log.take()
    }

    /// Has a puppet of one kernel do something, and settles.
    pub(crate) fn have(
        &mut self,
        shard: usize,
        puppet: ActorRef<Order>,
        deed: impl FnOnce(&mut Puppet, &mut Ctx<'_, Puppet>) + Send + 'static,
    ) {
        self.worlds[shard].tell(puppet, order(deed));
        self.settle();
    }
}

/// Steele, Lea and Flood's SplitMix64: numbers from a seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

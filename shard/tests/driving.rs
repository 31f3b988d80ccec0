//! Drivers: a layer above with input of its own, which the shard calls in each turn and sleeps in.

mod common;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use common::{LONG, await_some, builder, end, next, puppet, with};
use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, Scope, Time};
use corelane_shard::sim::{Options, Sim};
use corelane_shard::{
    BoxError, Driven, Driver, DriverWaker, Extension, Idle, InstallDriverError, install_driver,
};

/// Where input comes from, on any thread.
#[derive(Default)]
struct Source {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    input: VecDeque<u64>,
    /// Told the most that was handed out in one turn.
    most: u32,
    parks: u64,
    submits: u64,
    parked: bool,
    /// How many a wait goes on for.
    gathers: usize,
    /// Comes while a turn is at work.
    late: Option<u64>,
}

impl Source {
    fn put(&self, numbers: impl IntoIterator<Item = u64>) {
        self.state.lock().unwrap().input.extend(numbers);
        self.changed.notify_all();
    }
}

/// Tells an actor what comes from a source.
struct Tap {
    source: Arc<Source>,
    to: ActorRef<u64>,
    dropped: Sender<ThreadId>,
    /// The waker was used. Changed with the source locked.
    woken: Arc<AtomicBool>,
}

impl Driver for Tap {
    fn complete(&mut self, shard: &mut Scope<'_>, _: Time, budget: u32) -> Driven {
        let mut state = self.source.state.lock().unwrap();
        let mut handled = 0;
        while handled < budget
            && let Some(number) = state.input.pop_front()
        {
            shard.tell(self.to, number);
            handled += 1;
        }
        state.most = state.most.max(handled);
        Driven { handled, more: !state.input.is_empty() }
    }

    fn submit(&mut self) {
        let mut state = self.source.state.lock().unwrap();
        state.submits += 1;
        let late = state.late.take();
        state.input.extend(late);
    }

    fn has_input(&mut self) -> bool {
        !self.source.state.lock().unwrap().input.is_empty()
    }

    fn has_pending(&mut self) -> bool {
        let state = self.source.state.lock().unwrap();
        state.input.len() >= state.gathers.max(1)
    }

    fn park(&mut self, timeout: Option<Duration>) {
        let mut state = self.source.state.lock().unwrap();
        (state.parks, state.parked) = (state.parks + 1, true);
        let woken = &self.woken;
        let waits =
            |state: &mut State| !woken.load(Ordering::Relaxed) && state.input.len() < state.gathers.max(1);
        let mut state = match timeout {
            Some(timeout) => self.source.changed.wait_timeout_while(state, timeout, waits).unwrap().0,
            None => self.source.changed.wait_while(state, waits).unwrap(),
        };
        self.woken.store(false, Ordering::Relaxed);
        state.parked = false;
    }

    fn waker(&self) -> DriverWaker {
        let (source, woken) = (self.source.clone(), self.woken.clone());
        Box::new(move || {
            let _state = source.state.lock().unwrap();
            woken.store(true, Ordering::Relaxed);
            source.changed.notify_all();
        })
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let _ = self.dropped.send(std::thread::current().id());
    }
}

/// Adds up what it is told.
struct Sum {
    all: u64,
    count: u64,
    seen: Arc<Mutex<(u64, u64)>>,
}

impl Actor for Sum {
    type Msg = u64;
    fn receive(&mut self, number: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        (self.all, self.count) = (self.all + number, self.count + 1);
        *self.seen.lock().unwrap() = (self.all, self.count);
        Ok(())
    }
}

/// Installs a tap on each shard.
struct Taps {
    source: Arc<Source>,
    seen: Arc<Mutex<(u64, u64)>>,
    dropped: Sender<ThreadId>,
    twice: bool,
}

impl Extension for Taps {
    const NAME: &'static str = "taps";
    type Shard = ();
    fn on_shard(&self, shard: &mut Scope<'_>) -> Result<(), BoxError> {
        for _ in 0..1 + u32::from(self.twice) {
            let to = shard.spawn(Sum { all: 0, count: 0, seen: self.seen.clone() })?;
            install_driver(
                shard,
                Tap { source: self.source.clone(), to, dropped: self.dropped.clone(), woken: Arc::default() },
            )?;
        }
        Ok(())
    }
}

struct Rig {
    source: Arc<Source>,
    seen: Arc<Mutex<(u64, u64)>>,
    dropped: std::sync::mpsc::Receiver<ThreadId>,
}

fn taps(twice: bool) -> (Rig, impl Fn() -> Taps) {
    let (source, seen) = (Arc::<Source>::default(), Arc::<Mutex<(u64, u64)>>::default());
    let (gone, dropped) = channel();
    let rig = Rig { source: source.clone(), seen: seen.clone(), dropped };
    let make = move || Taps { source: source.clone(), seen: seen.clone(), dropped: gone.clone(), twice };
    (rig, make)
}

fn await_parked(source: &Source) {
    await_some(|| source.state.lock().unwrap().parked.then_some(()));
}

#[test]
fn input_of_a_driver_and_messages_both_wake_a_shard_that_sleeps_in_it() {
    for idle in [Idle::Frugal, Idle::Balanced] {
        let (rig, make) = taps(false);
        let system = builder(1).idle(idle).extension(move |_| Ok(make())).start().unwrap();
        let mut gateway = system.gateway().unwrap();
        let actor = puppet(&system, 0);
        for round in 1..50u64 {
            await_parked(&rig.source);
            rig.source.put([round]);
            await_some(|| (rig.seen.lock().unwrap().1 == round).then_some(()));
            await_parked(&rig.source);
            let (said, heard) = channel();
            with(&mut gateway, actor, move |_| said.send(()).unwrap());
            next(&heard);
            await_parked(&rig.source);
            assert_eq!(system.call(0, |scope| scope.place().shard()), Ok(0));
        }
        assert_eq!(rig.seen.lock().unwrap().0, (1..50).sum::<u64>());
        end(system);
    }
}

#[test]
fn a_driver_may_leave_what_has_come_to_a_wait_that_gathers_more() {
    let (rig, make) = taps(false);
    let system = builder(1).idle(Idle::Frugal).extension(move |_| Ok(make())).start().unwrap();
    await_parked(&rig.source);
    let mut state = rig.source.state.lock().unwrap();
    (state.gathers, state.late) = (3, Some(4));
    drop(state);
    rig.source.put(1..=3);
    // What came while the three were handed out waits for others, and no turn hands it out.
    await_some(|| {
        let state = rig.source.state.lock().unwrap();
        (state.parked && state.input == [4]).then_some(())
    });
    assert_eq!(*rig.seen.lock().unwrap(), (6, 3));
    rig.source.put([5, 6]);
    await_some(|| (*rig.seen.lock().unwrap() == (21, 6)).then_some(()));
    end(system);
}

#[test]
fn a_driver_is_given_a_budget_and_called_again_for_the_rest() {
    let (rig, make) = taps(false);
    let system = builder(1).extension(move |_| Ok(make())).start().unwrap();
    await_parked(&rig.source);
    rig.source.put(0..10_000);
    await_some(|| (*rig.seen.lock().unwrap() == ((0..10_000).sum(), 10_000)).then_some(()));
    let state = rig.source.state.lock().unwrap();
    assert!(state.most > 0 && state.most < 1_000, "{}", state.most);
    // What was asked for is passed on in every turn.
    assert!(state.submits > 10);
    drop(state);
    end(system);
}

#[test]
fn timers_are_kept_by_a_shard_that_sleeps_in_a_driver() {
    let (rig, make) = taps(false);
    let system = builder(1).idle(Idle::Frugal).extension(move |_| Ok(make())).start().unwrap();
    struct Late(Sender<()>);
    impl Actor for Late {
        type Msg = ();
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            ctx.set_timer(1, Duration::from_millis(5), ())?;
            Ok(())
        }
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(self.0.send(())?)
        }
    }
    let (said, heard) = channel();
    let parks = rig.source.state.lock().unwrap().parks;
    system.spawn(move || Late(said.clone())).unwrap();
    next(&heard);
    assert!(rig.source.state.lock().unwrap().parks > parks);
    end(system);
}

#[test]
fn a_driver_is_dropped_on_the_thread_of_its_shard() {
    let (rig, make) = taps(false);
    let system = builder(2).extension(move |_| Ok(make())).start().unwrap();
    let mut threads: Vec<_> =
        (0..2).map(|shard| system.call(shard, |_| std::thread::current().id()).unwrap()).collect();
    end(system);
    let mut dropped = vec![next(&rig.dropped), next(&rig.dropped)];
    let key = |id: &ThreadId| format!("{id:?}");
    threads.sort_by_key(key);
    dropped.sort_by_key(key);
    assert_eq!(threads, dropped);
}

#[test]
fn a_shard_has_one_driver_which_is_installed_while_it_starts() {
    let (_rig, make) = taps(true);
    let error = builder(1).extension(move |_| Ok(make())).start().unwrap_err();
    assert!(error.to_string().contains("has a driver already"), "{error}");

    let system = builder(1).start().unwrap();
    let (rig, make) = taps(false);
    let taps = make();
    let late = system.call(0, move |scope| {
        let to = scope.spawn(Sum { all: 0, count: 0, seen: taps.seen.clone() }).unwrap();
        install_driver(
            scope,
            Tap { source: taps.source.clone(), to, dropped: taps.dropped.clone(), woken: Arc::default() },
        )
    });
    assert_eq!(late.unwrap(), Err(InstallDriverError::Running));
    assert!(rig.dropped.recv_timeout(LONG).is_ok());
    end(system);
}

/// Input at known times: what a simulated network is.
struct Clockwork {
    every: Duration,
    next: Time,
    to: ActorRef<u64>,
}

impl Driver for Clockwork {
    fn complete(&mut self, shard: &mut Scope<'_>, now: Time, _: u32) -> Driven {
        let mut handled = 0;
        while self.next <= now {
            shard.tell(self.to, 1);
            self.next = self.next + self.every;
            handled += 1;
        }
        Driven { handled, more: false }
    }
    fn submit(&mut self) {}
    fn has_input(&mut self) -> bool {
        false
    }
    fn park(&mut self, _: Option<Duration>) {
        panic!("nobody parks in a simulation");
    }
    fn waker(&self) -> DriverWaker {
        Box::new(|| {})
    }
    fn next_deadline(&mut self) -> Option<Time> {
        Some(self.next)
    }
}

struct Clockworks(Arc<Mutex<(u64, u64)>>);

impl Extension for Clockworks {
    const NAME: &'static str = "clockworks";
    type Shard = ();
    fn on_shard(&self, shard: &mut Scope<'_>) -> Result<(), BoxError> {
        let to = shard.spawn(Sum { all: 0, count: 0, seen: self.0.clone() })?;
        let every = Duration::from_millis(10);
        Ok(install_driver(shard, Clockwork { every, next: Time::ZERO + every, to })?)
    }
}

#[test]
fn a_simulated_shard_sleeps_until_its_driver_has_input() {
    let seen = Arc::<Mutex<(u64, u64)>>::default();
    let counted = seen.clone();
    let sim = Sim::new(1).shards(1).options(Options::calm());
    let sim = sim.extension(move |_| Ok(Clockworks(counted.clone())));
    sim.run(|sim| {
        sim.run_for(Duration::from_millis(1_005));
        let count = seen.lock().unwrap().1;
        assert!((95..=100).contains(&count), "{count}");
        // It sleeps in between.
        assert!(sim.system().stats()[0].turns < 2_000);
        Ok(())
    })
    .unwrap();
}

//! The kernel against a reference: the same random steps, and after each turn the same log, the same dead letters, the
//! same living.

#[path = "../common/mod.rs"]
mod common;
mod reference;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Log, World, lock};
use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, DeadReason, Directive, Failure, Group, KernelConfig, Outcome, Spawner,
    StopReason, Strategy as SupervisorStrategy, Terminated, Time,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reference::Reference;

/// The how-manieth actor that was spawned.
type Id = usize;

/// As many actors as have slots of their own for their timers.
const DOLLS: usize = 19;

/// Ticks by which time moves. One-shot timers lie between two of these points, each in a slot of its own, so that no two
/// are due in the same tick and their order is certain.
const UNIT: u64 = 160;
const TICK: u64 = 1 << 16;

/// The key of an actor's one periodic timer. It beats at whole units, so that only the order among those of different
/// actors is open; for that, logs are compared actor by actor.
const PERIODIC: u64 = 5;

/// The tick within a unit at which an actor's timer of a key is due.
fn slot_of(id: Id, key: u64) -> u64 {
    1 + id as u64 * 8 + key
}

/// Few, so that shares are used up as well; by group's number.
const SHARES: [u32; 4] = [32, 64, 16, 8];

const STASH_BOUND: usize = 3;

/// What a driver does.
#[derive(Clone, Debug)]
enum Step {
    Spawn { group: usize, bound: u32, made: bool },
    Tell(Id, Cmd),
    Stop(Id),
    Fail(Id, Plan),
    Suspend(Id),
    Resume(Id),
    ResumeWith(Id, u64),
    Advance(u64),
    Turn,
}

/// What is to be decided about a failure. Its text says so, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Resume,
    Restart,
    Stop,
    Escalate,
}

fn directive(failure: &Failure) -> Directive {
    match failure.text() {
        "Resume" => Directive::Resume,
        "Restart" => Directive::Restart,
        "Stop" => Directive::Stop,
        _ => Directive::Escalate,
    }
}

fn failure(plan: Plan) -> Failure {
    Failure::new(format_args!("{plan:?}"))
}

/// Whom a decision about a child of this actor concerns: itself, all, or the rest.
fn reach_of(parent: Id) -> usize {
    parent % 3
}

/// Whether an actor leaves its children alone when it is restarted.
fn leaves_children(id: Id) -> bool {
    id % 4 == 3
}

/// What an actor is told to do.
#[derive(Clone, Debug)]
enum Cmd {
    Note(u64),
    Stash(u64),
    Unstash(usize),
    Watch(Id),
    WatchWith(Id, u64),
    Unwatch(Id),
    Timer(u64, u64, u64),
    Periodic(u64, u64),
    Cancel(u64),
    Silence(Option<u64>),
    SuspendSelf,
    Resume(Id),
    Stop(Id),
    StopSelf,
    Fail(Plan),
    Spawn { group: usize, bound: u32, made: bool },
    TellTo(Id, u64),
}

/// Everybody who was spawned, in order.
type Everybody = Arc<Mutex<Vec<ActorRef<Cmd>>>>;

struct Doll {
    id: Id,
    log: Log,
    all: Everybody,
}

impl Doll {
    fn say(&self, what: impl std::fmt::Display) {
        self.log.add(format!("{}: {what}", self.id));
    }

    fn at(&self, id: Id) -> ActorRef<Cmd> {
        lock(&self.all)[id]
    }

    fn id_of(&self, address: Address) -> Id {
        lock(&self.all).iter().position(|known| known.address() == address).expect("a doll")
    }
}

fn group(number: usize) -> Group {
    [Group::Normal, Group::Urgent, Group::Bulk, Group::Background][number]
}

fn after(units: u64, id: Id, key: u64) -> Duration {
    Duration::from_nanos((units * UNIT + slot_of(id, key)) * TICK)
}

impl Actor for Doll {
    type Msg = Cmd;

    fn receive(&mut self, cmd: Cmd, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match cmd {
            Cmd::Note(n) => self.say(n),
            Cmd::Stash(n) => {
                if ctx.stash(Cmd::Note(n)).is_err() {
                    self.say(format_args!("stash is full for {n}"));
                }
            }
            Cmd::Unstash(1) => self.say(format_args!("takes {} back", u32::from(ctx.unstash()))),
            Cmd::Unstash(_) => self.say(format_args!("takes {} back", ctx.unstash_all())),
            Cmd::Watch(target) => ctx.watch(self.at(target))?,
            Cmd::WatchWith(target, n) => ctx.watch_with(self.at(target), Cmd::Note(n))?,
            Cmd::Unwatch(target) => self.say(format_args!("unwatches: {}", ctx.unwatch(self.at(target)))),
            Cmd::Timer(key, units, n) => ctx.set_timer(key, after(units, self.id, key), Cmd::Note(n))?,
            Cmd::Periodic(units, n) => {
                ctx.set_periodic(PERIODIC, Duration::from_nanos(units * UNIT * TICK), Cmd::Note(n))?;
            }
            Cmd::Cancel(key) => self.say(format_args!("cancels: {}", ctx.cancel_timer(key))),
            Cmd::Silence(units) => ctx.set_receive_timeout(units.map(|units| after(units, self.id, 6)))?,
            Cmd::SuspendSelf => ctx.suspend_self()?,
            Cmd::Resume(other) => ctx.scope().resume(self.at(other)),
            Cmd::Stop(other) => ctx.stop(self.at(other)),
            Cmd::StopSelf => ctx.stop_self(),
            Cmd::Fail(plan) => return Err(failure(plan)),
            Cmd::Spawn { group: number, bound, made } => {
                spawn(ctx.spawner().group(group(number)).mailbox(bound), made, &self.log, &self.all);
            }
            Cmd::TellTo(other, n) => ctx.tell(self.at(other), Cmd::Note(n)),
        }
        Ok(())
    }

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.say("started");
        Ok(ctx.set_stash_bound(STASH_BOUND as u32)?)
    }

    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        self.say("stopped");
    }

    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        let reason = match gone.reason {
            StopReason::Stopped => "stopped",
            StopReason::Failed(_) => "failed",
            _ => "not found",
        };
        self.say(format_args!("hears: {} {reason}", self.id_of(gone.address)));
        Ok(())
    }

    fn strategy(&self) -> SupervisorStrategy {
        match reach_of(self.id) {
            0 => SupervisorStrategy::one_for_one(),
            1 => SupervisorStrategy::all_for_one(),
            _ => SupervisorStrategy::rest_for_one(),
        }
    }

    fn decide(&mut self, child: Address, failure: &Failure, _: &mut Ctx<'_, Self>) -> Directive {
        self.say(format_args!("child {} failed", self.id_of(child)));
        directive(failure)
    }

    fn restarting(&mut self, _: &Failure, ctx: &mut Ctx<'_, Self>) {
        self.say("restarting");
        if !leaves_children(self.id) {
            ctx.stop_children();
        }
    }

    fn restarted(&mut self, _: &Failure, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.say("restarted");
        Ok(ctx.set_stash_bound(STASH_BOUND as u32)?)
    }

    fn receive_timeout(&mut self, _: &mut Ctx<'_, Self>) -> Outcome {
        self.say("hears nothing");
        Ok(())
    }
}

/// Spawns the next actor, if there are not too many.
fn spawn(spawner: Spawner<'_>, made: bool, log: &Log, all: &Everybody) {
    let id = lock(all).len();
    if id < DOLLS {
        let (log, everybody) = (log.clone(), all.clone());
        let make = move || Doll { id, log: log.clone(), all: everybody.clone() };
        let doll = if made { spawner.spawn_from(make) } else { spawner.spawn(make()) };
        lock(all).push(doll.expect("room for an actor"));
    }
}

/// The kernel, driven by steps.
struct Subject {
    world: World,
    all: Everybody,
}

impl Subject {
    fn new(now: u64) -> Subject {
        let supervision = SupervisorStrategy::one_for_one().deciding(directive);
        let config = KernelConfig { shares: SHARES, supervision, ..KernelConfig::default() };
        let mut world = World::with(512 << 10, config);
        world.now = Time::from_nanos(now * TICK);
        Subject { world, all: Everybody::default() }
    }

    fn step(&mut self, step: &Step) {
        let at = |id: Id| lock(&self.all)[id];
        match step {
            Step::Spawn { group: number, bound, made } => {
                let mut scope = self.world.kernel.scope();
                let spawner = scope.spawner().group(group(*number)).mailbox(*bound);
                spawn(spawner, *made, &self.world.log, &self.all);
            }
            Step::Tell(id, cmd) => self.world.kernel.tell(at(*id), cmd.clone()),
            Step::Stop(id) => self.world.kernel.scope().stop(at(*id)),
            Step::Fail(id, plan) => self.world.kernel.scope().fail(at(*id), failure(*plan)),
            Step::Suspend(id) => self.world.kernel.scope().suspend(at(*id)).unwrap(),
            Step::Resume(id) => self.world.kernel.scope().resume(at(*id)),
            Step::ResumeWith(id, n) => self.world.kernel.scope().resume_with(at(*id), Cmd::Note(*n)),
            Step::Advance(units) => {
                self.world.now = self.world.now + Duration::from_nanos(units * UNIT * TICK);
            }
            Step::Turn => _ = self.world.turn(),
        }
    }

    fn letters(&self) -> Vec<(u8, u64)> {
        self.world.letters().into_iter().map(|(reason, n)| (reason as u8, n)).collect()
    }
}

/// Numbers in steps name whoever has been spawned by then.
fn within(step: Step, count: usize) -> Step {
    let fit = |id: Id| id % count;
    let fit_cmd = |cmd: Cmd| match cmd {
        Cmd::Watch(id) => Cmd::Watch(fit(id)),
        Cmd::WatchWith(id, n) => Cmd::WatchWith(fit(id), n),
        Cmd::Unwatch(id) => Cmd::Unwatch(fit(id)),
        Cmd::Resume(id) => Cmd::Resume(fit(id)),
        Cmd::Stop(id) => Cmd::Stop(fit(id)),
        Cmd::TellTo(id, n) => Cmd::TellTo(fit(id), n),
        other => other,
    };
    match step {
        Step::Tell(id, cmd) => Step::Tell(fit(id), fit_cmd(cmd)),
        Step::Stop(id) => Step::Stop(fit(id)),
        Step::Fail(id, plan) => Step::Fail(fit(id), plan),
        Step::Suspend(id) => Step::Suspend(fit(id)),
        Step::Resume(id) => Step::Resume(fit(id)),
        Step::ResumeWith(id, n) => Step::ResumeWith(fit(id), n),
        other => other,
    }
}

/// What each actor logged, in order.
fn by_actor(mut log: Vec<String>) -> Vec<String> {
    log.sort_by_key(|line| line.split_once(':').and_then(|(id, _)| id.parse::<Id>().ok()));
    log
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    // A time that is a unit's beginning.
    let start = 100 * UNIT;
    let (mut subject, mut reference) = (Subject::new(start), Reference::new(start));
    let first = Step::Spawn { group: 0, bound: 0, made: true };
    let mut done = Vec::new();
    for step in std::iter::once(first).chain(steps) {
        take(step, &mut subject, &mut reference, &mut done)?;
    }
    // Then as many turns as the reference needs to come to rest.
    take(Step::Turn, &mut subject, &mut reference, &mut done)?;
    while !reference.idle() {
        take(Step::Turn, &mut subject, &mut reference, &mut done)?;
    }
    prop_assert!(!subject.world.turn().more, "at rest as well");
    subject.world.scope().stop_all();
    subject.world.settle();
    prop_assert_eq!(subject.world.stats().actors, 0);
    prop_assert_eq!(subject.world.next_deadline(), None);
    prop_assert_eq!(subject.world.dead_letters(DeadReason::OutOfMemory), 0);
    Ok(())
}

/// Takes a step on both sides; after a turn they are compared.
fn take(
    step: Step,
    subject: &mut Subject,
    reference: &mut Reference,
    done: &mut Vec<Step>,
) -> Result<(), TestCaseError> {
    let step = within(step, reference.count().max(1));
    subject.step(&step);
    reference.step(&step);
    let is_turn = matches!(step, Step::Turn);
    done.push(step);
    if is_turn {
        let seen = by_actor(subject.world.log.take());
        let expected = by_actor(std::mem::take(&mut reference.log));
        prop_assert_eq!(&subject.world.panics, &[""; 0], "{:?}", done);
        prop_assert_eq!(seen, expected, "after {:?}", done);
        let letters: Vec<_> = reference.letters.iter().map(|(reason, n)| (*reason, *n)).collect();
        prop_assert_eq!(subject.letters(), letters, "after {:?}", done);
        prop_assert_eq!(subject.world.stats().actors as usize, reference.living(), "after {:?}", done);
    }
    Ok(())
}

fn plans() -> impl Strategy<Value = Plan> {
    prop_oneof![
        2 => Just(Plan::Resume),
        6 => Just(Plan::Restart),
        1 => Just(Plan::Stop),
        2 => Just(Plan::Escalate),
    ]
}

fn cmds() -> impl Strategy<Value = Cmd> {
    let id = 0..DOLLS;
    let (n, key, units) = (0u64..1000, 0..=PERIODIC, 1u64..4);
    prop_oneof![
        6 => n.clone().prop_map(Cmd::Note),
        3 => n.clone().prop_map(Cmd::Stash),
        2 => prop_oneof![Just(1usize), Just(usize::MAX)].prop_map(Cmd::Unstash),
        3 => id.clone().prop_map(Cmd::Watch),
        2 => (id.clone(), n.clone()).prop_map(|(id, n)| Cmd::WatchWith(id, n)),
        2 => id.clone().prop_map(Cmd::Unwatch),
        3 => (key.clone(), units.clone(), n.clone()).prop_map(|(key, units, n)| Cmd::Timer(key, units, n)),
        2 => (units.clone(), n.clone()).prop_map(|(units, n)| Cmd::Periodic(units, n)),
        2 => key.prop_map(Cmd::Cancel),
        2 => proptest::option::of(units).prop_map(Cmd::Silence),
        2 => Just(Cmd::SuspendSelf),
        3 => id.clone().prop_map(Cmd::Resume),
        1 => id.clone().prop_map(Cmd::Stop),
        1 => Just(Cmd::StopSelf),
        3 => plans().prop_map(Cmd::Fail),
        3 => (0usize..4, 0u32..4, any::<bool>()).prop_map(|(group, bound, made)| Cmd::Spawn { group, bound, made }),
        4 => (id, n).prop_map(|(id, n)| Cmd::TellTo(id, n)),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = 0..DOLLS;
    let step = prop_oneof![
        2 => (0usize..4, 0u32..4, any::<bool>()).prop_map(|(group, bound, made)| Step::Spawn { group, bound, made }),
        20 => (id.clone(), cmds()).prop_map(|(id, cmd)| Step::Tell(id, cmd)),
        1 => id.clone().prop_map(Step::Stop),
        2 => (id.clone(), plans()).prop_map(|(id, plan)| Step::Fail(id, plan)),
        2 => id.clone().prop_map(Step::Suspend),
        3 => id.clone().prop_map(Step::Resume),
        1 => (id, 0u64..1000).prop_map(|(id, n)| Step::ResumeWith(id, n)),
        2 => (1u64..5).prop_map(Step::Advance),
        6 => Just(Step::Turn),
    ];
    proptest::collection::vec(step, 1..250)
}

/// The seed is fixed, so that a failure comes again; `PROPTEST_CASES` sets how many stories are told.
#[test]
fn random_steps_do_what_the_reference_does() {
    let config = Config { failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    if let Err(failure) = TestRunner::new_with_rng(config, rng).run(&steps(), run) {
        panic!("{failure}");
    }
}

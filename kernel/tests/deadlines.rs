//! Deadlines of asks, compared with a simple model under random steps: each ask ends once, with its answer, at its
//! deadline, with its asker, or with the host that was asked, however many different times are asked within.
#![cfg(feature = "alloc")]

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Realm, World, lock, ms};
use corelane_kernel::{
    Actor, ActorRef, Address, AnyMessage, AskError, Ctx, DeadReason, ForeignRealm, KernelConfig, MessageKind,
    Outcome, RawAddress, ReplyTo, StopReason, Time, Uplink, UplinkRefusal,
};
use proptest::prelude::*;

/// Keeps questions until it is told to answer one.
#[derive(Default)]
struct Clerk {
    open: BTreeMap<u64, ReplyTo<u64>>,
}

enum Question {
    Keep(u64, ReplyTo<u64>),
    Answer(u64),
}

impl Actor for Clerk {
    type Msg = Question;
    fn receive(&mut self, question: Question, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match question {
            Question::Keep(n, reply) => {
                self.open.insert(n, reply);
            }
            Question::Answer(n) => {
                if let Some(reply) = self.open.remove(&n) {
                    ctx.tell(reply, n);
                }
            }
        }
        Ok(())
    }
}

/// The clerks of other hosts: they keep questions as well, each by its number.
#[derive(Clone, Default)]
struct Afar(Rc<RefCell<BTreeMap<u64, ReplyTo<u64>>>>);

impl Uplink for Afar {
    fn tell(&mut self, _: Address, message: AnyMessage<'_>) -> Result<(), UplinkRefusal> {
        match message.get() {
            Some(Question::Keep(n, reply)) => _ = self.0.borrow_mut().insert(*n, *reply),
            _ => return Err(UplinkRefusal::NoWireForm),
        }
        Ok(())
    }
    fn watch(&mut self, _: Address, _: Address) -> bool {
        false
    }
    fn unwatch(&mut self, _: Address, _: Address) {}
    fn ended(&mut self, _: Address, _: Address, _: &StopReason) {}
    fn stop(&mut self, _: Address) {}
}

/// A clerk of another realm, on this shard of it.
fn clerk_at(realm: &ForeignRealm, shard: u32) -> ActorRef<Question> {
    let raw = RawAddress { identity: 1 << 32 | 7, index: 5, shard };
    realm.admit_as(raw, MessageKind::of::<Question>()).unwrap().typed().unwrap()
}

type Heard = Arc<Mutex<Vec<(u64, Result<u64, AskError>)>>>;

struct Asker {
    clerks: [ActorRef<Question>; 3],
    heard: Heard,
}

enum Word {
    /// The number, the time, and which clerk.
    Ask(u64, Duration, usize),
    Heard(u64, Result<u64, AskError>),
}

impl Actor for Asker {
    type Msg = Word;
    fn receive(&mut self, word: Word, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match word {
            Word::Ask(n, within, of) => {
                let question = move |reply| Question::Keep(n, reply);
                ctx.ask(self.clerks[of], within, question, move |answer| Word::Heard(n, answer));
            }
            Word::Heard(n, answer) => lock(&self.heard).push((n, answer)),
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// An asker asks a clerk within one of many times.
    Ask(usize, u64, usize),
    /// One of the open questions is answered.
    Answer(usize),
    Pass(u64),
    /// An asker is stopped, and another takes its place.
    Replace(usize),
    /// A clerk's host is lost. It may be met again.
    Lose(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3usize, 1..25u64, 0..3usize).prop_map(|(asker, within, of)| Step::Ask(asker, within, of)),
        4 => any::<usize>().prop_map(Step::Answer),
        2 => (0..6u64).prop_map(Step::Pass),
        1 => (0..3usize).prop_map(Step::Replace),
        1 => (1..3usize).prop_map(Step::Lose),
    ]
}

/// The resolution of timers, and a little more.
const TICK: Duration = Duration::from_micros(66);

proptest! {
    #[test]
    fn each_ask_ends_once_and_in_time(steps in proptest::collection::vec(step(), 1..300)) {
        let mut world = World::new();
        let heard = Heard::default();
        let (realm, afar) = (ForeignRealm::new().unwrap(), Afar::default());
        world.kernel.scope().uplink_by(afar.clone()).unwrap();
        let clerk = world.spawn(Clerk::default()).unwrap();
        let clerks = [clerk, clerk_at(&realm, 3), clerk_at(&realm, 4)];
        let asker = |world: &mut World| world.spawn(Asker { clerks, heard: heard.clone() }).unwrap();
        let mut askers = [(); 3].map(|()| asker(&mut world));
        let mut open: BTreeMap<u64, (usize, usize, Time)> = BTreeMap::new();
        let mut asked = 0;
        for step in steps {
            let mut expected = Vec::new();
            match step {
                Step::Ask(asker, within, of) => {
                    // The kernel's time is that of its last turn.
                    world.settle();
                    open.insert(asked, (asker, of, world.now + ms(within)));
                    world.tell(askers[asker], Word::Ask(asked, ms(within), of));
                    asked += 1;
                }
                Step::Answer(_) if open.is_empty() => {}
                Step::Answer(n) => {
                    let n = *open.keys().nth(n % open.len()).unwrap();
                    match open.remove(&n) {
                        Some((_, 0, _)) => world.tell(clerk, Question::Answer(n)),
                        _ => world.tell(afar.0.borrow()[&n], n),
                    }
                    expected.push((n, Ok(n)));
                }
                Step::Pass(by) => {
                    world.pass(ms(by));
                    let now = world.now;
                    // One with a timer, as there are too many different times, ends at the end of its tick.
                    for (n, answer) in std::mem::take(&mut *lock(&heard)) {
                        prop_assert_eq!(answer, Err(AskError::Timeout));
                        let (.., at) = open.remove(&n).expect("it was open");
                        prop_assert!(at <= now, "{} ends at {:?} instead of {:?}", n, now, at);
                    }
                    for (n, (.., at)) in &open {
                        prop_assert!(*at + TICK > now, "{} should have ended at {:?}, it is {:?}", n, at, now);
                    }
                }
                Step::Replace(which) => {
                    world.stop(askers[which]);
                    askers[which] = asker(&mut world);
                    open.retain(|_, (asker, ..)| *asker != which);
                }
                Step::Lose(which) => {
                    world.kernel.scope().lose_place(clerks[which].place());
                    let lost = open.iter().filter(|(_, (_, of, _))| *of == which).map(|(n, _)| *n);
                    expected.extend(lost.map(|n| (n, Err(AskError::Unreachable))));
                    open.retain(|_, (_, of, _)| *of != which);
                }
            }
            world.settle();
            let mut found = std::mem::take(&mut *lock(&heard));
            found.sort_by_key(|(n, _)| *n);
            prop_assert_eq!(found, expected);
            let next = open.values().map(|(.., at)| *at).min();
            let known = world.kernel.next_deadline();
            prop_assert_eq!(known.is_some(), next.is_some());
            // A timer is known to its tick, and from afar only roughly, but never too late.
            prop_assert!(known <= next.map(|at| at + ms(1)), "{:?} is later than {:?}", known, next);
        }
        for asker in askers {
            world.stop(asker);
        }
        prop_assert_eq!(world.kernel.next_deadline(), None);
    }
}

/// Asks within the same time end in the order in which they were asked.
#[test]
fn asks_within_one_time_end_in_order() {
    let mut world = World::new();
    let heard = Heard::default();
    let clerk = world.spawn(Clerk::default()).unwrap();
    let asker = world.spawn(Asker { clerks: [clerk; 3], heard: heard.clone() }).unwrap();
    for n in 0..100 {
        world.tell(asker, Word::Ask(n, ms(10), 0));
    }
    world.settle();
    for n in (0..100).filter(|n| n % 3 == 1) {
        world.tell(clerk, Question::Answer(n));
    }
    world.pass(ms(11));
    let over = lock(&heard).iter().filter(|(_, answer)| answer.is_err()).map(|(n, _)| *n).collect::<Vec<_>>();
    assert_eq!(over, (0..100).filter(|n| n % 3 != 1).collect::<Vec<_>>());
}

/// Conformance 23: who is asked on another host, and the host is lost, is waited for no longer.
#[test]
fn an_ask_of_a_host_that_is_lost_ends_at_once_and_others_go_on() {
    let mut world = World::new();
    let (realm, afar) = (ForeignRealm::new().unwrap(), Afar::default());
    world.kernel.scope().uplink_by(afar.clone()).unwrap();
    let here = world.spawn(Clerk::default()).unwrap();
    let clerks = [here, clerk_at(&realm, 3), clerk_at(&realm, 4)];
    let heard = Heard::default();
    let asker = world.spawn(Asker { clerks, heard: heard.clone() }).unwrap();
    // So many different times that some have a timer each.
    for n in 0..36 {
        world.tell(asker, Word::Ask(n, ms(1000 + n / 3), (n % 3) as usize));
    }
    world.settle();
    world.scope().ask(clerks[1], ms(1000), |reply| Question::Keep(99, reply), {
        let heard = heard.clone();
        move |answer| lock(&heard).push((99, answer))
    });
    world.settle();
    world.kernel.scope().lose_place(clerks[1].place());
    world.settle();
    let mut lost: Vec<_> = std::mem::take(&mut *lock(&heard));
    lost.sort_by_key(|(n, _)| *n);
    let of_the_lost = (0..36).filter(|n| n % 3 == 1).chain([99]);
    assert_eq!(lost, of_the_lost.map(|n| (n, Err(AskError::Unreachable))).collect::<Vec<_>>());
    // What it still answers comes too late.
    world.tell(afar.0.borrow()[&1], 1);
    world.tell(afar.0.borrow()[&2], 2);
    world.settle();
    assert_eq!(std::mem::take(&mut *lock(&heard)), [(2, Ok(2))]);
    assert_eq!(world.letters(), [(DeadReason::LateAnswer, 1)]);
    world.pass(ms(1100));
    assert_eq!(lock(&heard).len(), 23);
    assert!(lock(&heard).iter().all(|(_, answer)| *answer == Err(AskError::Timeout)));
    assert_eq!(world.kernel.next_deadline(), None);
}

/// What waits in front of an answer, and how much of it is handled in a turn, takes no answer away.
#[test]
fn an_answer_that_came_before_its_host_was_lost_is_heard() {
    let mut config = KernelConfig { budget: 16, ..KernelConfig::default() };
    config.shares = [8; 4];
    let mut world = World::with(1 << 20, config);
    let (realm, afar) = (ForeignRealm::new().unwrap(), Afar::default());
    world.kernel.scope().uplink_by(afar.clone()).unwrap();
    let clerk = world.spawn(Clerk::default()).unwrap();
    let clerks = [clerk, clerk_at(&realm, 3), clerk];
    let heard = Heard::default();
    let asker = world.spawn(Asker { clerks, heard: heard.clone() }).unwrap();
    for n in 0..200 {
        world.tell(asker, Word::Ask(n, ms(1000), 1));
    }
    world.settle();
    for n in 0..500 {
        world.tell(clerk, Question::Answer(n));
    }
    for n in (0..200).step_by(2) {
        world.tell(afar.0.borrow()[&n], n);
    }
    world.kernel.scope().lose_place(clerks[1].place());
    world.settle();
    let mut heard = std::mem::take(&mut *lock(&heard));
    heard.sort_by_key(|(n, _)| *n);
    let expected = (0..200).map(|n| (n, if n % 2 == 0 { Ok(n) } else { Err(AskError::Unreachable) }));
    assert_eq!(heard, expected.collect::<Vec<_>>());
    assert_eq!(world.letters(), []);
}

/// A kernel of the same realm that ends is lost as a host is: one rule for both.
#[test]
fn an_ask_of_a_kernel_that_ends_is_over_with_it() {
    let mut world = Realm::pair();
    let heard = Heard::default();
    let clerk = world.worlds[1].spawn(Clerk::default()).unwrap();
    let asker = world.worlds[0].spawn(Asker { clerks: [clerk; 3], heard: heard.clone() }).unwrap();
    for n in 0..3 {
        world.worlds[0].tell(asker, Word::Ask(n, ms(1000), 0));
    }
    world.settle();
    world.worlds[1].tell(clerk, Question::Answer(1));
    world.worlds[1].turn();
    drop(world.worlds.remove(1));
    world.settle();
    let mut heard = std::mem::take(&mut *lock(&heard));
    heard.sort_by_key(|(n, _)| *n);
    assert_eq!(heard, [(0, Err(AskError::Unreachable)), (1, Ok(1)), (2, Err(AskError::Unreachable))]);
}

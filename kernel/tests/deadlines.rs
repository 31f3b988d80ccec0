//! Deadlines of asks, compared with a simple model under random steps: each ask ends once, with its answer, at its
//! deadline, or with its asker, however many different times are asked within.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{World, lock, ms};
use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Outcome, ReplyTo, Time};
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

type Heard = Arc<Mutex<Vec<(u64, Result<u64, AskError>)>>>;

struct Asker {
    clerk: ActorRef<Question>,
    heard: Heard,
}

enum Word {
    Ask(u64, Duration),
    Heard(u64, Result<u64, AskError>),
}

impl Actor for Asker {
    type Msg = Word;
    fn receive(&mut self, word: Word, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match word {
            Word::Ask(n, within) => {
                let question = move |reply| Question::Keep(n, reply);
                ctx.ask(self.clerk, within, question, move |answer| Word::Heard(n, answer));
            }
            Word::Heard(n, answer) => lock(&self.heard).push((n, answer)),
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// An asker asks within one of many times.
    Ask(usize, u64),
    /// One of the open questions is answered.
    Answer(usize),
    Pass(u64),
    /// An asker is stopped, and another takes its place.
    Replace(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3usize, 1..25u64).prop_map(|(asker, within)| Step::Ask(asker, within)),
        4 => any::<usize>().prop_map(Step::Answer),
        2 => (0..6u64).prop_map(Step::Pass),
        1 => (0..3usize).prop_map(Step::Replace),
    ]
}

/// The resolution of timers, and a little more.
const TICK: Duration = Duration::from_micros(66);

proptest! {
    #[test]
    fn each_ask_ends_once_and_in_time(steps in proptest::collection::vec(step(), 1..300)) {
        let mut world = World::new();
        let heard = Heard::default();
        let clerk = world.spawn(Clerk::default()).unwrap();
        let asker = |world: &mut World| world.spawn(Asker { clerk, heard: heard.clone() }).unwrap();
        let mut askers = [(); 3].map(|()| asker(&mut world));
        let mut open: BTreeMap<u64, (usize, Time)> = BTreeMap::new();
        let mut asked = 0;
        for step in steps {
            let mut expected = Vec::new();
            match step {
                Step::Ask(asker, within) => {
                    // The kernel's time is that of its last turn.
                    world.settle();
                    open.insert(asked, (asker, world.now + ms(within)));
                    world.tell(askers[asker], Word::Ask(asked, ms(within)));
                    asked += 1;
                }
                Step::Answer(_) if open.is_empty() => {}
                Step::Answer(n) => {
                    let n = *open.keys().nth(n % open.len()).unwrap();
                    open.remove(&n);
                    world.tell(clerk, Question::Answer(n));
                    expected.push((n, Ok(n)));
                }
                Step::Pass(by) => {
                    world.pass(ms(by));
                    let now = world.now;
                    // One with a timer, as there are too many different times, ends at the end of its tick.
                    for (n, answer) in std::mem::take(&mut *lock(&heard)) {
                        prop_assert_eq!(answer, Err(AskError::Timeout));
                        let (_, at) = open.remove(&n).expect("it was open");
                        prop_assert!(at <= now, "{} ends at {:?} instead of {:?}", n, now, at);
                    }
                    for (n, (_, at)) in &open {
                        prop_assert!(*at + TICK > now, "{} should have ended at {:?}, it is {:?}", n, at, now);
                    }
                }
                Step::Replace(which) => {
                    world.stop(askers[which]);
                    askers[which] = asker(&mut world);
                    open.retain(|_, (asker, _)| *asker != which);
                }
            }
            world.settle();
            let mut found = std::mem::take(&mut *lock(&heard));
            found.sort_by_key(|(n, _)| *n);
            prop_assert_eq!(found, expected);
            let next = open.values().map(|(_, at)| *at).min();
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
    let asker = world.spawn(Asker { clerk, heard: heard.clone() }).unwrap();
    for n in 0..100 {
        world.tell(asker, Word::Ask(n, ms(10)));
    }
    world.settle();
    for n in (0..100).filter(|n| n % 3 == 1) {
        world.tell(clerk, Question::Answer(n));
    }
    world.pass(ms(11));
    let over = lock(&heard).iter().filter(|(_, answer)| answer.is_err()).map(|(n, _)| *n).collect::<Vec<_>>();
    assert_eq!(over, (0..100).filter(|n| n % 3 != 1).collect::<Vec<_>>());
}

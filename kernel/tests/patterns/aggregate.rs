//! Aggregation.

use std::collections::BTreeMap;
use std::time::Duration;

use super::common::{Log, World, ms};
use super::{any_time, at};
use corelane_kernel::pattern::{Aggregate, AnswerError, Progress};
use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Outcome, ReplyTo, Time};
use proptest::prelude::*;

type Votes = Aggregate<u8, u32, 5>;

#[derive(Clone, Debug)]
enum Step {
    Answer(u8),
    Fail(u8),
    Pass(u64),
}

/// What is known after the first so many events, told from the list of all of them.
fn outcome(asked: u8, needed: usize, deadline: u64, events: &[(u64, Step)]) -> (Progress, BTreeMap<u8, u32>) {
    let (mut answers, mut failed) = (BTreeMap::new(), Vec::new());
    for (number, (now, step)) in (0u32..).zip(events) {
        if *now >= deadline {
            return (Progress::TimedOut, answers);
        }
        match step {
            Step::Answer(key) if *key < asked && !failed.contains(key) => {
                answers.entry(*key).or_insert(number);
            }
            Step::Fail(key) if *key < asked && !answers.contains_key(key) && !failed.contains(key) => {
                failed.push(*key);
            }
            _ => {}
        }
        if answers.len() == needed {
            return (Progress::Complete, answers);
        }
        if failed.len() + needed > usize::from(asked) {
            return (Progress::Failed, answers);
        }
    }
    (Progress::Waiting, answers)
}

proptest! {
    #[test]
    fn ends_as_the_list_of_events_says(
        asked in 1u8..6,
        needed in 1usize..6,
        deadline in 0u64..60,
        steps in proptest::collection::vec(prop_oneof![
            3 => (0u8..7).prop_map(Step::Answer),
            2 => (0u8..7).prop_map(Step::Fail),
            2 => (0u64..10).prop_map(Step::Pass),
        ], 1..40)
    ) {
        let made = Votes::new(0..asked, needed, at(deadline));
        prop_assert_eq!(made.is_ok(), needed <= usize::from(asked));
        let Ok(mut votes) = made else { return Ok(()) };
        let (mut now, mut events) = (0u64, Vec::new());
        for (number, step) in (0u32..).zip(steps) {
            if let Step::Pass(by) = step {
                now += by;
            }
            let before = votes.clone();
            let was_over = before.clone().poll(at(now)).is_over();
            events.push((now, step.clone()));
            let (progress, answers) = outcome(asked, needed, deadline, &events);
            match step {
                Step::Answer(key) => match votes.answer(key, number, at(now)) {
                    Ok(told) => prop_assert_eq!(told, progress),
                    Err(refused) => {
                        let heard = before.answers().any(|(other, _)| *other == key)
                            || (key < asked && !answers.contains_key(&key));
                        let expected = if was_over {
                            AnswerError::Over(number)
                        } else if key >= asked {
                            AnswerError::NotAsked(number)
                        } else {
                            prop_assert!(heard);
                            AnswerError::Twice(number)
                        };
                        prop_assert_eq!(refused, expected);
                        prop_assert_eq!(refused.into_inner(), number);
                    }
                },
                Step::Fail(key) => prop_assert_eq!(votes.fail(key, at(now)), progress),
                Step::Pass(_) => prop_assert_eq!(votes.poll(at(now)), progress),
            }
            prop_assert_eq!(votes.progress(), progress);
            let given: BTreeMap<u8, u32> = votes.answers().map(|(key, value)| (*key, *value)).collect();
            prop_assert_eq!(&given, &answers);
            let missing: Vec<u8> = votes.missing().copied().collect();
            let expected: Vec<u8> = (0..asked).filter(|key| !answers.contains_key(key)).collect();
            prop_assert_eq!(missing, expected);
            prop_assert_eq!(votes.deadline(), (!progress.is_over()).then_some(at(deadline)));
        }
        let taken: BTreeMap<u8, u32> = votes.clone().into_answers().collect();
        prop_assert_eq!(taken.len(), votes.answers().count());
    }

    #[test]
    fn no_time_makes_an_aggregate_panic(
        deadline in any_time(), events in proptest::collection::vec((any_time(), 0u8..4), 0..20)
    ) {
        let mut votes = Votes::new([0, 1, 2], 3, deadline).unwrap();
        for (now, key) in events {
            let _ = votes.record(key, if key == 2 { Err(()) } else { Ok(1) }, now);
            if votes.progress() == Progress::TimedOut {
                prop_assert_eq!(votes.deadline(), None);
            }
        }
    }
}

#[test]
fn what_makes_no_sense_is_named() {
    for (asked, needed, text) in [
        (vec![1, 1], 1, "Aggregate.asked has the same key twice"),
        (vec![1, 2, 3, 4, 5, 6], 1, "Aggregate.asked has more keys than the aggregate has room for"),
        (vec![1, 2], 0, "Aggregate.needed is zero, so that it would be over at once"),
        (vec![1, 2], 3, "Aggregate.needed is more than are asked"),
        (vec![], 1, "Aggregate.needed is more than are asked"),
    ] {
        assert_eq!(Votes::new(asked, needed, Time::MAX).unwrap_err().to_string(), text);
    }
}

/// Answers a question after so many others, if ever.
struct Bank {
    quote: Option<u64>,
}

impl Actor for Bank {
    type Msg = ReplyTo<u64>;
    fn receive(&mut self, reply: ReplyTo<u64>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if let Some(quote) = self.quote {
            ctx.tell(reply, quote);
        }
        Ok(())
    }
}

enum Msg {
    Shop(usize),
    Quoted(usize, Result<u64, AskError>),
    Late,
    Told(usize, u64),
}

struct Broker {
    banks: Vec<ActorRef<ReplyTo<u64>>>,
    quotes: Option<Aggregate<usize, u64, 4>>,
    log: Log,
}

impl Broker {
    fn look(&mut self) {
        let Some(quotes) = &self.quotes else { return };
        if quotes.progress().is_over() {
            let answers: Vec<_> = quotes.answers().map(|(bank, quote)| format!("{bank}: {quote}")).collect();
            let missing: Vec<_> = quotes.missing().collect();
            self.log.add(format!("{:?}, {}, missing {missing:?}", quotes.progress(), answers.join(", ")));
            self.quotes = None;
        }
    }
}

impl Actor for Broker {
    type Msg = Msg;
    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Shop(needed) => {
                let banks = self.banks.iter().copied().enumerate();
                self.quotes =
                    Some(Aggregate::ask(ctx, banks, needed, ms(100), |_, reply| reply, Msg::Quoted)?);
            }
            Msg::Quoted(bank, quote) => {
                if let Some(quotes) = &mut self.quotes {
                    quotes.record(bank, quote, ctx.now());
                }
            }
            Msg::Late | Msg::Told(..) => {}
        }
        self.look();
        Ok(())
    }
}

fn broker(quotes: &[Option<u64>]) -> (World, ActorRef<Msg>, Vec<ActorRef<ReplyTo<u64>>>) {
    let mut world = World::new();
    let banks: Vec<_> = quotes.iter().map(|quote| world.spawn(Bank { quote: *quote }).unwrap()).collect();
    let broker = Broker { banks: banks.clone(), quotes: None, log: world.log.clone() };
    let broker = world.spawn(broker).unwrap();
    (world, broker, banks)
}

#[test]
fn an_actor_asks_many_and_has_all_answers() {
    let (mut world, broker, _) = broker(&[Some(5), Some(3), Some(4)]);
    world.tell(broker, Msg::Shop(3));
    assert_eq!(world.events(), ["Complete, 0: 5, 1: 3, 2: 4, missing []"]);
}

#[test]
fn a_quorum_does_not_wait_for_the_others() {
    let (mut world, broker, _) = broker(&[Some(5), None, Some(4)]);
    world.tell(broker, Msg::Shop(2));
    assert_eq!(world.events(), ["Complete, 0: 5, 2: 4, missing [1]"]);
    world.pass(ms(200));
    assert_eq!(world.events(), [""; 0], "what comes later is nobody's");
}

#[test]
fn when_time_is_up_the_answers_so_far_are_there() {
    let (mut world, broker, banks) = broker(&[Some(5), None, Some(4)]);
    world.stop(banks[2]);
    world.tell(broker, Msg::Shop(3));
    world.pass(ms(99));
    assert_eq!(world.events(), [""; 0]);
    world.pass(ms(2));
    assert_eq!(world.events(), ["TimedOut, 0: 5, missing [1, 2]"]);
}

#[test]
fn a_question_that_makes_no_sense_is_asked_of_nobody() {
    let (mut world, broker, _) = broker(&[Some(1), Some(2)]);
    world.tell(broker, Msg::Shop(3));
    world.settle();
    let stats = world.stats();
    assert_eq!((stats.failed, stats.dead_letters), (1, 1));
    assert_eq!(stats.actors, 2);
}

/// Answers that come as ordinary messages: the deadline is a timer.
struct Teller {
    told: Aggregate<usize, u64, 4>,
    log: Log,
}

impl Actor for Teller {
    type Msg = Msg;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        Ok(self.told.arm(ctx, "told", Msg::Late)?)
    }
    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let progress = match msg {
            Msg::Told(who, what) => self.told.answer(who, what, ctx.now())?,
            _ => self.told.poll(ctx.now()),
        };
        self.log.add(format!("{progress:?}"));
        self.told.arm(ctx, "told", Msg::Late)?;
        assert_eq!(ctx.has_timer("told"), !progress.is_over());
        Ok(())
    }
}

#[test]
fn an_armed_aggregate_hears_of_its_deadline_and_of_none_once_it_is_over() {
    let within = |world: &World, by: Duration| Aggregate::new([1, 2], 2, world.now + by).unwrap();
    let mut world = World::new();
    let teller = Teller { told: within(&world, ms(10)), log: world.log.clone() };
    let teller = world.spawn(teller).unwrap();
    world.tell(teller, Msg::Told(1, 1));
    world.pass(ms(9));
    assert_eq!(world.events(), ["Waiting"]);
    world.pass(ms(2));
    assert_eq!(world.events(), ["TimedOut"]);
    let teller = Teller { told: within(&world, ms(10)), log: world.log.clone() };
    let teller = world.spawn(teller).unwrap();
    world.tell(teller, Msg::Told(1, 1));
    world.tell(teller, Msg::Told(2, 1));
    world.pass(ms(20));
    assert_eq!(world.events(), ["Waiting", "Complete"]);
}

//! The outcome of a question: an answer, a deadline, or the reason why there is none.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use corelane_kernel::{
    Actor, ActorRef, AskError, Ctx, DeadReason, Failure, KernelConfig, Outcome, ReplyTo, Time,
};

use crate::common::{Census, Order, Puppet, Random, Realm, Undertaker, World, attempt, lock, ms, order};
use crate::rig::{Clerk, Question, ask, heard, world};

#[test]
fn an_answer_comes_as_a_message() {
    let (mut world, a, clerk) = world();
    world.tell(a, ask(clerk, ms(10), Question::Now, 41));
    assert_eq!(world.events(), ["a 42"]);
    world.pass(ms(100));
    assert_eq!(world.events(), [""; 0], "its deadline went with it");
    assert_eq!(world.letters(), []);
}

/// Conformance 23.
#[test]
fn an_ask_without_an_answer_ends_at_its_deadline() {
    let (mut world, a, clerk) = world();
    world.tell(a, ask(clerk, ms(10), Question::Later, 41));
    world.pass(ms(9));
    assert_eq!(world.events(), [""; 0]);
    world.pass(ms(2));
    assert_eq!(world.events(), ["a no answer in time"]);
    // The reply address is gone with it.
    world.tell(clerk, Question::Answer);
    assert_eq!(world.events(), [""; 0]);
    assert_eq!(world.letters(), [(DeadReason::LateAnswer, 1)]);
}

/// Conformance 23.
#[test]
fn the_second_answer_is_a_dead_letter() {
    let (mut world, a, clerk) = world();
    world.tell(a, ask(clerk, ms(10), Question::Later, 41));
    world.settle();
    world.tell(clerk, Question::AnswerTwice);
    assert_eq!(world.events(), ["a 42"]);
    assert_eq!(world.letters(), [(DeadReason::LateAnswer, 1)]);
}

/// Conformance 23.
#[test]
fn a_late_answer_is_told_to_subscribers_of_dead_letters() {
    let (mut world, a, clerk) = world();
    let undertaker = Undertaker(world.log.clone());
    let undertaker = world.spawn(undertaker).unwrap();
    world.scope().subscribe_dead_letters(undertaker).unwrap();
    world.tell(a, ask(clerk, ms(10), Question::Later, 1));
    world.pass(ms(20));
    world.tell(clerk, Question::Answer);
    assert_eq!(world.events(), ["a no answer in time", "dead letter for somebody: late answer"]);
}

#[test]
fn asking_one_that_is_gone_ends_at_the_deadline() {
    let (mut world, a, clerk) = world();
    world.stop(clerk);
    world.tell(a, ask(clerk, ms(10), Question::Now, 1));
    world.pass(ms(20));
    assert_eq!(world.events(), ["a no answer in time"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
}

#[test]
fn a_question_that_cannot_be_sent_is_answered_at_once() {
    let (mut world, a, _) = world();
    world.tell(a, ask(ActorRef::nobody(), ms(10), Question::Now, 1));
    assert_eq!(world.events(), ["a the question could not be sent"]);
    world.pass(ms(20));
    assert_eq!(world.events(), [""; 0], "no deadline is left of it");
    // The question came back and was dropped: it is no dead letter.
    assert_eq!(world.letters(), []);
}

#[test]
fn the_asking_actors_end_ends_its_asks() {
    let (mut world, a, clerk) = world();
    let census = Census::default();
    let tokens = [census.token(), census.token()];
    world.have(a, move |_, ctx| {
        for token in tokens {
            ctx.ask(
                clerk,
                ms(10),
                |reply| Question::Later(1, reply),
                move |answer| {
                    drop(token);
                    heard(answer)
                },
            );
        }
    });
    census.expect(2);
    world.stop(a);
    census.expect_none();
    world.tell(clerk, Question::Answer);
    world.pass(ms(20));
    assert_eq!(world.events(), ["a stopped"]);
    assert_eq!(world.letters(), [(DeadReason::LateAnswer, 2)]);
}

#[test]
fn the_asking_actors_failure_ends_its_asks() {
    let (mut world, a, clerk) = world();
    world.tell(
        a,
        attempt(move |_, ctx| {
            ctx.ask(clerk, ms(10), |reply| Question::Now(1, reply), heard);
            Err(Failure::new("changed its mind"))
        }),
    );
    assert_eq!(world.events(), ["a stopped"]);
    assert_eq!(world.letters(), [(DeadReason::LateAnswer, 1), (DeadReason::Failed, 1)]);
}

#[test]
fn a_question_passed_on_is_answered_to_whoever_asked() {
    struct Office(ActorRef<Question>);
    impl Actor for Office {
        type Msg = Question;
        fn receive(&mut self, question: Question, ctx: &mut Ctx<'_, Self>) -> Outcome {
            ctx.forward(self.0, question);
            Ok(())
        }
    }
    let (mut world, a, clerk) = world();
    let office = world.spawn(Office(clerk)).unwrap();
    world.tell(a, ask(office, ms(10), Question::Now, 6));
    assert_eq!(world.events(), ["a 7"]);
}

#[test]
fn each_of_many_questions_gets_its_own_answer() {
    let (mut world, a, clerk) = world();
    let mut random = Random(7);
    let mut expected = Vec::new();
    for n in 0..500 {
        let later = random.chance(2);
        world.tell(a, ask(clerk, ms(10), if later { Question::Later } else { Question::Now }, n));
        expected.push(format!("a {}", n + 1));
    }
    world.settle();
    world.tell(clerk, Question::Answer);
    let mut events = world.events();
    events.sort_unstable();
    expected.sort_unstable();
    assert_eq!(events, expected);
}

#[test]
fn asks_take_no_memory_for_good() {
    let (mut world, a, clerk) = world();
    let round = |world: &mut World| {
        for n in 0..300 {
            world.tell(a, ask(clerk, ms(10), if n % 3 == 0 { Question::Later } else { Question::Now }, n));
        }
        world.settle();
        world.pass(ms(20));
        world.tell(clerk, Question::Drop);
        assert_eq!(world.events().len(), 300);
        world.stats().used_bytes
    };
    let used = round(&mut world);
    for _ in 0..50 {
        assert_eq!(round(&mut world), used);
    }
}

#[test]
fn an_answer_waits_while_the_asking_actor_is_suspended() {
    let (mut world, a, clerk) = world();
    world.tell(a, ask(clerk, ms(10), Question::Later, 1));
    world.tell(a, ask(clerk, ms(10), Question::Later, 11));
    world.settle();
    world.scope().suspend(a).unwrap();
    world.tell(clerk, Question::Answer);
    world.settle();
    world.tell(a, Order::Note(100));
    world.pass(ms(50));
    assert_eq!(world.events(), [""; 0]);
    world.scope().resume(a);
    let events = world.events();
    assert_eq!(events, ["a 2", "a 12", "a 100"], "in time, although handled after the deadline");
}

#[test]
fn a_deadline_that_passes_while_the_asking_actor_is_suspended_is_heard_of_later() {
    let (mut world, a, clerk) = world();
    world.tell(a, ask(clerk, ms(10), Question::Later, 1));
    world.settle();
    world.scope().suspend(a).unwrap();
    world.pass(ms(50));
    world.tell(clerk, Question::Answer);
    world.settle();
    assert_eq!(world.letters(), [(DeadReason::LateAnswer, 1)]);
    world.scope().resume(a);
    assert_eq!(world.events(), ["a no answer in time"]);
}

#[test]
fn a_deadline_of_no_time_still_lets_the_kernel_live() {
    let (mut world, a, clerk) = world();
    world.tell(a, ask(clerk, Duration::ZERO, Question::Later, 1));
    world.pass(ms(1));
    assert_eq!(world.events(), ["a no answer in time"]);
    world.tell(a, ask(clerk, Duration::MAX, Question::Later, 1));
    world.pass(Duration::from_secs(1 << 33));
    assert_eq!(world.events(), [""; 0]);
}

#[test]
fn an_actor_may_ask_itself() {
    struct Own;
    enum Msg {
        Begin(Arc<Mutex<Vec<u64>>>),
        Square(u64, ReplyTo<u64>),
        Done(Arc<Mutex<Vec<u64>>>, u64),
    }
    impl Actor for Own {
        type Msg = Msg;
        fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
            match msg {
                Msg::Begin(to) => {
                    let me = ctx.me();
                    ctx.ask(me, ms(1), |reply| Msg::Square(7, reply), move |n| Msg::Done(to, n.unwrap()));
                }
                Msg::Square(n, reply) => ctx.tell(reply, n * n),
                Msg::Done(to, n) => lock(&to).push(n),
            }
            Ok(())
        }
    }
    let mut world = World::new();
    let own = world.spawn(Own).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    world.tell(own, Msg::Begin(seen.clone()));
    world.settle();
    assert_eq!(*lock(&seen), [49]);
}

#[test]
fn an_ask_crosses_to_another_core_and_back() {
    let mut realm = Realm::pair();
    let a = realm.worlds[0].puppet("a");
    let clerk = realm.worlds[1].spawn(Clerk::new()).unwrap();
    realm.events();
    realm.worlds[0].tell(a, ask(clerk, ms(10), Question::Now, 1));
    assert_eq!(realm.events(), ["a 2"]);
    realm.worlds[0].tell(a, ask(clerk, ms(10), Question::Later, 1));
    realm.pass(ms(20));
    realm.worlds[1].tell(clerk, Question::Answer);
    assert_eq!(realm.events(), ["a no answer in time"]);
    assert_eq!(realm.worlds[0].letters(), [(DeadReason::LateAnswer, 1)]);
}

#[test]
fn a_driver_may_ask() {
    let mut world = World::new();
    let clerk = world.spawn(Clerk::new()).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ask = |world: &mut World, question: fn(u64, ReplyTo<u64>) -> Question, of, token| {
        let heard = heard.clone();
        world.scope().ask(
            of,
            ms(10),
            move |reply| question(1, reply),
            move |answer: Result<u64, AskError>| {
                drop(token);
                lock(&heard).push(answer);
            },
        );
        world.settle();
    };
    let census = Census::default();
    ask(&mut world, Question::Now, clerk, census.token());
    assert_eq!(*lock(&heard), [Ok(2)]);
    ask(&mut world, Question::Later, clerk, census.token());
    world.pass(ms(20));
    assert_eq!(*lock(&heard), [Ok(2), Err(AskError::Timeout)]);
    ask(&mut world, Question::Later, ActorRef::nobody(), census.token());
    assert_eq!(*lock(&heard), [Ok(2), Err(AskError::Timeout), Err(AskError::NotSent)]);
    census.expect_none();
    // One that is open ends with its kernel.
    ask(&mut world, Question::Later, clerk, census.token());
    census.expect(1);
    drop(world);
    census.expect_none();
    assert_eq!(lock(&heard).len(), 3);
}

#[test]
fn a_full_queue_answers_a_question_with_not_sent() {
    let config = KernelConfig { queue_share: 1, ..KernelConfig::default() };
    let mut world = World::with(64 * 1024, config);
    let a = world.puppet("a");
    let clerk = world.spawn(Clerk::new()).unwrap();
    let bulk = Puppet::new("x", &world.log);
    let bulk = world.scope().spawner().group(corelane_kernel::Group::Bulk).spawn(bulk).unwrap();
    let answers = Arc::new(Mutex::new(Vec::new()));
    let store = answers.clone();
    world.settle();
    // The clerk's queue is full; the asking actor's is another.
    world.tell(
        bulk,
        order(move |_, ctx| {
            let mut n = 0;
            while ctx.try_tell(clerk, Question::Drop).is_ok() {
                n += 1;
            }
            assert!(n > 10);
            let store = store.clone();
            ctx.ask(
                clerk,
                ms(10),
                |reply| Question::Now(1, reply),
                move |answer| order(move |_, _| lock(&store).push(answer)),
            );
        }),
    );
    world.settle();
    assert_eq!(*lock(&answers), [Err(AskError::NotSent)]);
    world.tell(a, ask(clerk, ms(10), Question::Now, 1));
    world.settle();
    assert_eq!(world.panics, [""; 0]);
    assert!(world.now > Time::ZERO && world.events().contains(&"a 2".to_owned()));
}

#[test]
fn a_question_that_ones_own_full_queue_refuses_is_answered_all_the_same() {
    let config = KernelConfig { queue_share: 1, ..KernelConfig::default() };
    let mut world = World::with(64 * 1024, config);
    let a = world.puppet("a");
    let clerk = world.spawn(Clerk::new()).unwrap();
    world.settle();
    world.tell(
        a,
        order(move |_, ctx| {
            while ctx.try_tell(clerk, Question::Drop).is_ok() {}
            for _ in 0..3 {
                ctx.ask(clerk, ms(10), |reply| Question::Now(1, reply), heard);
            }
        }),
    );
    let events = world.events();
    assert_eq!(events[1..], vec!["a the question could not be sent"; 3]);
    assert_eq!(world.letters(), []);
    world.pass(ms(20));
    assert_eq!(world.events(), [""; 0], "and once");
}

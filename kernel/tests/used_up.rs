//! What an actor is promised to hear comes to one that is suspended as well, also where memory is used up: at the latest when
//! there is some again.

mod common;

use std::time::Duration;

use common::{Order, Puppet, Realm, World, ms, order};
use corelane_kernel::{Actor, ActorRef, AskError, Ctx, DeadReason, KernelConfig, Outcome, ReplyTo};

/// Keeps the reply addresses that it is told, and answers when it is told a number.
#[derive(Default)]
struct Clerk {
    waiting: Vec<ReplyTo<u64>>,
}

enum Question {
    Later(ReplyTo<u64>),
    Answer(u64),
}

impl Actor for Clerk {
    type Msg = Question;
    fn receive(&mut self, question: Question, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match question {
            Question::Later(reply) => self.waiting.push(reply),
            Question::Answer(n) => self.waiting.drain(..).for_each(|reply| ctx.tell(reply, n)),
        }
        Ok(())
    }
}

fn heard(answer: Result<u64, AskError>) -> Order {
    match answer {
        Ok(n) => Order::Note(n),
        Err(error) => Order::Say(error.to_string()),
    }
}

fn ask(world: &mut World, a: ActorRef<Order>, clerk: ActorRef<Question>, within: Duration) {
    world.tell(a, order(move |_, ctx| ctx.ask(clerk, within, Question::Later, heard)));
}

/// Takes all memory that an actor can take, until the hog that it gives ends.
fn use_up(world: &mut World) -> ActorRef<Order> {
    let hog = world.puppet("hog");
    world.have(hog, |me, ctx| {
        while ctx.spawn(Puppet::new("filler", &me.log)).is_ok() {}
        while ctx.attach([0_u64; 16]).is_ok() {}
        while ctx.attach(0_u64).is_ok() {}
        while ctx.attach(0_u8).is_ok() {}
    });
    world.log.take();
    hog
}

fn free(world: &mut World, hog: ActorRef<Order>) {
    world.stop(hog);
    world.log.take();
}

fn world() -> (World, ActorRef<Order>, ActorRef<Question>) {
    let mut world = World::sized(256 << 10);
    let a = world.puppet("a");
    let clerk = world.spawn(Clerk::default()).unwrap();
    world.events();
    (world, a, clerk)
}

#[test]
fn an_ask_whose_time_is_over_ends_when_there_is_room() {
    let (mut world, a, clerk) = world();
    // As many times as find a row, and two that have a timer.
    for n in 1..=10 {
        ask(&mut world, a, clerk, ms(n));
    }
    world.settle();
    world.scope().suspend(a).unwrap();
    let hog = use_up(&mut world);
    for _ in 0..20 {
        world.pass(ms(5));
    }
    assert!(!world.turn().more, "it waits for time to pass");
    free(&mut world, hog);
    world.scope().resume(a);
    world.pass(ms(20));
    assert_eq!(world.events(), vec!["a no answer in time"; 10]);
    assert_eq!(world.letters(), []);
    world.tell(clerk, Question::Answer(1));
    world.settle();
    assert_eq!(world.letters(), [(DeadReason::LateAnswer, 10)], "its reply addresses are gone");
}

#[test]
fn an_ask_whose_answer_finds_no_room_is_over_with_its_time() {
    let (mut world, a, clerk) = world();
    ask(&mut world, a, clerk, ms(50));
    ask(&mut world, a, clerk, ms(50));
    world.settle();
    world.scope().suspend(a).unwrap();
    let hog = use_up(&mut world);
    world.tell(clerk, Question::Answer(1));
    world.settle();
    assert_eq!(world.letters(), [(DeadReason::OutOfMemory, 2)]);
    let handled = world.stats().handled;
    world.scope().resume(a);
    assert_eq!(world.events(), [""; 0]);
    assert_eq!(world.stats().handled, handled, "a dead letter is no message that was handled");
    world.pass(ms(51));
    assert_eq!(world.events(), vec!["a no answer in time"; 2], "one that runs needs no room");
    free(&mut world, hog);
}

#[test]
fn an_ask_of_a_kernel_that_is_gone_ends_when_there_is_room() {
    let mut realm = Realm::new::<256>(2, 256 << 10, &KernelConfig::default());
    let a = realm.worlds[0].puppet("a");
    let clerk = realm.worlds[1].spawn(Clerk::default()).unwrap();
    realm.events();
    ask(&mut realm.worlds[0], a, clerk, Duration::from_secs(1000));
    realm.settle();
    realm.worlds[0].scope().suspend(a).unwrap();
    let hog = use_up(&mut realm.worlds[0]);
    drop(realm.worlds.pop());
    realm.settle();
    assert_eq!(realm.events(), [""; 0]);
    let world = &mut realm.worlds[0];
    free(world, hog);
    world.scope().resume(a);
    world.pass(ms(2));
    assert_eq!(world.events(), [format!("a {}", AskError::Unreachable)]);
}

/// There is room for some in the lane, and for none behind it.
#[test]
fn a_stop_for_another_core_goes_when_there_is_room() {
    let config = KernelConfig { queue_share: 256, ..KernelConfig::default() };
    let mut realm = Realm::new::<256>(2, 256 << 10, &config);
    let near = realm.worlds[0].puppet("near");
    let targets: Vec<_> = (0..36).map(|_| realm.worlds[1].puppet("t")).collect();
    realm.events();
    let hog = use_up(&mut realm.worlds[0]);
    // Takes what is left to queues, until the next turn.
    while realm.worlds[0].try_tell(near, Order::Note(0)).is_ok() {}
    let before = realm.worlds[0].stats().refusals;
    // Of those that wait, who is asked again takes no more room.
    for target in targets.iter().chain(&targets[24..]) {
        realm.worlds[0].scope().stop(*target);
    }
    assert!(realm.worlds[0].stats().refusals > before, "some wait for room");
    realm.settle();
    realm.worlds[0].stop(hog);
    realm.settle();
    assert_eq!(realm.worlds[1].stats().actors, 0);
    assert_eq!(realm.worlds[0].letters(), []);
}

#[test]
fn notices_timers_and_alarms_come_when_there_is_room() {
    let (mut world, a, _) = world();
    let t = world.puppet("t");
    world.have(a, move |_, ctx| {
        ctx.watch_with(t, Order::Note(1)).unwrap();
        ctx.set_timer(1, ms(1), Order::Note(2)).unwrap();
        ctx.set_timer(2, ms(1), Order::Note(3)).unwrap();
        ctx.set_receive_timeout(Some(ms(1))).unwrap();
    });
    world.scope().suspend(a).unwrap();
    let hog = use_up(&mut world);
    world.stop(t);
    for _ in 0..5 {
        world.pass(ms(1));
    }
    free(&mut world, hog);
    world.scope().resume(a);
    world.pass(ms(5));
    // The timers' messages broke the silence.
    world.pass(ms(5));
    let events = world.events();
    for heard in ["a 1", "a 2", "a 3", "a hears nothing"] {
        assert!(events.iter().any(|event| event == heard), "{heard}: {events:?}");
    }
    assert_eq!(world.letters(), []);
}

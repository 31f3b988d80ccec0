//! Steps: what an event leads to, and what becomes of one that is not handled.

use crate::common::{Census, Log, Token, World, ms};
use crate::rig::{Event, Rig, State, begin, deed, take, world};
use corelane_kernel::fsm::{Fsm, FsmCtx, Machine, Next, Step};
use corelane_kernel::{Actor, Address, Ctx, DeadReason, Outcome, ReplyTo};

#[test]
fn what_an_event_does_depends_on_the_state_and_the_data_that_steps_left() {
    let (mut world, rig) = world();
    world.tell(rig, Event::Note(1));
    world.tell(rig, take(Step::goto(State::Busy).using(7)));
    world.tell(rig, Event::Note(2));
    world.tell(rig, take(Step::stay().using(8)));
    world.tell(rig, Event::Note(3));
    // Data may be changed where it is as well.
    world.tell(
        rig,
        Event::Do(deed(|_, _, data, _| {
            *data += 1;
            Ok(Step::goto(State::Idle))
        })),
    );
    world.tell(rig, Event::Note(4));
    assert_eq!(
        world.events(),
        [
            "1 while Idle with 0",
            "Idle to Busy, 0 to 7",
            "2 while Busy with 7",
            "3 while Busy with 8",
            "Busy to Idle, 9 to 9",
            "4 while Idle with 9",
        ]
    );
}

#[test]
fn data_that_is_replaced_is_dropped_once() {
    struct Holder;
    impl Fsm for Holder {
        type State = State;
        type Event = Option<Token>;
        type Data = Token;
        fn handle(
            &mut self,
            _: State,
            event: Option<Token>,
            _: &mut Token,
            _: &mut FsmCtx<'_, Self>,
        ) -> Next<Self> {
            Ok(match event {
                Some(token) => Step::goto(State::Busy).using(token),
                None => Step::stop(),
            })
        }
    }
    let mut world = World::new();
    let census = Census::default();
    let holder = world.spawn(Machine::new(Holder, State::Idle, census.token())).expect("room");
    for _ in 0..3 {
        world.tell(holder, Some(census.token()));
    }
    world.settle();
    census.expect(1);
    world.tell(holder, None);
    world.settle();
    census.expect_none();
    assert_eq!(census.born(), 4);
}

#[test]
fn a_step_may_answer_a_question() {
    struct Asker(Log);
    impl Actor for Asker {
        type Msg = u64;
        fn receive(&mut self, answer: u64, _: &mut Ctx<'_, Self>) -> Outcome {
            self.0.add(format!("answered {answer}"));
            Ok(())
        }
    }
    let (mut world, rig) = world();
    let asker = Asker(world.log.clone());
    let reply: ReplyTo<u64> = world.spawn(asker).expect("room");
    let step =
        deed(move |_, _, data, ctx| Ok(Step::goto(State::Busy).using(1).replying(ctx, reply, *data + 40)));
    world.tell(rig, Event::Do(step));
    assert_eq!(world.events(), ["Idle to Busy, 0 to 1", "answered 40"]);
}

#[test]
fn a_machine_may_leave_the_state_it_begins_in_before_its_first_event() {
    let (mut world, rig) = begin(State::Idle, |rig| {
        rig.at_start = Some(deed(|_, _, _, _| Ok(Step::goto(State::Busy).using(5))));
    });
    world.tell(rig, Event::Note(1));
    assert_eq!(world.events(), ["1 while Busy with 5"]);
}

#[test]
fn a_machine_comes_from_a_factory_as_any_actor_does() {
    let mut world = World::new();
    let log = world.log.clone();
    let factory = move || Machine::new(Rig::new(&log), State::Busy, 3);
    let rig = world.scope().spawner().name("rig").mailbox(2).spawn_from(factory).expect("room");
    world.tell(rig, Event::Note(1));
    assert_eq!(world.events(), ["begins Busy with 3", "1 while Busy with 3"]);
}

// --- unhandled events -----------------------------------------------------------------------------------------------

#[test]
fn an_event_that_is_not_handled_is_a_dead_letter_and_the_machine_stays() {
    let (mut world, rig) = world();
    let undertaker = crate::common::Undertaker(world.log.clone());
    let undertaker = world.spawn(undertaker).expect("room");
    world.scope().subscribe_dead_letters(undertaker).expect("room");
    let census = Census::default();
    world.tell(rig, Event::Odd(census.token()));
    world.tell(rig, Event::Note(1));
    assert_eq!(world.events(), ["1 while Idle with 0", "dead letter for rig: unhandled"]);
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::Unhandled, 1)]);
}

#[test]
fn the_hook_for_unhandled_events_is_the_machines_own() {
    let (mut world, rig) = begin(State::Busy, |rig| {
        rig.at_unhandled = Some(deed(|_, _, _, _| Ok(Step::goto(State::Idle))));
    });
    world.tell(rig, Event::Odd(Census::default().token()));
    assert_eq!(world.events(), ["cannot handle it while Busy", "Busy to Idle, 0 to 0"]);
    assert_eq!(world.letters(), []);
}

#[test]
fn hooks_that_are_not_overridden_stay_and_bury_what_is_not_handled() {
    struct Bare(Log);
    impl Fsm for Bare {
        type State = State;
        type Event = bool;
        type Data = u64;
        fn handle(
            &mut self,
            state: State,
            event: bool,
            data: &mut u64,
            ctx: &mut FsmCtx<'_, Self>,
        ) -> Next<Self> {
            self.0.add(format!("{state:?} {data}"));
            if event {
                Ok(Step::goto(State::Busy).for_max(ms(10)))
            } else {
                self.unhandled(state, event, data, ctx)
            }
        }
    }
    let mut world = World::new();
    let bare = Bare(world.log.clone());
    let bare = world.spawn(Machine::new(bare, State::Idle, 1)).expect("room");
    world.tell(bare, false);
    world.tell(bare, true);
    world.pass(ms(20));
    world.tell(bare, true);
    assert_eq!(world.events(), ["Idle 1", "Idle 1", "Busy 1"]);
    assert_eq!(world.letters(), [(DeadReason::Unhandled, 1)]);
    world.stop(bare);
    assert_eq!(world.stats().actors, 0);
}

#[test]
fn a_machine_that_watches_and_has_no_hook_for_the_end_fails() {
    struct Mourner;
    impl Fsm for Mourner {
        type State = State;
        type Event = Address;
        type Data = ();
        fn handle(&mut self, _: State, whom: Address, _: &mut (), ctx: &mut FsmCtx<'_, Self>) -> Next<Self> {
            ctx.watch(whom)?;
            Ok(Step::stay())
        }
    }
    let mut world = World::new();
    let other = world.puppet("other");
    let mourner = world.spawn(Machine::new(Mourner, State::Idle, ())).expect("room");
    world.tell(mourner, other.address());
    world.settle();
    assert_eq!(world.stats().failed, 0);
    world.stop(other);
    assert_eq!((world.stats().failed, world.stats().actors), (1, 0));
}

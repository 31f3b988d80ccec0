//! Transitions, and those who observe them.

use crate::common::{Log, Realm, World};
use crate::rig::{Event, NOTHING, Rig, State, begin, deed, goto, take, world};
use corelane_kernel::fsm::{Machine, ObserversFull, StateChange, Step};
use corelane_kernel::limits::OBSERVERS_MAX;
use corelane_kernel::{Actor, ActorRef, Ctx, DeadReason, Failure, Outcome};

/// Conformance 26.
#[test]
fn going_to_the_same_state_is_a_transition_and_staying_is_none() {
    let (mut world, rig) = world();
    world.tell(rig, take(Step::stay().using(1)));
    assert_eq!(world.events(), NOTHING);
    world.tell(rig, take(Step::goto(State::Idle).using(2)));
    assert_eq!(world.events(), ["Idle to Idle, 1 to 2"]);
}

/// Conformance 26.
#[test]
fn a_transition_whose_hook_fails_is_not_made() {
    let (mut world, rig) = begin(State::Idle, |rig| rig.at_transition = Some(Failure::new("no way")));
    let watcher = world.observer(rig);
    assert_eq!(world.events(), ["watcher: rig is Idle"]);
    world.tell(rig, take(Step::goto(State::Busy).using(9)));
    world.tell(rig, Event::Note(1));
    assert_eq!(world.events(), ["Idle to Busy, 0 to 9", "ends Idle with 0: error: no way"]);
    assert!(world.scope().is_alive(watcher));
}

/// An actor that logs what it observes.
struct Watcher(&'static str, Log);

impl Actor for Watcher {
    type Msg = StateChange<State>;
    fn receive(&mut self, change: StateChange<State>, _: &mut Ctx<'_, Self>) -> Outcome {
        let (name, who) = (self.0, |machine| self.1.name_of(machine));
        self.1.add(match change {
            StateChange::Current { machine, state } => format!("{name}: {} is {state:?}", who(machine)),
            StateChange::Transition { machine, from, to } => {
                format!("{name}: {} from {from:?} to {to:?}", who(machine))
            }
        });
        Ok(())
    }
}

type Eye = ActorRef<StateChange<State>>;

fn subscribe(who: Eye) -> Event {
    Event::Do(deed(move |rig, state, _, ctx| {
        rig.observers.subscribe(who, state, ctx)?;
        Ok(Step::stay())
    }))
}

impl World {
    fn watcher(&mut self, name: &'static str) -> Eye {
        let watcher = Watcher(name, self.log.clone());
        self.spawn(watcher).expect("room")
    }

    /// An observer of a machine.
    fn observer(&mut self, rig: ActorRef<Event>) -> Eye {
        let watcher = self.watcher("watcher");
        self.tell(rig, subscribe(watcher));
        watcher
    }
}

/// Conformance 26.
#[test]
fn an_observer_is_told_the_current_state_and_then_each_transition() {
    let (mut world, rig) = world();
    world.tell(rig, goto(State::Busy));
    world.events();
    let watcher = world.observer(rig);
    for step in [Step::goto(State::Busy), Step::stay(), Step::goto(State::Idle), Step::stop()] {
        world.tell(rig, take(step));
    }
    let events: Vec<_> = world.events().into_iter().filter(|word| word.starts_with("watcher")).collect();
    assert_eq!(
        events,
        ["watcher: rig is Busy", "watcher: rig from Busy to Busy", "watcher: rig from Busy to Idle"],
        "those before its end are told also when it ends in the same turn"
    );
    assert!(world.scope().is_alive(watcher));
}

/// Conformance 26.
#[test]
fn an_observer_that_unsubscribed_is_told_nothing_more() {
    let (mut world, rig) = world();
    let watcher = world.observer(rig);
    // Twice is once, but for the current state.
    world.tell(rig, subscribe(watcher));
    world.tell(rig, goto(State::Busy));
    let gone = deed(move |rig, _, _, _| {
        rig.say(rig.observers.len());
        assert!(rig.observers.unsubscribe(watcher) && !rig.observers.unsubscribe(watcher));
        rig.say(rig.observers.is_empty());
        Ok(Step::goto(State::Idle))
    });
    world.tell(rig, Event::Do(gone));
    let mut events = world.events();
    events.sort();
    assert_eq!(
        events,
        [
            "1",
            "Busy to Idle, 0 to 0",
            "Idle to Busy, 0 to 0",
            "true",
            "watcher: rig from Idle to Busy",
            "watcher: rig is Idle",
            "watcher: rig is Idle",
        ]
    );
}

/// Conformance 26.
#[test]
fn an_observer_that_has_ended_is_harmless_and_is_struck_off() {
    let (mut world, rig) = world();
    let watcher = world.observer(rig);
    world.tell(rig, subscribe(ActorRef::nobody()));
    world.stop(watcher);
    world.events();
    let nobody = world.letters();
    world.tell(rig, goto(State::Busy));
    let count = deed(|rig, _, _, _| {
        rig.say(rig.observers.len());
        Ok(Step::stay())
    });
    world.tell(rig, Event::Do(count));
    assert_eq!(world.events(), ["Idle to Busy, 0 to 0", "0"]);
    assert_eq!(world.letters(), nobody, "no dead letter for those who are known to be gone");
}

/// Conformance 26.
#[test]
fn observers_on_another_core_are_told_in_order_and_harmless_when_gone() {
    let mut realm = Realm::pair();
    let log = realm.log();
    let rig = Machine::new(Rig::new(&log), State::Idle, 0);
    let rig = realm.worlds[0].spawn(rig).expect("room");
    let eye = realm.worlds[1].watcher("far");
    realm.worlds[0].tell(rig, subscribe(eye));
    for to in [State::Busy, State::Brief, State::Idle] {
        realm.worlds[0].tell(rig, goto(to));
    }
    let far: Vec<_> = realm.events().into_iter().filter(|word| word.starts_with("far")).collect();
    assert_eq!(
        far,
        [
            "far: rig is Idle",
            "far: rig from Idle to Busy",
            "far: rig from Busy to Brief",
            "far: rig from Brief to Idle",
        ]
    );
    realm.worlds[1].scope().stop(eye);
    realm.settle();
    realm.worlds[0].tell(rig, goto(State::Busy));
    assert_eq!(realm.events(), ["Idle to Busy, 0 to 0"]);
    assert_eq!(realm.worlds[1].letters(), [(DeadReason::NoActor, 1)]);
    assert_eq!(realm.worlds[0].stats().failed, 0);
}

#[test]
fn observers_are_as_many_as_is_stated_and_the_dead_make_room() {
    let (mut world, rig) = world();
    let mut all: Vec<_> = (0..=OBSERVERS_MAX).map(|_| world.watcher("one")).collect();
    let last = all.pop().expect("one too many");
    for &eye in &all {
        world.tell(rig, subscribe(eye));
    }
    let refused = deed(move |rig, state, _, ctx| {
        assert_eq!(rig.observers.subscribe(last, state, ctx), Err(ObserversFull));
        rig.say(ObserversFull);
        Ok(Step::stay())
    });
    world.tell(rig, Event::Do(refused));
    let events = world.events();
    assert_eq!(events.iter().filter(|word| *word == "one: rig is Idle").count(), OBSERVERS_MAX);
    assert!(events.contains(&format!("a machine has at most {OBSERVERS_MAX} observers")), "{events:?}");
    world.stop(all[3]);
    world.tell(rig, subscribe(last));
    assert_eq!(world.events(), ["one: rig is Idle"]);
}

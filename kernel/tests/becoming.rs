//! Become and unbecome: what handles the next message is a value, with a bounded stack below it.

mod common;

use common::{Log, World};
use corelane_kernel::{Actor, ActorRef, Become, BecomeTooDeep, Ctx, DeadReason, Failure, Outcome};

enum Msg {
    Say(u32),
    Angry,
    Asleep,
    Wake,
    Fail,
}

struct Dog {
    log: Log,
    behavior: Become<Dog, 2>,
}

impl Dog {
    fn calm(&mut self, msg: Msg, _: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Say(n) => self.log.add(format!("{n} wags")),
            Msg::Angry => self.behavior.replace(Self::angry),
            Msg::Asleep => self.behavior.push(Self::asleep)?,
            Msg::Wake => self.log.add(format!("pops: {}", self.behavior.pop())),
            Msg::Fail => return Err(Failure::new("bitten")),
        }
        Ok(())
    }

    fn angry(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Say(n) => self.log.add(format!("{n} growls")),
            Msg::Angry => self.behavior.replace(Self::calm),
            other => return self.calm(other, ctx),
        }
        Ok(())
    }

    /// Falls asleep more deeply, and wakes as it fell asleep.
    fn asleep(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Asleep => {
                let deeper = self.behavior.push(Self::asleep);
                self.log.add(format!("{deeper:?} at {}", self.behavior.depth()));
            }
            Msg::Wake => assert!(self.behavior.pop()),
            other => ctx.unhandled(other),
        }
        Ok(())
    }
}

impl Actor for Dog {
    type Msg = Msg;
    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.behavior.current()(self, msg, ctx)
    }
}

fn dog() -> (World, ActorRef<Msg>) {
    let mut world = World::new();
    let log = world.log.clone();
    let dog = world.scope().spawn_from(move || Dog { log: log.clone(), behavior: Become::new(Dog::calm) });
    (world, dog.expect("room"))
}

#[test]
fn a_replaced_behaviour_handles_the_next_message() {
    let (mut world, dog) = dog();
    for msg in [Msg::Say(1), Msg::Angry, Msg::Say(2), Msg::Angry, Msg::Say(3)] {
        world.tell(dog, msg);
    }
    assert_eq!(world.events(), ["1 wags", "2 growls", "3 wags"]);
}

#[test]
fn a_pushed_behaviour_goes_back_to_the_one_below() {
    let (mut world, dog) = dog();
    for msg in [Msg::Angry, Msg::Asleep, Msg::Say(1), Msg::Wake, Msg::Say(2)] {
        world.tell(dog, msg);
    }
    assert_eq!(world.events(), ["2 growls"]);
    assert_eq!(world.letters(), [(DeadReason::Unhandled, 1)]);
}

#[test]
fn the_last_behaviour_stays() {
    let (mut world, dog) = dog();
    for msg in [Msg::Wake, Msg::Say(1)] {
        world.tell(dog, msg);
    }
    assert_eq!(world.events(), ["pops: false", "1 wags"]);
}

#[test]
fn a_full_stack_refuses_and_keeps_the_behaviour() {
    let (mut world, dog) = dog();
    for msg in [Msg::Asleep, Msg::Asleep, Msg::Asleep, Msg::Wake, Msg::Wake, Msg::Say(1)] {
        world.tell(dog, msg);
    }
    let refused = format!("{:?} at 2", Err::<(), _>(BecomeTooDeep { depth: 2 }));
    assert_eq!(world.events(), ["Ok(()) at 2", &refused, "1 wags"]);
    assert_eq!(BecomeTooDeep { depth: 2 }.to_string(), "at most 2 behaviours wait below the current one");
}

/// Conformance 2: what a restart leaves behind is gone, stacked behaviours among it.
#[test]
fn a_restart_begins_with_the_first_behaviour() {
    let (mut world, dog) = dog();
    for msg in [Msg::Angry, Msg::Say(1), Msg::Fail, Msg::Say(2), Msg::Wake] {
        world.tell(dog, msg);
    }
    assert_eq!(world.events(), ["1 growls", "2 wags", "pops: false"]);
    assert_eq!((world.stats().failed, world.stats().actors), (1, 1));
}

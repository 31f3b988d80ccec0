//! What a kernel offers upwards, and what it is told from there.
#![cfg(feature = "alloc")]

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use common::*;
use corelane_kernel::{
    ActorRef, Address, AnyMessage, DeadReason, Failure, ForeignRealm, MessageKind, Place, RawAddress,
    StopReason, TellError, Uplink, UplinkRefusal,
};

/// What was offered, in words, and what to answer.
#[derive(Default)]
struct Seen {
    log: Vec<String>,
    refusal: Option<UplinkRefusal>,
    closed: bool,
    retires: bool,
}

#[derive(Clone, Default)]
struct Up(Rc<RefCell<Seen>>);

impl Up {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut().log)
    }
}

impl Uplink for Up {
    fn tell(&mut self, to: Address, message: AnyMessage<'_>) -> Result<(), UplinkRefusal> {
        let mut seen = self.0.borrow_mut();
        if let Some(refusal) = seen.refusal {
            return Err(refusal);
        }
        let Some(number) = message.get::<u64>() else { return Err(UplinkRefusal::NoWireForm) };
        seen.log.push(format!("{number} for {}", to.to_raw().index));
        Ok(())
    }
    fn watch(&mut self, _: Address, target: Address) -> bool {
        let mut seen = self.0.borrow_mut();
        seen.log.push(format!("watch {}", target.to_raw().index));
        !seen.closed
    }
    fn unwatch(&mut self, _: Address, target: Address) {
        self.0.borrow_mut().log.push(format!("unwatch {}", target.to_raw().index));
    }
    fn ended(&mut self, watcher: Address, _: Address, reason: &StopReason) {
        self.0.borrow_mut().log.push(format!("{} hears {reason:?}", watcher.to_raw().index));
    }
    fn stop(&mut self, target: Address) {
        self.0.borrow_mut().log.push(format!("stop {}", target.to_raw().index));
    }
    fn retire(&mut self, target: Address) -> bool {
        let mut seen = self.0.borrow_mut();
        seen.log.push(format!("retire {}", target.to_raw().index));
        seen.retires
    }
}

fn raw(index: u32) -> RawAddress {
    RawAddress { identity: 1 << 32 | 7, index, shard: 3 }
}

fn far<M: Send + 'static>(realm: &ForeignRealm, index: u32) -> ActorRef<M> {
    realm.admit_as(raw(index), MessageKind::of::<M>()).unwrap().typed().unwrap()
}

fn world() -> (World, Up, ForeignRealm) {
    let (mut world, up) = (World::new(), Up::default());
    world.kernel.scope().uplink_by(up.clone()).unwrap();
    (world, up, ForeignRealm::new().unwrap())
}

/// What watchers were told.
fn heard(world: &mut World) -> Vec<String> {
    world.events().into_iter().filter(|event| event.contains("hears")).collect()
}

fn place_of(realm: &ForeignRealm) -> Place {
    realm.address(raw(1)).unwrap().place()
}

#[test]
fn a_message_for_another_realm_is_offered_upwards_and_refused_ones_come_back() {
    let (mut world, up, realm) = world();
    let numbers = far::<u64>(&realm, 5);
    assert_eq!(world.kernel.try_tell(numbers, 7), Ok(()));
    assert_eq!(up.take(), ["7 for 5"]);
    let refused = world.kernel.try_tell(far::<&str>(&realm, 5), "secret");
    assert_eq!(refused, Err(TellError::NoWireForm("secret")));
    for (refusal, error) in [
        (UplinkRefusal::Full, TellError::Full(8)),
        (UplinkRefusal::TooLarge, TellError::TooLarge(8)),
        (UplinkRefusal::Unreachable, TellError::Unreachable(8)),
    ] {
        up.0.borrow_mut().refusal = Some(refusal);
        assert_eq!(world.kernel.try_tell(numbers, 8), Err(error));
    }
    up.0.borrow_mut().refusal = None;
    world.kernel.tell(far::<&str>(&realm, 5), "secret");
    assert_eq!(world.kernel.dead_letters(DeadReason::NoWireForm), 1);
}

#[test]
fn without_an_uplink_nobody_elsewhere_is_reached() {
    let mut world = World::new();
    let realm = ForeignRealm::new().unwrap();
    assert_eq!(world.kernel.try_tell(far(&realm, 5), 1_u64), Err(TellError::Unreachable(1)));
    let watcher = world.puppet("a");
    let target = realm.address(raw(5)).unwrap();
    world.have(watcher, move |_, ctx| ctx.watch(target).unwrap());
    let events = heard(&mut world);
    assert!(events.len() == 1 && events[0].contains("not found"), "{events:?}");
}

#[test]
fn who_cannot_be_told_to_retire_there_is_stopped() {
    let (mut world, up, realm) = world();
    let there = realm.address(raw(5)).unwrap();
    let a = world.puppet("a");
    for (retires, expected) in [(true, &["retire 5"][..]), (false, &["retire 5", "stop 5"])] {
        up.0.borrow_mut().retires = retires;
        world.have(a, move |_, ctx| ctx.retire(there));
        assert_eq!(up.take(), expected);
    }
}

#[test]
fn nobody_is_not_offered_upwards() {
    let (mut world, up, _) = world();
    assert_eq!(world.kernel.try_tell(ActorRef::nobody(), 1_u64), Err(TellError::Unreachable(1)));
    world.kernel.scope().stop(Address::NOBODY);
    assert!(up.take().is_empty());
}

#[test]
fn a_watch_of_another_host_is_answered_once_whatever_comes_first() {
    let (mut world, up, realm) = world();
    let place = place_of(&realm);
    let watcher = world.puppet("a");
    let (one, two) = (realm.address(raw(5)).unwrap(), realm.address(raw(6)).unwrap());
    world.have(watcher, move |_, ctx| {
        ctx.watch(one).unwrap();
        ctx.watch(two).unwrap();
        ctx.watch(one).unwrap();
    });
    assert_eq!(up.take(), ["watch 5", "watch 6"]);
    assert!(heard(&mut world).is_empty());

    let failure = Failure::new("no disk");
    world.kernel.scope().end_for(watcher.address(), one, StopReason::Failed(failure));
    world.kernel.scope().end_for(watcher.address(), one, StopReason::Stopped);
    world.kernel.scope().lose_place(place);
    world.kernel.scope().lose_place(place);
    world.kernel.scope().end_for(watcher.address(), two, StopReason::Stopped);
    let events = heard(&mut world);
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].contains("no disk") && events[1].contains("Unreachable"), "{events:?}");
}

#[test]
fn a_watch_that_no_way_leads_to_is_told_at_once() {
    let (mut world, up, realm) = world();
    up.0.borrow_mut().closed = true;
    let (watcher, target) = (world.puppet("a"), realm.address(raw(5)).unwrap());
    world.have(watcher, move |_, ctx| ctx.watch(target).unwrap());
    let events = heard(&mut world);
    assert!(events.len() == 1 && events[0].contains("Unreachable"), "{events:?}");
}

#[test]
fn unwatching_and_ending_take_the_watch_back_and_no_notice_comes() {
    let (mut world, up, realm) = world();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    let target = realm.address(raw(5)).unwrap();
    world.have(a, move |_, ctx| ctx.watch(target).unwrap());
    world.have(b, move |_, ctx| ctx.watch(target).unwrap());
    world.have(a, move |_, ctx| _ = ctx.unwatch(target));
    world.stop(b);
    assert_eq!(up.take(), ["watch 5", "watch 5", "unwatch 5", "unwatch 5"]);
    world.log.take();
    world.kernel.scope().end_for(a.address(), target, StopReason::Stopped);
    world.kernel.scope().end_for(b.address(), target, StopReason::Stopped);
    world.kernel.scope().lose_place(place_of(&realm));
    assert!(heard(&mut world).is_empty());
}

#[test]
fn the_end_of_an_actor_that_is_watched_from_elsewhere_is_told_upwards_once() {
    let (mut world, up, realm) = world();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    let watcher = realm.address(raw(9)).unwrap();
    for target in [a, b, a] {
        world.kernel.scope().watch_for(watcher, target.address());
    }
    world.kernel.scope().unwatch_for(watcher, b.address());
    world.stop(a);
    world.stop(b);
    assert_eq!(up.take(), ["9 hears Stopped"]);
    world.kernel.scope().watch_for(watcher, a.address());
    assert_eq!(up.take(), ["9 hears NotFound"]);
}

#[test]
fn a_stop_goes_upwards_too() {
    let (mut world, up, realm) = world();
    world.stop(realm.address(raw(5)).unwrap());
    assert_eq!(up.take(), ["stop 5"]);
}

/// A lane's sender is no kernel: the kernel that takes what it sends offers it upwards.
#[test]
fn what_a_lane_carries_for_another_realm_is_told_by_the_kernel_that_takes_it() {
    let (mut world, up, realm) = world();
    let census = Census::default();
    let (mut sender, receiver) = lane_of::<64>();
    world.add_lane(receiver).unwrap();
    let numbers = far::<u64>(&realm, 5);
    sender.try_tell_beyond(numbers, 7).unwrap();
    sender.try_tell_beyond(numbers, 8).unwrap();
    sender.publish();
    world.settle();
    assert_eq!(up.take(), ["7 for 5", "8 for 5"]);
    // What is refused there is a dead letter there.
    sender.try_tell_beyond(far::<Token>(&realm, 5), census.token()).unwrap();
    sender.publish();
    world.settle();
    assert_eq!(world.letters(), [(DeadReason::NoWireForm, 1)]);
    census.expect_none();
    // And what is refused here comes back.
    let refused = sender.try_tell_beyond(far::<[u64; 60]>(&realm, 5), [1; 60]);
    assert!(matches!(refused, Err(TellError::TooLarge([1, ..]))), "{refused:?}");
    let mut sent = 0;
    let full = loop {
        match sender.try_tell_beyond(far::<Token>(&realm, 5), census.token()) {
            Ok(()) => sent += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(full, TellError::Full(_)));
    drop(full);
    census.expect(sent);
    sender.publish();
    drop(world);
    census.expect_none();
    let refused = sender.try_tell_beyond(numbers, 9);
    assert_eq!(refused, Err(TellError::Unreachable(9)));
}

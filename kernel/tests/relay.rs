//! Relays: what is published in a lane is seen when it is carried over, in order, and dropped once if nobody takes it.

#![cfg(feature = "alloc")]

mod common;

use std::sync::{Arc, Mutex};

use corelane_kernel::{
    Actor, ActorRef, Ctx, Kernel, KernelConfig, LaneRelay, LaneSender, Outcome, TellError, Time, relayed_lane,
};

/// A message that is counted as long as it is there.
struct Counted(u64, #[expect(dead_code, reason = "it counts")] Arc<()>);

struct Log(Arc<Mutex<Vec<u64>>>);

impl Actor for Log {
    type Msg = Counted;
    fn receive(&mut self, message: Counted, _: &mut Ctx<'_, Self>) -> Outcome {
        self.0.lock().unwrap().push(message.0);
        Ok(())
    }
}

struct Scene {
    kernel: Kernel,
    sender: LaneSender,
    relay: LaneRelay,
    log: ActorRef<Counted>,
    seen: Arc<Mutex<Vec<u64>>>,
    counted: Arc<()>,
}

impl Scene {
    fn new(words: usize) -> Scene {
        let mut kernel = Kernel::new(common::region(64 * 1024), KernelConfig::default()).expect("a kernel");
        let (sender, receiver, mut relay) = relayed_lane(words);
        kernel.add_lane(receiver).expect("room for a lane");
        relay.give_back();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = kernel.spawn(Log(seen.clone())).expect("room for an actor");
        Scene { kernel, sender, relay, log, seen, counted: Arc::new(()) }
    }

    fn tell(&mut self, n: u64) -> Result<(), TellError<Counted>> {
        self.sender.try_tell(self.log, Counted(n, self.counted.clone()))?;
        self.sender.publish();
        Ok(())
    }

    fn seen(&mut self) -> Vec<u64> {
        while self.kernel.turn(Time::ZERO).more {}
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

#[test]
fn what_is_published_is_seen_when_it_is_carried_over_note_by_note() {
    let mut scene = Scene::new(256);
    scene.tell(1).unwrap();
    scene.tell(2).unwrap();
    assert!(scene.relay.note());
    scene.tell(3).unwrap();
    assert!(scene.relay.note());
    assert!(!scene.relay.note(), "nothing new");
    assert_eq!((scene.relay.held(), scene.seen()), (2, vec![]));
    assert!(scene.relay.forward());
    assert_eq!(scene.seen(), [1, 2]);
    assert!(scene.relay.forward());
    assert_eq!(scene.seen(), [3]);
    assert!(!scene.relay.forward());
}

#[test]
fn a_sender_has_no_room_before_it_is_given_back() {
    let mut scene = Scene::new(64);
    let told = (1..).take_while(|n| scene.tell(*n).is_ok()).count() as u64;
    assert!(told > 5, "{told}");
    scene.relay.note();
    scene.relay.forward();
    assert_eq!(scene.seen(), (1..=told).collect::<Vec<_>>());
    assert!(matches!(scene.tell(0), Err(TellError::Full(_))));
    assert!(scene.relay.give_back());
    scene.tell(99).unwrap();
    scene.relay.note();
    scene.relay.forward();
    assert_eq!(scene.seen(), [99]);
}

#[test]
fn what_nobody_carried_over_is_dropped_once() {
    for relay_last in [false, true] {
        let mut scene = Scene::new(256);
        for n in 0..5 {
            scene.tell(n).unwrap();
            scene.relay.note();
        }
        scene.relay.forward();
        assert_eq!(Arc::strong_count(&scene.counted), 6);
        let Scene { kernel, sender, relay, counted, .. } = scene;
        if relay_last {
            drop((kernel, sender));
            drop(relay);
        } else {
            drop(relay);
            drop((sender, kernel));
        }
        assert_eq!(Arc::strong_count(&counted), 1, "{relay_last}");
    }
}

#[test]
fn a_relay_is_over_when_an_end_is_gone_and_all_is_carried_over() {
    let mut scene = Scene::new(256);
    scene.tell(1).unwrap();
    assert!(!scene.relay.is_over());
    drop(scene.sender);
    assert!(!scene.relay.is_over(), "something is published");
    scene.relay.note();
    assert!(!scene.relay.is_over(), "something is held");
    scene.relay.forward();
    assert!(scene.relay.is_over());
}

//! The two ends of a lane: taken into use by one kernel, or refused.

use corelane_kernel::{Kernel, KernelConfig, LaneMemory, Seat, SpawnError, TellError};

use crate::common::{Order, Puppet, World, lane_of};

#[test]
fn lanes_are_only_taken_into_use_by_one_kernel() {
    let (mut gateway, receiver) = lane_of::<64>();
    let mut one = World::new();
    let a = one.puppet("a");
    assert_eq!(gateway.place(), None);
    assert!(matches!(gateway.try_tell(a, Order::Note(1)), Err(TellError::Unreachable(_))));
    one.add_lane(receiver).unwrap();
    assert_eq!(gateway.place(), Some(one.place()));
    gateway.try_tell(a, Order::Note(1)).unwrap();
    assert!(gateway.publish() && !gateway.publish());
    assert_eq!(one.events(), ["a started", "a 1"]);
    // Bound beforehand, it is one kernel's, and no other's.
    let (_sender, mut receiver) = lane_of::<64>();
    receiver.bind(one.place());
    let refused = World::new().add_lane(receiver).unwrap_err();
    one.add_lane(refused).unwrap();
}

#[test]
fn a_static_lane_has_one_pair_of_ends() {
    static LANE: LaneMemory<64> = LaneMemory::new();
    let ends = LANE.split();
    assert!(ends.is_some() && LANE.split().is_none());
    let (sender, receiver) = ends.unwrap();
    assert!(format!("{sender:?} {receiver:?}").contains("64 words"));
}

#[test]
fn a_lane_for_signals_that_cannot_hold_the_largest_is_refused_when_it_is_connected() {
    let mut seats = Seat::realm(2).unwrap();
    let seat = seats.next().unwrap();
    let mut kernel =
        Kernel::seated(crate::common::region(1 << 20), KernelConfig::default(), seat, 2).unwrap();
    let ((messages, _m), (signals, _s)) = (lane_of::<64>(), lane_of::<16>());
    let connect = std::panic::AssertUnwindSafe(|| kernel.connect(1, messages, signals));
    let panic = std::panic::catch_unwind(connect).unwrap_err();
    assert!(crate::common::text_of(&*panic).contains("signals"), "{}", crate::common::text_of(&*panic));
}

#[test]
fn spawning_is_refused_and_not_half_done_when_a_kernel_has_no_room_for_lanes() {
    let mut world = World::sized(8 << 10);
    while world.kernel.spawn(Puppet::new("a", &world.log)).is_ok() {}
    assert_eq!(world.kernel.spawn(Puppet::new("a", &world.log)).err(), Some(SpawnError::OutOfMemory));
    let mut refused = None;
    for _ in 0..64 {
        let (_, receiver) = lane_of::<16>();
        if let Err(lane) = world.add_lane(receiver) {
            refused = Some(lane);
            break;
        }
    }
    assert!(refused.is_some(), "the region is used up");
}

//! Lanes on the heap: pruned when they are empty, and what lies in them is dropped once.

use crate::common::{Census, Order, World};

#[test]
fn a_lane_on_the_heap_works_as_long_as_both_ends_are_there_and_is_pruned_when_it_is_empty() {
    let mut world = World::new();
    let census = Census::default();
    let a = world.puppet("a");
    world.events();
    for _ in 0..100 {
        let (mut sender, receiver) = corelane_kernel::lane(100);
        world.add_lane(receiver).unwrap();
        let mut told = 0;
        while sender.try_tell(a, Order::Carry(census.token())).is_ok() {
            told += 1;
        }
        assert!(told > 5, "128 words hold more than {told}");
        // What was told is published with the sender's end.
        drop(sender);
        world.prune_lanes();
        assert!(world.has_input(), "one that is not empty stays");
        world.settle();
        census.expect_none();
        world.prune_lanes();
        assert!(!world.has_input());
    }
    // Pruned lanes make room for new ones: the row of lanes did not grow.
    assert!(world.stats().used_bytes < 64 << 10);
}

#[test]
fn what_lies_in_a_lane_whose_ends_are_both_gone_is_dropped_once() {
    for order in 0..3 {
        let mut world = World::new();
        let census = Census::default();
        let a = world.puppet("a");
        world.settle();
        let (mut sender, mut receiver) = corelane_kernel::lane(256);
        receiver.bind(world.place());
        for _ in 0..3 {
            sender.try_tell(a, Order::Carry(census.token())).unwrap();
            let token = census.token();
            sender.try_call(move |_| drop(token)).map_err(|_| "refused").unwrap();
        }
        census.expect(6);
        match order {
            // It never reached a kernel.
            0 => drop((receiver, sender)),
            1 => drop((sender, receiver)),
            _ => {
                sender.publish();
                world.add_lane(receiver).unwrap();
                drop(world);
                drop(sender);
            }
        }
        census.expect_none();
    }
}

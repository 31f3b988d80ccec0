//! Random worlds: every rule holds, and who breaks one is found out with its seed.

use corelane_shard::sim::random::RandomWorld;

#[test]
fn every_rule_holds_in_random_worlds() {
    for seed in 0..60 {
        let outcome = RandomWorld::new(seed).run().expect("a world");
        assert!(outcome.broken.is_none(), "{outcome}");
    }
}

#[test]
fn a_random_world_is_the_same_again_with_or_without_a_record() {
    let is_long = |seed: &u64| {
        let trace = RandomWorld::new(*seed).record().run().expect("a world").trace;
        trace.events.len() > 1000
    };
    let long: Vec<u64> = (0..100).filter(is_long).take(3).collect();
    assert_eq!(long.len(), 3, "most worlds are long");
    for seed in long {
        let [first, again] = [(); 2].map(|()| RandomWorld::new(seed).run().expect("a world").trace);
        assert_eq!(first, again);
        let recorded = RandomWorld::new(seed).record().run().expect("a world").trace;
        assert_eq!(recorded.hash, first.hash);
    }
}

#[test]
fn a_faulty_actor_is_found_out_with_its_seed() {
    let outcome = RandomWorld::new(5).faulty().run().expect("a world");
    assert!(outcome.to_string().starts_with("seed 5: a message is handled or dropped once: "), "{outcome}");
}

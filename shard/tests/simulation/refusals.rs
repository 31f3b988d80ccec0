//! What cannot be simulated, or comes to no end, is refused by name and seed.

use corelane_kernel::{Actor, Ctx, Outcome};
use corelane_shard::sim::{Options, Sim, SimError};

use crate::rig::calm;

#[test]
fn a_story_that_fails_names_its_seed() {
    let failed = Sim::new(77).run(|_| Err("no luck".into()));
    assert_eq!(failed.unwrap_err().to_string(), "the simulation of seed 77 failed: no luck");
}

#[test]
fn options_that_make_no_system_are_refused_by_name() {
    for (options, complaint) in [
        (Options { lane_words: 8..=8, ..Options::calm() }, "lane_words is 8"),
        (Options { signal_words: 1..=64, ..Options::calm() }, "signal_words is 1"),
        (Options { region_bytes: 4096, ..Options::calm() }, "region_bytes is 4096"),
        (Options { budgets: 0..=1, ..Options::calm() }, "budgets"),
        (Options { batch_words: 1..=1, ..Options::calm() }, "batch_words"),
    ] {
        let refused = Sim::new(1).options(options).run(|_| Ok(())).unwrap_err();
        assert!(matches!(refused, SimError::Start(_)), "{refused:?}");
        assert!(refused.to_string().contains(complaint), "{refused}");
    }
    assert!(Sim::new(1).shards(0).run(|_| Ok(())).unwrap_err().to_string().contains("not 0"));
}

#[test]
fn a_story_that_never_rests_is_found_out() {
    struct Restless;
    impl Actor for Restless {
        type Msg = ();
        fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
            let me = ctx.me();
            ctx.tell(me, ());
            Ok(())
        }
    }
    let story = || {
        let options = Options { events_max: 1000, ..Options::calm() };
        Sim::new(1).options(options).run(|sim| {
            let restless = sim.spawn_on(0, || Restless)?;
            sim.tell(restless, ());
            sim.run_until_idle();
            Ok(())
        })
    };
    let panic = std::panic::catch_unwind(story).unwrap_err();
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(text.contains("does not come to rest: 1000 events"), "{text}");
    // The next one is not troubled by it.
    assert!(calm(1).run(|_| Ok(())).is_ok());
}

//! Whatever is done with a pool, in whatever order, it is as large as it says.

use std::sync::{Arc, Mutex};

use corelane_kernel::router::Routee;
use proptest::prelude::{Just, Strategy as _, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::Index;

use crate::common::{World, lock};
use crate::rig::{EAGER, Job, Owner, Settings, have, owner};

#[derive(Clone, Debug)]
enum Step {
    Note(usize),
    Work(usize),
    Broadcast,
    Fail(Index),
    Retire(Index),
    Release(Index),
    Resize(usize),
    Settle,
}

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    prop_oneof![
        (1usize..20).prop_map(Step::Note),
        (1usize..20).prop_map(Step::Work),
        Just(Step::Broadcast),
        any::<Index>().prop_map(Step::Fail),
        any::<Index>().prop_map(Step::Retire),
        any::<Index>().prop_map(Step::Release),
        (0usize..=8).prop_map(Step::Resize),
        Just(Step::Settle),
    ]
}

proptest! {
    /// Several steps may happen in one handler, before anything that they told is handled.
    #[test]
    fn every_message_is_handled_or_a_dead_letter_and_routees_are_the_living_children(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new();
        let owner = owner(&mut world, &Settings { size: 3, resizer: Some(EAGER), ..Settings::default() });
        let counts = Arc::new(Mutex::new((0u64, 0u64)));
        for steps in steps.split_inclusive(|step| matches!(step, Step::Settle)) {
            let (steps, counts) = (steps.to_vec(), counts.clone());
            have(&mut world, owner, move |owner, ctx| {
                let (told, released) = &mut *lock(&counts);
                for step in steps {
                    let picked = |index: Index, owner: &Owner<_>| {
                        let routees = owner.pool.routees();
                        (!routees.is_empty()).then(|| index.get(routees).to())
                    };
                    match step {
                        Step::Note(jobs) => {
                            (0..jobs).for_each(|_| owner.pool.tell(ctx, Job::Note(7)));
                            *told += jobs as u64;
                        }
                        Step::Work(jobs) => owner.work(ctx, jobs),
                        Step::Broadcast => {
                            let router = owner.pool.router(ctx);
                            router.broadcast(ctx, Job::Note(7));
                            *told += router.len() as u64;
                        }
                        Step::Fail(index) => {
                            if let Some(routee) = picked(index, owner) {
                                ctx.tell(routee, Job::Fail);
                            }
                        }
                        Step::Retire(index) => {
                            if let Some(routee) = picked(index, owner) {
                                assert!(owner.pool.retire(ctx, routee));
                            }
                        }
                        Step::Release(index) => {
                            if let Some(routee) = picked(index, owner) {
                                assert!(owner.pool.release(ctx, routee));
                                ctx.stop(routee);
                                *released += 1;
                            }
                        }
                        Step::Resize(size) => owner.pool.resize(ctx, size).unwrap(),
                        Step::Settle => {}
                    }
                    assert!(owner.pool.len() <= 8);
                }
            });
            have(&mut world, owner, |owner, ctx| {
                let routees: Vec<_> = owner.pool.routees().iter().map(Routee::address).collect();
                assert!(routees.iter().all(|routee| ctx.scope().is_alive(*routee)));
            });
            have(&mut world, owner, |owner, ctx| {
                assert_eq!(ctx.scope().stats().actors, 1 + owner.pool.len() as u64);
            });
        }
        // What a routee that failed, or was stopped at once, had not handled yet is a dead letter; nothing else is.
        let heard = world.log.take();
        let noted = heard.iter().filter(|word| word.ends_with(" 7")).count() as u64;
        let (told, released) = *lock(&counts);
        let letters = world.stats().dead_letters;
        prop_assert!(noted <= told && told <= noted + letters);
        prop_assert!(letters == 0 || world.stats().failed + released > 0);
        prop_assert_eq!(world.panics.len(), 0, "{:?}", &world.panics);
    }
}

//! Routees on other cores.

use corelane_kernel::router::RoundRobin;

use crate::common::{Realm, ms};
use crate::rig::{Deed, Job, Manner, NAMES, Order, sender, worker};

#[test]
fn routees_on_other_cores_are_told_asked_and_evicted_like_any() {
    let mut realm = Realm::new::<1024>(3, 1 << 20, &corelane_kernel::KernelConfig::default());
    let routees = [0, 1, 2].map(|shard| worker(&mut realm.worlds[shard], NAMES[shard], Manner::Answers));
    let sender = sender(&mut realm.worlds[0], RoundRobin::new(), &[]);
    realm.settle();
    let have = |realm: &mut Realm, deed: Deed<RoundRobin>| {
        realm.worlds[0].tell(sender, Order::Do(deed));
        let mut heard = realm.events();
        heard.sort();
        heard
    };
    let told = have(
        &mut realm,
        Box::new(move |router, ctx| {
            routees.into_iter().for_each(|routee| router.add_watched(ctx, routee).unwrap());
            (0..6).for_each(|n| router.tell(ctx, Job::Note(n)));
        }),
    );
    assert_eq!(told, ["a 0", "a 3", "b 1", "b 4", "c 2", "c 5"]);
    let asked = have(
        &mut realm,
        Box::new(move |router, ctx| {
            router.remove(routees[0]);
            router.scatter_gather(ctx, ms(10), |reply| Job::Ask(1, reply), Order::Answer);
        }),
    );
    assert!(asked[0] == "answer Ok(21)" || asked[0] == "answer Ok(31)", "{asked:?}");
    assert_eq!(asked[1..], ["b asked 1", "c asked 1"]);
    let chopped = have(
        &mut realm,
        Box::new(move |router, ctx| {
            router.remove(routees[1]);
            router.tail_chop(ctx, ms(10), ms(1), |reply| Job::Ask(1, reply), Order::Answer);
        }),
    );
    assert_eq!(chopped, ["answer Ok(31)", "c asked 1"]);
    realm.worlds[2].stop(routees[2]);
    assert_eq!(realm.events(), ["evicted: Last", "sender stopped"]);
}

//! Loads: what is counted, what is measured, and who has the smallest.

use corelane_kernel::router::{Routee, Router, SmallestLoad};
use corelane_kernel::{ActorRef, DeadReason, TellError};

use crate::common::{World, ms};
use crate::rig::{Job, Manner, Order, Worker, have, sender, worker, workers};

#[test]
fn the_smallest_load_gets_the_next_message_and_what_is_done_counts_no_more() {
    let mut world = World::new();
    let [a, b, c] = workers(&mut world);
    let sender = sender(&mut world, SmallestLoad::new(), &[a, b, c]);
    have(&mut world, sender, move |router, ctx| {
        assert!(router.set_load(a, 2));
        (0..4).for_each(|n| router.tell(ctx, Job::Note(n)));
        let loads: Vec<_> = router.routees().iter().map(Routee::load).collect();
        assert_eq!(loads, [2, 2, 2]);
        assert!(router.done(b) && router.done(b) && router.done(b), "never below none");
        assert!(!router.done(ActorRef::<Job>::nobody()));
        (4..6).for_each(|n| router.tell(ctx, Job::Note(n)));
    });
    assert_eq!(world.events(), ["b 0", "c 1", "b 2", "c 3", "b 4", "b 5"]);
}

#[test]
fn an_ask_counts_until_its_answer_or_the_end_of_its_time() {
    let mut world = World::new();
    let a = worker(&mut world, "a", Manner::Answers);
    let b = worker(&mut world, "b", Manner::IsSilent);
    let sender = sender(&mut world, SmallestLoad::new(), &[a, b]);
    let loads = |world: &mut World, expected: [u32; 2]| {
        have(world, sender, move |router, _| {
            let loads: Vec<_> = router.routees().iter().map(Routee::load).collect();
            assert_eq!(loads, expected);
        });
    };
    have(&mut world, sender, |router, ctx| {
        for n in 0..4 {
            let to = router.pick();
            ctx.ask(to, ms(10), move |reply| Job::Ask(n, reply), move |_| Order::Done(to.address()));
        }
        assert!(router.routees().iter().all(|routee| routee.load() == 2));
    });
    loads(&mut world, [0, 2]);
    world.pass(ms(11));
    loads(&mut world, [0, 0]);
}

#[test]
fn bounded_mailboxes_are_measured_and_what_they_refuse_counts_towards_no_load() {
    let mut world = World::new();
    let [a, _] = workers::<2>(&mut world);
    let log = world.log.clone();
    let bounded = Worker { name: "b", log, manner: Manner::IsSilent, adds: 0 };
    let bounded = world.scope().spawner().mailbox(3).spawn(bounded).unwrap();
    let sender = sender(&mut world, SmallestLoad::new(), &[a, bounded]);
    world.settle();
    assert_eq!(world.scope().mailbox_len(bounded), Some(0));
    assert_eq!(world.scope().mailbox_len(a), None, "it has no bound");
    let loads =
        |router: &Router<Job, SmallestLoad, 8>| router.routees().iter().map(Routee::load).collect::<Vec<_>>();
    // The order to the sender comes behind what others told the routee, but neither has been handled then.
    world.tell(
        sender,
        Order::Do(Box::new(move |router, ctx| {
            ctx.tell(bounded, Job::Note(1));
            ctx.tell(bounded, Job::Note(2));
            router.set_load(a, 9);
            router.measure(ctx);
            assert_eq!(loads(router), [9, 2]);
            assert!(router.try_tell(ctx, Job::Note(3)).is_ok());
            assert!(matches!(router.try_tell(ctx, Job::Note(4)), Err(TellError::MailboxFull(Job::Note(4)))));
            router.tell(ctx, Job::Note(5));
            assert_eq!(loads(router), [9, 3]);
        })),
    );
    assert_eq!(world.events(), ["b 1", "b 2", "b 3"]);
    assert_eq!(world.letters(), [(DeadReason::MailboxFull, 1)]);
    have(&mut world, sender, move |router, ctx| {
        router.measure(ctx);
        assert_eq!(loads(router), [9, 0]);
    });
    world.stop(bounded);
    assert_eq!(world.scope().mailbox_len(bounded), None, "it is gone");
}

//! Dead letters of a system: each counted by its reason, each told to whoever subscribed, wherever both live.

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::{Job, Puppet, builder, end, next, puppet, system, tell, with};
use corelane_kernel::{Actor, ActorRef, Ctx, DeadLetter, DeadReason, KernelConfig, Outcome, ReplyTo};
use corelane_shard::{Gateway, On, Report, System};

/// Passes dead letters on.
struct Undertaker(Sender<DeadLetter>);

impl Actor for Undertaker {
    type Msg = DeadLetter;
    fn receive(&mut self, letter: DeadLetter, _: &mut Ctx<'_, Self>) -> Outcome {
        // A test that no longer listens has seen enough.
        let _ = self.0.send(letter);
        Ok(())
    }
}

fn undertaker(system: &System, shard: usize) -> (ActorRef<DeadLetter>, Receiver<DeadLetter>) {
    let (letters, read) = channel();
    (system.spawn_on(On::Shard(shard), move || Undertaker(letters.clone())).unwrap(), read)
}

/// An actor that is gone.
fn dead(system: &System, gateway: &mut Gateway, shard: usize) -> ActorRef<Job> {
    let actor = puppet(system, shard);
    with(gateway, actor, |ctx| ctx.stop_self());
    // Behind the end of the turn that stopped it.
    system.call(shard, |_| ()).unwrap();
    actor
}

fn count(report: &Report, reason: DeadReason) -> u64 {
    report
        .shards
        .iter()
        .flat_map(|shard| shard.dead_letters)
        .filter(|(of, _)| *of == reason)
        .map(|(_, n)| n)
        .sum()
}

#[test]
fn each_letter_of_each_shard_is_told_to_a_subscriber_on_one() {
    let system = system(3);
    let mut gateway = system.gateway().unwrap();
    let (undertaker, letters) = undertaker(&system, 2);
    system.subscribe_dead_letters(undertaker).unwrap();
    // Subscribing twice is subscribing once.
    system.subscribe_dead_letters(undertaker).unwrap();
    for shard in 0..3 {
        let gone = dead(&system, &mut gateway, shard);
        for from in 0..3 {
            let teller = puppet(&system, from);
            with(&mut gateway, teller, move |ctx| ctx.tell(gone, ().into()));
            let letter = next(&letters);
            assert_eq!((letter.target, letter.reason), (gone.address(), DeadReason::NoActor));
            assert_eq!(letter.message, std::any::type_name::<Job>());
        }
        tell(&mut gateway, gone, ());
        assert_eq!(next(&letters).target, gone.address());
    }
    let report = end(system);
    assert_eq!((count(&report, DeadReason::NoActor), report.dead_letters()), (12, 12));
    assert!(letters.try_recv().is_err(), "each was told once");
}

#[test]
fn each_reason_is_counted_for_itself() {
    let system = system(2);
    let other = common::system(1);
    let mut gateway = system.gateway().unwrap();
    let (undertaker, letters) = undertaker(&system, 1);
    system.subscribe_dead_letters(undertaker).unwrap();
    let teller = puppet(&system, 0);

    // Nobody is there.
    let gone = dead(&system, &mut gateway, 1);
    with(&mut gateway, teller, move |ctx| ctx.tell(gone, ().into()));
    assert_eq!(next(&letters).reason, DeadReason::NoActor);

    // No way leads there: to another system, to nobody at all.
    let foreign = puppet(&other, 0);
    with(&mut gateway, teller, move |ctx| {
        ctx.tell(foreign, ().into());
        ctx.tell(ActorRef::nobody(), Job::from(()));
    });
    for _ in 0..2 {
        assert_eq!(next(&letters).reason, DeadReason::Unreachable);
    }

    // It has bounded what waits for it.
    with(&mut gateway, teller, move |ctx| {
        let bounded = ctx.spawner().mailbox(3).spawn(Puppet::default()).unwrap();
        for _ in 0..5 {
            ctx.tell(bounded, ().into());
        }
    });
    for _ in 0..2 {
        assert_eq!(next(&letters).reason, DeadReason::MailboxFull);
    }

    // It stops with messages put aside.
    let stashing = puppet(&system, 1);
    with(&mut gateway, stashing, |ctx| {
        for _ in 0..4 {
            assert!(ctx.stash(().into()).is_ok());
        }
        ctx.stop_self();
    });
    for _ in 0..4 {
        assert_eq!(next(&letters).reason, DeadReason::Stopped);
    }

    // The answer comes when nobody asks any more.
    let (kept, reply) = channel();
    let asked = puppet(&system, 1);
    with(&mut gateway, teller, move |ctx| {
        let question = move |reply: ReplyTo<u8>| Job::run(move |_| kept.send(reply).unwrap());
        ctx.ask(asked, Duration::from_micros(1), question, |_| ().into());
    });
    let reply = next(&reply);
    common::await_some(|| {
        (!with(&mut gateway, teller, move |ctx| ctx.scope().is_alive(reply))).then_some(())
    });
    with(&mut gateway, asked, move |ctx| ctx.tell(reply, 1));
    let letter = next(&letters);
    assert_eq!((letter.reason, letter.message), (DeadReason::LateAnswer, "u8"));

    // It has no use for it.
    with(&mut gateway, teller, |ctx| ctx.unhandled(().into()));
    assert_eq!(next(&letters).reason, DeadReason::Unhandled);

    end(other);
    let report = end(system);
    let counts = DeadReason::ALL.map(|reason| (reason, count(&report, reason)));
    let expected = [
        (DeadReason::NoActor, 1),
        (DeadReason::QueueFull, 0),
        (DeadReason::MailboxFull, 2),
        (DeadReason::Unreachable, 2),
        (DeadReason::OutOfMemory, 0),
        (DeadReason::Stopped, 4),
        (DeadReason::LateAnswer, 1),
        (DeadReason::Failed, 0),
        (DeadReason::Unhandled, 1),
        (DeadReason::NoWireForm, 0),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn a_full_queue_refuses_and_every_refusal_is_counted() {
    // A sixty-fourth of a MiB for each group's queue.
    let config = KernelConfig { queue_share: 4, ..KernelConfig::default() };
    let system = builder(1).region_bytes(1 << 20).kernel(config).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let teller = puppet(&system, 0);
    let refused = with(&mut gateway, teller, |ctx| {
        let me = ctx.me();
        let mut refused = 0;
        for _ in 0..5000 {
            match ctx.try_tell(me, ().into()) {
                Ok(()) => {}
                Err(back) => {
                    refused += 1;
                    ctx.tell(me, back.into_inner());
                }
            }
        }
        refused
    });
    assert!((3000..5000).contains(&refused), "{refused}");
    // Refused or not: what was accepted is handled, and the queue takes messages again.
    with(&mut gateway, teller, |_| ());
    let report = end(system);
    assert_eq!((count(&report, DeadReason::QueueFull), report.dead_letters()), (refused, refused));
}

#[test]
fn one_who_unsubscribes_is_told_no_more() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let (leaving, its_letters) = undertaker(&system, 0);
    let (staying, letters) = undertaker(&system, 1);
    let gone = dead(&system, &mut gateway, 1);
    system.subscribe_dead_letters(leaving).unwrap();
    system.subscribe_dead_letters(staying).unwrap();
    tell(&mut gateway, gone, ());
    assert_eq!((next(&its_letters).target, next(&letters).target), (gone.address(), gone.address()));
    for shard in [0, 1] {
        system.call(shard, move |scope| scope.unsubscribe_dead_letters(leaving)).unwrap();
    }
    tell(&mut gateway, gone, ());
    next(&letters);
    end(system);
    assert!(its_letters.try_recv().is_err());
}

#[test]
fn a_subscriber_that_is_gone_makes_no_letters_of_its_own() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let (undertaker, letters) = undertaker(&system, 1);
    system.subscribe_dead_letters(undertaker).unwrap();
    let gone = dead(&system, &mut gateway, 0);
    tell(&mut gateway, gone, ());
    next(&letters);
    system.call(1, move |scope| scope.stop(undertaker)).unwrap();
    common::await_some(|| system.call(1, move |scope| !scope.is_alive(undertaker)).unwrap().then_some(()));
    for _ in 0..10 {
        tell(&mut gateway, gone, ());
    }
    with(&mut gateway, puppet(&system, 0), |_| ());
    let report = end(system);
    // Eleven for the dead actor, ten notices for the undertaker, and no notice of a notice.
    assert_eq!((count(&report, DeadReason::NoActor), report.dead_letters()), (21, 21));
}

//! The event stream: events reach who subscribed to their type, wherever both live, and nobody else.

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};

use common::{Census, Job, Puppet, await_some, builder, end, next, puppet, system, tell, with};
use corelane_kernel::{Actor, ActorRef, Ctx, DeadLetter, DeadReason, Group, Outcome};
use corelane_shard::{CallError, Gateway, Handle, On, ShardCtx};

/// Passes on what it is told.
struct Relay<E>(Sender<E>);

impl<E: Send + 'static> Actor for Relay<E> {
    type Msg = E;
    fn receive(&mut self, event: E, _: &mut Ctx<'_, Self>) -> Outcome {
        // A test that no longer listens has seen enough.
        let _ = self.0.send(event);
        Ok(())
    }
}

fn relay<E: Send + 'static>(system: &Handle, shard: usize) -> (ActorRef<E>, Receiver<E>) {
    let (events, seen) = channel();
    (system.spawn_on(On::Shard(shard), move || Relay(events.clone())).unwrap(), seen)
}

/// A subscriber to events of type `E`.
fn subscriber<E: Clone + Send + 'static>(system: &Handle, shard: usize) -> (ActorRef<E>, Receiver<E>) {
    let (actor, seen) = relay(system, shard);
    system.events().subscribe::<E>(actor).unwrap();
    (actor, seen)
}

/// Publishes from an actor, and waits until it has.
fn publish<E: Clone + Send + 'static>(gateway: &mut Gateway, from: ActorRef<Job>, event: E) {
    with(gateway, from, move |ctx| ctx.publish(event));
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Opened(u64);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Closed(u64);

/// Conformance 33.
#[test]
fn an_event_reaches_every_subscriber_from_any_shard_and_gateway() {
    let system = system(3);
    let mut gateway = system.gateway().unwrap();
    let subscribers: Vec<_> = (0..6).map(|n| subscriber::<Opened>(&system, n % 3)).collect();
    for shard in 0..3 {
        let publisher = puppet(&system, shard);
        publish(&mut gateway, publisher, Opened(shard as u64));
        for (_, seen) in &subscribers {
            assert_eq!(next(seen), Opened(shard as u64));
        }
    }
    gateway.publish(Opened(3));
    let events = system.events();
    system.call(1, move |scope| events.publish(scope, Opened(4))).unwrap();
    for (_, seen) in &subscribers {
        let mut both = [next(seen), next(seen)];
        both.sort_by_key(|event| event.0);
        assert_eq!(both, [Opened(3), Opened(4)]);
    }
    end(system);
    assert!(subscribers.iter().all(|(_, seen)| seen.try_recv().is_err()), "each was told once");
}

/// Conformance 33. Types are matched exactly, as there are no subtypes.
#[test]
fn unsubscribing_from_one_type_keeps_the_others() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let (told, seen) = channel::<String>();
    let both = puppet(&system, 1);
    let opened_to = told.clone();
    let (opened, closed) = with(&mut gateway, both, move |ctx| {
        let opened = ctx.adapter(move |event: Opened| {
            opened_to.send(format!("{event:?}")).unwrap();
            Job::from(())
        });
        let closed = ctx.adapter(move |event: Closed| {
            told.send(format!("{event:?}")).unwrap();
            Job::from(())
        });
        (opened.unwrap(), closed.unwrap())
    });
    let events = system.events();
    events.subscribe(opened).unwrap();
    events.subscribe(closed).unwrap();
    events.subscribe(closed).unwrap();
    assert_eq!((events.subscribers::<Opened>(), events.subscribers::<Closed>()), (1, 1));
    gateway.publish(Opened(1));
    gateway.publish(Closed(1));
    assert_eq!([next(&seen), next(&seen)], ["Opened(1)", "Closed(1)"]);
    assert!(events.unsubscribe(opened));
    assert!(!events.unsubscribe(opened));
    gateway.publish(Opened(2));
    gateway.publish(Closed(2));
    assert_eq!(next(&seen), "Closed(2)");
    events.subscribe(opened).unwrap();
    gateway.publish(Opened(3));
    assert_eq!(next(&seen), "Opened(3)");
    end(system);
    assert!(seen.try_recv().is_err());
}

#[test]
fn a_subscription_holds_for_all_that_is_published_after_it() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let publisher = puppet(&system, 0);
    for n in 0..200 {
        // The publisher knows the table as it was before.
        publish(&mut gateway, publisher, Opened(n));
        let (actor, seen) = subscriber::<Opened>(&system, 1);
        publish(&mut gateway, publisher, Opened(1000 + n));
        assert_eq!(next(&seen), Opened(1000 + n));
        assert!(system.events().unsubscribe(actor));
        publish(&mut gateway, publisher, Opened(n));
        with(&mut gateway, publisher, move |ctx| ctx.stop(actor));
        // The channel ends with the actor: nothing else was in it.
        assert!(seen.recv_timeout(common::LONG).is_err());
    }
    end(system);
}

/// Conformance 33.
#[test]
fn subscribers_that_are_gone_are_forgotten_on_every_shard() {
    let system = system(3);
    let mut gateway = system.gateway().unwrap();
    let events = system.events();
    let subscribers: Vec<_> = (0..9).map(|n| subscriber::<Opened>(&system, n % 3).0).collect();
    let adapted = puppet(&system, 2);
    let adapter = with(&mut gateway, adapted, |ctx| ctx.adapter(|_: Opened| Job::from(()))).unwrap();
    events.subscribe(adapter).unwrap();
    assert_eq!(events.subscribers::<Opened>(), 10);
    let stopper = puppet(&system, 0);
    with(&mut gateway, stopper, move |ctx| {
        for subscriber in subscribers {
            ctx.stop(subscriber);
        }
    });
    await_some(|| (events.subscribers::<Opened>() == 1).then_some(()));
    with(&mut gateway, adapted, |ctx| ctx.stop_self());
    await_some(|| (events.subscribers::<Opened>() == 0).then_some(()));
    gateway.publish(Opened(1));
    // One that was gone before it was entered is forgotten as well.
    events.subscribe(adapter).unwrap();
    await_some(|| (events.subscribers::<Opened>() == 0).then_some(()));
    let report = end(system);
    assert_eq!(report.dead_letters(), 0);
}

#[test]
fn subscribers_are_still_forgotten_after_somebody_stopped_everybody() {
    let system = system(2);
    let events = system.events();
    let (survivor, seen) = subscriber::<Opened>(&system, 1);
    // The one who watches them is among those who stop.
    system.call(0, |scope| scope.stop_all()).unwrap();
    await_some(|| (system.call(0, |scope| scope.stats().actors).unwrap() == 0).then_some(()));
    assert_eq!(events.subscribers::<Opened>(), 1);
    let (later, _) = subscriber::<Closed>(&system, 1);
    system.gateway().unwrap().publish(Opened(1));
    assert_eq!(next(&seen), Opened(1));
    system
        .call(1, move |scope| [survivor.address(), later.address()].map(|actor| scope.stop(actor)))
        .unwrap();
    await_some(|| (events.subscribers::<Opened>() + events.subscribers::<Closed>() == 0).then_some(()));
    end(system);
}

#[test]
fn an_event_that_nobody_subscribed_to_goes_nowhere() {
    let (system, census) = (system(2), Census::default());
    let mut gateway = system.gateway().unwrap();
    let publisher = puppet(&system, 0);
    let (_, seen) = subscriber::<Opened>(&system, 1);
    // Whoever watches it has been told to: at the latest in the turn between these two.
    (0..2).for_each(|_| system.call(0, |_| ()).unwrap());
    let counted = std::sync::Arc::new(census.one());
    for _ in 0..10 {
        gateway.publish(counted.clone());
        let event = counted.clone();
        publish(&mut gateway, publisher, event);
    }
    assert_eq!(std::sync::Arc::strong_count(&counted), 1, "it was dropped at once");
    // What the test told the publisher, and that the one subscriber is to be watched.
    assert_eq!(end(system).handled(), 10 + 1);
    assert!(seen.try_recv().is_err());
}

#[test]
fn events_of_one_publisher_arrive_in_order() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let (_, seen) = subscriber::<Opened>(&system, 1);
    let publisher = puppet(&system, 0);
    with(&mut gateway, publisher, |ctx| (0..500).for_each(|n| ctx.publish(Opened(n))));
    let all: Vec<_> = (0..500).map(|_| next(&seen).0).collect();
    assert!(all.is_sorted() && all[499] == 499);
    end(system);
}

/// Conformance 34: dropped and unhandled messages are among them.
#[test]
fn dead_letters_of_every_shard_are_published() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let (clerk, letters) = subscriber::<DeadLetter>(&system, 1);
    let teller = puppet(&system, 0);
    // Each shard has taken over the subscription when it has done what was asked of it after that.
    (0..2).for_each(|shard| system.call(shard, |_| ()).unwrap());
    for shard in 0..2 {
        let gone = puppet(&system, shard);
        with(&mut gateway, gone, |ctx| ctx.stop_self());
        tell(&mut gateway, gone, ());
        let letter = next(&letters);
        assert_eq!((letter.target, letter.reason), (gone.address(), DeadReason::NoActor));
    }
    with(&mut gateway, teller, |ctx| ctx.unhandled(().into()));
    assert_eq!(next(&letters).reason, DeadReason::Unhandled);
    with(&mut gateway, teller, |ctx| {
        let bounded = ctx.spawner().mailbox(1).group(Group::Bulk).spawn(Puppet::default()).unwrap();
        (0..2).for_each(|_| ctx.tell(bounded, ().into()));
    });
    assert_eq!(next(&letters).reason, DeadReason::MailboxFull);
    // A gateway's own.
    gateway.tell(ActorRef::nobody(), 1u8);
    let letter = next(&letters);
    assert_eq!((letter.message, letter.reason), ("u8", DeadReason::Unreachable));
    assert_eq!(system.gateway_dead_letters(), 1);

    assert!(system.events().unsubscribe(clerk));
    (0..2).for_each(|shard| system.call(shard, |_| ()).unwrap());
    with(&mut gateway, teller, |ctx| ctx.unhandled(().into()));
    gateway.tell(ActorRef::nobody(), 1u8);
    end(system);
    assert!(letters.try_recv().is_err());
}

#[test]
fn a_clerk_that_is_gone_is_told_no_dead_letters_any_more() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let (clerk, _) = subscriber::<DeadLetter>(&system, 1);
    let teller = puppet(&system, 0);
    with(&mut gateway, teller, move |ctx| ctx.stop(clerk));
    await_some(|| (system.events().subscribers::<DeadLetter>() == 0).then_some(()));
    (0..2).for_each(|shard| system.call(shard, |_| ()).unwrap());
    with(&mut gateway, teller, |ctx| (0..10).for_each(|_| ctx.unhandled(().into())));
    let report = end(system);
    assert_eq!(report.dead_letters(), 10, "no notices of dead letters among them");
}

#[test]
fn a_clone_that_panics_is_the_publishers_failure() {
    struct Fragile;
    impl Clone for Fragile {
        fn clone(&self) -> Fragile {
            panic!("no copies")
        }
    }
    common::hush();
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let (gone, notices) = channel();
    let (watcher, publisher) = (Puppet::default().notices(gone).on(&system, 0), puppet(&system, 1));
    common::watch(&system, &mut gateway, watcher, publisher);
    let subscribers = [0, 1].map(|shard| subscriber::<Fragile>(&system, shard));
    tell(&mut gateway, publisher, Job::run(|ctx| ctx.publish(Fragile)));
    assert_eq!(common::failure(&next(&notices)), "panic: no copies");
    for (subscriber, _) in subscribers {
        assert!(system.events().unsubscribe(subscriber));
    }
    end(system);
}

#[test]
fn a_system_that_ends_takes_no_subscriptions() {
    let system = builder(1).start().unwrap();
    let handle = (*system).clone();
    let (actor, _) = relay::<Opened>(&handle, 0);
    end(system);
    assert_eq!(handle.events().subscribe(actor), Err(CallError::ShuttingDown));
    assert_eq!(handle.events().subscribers::<Opened>(), 0);
}

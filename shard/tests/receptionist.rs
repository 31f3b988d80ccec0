//! The receptionist: who is registered for a key is found by it, and whoever subscribed hears of changes.

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};

use common::{Job, await_some, builder, end, next, puppet, system, with};
use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
use corelane_shard::{CallError, Handle, Key, Listing, On, Receptionist};

const WORKERS: Key<Job> = Key::new("workers");

/// Passes on the listings that it is told.
struct Reader(Sender<Listing<Job>>);

impl Actor for Reader {
    type Msg = Listing<Job>;
    fn receive(&mut self, listing: Listing<Job>, _: &mut Ctx<'_, Self>) -> Outcome {
        // A test that no longer listens has seen enough.
        let _ = self.0.send(listing);
        Ok(())
    }
}

fn reader(system: &Handle, shard: usize) -> (ActorRef<Listing<Job>>, Receiver<Listing<Job>>) {
    let (listings, read) = channel();
    (system.spawn_on(On::Shard(shard), move || Reader(listings.clone())).unwrap(), read)
}

/// Reads until just these are listed.
fn read_until(read: &Receiver<Listing<Job>>, expected: &[ActorRef<Job>]) {
    while next(read).actors() != expected {}
}

fn find_until(receptionist: &Receptionist, expected: &[ActorRef<Job>]) {
    await_some(|| (receptionist.find(&WORKERS).actors() == expected).then_some(()));
}

/// Conformance 24.
#[test]
fn who_is_registered_is_found_at_once_and_in_order() {
    let system = system(3);
    let receptionist = system.receptionist();
    assert_eq!(receptionist.find(&WORKERS).actors(), []);
    let workers: Vec<_> = (0..6).map(|n| puppet(&system, n % 3)).collect();
    for n in 0..6 {
        receptionist.register(&WORKERS, workers[n]).unwrap();
        receptionist.register(&WORKERS, workers[n]).unwrap();
        assert_eq!(receptionist.find(&WORKERS).actors(), &workers[..=n]);
    }
    assert!(receptionist.deregister(&WORKERS, workers[2]));
    assert!(!receptionist.deregister(&WORKERS, workers[2]));
    let left = [0, 1, 3, 4, 5].map(|n| workers[n]);
    assert_eq!(receptionist.find(&WORKERS).actors(), left);
    end(system);
}

#[test]
fn a_key_is_its_name_together_with_its_type() {
    let system = system(1);
    let (receptionist, worker) = (system.receptionist(), puppet(&system, 0));
    receptionist.register(&WORKERS, worker).unwrap();
    assert_eq!(receptionist.find(&Key::<Job>::of("workers".to_owned())).actors(), [worker]);
    assert_eq!(receptionist.find(&Key::<Job>::new("others")).actors(), []);
    assert_eq!(receptionist.find(&Key::<u64>::new("workers")).actors(), []);
    assert_eq!(Key::<Job>::of("workers"), WORKERS);
    assert!(format!("{WORKERS:?}").starts_with("Key(\"workers\", "));
    end(system);
}

#[test]
fn a_subscriber_hears_who_is_registered_and_then_of_every_change() {
    let system = system(3);
    let mut gateway = system.gateway().unwrap();
    let receptionist = system.receptionist();
    let [a, b] = [1, 2].map(|shard| puppet(&system, shard));
    let (early, read_early) = reader(&system, 2);
    receptionist.subscribe(&WORKERS, early).unwrap();
    assert_eq!(next(&read_early).actors(), [], "nobody yet");
    receptionist.register(&WORKERS, a).unwrap();
    read_until(&read_early, &[a]);
    receptionist.register(&WORKERS, b).unwrap();
    read_until(&read_early, &[a, b]);
    let (late, read_late) = reader(&system, 0);
    receptionist.subscribe(&WORKERS, late).unwrap();
    receptionist.subscribe(&WORKERS, late).unwrap();
    assert_eq!(next(&read_late).actors(), [a, b]);
    with(&mut gateway, a, |ctx| ctx.stop_self());
    read_until(&read_early, &[b]);
    read_until(&read_late, &[b]);
    assert!(receptionist.unsubscribe(&WORKERS, early));
    assert!(!receptionist.unsubscribe(&WORKERS, early));
    receptionist.deregister(&WORKERS, b);
    read_until(&read_late, &[]);
    end(system);
    assert!(read_early.try_recv().is_err(), "it has unsubscribed");
    assert!(read_late.try_recv().is_err(), "each state is told once");
}

#[test]
fn registrations_vanish_with_their_actors_on_every_shard() {
    let system = system(3);
    let mut gateway = system.gateway().unwrap();
    let receptionist = system.receptionist();
    let others = Key::<Job>::new("others");
    let workers: Vec<_> = (0..6).map(|n| puppet(&system, n % 3)).collect();
    for worker in &workers {
        receptionist.register(&WORKERS, *worker).unwrap();
        receptionist.register(&others, *worker).unwrap();
    }
    for n in 0..6 {
        with(&mut gateway, workers[n], |ctx| ctx.stop_self());
        find_until(&receptionist, &workers[n + 1..]);
        assert_eq!(receptionist.find(&others).actors(), &workers[n + 1..]);
    }
    // One that is gone already does not stay.
    receptionist.register(&WORKERS, workers[0]).unwrap();
    find_until(&receptionist, &[]);
    end(system);
}

#[test]
fn an_actor_that_fails_vanishes_like_one_that_stops() {
    common::hush();
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let receptionist = system.receptionist();
    let workers = [0, 1].map(|shard| puppet(&system, shard));
    for worker in workers {
        receptionist.register(&WORKERS, worker).unwrap();
    }
    common::tell(&mut gateway, workers[0], Job::new(|_| Err(std::fmt::Error.into())));
    find_until(&receptionist, &workers[1..]);
    common::tell(&mut gateway, workers[1], Job::run(|_| panic!("worker")));
    find_until(&receptionist, &[]);
    end(system);
}

#[test]
fn a_subscriber_that_is_gone_is_told_nothing_any_more() {
    let system = system(2);
    let receptionist = system.receptionist();
    let (gone, read) = reader(&system, 1);
    receptionist.subscribe(&WORKERS, gone).unwrap();
    next(&read);
    system.call(1, move |scope| scope.stop(gone)).unwrap();
    assert!(read.recv_timeout(common::LONG).is_err(), "the channel ends with the actor");
    await_some(|| (!receptionist.unsubscribe(&WORKERS, gone)).then_some(()));
    receptionist.register(&WORKERS, puppet(&system, 0)).unwrap();
    assert_eq!(end(system).dead_letters(), 0);
}

#[test]
fn many_changes_at_once_end_in_the_newest_state_for_everybody() {
    let system = system(3);
    let receptionist = system.receptionist();
    let readers: Vec<_> = (0..3).map(|shard| reader(&system, shard)).collect();
    for (actor, _) in &readers {
        receptionist.subscribe(&WORKERS, *actor).unwrap();
    }
    let workers: Vec<_> = (0..120).map(|n| puppet(&system, n % 3)).collect();
    std::thread::scope(|threads| {
        for part in workers.chunks(30) {
            let receptionist = &receptionist;
            threads.spawn(move || {
                for worker in part {
                    receptionist.register(&WORKERS, *worker).unwrap();
                }
            });
        }
    });
    let all = receptionist.find(&WORKERS);
    assert_eq!(all.actors().len(), 120);
    for (_, read) in &readers {
        let mut most = 0;
        loop {
            let listing = next(read);
            assert!(listing.actors().len() >= most, "an older state never comes after a newer one");
            assert_eq!(listing.actors(), &all.actors()[..listing.actors().len()]);
            most = listing.actors().len();
            if most == 120 {
                break;
            }
        }
    }
    // The end of the workers would be told as well.
    assert!(readers.iter().all(|(actor, _)| receptionist.unsubscribe(&WORKERS, *actor)));
    end(system);
    assert!(readers.iter().all(|(_, read)| read.try_recv().is_err()), "each state is told once");
}

#[test]
fn a_system_that_ends_takes_no_registrations() {
    let system = builder(1).start().unwrap();
    let (handle, worker) = ((*system).clone(), puppet(&system, 0));
    let (subscriber, _) = reader(&system, 0);
    end(system);
    let receptionist = handle.receptionist();
    assert_eq!(receptionist.register(&WORKERS, worker), Err(CallError::ShuttingDown));
    assert_eq!(receptionist.subscribe(&WORKERS, subscriber), Err(CallError::ShuttingDown));
    assert_eq!(receptionist.find(&WORKERS).actors(), []);
}

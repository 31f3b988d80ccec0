//! What ends a wait of a reactor.

use std::time::Duration;

use super::rig::{Rig, pattern, small};
use super::{Open, on_every_backend};
use crate::reactor::ReactorConfig;

fn a_wake_up_ends_a_wait_before_and_after_it_begins(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let waker = rig.reactor.waker();
    // Each of these waits would last for ever.
    for _ in 0..10 {
        waker.wake();
        waker.wake();
        rig.reactor.park(None);
        rig.turn();
    }
    let (ask, asked) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        for () in asked {
            waker.wake();
        }
    });
    for _ in 0..100 {
        // Wake-ups so far may have been kept for one more wait.
        ask.send(()).unwrap();
        rig.reactor.park(None);
        rig.turn();
    }
    drop(ask);
    other.join().unwrap();
    rig.end();
}

fn a_wait_for_several_ends_with_one_that_comes_alone(open: Open) {
    let Some(mut rig) = Rig::new(open, &ReactorConfig { coalesce: Duration::from_millis(2), ..small() })
    else {
        return;
    };
    let (listener, address) = rig.listen();
    let clients: Vec<_> = (0..20).map(|_| rig.connect(&address)).collect();
    rig.until("accepted", |rig| rig.of(listener).accepted.len() == 20);
    let servers = rig.of(listener).accepted.clone();
    for round in 1..=50 {
        // All at once, then one alone, for which there is nothing to wait with: it comes though more were expected.
        clients.iter().for_each(|client| rig.reactor.write(*client, pattern(100), None).unwrap());
        rig.until("all have come", |rig| {
            servers.iter().map(|server| rig.of(*server).received.len()).sum::<usize>() == round * 2_100 - 100
        });
        rig.reactor.write(clients[0], pattern(100), None).unwrap();
        let before: usize = servers.iter().map(|server| rig.of(*server).received.len()).sum();
        while servers.iter().map(|server| rig.of(*server).received.len()).sum::<usize>() == before {
            rig.reactor.park(None);
            rig.turn();
        }
    }
    rig.end();
}

on_every_backend!(
    a_wake_up_ends_a_wait_before_and_after_it_begins,
    a_wait_for_several_ends_with_one_that_comes_alone,
);

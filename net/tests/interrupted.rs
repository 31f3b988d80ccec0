//! Signals interrupt a reactor's waits and calls: that is normal, it is counted, and nothing is lost or done twice.
#![cfg(unix)]
#![allow(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use corelane_net::reactor::{Choice, EventKind, Options, Reactor, ReactorConfig};

extern "C" fn ignore(_: libc::c_int) {}

/// Has a signal interrupt system calls, and do nothing else.
fn handle(signal: libc::c_int) {
    // SAFETY: an action of zeros is valid; the handler does nothing, so it may run at any time. Without `SA_RESTART`, calls are
    // not begun anew.
    let done = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as libc::sighandler_t;
        libc::sigaction(signal, &action, std::ptr::null_mut())
    };
    assert_eq!(done, 0);
}

#[test]
fn waits_and_calls_that_are_interrupted_lose_nothing() {
    handle(libc::SIGUSR1);
    for backend in [Choice::Uring, Choice::Poll] {
        let config = ReactorConfig { backend, send_bytes: 2 << 20, ..ReactorConfig::default() };
        let Ok(mut reactor) = Reactor::open(&config) else {
            println!("SKIPPED: {backend:?} is not permitted here");
            continue;
        };
        // SAFETY: it names this thread, which outlives the other.
        let here = unsafe { libc::pthread_self() };
        let over = Arc::new(AtomicBool::new(false));
        let is_over = over.clone();
        let other = std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                // SAFETY: the thread runs until this one has been joined.
                unsafe { libc::pthread_kill(here, libc::SIGUSR1) };
                std::thread::yield_now();
            }
        });
        // Nothing but signals ends these waits.
        while reactor.counters().interrupted < 100 {
            reactor.park(None);
            reactor.turn();
        }
        let options = Options::default();
        let listener = reactor.listen(&"127.0.0.1:0".parse().unwrap(), &options).unwrap();
        let client = reactor.connect(&reactor.local_address(listener).unwrap(), &options).unwrap();
        let said: Vec<u8> = (0..1_000_000).map(|n| (n / 7) as u8).collect();
        for piece in said.chunks(1_000) {
            reactor.write(client, piece.to_vec(), None).unwrap();
        }
        reactor.finish(client);
        let (mut heard, mut finished) = (Vec::new(), false);
        while !finished {
            reactor.park(None);
            reactor.turn();
            while let Some(event) = reactor.next_event() {
                match event.kind {
                    EventKind::Accepted(socket) => reactor.resume(socket),
                    EventKind::Received(bytes) => heard.extend_from_slice(&bytes),
                    EventKind::Finished => finished = true,
                    EventKind::Failed(error) => panic!("{backend:?}: {error}"),
                    _ => {}
                }
            }
        }
        over.store(true, Ordering::Relaxed);
        other.join().unwrap();
        assert!(heard == said, "{backend:?}");
        assert_eq!(reactor.counters().stale, 0);
    }
}

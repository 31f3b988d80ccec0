//! A process that has used up its descriptors: a listener says so, rests, and goes on when there are some again. In a child, since
//! the limit is the whole process's.
#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

use std::fs::File;
use std::net::TcpStream;
use std::process::Command;

use corelane_net::reactor::{Choice, EventKind, Options, Reactor, ReactorConfig};

/// Set in the child.
const CHILD: &str = "CORELANE_TEST_WITHOUT_DESCRIPTORS";

fn limit_descriptors(to: u64) {
    let limit = libc::rlimit { rlim_cur: to, rlim_max: to };
    // SAFETY: the limit is valid, and read during the call only.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
}

/// Goes on until an event is one that `wanted` takes.
fn await_event<T>(reactor: &mut Reactor, mut wanted: impl FnMut(EventKind) -> Option<T>) -> T {
    loop {
        reactor.park(None);
        reactor.turn();
        while let Some(event) = reactor.next_event() {
            if let Some(found) = wanted(event.kind) {
                return found;
            }
        }
    }
}

fn run_out(backend: Choice) {
    let Ok(mut reactor) = Reactor::open(&ReactorConfig { backend, ..ReactorConfig::default() }) else {
        return;
    };
    let listener = reactor.listen(&"127.0.0.1:0".parse().unwrap(), &Options::default()).unwrap();
    let address = reactor.local_address(listener).unwrap().ip().unwrap();
    let mut others: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    others.pop();
    // It connects, as far as the operating system is concerned; accepted it cannot be.
    let client = TcpStream::connect(address).unwrap();
    let error = await_event(&mut reactor, |event| match event {
        EventKind::NotAccepted(error) => Some(error),
        _ => None,
    });
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    // It rests, and does not spin.
    reactor.turn();
    assert!(reactor.next_event().is_none());
    assert_eq!(reactor.in_flight(), 0);
    drop(others);
    reactor.resume(listener);
    await_event(&mut reactor, |event| matches!(event, EventKind::Accepted(_)).then_some(()));
    drop(client);
}

#[test]
fn a_listener_without_descriptors_rests_until_it_is_resumed() {
    if std::env::var(CHILD).is_err() {
        let name = "a_listener_without_descriptors_rests_until_it_is_resumed";
        let child =
            Command::new(std::env::current_exe().unwrap()).args(["--exact", name]).env(CHILD, "1").output();
        let child = child.unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        return;
    }
    // The self-test first, which needs some as well.
    drop(Reactor::open(&ReactorConfig::default()));
    limit_descriptors(64);
    run_out(Choice::Poll);
    run_out(Choice::Uring);
}

//! The contract's tests. Each runs against every backend: what one does, all do.

mod bounds;
#[cfg(target_os = "linux")]
mod coalescing;
mod conversations;
#[cfg(target_os = "linux")]
mod direct;
mod faults;
mod kinds;
mod ownership;
mod rig;
#[cfg(target_os = "linux")]
mod special;
mod waiting;
#[cfg(target_os = "linux")]
mod zero_copy;

use super::sim::{Network, NetworkOptions};
use super::{Choice, Reactor, ReactorConfig};

/// Opens a reactor on one of the backends, or says that this machine does not permit it.
type Open = fn(&ReactorConfig) -> Option<Reactor>;

fn open_uring(config: &ReactorConfig) -> Option<Reactor> {
    let config = ReactorConfig { backend: Choice::Uring, ..config.clone() };
    match Reactor::open(&config) {
        Ok(reactor) => Some(reactor),
        Err(error) => {
            println!("SKIPPED: {error}");
            None
        }
    }
}

/// io_uring, set up for a test.
#[cfg(target_os = "linux")]
fn open_uring_with(
    config: &ReactorConfig,
    name: &str,
    set_up: fn(&mut super::uring::Uring),
) -> Option<Reactor> {
    drop(open_uring(config)?);
    let mut backend = super::uring::Uring::open(config, &super::uring::OPERATIONS).unwrap();
    set_up(&mut backend);
    Some(Reactor::on(Box::new(backend), config, name.to_owned()))
}

/// io_uring, with the descriptor of each socket registered before its first operation.
fn open_registered(config: &ReactorConfig) -> Option<Reactor> {
    #[cfg(target_os = "linux")]
    return open_uring_with(config, "registered", super::uring::Uring::register_at_once);
    #[cfg(not(target_os = "linux"))]
    open_uring(config)
}

/// io_uring, of which each stream that brings something is received from without it.
fn open_direct(config: &ReactorConfig) -> Option<Reactor> {
    #[cfg(target_os = "linux")]
    return open_uring_with(config, "direct", super::uring::Uring::receive_at_once);
    #[cfg(not(target_os = "linux"))]
    open_uring(config)
}

fn open_poll(config: &ReactorConfig) -> Option<Reactor> {
    let config = ReactorConfig { backend: Choice::Poll, ..config.clone() };
    Some(Reactor::open(&config).unwrap())
}

fn open_simulated(config: &ReactorConfig) -> Option<Reactor> {
    let network = Network::new(1, NetworkOptions::default());
    Some(network.reactor([10, 0, 0, 1].into(), config))
}

/// Runs tests against all backends.
macro_rules! on_every_backend {
    ($($test:ident),* $(,)?) => {
        mod uring { $( #[test] fn $test() { super::$test(crate::reactor::suite::open_uring) } )* }
        mod registered { $( #[test] fn $test() { super::$test(crate::reactor::suite::open_registered) } )* }
        mod direct { $( #[test] fn $test() { super::$test(crate::reactor::suite::open_direct) } )* }
        mod poll { $( #[test] fn $test() { super::$test(crate::reactor::suite::open_poll) } )* }
        mod simulated { $( #[test] fn $test() { super::$test(crate::reactor::suite::open_simulated) } )* }
    };
}
use on_every_backend;

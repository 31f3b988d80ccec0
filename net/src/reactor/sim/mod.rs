//! A simulated network: streams and datagrams between hosts in memory, on a virtual clock, with everything that varies
//! drawn from one seed.
//!
//! Bytes arrive late, in pieces and after a while, windows fill, connections break, datagrams are lost, repeated and
//! overtake one another; the same seed gives the same. Each host has a [reactor](Network::reactor) (or several), which is used as any other.
//! The clock stands still while reactors work: a reactor that [parks](super::Reactor::park) moves it on to the next thing that
//! happens; so does a simulator, by [`Network::advance_to`].

mod backend;
mod traffic;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::{Rc, Weak};
use std::time::Duration;

pub(super) use backend::Simulated;
pub(super) use traffic::End;
use traffic::Traffic;

use super::config::ReactorConfig;
use super::engine::Reactor;

/// How a simulated network behaves.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// How long something is under way. 10 to 100 µs by default.
    pub delay: Range<Duration>,
    /// Bytes that a stream holds, sent and not yet received, until its sender has to wait. 64 KiB by default.
    pub window: usize,
    /// One in so many sends takes, and one in so many receives gives, less than it could. 2 by default; 0 is never.
    pub short_one_in: u32,
    /// One in so many sends breaks its connection. 0, never, by default.
    pub reset_one_in: u32,
    /// One in so many datagrams is lost. 0 by default.
    pub lose_one_in: u32,
    /// One in so many datagrams comes twice. 0 by default.
    pub repeat_one_in: u32,
}

impl Default for NetworkOptions {
    fn default() -> NetworkOptions {
        NetworkOptions {
            delay: Duration::from_micros(10)..Duration::from_micros(100),
            window: 64 << 10,
            short_one_in: 2,
            reset_one_in: 0,
            lose_one_in: 0,
            repeat_one_in: 0,
        }
    }
}

/// A simulated network. Clones are the same one. Lives on one thread.
#[derive(Clone)]
pub struct Network {
    traffic: Rc<RefCell<Traffic>>,
}

impl Network {
    /// A network in which everything that varies is drawn from the seed.
    pub fn new(seed: u64, options: NetworkOptions) -> Network {
        Network { traffic: Rc::new(RefCell::new(Traffic::new(seed, options))) }
    }

    /// A reactor on a host of the network. Loopback and unspecified addresses are the host's own; the backend that is asked
    /// for is ignored.
    pub fn reactor(&self, host: IpAddr, config: &ReactorConfig) -> Reactor {
        let backend = Simulated::new(self.traffic.clone(), host, config);
        Reactor::on(Box::new(backend), config, format!("simulated, on {host}"))
    }

    /// The network of this thread that has this number: made by whoever asks first, and gone when nobody uses it any more.
    pub(crate) fn shared(number: u64, options: &NetworkOptions) -> Network {
        thread_local! {
            static NETWORKS: RefCell<BTreeMap<u64, Weak<RefCell<Traffic>>>> = const { RefCell::new(BTreeMap::new()) };
        }
        NETWORKS.with_borrow_mut(|networks| {
            if let Some(traffic) = networks.get(&number).and_then(Weak::upgrade) {
                return Network { traffic };
            }
            let network = Network::new(number, options.clone());
            networks.insert(number, Rc::downgrade(&network.traffic));
            network
        })
    }

    /// What time it is, since the network was made.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.traffic.borrow().now)
    }

    /// When something happens next, if anything is under way.
    pub fn next_due(&self) -> Option<Duration> {
        self.traffic.borrow().next_due().map(Duration::from_nanos)
    }

    /// Lets time pass, and what was under way arrive.
    pub fn advance_to(&self, now: Duration) {
        self.traffic.borrow_mut().advance_to(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Network(at {:?})", self.now())
    }
}

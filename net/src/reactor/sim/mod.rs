//! A simulated network: streams and datagrams between hosts in memory, on a virtual clock, with everything that varies
//! drawn from one seed.
//!
//! Bytes arrive late, in pieces and after a while, windows fill, connections break, datagrams are lost, repeated and
//! overtake one another; ways between hosts are cut, one way or both, and mended; hosts lose their power. The same seed gives the
//! same. Each host has a [reactor](Network::reactor) (or several), which is used as any other.
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

use corelane_kernel::Time;
use corelane_shard::sim::{Moment, World};

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
    /// One in so many datagrams is lost, and one in so many pieces of a stream has to be sent again, so that all behind it is
    /// late. 0 by default.
    pub lose_one_in: u32,
    /// How long after that it is sent again; also what does not come through where a way is [cut](Network::cut). 200 ms to a
    /// second by default.
    pub retransmit: Range<Duration>,
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
            retransmit: Duration::from_millis(200)..Duration::from_secs(1),
            repeat_one_in: 0,
        }
    }
}

/// A simulated network. Clones are the same one. Lives on one thread.
#[derive(Clone)]
pub struct Network {
    traffic: Rc<RefCell<Traffic>>,
    /// A simulation moves it on.
    pub(crate) is_world: bool,
}

/// The network as a part of a simulation.
struct Ether {
    traffic: Rc<RefCell<Traffic>>,
}

impl World for Ether {
    fn next_time(&mut self, _: &Moment<'_>) -> Option<Time> {
        self.traffic.borrow().next_due().map(Time::from_nanos)
    }

    fn step(&mut self, moment: &Moment<'_>) {
        self.traffic.borrow_mut().advance_to(moment.now().as_nanos());
    }
}

impl Network {
    /// A network in which everything that varies is drawn from the seed.
    pub fn new(seed: u64, options: NetworkOptions) -> Network {
        Network { traffic: Rc::new(RefCell::new(Traffic::new(seed, options))), is_world: false }
    }

    /// A reactor on a host of the network. Loopback and unspecified addresses are the host's own; the backend that is asked
    /// for is ignored.
    pub fn reactor(&self, host: IpAddr, config: &ReactorConfig) -> Reactor {
        self.traffic.borrow_mut().switch_on(host);
        let backend = Simulated::new(self.traffic.clone(), host, config);
        Reactor::on(Box::new(backend), config, format!("simulated, on {host}"))
    }

    /// The network of this thread that has this number: made by whoever asks first, and gone when nobody uses it any more. Made
    /// in a [simulation](corelane_shard::sim) it is a world of that.
    pub fn shared(number: u64, options: &NetworkOptions) -> Network {
        type Known = (Weak<RefCell<Traffic>>, bool);
        thread_local! {
            static NETWORKS: RefCell<BTreeMap<u64, Known>> = const { RefCell::new(BTreeMap::new()) };
        }
        NETWORKS.with_borrow_mut(|networks| {
            networks.retain(|_, (traffic, _)| traffic.strong_count() > 0);
            if let Some((traffic, is_world)) = networks.get(&number)
                && let Some(traffic) = traffic.upgrade()
            {
                return Network { traffic, is_world: *is_world };
            }
            let mut network = Network::new(number, options.clone());
            let ether = Ether { traffic: network.traffic.clone() };
            network.is_world = corelane_shard::sim::add_world(ether).is_ok();
            networks.insert(number, (Rc::downgrade(&network.traffic), network.is_world));
            network
        })
    }

    /// How it behaves from here on.
    pub fn set_options(&self, options: NetworkOptions) {
        self.traffic.borrow_mut().set_options(options);
    }

    /// Lets nothing that one host sends come to another, until the way is [mended](Network::mend). The other way stays as it
    /// is. What is sent over a stream meanwhile comes after that, as long as neither end gives up; a connection that cannot be
    /// made for long has timed out.
    pub fn cut(&self, from: IpAddr, to: IpAddr) {
        self.traffic.borrow_mut().cut(from, to, true);
    }

    /// Mends what was [cut](Network::cut).
    pub fn mend(&self, from: IpAddr, to: IpAddr) {
        self.traffic.borrow_mut().cut(from, to, false);
    }

    /// Mends all that was cut.
    pub fn mend_all(&self) {
        self.traffic.borrow_mut().mend_all();
    }

    /// Breaks every connection between two hosts: both ends hear of it, as from a firewall that lost its state. Each does by
    /// itself: before what is under way to it, which is lost, or behind that, or as late as something is sent again.
    pub fn reset(&self, one: IpAddr, other: IpAddr) {
        self.traffic.borrow_mut().reset(one, other);
    }

    /// Takes the power from a host: nobody is told, and what is sent there is lost, until a [reactor](Network::reactor) is made
    /// there again. The sockets it had are good for nothing. A process that is killed needs no such thing: its reactor is
    /// dropped, and its connections end.
    pub fn switch_off(&self, host: IpAddr) {
        self.traffic.borrow_mut().switch_off(host);
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

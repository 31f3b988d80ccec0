//! Peers: what a host knows of the others, on all its shards together.
//!
//! A host is known by its **node**, which follows from its system's name and its public address, and has lives, one after the
//! other. Each life has a realm of its own in this process, whichever shard's link heard of it first, so that one actor has
//! one address on all shards. When a link has met a life, all others of that node are over: their realms lead nowhere, and
//! what they still say is not listened to. One that says goodbye is over a little later, so that its last words are heard on all
//! links; only nothing new leads there.
//!
//! What a life has said last may come when its successor has long been met: a connection outlives its process, and waits where
//! a way is cut. Numbers of lives have no order; but one process follows the other at one address, so the life whose
//! connection was made later is the later one. Connections are numbered for that, over all shards.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane_kernel::ForeignRealm;

use crate::codec::{self, Peer};
use crate::link::GRAVES_MAX;
use crate::wire::NODE_FIRST;

/// Lives of one node that nobody has met, but other hosts have named.
const RUMOURS_MAX: usize = 4;

/// The node of a host.
pub(crate) fn node_of(system: &str, public: SocketAddr) -> u64 {
    codec::type_hash(&format!("corelane://{system}@{public}")).max(NODE_FIRST)
}

/// Why there is no realm for a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoLife {
    /// It was followed by another.
    Over,
    /// Too many hosts, or too many realms.
    TooMany,
}

#[derive(Default)]
struct Node {
    address: Option<SocketAddr>,
    /// The life that was met, or those that were named.
    lives: Vec<Arc<Peer>>,
    /// The life that was met, unless it is over.
    met: Option<u64>,
    /// It has said goodbye on one of its links.
    parts: bool,
    /// The newest connection over which a life was met.
    newest: u64,
    graves: VecDeque<u64>,
}

#[derive(Default)]
struct Table {
    nodes: HashMap<u64, Node>,
    by_realm: HashMap<u32, Arc<Peer>>,
}

/// See the module.
pub(crate) struct Peers {
    table: Mutex<Table>,
    /// Counts the lives that are over, and goodbyes, so that each shard can see whether there is news.
    ends: AtomicU64,
    connections: AtomicU64,
    hosts_max: usize,
}

impl Node {
    fn bury(&mut self, incarnation: u64) {
        if self.graves.len() >= GRAVES_MAX {
            self.graves.pop_front();
        }
        self.graves.push_back(incarnation);
    }

    /// Whether a life that speaks over this connection is no older than the one that was met.
    fn may_meet(&self, incarnation: u64, connection: u64) -> bool {
        !self.graves.contains(&incarnation) && (self.met == Some(incarnation) || connection >= self.newest)
    }
}

impl Table {
    fn live(&mut self, node: u64, incarnation: u64) -> Result<Arc<Peer>, NoLife> {
        let entry = self.nodes.entry(node).or_default();
        if let Some(known) = entry.lives.iter().find(|life| life.incarnation() == incarnation) {
            return Ok(known.clone());
        }
        let realm = ForeignRealm::new().map_err(|_| NoLife::TooMany)?;
        let number = realm.realm();
        let peer = Arc::new(Peer::new(node, incarnation, realm).map_err(|_| NoLife::TooMany)?);
        entry.lives.push(peer.clone());
        self.by_realm.insert(number, peer.clone());
        Ok(peer)
    }

    fn bury(&mut self, node: u64, which: impl Fn(u64) -> bool) -> u64 {
        let Some(entry) = self.nodes.get_mut(&node) else { return 0 };
        let (over, left) = std::mem::take(&mut entry.lives)
            .into_iter()
            .partition::<Vec<_>, _>(|life| which(life.incarnation()));
        entry.lives = left;
        for life in &over {
            self.by_realm.remove(&life.realm().realm());
            // One that was only named may be the next.
            if entry.met == Some(life.incarnation()) {
                (entry.met, entry.parts) = (None, false);
                entry.bury(life.incarnation());
            }
        }
        over.len() as u64
    }
}

impl Peers {
    pub(crate) fn new(hosts_max: usize) -> Peers {
        Peers { table: Mutex::default(), ends: AtomicU64::new(0), connections: AtomicU64::new(0), hosts_max }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No foreign code runs while the lock is held.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a connection that is there now.
    pub(crate) fn connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether a life that speaks over this connection may be met.
    pub(crate) fn may_meet(&self, node: u64, incarnation: u64, connection: u64) -> bool {
        self.lock().nodes.get(&node).is_none_or(|entry| entry.may_meet(incarnation, connection))
    }

    /// A link has met this life over this connection: all others of the node are over.
    pub(crate) fn meet(&self, node: u64, incarnation: u64, connection: u64) -> Result<Arc<Peer>, NoLife> {
        let mut table = self.lock();
        if table.nodes.get(&node).is_some_and(|entry| !entry.may_meet(incarnation, connection)) {
            return Err(NoLife::Over);
        }
        if table.nodes.len() >= self.hosts_max && !table.nodes.contains_key(&node) {
            return Err(NoLife::TooMany);
        }
        let peer = table.live(node, incarnation)?;
        let entry = table.nodes.entry(node).or_default();
        entry.newest = entry.newest.max(connection);
        if entry.met == Some(incarnation) {
            return Ok(peer);
        }
        let over = table.bury(node, |life| life != incarnation);
        table.nodes.entry(node).or_default().met = Some(incarnation);
        self.ends.fetch_add(over, Ordering::Release);
        Ok(peer)
    }

    /// This life is over.
    pub(crate) fn bury(&self, node: u64, incarnation: u64) {
        let over = self.lock().bury(node, |life| life == incarnation);
        self.ends.fetch_add(over, Ordering::Release);
    }

    /// The life that was met has said goodbye on one of its links: nothing new leads there. Says whether that is news.
    pub(crate) fn part(&self, node: u64, incarnation: u64) -> bool {
        let mut table = self.lock();
        let table = &mut *table;
        let Some(entry) = table.nodes.get_mut(&node).filter(|entry| entry.met == Some(incarnation)) else {
            return false;
        };
        if std::mem::replace(&mut entry.parts, true) {
            return false;
        }
        for life in entry.lives.iter().filter(|life| life.incarnation() == incarnation) {
            table.by_realm.remove(&life.realm().realm());
        }
        self.ends.fetch_add(1, Ordering::Release);
        true
    }

    /// Whether a life is known to be over for a link. One that has said goodbye on another is not, as long as the link is open.
    pub(crate) fn is_over(&self, node: u64, incarnation: u64, is_open: bool) -> bool {
        self.lock().nodes.get(&node).is_some_and(|entry| {
            let parts = entry.parts && entry.met == Some(incarnation);
            entry.graves.contains(&incarnation) || (parts && !is_open)
        })
    }

    /// How many lives have ended or said goodbye.
    pub(crate) fn ends(&self) -> u64 {
        self.ends.load(Ordering::Acquire)
    }

    /// The life with this realm, unless it is over or has said goodbye.
    pub(crate) fn by_realm(&self, realm: u32) -> Option<Arc<Peer>> {
        self.lock().by_realm.get(&realm).cloned()
    }

    /// The life that another host names. It may be one that nobody here has met.
    pub(crate) fn named(&self, node: u64, incarnation: u64) -> Option<Arc<Peer>> {
        let mut table = self.lock();
        match table.nodes.get(&node) {
            Some(entry) if entry.graves.contains(&incarnation) => return None,
            Some(entry) if entry.lives.len() >= RUMOURS_MAX => {
                return entry.lives.iter().find(|life| life.incarnation() == incarnation).cloned();
            }
            None if table.nodes.len() >= self.hosts_max => return None,
            _ => {}
        }
        table.live(node, incarnation).ok()
    }

    /// Where a host can be reached.
    pub(crate) fn address(&self, node: u64) -> Option<SocketAddr> {
        self.lock().nodes.get(&node)?.address
    }

    /// A host, whose node was made from this address, can be reached there. Says whether there is room to know it.
    pub(crate) fn note_address(&self, node: u64, address: SocketAddr) -> bool {
        let mut table = self.lock();
        if table.nodes.len() >= self.hosts_max && !table.nodes.contains_key(&node) {
            return false;
        }
        table.nodes.entry(node).or_default().address = Some(address);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_has_one_realm_until_another_is_met() {
        let peers = Peers::new(8);
        let first = peers.meet(10, 1, 0).unwrap();
        let realm = first.realm().realm();
        assert_eq!(peers.meet(10, 1, 1).unwrap().realm().realm(), realm);
        assert_eq!(peers.named(10, 1).unwrap().realm().realm(), realm);
        assert_eq!((peers.by_realm(realm).is_some(), peers.ends()), (true, 0));

        let second = peers.meet(10, 2, 2).unwrap();
        assert_ne!(second.realm().realm(), realm);
        assert_eq!(
            (peers.by_realm(realm).is_none(), peers.is_over(10, 1, true), peers.ends()),
            (true, true, 1)
        );
        assert_eq!(peers.meet(10, 1, 3).unwrap_err(), NoLife::Over);
        assert!(peers.named(10, 1).is_none());
    }

    #[test]
    fn a_life_that_was_named_is_the_one_that_is_met_and_rumours_are_bounded() {
        let peers = Peers::new(8);
        let named = peers.named(10, 7).unwrap();
        for life in 100..200 {
            let _ = peers.named(10, life);
        }
        assert_eq!(peers.lock().by_realm.len(), RUMOURS_MAX);
        assert_eq!(peers.meet(10, 7, 0).unwrap().realm().realm(), named.realm().realm());
        assert_eq!(peers.lock().by_realm.len(), 1);
        for node in 11..100 {
            let _ = peers.named(node, 1);
        }
        assert_eq!(peers.lock().nodes.len(), 8);
    }

    #[test]
    fn the_life_whose_connection_was_made_later_is_the_later_one() {
        let peers = Peers::new(8);
        let (before, between, after) = (peers.connection(), peers.connection(), peers.connection());
        peers.meet(10, 1, between).unwrap();
        // What a former life has said comes late, over a connection of its own.
        assert!(!peers.may_meet(10, 2, before));
        assert_eq!(peers.meet(10, 2, before).unwrap_err(), NoLife::Over);
        assert!(peers.may_meet(10, 1, before) && !peers.is_over(10, 1, true));
        peers.meet(10, 3, after).unwrap();
        assert!(peers.is_over(10, 1, true));
        // Also when its successor has left.
        peers.bury(10, 3);
        assert!(!peers.may_meet(10, 2, before) && peers.is_over(10, 3, true));
        assert!(peers.may_meet(10, 4, peers.connection()));
    }

    #[test]
    fn a_life_that_was_only_named_may_be_the_next() {
        let peers = Peers::new(8);
        let named = peers.named(10, 7).unwrap().realm().realm();
        peers.meet(10, 1, 0).unwrap();
        assert!(peers.by_realm(named).is_none() && !peers.is_over(10, 7, true));
        let again = peers.named(10, 7).unwrap().realm().realm();
        peers.meet(10, 1, 1).unwrap();
        assert_eq!(peers.meet(10, 7, 2).unwrap().realm().realm(), again);
        assert!(peers.is_over(10, 1, true));
    }

    #[test]
    fn a_life_that_says_goodbye_is_over_where_no_link_is_open_and_later_everywhere() {
        let peers = Peers::new(8);
        let realm = peers.meet(10, 1, 0).unwrap().realm().realm();
        assert!(!peers.part(10, 2) && peers.part(10, 1) && !peers.part(10, 1));
        assert_eq!((peers.ends(), peers.by_realm(realm).is_none()), (1, true));
        assert_eq!((peers.is_over(10, 1, true), peers.is_over(10, 1, false)), (false, true));
        // What it still says on other links is its own, and may name it.
        assert_eq!(peers.meet(10, 1, 1).unwrap().realm().realm(), realm);
        assert_eq!(peers.named(10, 1).unwrap().realm().realm(), realm);
        peers.bury(10, 1);
        assert!(peers.is_over(10, 1, true) && peers.named(10, 1).is_none() && peers.ends() == 2);
        assert_eq!(peers.meet(10, 1, 2).unwrap_err(), NoLife::Over);
        // Its successor has said nothing of the kind, and ends it sooner if it comes before.
        peers.meet(10, 2, 3).unwrap();
        assert!(!peers.is_over(10, 2, false) && peers.part(10, 2));
        peers.meet(10, 3, 4).unwrap();
        assert!(peers.is_over(10, 2, true) && !peers.is_over(10, 3, false));
    }

    #[test]
    fn a_node_follows_from_system_and_address() {
        let at = |text: &str| text.parse().unwrap();
        assert_eq!(node_of("shop", at("127.0.0.1:2552")), node_of("shop", at("127.0.0.1:2552")));
        assert_ne!(node_of("shop", at("127.0.0.1:2552")), node_of("shop", at("127.0.0.1:2553")));
        assert_ne!(node_of("shop", at("127.0.0.1:2552")), node_of("shops", at("127.0.0.1:2552")));
    }
}

//! The border between this host and one peer: whose realm is whose, and what of a peer's addresses to believe.
//!
//! A peer has a realm number of its own in this process for each of its associations, so its actors' addresses are plain
//! addresses of which the kernel says that they are elsewhere. Its word is taken for its own actors (nobody here looks
//! behind such an address); what it says of ours is checked against the census of the shard.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use corelane_kernel::{Address, Admitted, Border, Census, FarAddress, ForeignRealm, MessageKind, RawAddress};

use crate::wire::NODE_FIRST;

/// This host, as far as addresses go. One for each system, shared by all its shards.
#[derive(Debug)]
pub struct Home {
    node: u64,
    incarnation: u64,
    realm: u32,
    censuses: Box<[Arc<Census>]>,
}

/// Why a host's numbers or censuses are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHost(&'static str);

impl fmt::Display for NoHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NoHost {}

fn check(node: u64, incarnation: u64) -> Result<(), NoHost> {
    match () {
        () if node < NODE_FIRST => Err(NoHost("nodes below 3 are no hosts")),
        () if incarnation == 0 => Err(NoHost("an incarnation is not 0")),
        () => Ok(()),
    }
}

impl Home {
    /// The host `node` in this `incarnation`, whose shards have these censuses, in order.
    ///
    /// # Errors
    /// [`NoHost`] for a node below 3, an incarnation of 0, and censuses that are not those of one realm's shards.
    pub fn new(node: u64, incarnation: u64, censuses: Vec<Arc<Census>>) -> Result<Home, NoHost> {
        check(node, incarnation)?;
        let realm = censuses.first().ok_or(NoHost("a host has a shard"))?.place().realm();
        let in_order = |(shard, census): (usize, &Arc<Census>)| {
            census.place().realm() == realm && census.place().shard() == shard
        };
        if !censuses.iter().enumerate().all(in_order) {
            return Err(NoHost("censuses of one realm, in the order of its shards"));
        }
        Ok(Home { node, incarnation, realm, censuses: censuses.into_boxed_slice() })
    }

    /// The census of a shard; `None` where the host has no such shard.
    pub fn census(&self, shard: usize) -> Option<&Arc<Census>> {
        self.censuses.get(shard)
    }

    fn census_of(&self, raw: RawAddress) -> Option<&Arc<Census>> {
        self.census(usize::try_from(raw.shard).ok()?)
    }
}

/// A peer in one association: node, incarnation, and the realm that its addresses have here.
#[derive(Debug)]
pub struct Peer {
    node: u64,
    incarnation: u64,
    realm: ForeignRealm,
}

impl Peer {
    /// The host `node` in this `incarnation`.
    ///
    /// # Errors
    /// [`NoHost`] for a node below 3 and an incarnation of 0.
    pub fn new(node: u64, incarnation: u64, realm: ForeignRealm) -> Result<Peer, NoHost> {
        check(node, incarnation)?;
        Ok(Peer { node, incarnation, realm })
    }

    /// The number of the host, which stays the same over its lives.
    pub fn node(&self) -> u64 {
        self.node
    }

    /// Which of the host's lives this is: another each time it starts.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The realm of its addresses.
    pub fn realm(&self) -> &ForeignRealm {
        &self.realm
    }
}

/// What is known of hosts that are neither end of a link, but whose actors' addresses pass over it.
pub trait Atlas {
    /// The peer whose addresses have this realm; `None` for one that has been given up.
    fn by_realm(&self, realm: u32) -> Option<Arc<Peer>>;

    /// The peer with these numbers, if it is known.
    fn by_host(&self, node: u64, incarnation: u64) -> Option<Arc<Peer>>;
}

/// The border of one link.
///
/// Addresses of hosts that nobody knows, and of former lives of this one, become nobody's: what is told to them is a dead
/// letter, as it would be there. Addresses of this host that no kernel of it made are refused, and the message with them.
pub struct Crossing {
    home: Arc<Home>,
    peer: Arc<Peer>,
    others: Option<Rc<dyn Atlas>>,
}

impl Crossing {
    /// The border between this host and a peer.
    pub fn new(home: Arc<Home>, peer: Arc<Peer>, others: Option<Rc<dyn Atlas>>) -> Crossing {
        Crossing { home, peer, others }
    }

    fn at_home(&self, far: FarAddress) -> Option<RawAddress> {
        match far {
            FarAddress::Receiver(raw) => Some(raw),
            FarAddress::Other { node, incarnation, raw }
                if node == self.home.node && incarnation == self.home.incarnation =>
            {
                Some(raw)
            }
            _ => None,
        }
    }

    /// The realm that an address from elsewhere gets, if its host is known.
    fn elsewhere(&self, far: FarAddress) -> Option<(Arc<Peer>, RawAddress)> {
        match far {
            FarAddress::Sender(raw) => Some((self.peer.clone(), raw)),
            FarAddress::Other { node, incarnation, raw } => {
                if (node, incarnation) == (self.peer.node, self.peer.incarnation) {
                    return Some((self.peer.clone(), raw));
                }
                Some((self.others.as_ref()?.by_host(node, incarnation)?, raw))
            }
            FarAddress::Nobody | FarAddress::Receiver(_) => None,
        }
    }
}

impl Border for Crossing {
    fn leave(&self, address: Address) -> Option<FarAddress> {
        let (place, raw) = (address.place(), address.to_raw());
        Some(match place.realm() {
            _ if address.is_nobody() => FarAddress::Nobody,
            realm if realm == self.home.realm => FarAddress::Sender(raw),
            realm if realm == self.peer.realm.realm() => FarAddress::Receiver(raw),
            realm => {
                let peer = self.others.as_ref()?.by_realm(realm)?;
                FarAddress::Other { node: peer.node, incarnation: peer.incarnation, raw }
            }
        })
    }

    fn enter(&self, far: FarAddress, kind: MessageKind) -> Option<Admitted> {
        if let Some(raw) = self.at_home(far) {
            return self.home.census_of(raw)?.admit_as(raw, kind).ok();
        }
        match self.elsewhere(far) {
            Some((peer, raw)) => peer.realm.admit_as(raw, kind),
            None => Some(Admitted::nobody(kind)),
        }
    }

    fn enter_address(&self, far: FarAddress) -> Option<Address> {
        if let Some(raw) = self.at_home(far) {
            return self.home.census_of(raw)?.admit_address(raw).ok();
        }
        match self.elsewhere(far) {
            Some((peer, raw)) => peer.realm.address(raw),
            None => Some(Address::NOBODY),
        }
    }
}

impl fmt::Debug for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crossing {}/{}", self.home.node, self.peer.node)
    }
}

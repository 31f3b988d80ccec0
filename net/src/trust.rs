//! Peers that are not trusted: what of this host's actors they may reach.
//!
//! Untrusted mode is for peers that speak the protocol and are let in, but are not of one's own: clients, say. Such a peer has
//! what it was given and nothing else. It was given an actor if it looked up an exported path, if the actor was exported by its
//! address, or if a message to the peer held a reference to it: a reply's address, for one. Everything else that it names is
//! dropped, counted, and logged: messages, watches, stops, look-ups, references inside messages, and whatever later versions
//! add.
//!
//! What a peer was given is kept for each of its lives, for all shards together, since a peer's shards have links of their own.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use corelane_kernel::{Address, Admitted, Border, FarAddress, MessageKind, Time};

use crate::tls::{PeerName, TlsConfigError};

/// Between two warnings.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// What an untrusted peer may do with an actor that it was given, beside telling it messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Watch it. Default `true`: whoever talks to an actor should be told of its end.
    pub watch: bool,
    /// Stop it. Default `false`.
    pub stop: bool,
}

impl Default for Rights {
    fn default() -> Rights {
        Rights { watch: true, stop: false }
    }
}

impl Rights {
    fn and(self, other: Rights) -> Rights {
        Rights { watch: self.watch || other.watch, stop: self.stop || other.stop }
    }
}

/// An actor that untrusted peers may look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its path, from `/user/` on, as it stands: it exports no other actor, no child, and there are no wildcards. Whoever bears
    /// it when it is looked up is meant.
    pub path: String,
    /// What a peer may do with it.
    pub rights: Rights,
}

impl Export {
    /// An export of a path, with the usual rights.
    pub fn of(path: impl Into<String>) -> Export {
        Export { path: path.into(), rights: Rights::default() }
    }
}

/// Untrusted mode: peers reach exported actors only.
///
/// A peer that is not trusted
/// - looks up exported paths; for any other it is told that nobody lives there;
/// - tells actors that it was given: that it looked up, that [`Endpoint::export`](crate::Endpoint::export) names, or to which
///   it was sent a reference;
/// - watches and stops these as their [`Rights`] say; another watch is answered as that of an actor that is not there;
/// - names in its messages actors of its own and such as it was given; another reference becomes nobody's, so that no actor
///   here can be made to tell somebody what the peer could not;
/// - tells nobody where other hosts are, spawns nothing, and supervises nothing.
///
/// What it does beyond is dropped and counted ([`GateStats::untrusted`](crate::GateStats::untrusted)). What this host does with
/// the peer's actors is not restricted: their answers and ends come as always.
///
/// ```
/// use corelane_net::{EndpointConfig, Export, Untrusted};
///
/// let untrusted = Untrusted {
///     exports: vec![Export::of("/user/till")],
///     // Hosts of our own; known by their certificates, so only under TLS.
///     except: vec!["corelane://shop".into()],
///     ..Untrusted::default()
/// };
/// let config = EndpointConfig { untrusted: Some(untrusted), ..EndpointConfig::default() };
/// assert!(config.check().is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Untrusted {
    /// The actors that are exported by their paths.
    pub exports: Vec<Export>,
    /// Peers that are trusted all the same: names of which their certificates bear one, as in
    /// [`PeerNames::OneOf`](crate::PeerNames::OneOf). Without TLS, nobody is.
    pub except: Vec<String>,
    /// Actors of which the gate remembers, for each peer, that it was given them; at least half as many. Those are forgotten
    /// first that have not been named by either side for the longest time. Default 65,536.
    pub given_max: usize,
}

impl Default for Untrusted {
    fn default() -> Untrusted {
        Untrusted { exports: Vec::new(), except: Vec::new(), given_max: 65_536 }
    }
}

impl Untrusted {
    /// What is wrong, if anything is.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        for Export { path, .. } in &self.exports {
            let names = path
                .strip_prefix("/user/")
                .ok_or("untrusted.exports: an exported path begins with /user/")?;
            if names.split('/').any(|name| name.is_empty() || name.contains(['*', '?'])) {
                return Err("untrusted.exports: an exported path has no empty names, and no wildcards");
            }
        }
        if self.given_max < 2 {
            return Err("untrusted.given_max must be at least 2");
        }
        Ok(())
    }
}

/// What one life of a peer was given: two generations, so that what is named again stays.
#[derive(Default)]
struct Given {
    young: HashMap<Address, Rights>,
    old: HashMap<Address, Rights>,
}

impl Given {
    fn give(&mut self, actor: Address, rights: Rights, max: usize) {
        let known = self.young.get(&actor).or_else(|| self.old.get(&actor));
        let rights = known.map_or(rights, |known| known.and(rights));
        if self.young.len() >= max / 2 && !self.young.contains_key(&actor) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(actor, rights);
    }

    fn rights(&mut self, actor: Address, max: usize) -> Option<Rights> {
        if let Some(rights) = self.young.get(&actor) {
            return Some(*rights);
        }
        let rights = self.old.get(&actor).copied()?;
        self.give(actor, rights, max);
        Some(rights)
    }

    fn withdraw(&mut self, actor: Address) {
        self.young.remove(&actor);
        self.old.remove(&actor);
    }
}

/// What untrusted peers may reach, on all shards.
pub(crate) struct Trust {
    except: Vec<PeerName>,
    paths: HashMap<String, Rights>,
    given_max: usize,
    exported: RwLock<HashMap<Address, Rights>>,
    /// By the realm of a peer's life.
    given: Mutex<HashMap<u32, Given>>,
}

impl Trust {
    pub(crate) fn new(config: &Untrusted) -> Result<Trust, TlsConfigError> {
        Ok(Trust {
            except: PeerName::parse_all(&config.except)?,
            paths: config.exports.iter().map(|export| (export.path.clone(), export.rights)).collect(),
            given_max: config.given_max,
            exported: RwLock::default(),
            given: Mutex::default(),
        })
    }

    fn given(&self) -> MutexGuard<'_, HashMap<u32, Given>> {
        // No foreign code runs while the lock is held.
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names whose bearers are trusted.
    pub(crate) fn except(&self) -> &[PeerName] {
        &self.except
    }

    /// What may be done with who bears this path, if it is exported.
    pub(crate) fn path(&self, path: &str) -> Option<Rights> {
        self.paths.get(path).copied()
    }

    pub(crate) fn export(&self, actor: Address, rights: Rights) {
        self.exported.write().unwrap_or_else(PoisonError::into_inner).insert(actor, rights);
    }

    /// Nobody was ever given an actor.
    pub(crate) fn withdraw(&self, actor: Address) {
        self.exported.write().unwrap_or_else(PoisonError::into_inner).remove(&actor);
        self.given().values_mut().for_each(|given| given.withdraw(actor));
    }

    /// A life of a peer is given an actor.
    pub(crate) fn give(&self, realm: u32, actor: Address, rights: Rights) {
        self.given().entry(realm).or_default().give(actor, rights, self.given_max);
    }

    /// A life of a peer is over.
    pub(crate) fn forget(&self, realm: u32) {
        self.given().remove(&realm);
    }

    /// What a life of a peer may do with an actor; `None` if it was not given it.
    pub(crate) fn rights(&self, realm: u32, actor: Address) -> Option<Rights> {
        let exported = self.exported.read().unwrap_or_else(PoisonError::into_inner).get(&actor).copied();
        let given = self.given().get_mut(&realm).and_then(|given| given.rights(actor, self.given_max));
        match (exported, given) {
            (Some(exported), Some(given)) => Some(exported.and(given)),
            (exported, given) => exported.or(given),
        }
    }
}

/// What untrusted peers have tried on one shard.
#[derive(Default)]
pub(crate) struct Tries {
    dropped: Cell<u64>,
    warned_until: Cell<Time>,
}

impl Tries {
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Counts and logs something that is dropped. One warning a second.
    pub(crate) fn refuse(&self, now: Time, node: u64, what: &str) {
        self.dropped.set(self.dropped.get() + 1);
        if now >= self.warned_until.get() {
            self.warned_until.set(now + WARN_EVERY);
            tracing::warn!(node, what, "an untrusted peer is refused");
        } else {
            tracing::debug!(node, what, "an untrusted peer is refused");
        }
    }
}

/// The border to a peer, watched over: what leaves is given, and what comes must have been.
pub(crate) struct Guard {
    border: Rc<dyn Border>,
    trust: Arc<Trust>,
    tries: Rc<Tries>,
    node: u64,
    realm: u32,
    trusted: Cell<bool>,
    now: Cell<Time>,
}

impl Guard {
    pub(crate) fn new(
        border: Rc<dyn Border>,
        trust: Arc<Trust>,
        tries: Rc<Tries>,
        node: u64,
        realm: u32,
    ) -> Guard {
        Guard { border, trust, tries, node, realm, trusted: Cell::new(false), now: Cell::new(Time::ZERO) }
    }

    /// Bytes come over a connection of a peer that is trusted, or is not.
    pub(crate) fn begin(&self, trusted: bool, now: Time) {
        self.trusted.set(trusted);
        self.now.set(now);
    }

    /// Whether the peer has rights to an actor here that allow this. Counts it if not.
    pub(crate) fn may(&self, actor: Address, what: &str, allows: fn(Rights) -> bool) -> bool {
        let may = self.trusted.get() || self.trust.rights(self.realm, actor).is_some_and(allows);
        if !may {
            self.refuse(what);
        }
        may
    }

    /// Counts a try of what an untrusted peer may not.
    pub(crate) fn refuse(&self, what: &str) {
        self.tries.refuse(self.now.get(), self.node, what);
    }

    /// Whether the peer is held to what it was given.
    pub(crate) fn is_strict(&self) -> bool {
        !self.trusted.get()
    }

    /// What may be done with who bears a path. `None` is counted.
    pub(crate) fn path(&self, path: &str) -> Option<Rights> {
        let rights = self.trust.path(path);
        if rights.is_none() {
            self.refuse("a look-up");
        }
        rights
    }

    /// Gives the peer an actor when it is found.
    pub(crate) fn give_later(&self, rights: Rights) -> impl FnOnce(Address) + Send + 'static {
        let (trust, realm) = (self.trust.clone(), self.realm);
        move |actor| trust.give(realm, actor, rights)
    }

    fn admits(&self, far: FarAddress) -> bool {
        let admitted = match far {
            _ if self.trusted.get() => true,
            FarAddress::Nobody | FarAddress::Sender(_) => true,
            FarAddress::Receiver(_) => {
                let actor = self.border.enter_address(far);
                // One that no kernel made is refused with its message.
                actor.is_none_or(|actor| self.trust.rights(self.realm, actor).is_some())
            }
            // Neither of this host by another name, nor of a third.
            FarAddress::Other { .. } => false,
        };
        if !admitted {
            self.refuse("a reference in a message");
        }
        admitted
    }
}

impl Border for Guard {
    fn leave(&self, address: Address) -> Option<FarAddress> {
        let far = self.border.leave(address)?;
        if let FarAddress::Sender(_) = far
            && !self.trusted.get()
        {
            self.trust.give(self.realm, address, Rights::default());
        }
        Some(far)
    }

    fn enter(&self, far: FarAddress, kind: MessageKind) -> Option<Admitted> {
        if self.admits(far) { self.border.enter(far, kind) } else { Some(Admitted::nobody(kind)) }
    }

    fn enter_address(&self, far: FarAddress) -> Option<Address> {
        if self.admits(far) { self.border.enter_address(far) } else { Some(Address::NOBODY) }
    }
}

#[cfg(test)]
mod tests {
    use corelane_kernel::{ForeignRealm, RawAddress};

    use super::*;

    fn actors(count: u32) -> Vec<Address> {
        let realm = ForeignRealm::new().unwrap();
        let raw = |index| RawAddress { identity: 1 << 32 | 1, index, shard: 0 };
        (1..=count).map(|index| realm.address(raw(index)).unwrap()).collect()
    }

    #[test]
    fn what_is_named_again_stays_given_and_the_rest_is_bounded() {
        let trust = Trust::new(&Untrusted { given_max: 8, ..Untrusted::default() }).unwrap();
        let actors = actors(100);
        trust.give(1, actors[0], Rights { watch: false, stop: true });
        for actor in &actors[1..] {
            trust.give(1, *actor, Rights::default());
            assert!(trust.rights(1, actors[0]).is_some());
        }
        assert_eq!(trust.rights(1, actors[0]), Some(Rights { watch: false, stop: true }));
        assert_eq!((trust.rights(1, actors[1]), trust.rights(2, actors[0])), (None, None));
        let given = trust.given();
        assert!(given[&1].young.len() + given[&1].old.len() <= 8);
        drop(given);
        trust.withdraw(actors[0]);
        assert_eq!(trust.rights(1, actors[0]), None);
        trust.forget(1);
        assert!(trust.rights(1, actors[99]).is_none() && trust.given().is_empty());
    }

    #[test]
    fn who_is_given_an_actor_twice_has_the_rights_of_both() {
        let trust = Trust::new(&Untrusted::default()).unwrap();
        let actor = actors(1)[0];
        trust.give(1, actor, Rights { watch: true, stop: false });
        trust.export(actor, Rights { watch: false, stop: true });
        assert_eq!(trust.rights(1, actor), Some(Rights { watch: true, stop: true }));
        assert_eq!(trust.rights(2, actor), Some(Rights { watch: false, stop: true }));
    }

    #[test]
    fn an_exported_path_is_one_actors() {
        for path in ["/user/a", "/user/a/b"] {
            assert_eq!(Untrusted { exports: vec![Export::of(path)], ..Untrusted::default() }.check(), Ok(()));
        }
        for path in ["/system/a", "user/a", "/user/", "/user/a/", "/user/*", "/user/a//b", "/user/a?"] {
            let wrong = Untrusted { exports: vec![Export::of(path)], ..Untrusted::default() };
            assert!(wrong.check().is_err(), "{path}");
        }
    }
}

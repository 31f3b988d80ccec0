//! Candidates: the addresses at which a host may be that is called by a name, for whoever wants something there.
//!
//! They are found out on the system's pool for blocking work, and tried in turn: the next one when nobody can be reached at
//! one, or whoever is there is another.

use std::net::SocketAddr;

use super::Inner;
use super::lookups::Letter;
use crate::named::NamedHost;
use crate::peer::node_of;
use crate::resolve::{RemoteHost, RemoteLookupError};

/// For what the addresses of a host are found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// The look-up with this number.
    Lookup(u64),
    /// The birth with this number.
    Birth(u64),
}

/// See the module.
pub(super) struct Candidates {
    pub(super) host: NamedHost,
    /// The addresses that were not tried yet, the next one last. `None` until they are known.
    rest: Option<Vec<SocketAddr>>,
}

impl Candidates {
    pub(super) fn new(host: NamedHost) -> Candidates {
        Candidates { host, rest: None }
    }

    /// Why it is not known in time where the host is, if that is so.
    pub(super) fn overdue(&self) -> Option<RemoteLookupError> {
        self.rest.is_none().then(|| self.host.unresolved("it was not found out in time"))
    }
}

impl Inner {
    /// Has the addresses of a host found out: they come by mail.
    pub(super) fn resolve(&self, wants: Wants, host: &NamedHost) {
        let (mail, resolver) = (self.mail.clone(), self.shared.config.resolver.clone());
        let name = host.host.clone();
        let resolve = move || mail.post(Letter::Resolved(wants, name.addresses(&resolver)));
        self.shared.handle.offload(resolve);
    }

    /// The addresses of a host are known, of which this shard is to be reached. Where nobody was reached of late, or whoever is
    /// there did not want this host, comes last.
    pub(super) fn line_up(&self, candidates: &mut Candidates, mut addresses: Vec<SocketAddr>, shard: u16) {
        let is_failing = |address: &SocketAddr| {
            let slot = self.by_link.get(&(node_of(&candidates.host.system, *address), shard));
            let of = slot.and_then(|slot| self.slots.get(*slot));
            of.is_some_and(|of| of.failing || of.rejected.is_some() || of.refusal.is_some())
        };
        addresses.sort_by_key(is_failing);
        addresses.reverse();
        candidates.rest = Some(addresses);
    }

    /// The next candidate to which there is a way, and the way; or why there is none to the last one. `None` where all were
    /// tried before, or none is known yet.
    pub(super) fn next_way<W, E>(
        &mut self,
        candidates: &mut Candidates,
        mut way_to: impl FnMut(&mut Inner, &RemoteHost) -> Result<W, E>,
    ) -> Option<Result<(RemoteHost, W), E>> {
        loop {
            let host = candidates.host.at(candidates.rest.as_mut()?.pop()?);
            match way_to(self, &host) {
                Ok(way) => return Some(Ok((host, way))),
                Err(error) if candidates.rest.as_ref().is_none_or(Vec::is_empty) => return Some(Err(error)),
                Err(_) => {}
            }
        }
    }
}

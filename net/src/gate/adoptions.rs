//! Adoptions: children of other hosts' actors that are spawned here.
//!
//! Only what the registry makes of props that it knows is spawned, and only so many for each link. What is refused is said to
//! the peer by the numbers of the outpost, which the peer knows.

use corelane_kernel::limits::PREFIX_MAX;
use corelane_kernel::{Address, Group, Parentage, RawAddress, Scope, SpawnError};

use super::{Gate, Inner};
use crate::codec::{Adopt, DecodeError, Unmade};
use crate::endpoint::Shared;
use crate::wire::{News, NoChild, Signal, Spawn};

/// A child that is about to be spawned.
pub(super) struct Adoption {
    pub(super) slot: usize,
    pub(super) outpost: Address,
    pub(super) parent: Address,
    name: String,
    path: String,
    group: Group,
    mailbox: u32,
    adopt: Adopt,
}

impl Adoption {
    /// Checks what a peer's parent wants. The props are read at the border of the link.
    ///
    /// # Errors
    /// Why there is no child.
    pub(super) fn of(
        shared: &Shared,
        slot: usize,
        shard: u16,
        children: usize,
        (outpost, parent): (Address, Address),
        spawn: &Spawn<'_>,
    ) -> Result<Adoption, NoChild> {
        if shared.handle.is_shutting_down() {
            return Err(NoChild::ShuttingDown);
        }
        let factory = shared.registry.factory(spawn.envelope.type_hash).ok_or(NoChild::UnknownProps)?;
        let adopt = factory.prepare(spawn).map_err(|why| match why {
            Unmade::OtherProtocol => NoChild::OtherProtocol,
            Unmade::Decode(DecodeError::Version { .. }) => NoChild::Version,
            Unmade::Decode(DecodeError::Malformed) => NoChild::Malformed,
        })?;
        if spawn.anywhere {
            let chosen = shared.next_child();
            if chosen != shard {
                return Err(NoChild::AskShard(chosen));
            }
        }
        if children >= shared.config.children_max {
            return Err(NoChild::TooMany);
        }
        Ok(Adoption {
            slot,
            outpost,
            parent,
            name: spawn.name.to_owned(),
            path: spawn.path.to_owned(),
            group: spawn.group,
            mailbox: spawn.mailbox,
            adopt,
        })
    }
}

/// What stands before the name of a child of a parent on another host: where that is, and its path there.
fn prefix(host: Option<std::net::SocketAddr>, path: &str) -> String {
    let host = host.map(|host| host.to_string()).unwrap_or_default();
    let plain = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    let whole = format!("/remote/{host}{path}");
    if plain && whole.len() <= PREFIX_MAX { whole } else { format!("/remote/{host}") }
}

impl Gate {
    pub(super) fn adopt(&self, adoption: Adoption, scope: &mut Scope<'_>) {
        let Adoption { slot, outpost, parent, name, path, group, mailbox, adopt } = adoption;
        let path = prefix(self.inner.borrow().host_of(slot), &path);
        let name = (!name.is_empty()).then_some(name.as_str());
        let from = Parentage { outpost, parent, path: &path, name, group, mailbox };
        {
            let mut inner = self.enter();
            if inner.slots[slot].children >= inner.shared.config.children_max {
                // Of many that came at once, those before have taken the room.
                return inner.refuse_child(slot, outpost.to_raw(), NoChild::TooMany);
            }
            // Counted before it can end.
            inner.slots[slot].children += 1;
        }
        if let Err(error) = adopt(scope, &from) {
            let why = match error {
                SpawnError::OutOfMemory => NoChild::OutOfMemory,
                _ => NoChild::Refused,
            };
            let mut inner = self.enter();
            inner.slots[slot].end_child();
            inner.refuse_child(slot, outpost.to_raw(), why);
        }
    }
}

impl Inner {
    /// Where a link's peer is reached.
    pub(super) fn host_of(&self, slot: usize) -> Option<std::net::SocketAddr> {
        self.shared.peers.address(self.slots.get(slot)?.link.to().node)
    }

    /// Says to a peer that there is no child.
    pub(super) fn refuse_child(&mut self, slot: usize, outpost: RawAddress, why: NoChild) {
        let child = RawAddress::default();
        let report = Signal::Report { child, outpost, round: 0, news: News::Unborn(why) };
        // A link that has been left, or lost, has nobody to tell.
        let _ = self.slots[slot].link.signal(self.now, report);
        self.settle(slot);
        self.soil(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_childs_name_is_bounded_and_plain() {
        let host = "127.0.0.1:2552".parse().ok();
        assert_eq!(prefix(host, "/user/p"), "/remote/127.0.0.1:2552/user/p");
        for strange in ["user/p", "/user/p\n", "/user/\u{1b}[31m", &format!("/{}", "x".repeat(PREFIX_MAX))] {
            assert_eq!(prefix(host, strange), "/remote/127.0.0.1:2552");
        }
    }
}

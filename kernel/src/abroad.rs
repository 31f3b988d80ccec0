//! Children on other hosts: the two ends of a family, for whoever carries signals between hosts.
//!
//! A child on another host is tied to its parent as one on another shard is: an outpost stands for it here, orders go one
//! way, reports the other ([`crate::bond`]). Only what lies between is not this kernel's business. So there is no call that
//! makes the child and no lane for what is said later; in their place stand, in order:
//!
//! 1. [`ChildSpawner::outpost`](crate::ChildSpawner::outpost): the outpost is there, and its parent waits for what becomes of
//!    it.
//! 2. [`Scope::bind_outpost`]: it is known where the child is to live. Should that place be lost
//!    ([`Scope::lose_place`]), the outpost ends.
//! 3. [`Scope::adopt`], in the other kernel: the child is there, and says so to its [`Uplink`](crate::Uplink).
//! 4. [`Scope::report_for`] here and [`Scope::order_for`] there, with what the uplinks were offered, until the child's
//!    end is reported. Should the outpost's place be lost, the child stops.
//!
//! What comes from another host is believed about its own actors only: an order is heeded from the outpost whose child it is
//! for, a report from the place to which the outpost is bound.

use crate::actor::Actor;
use crate::address::{ActorRef, Address, Gate, Group, Place};
use crate::behavior::{Made, Role};
use crate::bond::{Bond, ChildNews, ChildOrder, End, Order, OwnName, Prefix, Report};
use crate::error::{OutOfMemory, SpawnError};
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::outpost::Origin;
use crate::pool::Handle;
use crate::record::Kind;
use crate::scope::Scope;

/// An outpost for a child on another host, and what is to be known there of where the child comes from.
#[derive(Clone, Debug)]
pub struct Outpost {
    pub(crate) address: Address,
    pub(crate) parent: Address,
    pub(crate) path: Prefix,
    pub(crate) group: Group,
    pub(crate) mailbox: u32,
}

impl Outpost {
    /// The outpost's address, by which the child's host names it. Nothing can be told to it.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The address of the parent, which lives on this kernel.
    pub fn parent(&self) -> Address {
        self.parent
    }

    /// The parent's path, as it stands before the child's name: at most [`PREFIX_MAX`](crate::limits::PREFIX_MAX) bytes.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The child's scheduling group, as it was decided.
    pub fn group(&self) -> Group {
        self.group
    }

    /// The bound of its mailbox, as it was decided; zero is none.
    pub fn mailbox(&self) -> u32 {
        self.mailbox
    }
}

/// Where a child comes from whose parent lives on another host, and how it is to be born.
#[derive(Clone, Copy, Debug)]
pub struct Parentage<'a> {
    /// The outpost that stands for it there.
    pub outpost: Address,
    /// The parent.
    pub parent: Address,
    /// What stands before its name in its path.
    pub path: &'a str,
    /// Its name.
    pub name: Option<&'a str>,
    /// Its scheduling group.
    pub group: Group,
    /// The bound of its mailbox; zero is none.
    pub mailbox: u32,
}

impl Kernel {
    /// The bond of an outpost that is there.
    fn bond_of_outpost(&self, of: Address) -> Option<Handle<Bond>> {
        let there = self.is_alive(of) && self.role(of.index) == Role::Outpost;
        if there { self.bond_of(of.index) } else { None }
    }
}

impl Scope<'_> {
    /// The child for which an outpost stands is to live at this place of another realm: it is about to be sent for. Says
    /// whether it is to be: not where the outpost is about to end, or its child is known. As long as it is not, the outpost may
    /// be bound to another place.
    pub fn bind_outpost(&mut self, outpost: Address, place: Place) -> bool {
        let kernel = self.kernel();
        if !kernel.is_beyond_place(place) {
            return false;
        }
        let Some(bond) = kernel.bond_of_outpost(outpost) else { return false };
        let ending = kernel.memory.header(outpost.index).identity.get().gate() == Gate::Stopping;
        let bond = kernel.bonds.get_mut(bond);
        if ending || bond.other != Address::NOBODY {
            return false;
        }
        bond.place = place;
        true
    }

    /// There will be no child for this outpost, of which nothing was heard yet: its parent is told this error, in the next
    /// turn, and the outpost ends.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing was done, and it is to be refused again.
    pub fn refuse_outpost(&mut self, outpost: Address, error: SpawnError) -> Result<(), OutOfMemory> {
        let kernel = self.kernel();
        match kernel.bond_of_outpost(outpost) {
            Some(bond) if kernel.bonds.get(bond).other == Address::NOBODY => {
                let report = Report { child: Address::NOBODY, round: 0, news: ChildNews::Unborn(error) };
                kernel.signal(outpost, Kind::Report, report)
            }
            _ => Ok(()),
        }
    }

    /// Something has become of a child at a place of another realm, for which an outpost stands here; it is heard in the
    /// next turn. What does not come from where the outpost is bound to is ignored.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing was done, and it is to be reported again.
    pub fn report_for(
        &mut self,
        outpost: Address,
        child: Address,
        round: u32,
        news: ChildNews,
    ) -> Result<(), OutOfMemory> {
        let kernel = self.kernel();
        if !kernel.is_beyond(child) || matches!(news, ChildNews::Unborn(_)) {
            return Ok(());
        }
        if !kernel.is_alive(outpost) {
            // Whoever it stood for has no parent.
            if news != ChildNews::Ended {
                kernel.request_stop(child);
            }
            return Ok(());
        }
        let Some(bond) = kernel.bond_of_outpost(outpost) else { return Ok(()) };
        let bond = kernel.bonds.get(bond);
        if bond.place != child.place() || (bond.other != child && bond.other != Address::NOBODY) {
            return Ok(());
        }
        kernel.signal(outpost, Kind::Report, Report { child, round, news })
    }

    /// The parent of a child here, which lives on another host, orders something of it by the outpost that stands for it
    /// there; it is heeded in the next turn. What comes from another outpost is ignored.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing was done, and it is to be ordered again.
    pub fn order_for(
        &mut self,
        outpost: Address,
        child: Address,
        round: u32,
        order: ChildOrder,
    ) -> Result<(), OutOfMemory> {
        let kernel = self.kernel();
        if !kernel.is_actor(child) {
            return Ok(());
        }
        let Some(bond) = kernel.bond_of(child.index) else { return Ok(()) };
        let bond = kernel.bonds.get(bond);
        if bond.end != End::Child || bond.other != outpost || !kernel.is_beyond(outpost) {
            return Ok(());
        }
        kernel.signal(child, Kind::Order, Order { round, what: order })
    }

    /// Spawns a child of a parent on another host, from a factory that makes the state when the child starts, and again when
    /// it is restarted. It is no top-level actor, though it has no parent here: what becomes of it is reported to the
    /// parent's host by the uplink, beginning with its birth, and decided there.
    ///
    /// # Errors
    /// [`SpawnError`], and nothing has changed: the parent's host is to be told. `Unreachable` where there is no uplink, or
    /// where the outpost is not of another realm.
    pub fn adopt<A: Actor>(
        &mut self,
        from: &Parentage<'_>,
        factory: impl FnMut() -> Result<A, Failure> + 'static,
    ) -> Result<ActorRef<A::Msg>, SpawnError> {
        let kernel = self.kernel();
        if !kernel.is_beyond(from.outpost) || !kernel.leads_to(from.outpost) {
            return Err(SpawnError::Unreachable);
        }
        if from.name.is_some_and(|name| !crate::names::is_valid(name)) {
            return Err(SpawnError::BadName);
        }
        let origin = Origin {
            outpost: from.outpost,
            parent: from.parent,
            prefix: Prefix::try_from(from.path).map_err(|_| SpawnError::BadName)?,
            name: from.name.map(OwnName::try_from).transpose().map_err(|_| SpawnError::BadName)?,
            group: from.group,
            bound: from.mailbox,
        };
        kernel.adopt::<A, _>(&origin, Made(factory))
    }
}

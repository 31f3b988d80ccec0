//! What comes in: bytes are read where they lie, messages told at once, signals noted.

use std::collections::HashSet;
use std::sync::Arc;

use corelane_kernel::{
    Address, Census, ChildNews, ChildOrder, Failure, RawAddress, Scope, StopReason, within,
};

use super::adoptions::Adoption;
use super::lookups::{Asker, Lookups, Mail, Origin};
use super::retirements::{Retirements, Retiring, take_in};
use super::row::Row;
use super::{Inner, Todo};
use crate::buffers::Buffer;
use crate::codec::{self, Peer, Reader, Undelivered};
use crate::endpoint::Shared;
use crate::link::{Connection, Inbound, Verdict};
use crate::peer::node_of;
use crate::resolve::{Found, HOST, Lookup, NotFound};
use crate::trust::{Guard, Rights};
use crate::wire::{
    EndReason, Fault, Introduction, MessageHead, News, NoChild, Ordered, Run, Signal, lacking,
};

impl Inner {
    /// Bytes have come over a connection.
    pub(super) fn received(&mut self, connection: Connection, bytes: &[u8], scope: &mut Scope<'_>) {
        let Some(line) = self.lines.get_mut(connection) else { return };
        if std::mem::replace(&mut line.reading, true) {
            // What was being read panicked.
            return self.gone(connection);
        }
        let mut rest = std::mem::take(&mut line.rest);
        let mut bytes = bytes;
        if line.channel.is_some() {
            // What is decrypted comes behind what was left.
            if !self.open(connection, bytes, &mut rest) {
                return;
            }
            bytes = &[];
            let taken = self.feed(connection, &rest, scope);
            rest.drain(..taken.min(rest.len()));
        }
        // Of what began with an earlier chunk only as much is copied as makes it whole; all else is read where it lies.
        while !rest.is_empty() && !bytes.is_empty() {
            let lacks = lacking(&rest).filter(|lacks| *lacks < bytes.len()).unwrap_or(bytes.len());
            let (more, others) = bytes.split_at(lacks);
            bytes = others;
            rest.extend_from_slice(more);
            let taken = self.feed(connection, &rest, scope);
            rest.drain(..taken.min(rest.len()));
        }
        if !bytes.is_empty() {
            let taken = self.feed(connection, bytes, scope);
            rest.extend_from_slice(bytes.get(taken..).unwrap_or_default());
        }
        if let Some(line) = self.lines.get_mut(connection) {
            line.rest = rest;
            line.reading = false;
            if line.channel.as_ref().is_some_and(|channel| channel.has_ended()) {
                return self.gone(connection);
            }
            if let Some(slot) = line.slot {
                self.soil(slot);
            }
        }
    }

    /// Hands bytes over. Says how many are done with.
    fn feed(&mut self, connection: Connection, bytes: &[u8], scope: &mut Scope<'_>) -> usize {
        let mut taken = 0;
        loop {
            let Some(line) = self.lines.get(connection) else { return bytes.len() };
            let rest = bytes.get(taken..).unwrap_or_default();
            let Some(slot) = line.slot else {
                match self.greet(connection, rest) {
                    Some(size) => taken += size,
                    None if self.lines.contains(connection) => return taken,
                    None => return bytes.len(),
                }
                continue;
            };
            let number = line.number;
            let of = &mut self.slots[slot];
            if let Some(guard) = &of.guard {
                guard.begin(line.trusted, self.now);
            }
            let mut inbound = Incoming {
                slot,
                number,
                node: of.link.to().node,
                shard: of.shard,
                peer: of.peer.as_ref(),
                guard: of.guard.as_deref(),
                strict: self.shared.trust.is_some()
                    && of.guard.as_ref().is_none_or(|guard| guard.is_strict()),
                watched: &mut of.watched,
                children: of.children,
                held: &mut of.held,
                shared: &self.shared,
                census: &self.census,
                last_reader: &mut self.last_reader,
                mail: &self.mail,
                lookups: &mut self.lookups,
                retirements: &mut self.retirements,
                todo: &mut self.todo,
                scope,
            };
            let (link, now) = (&mut of.link, self.now);
            let received = match &of.border {
                Some(border) => within(border.clone(), || link.received(now, connection, rest, &mut inbound)),
                None => link.received(now, connection, rest, &mut inbound),
            };
            taken += received.bytes;
            if !of.held.is_empty() && !self.holding.contains(&slot) {
                self.holding.push(slot);
            }
            self.settle(slot);
            if !received.again {
                return taken;
            }
        }
    }

    /// Tells what came when the kernel had no room.
    pub(super) fn deliver_held(&mut self, scope: &mut Scope<'_>) {
        let mut at = 0;
        while let Some(slot) = self.holding.get(at).copied() {
            let of = &mut self.slots[slot];
            let before = of.held.len();
            while let (Some((head, body)), Some(border)) = (of.held.front(), &of.border) {
                let (shared, census) = (&self.shared, &self.census);
                let told = within(border.clone(), || shared.registry.deliver(scope, census, head, body));
                let told = told.or_else(|why| match why {
                    Undelivered::UnknownType => {
                        let (guard, trusts) = (of.guard.as_deref(), shared.trust.is_none());
                        let may = |target| may_stop(guard, trusts, target);
                        let number = take_in(scope, census, head, body, may)?;
                        self.todo.push(Todo::Retiring(slot, number));
                        Ok(())
                    }
                    _ => Err(why),
                });
                match told {
                    Ok(()) => {}
                    Err(Undelivered::Full) => break,
                    Err(why) => {
                        refused(head, why);
                        of.link.refuse(why);
                    }
                }
                of.link.release(body.len());
                of.held.pop();
            }
            if of.held.is_empty() {
                self.holding.swap_remove(at);
            } else {
                at += 1;
            }
            if before > 0 {
                // The peer's credit.
                self.soil(slot);
            }
        }
    }

    /// A write is done: what waits for room can go on.
    pub(super) fn written(&mut self, connection: Connection, buffer: Buffer) {
        let Some(line) = self.lines.get_mut(connection) else { return };
        line.written(buffer, &mut self.spares);
        if let Some(slot) = line.slot {
            self.soil(slot);
        }
    }
}

fn refused(head: MessageHead, why: Undelivered) {
    tracing::debug!(%why, hash = head.envelope.type_hash, "a message of another host is refused");
}

/// Whether a peer may stop an actor here; see [`Incoming::may`].
fn may_stop(guard: Option<&Guard>, trusts: bool, target: Address) -> bool {
    guard.map_or(trusts, |guard| guard.may(target, "a stop", |rights| rights.stop))
}

fn failure(fault: &Fault<'_>) -> Failure {
    Failure::from_elsewhere(fault.kind, fault.error, fault.text)
}

/// Takes what a link hands over.
struct Incoming<'a, 's> {
    slot: usize,
    /// The connection's, and the peer's.
    number: u64,
    node: u64,
    shard: u16,
    peer: Option<&'a Arc<Peer>>,
    guard: Option<&'a Guard>,
    /// The peer is held to what it was given.
    strict: bool,
    watched: &'a mut HashSet<(Address, Address)>,
    children: usize,
    held: &'a mut Row,
    shared: &'a Arc<Shared>,
    census: &'a Arc<Census>,
    last_reader: &'a mut Option<(u64, Reader)>,
    mail: &'a Arc<Mail>,
    lookups: &'a mut Lookups,
    retirements: &'a mut Retirements,
    todo: &'a mut Vec<Todo>,
    scope: &'a mut Scope<'s>,
}

impl Incoming<'_, '_> {
    /// An address of the peer's, on the shard to which the link leads.
    fn there(&self, raw: RawAddress) -> Option<Address> {
        if raw.shard != u32::from(self.shard) {
            return None;
        }
        self.peer?.realm().address(raw)
    }

    fn here(&self, raw: RawAddress) -> Option<Address> {
        self.census.admit_address(raw).ok()
    }

    fn reader(&mut self, hash: u64) -> Option<Reader> {
        if let Some((last, reader)) = *self.last_reader
            && last == hash
        {
            return Some(reader);
        }
        let reader = self.shared.registry.reader(hash)?;
        *self.last_reader = Some((hash, reader));
        Some(reader)
    }

    /// Whether the peer has rights to an actor here that allow this.
    fn may(&self, target: Address, what: &str, allows: fn(Rights) -> bool) -> bool {
        match self.guard {
            Some(guard) => guard.may(target, what, allows),
            None => self.shared.trust.is_none(),
        }
    }

    /// Drops something that no untrusted peer may.
    fn refuse(&self, what: &str) {
        if let Some(guard) = self.guard {
            guard.refuse(what);
        }
    }

    /// Looks an actor up for the peer.
    fn find(&self, lookup: Lookup, length: usize) {
        let incarnation = self.peer.map_or(0, |peer| peer.incarnation());
        let origin = Origin::Peer(Asker { slot: self.slot, incarnation, length });
        match self.guard.filter(|_| self.strict) {
            None => self.mail.find(self.shared, origin, lookup, |_| ()),
            Some(guard) => match guard.path(&lookup.path) {
                Some(rights) => self.mail.find(self.shared, origin, lookup, guard.give_later(rights)),
                None => self.mail.find_nobody(origin, lookup),
            },
        }
    }

    /// A message to an actor, of no type that is registered.
    #[cold]
    fn unregistered(&mut self, head: MessageHead, body: &[u8]) -> Result<(), Undelivered> {
        let (guard, trusts) = (self.guard, self.shared.trust.is_none());
        let number = take_in(self.scope, self.census, head, body, |target| may_stop(guard, trusts, target))?;
        self.todo.push(Todo::Retiring(self.slot, number));
        Ok(())
    }

    /// A message to this host itself.
    fn host_message(&mut self, head: MessageHead, body: &[u8]) -> Verdict {
        let (hash, envelope) = (head.envelope.type_hash, head.envelope);
        let known = [
            codec::envelope::<Lookup>().type_hash,
            codec::envelope::<Found>().type_hash,
            codec::envelope::<Retiring>().type_hash,
        ];
        if self.strict && !known.contains(&hash) {
            self.refuse("a message to the host");
            return Verdict::Taken;
        }
        if hash == codec::envelope::<Lookup>().type_hash {
            match codec::decode::<Lookup>(envelope, body) {
                Ok(lookup) => {
                    self.find(lookup, body.len());
                    Verdict::Held
                }
                Err(error) => Verdict::Refused(Undelivered::Decode(error)),
            }
        } else if hash == codec::envelope::<Found>().type_hash {
            match codec::decode::<Found>(envelope, body) {
                Ok(Found { number, result }) => {
                    if let (Some(waiting), Some(peer)) = (self.lookups.take(number, self.slot), self.peer) {
                        if let Some(found) = result.as_ref().ok().and_then(|raw| peer.realm().address(*raw)) {
                            self.todo.push(Todo::Recall(found.place()));
                        }
                        let found = waiting.conclude(result.and_then(|raw| {
                            peer.realm().admit_as(raw, waiting.kind).ok_or(NotFound::ShuttingDown)
                        }));
                        self.todo.push(Todo::Answer(waiting.then, found));
                    }
                    Verdict::Taken
                }
                Err(error) => Verdict::Refused(Undelivered::Decode(error)),
            }
        } else if hash == codec::envelope::<Retiring>().type_hash {
            match codec::decode::<Retiring>(envelope, body) {
                Ok(Retiring { number }) => {
                    self.retirements.heard(self.slot, number);
                    Verdict::Taken
                }
                Err(error) => Verdict::Refused(Undelivered::Decode(error)),
            }
        } else {
            Verdict::Refused(Undelivered::UnknownType)
        }
    }
}

impl Inbound for Incoming<'_, '_> {
    fn may_meet(&mut self, incarnation: u64) -> bool {
        self.shared.peers.may_meet(self.node, incarnation, self.number)
    }

    #[inline]
    fn message(&mut self, head: MessageHead, body: &[u8]) -> Verdict {
        if head.target == HOST {
            return self.host_message(head, body);
        }
        if self.strict {
            let raw = RawAddress {
                identity: head.target.identity,
                index: head.target.index,
                shard: u32::try_from(self.census.place().shard()).unwrap_or(u32::MAX),
            };
            // One that no kernel made is refused below.
            if self.here(raw).is_some_and(|target| !self.may(target, "a message", |_| true)) {
                return Verdict::Taken;
            }
        }
        if !self.held.is_empty() {
            // In order behind what waits.
            self.held.push(head, body);
            return Verdict::Held;
        }
        let told = match self.reader(head.envelope.type_hash) {
            Some(reader) => reader.deliver(self.scope, self.census, head, body),
            None => self.unregistered(head, body),
        };
        match told {
            Ok(()) => Verdict::Taken,
            Err(Undelivered::Full) => {
                self.held.push(head, body);
                Verdict::Held
            }
            Err(why) => {
                refused(head, why);
                Verdict::Refused(why)
            }
        }
    }

    fn run(&mut self, head: MessageHead, run: Run<'_>) -> usize {
        // What has to be looked at one by one is.
        if head.target == HOST || self.strict || !self.held.is_empty() {
            return 0;
        }
        match self.reader(head.envelope.type_hash) {
            Some(reader) => reader.deliver_run(self.scope, self.census, head, run),
            None => 0,
        }
    }

    fn signal(&mut self, signal: Signal<'_>) {
        match signal {
            Signal::Watch { watcher, target } => {
                // A watcher that is nobody's cannot be told.
                let Some(from) = self.there(watcher) else { return };
                let here = self.here(target);
                if here.is_some_and(|target| !self.may(target, "a watch", |rights| rights.watch)) {
                    let nobody = EndReason::NotFound;
                    self.todo.push(Todo::Refuse(self.slot, watcher, target, nobody));
                    return;
                }
                match here {
                    Some(target) if self.watched.len() < self.shared.config.watches_max => {
                        self.watched.insert((from, target));
                        self.todo.push(Todo::Watch(from, target));
                    }
                    known => {
                        let reason =
                            if known.is_some() { EndReason::Unreachable } else { EndReason::NotFound };
                        self.todo.push(Todo::Refuse(self.slot, watcher, target, reason));
                    }
                }
            }
            Signal::Unwatch { watcher, target } => {
                if let (Some(watcher), Some(target)) = (self.there(watcher), self.here(target)) {
                    self.watched.remove(&(watcher, target));
                    self.todo.push(Todo::Unwatch(watcher, target));
                }
            }
            Signal::Ended { watcher, target, reason, text } => {
                if let (Some(watcher), Some(target)) = (self.here(watcher), self.there(target)) {
                    let reason = match reason {
                        EndReason::Stopped => StopReason::Stopped,
                        EndReason::Failed => StopReason::Failed(Failure::new(text)),
                        EndReason::NotFound => StopReason::NotFound,
                        EndReason::Unreachable => StopReason::Unreachable,
                    };
                    let refused = matches!(reason, StopReason::Unreachable);
                    self.todo.push(Todo::Ended(watcher, target, reason));
                    if refused {
                        // Perhaps of a watch that has been taken back since, and the next one of the two was taken.
                        self.todo.push(Todo::Release(self.slot, watcher.to_raw(), target.to_raw()));
                    }
                }
            }
            Signal::Stop { target } => {
                if let Some(target) = self.here(target)
                    && self.may(target, "a stop", |rights| rights.stop)
                {
                    self.todo.push(Todo::Stop(target));
                }
            }
            Signal::Order { .. } if self.strict => self.refuse("a signal of supervision"),
            Signal::Order { child, outpost, round, order } => {
                if let (Some(child), Some(outpost)) = (self.here(child), self.there(outpost)) {
                    let order = match order {
                        Ordered::Resume => ChildOrder::Resume,
                        Ordered::Restart { wait, fault } => {
                            ChildOrder::Restart { wait, failure: failure(&fault) }
                        }
                        Ordered::Hold => ChildOrder::Hold(true),
                        Ordered::Release => ChildOrder::Hold(false),
                        Ordered::Stop => ChildOrder::Stop,
                    };
                    self.todo.push(Todo::Order(outpost, child, round, order));
                }
            }
            Signal::Report { child, outpost, round, news } => {
                let Some(outpost) = self.here(outpost) else { return };
                let news = match news {
                    News::Born => ChildNews::Born,
                    News::Failed(fault) => ChildNews::Failed(failure(&fault)),
                    News::Ended => ChildNews::Ended,
                    News::Unborn(why) => return self.todo.push(Todo::Unborn(self.slot, outpost, why)),
                };
                if let Some(child) = self.there(child) {
                    self.todo.push(Todo::Report(outpost, child, round, news));
                }
            }
            Signal::Spawn { outpost, .. } if self.strict => {
                self.refuse("a child");
                self.todo.push(Todo::NoChild(self.slot, outpost, NoChild::Refused));
            }
            Signal::Spawn { outpost, parent, spawn } => {
                // A parent that is nobody's has no child.
                let (Some(by), Some(parent)) = (self.there(outpost), self.there(parent)) else { return };
                let shard = self.census.place().shard() as u16;
                let wanted = Adoption::of(self.shared, self.slot, shard, self.children, (by, parent), &spawn);
                self.todo.push(match wanted {
                    Ok(adoption) => Todo::Adopt(Box::new(adoption)),
                    Err(why) => Todo::NoChild(self.slot, outpost, why),
                });
            }
        }
    }

    fn introduced(&mut self, introduction: Introduction<'_>) {
        if self.strict {
            // Part of what any peer says, so it is no try.
            return;
        }
        let Introduction { node, address, .. } = introduction;
        // A host's node follows from its address, so nobody can send others to a wrong place.
        if let Ok(address) = address.parse()
            && node_of(&self.shared.config.system, address) == node
            && self.shared.config.permits(address)
        {
            self.shared.peers.note_address(node, address);
        }
    }
}

//! What a gate has done so far, for who looks on, and what none may ever have, for who checks it.

use super::Gate;
use crate::tls::TlsStats;

/// Counts of a shard's gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GateStats {
    /// Links to shards of other hosts, whatever state they are in.
    pub links: u64,
    /// Of these, such as have a connection now.
    pub open: u64,
    /// Of these, such as have one over a Unix socket, to a host on this machine.
    pub open_nearby: u64,
    /// Of these, such as go through memory that both processes share.
    pub open_shared: u64,
    /// Messages that were written.
    pub messages_out: u64,
    /// Messages that came.
    pub messages_in: u64,
    /// Of these, such as nobody was told, for whatever reason.
    pub refused_in: u64,
    /// Messages that wait for room or for a connection.
    pub pending: u64,
    /// Messages that came and wait for room in the kernel; their senders have no credit for them.
    pub held: u64,
    /// Signals that wait for their acknowledgement.
    pub signals: u64,
    /// Watches by actors of other hosts on actors here.
    pub watches: u64,
    /// Children here of actors of other hosts.
    pub children: u64,
    /// Children on other hosts of which nothing has been heard yet.
    pub births: u64,
    /// Look-ups on other hosts that wait for their answer.
    pub lookups: u64,
    /// Times that a peer was given up, or followed by another life.
    pub lost: u64,
    /// Connections that were closed because of what came over them, and hellos that were refused.
    pub violations: u64,
    /// Connections from outside that were closed at once, since there were as many as may be.
    pub connections_refused: u64,
    /// Connections from outside that have not said hello.
    pub strangers: u64,
    /// Such as were closed: their hello was late, or they made room for another.
    pub strangers_closed: u64,
    /// What has come of TLS.
    pub tls: TlsStats,
    /// Messages, signals, look-ups and references of untrusted peers that were dropped: beyond what they were given.
    pub untrusted: u64,
}

/// See [`Gate::audit`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Audit {
    /// Connections of which a link found that the peer broke the protocol.
    pub(crate) violations: u64,
    /// Messages that wait for room, of the link that has most.
    pub(crate) held_most: u64,
    /// Messages for which peers have no credit, since they wait for room.
    pub(crate) credit_kept: u64,
    /// The bytes that these cost.
    pub(crate) bytes_kept: u64,
}

impl Gate {
    /// What the shard's links have done so far.
    pub fn stats(&self) -> GateStats {
        let inner = self.enter();
        let mut stats = GateStats {
            links: inner.slots.len() as u64,
            lost: inner.lost,
            violations: inner.refused + inner.broken,
            connections_refused: inner.connections_refused,
            strangers: inner.strangers.len() as u64,
            strangers_closed: inner.strangers_closed,
            tls: inner.tls,
            untrusted: inner.tries.dropped(),
            births: inner.births.len() as u64,
            lookups: inner.lookups.len() as u64,
            ..GateStats::default()
        };
        for slot in &inner.slots {
            let of = slot.link.stats();
            let open = slot.link.open();
            stats.open += u64::from(open.is_some());
            let line = open.and_then(|connection| inner.lines.get(connection));
            stats.open_nearby += u64::from(line.is_some_and(|line| line.nearby));
            stats.open_shared += u64::from(line.is_some_and(|line| line.memory().is_some()));
            stats.messages_out += of.messages_out;
            stats.messages_in += of.messages_in;
            stats.refused_in +=
                of.unknown_type + of.unreadable_version + of.malformed + of.wrong_address + of.no_room;
            stats.pending += slot.pending.len() as u64;
            stats.held += slot.held.len() as u64;
            stats.signals += slot.link.signals_waiting() as u64;
            stats.watches += slot.watched.len() as u64;
            stats.children += slot.children as u64;
            stats.violations += of.violations + of.refused;
        }
        stats
    }

    /// What no gate may have, whatever goes wrong: for who checks it.
    pub(crate) fn audit(&self) -> Audit {
        let inner = self.inner.borrow();
        let mut audit = Audit::default();
        for slot in &inner.slots {
            audit.violations += slot.link.stats().violations;
            audit.held_most = audit.held_most.max(slot.held.len() as u64);
            let kept = slot.link.held();
            audit.credit_kept += kept.messages;
            audit.bytes_kept += kept.bytes;
        }
        audit
    }
}

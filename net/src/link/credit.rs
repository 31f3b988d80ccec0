//! Flow control: how much a peer may send ahead of what was handled here, in bytes and in messages.
//!
//! Allowances count from the beginning of the connection and only grow, so a credit frame that comes late or twice does no
//! harm. What is **held** (taken over by the receiver, and not yet handled) outlives the connection: the next one begins with
//! that much less.

use crate::wire::Allowance;

/// The sender's side, in one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spending {
    pub(super) allowed: Allowance,
    pub(super) sent: Allowance,
}

impl Spending {
    pub(super) fn bytes_left(&self) -> u64 {
        self.allowed.bytes.saturating_sub(self.sent.bytes)
    }

    pub(super) fn messages_left(&self) -> u64 {
        self.allowed.messages.saturating_sub(self.sent.messages)
    }

    /// The peer allows so much in all.
    pub(super) fn allow(&mut self, allowance: Allowance) {
        self.allowed.bytes = self.allowed.bytes.max(allowance.bytes);
        self.allowed.messages = self.allowed.messages.max(allowance.messages);
    }

    pub(super) fn spend(&mut self, bytes: usize, messages: u64) {
        self.sent.bytes = self.sent.bytes.saturating_add(bytes as u64);
        self.sent.messages = self.sent.messages.saturating_add(messages);
    }
}

/// The receiver's side, in one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Granting {
    window: Allowance,
    received: Allowance,
    granted: Allowance,
}

impl Granting {
    /// What a connection begins with, of a window of which something is held from before.
    pub(super) fn first(window: Allowance, held: Allowance) -> Allowance {
        Allowance {
            bytes: window.bytes.saturating_sub(held.bytes),
            messages: window.messages.saturating_sub(held.messages),
        }
    }

    /// A connection on whose hello so much was granted.
    pub(super) fn begin(window: Allowance, granted: Allowance) -> Granting {
        Granting { window, received: Allowance::default(), granted }
    }

    /// What the peer may send in all, as it was told.
    #[cfg(test)]
    pub(super) fn granted(&self) -> Allowance {
        self.granted
    }

    /// So much has come. `false` if that is more than was granted.
    pub(super) fn receive(&mut self, bytes: usize, messages: u64) -> bool {
        self.received.bytes = self.received.bytes.saturating_add(bytes as u64);
        self.received.messages = self.received.messages.saturating_add(messages);
        self.received.bytes <= self.granted.bytes && self.received.messages <= self.granted.messages
    }

    fn due(&self, held: Allowance) -> Allowance {
        let due = |received: u64, window: u64, held: u64, granted: u64| {
            received.saturating_add(window.saturating_sub(held)).max(granted)
        };
        Allowance {
            bytes: due(self.received.bytes, self.window.bytes, held.bytes, self.granted.bytes),
            messages: due(self.received.messages, self.window.messages, held.messages, self.granted.messages),
        }
    }

    /// What to tell the peer, once it is half a window more than it knows.
    pub(super) fn offer(&self, held: Allowance) -> Option<Allowance> {
        let due = self.due(held);
        let grown = due.bytes.saturating_sub(self.granted.bytes) >= self.window.bytes / 2
            || due.messages.saturating_sub(self.granted.messages) >= self.window.messages / 2;
        grown.then_some(due)
    }

    /// The peer has been told.
    pub(super) fn grant(&mut self, allowance: Allowance) {
        self.granted = allowance;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is held for however long, a sender that keeps to its credit is never found to exceed it, it is never
        /// stuck once all is released, and no more than a window is ever held.
        #[test]
        fn credit_is_kept_and_never_runs_dry(
            steps in prop::collection::vec((0..3_u8, 1..300_usize), 1..300),
            window in 600..5000_u64,
        ) {
            let window = Allowance { bytes: window, messages: 16 };
            let (mut held, mut pieces) = (Allowance::default(), Vec::new());
            let mut granting = Granting::begin(window, Granting::first(window, held));
            let mut spending = Spending { allowed: granting.granted(), sent: Allowance::default() };
            for (what, size) in steps {
                match what {
                    0 if spending.bytes_left() >= size as u64 && spending.messages_left() > 0 => {
                        spending.spend(size, 1);
                        prop_assert!(granting.receive(size, 1));
                        held = Allowance { bytes: held.bytes + size as u64, messages: held.messages + 1 };
                        pieces.push(size);
                    }
                    1 => if let Some(size) = pieces.pop() {
                        held = Allowance { bytes: held.bytes - size as u64, messages: held.messages - 1 };
                    },
                    _ => if let Some(offer) = granting.offer(held) {
                        granting.grant(offer);
                        spending.allow(offer);
                    },
                }
                prop_assert!(held.bytes <= window.bytes && held.messages <= window.messages);
            }
            held = Allowance::default();
            if let Some(offer) = granting.offer(held) {
                granting.grant(offer);
                spending.allow(offer);
            }
            prop_assert!(spending.bytes_left() > window.bytes / 2 && spending.messages_left() > 8);
        }
    }
}

//! What must hold, told from what goes in and comes out alone.

use std::collections::{HashMap, HashSet};

use corelane_net::link::Loss;
use corelane_net::wire::Reason;

/// A life of one side and a life of the other.
type Pair = (usize, u64, u64);

#[derive(Default)]
pub(crate) struct Rules {
    /// By receiving side and life, sending life and target: the last message.
    messages: HashMap<(Pair, u32), u64>,
    /// By receiving side and life, sending life and association: the last signal.
    signals: HashMap<(Pair, u32), u64>,
    /// By sending side and lives and association: the first and the last signal that was accepted.
    signalled: HashMap<(Pair, u32), (u64, u64)>,
    ups: HashSet<(Pair, u32)>,
    losses: HashSet<(Pair, u32)>,
    /// Lives that were followed by another, as each side sees it.
    dead: HashSet<Pair>,
    crashed: HashSet<(usize, u64)>,
    tally: Tally,
}

/// How much happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) worlds: u64,
    pub(crate) messages: u64,
    pub(crate) signals: u64,
    pub(crate) ups: u64,
    pub(crate) lost: u64,
    pub(crate) restarted: u64,
    pub(crate) forgotten: u64,
    pub(crate) silent: u64,
    pub(crate) full: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Tally) {
        self.worlds += 1;
        self.messages += other.messages;
        self.signals += other.signals;
        self.ups += other.ups;
        self.lost += other.lost;
        self.restarted += other.restarted;
        self.forgotten += other.forgotten;
        self.silent += other.silent;
        self.full += other.full;
    }
}

impl Rules {
    pub(crate) fn new() -> Rules {
        Rules::default()
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally.clone()
    }

    /// At most once, in order for each pair, and never from a life that is over.
    pub(crate) fn message(&mut self, side: usize, here: u64, from: u64, target: u32, number: u64) {
        let pair = (side, here, from);
        assert!(!self.dead.contains(&pair), "a message of a life that is over");
        let last = self.messages.entry((pair, target)).or_default();
        assert!(number > *last, "message {number} after {last}");
        *last = number;
        self.tally.messages += 1;
    }

    pub(crate) fn last(&self, side: usize, here: u64, from: u64, target: u32) -> u64 {
        self.messages.get(&((side, here, from), target)).copied().unwrap_or(0)
    }

    /// Exactly once and in order: each follows the one before.
    pub(crate) fn signal(&mut self, side: usize, here: u64, from: u64, association: u32, number: u64) {
        let pair = (side, here, from);
        assert!(!self.dead.contains(&pair), "a signal of a life that is over");
        assert!(!self.losses.contains(&(pair, association)), "a signal of an association that is over");
        let sender = ((1 - side, from, here), association);
        let (first, end) = *self.signalled.get(&sender).expect("a signal that was sent");
        let last = self.signals.entry((pair, association)).or_insert(first - 1);
        assert_eq!(number, *last + 1, "signal {number} after {last}");
        assert!(number <= end);
        *last = number;
        self.tally.signals += 1;
    }

    pub(crate) fn signalled(&mut self, side: usize, here: u64, to: u64, association: u32, number: u64) {
        let key = ((side, here, to), association);
        assert!(!self.losses.contains(&key), "signalled in an association that is over");
        let (_, end) = self.signalled.entry(key).or_insert((number, number));
        *end = number;
    }

    pub(crate) fn up(&mut self, side: usize, here: u64, to: u64, association: u32) {
        let key = ((side, here, to), association);
        assert!(!self.losses.contains(&key), "up again in an association that is over");
        assert!(!self.dead.contains(&key.0), "up with a life that is over");
        self.ups.insert(key);
        self.tally.ups += 1;
    }

    /// The one notice that ends an association.
    pub(crate) fn lost(&mut self, side: usize, here: u64, from: u64, association: u32, why: Loss) {
        let key = ((side, here, from), association);
        assert!(self.ups.contains(&key) || self.signalled.contains_key(&key), "lost what never was");
        assert!(self.losses.insert(key), "lost twice");
        self.tally.lost += 1;
        match why {
            Loss::Restarted => {
                self.dead.insert(key.0);
                assert!(self.crashed.contains(&(1 - side, from)), "a restart of one that did not");
                self.tally.restarted += 1;
            }
            Loss::Forgotten => self.tally.forgotten += 1,
            Loss::Silent => self.tally.silent += 1,
            Loss::SignalsFull => self.tally.full += 1,
            Loss::Quarantined => {}
            other => panic!("lost for {other:?}"),
        }
    }

    pub(crate) fn rejected(&mut self, side: usize, here: u64, reason: Reason) {
        panic!("side {side} in life {here} was rejected: {reason:?}");
    }

    pub(crate) fn crashed(&mut self, side: usize, life: u64) {
        self.crashed.insert((side, life));
    }

    /// All is quiet. Every association but the last has ended for each side that still lives, and in the last nothing is
    /// missing.
    pub(crate) fn finish(&self, now: [(u64, u64, u32); 2]) {
        for (side, (here, there, association)) in now.into_iter().enumerate() {
            for key in self.ups.iter().chain(self.signalled.keys()) {
                let ((whose, life, peer), of) = *key;
                if (whose, life) != (side, here) {
                    continue;
                }
                let current = (peer, of) == (there, association);
                assert_ne!(self.losses.contains(key), current, "{key:?} ended, and is current: {current}");
            }
            let key = ((side, here, there), association);
            if let Some((_, end)) = self.signalled.get(&key) {
                let arrived = self.signals.get(&((1 - side, there, here), association));
                assert_eq!(arrived, Some(end), "signals that never arrived");
            }
        }
    }
}

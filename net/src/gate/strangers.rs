//! Strangers: connections that came in and have not said hello, and who of them makes room for the next.
//!
//! It is the oldest of the address from which most have come. So whoever comes in numbers from one address makes room for
//! itself, and nobody who is alone at another is pushed out by it. Each step costs the logarithm of how many there are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use corelane_kernel::Time;

use crate::link::Connection;

#[derive(Default)]
pub(super) struct Strangers {
    /// All of them in the order in which they came, by the numbers of their turns.
    by_turn: BTreeMap<u64, Stranger>,
    turns: HashMap<Connection, u64>,
    /// The turns of each address that has some.
    by_address: HashMap<Option<IpAddr>, BTreeSet<u64>>,
    /// How many each such address has, and its oldest: last the one that makes room.
    crowds: BTreeSet<(usize, Reverse<u64>, Option<IpAddr>)>,
    /// Turns that were given.
    given: u64,
}

struct Stranger {
    /// Until when it may say hello.
    until: Time,
    connection: Connection,
    /// Where it has come from. Those of whom that is not known count as of one address.
    from: Option<IpAddr>,
}

impl Strangers {
    pub(super) fn len(&self) -> usize {
        self.by_turn.len()
    }

    /// One more has come, which may say hello until this time: no earlier than those before it.
    pub(super) fn insert(&mut self, connection: Connection, from: Option<IpAddr>, until: Time) {
        self.given += 1;
        self.by_turn.insert(self.given, Stranger { until, connection, from });
        self.turns.insert(connection, self.given);
        let turn = self.given;
        self.change(from, |turns| _ = turns.insert(turn));
    }

    /// One has said hello, or is gone.
    pub(super) fn remove(&mut self, connection: Connection) {
        let Some(turn) = self.turns.remove(&connection) else { return };
        let Some(Stranger { from, .. }) = self.by_turn.remove(&turn) else { return };
        self.change(from, |turns| _ = turns.remove(&turn));
    }

    /// Until when the oldest may say hello.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.by_turn.first_key_value().map(|(_, stranger)| stranger.until)
    }

    /// The oldest, if its time is over.
    pub(super) fn late(&self, now: Time) -> Option<Connection> {
        let (_, oldest) = self.by_turn.first_key_value()?;
        (oldest.until <= now).then_some(oldest.connection)
    }

    /// The oldest of the address that has most; where several have as many, the oldest of them all.
    pub(super) fn crowding(&self) -> Option<Connection> {
        let (_, Reverse(turn), _) = self.crowds.last()?;
        self.by_turn.get(turn).map(|stranger| stranger.connection)
    }

    /// Changes the turns of an address.
    fn change(&mut self, from: Option<IpAddr>, change: impl FnOnce(&mut BTreeSet<u64>)) {
        let turns = self.by_address.entry(from).or_default();
        let crowd = |turns: &BTreeSet<u64>| turns.first().map(|oldest| (turns.len(), Reverse(*oldest), from));
        if let Some(before) = crowd(turns) {
            self.crowds.remove(&before);
        }
        change(turns);
        match crowd(turns) {
            Some(now) => _ = self.crowds.insert(now),
            None => _ = self.by_address.remove(&from),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn from(number: u8) -> Option<IpAddr> {
        (number > 0).then(|| Ipv4Addr::new(10, 0, 0, number).into())
    }

    #[test]
    fn the_oldest_of_the_address_that_has_most_makes_room() {
        let mut strangers = Strangers::default();
        for (number, address) in [1, 2, 3, 2, 1, 2].into_iter().enumerate() {
            strangers.insert(Connection(number as u64), from(address), Time::from_millis(number as u64));
        }
        let order = std::iter::from_fn(|| {
            let connection = strangers.crowding()?;
            strangers.remove(connection);
            Some(connection.0)
        });
        // Three of the second; then two of the first, which is older than what the second has left.
        assert_eq!(order.collect::<Vec<_>>(), [1, 0, 3, 2, 4, 5]);
        assert_eq!((strangers.len(), strangers.next_deadline()), (0, None));
    }

    proptest! {
        #[test]
        fn strangers_are_a_row_of_which_the_largest_crowd_makes_room(
            steps in prop::collection::vec((0..4_u8, 0..6_u8, 0..8_usize), 1..200),
        ) {
            let (mut strangers, mut row) = (Strangers::default(), Vec::<(Connection, Option<IpAddr>, Time)>::new());
            for (number, (what, address, which)) in steps.into_iter().enumerate() {
                let connection = Connection(number as u64);
                let until = Time::from_millis(number as u64 / 3);
                match what {
                    0 | 1 => {
                        strangers.insert(connection, from(address), until);
                        row.push((connection, from(address), until));
                    }
                    // Somebody, or nobody.
                    2 => {
                        let gone = row.get(which).map_or(connection, |(gone, ..)| *gone);
                        strangers.remove(gone);
                        row.retain(|(known, ..)| *known != gone);
                    }
                    _ => {
                        if let Some(gone) = strangers.crowding() {
                            strangers.remove(gone);
                            row.retain(|(known, ..)| *known != gone);
                        }
                    }
                }
                let size = |of: Option<IpAddr>| row.iter().filter(|(_, from, _)| *from == of).count();
                let most = row.iter().map(|(_, from, _)| size(*from)).max();
                let crowding = row.iter().find(|(_, from, _)| Some(size(*from)) == most);
                prop_assert_eq!(strangers.crowding(), crowding.map(|(connection, ..)| *connection));
                prop_assert_eq!(strangers.len(), row.len());
                prop_assert_eq!(strangers.next_deadline(), row.first().map(|(.., until)| *until));
                let late = row.first().filter(|(.., at)| *at <= until).map(|(connection, ..)| *connection);
                prop_assert_eq!(strangers.late(until), late);
                prop_assert!(strangers.by_address.len() == strangers.crowds.len());
            }
        }
    }
}

//! The connections of a gate, by number. A number says where its connection stands, so that finding one costs an index and a
//! compare; it is never used again.

use super::line::Line;
use crate::link::Connection;

/// Bits of a number that say where.
const PLACE_BITS: u32 = 26;

#[derive(Default)]
pub(super) struct Lines {
    places: Vec<Option<(Connection, Line)>>,
    free: Vec<usize>,
    /// Numbers that were given.
    given: u64,
}

impl Lines {
    /// The number for the connection that is put in next.
    pub(super) fn next(&mut self) -> Connection {
        self.given += 1;
        let place = self.free.last().copied().unwrap_or(self.places.len());
        Connection(self.given << PLACE_BITS | place as u64)
    }

    fn place(connection: Connection) -> usize {
        (connection.0 & ((1 << PLACE_BITS) - 1)) as usize
    }

    /// Puts a connection in, by the last number that was given.
    pub(super) fn insert(&mut self, connection: Connection, line: Line) {
        let place = Lines::place(connection);
        if self.free.pop().is_none() {
            self.places.push(None);
        }
        debug_assert!(self.places.get(place).is_some_and(Option::is_none));
        if let Some(at) = self.places.get_mut(place) {
            *at = Some((connection, line));
        }
    }

    pub(super) fn get(&self, connection: Connection) -> Option<&Line> {
        match self.places.get(Lines::place(connection))? {
            Some((number, line)) if *number == connection => Some(line),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, connection: Connection) -> Option<&mut Line> {
        match self.places.get_mut(Lines::place(connection))? {
            Some((number, line)) if *number == connection => Some(line),
            _ => None,
        }
    }

    pub(super) fn contains(&self, connection: Connection) -> bool {
        self.get(connection).is_some()
    }

    pub(super) fn remove(&mut self, connection: Connection) -> Option<Line> {
        let place = Lines::place(connection);
        let (_, line) = self.places.get_mut(place)?.take_if(|(number, _)| *number == connection)?;
        self.free.push(place);
        Some(line)
    }

    /// All there are, in the order of their places.
    pub(super) fn connections(&self) -> Vec<Connection> {
        self.places.iter().flatten().map(|(connection, _)| *connection).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::SocketId;

    fn line(number: u64) -> Line {
        Line::new(SocketId(Default::default()), None, Vec::new(), None, number)
    }

    #[test]
    fn a_number_names_its_connection_only_for_as_long_as_it_is_there() {
        let mut lines = Lines::default();
        let put = |lines: &mut Lines, number: u64| {
            let connection = lines.next();
            lines.insert(connection, line(number));
            connection
        };
        let (a, b) = (put(&mut lines, 1), put(&mut lines, 2));
        assert_eq!((lines.remove(a).map(|line| line.number), lines.contains(a)), (Some(1), false));
        // One that was made ready and came to nothing.
        lines.next();
        let c = put(&mut lines, 3);
        assert!(c != a && !lines.contains(a) && lines.remove(a).is_none());
        let numbers = [b, c].map(|connection| lines.get(connection).map(|line| line.number));
        assert_eq!((numbers, lines.places.len()), ([Some(2), Some(3)], 2));
        assert_eq!(lines.get_mut(b).map(|line| line.number), Some(2));
        assert_eq!(lines.connections(), [c, b]);
    }
}

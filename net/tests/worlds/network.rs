//! A network in memory: connections as two rows of bytes under way, which arrive late and in pieces, or never.

use std::collections::VecDeque;
use std::time::Duration;

use corelane_kernel::Time;
use corelane_net::link::Connection;

/// SplitMix64.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

pub(crate) enum Event {
    Connected { side: usize, connection: Connection },
    DialFailed { side: usize },
    Bytes { side: usize, connection: Connection, bytes: Vec<u8> },
    Closed { side: usize, connection: Connection },
}

enum Item {
    Bytes(Vec<u8>),
    End,
}

/// One connection. The row of index `side` is on its way *to* that side.
struct Cable {
    connection: Connection,
    /// The end still listens.
    open: [bool; 2],
    /// Nothing more gets through, and nobody is told.
    cut: bool,
    rows: [VecDeque<(Time, Item)>; 2],
}

pub(crate) struct Network {
    cables: Vec<Cable>,
    dials: Vec<(Time, usize, bool)>,
    /// Ends that find out late that their cable is cut.
    resets: Vec<(Time, usize, Connection)>,
    blocked: [bool; 2],
    /// Faults are over.
    calm: bool,
    next: u64,
}

impl Network {
    pub(crate) fn new() -> Network {
        Network {
            cables: Vec::new(),
            dials: Vec::new(),
            resets: Vec::new(),
            blocked: [false; 2],
            calm: false,
            next: 1,
        }
    }

    pub(crate) fn dial(&mut self, side: usize, now: Time, dice: &mut Dice) {
        let works = !self.blocked[0] && !self.blocked[1] && !dice.one_in(8);
        self.dials.push((now + Duration::from_micros(dice.below(5000) as u64), side, works));
    }

    pub(crate) fn send(
        &mut self,
        side: usize,
        connection: Connection,
        bytes: &[u8],
        now: Time,
        dice: &mut Dice,
    ) {
        let Some(cable) = self.cables.iter_mut().find(|cable| cable.connection == connection) else { return };
        if cable.cut || !cable.open[side] {
            return;
        }
        let row = &mut cable.rows[1 - side];
        // Now and then one connection is far behind the others.
        let late =
            Duration::from_millis(if !self.calm && dice.one_in(24) { dice.below(400) as u64 } else { 0 });
        let mut rest = bytes;
        while !rest.is_empty() {
            let size = match dice.below(3) {
                0 => 1 + dice.below(20),
                1 => 1 + dice.below(600),
                _ => rest.len(),
            };
            let (piece, later) = rest.split_at(size.min(rest.len()));
            let before = row.back().map_or(now, |(time, _)| *time);
            let time = before.max(now + late) + Duration::from_micros(dice.below(800) as u64);
            row.push_back((time, Item::Bytes(piece.to_vec())));
            rest = later;
        }
    }

    pub(crate) fn close(&mut self, side: usize, connection: Connection, now: Time, dice: &mut Dice) {
        let Some(cable) = self.cables.iter_mut().find(|cable| cable.connection == connection) else { return };
        cable.open[side] = false;
        // What the driver had read already it may still hand over.
        let keep = dice.below(3).min(cable.rows[side].len());
        cable.rows[side].truncate(keep);
        let before = cable.rows[1 - side].back().map_or(now, |(time, _)| *time).max(now);
        // The end may be known long after the bytes before it.
        let late = if dice.one_in(3) { dice.below(400_000) } else { dice.below(500) };
        if !cable.cut {
            cable.rows[1 - side].push_back((before + Duration::from_micros(late as u64), Item::End));
        }
    }

    /// Cuts a cable: at once for one end, at once for both, or unnoticed for long.
    pub(crate) fn cut(&mut self, now: Time, dice: &mut Dice) {
        if self.cables.is_empty() {
            return;
        }
        let at = dice.below(self.cables.len());
        let cable = &mut self.cables[at];
        cable.cut = true;
        let lost = dice.below(3);
        for side in 0..2 {
            if lost != side {
                // What this end was going to hear arrives in part.
                let keep = dice.below(cable.rows[side].len() + 1);
                cable.rows[side].truncate(keep);
            }
            let late = match dice.below(3) {
                0 => 0,
                1 => dice.below(50_000),
                _ => dice.below(3_000_000),
            };
            self.resets.push((now + Duration::from_micros(late as u64), side, cable.connection));
        }
    }

    pub(crate) fn crash(&mut self, side: usize, now: Time, dice: &mut Dice) {
        for cable in &mut self.cables {
            cable.open[side] = false;
            cable.rows[side].clear();
            if dice.one_in(2) {
                let late = dice.below(300_000);
                self.resets.push((now + Duration::from_micros(late as u64), 1 - side, cable.connection));
            }
            cable.cut = true;
        }
        self.dials.retain(|(_, dialer, _)| *dialer != side);
    }

    pub(crate) fn set_blocked(&mut self, blocked: [bool; 2]) {
        self.blocked = blocked;
    }

    /// Ends of cables that are cut find out at last.
    pub(crate) fn heal(&mut self) {
        self.calm = true;
        for cable in self.cables.iter().filter(|cable| cable.cut) {
            for side in 0..2 {
                if cable.open[side] {
                    self.resets.push((Time::ZERO, side, cable.connection));
                }
            }
        }
    }

    pub(crate) fn next_time(&self) -> Option<Time> {
        let dials = self.dials.iter().map(|(time, ..)| *time);
        let resets = self.resets.iter().map(|(time, ..)| *time);
        let bytes = self.cables.iter().flat_map(|cable| {
            (0..2)
                .filter(|side| !self.blocked[*side])
                .filter_map(|side| cable.rows[side].front())
                .map(|(time, _)| *time)
        });
        dials.chain(resets).chain(bytes).min()
    }

    pub(crate) fn next(&mut self, now: Time) -> Option<Event> {
        if let Some(at) = self.dials.iter().position(|(time, ..)| *time <= now) {
            let (_, side, works) = self.dials.swap_remove(at);
            if !works {
                return Some(Event::DialFailed { side });
            }
            let connection = Connection(self.next);
            self.next += 1;
            let rows = [VecDeque::new(), VecDeque::new()];
            self.cables.push(Cable { connection, open: [true; 2], cut: false, rows });
            return Some(Event::Connected { side, connection });
        }
        if let Some(at) = self.resets.iter().position(|(time, ..)| *time <= now) {
            let (_, side, connection) = self.resets.swap_remove(at);
            let cable = self.cables.iter_mut().find(|cable| cable.connection == connection)?;
            if !std::mem::replace(&mut cable.open[side], false) {
                return self.next(now);
            }
            cable.rows[side].clear();
            return Some(Event::Closed { side, connection });
        }
        for cable in &mut self.cables {
            for side in 0..2 {
                if self.blocked[side] || cable.rows[side].front().is_none_or(|(time, _)| *time > now) {
                    continue;
                }
                let (_, item) = cable.rows[side].pop_front()?;
                let connection = cable.connection;
                return Some(match item {
                    Item::Bytes(bytes) => Event::Bytes { side, connection, bytes },
                    Item::End => {
                        cable.open[side] = false;
                        Event::Closed { side, connection }
                    }
                });
            }
        }
        self.cables
            .retain(|cable| cable.open[0] || cable.open[1] || cable.rows.iter().any(|row| !row.is_empty()));
        None
    }
}

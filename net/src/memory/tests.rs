//! Both ends of a memory in one process, driven by hand and by two threads.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::region::State;
use super::*;

const NONCE: u64 = 0x0102_0304_0506_0708;

fn offer_of(bytes: &[u8; OFFER]) -> Offer {
    match Offer::read(bytes) {
        First::Offer(Some(offer)) => offer,
        other => panic!("{other:?}"),
    }
}

fn pair() -> (Memory, Memory) {
    let (mut dialer, offer) = Memory::make(NONCE).unwrap();
    let dialed = Memory::open(std::process::id(), offer_of(&offer)).unwrap();
    dialer.agreed();
    (dialer, dialed)
}

fn byte(at: u64) -> u8 {
    (at % 251) as u8
}

fn pattern(from: u64, count: usize) -> Vec<u8> {
    (from..from + count as u64).map(byte).collect()
}

fn take(memory: &mut Memory, at_most: usize) -> Vec<u8> {
    let mut bytes = vec![0; at_most];
    let (taken, _) = memory.receive(&mut bytes).unwrap();
    bytes.truncate(taken);
    bytes
}

/// Small ones, and such as fill the ring.
fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 0..5_000_usize, 1 => RING / 2 - 9..RING + 99]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_come_in_order_however_they_are_cut(
        steps in prop::collection::vec((any::<bool>(), any::<bool>(), sizes()), 1..60),
    ) {
        let (mut dialer, mut dialed) = pair();
        // Of what each end sends: how much was taken, and how much has come.
        let mut done = [(0_u64, 0_u64); 2];
        for (dials, sends, bytes) in steps {
            let (near, far) = if dials { (&mut dialer, &mut dialed) } else { (&mut dialed, &mut dialer) };
            let (sent, received) = &mut done[usize::from(dials)];
            let waits = (*sent - *received) as usize;
            if sends {
                let (taken, bell) = near.send(&pattern(*sent, bytes));
                prop_assert_eq!((taken, bell), (bytes.min(RING - waits), false));
                *sent += taken as u64;
                prop_assert_eq!(far.to_read(), waits + taken);
            } else {
                prop_assert_eq!(take(far, bytes), pattern(*received, bytes.min(waits)));
                *received += bytes.min(waits) as u64;
                prop_assert_eq!(far.to_read(), waits - bytes.min(waits));
            }
        }
    }
}

#[test]
fn who_sleeps_is_rung_for_once_and_who_has_input_does_not_sleep() {
    let (mut dialer, mut dialed) = pair();
    assert!(!dialed.sleeps() && !dialed.has_input());
    assert_eq!(dialer.send(b"one"), (3, true));
    assert_eq!(dialer.send(b"two"), (3, false));
    assert!(dialed.sleeps());
    dialed.wakes();
    assert_eq!(dialer.send(b"three"), (5, false));
    assert_eq!(take(&mut dialed, 99), b"onetwothree");
    assert!(!dialed.has_input());
}

#[test]
fn who_waits_for_room_is_rung_for_when_there_is_half_of_it() {
    let (mut dialer, mut dialed) = pair();
    assert_eq!(dialer.send(&vec![7; RING + 1]), (RING, false));
    assert!(!dialer.has_room_again() && !dialer.sleeps());
    let mut piece = vec![0; RING / 2 - 1];
    assert_eq!(dialed.receive(&mut piece), Ok((RING / 2 - 1, false)));
    assert!(!dialer.has_input());
    assert_eq!(dialed.receive(&mut [0]), Ok((1, true)));
    assert!(dialer.has_room_again() && dialer.has_input());
    // Asleep, but not for room.
    assert_eq!(dialer.send(&[7]), (1, false));
    assert!(!dialer.sleeps());
    assert_eq!(dialed.receive(&mut piece), Ok((RING / 2 - 1, false)));
}

#[test]
fn what_is_sent_over_the_socket_begins_behind_the_bells() {
    let (mut dialer, mut dialed) = pair();
    dialer.rung();
    dialer.rung();
    assert_eq!(dialed.hear(1), 1);
    dialer.send(b"through memory");
    dialer.sleeps();
    dialer.end();
    // Who is gone is not rung for.
    assert_eq!(dialed.send(b"too late"), (8, false));
    // What was sent before can be read though the other end is gone.
    assert_eq!(take(&mut dialed, 99), b"through memory");
    assert_eq!(dialed.hear(5), 1);
    assert_eq!(dialed.hear(5), 0);
}

#[test]
fn positions_that_cannot_be_are_noticed() {
    let cases: [fn(&Words, &Words); 4] = [
        |theirs, _| theirs.sent.0.store(RING as u64 + 11, Ordering::Relaxed),
        |theirs, _| theirs.sent.0.store(9, Ordering::Relaxed),
        |theirs, mine| theirs.received.0.store(mine.sent.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed),
        |theirs, _| theirs.received.0.store(9, Ordering::Relaxed),
    ];
    // One that waits for room does not wait for ever where there is no telling how much there is.
    for received in [RING as u64 + 2, u64::MAX] {
        let (mut dialer, dialed) = pair();
        assert_eq!(dialer.send(&vec![1; RING + 1]).0, RING);
        assert!(!dialer.has_input());
        dialed.mine().received.0.store(received, Ordering::Relaxed);
        assert!(dialer.sleeps() && dialer.has_room_again());
        assert_eq!((dialer.send(&[1]), dialer.to_read()), ((1, false), 1));
    }
    for (case, spoil) in cases.into_iter().enumerate() {
        let (mut dialer, mut dialed) = pair();
        dialed.send(&[1; 10]);
        assert_eq!((take(&mut dialer, 10).len(), dialer.send(&[1; 10])), (10, (10, false)));
        assert_eq!(take(&mut dialed, 10).len(), 10);
        // Seen by the dialed end, for whom positions were 10 in both directions.
        assert_eq!(dialer.send(&[]), (0, false));
        assert_eq!(dialed.send(&vec![1; RING]), (RING, false));
        spoil(dialed.theirs(), dialed.mine());
        // Who sends finds out when room is short, and as if all were sent.
        assert_eq!(dialed.send(&[1]).0, 1 - usize::from(case < 2));
        assert!(dialed.has_input(), "{case}");
        assert_eq!(dialed.receive(&mut [0; 99]), Err(Broken), "{case}");
        // It is never believed again.
        dialed.theirs().sent.0.store(10, Ordering::Relaxed);
        dialed.theirs().received.0.store(10, Ordering::Relaxed);
        assert_eq!(dialed.receive(&mut [0; 99]), Err(Broken), "{case}");
    }
}

#[test]
fn only_sealed_memory_of_this_connection_is_opened() {
    let (_dialer, offer) = Memory::make(NONCE).unwrap();
    let offer = offer_of(&offer);
    let me = std::process::id();
    let refused = |process, offer| Memory::open(process, offer).unwrap_err().to_string();
    assert_eq!(refused(me, Offer { nonce: NONCE + 1, ..offer }), "it is of another connection");
    let (reader, _writer) = std::io::pipe().unwrap();
    let file = File::open(std::env::current_exe().unwrap()).unwrap();
    for descriptor in [reader.as_raw_fd(), file.as_raw_fd()] {
        refused(me, Offer { descriptor: descriptor as u32, ..offer });
    }
    let (small, number) = super::file::make(4096).unwrap();
    assert_eq!(refused(me, Offer { descriptor: number, ..offer }), "it is not of the size that is shared");
    assert!(small.set_len(8192).is_err() && small.set_len(0).is_err());
    // No such number, and no such process.
    refused(me, Offer { descriptor: u32::MAX, ..offer });
    refused(u32::MAX, offer);
    let opened = Memory::open(me, offer).unwrap();
    assert_eq!(refused(me, offer), "it is that of another connection");
    drop(opened);
    assert!(Memory::open(me, offer).is_ok());
}

/// Waits for a bell. Nothing is counted by time: it is for a test that would hang otherwise.
fn awaits(bell: &Receiver<()>) {
    match bell.recv_timeout(Duration::from_secs(30)) {
        Ok(()) => {}
        Err(RecvTimeoutError::Timeout) => panic!("nobody has rung"),
        Err(RecvTimeoutError::Disconnected) => panic!("the other end is gone"),
    }
}

/// Sends and receives so many bytes, sleeping whenever there is nothing to be done, and checks each.
fn converse(mut memory: Memory, bytes: u64, step: usize, bell: &Receiver<()>, ring: &Sender<()>) {
    let (mut sent, mut received) = (0, 0);
    let mut piece = vec![0; 3 * step];
    while sent < bytes || received < bytes {
        let more = step.min((bytes - sent) as usize);
        let (taken, wakes) = memory.send(&pattern(sent, more));
        sent += taken as u64;
        let (got, wakes_for_room) = memory.receive(&mut piece).unwrap();
        assert_eq!(piece[..got], pattern(received, got));
        received += got as u64;
        if wakes || wakes_for_room {
            // Whoever has all that it wants is gone.
            let _ = ring.send(());
        }
        let (is_done, is_full) = (sent == bytes, taken < more);
        let waits = if received < bytes { got == 0 && (is_done || is_full) } else { is_full };
        if waits && !memory.sleeps() {
            awaits(bell);
        }
        memory.wakes();
    }
}

#[test]
fn no_end_that_sleeps_is_forgotten() {
    for step in [1, 64, 5_000, RING / 2 + 1] {
        let (dialer, dialed) = pair();
        let ((ring_dialer, dialer_bell), (ring_dialed, dialed_bell)) = (channel(), channel());
        let bytes = (step as u64 * 20_000).min(40 * RING as u64);
        let other = thread::spawn(move || converse(dialed, bytes, step, &dialed_bell, &ring_dialer));
        converse(dialer, bytes, step, &dialer_bell, &ring_dialed);
        other.join().unwrap();
    }
}

/// The rows of a table of `docs/wire.md`: what stands in their first columns.
fn rows(name: &str) -> Vec<[String; 2]> {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/wire.md")).unwrap();
    let (_, rest) = document.split_once(&format!("<!-- {name} -->")).unwrap();
    let (table, _) = rest.split_once("<!-- /").unwrap();
    let columns = |row: &str| {
        let mut columns = row.split('|').skip(1).map(|column| column.trim().to_owned());
        [columns.next().unwrap(), columns.next().unwrap()]
    };
    table.trim().lines().skip(2).map(columns).collect()
}

#[test]
fn the_document_shows_offers_and_memory_as_they_are() {
    let at = |row: &[String; 2]| row[0].parse::<usize>().unwrap();
    let (mut dialer, mut dialed) = pair();
    let places = |memory: &Memory| {
        let Words { sent, received, state } = memory.mine();
        let State { asleep, wants_room, ended } = &state.0;
        let words: [*const u8; 5] = [
            (&raw const *sent).cast(),
            (&raw const *received).cast(),
            (&raw const *asleep).cast(),
            (&raw const *wants_room).cast(),
            (&raw const *ended).cast(),
        ];
        words.map(|word| word.addr() - memory.region.base().addr())
    };
    let mut found = vec![0];
    found.extend(places(&dialer));
    // The same place in the other mapping.
    found.extend(places(&dialed));
    for (memory, byte) in [(&mut dialer, 0xA5), (&mut dialed, 0x5A)] {
        memory.send(&[byte; RING]);
        found.push(memory.region.bytes().position(|found| found == byte).unwrap());
    }
    found.push(dialer.region.bytes().count());
    assert_eq!(found, rows("memory").iter().map(at).collect::<Vec<_>>());

    let offer = Offer { descriptor: 0x0B0A_0908, nonce: 0x1716_1514_1312_1110 }.write();
    let numbers: Vec<usize> = rows("offer").iter().map(at).collect();
    assert_eq!(numbers, [0, 8, 12, 16]);
    assert_eq!(offer[..8], *b"CLmemory");
    assert_eq!(offer[8..], [[1, 0, 0, 0], [8, 9, 10, 11], [16, 17, 18, 19], [20, 21, 22, 23]].concat());
}

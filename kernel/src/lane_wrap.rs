//! Test 12 of a lane: cursors that start near the end of their numbers, batches across that edge, every record whole
//! and in its turn, between two real threads.

use std::thread;
use std::vec::Vec;

use crate::address::{Address, Place};
use crate::lane::{LaneReceiver, LaneSender, lane_from};
use crate::limits::RECORD_HEAD;
use crate::record::{self, First, Kind};

/// Records sent in a run of each test.
const RECORDS: u64 = if cfg!(debug_assertions) { 300_000 } else { 20_000_000 };

/// Words of the record with this number: all from the smallest to the largest that a lane of 32 words holds.
fn words_of(number: u64) -> usize {
    RECORD_HEAD + 1 + (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61) as usize
}

/// Writes the record of this number if there is room: its number in each word of its payload.
fn push(sender: &mut LaneSender, number: u64) -> bool {
    let words = words_of(number);
    let Some(at) = sender.reserve(words) else { return false };
    // SAFETY: the words were reserved.
    #[allow(unsafe_code)]
    unsafe {
        record::write(at, Address::NOBODY, Kind::Message, ());
        record::set_words(at, words);
        for word in RECORD_HEAD..words {
            at.add(word).write(number);
        }
    }
    sender.commit(words);
    true
}

/// Takes the next record, which must have this number.
fn pop(receiver: &mut LaneReceiver, number: u64) -> bool {
    let Some(at) = receiver.peek() else { return false };
    // SAFETY: a whole record, readable until it is given back.
    #[allow(unsafe_code)]
    let payload = unsafe {
        assert_eq!(First::read(at).words(), words_of(number));
        core::slice::from_raw_parts(at.add(RECORD_HEAD), words_of(number) - RECORD_HEAD)
    };
    assert!(payload.iter().all(|word| *word == number), "{number}: {payload:?}");
    receiver.take(words_of(number));
    true
}

fn run(words: usize, start: usize, batch: u64) {
    let (mut sender, mut receiver) = lane_from(words, start);
    let producer = thread::spawn(move || {
        for number in 0..RECORDS {
            while !push(&mut sender, number) {
                sender.publish();
                thread::yield_now();
            }
            if number % batch == 0 {
                sender.publish();
            }
        }
    });
    let mut number = 0;
    while number < RECORDS {
        if pop(&mut receiver, number) {
            number += 1;
        } else {
            receiver.release();
            thread::yield_now();
        }
    }
    producer.join().unwrap();
    assert!(!receiver.has_more());
}

#[test]
fn cursors_pass_the_end_of_their_numbers_unnoticed() {
    run(32, usize::MAX - 16, 1);
    run(64, usize::MAX - 63, 7);
}

#[test]
fn a_lane_of_many_batches_keeps_order_and_content() {
    run(1024, usize::MAX - 1_000_000, 64);
}

#[test]
fn a_place_that_was_bound_once_stays() {
    let (mut sender, mut receiver) = lane_from(8, 0);
    let places: Vec<Place> = crate::address::Seat::realm(2).unwrap().map(|seat| seat.place()).collect();
    assert_eq!(sender.place(), None);
    receiver.bind(places[0]);
    receiver.bind(places[1]);
    assert_eq!(sender.place(), Some(places[0]));
    assert!(receiver.is_bound_to(places[0]) && !receiver.is_bound_to(places[1]));
}

//! Tests of a lane that need its inside. Test 12: cursors that start near the end of their numbers, batches across that
//! edge, every record whole and in its turn, between two real threads. And what is left when both ends are gone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::vec::Vec;

use crate::address::{Address, Gate, Group, Identity, Place};
use crate::lane::{LaneReceiver, LaneSender, lane_from};
use crate::limits::RECORD_HEAD;
use crate::record::{self, CallType, First, Kind, MessageType, Payload};
use crate::scope::Scope;

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

/// Reliability 12.
#[test]
fn cursors_pass_the_end_of_their_numbers_unnoticed() {
    run(32, usize::MAX - 16, 1);
    run(64, usize::MAX - 63, 7);
}

/// Reliability 12.
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

/// Writes a record with this payload as an exit does, with nothing in it that says how to drop that.
fn push_plain<T>(sender: &mut LaneSender, to: Address, kind: Kind, value: T) {
    let at = sender.reserve(Payload::<T>::WORDS).expect("room");
    // SAFETY: the words were reserved.
    #[allow(unsafe_code)]
    unsafe {
        record::write(at, to, kind, value);
    }
    sender.commit(Payload::<T>::WORDS);
}

fn push_call<F: FnOnce(&mut Scope<'_>) + 'static>(sender: &mut LaneSender, call: F) {
    let to = Address { identity: CallType::of::<F>().word(), ..Address::NOBODY };
    push_plain(sender, to, Kind::Call, call);
}

#[test]
fn what_is_published_while_the_receiver_goes_is_dropped_once_by_the_receivers_types() {
    struct Bomb(#[allow(dead_code)] Arc<()>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    type Pair = (u64, Arc<()>);
    let types = [MessageType::of::<u8>(), MessageType::of::<Pair>(), MessageType::of::<Bomb>()];
    let of_type = |number| {
        let identity = Identity::carved(None).occupied(number, Group::Normal, false, Gate::Ready);
        Address { identity, index: 77, ..Address::NOBODY }
    };
    for sender_last in [true, false] {
        for bomb in [false, true] {
            let counted = Arc::new(());
            // The records lie around the ring's end, with a pad among them.
            let (mut sender, mut receiver) = lane_from(32, usize::MAX - 7);
            receiver.close();
            receiver.bequeath(&types, &mut None);
            for n in 0..4 {
                push_plain::<Pair>(&mut sender, of_type(2), Kind::Message, (n, counted.clone()));
                if n == 1 {
                    let called = counted.clone();
                    push_call(&mut sender, move |_| drop(called));
                    if bomb {
                        push_plain(&mut sender, of_type(3), Kind::Message, Bomb(counted.clone()));
                    }
                }
            }
            assert_eq!(Arc::strong_count(&counted), 6 + usize::from(bomb));
            let gone = catch_unwind(AssertUnwindSafe(|| {
                if sender_last {
                    drop(receiver);
                    drop(sender);
                } else {
                    drop(sender);
                    drop(receiver);
                }
            }));
            assert_eq!(gone.is_err(), bomb);
            assert_eq!(Arc::strong_count(&counted), 1);
        }
    }
}

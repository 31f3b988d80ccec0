//! The lane under the model checker: every interleaving of two threads, and every order in which memory may show their
//! stores, for lanes as small as they come. See `scripts/loom.sh`.
//!
//! The lane's shadow cells (see `lane::Ring::touch`) make the checker fail when one end writes words that the other may
//! still read. Payloads are counted, so that one that is lost, or dropped twice, shows as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::vec::Vec;

use loom::thread;

use crate::address::{ActorRef, Address, Gate, Group, Identity, Place, Seat};
use crate::batch::Batch;
use crate::lane::{LaneReceiver, LaneSender, lane_from};
use crate::limits::RECORD_HEAD;
use crate::record::{self, First, Kind, Payload};
use crate::region::Memory;
use crate::region::tests::region;

/// Explores every execution with at most `preemptions` preemptions; all of them for `None`.
fn check(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 10_000;
    builder.check(model);
}

/// Writes a record of two words (an empty one) or three (with a number) as an exit does.
fn push(sender: &mut LaneSender, number: u64) -> bool {
    let even = number % 2 == 0;
    let words = if even { Payload::<()>::WORDS } else { Payload::<u64>::WORDS };
    let Some(at) = sender.reserve(words) else { return false };
    // SAFETY: the words were reserved.
    #[allow(unsafe_code)]
    unsafe {
        if even {
            record::write(at, Address::NOBODY, Kind::Message, ());
        } else {
            record::write(at, Address::NOBODY, Kind::Message, number);
        }
    }
    sender.commit(words);
    true
}

/// Takes the next record, if there is one: it must be that of this number. As the kernel does, takes it first and looks
/// at it after that, as its handler would.
fn pop(receiver: &mut LaneReceiver, number: u64) -> bool {
    let Some(at) = receiver.peek() else { return false };
    // SAFETY: a whole record, readable until the next is taken or room is given back.
    #[allow(unsafe_code)]
    unsafe {
        let words = First::read(at).words();
        receiver.take(words);
        receiver.touch_taken(words);
        if number % 2 == 0 {
            assert_eq!(words, Payload::<()>::WORDS);
        } else {
            assert_eq!(words, Payload::<u64>::WORDS);
            assert_eq!(Payload::<u64>::take(at.add(RECORD_HEAD)), number);
        }
    }
    true
}

/// Takes what a stretch shows, from the record of this number on, as the kernel takes messages: each is taken, then
/// looked at, and room is given back when all are done with. Gives the number that comes next.
fn pop_stretch(receiver: &mut LaneReceiver, mut number: u64) -> u64 {
    let Some(stretch) = receiver.stretch() else { return number };
    let mut at = stretch.start;
    while at < stretch.end {
        // SAFETY: a whole record begins wherever one ended before the stretch's end.
        #[allow(unsafe_code)]
        unsafe {
            let first = First::read(at);
            let record = at;
            at = at.add(first.words());
            receiver.take_until(at);
            receiver.touch_taken(first.words());
            if first.is_pad() {
                break;
            }
            assert_eq!(first.words() == Payload::<()>::WORDS, number % 2 == 0);
            if number % 2 == 1 {
                assert_eq!(Payload::<u64>::take(record.add(RECORD_HEAD)), number);
            }
            number += 1;
        }
    }
    receiver.release();
    number
}

/// A run in which neither end waits for the other, so that every execution ends and all can be explored.
#[derive(Clone, Copy)]
struct Run {
    /// Words of the lane.
    words: usize,
    /// Where its cursors start.
    start: usize,
    /// Records that lie in it when the two ends part.
    before: u64,
    /// Records that the sender tries to add.
    pushes: u64,
    /// Records that it publishes at once.
    batch: u64,
    /// Times that the receiver tries to take something.
    pops: u64,
    /// What it takes at a time.
    take: Take,
}

#[derive(Clone, Copy)]
enum Take {
    /// One record, with room given back after so many.
    Records(u64),
    /// All that lies behind each other.
    Stretches,
}

/// However the two ends meet, what was accepted comes whole, in order and once.
fn run(Run { words, start, before, pushes, batch, pops, take }: Run) {
    let (mut sender, mut receiver) = lane_from(words, start);
    for number in 0..before {
        assert!(push(&mut sender, number));
    }
    sender.publish();
    let producer = thread::spawn(move || {
        let mut number = before;
        for attempt in 1..=pushes {
            if push(&mut sender, number) {
                number += 1;
            }
            if attempt % batch == 0 {
                sender.publish();
            }
        }
        // What is left of a batch is published as the sender goes.
        number
    });
    let mut number = 0;
    for attempt in 1..=pops {
        match take {
            Take::Stretches => number = pop_stretch(&mut receiver, number),
            Take::Records(release) => {
                number += u64::from(pop(&mut receiver, number));
                if attempt % release == 0 {
                    receiver.release();
                }
            }
        }
    }
    let accepted = producer.join().unwrap();
    while pop(&mut receiver, number) {
        number += 1;
    }
    assert_eq!(number, accepted);
}

/// Reliability 10.
#[test]
fn a_lane_of_eight_words_carries_records_in_order_across_pads() {
    for start in 0..8 {
        check(None, move || {
            run(Run { words: 8, start, before: 2, pushes: 3, batch: 1, pops: 4, take: Take::Records(1) });
        });
    }
}

/// Reliability 10.
#[test]
fn batches_are_published_and_given_back_whole() {
    for start in [0, 6, 7] {
        check(None, move || {
            run(Run { words: 8, start, before: 3, pushes: 4, batch: 2, pops: 4, take: Take::Records(2) });
        });
        check(None, move || {
            run(Run { words: 16, start, before: 5, pushes: 5, batch: 3, pops: 5, take: Take::Records(3) });
        });
    }
}

/// Reliability 10.
#[test]
fn cursors_pass_the_end_of_their_numbers() {
    for start in [usize::MAX, usize::MAX - 1, usize::MAX - 2, usize::MAX - 4, usize::MAX - 7] {
        check(None, move || {
            run(Run { words: 8, start, before: 2, pushes: 4, batch: 1, pops: 3, take: Take::Records(1) });
        });
    }
    check(None, || {
        run(Run {
            words: 16,
            start: usize::MAX - 16,
            before: 6,
            pushes: 4,
            batch: 2,
            pops: 4,
            take: Take::Records(2),
        });
    });
}

/// Reliability 10.
#[test]
fn stretches_are_read_in_place_and_given_back_when_all_is_done_with_them() {
    for start in [0, 5, 6, 7, usize::MAX, usize::MAX - 2, usize::MAX - 5] {
        check(None, move || {
            run(Run { words: 8, start, before: 2, pushes: 4, batch: 1, pops: 3, take: Take::Stretches });
        });
        check(None, move || {
            run(Run { words: 16, start, before: 4, pushes: 4, batch: 2, pops: 3, take: Take::Stretches });
        });
    }
}

/// Reliability 10.
#[test]
fn ends_that_wait_for_each_other_both_get_on() {
    check(Some(2), || {
        let (mut sender, mut receiver) = lane_from(8, usize::MAX - 4);
        let producer = thread::spawn(move || {
            for number in 0..5 {
                while !push(&mut sender, number) {
                    sender.publish();
                    thread::yield_now();
                }
                sender.publish();
            }
        });
        let mut number = 0;
        while number < 5 {
            if pop(&mut receiver, number) {
                number += 1;
            } else {
                receiver.release();
                thread::yield_now();
            }
        }
        producer.join().unwrap();
        assert!(receiver.peek().is_none());
    });
}

/// Writes a record with this number, which is odd, into a batch, as telling does.
fn tell(batch: &mut Batch, place: Place, number: u64) -> bool {
    let to = Address { place, ..Address::NOBODY };
    let words = Payload::<u64>::WORDS;
    if !batch.takes::<u64>(to) && !batch.begin_run(to, words, Payload::<u64>::drop_in) {
        return false;
    }
    // SAFETY: the batch takes it.
    #[allow(unsafe_code)]
    unsafe {
        record::write(batch.at(), to, Kind::Message, number);
    }
    batch.commit(words);
    true
}

/// Reliability 10.
#[test]
fn a_batch_that_is_moved_comes_whole_and_in_order() {
    check(Some(3), || {
        let (mut sender, mut receiver) = lane_from(8, usize::MAX - 4);
        let producer = thread::spawn(move || {
            let place = somewhere().0;
            let mut memory = Memory::new(region(8192), None);
            let Some(mut batch) = Batch::new(&mut memory, 64) else { panic!("room for a batch") };
            batch.open_for(place);
            for number in 0..5 {
                assert!(tell(&mut batch, place, 2 * number + 1));
            }
            // As a turn's end does: what has no room waits for the next.
            let mut left = 0;
            for _ in 0..2 {
                batch.move_into(&mut sender);
                sender.publish();
            }
            while batch.pop().is_some() {
                left += 1;
            }
            left
        });
        let mut number = 0;
        for _ in 0..2 {
            if pop(&mut receiver, 2 * number + 1) {
                number += 1;
            }
            receiver.release();
        }
        let left = producer.join().unwrap();
        while pop(&mut receiver, 2 * number + 1) {
            number += 1;
        }
        assert_eq!(number + left, 5);
    });
}

/// Counts how often it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A place, and an address of an actor that could live there.
fn somewhere() -> (Place, ActorRef<Counted>) {
    let place = Seat::realm(1).unwrap().next().unwrap().place();
    let identity = Identity::carved(None).occupied(1, Group::Normal, false, Gate::Ready);
    (place, Address { identity, index: 1, place }.typed())
}

/// Takes a counted message, if there is one, and drops it.
fn take(receiver: &mut LaneReceiver) -> bool {
    let Some(at) = receiver.peek() else { return false };
    // SAFETY: a whole record with a counted message, taken once.
    #[allow(unsafe_code)]
    unsafe {
        receiver.take(First::read(at).words());
        drop(Payload::<Counted>::take(at.add(RECORD_HEAD)));
    }
    true
}

/// Two messages told into a lane whose receiver takes up to `taken` and goes, having refused more first if `closed`.
/// However the ends go, each message is dropped once.
fn leave(start: usize, taken: usize, closed: bool) {
    let drops = Arc::new(AtomicUsize::new(0));
    let (place, to) = somewhere();
    let (mut sender, mut receiver) = lane_from(16, start);
    receiver.bind(place);
    let counter = drops.clone();
    let producer = thread::spawn(move || {
        for _ in 0..2 {
            // Refused ones come back, and are dropped with their error.
            let told = sender.try_tell(to, Counted(counter.clone())).is_ok();
            if told && sender.publish() && !sender.is_refused() {
                continue;
            }
        }
    });
    for _ in 0..taken {
        if !take(&mut receiver) {
            break;
        }
    }
    if closed {
        receiver.close();
        while take(&mut receiver) {}
    }
    drop(receiver);
    producer.join().unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

/// Reliability 10.
#[test]
fn what_both_ends_leave_behind_is_dropped_once() {
    for taken in 0..=2 {
        check(None, move || leave(0, taken, false));
    }
    check(None, || leave(usize::MAX - 3, 1, false));
}

/// Reliability 10.
#[test]
fn a_closed_lane_refuses_or_gives_up_what_it_took() {
    check(None, || leave(0, 0, true));
    check(None, || leave(0, 1, true));
}

/// Reliability 10.
#[test]
fn what_was_not_refused_is_looked_at() {
    check(None, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let (place, to) = somewhere();
        let (mut sender, mut receiver) = lane_from(16, 0);
        receiver.bind(place);
        let counter = drops.clone();
        let producer = thread::spawn(move || {
            let told = sender.try_tell(to, Counted(counter)).is_ok();
            sender.publish();
            (sender, told)
        });
        receiver.close();
        while take(&mut receiver) {}
        let (sender, told) = producer.join().unwrap();
        let refused = sender.is_refused();
        // Joined, the sender sees that the lane is closed; what was told before that may lie there.
        assert!(refused && (told || drops.load(Ordering::Relaxed) == 1));
        drop((sender, receiver));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
    check(None, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let (place, to) = somewhere();
        let (mut sender, mut receiver) = lane_from(16, 0);
        receiver.bind(place);
        let counter = drops.clone();
        let producer = thread::spawn(move || {
            let told = sender.try_tell(to, Counted(counter)).is_ok();
            sender.publish();
            let refused = sender.is_refused();
            (sender, !told || refused)
        });
        receiver.close();
        let mut taken = 0;
        while take(&mut receiver) {
            taken += 1;
        }
        let (sender, refused) = producer.join().unwrap();
        assert!(refused || taken == 1, "neither taken nor refused");
        drop((sender, receiver));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

/// Reliability 10.
#[test]
fn an_orphan_that_is_empty_stays_empty() {
    check(None, || {
        let (mut sender, mut receiver) = lane_from(8, 0);
        let producer = thread::spawn(move || {
            assert!(push(&mut sender, 0));
            sender.publish();
            assert!(push(&mut sender, 1));
        });
        let mut number = 0;
        loop {
            let orphan = receiver.is_orphan();
            while pop(&mut receiver, number) {
                number += 1;
            }
            if orphan {
                break;
            }
            thread::yield_now();
        }
        assert_eq!(number, 2);
        producer.join().unwrap();
    });
}

/// Reliability 10.
#[test]
fn a_lane_that_was_bound_may_be_told_into() {
    check(None, || {
        let places: Vec<Place> = Seat::realm(2).unwrap().map(|seat| seat.place()).collect();
        let (mut sender, mut receiver) = lane_from(8, 0);
        let place = places[1];
        let producer = thread::spawn(move || {
            let seen = sender.place();
            assert!(seen.is_none() || seen == Some(place));
        });
        receiver.bind(place);
        assert!(receiver.is_bound_to(place) && !receiver.is_bound_to(places[0]));
        producer.join().unwrap();
    });
}

//! Lanes on the heap, whose other end goes while they are told into, or with what nobody took.

use corelane_kernel::{Actor, Ctx, KernelConfig, Outcome, TellError};

use crate::common::{self, Census, Order, Realm, Token};

#[test]
fn what_is_told_while_the_receiving_kernel_goes_is_dropped_once() {
    // Before it goes, after, and into how large a lane: so that some lies in the lane, in the batch, behind both.
    for (before, after, words) in [(0, 5, 4096), (1, 5, 4096), (1, 500, 4096), (1, 500, 64), (200, 500, 4096)]
    {
        for sender_goes_too in [false, true] {
            let (mut realm, census) = (Realm::on_heap(words), Census::default());
            let a = realm.worlds[1].puppet("a");
            realm.settle();
            let mut told = 0;
            for n in 0..before + after {
                if n == before {
                    drop(realm.worlds.remove(1));
                }
                realm.worlds[0].tell(a, Order::Carry(census.token()));
                let token = census.token();
                let _ = realm.worlds[0].scope().call_on(1, move |_| drop(token));
                told += 2;
            }
            assert_eq!(census.born(), told);
            if !sender_goes_too {
                realm.settle();
                census.expect_none();
            }
            drop(realm);
            census.expect_none();
        }
    }
}

#[test]
fn what_one_thread_tells_while_the_kernel_of_another_goes_is_dropped_once() {
    use corelane_kernel::{Kernel, Seat, Time, lane};

    /// Drops what it is told.
    struct Sink;
    impl Actor for Sink {
        type Msg = Token;
        fn receive(&mut self, _: Token, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let kernel = |seat: Seat, other: usize, ways: [_; 2], ways_in: [_; 2]| {
        let [messages, signals] = ways;
        let [messages_in, signals_in] = ways_in;
        let mut kernel = Kernel::seated(common::region(64 << 10), KernelConfig::default(), seat, 2).unwrap();
        kernel.add_lane(messages_in).unwrap();
        kernel.add_signal_lane(signals_in).unwrap();
        kernel.connect(other, messages, signals);
        kernel
    };
    for round in 0..200 {
        let census = Census::default();
        let mut seats = Seat::realm(2).unwrap();
        let (here, there) = (seats.next().unwrap(), seats.next().unwrap());
        let ((to_there, there_in), (signals_to_there, signals_there)) = (lane(256), lane(64));
        let ((to_here, here_in), (signals_to_here, signals_here)) = (lane(256), lane(64));
        let (publish, published) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut there = kernel(there, 0, [to_here, signals_to_here], [there_in, signals_there]);
            publish.send(there.spawn(Sink).unwrap()).unwrap();
            for _ in 0..round {
                there.turn(Time::ZERO);
            }
        });
        let sink = published.recv().unwrap();
        let mut here = kernel(here, 1, [to_there, signals_to_there], [here_in, signals_here]);
        let mut told = 0;
        while !matches!(here.try_tell(sink, census.token()), Err(TellError::Unreachable(_))) {
            told += 1;
            if told % 7 == 0 {
                here.turn(Time::ZERO);
            }
        }
        thread.join().unwrap();
        while here.turn(Time::ZERO).more || here.has_input() {}
        census.expect_none();
    }
}

#[test]
fn a_panicking_drop_of_what_a_lane_still_holds_is_nobodys_failure() {
    struct Bomb(#[allow(dead_code)] Token);
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let (mut realm, census) = (Realm::on_heap(4096), Census::default());
    let a = realm.worlds[1].puppet("a");
    realm.settle();
    let survivor = realm.worlds[0].puppet("s");
    realm.settle();
    let bomb = Bomb(census.token());
    // The last of what is told lies in the lane, not yet published.
    assert!(realm.worlds[0].scope().call_on(1, move |_| drop(bomb)).is_ok());
    drop(realm.worlds.remove(1));
    realm.settle();
    assert_eq!(realm.worlds[0].panics, ["boom"]);
    census.expect_none();
    assert!(realm.worlds[0].scope().is_alive(survivor));
    assert!(matches!(realm.worlds[0].try_tell(a, Order::Note(1)), Err(TellError::Unreachable(_))));
}

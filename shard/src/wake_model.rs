//! Sleeping and waking under the model checker, alone and together with the lanes that they guard: whatever was published
//! before a wake is seen by the sleeper, whether it looks or is woken. See `scripts/loom.sh`.
//!
//! A wake-up that is lost leaves the sleeper asleep for ever, which the checker reports as a deadlock.

use std::mem::MaybeUninit;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicU32 as StdAtomicU32, Ordering as StdOrdering};

use corelane_kernel::{Kernel, KernelConfig, LaneSender, Region, Time, lane};
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::inbox::{Inbox, Request};
use crate::wake::Wake;

/// Explores every execution with at most `preemptions` preemptions; all of them for `None`.
fn check(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 10_000;
    builder.check(model);
}

/// Work that is published without order of its own, so that only the protocol can make it seen.
struct Work {
    wake: Wake,
    published: AtomicU32,
}

impl Work {
    fn new() -> Arc<Work> {
        Arc::new(Work { wake: Wake::new(false), published: AtomicU32::new(0) })
    }

    fn publish(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
        self.wake.wake();
    }

    /// Sleeps until this much has been published. A sleep that ends too early is repeated, as a shard's is.
    fn await_published(&self, all: u32) {
        self.wake.settle();
        loop {
            let seen = self.published.load(Ordering::Relaxed);
            if seen == all {
                return;
            }
            self.wake.sleep(None, || self.published.load(Ordering::Relaxed) != seen);
        }
    }
}

/// What a driver waits at: it stays rung until somebody has heard it.
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn hear(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !std::mem::take(&mut *rung) {
            rung = self.changed.wait(rung).unwrap();
        }
    }
}

/// Work for one who sleeps at a bell that others may ring as well.
fn work_at_a_bell() -> (Arc<Work>, Arc<Bell>) {
    let bell = Arc::new(Bell { rung: Mutex::new(false), changed: Condvar::new() });
    (Work::new(), bell)
}

/// Sleeps at the bell until this much has been published.
fn await_at_a_bell(work: &Work, bell: &Arc<Bell>, all: u32) {
    work.wake.settle();
    let rings = bell.clone();
    work.wake.settle_elsewhere(Box::new(move || rings.ring()));
    loop {
        let seen = work.published.load(Ordering::Relaxed);
        if seen == all {
            return;
        }
        work.wake.sleep_elsewhere(|| {
            if work.published.load(Ordering::Relaxed) == seen {
                bell.hear();
            }
        });
    }
}

#[test]
fn publishing_then_waking_is_never_missed_by_one_who_sleeps_in_a_driver() {
    for publications in [1, 2] {
        check(None, move || {
            let (work, bell) = work_at_a_bell();
            let waker = thread::spawn({
                let work = work.clone();
                move || (0..publications).for_each(|_| work.publish())
            });
            await_at_a_bell(&work, &bell, publications);
            waker.join().unwrap();
        });
    }
}

#[test]
fn input_of_the_driver_takes_no_wake_up_away() {
    check(Some(3), || {
        let (work, bell) = work_at_a_bell();
        let waker = thread::spawn({
            let work = work.clone();
            move || work.publish()
        });
        let input = thread::spawn({
            let bell = bell.clone();
            move || bell.ring()
        });
        await_at_a_bell(&work, &bell, 1);
        waker.join().unwrap();
        input.join().unwrap();
    });
}

/// Reliability 10.
#[test]
fn publishing_then_waking_is_never_missed_by_one_who_says_that_it_sleeps_then_looks() {
    check(None, || {
        let work = Work::new();
        let waker = thread::spawn({
            let work = work.clone();
            move || work.publish()
        });
        work.await_published(1);
        waker.join().unwrap();
    });
}

/// Reliability 10.
#[test]
fn one_who_wakes_twice_is_heard_twice() {
    check(None, || {
        let work = Work::new();
        let waker = thread::spawn({
            let work = work.clone();
            move || {
                work.publish();
                work.publish();
            }
        });
        work.await_published(2);
        waker.join().unwrap();
    });
}

/// Reliability 10.
#[test]
fn two_wakers_are_both_heard() {
    check(Some(3), || {
        let work = Work::new();
        let wakers = [(); 2].map(|()| {
            let work = work.clone();
            thread::spawn(move || work.publish())
        });
        work.await_published(2);
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}

/// Reliability 10.
#[test]
fn two_sleepers_that_wake_each_other_both_end() {
    check(Some(3), || {
        let (here, there) = (Work::new(), Work::new());
        let other = thread::spawn({
            let (here, there) = (here.clone(), there.clone());
            move || {
                there.await_published(1);
                here.publish();
            }
        });
        there.publish();
        here.await_published(1);
        other.join().unwrap();
    });
}

/// A kernel that sleeps, and the lanes into it.
fn house(lanes: usize) -> (Kernel, Vec<LaneSender>) {
    const BYTES: usize = 64 << 10;
    thread_local! {
        /// Used again by each execution: they come one after the other.
        static MEMORY: *mut MaybeUninit<u8> = Box::leak(Box::<[u8]>::new_uninit_slice(BYTES)).as_mut_ptr();
    }
    let at = std::ptr::NonNull::new(MEMORY.with(|at| *at)).unwrap().cast();
    // SAFETY: the memory is never given back, and the kernel of the execution before is gone.
    #[allow(unsafe_code)]
    let region = unsafe { Region::from_raw_parts(at, BYTES) }.unwrap();
    let mut kernel = Kernel::new(region, KernelConfig::default()).unwrap();
    let senders = (0..lanes).map(|_| {
        let (sender, receiver) = lane(16);
        kernel.add_lane(receiver).unwrap();
        sender
    });
    let senders = senders.collect();
    (kernel, senders)
}

/// What a shard does, turn after turn, until `all` calls have come over its lanes.
fn run_shard(mut kernel: Kernel, wake: &Wake, calls: &StdAtomicU32, all: u32) {
    wake.settle();
    let mut now = 0;
    while calls.load(StdOrdering::Relaxed) != all {
        now += 1;
        if kernel.turn(Time::from_millis(now)).handled == 0 {
            wake.sleep(None, || kernel.has_input());
        }
    }
}

/// Sends one call over a lane, as a gateway does.
fn send(lane: &mut LaneSender, wake: &Wake, calls: &StdArc<StdAtomicU32>) {
    let calls = calls.clone();
    let sent = lane.try_call(move |_| {
        calls.fetch_add(1, StdOrdering::Relaxed);
    });
    assert!(sent.is_ok());
    if lane.publish() {
        wake.wake();
    }
}

/// Reliability 10.
#[test]
fn what_is_published_in_a_lane_wakes_the_shard_that_reads_it() {
    for sends in [1, 2] {
        check(None, move || {
            let (kernel, mut senders) = house(1);
            let wake = Arc::new(Wake::new(false));
            let calls = StdArc::new(StdAtomicU32::new(0));
            let sender = thread::spawn({
                let (wake, calls) = (wake.clone(), calls.clone());
                let mut lane = senders.remove(0);
                move || {
                    for _ in 0..sends {
                        send(&mut lane, &wake, &calls);
                    }
                    // The lane outlives the shard here, so that only what was sent wakes it.
                    lane
                }
            });
            run_shard(kernel, &wake, &calls, sends);
            drop(sender.join().unwrap());
        });
    }
}

/// Reliability 10.
#[test]
fn lanes_of_two_senders_wake_one_shard() {
    check(Some(2), || {
        let (kernel, senders) = house(2);
        let wake = Arc::new(Wake::new(false));
        let calls = StdArc::new(StdAtomicU32::new(0));
        let threads: Vec<_> = senders
            .into_iter()
            .map(|mut lane| {
                let (wake, calls) = (wake.clone(), calls.clone());
                thread::spawn(move || {
                    send(&mut lane, &wake, &calls);
                    lane
                })
            })
            .collect();
        run_shard(kernel, &wake, &calls, 2);
        for thread in threads {
            drop(thread.join().unwrap());
        }
    });
}

/// Reliability 10.
#[test]
fn a_request_left_in_the_inbox_wakes_its_shard() {
    for (threads, requests) in [(1, 1), (1, 2), (2, 1)] {
        check(Some(3), move || {
            let shared = Arc::new((Wake::new(false), Inbox::new()));
            let pushers: Vec<_> = (0..threads)
                .map(|_| {
                    let shared = shared.clone();
                    thread::spawn(move || {
                        let (wake, inbox) = &*shared;
                        for _ in 0..requests {
                            assert!(inbox.push(Request::Prune, wake).is_ok());
                        }
                    })
                })
                .collect();
            let (wake, inbox) = &*shared;
            wake.settle();
            let mut taken = 0;
            while taken < threads * requests {
                if inbox.has_requests() {
                    taken += inbox.take().len();
                } else {
                    wake.sleep(None, || inbox.has_requests());
                }
            }
            for pusher in pushers {
                pusher.join().unwrap();
            }
        });
    }
}

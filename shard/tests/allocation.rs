//! Nothing allocates on the way of a message between the actors of one core or of two. The one file of these tests with
//! `unsafe`: a global allocator that counts.

#![allow(unsafe_code)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::mpsc::{SyncSender, sync_channel};

use common::{LONG, builder, end, next};
use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
use corelane_shard::On;

thread_local! {
    /// Allocations of this thread; tests run in parallel.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: all is passed on to the system's allocator; counting touches a thread-local number without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's.
        unsafe { System.realloc(at, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: u64 = 200;
/// Told in one go: enough to fill a lane and to spill behind it.
const BURST: u64 = 300;

/// A burst of numbers, of two sizes, then the word to answer with one.
#[derive(Clone, Copy)]
enum Volley {
    Begin(ActorRef<Volley>),
    Number(u64),
    Wide([u64; 12]),
    Over,
}

/// Answers each volley with one of its own, and counts what its thread allocates from the second round on.
struct Player {
    serves: bool,
    peer: ActorRef<Volley>,
    rounds: u64,
    heard: u64,
    before: u64,
    report: SyncSender<(u64, u64)>,
}

impl Player {
    fn play(&mut self, ctx: &mut Ctx<'_, Self>) {
        for number in 0..BURST {
            ctx.tell(self.peer, Volley::Number(number));
        }
        ctx.tell(self.peer, Volley::Wide([7; 12]));
        ctx.tell(self.peer, Volley::Over);
    }
}

impl Actor for Player {
    type Msg = Volley;

    fn receive(&mut self, volley: Volley, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match volley {
            Volley::Begin(peer) => {
                (self.serves, self.peer) = (true, peer);
                self.play(ctx);
            }
            Volley::Number(number) => self.heard += 1 + number / BURST,
            Volley::Wide(wide) => self.heard += wide[11] / 7,
            Volley::Over => {
                self.rounds += 1;
                if self.rounds == 1 {
                    self.before = ALLOCATIONS.get();
                } else if self.rounds == ROUNDS {
                    self.report.send((self.heard, ALLOCATIONS.get() - self.before))?;
                }
                if self.rounds < ROUNDS || !self.serves {
                    self.play(ctx);
                }
            }
        }
        Ok(())
    }
}

fn rally(shards: [usize; 2]) {
    let system = builder(2).lane_bytes(4 << 10).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    // With its room made beforehand: a report is no message.
    let (report, reports) = sync_channel(2);
    let spawn = |shard, peer| {
        let report = report.clone();
        let player =
            move || Player { serves: false, peer, rounds: 0, heard: 0, before: 0, report: report.clone() };
        system.spawn_on(On::Shard(shard), player).unwrap()
    };
    let one = spawn(shards[0], ActorRef::nobody());
    let other = spawn(shards[1], one);
    gateway.tell_within(one, Volley::Begin(other), LONG).unwrap();
    for _ in 0..2 {
        assert_eq!(next(&reports), (ROUNDS * (BURST + 1), 0));
    }
    drop(gateway);
    assert_eq!(end(system).dead_letters(), 0);
}

#[test]
fn nothing_allocates_on_the_way_of_a_message_on_one_core() {
    rally([0, 0]);
}

#[test]
fn nothing_allocates_on_the_way_of_a_message_between_two_cores() {
    rally([0, 1]);
}

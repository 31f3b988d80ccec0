//! Nothing allocates on the way of a message, nor of anything else that a kernel does: its region is all it uses. The
//! one file of the tests with `unsafe`: a global allocator that counts.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::time::Duration;

use corelane_kernel::router::{Pool, SmallestLoad};
use corelane_kernel::{
    Actor, ActorRef, AskError, Backoff, Ctx, DeadLetter, Failure, Group, Kernel, KernelConfig, LaneMemory,
    LaneReceiver, LaneSender, Outcome, Region, ReplyTo, Seat, Strategy, Terminated, Time,
};

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

/// Allocations while `work` runs.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// What is leaked on purpose stays reachable from here, so that a leak checker sees only what really leaks.
static KEPT: Mutex<Vec<usize>> = Mutex::new(Vec::new());

fn region(bytes: usize) -> Region {
    let memory: &'static mut [MaybeUninit<u8>] = Box::leak(Box::new_uninit_slice(bytes));
    KEPT.lock().unwrap().push(memory.as_ptr() as usize);
    Region::from_static(memory).unwrap()
}

fn settle(kernel: &mut Kernel, now: Time) {
    while kernel.turn(now).more {}
}

#[test]
fn the_allocator_counts() {
    assert!(allocations(|| drop(std::hint::black_box(Box::new([1u8; 100])))) >= 1);
    assert_eq!(allocations(|| ()), 0);
}

/// Passes a message of so many words on, as often as it says.
struct Link<const N: usize> {
    next: ActorRef<(u64, [u64; N])>,
}

impl<const N: usize> Actor for Link<N> {
    type Msg = (u64, [u64; N]);
    fn receive(&mut self, (left, load): Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if left > 0 {
            ctx.tell(self.next, (left - 1, load));
        }
        Ok(())
    }
}

/// Reliability 15.
#[test]
fn nothing_allocates_on_the_way_of_a_message_on_one_core() {
    let mut kernel = Kernel::new(region(4 << 20), KernelConfig::default()).unwrap();
    let end = kernel.spawn(Link::<0> { next: ActorRef::nobody() }).unwrap();
    let start = kernel.spawn(Link { next: end }).unwrap();
    let large_end = kernel.spawn(Link::<60> { next: ActorRef::nobody() }).unwrap();
    let large_start = kernel.spawn(Link { next: large_end }).unwrap();
    settle(&mut kernel, Time::ZERO);
    // From the very first message on.
    let allocated = allocations(|| {
        for n in 0..50_000 {
            kernel.tell(start, (1, []));
            kernel.tell(large_start, (1, [n; 60]));
            kernel.turn(Time::from_nanos(n));
        }
        settle(&mut kernel, Time::from_nanos(50_000));
    });
    assert_eq!(allocated, 0);
    assert_eq!(kernel.stats().handled, 200_000);
}

fn lane<const WORDS: usize>() -> (LaneSender, LaneReceiver) {
    let memory: &'static LaneMemory<WORDS> = Box::leak(Box::new(LaneMemory::new()));
    KEPT.lock().unwrap().push(std::ptr::from_ref(memory) as usize);
    memory.split().unwrap()
}

/// Reliability 15.
#[test]
fn nothing_allocates_on_the_way_of_a_message_between_two_cores() {
    let mut seats = Seat::realm(2).unwrap();
    let mut kernels: Vec<Kernel> = (0..2)
        .map(|_| Kernel::seated(region(4 << 20), KernelConfig::default(), seats.next().unwrap(), 2).unwrap())
        .collect();
    for (from, to) in [(0, 1), (1, 0)] {
        // Small enough to run full, so that messages spill as well.
        let ((sender, receiver), (signals, signals_out)) = (lane::<512>(), lane::<64>());
        kernels[to].add_lane(receiver).unwrap();
        kernels[to].add_signal_lane(signals_out).unwrap();
        kernels[from].connect(to, sender, signals);
    }
    let end = kernels[0].spawn(Link::<0> { next: ActorRef::nobody() }).unwrap();
    let middle = kernels[1].spawn(Link { next: end }).unwrap();
    let start = kernels[0].spawn(Link { next: middle }).unwrap();
    let large_end = kernels[0].spawn(Link::<60> { next: ActorRef::nobody() }).unwrap();
    let large_middle = kernels[1].spawn(Link { next: large_end }).unwrap();
    let large_start = kernels[0].spawn(Link { next: large_middle }).unwrap();
    let mut spilled = false;
    let allocated = allocations(|| {
        for n in 0..2000 {
            // In bursts that are more than a lane holds.
            for _ in 0..if n % 8 == 0 { 20 } else { 0 } {
                kernels[0].tell(start, (2, []));
                kernels[0].tell(large_start, (2, [n; 60]));
            }
            for kernel in &mut kernels {
                kernel.turn(Time::from_nanos(n));
                spilled |= kernel.spilled();
            }
        }
        for n in 2000..4000 {
            for kernel in &mut kernels {
                kernel.turn(Time::from_nanos(n));
            }
        }
    });
    assert_eq!(allocated, 0);
    assert!(spilled);
    let handled: u64 = kernels.iter().map(|kernel| kernel.stats().handled).sum();
    assert_eq!(
        (handled, kernels[0].stats().dead_letters, kernels[1].stats().dead_letters),
        (3 * 10_000, 0, 0)
    );
}

/// Reliability 15.
#[test]
fn nothing_allocates_on_the_way_through_a_gateways_lane() {
    let mut kernel = Kernel::new(region(1 << 20), KernelConfig::default()).unwrap();
    let (mut gateway, receiver) = lane::<1024>();
    kernel.add_lane(receiver).unwrap();
    let a = kernel.spawn(Link::<0> { next: ActorRef::nobody() }).unwrap();
    let large = kernel.spawn(Link::<60> { next: ActorRef::nobody() }).unwrap();
    let allocated = allocations(|| {
        for n in 0..10_000u64 {
            gateway.try_tell(a, (0, [])).unwrap();
            gateway.try_tell(large, (0, [n; 60])).unwrap();
            gateway.try_call(move |scope| _ = std::hint::black_box((scope.now(), n))).map_err(|_| n).unwrap();
            gateway.publish();
            kernel.turn(Time::from_nanos(n));
        }
    });
    assert_eq!(allocated, 0);
}

/// Does a little of everything.
struct Busy {
    other: ActorRef<Work>,
    done: u64,
}

#[derive(Clone)]
enum Work {
    Round(u64),
    Question(u64, ReplyTo<u64>),
    Answer(#[allow(dead_code)] Result<u64, AskError>),
    Stashed,
    Timer,
    Gone,
    Fail,
}

impl Actor for Busy {
    type Msg = Work;

    fn receive(&mut self, work: Work, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.done += 1;
        match work {
            Work::Round(n) => {
                ctx.ask(self.other, Duration::from_millis(1), |reply| Work::Question(n, reply), Work::Answer);
                ctx.stash(Work::Stashed).map_err(|_| Failure::new("stash"))?;
                ctx.unstash_all();
                ctx.set_timer(n % 7, Duration::from_micros(100), Work::Timer)?;
                ctx.set_periodic("beat", Duration::from_millis(1), Work::Timer)?;
                ctx.set_receive_timeout(Some(Duration::from_millis(5)))?;
                let child = ctx.spawn_from(move || Busy { other: ActorRef::nobody(), done: n })?;
                ctx.watch_with(child, Work::Gone)?;
                ctx.attach(n)?;
                ctx.tell(child, Work::Timer);
                if n.is_multiple_of(2) {
                    ctx.stop(child)
                } else {
                    ctx.tell(child, Work::Fail)
                }
                let named = ctx.spawner().name("named").group(Group::Bulk).mailbox(3);
                let named = named.spawn(Busy { other: ActorRef::nobody(), done: 0 })?;
                ctx.watch(named)?;
                ctx.stop(named);
                let adapter = ctx.adapter(move |_: u8| Work::Timer)?;
                ctx.tell(adapter, 1u8);
                ctx.stop(adapter);
                ctx.tell(ActorRef::<u64>::nobody(), n);
                ctx.suspend_self()?;
                let me = ctx.me();
                ctx.scope().resume(me);
            }
            Work::Question(n, reply) if n.is_multiple_of(3) => _ = reply,
            Work::Question(n, reply) => ctx.tell(reply, n),
            Work::Fail => return Err(Failure::new(format_args!("failed after {}", self.done))),
            Work::Answer(_) | Work::Stashed | Work::Timer | Work::Gone => {}
        }
        Ok(())
    }

    fn terminated(&mut self, _: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        self.done += 1;
        Ok(())
    }

    fn strategy(&self) -> Strategy {
        // Some wait, and some restart with others.
        let strategy = match self.done % 3 {
            0 => Strategy::one_for_one()
                .backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(9))),
            1 => Strategy::rest_for_one(),
            _ => Strategy::one_for_one(),
        };
        strategy.restarts(2, Duration::from_millis(50))
    }
}

struct Undertaker;

impl Actor for Undertaker {
    type Msg = DeadLetter;
    fn receive(&mut self, letter: DeadLetter, _: &mut Ctx<'_, Self>) -> Outcome {
        std::hint::black_box(letter);
        Ok(())
    }
}

/// Reliability 15.
#[test]
fn a_kernel_allocates_nothing_whatever_its_actors_do() {
    let region = region(8 << 20);
    let allocated = allocations(|| {
        let mut kernel = Kernel::new(region, KernelConfig::default()).unwrap();
        let undertaker = kernel.spawn(Undertaker).unwrap();
        kernel.scope().subscribe_dead_letters(undertaker).unwrap();
        kernel.set_extension(7u64).unwrap();
        let other = kernel.spawn(Busy { other: ActorRef::nobody(), done: 0 }).unwrap();
        let busy = kernel.spawn(Busy { other, done: 0 }).unwrap();
        for n in 0..2000u64 {
            kernel.tell(busy, Work::Round(n));
            kernel.turn(Time::from_nanos(n * 300_000));
        }
        settle(&mut kernel, Time::from_millis(10_000));
        assert!(kernel.stats().handled > 15_000 && kernel.stats().failed > 500);
        assert!(kernel.stats().restarted > 500);
        kernel.scope().stop_all();
        settle(&mut kernel, Time::from_millis(20_000));
        assert_eq!(kernel.stats().actors, 0);
    });
    assert_eq!(allocated, 0);
}

#[derive(Clone)]
enum Errand {
    Note,
    Ask(ReplyTo<u64>),
}

/// Answers every question but each fourth.
struct Runner {
    asked: u64,
}

impl Actor for Runner {
    type Msg = Errand;
    fn receive(&mut self, errand: Errand, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if let Errand::Ask(reply) = errand {
            self.asked += 1;
            if !self.asked.is_multiple_of(4) {
                ctx.tell(reply, self.asked);
            }
        }
        Ok(())
    }
}

/// Sends errands by all ways of a router, through a pool that is grown and shrunk meanwhile.
struct Dispatcher {
    runners: Pool<Runner, SmallestLoad>,
    answers: u64,
}

enum Dispatch {
    Round(u64),
    Answer(#[allow(dead_code)] Result<u64, AskError>),
}

impl Actor for Dispatcher {
    type Msg = Dispatch;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.runners.start(ctx)?;
        Ok(())
    }

    fn receive(&mut self, dispatch: Dispatch, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match dispatch {
            Dispatch::Round(n) => {
                let (within, interval) = (Duration::from_millis(5), Duration::from_millis(1));
                self.runners.resize(ctx, 2 + n as usize % 5)?;
                self.runners.tell(ctx, Errand::Note);
                let router = self.runners.router(ctx);
                router.broadcast(ctx, Errand::Note);
                router.scatter_gather(ctx, within, Errand::Ask, Dispatch::Answer);
                router.tail_chop(ctx, within, interval, Errand::Ask, Dispatch::Answer);
            }
            Dispatch::Answer(_) => self.answers += 1,
        }
        Ok(())
    }

    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        assert_eq!(self.answers, 2000);
    }
}

/// Reliability 15.
#[test]
fn nothing_allocates_on_the_way_of_a_routed_message() {
    let region = region(8 << 20);
    let allocated = allocations(|| {
        let mut kernel = Kernel::new(region, KernelConfig::default()).unwrap();
        let runners = Pool::new(2, || Runner { asked: 0 }).strategy(SmallestLoad::new()).named("runner");
        let dispatcher = kernel.spawn(Dispatcher { runners, answers: 0 }).unwrap();
        for n in 0..1000u64 {
            kernel.tell(dispatcher, Dispatch::Round(n));
            kernel.turn(Time::from_nanos(n * 300_000));
        }
        settle(&mut kernel, Time::from_millis(10_000));
        assert!(kernel.stats().spawned > 1500, "{:?}", kernel.stats());
        kernel.scope().stop_all();
        settle(&mut kernel, Time::from_millis(20_000));
        assert_eq!((kernel.stats().actors, kernel.stats().failed), (0, 0));
    });
    assert_eq!(allocated, 0);
}

#[cfg(feature = "alloc")]
#[test]
fn only_a_message_beyond_the_inline_bound_is_boxed() {
    struct Sized<const N: usize>;
    impl<const N: usize> Actor for Sized<N> {
        type Msg = [u64; N];
        fn receive(&mut self, message: [u64; N], _: &mut Ctx<'_, Self>) -> Outcome {
            std::hint::black_box(message);
            Ok(())
        }
    }
    let mut kernel = Kernel::new(region(1 << 20), KernelConfig::default()).unwrap();
    let (largest, larger) = (kernel.spawn(Sized::<64>).unwrap(), kernel.spawn(Sized::<65>).unwrap());
    settle(&mut kernel, Time::ZERO);
    let inline = allocations(|| {
        kernel.tell(largest, [1; 64]);
        settle(&mut kernel, Time::ZERO);
    });
    let boxed = allocations(|| {
        kernel.tell(larger, [1; 65]);
        settle(&mut kernel, Time::ZERO);
    });
    assert_eq!((inline, boxed), (0, 1));
}

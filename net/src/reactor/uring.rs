//! io_uring: operations are entries in a ring that the kernel shares with us, and so are their completions.
//!
//! One ring on one thread, whose kernel work is done only when that thread asks for it (single issuer, deferred task run).
//! Accepts and receives repeat themselves; receives take their memory from a ring of chunks that we registered. What an
//! operation points to lies in its *frame*, which stays where it is and belongs to the operation's slot: the engine gives
//! no slot away before its last completion. Descriptors of sockets that are used for long stand in a *table* of the kernel's.
//!
//! Not used, since kernels had faults there: rings of buffers that the kernel allocates, bundles, incremental buffers,
//! zero-copy receives, resizing.
#![allow(unsafe_code)]

mod chunk_ring;
mod crowd;
mod direct;
mod ends;
mod frame;
mod open;
mod permit;
mod table;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};

use self::chunk_ring::ChunkRing;
use self::crowd::Crowd;
use self::direct::Direct;
use self::frame::{Frame, NAME_BYTES};
pub(super) use self::permit::OPERATIONS;
use self::table::Table;
use super::address::Address;
use super::backend::{Completion, Descriptor, Drive, Waker};
use super::config::{Backend, Options};
use super::descriptor::{self, system};
use super::peer_user::PeerUser;
use super::slab::Key;
use super::store::{SocketKind, Store, Work};
use crate::buffers::Supply;

/// The group of the chunks.
const CHUNKS: u16 = 0;
/// The name of what rings the doorbell.
const BELL: u64 = u64::MAX;
/// The name of cancellations, whose own outcome says nothing.
const CANCEL: u64 = u64::MAX - 1;
/// The name of what ends a period of waits that coalesce.
const TICK: u64 = u64::MAX - 2;
/// How long the last word about the bell is waited for: a filter of system calls that came later may forbid to hear it.
const BELL_TRIES: u32 = 200;
const BELL_WAIT: Option<Duration> = Some(Duration::from_millis(10));
/// Completions that a wait goes on for at most.
const AWAITED_MAX: usize = 64;
/// Chunks that the kernel has at a time, at least. It takes them in turn: with few, what comes lies in memory that was just
/// read, and not in that of all chunks one after the other.
const LENT: usize = 32;
/// Chunks for each operation in flight.
const LENT_EACH: usize = 2;
/// `IORING_SEND_ZC_REPORT_USAGE` of `linux/io_uring.h`.
const REPORT_USAGE: u16 = 1 << 3;

pub(super) struct Uring {
    ring: IoUring,
    supply: Supply,
    chunks: ChunkRing,
    table: Table,
    /// Chunks that the kernel has at a time.
    lent_max: usize,
    /// By the slots of operations.
    frames: Vec<Option<Box<Frame>>>,
    /// Entries that found no room in the submission queue.
    waiting: VecDeque<squeue::Entry>,
    /// Completions under translation.
    scratch: Vec<cqueue::Entry>,
    bell: Arc<File>,
    /// What is read from the bell.
    bell_word: Box<u64>,
    bell_armed: bool,
    /// It was rung, and no turn has begun since.
    rung: bool,
    /// How long a wait in which several completions are expected goes on for them at most; zero if waits do not coalesce.
    coalesce: Duration,
    /// Waits may do so at present.
    coalescing: bool,
    /// How many are expected.
    crowd: Crowd,
    /// The length of a period. The kernel reads it when it takes the entry.
    tick: Box<Timespec>,
    tick_armed: bool,
    /// How many things have come since the last wait: sends that are done are none.
    came: usize,
    direct: Direct,
    ending: bool,
}

impl Uring {
    /// Registers each socket before its first operation.
    #[cfg(test)]
    pub(super) fn register_at_once(&mut self) {
        self.table.hold_at_once();
    }

    /// Receives over each stream without the ring as soon as that may be.
    #[cfg(test)]
    pub(super) fn receive_at_once(&mut self) {
        self.direct.at_once();
    }

    /// Gives the kernel chunks, as many as it may have at a time with so many operations in flight.
    fn lend_for(&mut self, operations: usize) {
        // One is kept for what is received without the ring.
        let all = self.supply.chunks().saturating_sub(1).max(1);
        self.lent_max = LENT.max(LENT_EACH * operations).min(all);
        self.replenish();
    }

    /// Gives the kernel chunks, as many as it may have at a time.
    fn replenish(&mut self) {
        let mut some = false;
        while self.supply.lent() < self.lent_max
            && let Some((index, at)) = self.supply.lend()
        {
            self.chunks.push(index, at, self.supply.chunk_bytes());
            some = true;
        }
        if some {
            self.chunks.publish();
        }
    }

    fn frame(&mut self, key: Key) -> &mut Frame {
        let slot = key.slot as usize;
        if self.frames.len() <= slot {
            self.frames.resize_with(slot + 1, || None);
        }
        self.frames[slot].get_or_insert_with(Frame::new)
    }

    /// Puts an entry into the submission queue. What it points to must stay until its last completion.
    fn push(&mut self, entry: squeue::Entry, store: &mut Store) {
        if !self.waiting.is_empty() || !self.try_push(&entry) {
            store.counters.full_submissions += 1;
            self.waiting.push_back(entry);
            self.enter(store);
        }
    }

    fn try_push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: whatever entries of ours point to lies in a frame, a buffer of an operation's slot, the ring of chunks or the
        // bell's word. Each stays where it is until the entry's last completion, or for ever: the engine gives no slot
        // away before, and `end` waits for the bell; if something does not end, `leak` forgets all of it. The length of a
        // period lies in a box of its own, and is read when the entry is passed on, of which there is none without us.
        unsafe { self.ring.submission().push(entry) }.is_ok()
    }

    /// Passes on what is queued, and has the kernel do what it put off, unless that is left to a wait.
    fn enter(&mut self, store: &mut Store) {
        loop {
            let queue = self.ring.submission();
            let (queued, overflows) = (queue.len(), queue.cq_overflow());
            drop(queue);
            let entered = if self.coalesce.is_zero() || overflows {
                self.harvest(store)
            } else {
                store.counters.enters += 1;
                // SAFETY: so many entries are in the queue, and `try_push` says what they point to; no argument is passed.
                unsafe { self.ring.submitter().enter::<libc::sigset_t>(queued as u32, 0, 0, None) }
                    .map(drop)
                    .map_err(|error| count_refusal(&error, store))
            };
            if entered.is_err() {
                return;
            }
            let mut some = false;
            while let Some(entry) = self.waiting.pop_front() {
                if !self.try_push(&entry) {
                    self.waiting.push_front(entry);
                    break;
                }
                some = true;
            }
            if !some {
                return;
            }
        }
    }

    /// Passes on what is in the submission queue, and has the kernel do what it put off.
    fn harvest(&mut self, store: &mut Store) -> Result<(), ()> {
        store.counters.enters += 1;
        self.ring.submit().map(drop).map_err(|error| count_refusal(&error, store))
    }

    /// Takes what has ended out of the completion queue.
    fn collect(&mut self, store: &mut Store, out: &mut VecDeque<Completion>) {
        if self.ring.submission().cq_overflow() {
            store.counters.overflows += 1;
        }
        let mut scratch = mem::take(&mut self.scratch);
        scratch.extend(self.ring.completion());
        for entry in scratch.drain(..) {
            out.extend(self.translate(&entry, store));
        }
        self.scratch = scratch;
        self.lend_for(store.operations.len());
    }

    fn has_completions(&mut self) -> bool {
        !self.ring.completion().is_empty()
    }

    /// The kernel has put something off until we enter it; or it has said so just after it was done, and says so until there
    /// is something again. So this is a reason to look, and none to stay awake: a wait begins with what was put off.
    fn has_deferred(&mut self) -> bool {
        let queue = self.ring.submission();
        queue.taskrun() || queue.cq_overflow()
    }

    fn arm_bell(&mut self, store: &mut Store) {
        if !self.bell_armed && !self.ending {
            self.bell_armed = true;
            let word: *mut u64 = &mut *self.bell_word;
            let read = opcode::Read::new(Fd(self.bell.as_raw_fd()), word.cast(), 8).build();
            self.push(read.user_data(BELL), store);
        }
    }

    /// How many completions to wait for: more than one where several things came since the last wait, and only as long as
    /// a period runs. What comes alone is never kept waiting.
    fn awaited(&mut self, store: &mut Store) -> usize {
        let came = mem::take(&mut self.came);
        if came <= 1 || self.coalesce.is_zero() || !self.coalescing {
            return 1;
        }
        if !self.tick_armed {
            self.tick_armed = true;
            if self.crowd.awaited() == 1 {
                self.crowd.begin_period();
            }
            *self.tick = Timespec::from(self.coalesce);
            let tick = opcode::Timeout::new(&raw const *self.tick).build();
            self.push(tick.user_data(TICK), store);
        }
        self.crowd.awaited()
    }
}

fn count_refusal(error: &io::Error, store: &mut Store) {
    match error.raw_os_error() {
        Some(libc::EINTR) => store.counters.interrupted += 1,
        Some(libc::EBUSY) => store.counters.overflows += 1,
        // The time of a wait is over; or the kernel is out of memory for the moment: what is queued stays queued.
        Some(libc::ETIME | libc::EAGAIN) => {}
        _ => tracing::error!(%error, "io_uring refuses to be entered"),
    }
}

impl Drive for Uring {
    fn kind(&self) -> Backend {
        Backend::Uring
    }

    fn make(&mut self, kind: SocketKind, address: &Address, options: &Options) -> io::Result<Descriptor> {
        // It blocks, that is: an operation that cannot be done yet waits in the kernel instead of failing.
        descriptor::make(kind, address, options, false).map(Descriptor::System)
    }

    fn start(&mut self, key: Key, store: &mut Store) {
        let slot = store.operations[key].socket.slot;
        let descriptor = system(store.descriptor_of(key)).as_raw_fd();
        let held = self.table.holds(&self.ring.submitter(), slot, descriptor, &mut store.counters);
        // Of one that has its place in the kernel's table this is the place.
        let fd = Fd(if held { slot as i32 } else { descriptor });
        let operation = &store.operations[key];
        let flags = libc::MSG_NOSIGNAL;
        let entry = match operation.work {
            Work::Accept => opcode::AcceptMulti::new(fd).flags(libc::SOCK_CLOEXEC).build(),
            Work::Connect => {
                let address = operation.to.as_ref().map(descriptor::native);
                let frame = self.frame(key);
                // An address that has no form was refused before; the kernel refuses an empty one.
                frame.address = address.and_then(Result::ok);
                let (at, len) =
                    frame.address.as_ref().map_or((std::ptr::null(), 0), |at| (at.as_ptr().cast(), at.len()));
                opcode::Connect::new(fd, at, len).build()
            }
            Work::Receive => opcode::RecvMulti::new(fd, CHUNKS).build(),
            Work::ReceiveFrom => {
                let frame = self.frame(key);
                frame.address = None;
                // SAFETY: a header of zeros is a valid one.
                frame.header = unsafe { mem::zeroed() };
                frame.header.msg_namelen = NAME_BYTES as u32;
                opcode::RecvMsgMulti::new(fd, &raw const frame.header, CHUNKS).build()
            }
            Work::Send if operation.buffers.len() == 1 => {
                let bytes = operation.rest().next().unwrap_or_default();
                let (at, len) = (bytes.as_ptr(), u32::try_from(bytes.len()).unwrap_or(1 << 30));
                let flags = flags | libc::MSG_WAITALL;
                if operation.zero_copy {
                    store.counters.zero_copies += 1;
                    opcode::SendZc::new(fd, at, len).flags(flags).zc_flags(REPORT_USAGE).build()
                } else {
                    opcode::Send::new(fd, at, len).flags(flags).build()
                }
            }
            Work::Send | Work::SendTo => {
                let is_stream = operation.work == Work::Send;
                let to = operation.buffers.first().and_then(|outgoing| outgoing.to.as_ref());
                let frame = self.frame(key);
                // One that has no form leads nowhere, and the kernel says so.
                frame.address = to.and_then(|to| descriptor::native(to).ok());
                frame.gather(operation);
                let flags = match to {
                    _ if is_stream => flags | libc::MSG_WAITALL,
                    // A thread of the kernel would wait for a reader that lags.
                    Some(Address::Unix(_)) => flags | libc::MSG_DONTWAIT,
                    _ => flags,
                };
                let header = &raw const frame.header;
                if store.operations[key].zero_copy {
                    store.counters.zero_copies += 1;
                    opcode::SendMsgZc::new(fd, header).flags(flags as u32).ioprio(REPORT_USAGE).build()
                } else {
                    opcode::SendMsg::new(fd, header).flags(flags as u32).build()
                }
            }
        };
        let fixed = if held { squeue::Flags::FIXED_FILE } else { squeue::Flags::empty() };
        self.push(entry.user_data(key.word()).flags(fixed), store);
    }

    fn send_now(&mut self, descriptor: &Descriptor, bytes: &[u8]) -> usize {
        descriptor::send_now(system(descriptor), bytes)
    }

    fn cancel(&mut self, key: Key, store: &mut Store) {
        if self.cancel_direct(key) {
            return;
        }
        let entry = opcode::AsyncCancel::new(key.word()).build().user_data(CANCEL);
        self.push(entry.flags(squeue::Flags::SKIP_SUCCESS), store);
    }

    fn retire(&mut self, socket: Key, descriptor: &Descriptor, reset: bool) {
        self.table.release(&self.ring.submitter(), socket.slot);
        if reset {
            descriptor::reset_at_close(system(descriptor));
        }
    }

    fn finish(&mut self, descriptor: &Descriptor) -> io::Result<()> {
        system(descriptor).shutdown(std::net::Shutdown::Write)
    }

    fn disconnect(&mut self, descriptor: &Descriptor) {
        // SAFETY: an address without a family is a valid argument, of this length, and read during the call only.
        unsafe {
            let mut nowhere: libc::sockaddr = mem::zeroed();
            nowhere.sa_family = libc::AF_UNSPEC as libc::sa_family_t;
            let len = mem::size_of::<libc::sockaddr>() as libc::socklen_t;
            libc::connect(system(descriptor).as_raw_fd(), &nowhere, len);
        }
    }

    fn submit(&mut self, store: &mut Store, out: &mut VecDeque<Completion>) {
        self.arm_bell(store);
        // Where waits coalesce, what was put off is left to them: each turn would find a little of it, and be a small one.
        let some = !self.ring.submission().is_empty() || !self.waiting.is_empty();
        if some || (self.coalesce.is_zero() && self.has_deferred()) {
            self.enter(store);
            self.collect(store, out);
        }
    }

    fn reap(&mut self, store: &mut Store, out: &mut VecDeque<Completion>) {
        if !self.has_completions() && self.has_deferred() {
            // Refused, it is asked for again in the next turn.
            let _ = self.harvest(store);
        }
        self.collect(store, out);
        self.reap_direct(store, out);
        self.rung = false;
    }

    fn has_input(&mut self, store: &mut Store) -> bool {
        self.rung || self.has_completions() || self.has_deferred() || self.look_direct(store)
    }

    fn has_pending(&mut self, _: &mut Store) -> bool {
        // A bell that was heard as something was passed on keeps from waiting; what was put off the wait finds.
        self.rung || self.has_completions() || self.ring.submission().cq_overflow() || self.direct.has_ready()
    }

    fn has_chunks(&mut self) -> bool {
        self.replenish();
        self.supply.lent() > 0 || self.supply.has_free()
    }

    fn park(&mut self, timeout: Option<Duration>, store: &mut Store) {
        self.end_direct(store);
        self.arm_bell(store);
        let want = self.awaited(store);
        store.counters.coalesced += u64::from(want > 1);
        if !self.waiting.is_empty() {
            self.enter(store);
        }
        store.counters.enters += 1;
        let time = timeout.map(Timespec::from);
        let submitter = self.ring.submitter();
        let waited = match &time {
            Some(time) => submitter.submit_with_args(want, &SubmitArgs::new().timespec(time)),
            None => submitter.submit_and_wait(want),
        };
        if let Err(error) = waited {
            count_refusal(&error, store);
        }
    }

    fn set_coalescing(&mut self, coalescing: bool) {
        if mem::replace(&mut self.coalescing, coalescing) != coalescing {
            self.crowd.disperse();
        }
    }

    fn waker(&self) -> Waker {
        let bell = self.bell.clone();
        Waker::new(move || {
            // Nothing but a counter that is full could keep it from being rung, and then it has been.
            let _ = (&*bell).write(&1u64.to_ne_bytes());
        })
    }

    fn local_address(&self, descriptor: &Descriptor) -> io::Result<Address> {
        descriptor::local_address(system(descriptor))
    }

    fn peer_address(&self, descriptor: &Descriptor) -> io::Result<Address> {
        descriptor::peer_address(system(descriptor))
    }

    fn peer_user(&self, descriptor: &Descriptor) -> io::Result<PeerUser> {
        PeerUser::of(system(descriptor))
    }

    fn end(&mut self) {
        self.ending = true;
        // The bell is rung so that it is read for the last time.
        self.waker().wake();
        let mut store = Store::new();
        for _ in 0..BELL_TRIES {
            if !self.bell_armed {
                break;
            }
            self.park(BELL_WAIT, &mut store);
            self.reap(&mut store, &mut VecDeque::new());
        }
        if self.bell_armed {
            // The ring can be entered no more.
            return self.leak();
        }
        self.chunks.ended = self.ring.submitter().unregister_buf_ring(CHUNKS).is_ok();
        if self.chunks.ended {
            self.supply.recall();
        } else {
            self.supply.leak();
        }
    }

    fn leak(&mut self) {
        self.supply.leak();
        mem::forget(mem::take(&mut self.frames));
        mem::forget(mem::take(&mut self.bell_word));
    }

    #[cfg(test)]
    fn chunks_held(&mut self) -> usize {
        self.supply.held()
    }
}

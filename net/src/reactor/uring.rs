//! io_uring: operations are entries in a ring that the kernel shares with us, and so are their completions.
//!
//! One ring on one thread, whose kernel work is done only when that thread asks for it (single issuer, deferred task run).
//! Accepts and receives repeat themselves; receives take their memory from a ring of chunks that we registered. What an
//! operation points to lies in its *frame*, which stays where it is and belongs to the operation's slot: the engine gives
//! no slot away before its last completion.
//!
//! Not used, since kernels had faults there: rings of buffers that the kernel allocates, bundles, incremental buffers,
//! zero-copy receives, resizing.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::collections::VecDeque;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use io_uring::types::{BufRingEntry, Fd, RecvMsgOut, SubmitArgs, Timespec};
use io_uring::{IoUring, Probe, cqueue, opcode, squeue};
use socket2::{SockAddr, Socket};

use super::address::Address;
use super::backend::{Completion, Descriptor, Drive, Outcome, Waker};
use super::config::{Backend, Options, ReactorConfig};
use super::descriptor::{self, system};
use super::slab::Key;
use super::store::{Operation, SocketKind, Store, Work};
use super::work::GATHER;
use crate::buffers::{Chunk, Supply};

/// The oldest kernel whose rings of chunks and repeating operations are sound.
const KERNEL_MIN: (u32, u32) = (6, 1);
/// The group of the chunks.
const CHUNKS: u16 = 0;
/// The name of what rings the doorbell.
const BELL: u64 = u64::MAX;
/// The name of cancellations, whose own outcome says nothing.
const CANCEL: u64 = u64::MAX - 1;
/// Completions for each submission that fit.
const COMPLETIONS: u32 = 8;
/// Bytes of the longest sender's address of a datagram.
const NAME_BYTES: usize = mem::size_of::<libc::sockaddr_in6>();
/// `IORING_SEND_ZC_REPORT_USAGE` and `IORING_NOTIF_USAGE_ZC_COPIED` of `linux/io_uring.h`.
const REPORT_USAGE: u16 = 1 << 3;
const USAGE_COPIED: u32 = 1 << 31;

/// What an operation's entry points to. The kernel may read it until the operation's last completion.
struct Frame {
    header: libc::msghdr,
    iovecs: [libc::iovec; GATHER],
    address: Option<SockAddr>,
}

impl Frame {
    fn new() -> Box<Frame> {
        let empty = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        // SAFETY: a header of zeros is a valid one, with nothing in it.
        let header = unsafe { mem::zeroed() };
        Box::new(Frame { header, iovecs: [empty; GATHER], address: None })
    }

    /// Makes the header of a message from the rest of an operation's buffers.
    fn gather(&mut self, operation: &Operation) {
        let mut count = 0;
        for (iovec, bytes) in self.iovecs.iter_mut().zip(operation.rest()) {
            *iovec = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            count += 1;
        }
        self.header.msg_iov = self.iovecs.as_mut_ptr();
        self.header.msg_iovlen = count;
        match &self.address {
            Some(address) => {
                self.header.msg_name = address.as_ptr().cast_mut().cast();
                self.header.msg_namelen = address.len();
            }
            None => (self.header.msg_name, self.header.msg_namelen) = (std::ptr::null_mut(), 0),
        }
    }
}

/// The ring of chunks that the kernel takes from.
struct ChunkRing {
    entries: NonNull<BufRingEntry>,
    layout: Layout,
    mask: u16,
    tail: u16,
    /// The kernel no longer knows of it.
    ended: bool,
}

impl ChunkRing {
    /// `entries` is a power of two.
    fn new(entries: u16) -> ChunkRing {
        let bytes = usize::from(entries) * mem::size_of::<BufRingEntry>();
        let layout = Layout::from_size_align(bytes, 4096).expect("a small power of two");
        // SAFETY: the layout's size is not zero.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout) });
        let Some(memory) = memory else { handle_alloc_error(layout) };
        ChunkRing { entries: memory.cast(), layout, mask: entries - 1, tail: 0, ended: true }
    }

    /// Adds a chunk, which the kernel sees when it is [published](ChunkRing::publish).
    fn push(&mut self, index: u16, at: NonNull<u8>, bytes: usize) {
        // SAFETY: masked, it is one of the ring's entries. The kernel reads none between its head and our tail that we did
        // not publish, and there are no more chunks than entries, so none is written that it may still read.
        let entry = unsafe { &mut *self.entries.as_ptr().add(usize::from(self.tail & self.mask)) };
        entry.set_addr(at.as_ptr() as u64);
        entry.set_len(bytes as u32);
        entry.set_bid(index);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the first entry of the ring, whose reserved field is the ring's tail: an aligned `u16` that the kernel reads
        // while we write it, so both do so atomically.
        let tail = unsafe { &*BufRingEntry::tail(self.entries.as_ptr()).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for ChunkRing {
    fn drop(&mut self) {
        if self.ended {
            // SAFETY: allocated with this layout, and the kernel no longer knows of it.
            unsafe { dealloc(self.entries.as_ptr().cast(), self.layout) }
        }
    }
}

pub(super) struct Uring {
    ring: IoUring,
    supply: Supply,
    chunks: ChunkRing,
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
    ending: bool,
}

impl Uring {
    /// Opens a ring on this thread; if that cannot be, says why.
    pub(super) fn open(config: &ReactorConfig) -> Result<Uring, String> {
        let (release, version) = kernel();
        if version < KERNEL_MIN {
            let (major, minor) = KERNEL_MIN;
            return Err(format!("kernel {release} is older than {major}.{minor}"));
        }
        let entries = u32::from(config.ring_entries.clamp(16, 4096));
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().setup_submit_all();
        builder.setup_cqsize(entries.next_power_of_two() * COMPLETIONS).setup_clamp().dontfork();
        let ring: IoUring = builder.build(entries).map_err(refusal)?;
        if !(ring.params().is_feature_nodrop() && ring.params().is_feature_ext_arg()) {
            return Err("it may drop completions, or cannot wait for a time".to_owned());
        }
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe).map_err(|error| format!("no probe: {error}"))?;
        let needed = [
            ("accept", opcode::AcceptMulti::CODE),
            ("connect", opcode::Connect::CODE),
            ("receive", opcode::RecvMulti::CODE),
            ("receive message", opcode::RecvMsgMulti::CODE),
            ("send", opcode::Send::CODE),
            ("send message", opcode::SendMsg::CODE),
            ("send without a copy", opcode::SendZc::CODE),
            ("read", opcode::Read::CODE),
            ("cancel", opcode::AsyncCancel::CODE),
        ];
        if let Some((name, _)) = needed.iter().find(|(_, code)| !probe.is_supported(*code)) {
            return Err(format!("it has no operation {name:?}"));
        }
        let supply = Supply::new(config.chunks(), config.chunk_bytes());
        let mut chunks = ChunkRing::new(config.chunks());
        // SAFETY: the ring of chunks has so many entries, and is not freed before it is unregistered: `ended` says so.
        let registered = unsafe {
            let at = chunks.entries.as_ptr() as u64;
            ring.submitter().register_buf_ring_with_flags(at, config.chunks(), CHUNKS, 0)
        };
        registered.map_err(|error| format!("no ring of chunks: {error}"))?;
        chunks.ended = false;
        // SAFETY: a new descriptor, or -1.
        let bell = match unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) } {
            -1 => Err(format!("no doorbell: {}", io::Error::last_os_error())),
            // SAFETY: it is ours alone.
            fd => Ok(Arc::new(unsafe { File::from_raw_fd(fd) })),
        };
        let mut uring = Uring {
            ring,
            supply,
            chunks,
            frames: Vec::new(),
            waiting: VecDeque::new(),
            scratch: Vec::new(),
            bell: Arc::new(File::open("/dev/null").map_err(|error| error.to_string())?),
            bell_word: Box::new(0),
            bell_armed: false,
            ending: false,
        };
        match bell {
            Ok(bell) => uring.bell = bell,
            Err(reason) => {
                uring.end();
                return Err(reason);
            }
        }
        let waker = uring.waker();
        uring.supply.wake_by(move || waker.wake());
        uring.replenish();
        Ok(uring)
    }

    /// Gives the kernel whatever chunks are free.
    fn replenish(&mut self) {
        let mut some = false;
        while let Some((index, at)) = self.supply.lend() {
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
        // away before, and `end` waits for the bell; if something does not end, `leak` forgets all of it.
        unsafe { self.ring.submission().push(entry) }.is_ok()
    }

    /// Passes on what is queued, and has the kernel do what it put off.
    fn enter(&mut self, store: &mut Store) {
        loop {
            store.counters.enters += 1;
            if let Err(error) = self.ring.submit() {
                count_refusal(&error, store);
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

    fn has_completions(&mut self) -> bool {
        !self.ring.completion().is_empty()
    }

    /// The kernel has put something off until we enter it.
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

    fn translate(&mut self, entry: &cqueue::Entry, store: &mut Store) -> Option<Completion> {
        let (word, result, flags) = (entry.user_data(), entry.result(), entry.flags());
        match word {
            BELL => {
                self.bell_armed = false;
                return None;
            }
            CANCEL => return None,
            _ => {}
        }
        let key = Key::of_word(word);
        let more = cqueue::more(flags);
        let len = usize::try_from(result).unwrap_or(0);
        let chunk = cqueue::buffer_select(flags).and_then(|index| self.supply.reclaim(index, len));
        let Some(operation) = store.operations.get_mut(key) else {
            return Some(Completion { key, outcome: Outcome::Cancelled, more });
        };
        let outcome = if cqueue::notif(flags) {
            Outcome::Released { copied: result as u32 & USAGE_COPIED != 0 }
        } else if result < 0 {
            match -result {
                libc::ECANCELED => Outcome::Cancelled,
                libc::ENOBUFS if matches!(operation.work, Work::Receive | Work::ReceiveFrom) => {
                    Outcome::NoChunk
                }
                code @ (libc::EINTR | libc::EAGAIN) => {
                    store.counters.interrupted += u64::from(code == libc::EINTR);
                    match operation.work {
                        Work::Send => Outcome::Sent(0),
                        Work::Connect => Outcome::Failed(io::Error::from_raw_os_error(code)),
                        _ => Outcome::Cancelled,
                    }
                }
                // Without a copy it cannot be done: with one, then.
                libc::EOPNOTSUPP | libc::EINVAL | libc::ENOMEM if operation.zero_copy && !more => {
                    operation.zero_copy = false;
                    let socket = operation.socket;
                    store.sockets[socket].zero_copy = false;
                    self.start(key, store);
                    return None;
                }
                code => Outcome::Failed(io::Error::from_raw_os_error(code)),
            }
        } else {
            match operation.work {
                // SAFETY: a descriptor that the kernel has made for us, and named once.
                Work::Accept => Outcome::Accepted(Descriptor::System(unsafe { Socket::from_raw_fd(result) })),
                Work::Connect => Outcome::Connected,
                Work::Receive if len == 0 => Outcome::EndOfStream,
                Work::Receive => chunk.map_or_else(lost_chunk, Outcome::Received),
                Work::ReceiveFrom => {
                    let header = &self.frame(key).header;
                    chunk.and_then(|chunk| datagram(chunk, header)).unwrap_or_else(lost_chunk)
                }
                Work::Send | Work::SendTo => Outcome::Sent(len),
            }
        };
        Some(Completion { key, outcome, more })
    }
}

/// The kernel named no chunk, or one that it did not have.
fn lost_chunk() -> Outcome {
    Outcome::Failed(io::Error::other("the kernel received into memory that it was not given"))
}

/// Takes a datagram out of the form that the kernel gives it when it repeats itself: a head, the sender, the datagram.
fn datagram(mut chunk: Chunk, header: &libc::msghdr) -> Option<Outcome> {
    let (from, start, len, truncated) = {
        let out = RecvMsgOut::parse(&chunk, header).ok()?;
        let bytes = out.payload_data();
        let start = bytes.as_ptr() as usize - chunk.as_ptr() as usize;
        (sender(out.name_data())?, start, bytes.len(), out.is_payload_truncated())
    };
    chunk.advance(start);
    chunk.truncate(len);
    Some(Outcome::ReceivedFrom { from, bytes: chunk, truncated })
}

/// The address that a `sockaddr_in` or `sockaddr_in6` says.
fn sender(name: &[u8]) -> Option<SocketAddr> {
    let array = |at: usize| -> Option<[u8; 4]> { name.get(at..at + 4)?.try_into().ok() };
    let family = i32::from(u16::from_ne_bytes(name.get(..2)?.try_into().ok()?));
    let port = u16::from_be_bytes(name.get(2..4)?.try_into().ok()?);
    match family {
        libc::AF_INET => Some((Ipv4Addr::from(array(4)?), port).into()),
        libc::AF_INET6 => {
            let address: [u8; 16] = name.get(8..24)?.try_into().ok()?;
            let (flow, scope) = (u32::from_be_bytes(array(4)?), u32::from_ne_bytes(array(24)?));
            Some(SocketAddrV6::new(Ipv6Addr::from(address), port, flow, scope).into())
        }
        _ => None,
    }
}

/// Why there is no ring, as an operator needs to hear it.
fn refusal(error: io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOSYS) => "this kernel has none, or a filter of system calls hides it".to_owned(),
        Some(libc::EPERM | libc::EACCES) => {
            format!("it is forbidden (a filter of system calls, or kernel.io_uring_disabled): {error}")
        }
        Some(libc::ENOMEM) => format!("the limit for locked memory is too low: {error}"),
        Some(libc::EINVAL) => format!("this kernel lacks a feature that is needed: {error}"),
        _ => error.to_string(),
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

/// The kernel's release, and its first two numbers.
fn kernel() -> (String, (u32, u32)) {
    // SAFETY: names of zeros are valid; the call fills them with strings that end with a zero.
    let release = unsafe {
        let mut names: libc::utsname = mem::zeroed();
        libc::uname(&mut names);
        CStr::from_ptr(names.release.as_ptr()).to_string_lossy().into_owned()
    };
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (release, version)
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
        let fd = Fd(system(store.descriptor_of(key)).as_raw_fd());
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
                let to = operation.buffers.first().and_then(|outgoing| outgoing.to).map(SockAddr::from);
                let frame = self.frame(key);
                frame.address = to;
                frame.gather(operation);
                let flags = if is_stream { flags | libc::MSG_WAITALL } else { flags };
                opcode::SendMsg::new(fd, &raw const frame.header).flags(flags as u32).build()
            }
        };
        self.push(entry.user_data(key.word()), store);
    }

    fn cancel(&mut self, key: Key, store: &mut Store) {
        let entry = opcode::AsyncCancel::new(key.word()).build().user_data(CANCEL);
        self.push(entry.flags(squeue::Flags::SKIP_SUCCESS), store);
    }

    fn retire(&mut self, _: Key, descriptor: &Descriptor, reset: bool) {
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

    fn submit(&mut self, store: &mut Store) {
        self.arm_bell(store);
        if !self.ring.submission().is_empty() || !self.waiting.is_empty() || self.has_deferred() {
            self.enter(store);
        }
    }

    fn reap(&mut self, store: &mut Store, out: &mut VecDeque<Completion>) {
        if !self.has_completions() && self.has_deferred() {
            self.enter(store);
        }
        if self.ring.submission().cq_overflow() {
            store.counters.overflows += 1;
        }
        let mut scratch = mem::take(&mut self.scratch);
        scratch.extend(self.ring.completion());
        for entry in scratch.drain(..) {
            out.extend(self.translate(&entry, store));
        }
        self.scratch = scratch;
        self.replenish();
    }

    fn has_input(&mut self, _: &mut Store) -> bool {
        self.has_completions() || self.has_deferred()
    }

    fn has_chunks(&mut self) -> bool {
        self.replenish();
        self.supply.has_lent() || self.supply.has_free()
    }

    fn park(&mut self, timeout: Option<Duration>, store: &mut Store) {
        self.arm_bell(store);
        if !self.waiting.is_empty() {
            self.enter(store);
        }
        store.counters.enters += 1;
        let time = timeout.map(Timespec::from);
        let submitter = self.ring.submitter();
        let waited = match &time {
            Some(time) => submitter.submit_with_args(1, &SubmitArgs::new().timespec(time)),
            None => submitter.submit_and_wait(1),
        };
        if let Err(error) = waited {
            count_refusal(&error, store);
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

    fn end(&mut self) {
        self.ending = true;
        // The bell is rung so that it is read for the last time.
        self.waker().wake();
        let mut store = Store::new();
        while self.bell_armed {
            self.park(Some(Duration::from_millis(10)), &mut store);
            self.reap(&mut store, &mut VecDeque::new());
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

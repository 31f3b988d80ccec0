//! How a ring is opened, or why it is not.
#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::FromRawFd;
use std::sync::Arc;

use io_uring::types::Timespec;
use io_uring::{IoUring, Probe};

use super::chunk_ring::ChunkRing;
use super::crowd::Crowd;
use super::direct::Direct;
use super::table::Table;
use super::{CHUNKS, Uring, permit};
use crate::buffers::Supply;
use crate::reactor::backend::Drive;
use crate::reactor::config::ReactorConfig;

/// The oldest kernel whose rings of chunks and repeating operations are sound.
const KERNEL_MIN: (u32, u32) = (6, 1);
/// Completions for each submission that fit.
const COMPLETIONS: u32 = 8;

impl Uring {
    /// Opens a ring on this thread that may do what is permitted; if that cannot be, or is not enough, says why.
    pub(in crate::reactor) fn open(
        config: &ReactorConfig,
        permitted: &[(&str, u8)],
    ) -> Result<Uring, String> {
        let (release, version) = kernel();
        if version < KERNEL_MIN {
            let (major, minor) = KERNEL_MIN;
            return Err(format!("kernel {release} is older than {major}.{minor}"));
        }
        let entries = u32::from(config.ring_entries.clamp(16, 4096));
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().setup_submit_all();
        builder.setup_r_disabled();
        builder.setup_cqsize(entries.next_power_of_two() * COMPLETIONS).setup_clamp().dontfork();
        let mut ring: IoUring = builder.build(entries).map_err(refusal)?;
        if !(ring.params().is_feature_nodrop() && ring.params().is_feature_ext_arg()) {
            return Err("it may drop completions, or cannot wait for a time".to_owned());
        }
        let mut probe = Probe::new();
        ring.submitter()
            .register_probe(&mut probe)
            .map_err(|error| format!("no probe: {}", refusal(error)))?;
        if let Some(name) = permit::missing(&probe) {
            return Err(format!("it has no operation {name:?}"));
        }
        let places = config.registered.min(config.sockets).min(descriptors_max());
        let table = Table::new(&ring.submitter(), u32::try_from(places).unwrap_or(u32::MAX));
        permit::restrict(&ring, permitted)?;
        permit::try_each(&mut ring)?;
        let supply = Supply::new(config.chunks(), config.chunk_bytes());
        let mut chunks = ChunkRing::new(config.chunks());
        // SAFETY: the ring of chunks has so many entries, and is not freed before it is unregistered: `ended` says so.
        let registered = unsafe {
            let at = chunks.entries.as_ptr() as u64;
            ring.submitter().register_buf_ring_with_flags(at, config.chunks(), CHUNKS, 0)
        };
        registered.map_err(|error| format!("no ring of chunks: {}", refusal(error)))?;
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
            table,
            lent_max: 0,
            frames: Vec::new(),
            waiting: VecDeque::new(),
            scratch: Vec::new(),
            bell: Arc::new(File::open("/dev/null").map_err(|error| error.to_string())?),
            bell_word: Box::new(0),
            bell_armed: false,
            rung: false,
            coalesce: config.coalesce,
            coalescing: true,
            crowd: Crowd::new(),
            tick: Box::new(Timespec::new()),
            tick_armed: false,
            came: 0,
            direct: Direct::new(),
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
        uring.lend_for(0);
        Ok(uring)
    }
}

/// Why there is no ring, as an operator needs to hear it.
pub(super) fn refusal(error: io::Error) -> String {
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

/// Descriptors that this process may have: as many places the kernel's table of them has at most.
fn descriptors_max() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is ours, and written during the call only.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } {
        0 => usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX),
        _ => 0,
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

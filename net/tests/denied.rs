//! A process that may not use io_uring, or not enough of it: it polls instead, says why, and counts it. What a container's filter
//! of system calls or its limits do is done here by a filter and a limit of our own, in a child, since they cannot be taken off
//! again.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(unsafe_code)]

use std::fmt::{Debug, Write as _};
use std::process::Command;
use std::sync::{Arc, Mutex};

use corelane_net::reactor::{Backend, Choice, EventKind, OpenError, Options, Reactor, ReactorConfig};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

/// Set in the child: what is done to it.
const CHILD: &str = "CORELANE_TEST_WITHOUT_IO_URING";

/// What is done to a process, by name, and what it then says.
const WAYS: [(&str, &str); 7] = [
    ("setup is not permitted", "forbidden"),
    ("setup is not there", "has none"),
    ("setup finds no memory", "locked memory"),
    ("enter is not permitted", "forbidden"),
    ("register is not permitted", "forbidden"),
    ("register finds no memory", "locked memory"),
    ("no memory may be locked", "locked memory"),
];

fn deny(way: &str) {
    let (call, errno) = match way.split_once(' ') {
        Some(("setup", how)) => (libc::SYS_io_uring_setup, how),
        Some(("enter", how)) => (libc::SYS_io_uring_enter, how),
        Some(("register", how)) => (libc::SYS_io_uring_register, how),
        _ => return lock_no_memory(),
    };
    let errno = match errno {
        "is not permitted" => libc::EPERM,
        "is not there" => libc::ENOSYS,
        "finds no memory" => libc::ENOMEM,
        other => panic!("{other}"),
    };
    forbid(call, errno);
}

/// Has every further such call of this thread fail with an error.
fn forbid(call: i64, errno: i32) {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let (load, equal, give) = (
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_RET,
    );
    let filter = [
        // The number of the system call.
        step(load, 0, 0, 0),
        step(equal, 0, 1, call as u32),
        step(give, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        step(give, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the program is valid, and read during the calls only.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
    };
    assert!(done, "{}", std::io::Error::last_os_error());
}

/// Takes the right to lock memory, and the privilege to do so without.
fn lock_no_memory() {
    #[repr(C)]
    struct Head {
        version: u32,
        process: i32,
    }
    /// `_LINUX_CAPABILITY_VERSION_3` and `CAP_IPC_LOCK` of `linux/capability.h`.
    const VERSION: u32 = 0x2008_0522;
    const IPC_LOCK: u32 = 14;
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let (head, mut rights) = (Head { version: VERSION, process: 0 }, [[0u32; 3]; 2]);
    // SAFETY: the limit, the head and the rights are of the form that the calls expect, and used during the calls only.
    let done = unsafe {
        libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) == 0
            && libc::syscall(libc::SYS_capget, &head, rights.as_mut_ptr()) == 0
            && {
                rights[0].iter_mut().for_each(|set| *set &= !(1 << IPC_LOCK));
                libc::syscall(libc::SYS_capset, &head, rights.as_ptr()) == 0
            }
    };
    assert!(done, "{}", std::io::Error::last_os_error());
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        struct Line<'a>(&'a mut String);
        impl Visit for Line<'_> {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                write!(self.0, "{field}={value:?} ").unwrap();
            }
        }
        let mut text = self.0.lock().unwrap();
        write!(text, "{} ", event.metadata().level()).unwrap();
        event.record(&mut Line(&mut text));
        text.push('\n');
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Sends something through a reactor, to see that it works.
fn echo(reactor: &mut Reactor) {
    let options = Options::default();
    let listener = reactor.listen(&"127.0.0.1:0".parse().unwrap(), &options).unwrap();
    let client = reactor.connect(&reactor.local_address(listener).unwrap(), &options).unwrap();
    reactor.write(client, b"over there", None).unwrap();
    let mut heard = Vec::new();
    while heard != b"over there" {
        reactor.park(None);
        reactor.turn();
        while let Some(event) = reactor.next_event() {
            match event.kind {
                EventKind::Accepted(socket) => reactor.resume(socket),
                EventKind::Received(bytes) => heard.extend_from_slice(&bytes),
                _ => {}
            }
        }
    }
}

/// Reliability 30: what is denied selects readiness, with a word in the log and a count.
#[test]
fn a_process_that_may_not_use_io_uring_polls_and_says_why() {
    let Ok(way) = std::env::var(CHILD) else {
        for (way, reason) in WAYS {
            let program = std::env::current_exe().unwrap();
            let name = "a_process_that_may_not_use_io_uring_polls_and_says_why";
            let child = Command::new(program)
                .args(["--exact", name, "--nocapture"])
                .env(CHILD, way)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout);
            assert!(child.status.success(), "{way}: {said}\n{}", String::from_utf8_lossy(&child.stderr));
            assert!(said.contains("io_uring cannot be used") && said.contains(reason), "{way}: {said}");
        }
        return;
    };
    deny(&way);
    let log = Log::default();
    let mut reactor =
        tracing::subscriber::with_default(log.clone(), || Reactor::open(&ReactorConfig::default())).unwrap();
    println!("{}", reactor.reason());
    if way == "no memory may be locked" && reactor.backend() == Backend::Uring {
        println!("io_uring cannot be used where locked memory counts; this kernel's rings need none");
        return echo(&mut reactor);
    }
    assert_eq!((reactor.backend(), reactor.counters().fallbacks), (Backend::Poll, 1));
    let logged = log.0.lock().unwrap().clone();
    let reason = reactor.reason().trim_start_matches("io_uring cannot be used: ").to_owned();
    assert!(logged.starts_with("WARN") && logged.contains(&format!("{reason:?}")), "{logged}");
    echo(&mut reactor);
    let forced = ReactorConfig { backend: Choice::Uring, ..ReactorConfig::default() };
    assert!(matches!(Reactor::open(&forced), Err(OpenError::Unusable { backend: Backend::Uring, .. })));
    let polled = ReactorConfig { backend: Choice::Poll, ..ReactorConfig::default() };
    assert_eq!(Reactor::open(&polled).unwrap().counters().fallbacks, 0);
}

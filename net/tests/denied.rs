//! A process that may not use io_uring: it polls instead, and says why. What a container's filter of system calls does is done
//! here by a filter of our own, in a child, since it cannot be taken off again.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(unsafe_code)]

use std::process::Command;

use corelane_net::reactor::{Backend, Choice, EventKind, OpenError, Options, Reactor, ReactorConfig};

/// Set in the child.
const CHILD: &str = "CORELANE_TEST_WITHOUT_IO_URING";

/// Has every further `io_uring_setup` of this thread fail with an error.
fn forbid_io_uring(errno: i32) {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let (load, equal, give) = (
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_RET,
    );
    let filter = [
        // The number of the system call.
        step(load, 0, 0, 0),
        step(equal, 0, 1, libc::SYS_io_uring_setup as u32),
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

/// Reliability 30: denied in each way in which it may be.
#[test]
fn a_process_that_may_not_use_io_uring_polls_and_says_why() {
    let Ok(errno) = std::env::var(CHILD) else {
        for (errno, reason) in
            [(libc::EPERM, "forbidden"), (libc::ENOSYS, "has none"), (libc::ENOMEM, "locked memory")]
        {
            let program = std::env::current_exe().unwrap();
            let name = "a_process_that_may_not_use_io_uring_polls_and_says_why";
            let child = Command::new(program)
                .args(["--exact", name, "--nocapture"])
                .env(CHILD, errno.to_string())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout);
            assert!(child.status.success(), "{said}\n{}", String::from_utf8_lossy(&child.stderr));
            assert!(said.contains("io_uring cannot be used") && said.contains(reason), "{said}");
        }
        return;
    };
    forbid_io_uring(errno.parse().unwrap());
    let mut reactor = Reactor::open(&ReactorConfig::default()).unwrap();
    println!("{}", reactor.reason());
    assert_eq!(reactor.backend(), Backend::Poll);
    echo(&mut reactor);
    let forced = ReactorConfig { backend: Choice::Uring, ..ReactorConfig::default() };
    assert!(matches!(Reactor::open(&forced), Err(OpenError::Unusable { backend: Backend::Uring, .. })));
}

//! The raw echo by io_uring: two pinned threads, a ring each, which spin.
//!
//! One system call sends a message and waits for the next in the same breath; another, when the ring's flag says that
//! something has come, has the kernel hand it over. No memory is looked for, no name is looked up, nothing is kept of an
//! operation: less than this no program does that uses the ring.
//!
//! One of the modules where `unsafe` is allowed: the kernel reads and writes the buffers of a [`Line`] while it has them.

#![allow(unsafe_code)]

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;

use io_uring::{IoUring, opcode, types::Fd};

use super::socket::{self, ECHO, Waiting};
use crate::workloads::quantile::Times;
use crate::workloads::{Cost, Plan, WorkloadError};

/// What a completion is of.
const SENT: u64 = 1;
const CAME: u64 = 2;

/// The buffers, which stay where they are while the kernel has them.
struct Buffers {
    out: [u8; ECHO],
    came: [u8; ECHO],
}

/// One end of a connection, and the ring that serves it.
struct Line {
    ring: IoUring,
    stream: TcpStream,
    buffers: Box<Buffers>,
    in_flight: u32,
}

impl Line {
    fn new(stream: TcpStream) -> io::Result<Line> {
        let buffers = Box::new(Buffers { out: [0; ECHO], came: [0; ECHO] });
        Ok(Line { ring: ring()?, stream, buffers, in_flight: 0 })
    }

    fn push(&mut self, entry: &io_uring::squeue::Entry) -> io::Result<()> {
        // SAFETY: the entry points into the buffers, which are boxed, are read and written here only when no operation is in
        // flight that has them, and are freed only when none is: `drop` waits for that.
        unsafe { self.ring.submission().push(entry) }.map_err(io::Error::other)?;
        self.in_flight += 1;
        Ok(())
    }

    /// Asks for the next message, of which `from` bytes are there.
    fn want(&mut self, from: usize) -> io::Result<()> {
        let (fd, rest) = (Fd(self.stream.as_raw_fd()), &mut self.buffers.came[from..]);
        let entry = opcode::Recv::new(fd, rest.as_mut_ptr(), rest.len() as u32).build().user_data(CAME);
        self.push(&entry)
    }

    /// Asks for what is in the outgoing buffer to be sent.
    fn send(&mut self) -> io::Result<()> {
        let (fd, bytes) = (Fd(self.stream.as_raw_fd()), &self.buffers.out);
        let entry = opcode::Send::new(fd, bytes.as_ptr(), ECHO as u32).build().user_data(SENT);
        self.push(&entry)
    }

    /// Passes on what was asked for, and spins until a message is there and nothing is in flight.
    fn turn(&mut self) -> io::Result<()> {
        let mut there = 0;
        self.ring.submit()?;
        while self.in_flight > 0 {
            let Some(entry) = self.ring.completion().next() else {
                if self.ring.submission().taskrun() {
                    self.ring.submit()?;
                } else {
                    std::hint::spin_loop();
                }
                continue;
            };
            self.in_flight -= 1;
            let count =
                usize::try_from(entry.result()).map_err(|_| io::Error::from_raw_os_error(-entry.result()))?;
            match entry.user_data() {
                SENT if count == ECHO => {}
                CAME if count > 0 => {
                    there += count;
                    if there < ECHO {
                        self.want(there)?;
                        self.ring.submit()?;
                    }
                }
                _ => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // What is in flight ends with the connection.
        let _ = self.stream.shutdown(Shutdown::Both);
        while self.in_flight > 0 {
            if self.ring.submit_and_wait(1).is_err() {
                // The kernel may still use them.
                std::mem::forget(std::mem::replace(
                    &mut self.buffers,
                    Box::new(Buffers { out: [0; ECHO], came: [0; ECHO] }),
                ));
                return;
            }
            self.in_flight -= self.ring.completion().by_ref().count() as u32;
        }
    }
}

fn answer(peer: TcpStream, rounds: u64) -> io::Result<()> {
    let mut line = Line::new(peer)?;
    line.want(0)?;
    line.turn()?;
    for round in 0..rounds {
        line.buffers.out = line.buffers.came;
        line.send()?;
        if round + 1 < rounds {
            line.want(0)?;
        }
        line.turn()?;
    }
    Ok(())
}

fn call(stream: TcpStream, rounds: u64, times: Option<&mut Times>) -> io::Result<Cost> {
    let mut line = Line::new(stream)?;
    socket::time_rounds(rounds, times, |round| {
        line.buffers.out[..8].copy_from_slice(&round.to_le_bytes());
        line.send()?;
        line.want(0)?;
        line.turn()?;
        Ok(line.buffers.came)
    })
}

/// Whether this process may have a ring.
pub(in crate::workloads) fn is_there() -> bool {
    ring().is_ok()
}

fn ring() -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
    builder.build(8)
}

/// Round trips between two threads with a ring each. Notes what each took if that is wanted.
///
/// # Errors
/// As the plain echo's; and where io_uring is forbidden or has not what this needs.
pub(in crate::workloads) fn echo(
    plan: &Plan,
    rounds: u64,
    times: Option<&mut Times>,
) -> Result<Cost, WorkloadError> {
    let client = |server| call(socket::connect(server, Waiting::Sleeps)?, rounds, times);
    socket::beside_a_thread(plan, Waiting::Sleeps, client, |peer| answer(peer, rounds))
}

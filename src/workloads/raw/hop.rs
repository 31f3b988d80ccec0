//! The raw loops between two cores: a library's SPSC ring of the same records.
//!
//! [`rtrb`] is the opponent: wait-free, with a batch interface whose chunks are written and read in place.

use std::hint;
use std::iter;
use std::time::Instant;

use rtrb::chunks::ChunkError;
use rtrb::{Consumer, Producer, RingBuffer};

use super::socket::ECHO;
use super::{BURST, Record, Target};
use crate::workloads::error::{check, sum_below};
use crate::workloads::{Cost, Plan, WorkloadError, pin};

/// Records that a ring holds. Sixteen bursts: enough that neither side waits for the other's cache line
/// after each chunk, and still within the first cache of both.
const CAPACITY: usize = 16 * BURST as usize;

/// What goes through a ring. It holds a number, by which it is seen that it came.
trait Item: Copy + Send + 'static {
    fn of(target: u64, number: u64) -> Self;
    /// The target and the number.
    fn read(self) -> [u64; 2];
}

impl Item for Record {
    fn of(target: u64, number: u64) -> Self {
        [0, target, number]
    }

    fn read(self) -> [u64; 2] {
        let [_, target, number] = self;
        [target, number]
    }
}

/// The bytes of a ball of the workloads `remote`.
type Ball = [u64; ECHO / 8];

impl Item for Ball {
    fn of(target: u64, number: u64) -> Self {
        [target, number, number, number, number, number, number, number]
    }

    fn read(self) -> [u64; 2] {
        let [target, number, ..] = self;
        [target, number]
    }
}

/// Bounds `cross.tell`: 20 M records through one ring in chunks of 256, one indirect call for each record.
///
/// # Errors
/// A core that cannot be used, or a wrong sum.
pub(in crate::workloads) fn stream(plan: &Plan) -> Result<Cost, WorkloadError> {
    through_a_ring::<Record>(plan, plan.pick(20_000_000, 4_000_000))
}

/// Bounds `remote.memory.tell`: so many times 64 bytes in the same way.
///
/// # Errors
/// As there.
pub(in crate::workloads) fn pour(plan: &Plan, records: u64) -> Result<Cost, WorkloadError> {
    through_a_ring::<Ball>(plan, records)
}

fn through_a_ring<T: Item>(plan: &Plan, records: u64) -> Result<Cost, WorkloadError> {
    let [from, to] = plan.pair()?;
    let (producer, consumer) = RingBuffer::<T>::new(CAPACITY);
    let (began, (ended, sum)) =
        pin::pair([from, to], move || send(producer, records), move || receive(consumer, records))?;
    check("the sum of the records", sum_below(records), sum)?;
    Ok(Cost::time(ended.duration_since(began), records))
}

/// Writes the numbers below `records` in chunks; the time when it began.
fn send<T: Item>(mut producer: Producer<T>, records: u64) -> Instant {
    let target = Target::index();
    let began = Instant::now();
    let mut sent = 0;
    while sent < records {
        let burst = BURST.min(records - sent);
        match producer.write_chunk_uninit(burst as usize) {
            Ok(chunk) => {
                chunk.fill_from_iter((sent..sent + burst).map(|number| T::of(target, number)));
                sent += burst;
            }
            Err(ChunkError::TooFewSlots(_)) => hint::spin_loop(),
        }
    }
    began
}

/// Reads `records` records, as many at a time as there are; the time when it ended, and their sum.
fn receive<T: Item>(mut consumer: Consumer<T>, records: u64) -> (Instant, u64) {
    let mut targets = Target::cells();
    let mut received = 0;
    while received < records {
        let ready = consumer.slots();
        let chunk = match consumer.read_chunk(ready) {
            Ok(chunk) if ready > 0 => chunk,
            _ => {
                hint::spin_loop();
                continue;
            }
        };
        let (first, second) = chunk.as_slices();
        for item in iter::chain(first, second) {
            let [index, number] = item.read();
            targets[index as usize].deliver(number);
        }
        chunk.commit_all();
        received += ready as u64;
    }
    (Instant::now(), targets.iter().map(|target| target.state).sum::<u64>())
}

/// Bounds `cross.pingpong` and `gateway.ask`: one record to the other core and back, both sides spinning.
///
/// # Errors
/// A core that cannot be used, or a wrong sum.
pub(in crate::workloads) fn pingpong(plan: &Plan) -> Result<Cost, WorkloadError> {
    to_and_fro::<Record>(plan, plan.pick(1_000_000, 100_000))
}

/// Bounds `remote.memory.pingpong`: 64 bytes in the same way.
///
/// # Errors
/// As there.
pub(in crate::workloads) fn echo(plan: &Plan, rounds: u64) -> Result<Cost, WorkloadError> {
    to_and_fro::<Ball>(plan, rounds)
}

/// Bounds `remote.memory.pipelined`: so many of them under way.
///
/// # Errors
/// As there.
pub(in crate::workloads) fn juggle(plan: &Plan, window: u64, rounds: u64) -> Result<Cost, WorkloadError> {
    let [near, far] = plan.pair()?;
    let (mut there, mut arriving) = RingBuffer::<Ball>::new(window as usize);
    let (mut back, mut returning) = RingBuffer::<Ball>::new(window as usize);
    let echo = move || {
        for _ in 0..rounds {
            push(&mut back, pop(&mut arriving));
        }
    };
    let client = move || {
        let (mut sent, mut came, mut sum) = (0, 0, 0_u64);
        let mut began = Instant::now();
        while came < rounds {
            while sent < rounds.min(came + window) {
                push(&mut there, Ball::of(0, sent));
                sent += 1;
            }
            let [_, answer] = pop(&mut returning).read();
            sum = sum.wrapping_add(answer);
            if came == 0 {
                began = Instant::now();
            }
            came += 1;
        }
        (began.elapsed(), sum)
    };
    let ((elapsed, sum), ()) = pin::pair([near, far], client, echo)?;
    check("the sum of the answers", sum_below(rounds), sum)?;
    Ok(Cost::time(elapsed, rounds - 1))
}

fn to_and_fro<T: Item>(plan: &Plan, rounds: u64) -> Result<Cost, WorkloadError> {
    let [near, far] = plan.pair()?;
    let (mut there, mut arriving) = RingBuffer::<T>::new(BURST as usize);
    let (mut back, mut returning) = RingBuffer::<T>::new(BURST as usize);
    let echo = move || {
        for _ in 0..rounds {
            push(&mut back, pop(&mut arriving));
        }
    };
    let client = move || {
        let mut sum = 0_u64;
        let mut began = Instant::now();
        for number in 0..rounds {
            push(&mut there, T::of(0, number));
            let [_, answer] = pop(&mut returning).read();
            sum = sum.wrapping_add(answer);
            // The first round trip only shows that the other thread has arrived in its loop.
            if number == 0 {
                began = Instant::now();
            }
        }
        (began.elapsed(), sum)
    };
    let ((elapsed, sum), ()) = pin::pair([near, far], client, echo)?;
    check("the sum of the answers", sum_below(rounds), sum)?;
    Ok(Cost::time(elapsed, rounds - 1))
}

fn push<T>(producer: &mut Producer<T>, mut record: T) {
    while let Err(rtrb::PushError::Full(refused)) = producer.push(record) {
        record = refused;
        hint::spin_loop();
    }
}

fn pop<T>(consumer: &mut Consumer<T>) -> T {
    loop {
        if let Ok(record) = consumer.pop() {
            return record;
        }
        hint::spin_loop();
    }
}

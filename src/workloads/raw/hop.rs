//! The raw loops between two cores: a library's SPSC ring of the same records.
//!
//! [`rtrb`] is the opponent: wait-free, with a batch interface whose chunks are written and read in place.

use std::hint;
use std::iter;
use std::time::Instant;

use rtrb::chunks::ChunkError;
use rtrb::{Consumer, Producer, RingBuffer};

use super::{BURST, Record, Target};
use crate::workloads::error::{check, sum_below};
use crate::workloads::{Cost, Plan, WorkloadError, pin};

/// Records that a ring holds. Sixteen bursts: enough that neither side waits for the other's cache line
/// after each chunk, and still within the first cache of both.
const CAPACITY: usize = 16 * BURST as usize;

/// Bounds `cross.tell`: 20 M records through one ring in chunks of 256, one indirect call for each record.
///
/// # Errors
/// A core that cannot be used, or a wrong sum.
pub(in crate::workloads) fn stream(plan: &Plan) -> Result<Cost, WorkloadError> {
    let records = plan.pick(20_000_000, 4_000_000);
    let [from, to] = plan.pair()?;
    let (producer, consumer) = RingBuffer::<Record>::new(CAPACITY);
    let (began, (ended, sum)) =
        pin::pair([from, to], move || send(producer, records), move || receive(consumer, records))?;
    check("the sum of the records", sum_below(records), sum)?;
    Ok(Cost::time(ended.duration_since(began), records))
}

/// Writes the numbers below `records` in chunks; the time when it began.
fn send(mut producer: Producer<Record>, records: u64) -> Instant {
    let target = Target::index();
    let began = Instant::now();
    let mut sent = 0;
    while sent < records {
        let burst = BURST.min(records - sent);
        match producer.write_chunk_uninit(burst as usize) {
            Ok(chunk) => {
                chunk.fill_from_iter((sent..sent + burst).map(|payload| [0, target, payload]));
                sent += burst;
            }
            Err(ChunkError::TooFewSlots(_)) => hint::spin_loop(),
        }
    }
    began
}

/// Reads `records` records, as many at a time as there are; the time when it ended, and their sum.
fn receive(mut consumer: Consumer<Record>, records: u64) -> (Instant, u64) {
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
        for &[_, index, payload] in iter::chain(first, second) {
            targets[index as usize].deliver(payload);
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
    let rounds = plan.pick(1_000_000, 100_000);
    let [near, far] = plan.pair()?;
    let (mut there, mut arriving) = RingBuffer::<Record>::new(BURST as usize);
    let (mut back, mut returning) = RingBuffer::<Record>::new(BURST as usize);
    let echo = move || {
        for _ in 0..rounds {
            push(&mut back, pop(&mut arriving));
        }
    };
    let client = move || {
        let mut sum = 0_u64;
        let mut began = Instant::now();
        for payload in 0..rounds {
            push(&mut there, [0, 0, payload]);
            let [_, _, answer] = pop(&mut returning);
            sum = sum.wrapping_add(answer);
            // The first round trip only shows that the other thread has arrived in its loop.
            if payload == 0 {
                began = Instant::now();
            }
        }
        (began.elapsed(), sum)
    };
    let ((elapsed, sum), ()) = pin::pair([near, far], client, echo)?;
    check("the sum of the answers", sum_below(rounds), sum)?;
    Ok(Cost::time(elapsed, rounds - 1))
}

fn push(producer: &mut Producer<Record>, mut record: Record) {
    while let Err(rtrb::PushError::Full(refused)) = producer.push(record) {
        record = refused;
        hint::spin_loop();
    }
}

fn pop(consumer: &mut Consumer<Record>) -> Record {
    loop {
        if let Ok(record) = consumer.pop() {
            return record;
        }
        hint::spin_loop();
    }
}

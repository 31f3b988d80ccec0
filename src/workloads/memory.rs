//! What an idle actor occupies: the workload `actor.bytes`.
//!
//! Reads the process's resident memory before and after ten million actors with a `u64` of state are spawned.
//! Only a process that has done nothing else gives a true figure: memory that was used and given back before
//! would be used again, and would not be counted.

use std::fs;
use std::time::Duration;

use corelane_kernel::{Actor, Ctx, Outcome};

use super::error::{check, sum_below};
use super::stage::{Reporter, Stage};
use super::{Cost, Plan, WorkloadError, tally};

/// Actors spawned before the census lets others run.
const BURST: u64 = 256;

/// Has a state, and gets no message.
struct Idle {
    state: u64,
}

impl Actor for Idle {
    type Msg = u64;

    fn receive(&mut self, number: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        self.state += number;
        Ok(())
    }

    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        tally::count(self.state);
    }
}

/// What the census is told.
#[derive(Clone, Copy)]
enum Order {
    Spawn,
    Stop,
}

/// Spawns idle actors, reports when they are there, and what they held when they are gone.
struct Census {
    spawned: u64,
    count: u64,
    reporter: Reporter,
}

impl Actor for Census {
    type Msg = Order;

    fn receive(&mut self, order: Order, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if let Order::Stop = order {
            ctx.stop_self();
            return Ok(());
        }
        let until = self.count.min(self.spawned + BURST);
        for state in self.spawned..until {
            ctx.spawn(Idle { state })?;
        }
        self.spawned = until;
        if self.spawned < self.count {
            let me = ctx.me();
            ctx.tell(me, Order::Spawn);
        } else {
            self.reporter.report(Duration::ZERO, self.spawned);
        }
        Ok(())
    }

    // All children have stopped when this runs.
    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        self.reporter.report(Duration::ZERO, tally::read().sum);
    }
}

/// `actor.bytes`: 10 M actors. To be run in a process of its own.
///
/// # Errors
/// [`WorkloadError::Unsupported`] where resident memory cannot be read; else see [`WorkloadError`].
pub(super) fn resident_bytes(plan: &Plan) -> Result<Cost, WorkloadError> {
    let count = plan.pick(10_000_000, 1_000_000);
    let mut stage = Stage::on(&[plan.core()])?;
    let reporter = stage.reporter();
    let census = stage.spawn(0, move || Census { spawned: 0, count, reporter: reporter.clone() })?;
    let before = resident()?;
    stage.tell(census, Order::Spawn)?;
    check("the actors", count, stage.wait()?.found)?;
    let after = resident()?;
    stage.tell(census, Order::Stop)?;
    check("the sum of the actors' states", sum_below(count), stage.finish()?.found)?;
    Ok(Cost::bytes(after.saturating_sub(before), count))
}

/// The process's resident memory, in bytes.
fn resident() -> Result<u64, WorkloadError> {
    const FILE: &str = "/proc/self/smaps_rollup";
    let text = fs::read_to_string(FILE)
        .map_err(|error| WorkloadError::Unsupported { reason: format!("{FILE}: {error}") })?;
    resident_in(&text).ok_or_else(|| WorkloadError::Unsupported { reason: format!("{FILE} names no Rss") })
}

/// The resident bytes in the text of procfs' `smaps_rollup`.
fn resident_in(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_bytes_are_read_from_their_line() {
        let text = "55d0-7ffc ---p 00000000 00:00 0 [rollup]\nRss:                1804 kB\nPss:  7 kB\n";
        assert_eq!(resident_in(text), Some(1804 * 1024));
        assert_eq!(resident_in("Pss: 7 kB\n"), None);
    }
}

//! What the simulator lets happen to shards, and what else has its events among theirs.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corelane_kernel::{Ctx, DeadReason, Failure, Strategy, Time};
use corelane_shard::sim::{Event, Fault, Moment, Options, Sim, World};

use crate::rig::{Ball, Job, Player, Puppet, SECOND, calm, job, story};

#[test]
fn every_kind_of_fault_is_injected_and_counted() {
    let often = Options {
        lane_words: 64..=64,
        stall_one_in: 20,
        clock_jump_one_in: 20,
        clock_back_one_in: 20,
        panic_one_in: 20,
        shutdown_one_in: 20,
        region_bytes: 256 << 10,
        ..Options::default()
    };
    let trace = Sim::new(1).shards(3).options(often).run(|sim| {
        let flood = sim.spawn_on(0, || Puppet)?;
        let sink = sim.spawn_on(1, || Puppet)?;
        sim.tell(flood, job(move |ctx| (0..1000).for_each(|_| ctx.tell(sink, job(|_| ())))));
        story(sim)?;
        let fill = |ctx: &mut Ctx<'_, Puppet>| while ctx.spawner().spawn(Puppet).is_ok() {};
        sim.tell(sink, job(fill));
        sim.run_until_idle();
        assert!(sim.lose_shard(2));
        assert!(sim.is_asked_to_end());
        Ok(())
    });
    let trace = trace.expect("it runs");
    assert_eq!(trace.faults.count(Fault::Shutdown), 1, "a system ends once");
    for (fault, count) in trace.faults.iter() {
        let listed =
            |(_, event): &&(Time, Event)| matches!(event, Event::Fault { fault: one, .. } if *one == fault);
        assert!(count > 0, "{fault:?}");
        assert_eq!(trace.events.iter().filter(listed).count() as u64, count, "{fault:?}");
    }
}

#[test]
fn a_calm_simulation_injects_nothing() {
    let trace = calm(3).shards(3).run(story).expect("it runs");
    let injected = [Fault::Stall, Fault::ClockJump, Fault::ClockBack, Fault::Panic, Fault::Spill];
    assert!(injected.iter().all(|fault| trace.faults.count(*fault) == 0), "{:?}", trace.faults);
    assert!(trace.report.is_clean());
    for what in ["a job", "a future", "a timer"] {
        assert_eq!(trace.notes().filter(|note| *note == what).count(), 20, "{what}");
    }
}

#[test]
fn a_watcher_on_another_shard_hears_of_a_failure() {
    for seed in 0..20 {
        let options = Options { supervision: Strategy::stopping(), ..Options::default() };
        let trace = Sim::new(seed).options(options).run(|sim| {
            let (watcher, watched) = (sim.spawn_on(0, || Puppet)?, sim.spawn_on(1, || Puppet)?);
            sim.tell(watcher, job(move |ctx| ctx.watch(watched).expect("room")));
            sim.run_until_idle();
            sim.tell(watched, Job(Box::new(|_| Err(Failure::new("told to")))));
            sim.run_until_idle();
            Ok(())
        });
        assert_eq!(trace.expect("it runs").notes().collect::<Vec<_>>(), ["hears: error: told to"], "{seed}");
    }
}

#[test]
fn a_stalled_shard_does_nothing_for_a_while() {
    let trace = calm(1).run(|sim| {
        let puppet = sim.spawn_on(1, || Puppet)?;
        let until = sim.now() + SECOND;
        sim.stall(1, SECOND);
        sim.tell(puppet, job(move |ctx| assert!(ctx.now() >= until)));
        sim.run_until_idle();
        Ok(())
    });
    let trace = trace.expect("it runs");
    assert_eq!((trace.report.handled(), trace.report.dead_letters()), (1, 0), "{trace}");
    assert!(trace.events.iter().all(|(_, event)| !matches!(event, Event::Failed { .. })), "{trace}");
}

/// A disk: each read takes its time, and tells whoever asked.
struct Disk {
    reads: Rc<Cell<u32>>,
    next: Option<Time>,
    done: Arc<AtomicUsize>,
}

impl World for Disk {
    fn next_time(&mut self, moment: &Moment<'_>) -> Option<Time> {
        if self.next.is_none() && self.reads.get() > 0 {
            self.reads.set(self.reads.get() - 1);
            let takes = moment.time(&(Duration::from_micros(80)..=Duration::from_millis(8)));
            self.next = Some(moment.now() + takes);
        }
        self.next
    }

    fn step(&mut self, moment: &Moment<'_>) {
        self.next = None;
        self.done.fetch_add(1, Ordering::Relaxed);
        moment.note("a read is done");
    }
}

#[test]
fn a_further_world_has_its_events_among_all_others() {
    let run = || {
        let trace = Sim::new(4).run(|sim| {
            let (reads, done) = (Rc::new(Cell::new(0)), Arc::new(AtomicUsize::new(0)));
            sim.add_world(Disk { reads: reads.clone(), next: None, done: done.clone() });
            let player = sim.spawn_on(0, || Player)?;
            let other = sim.spawn_on(1, || Player)?;
            sim.tell(player, Ball(100, other));
            reads.set(3);
            sim.run_until_idle();
            assert_eq!(done.load(Ordering::Relaxed), 3);
            Ok(())
        });
        trace.expect("it runs")
    };
    assert_eq!(run().notes().count(), 3);
    assert_eq!(run(), run());
}

#[test]
fn a_message_to_one_that_is_gone_is_a_dead_letter_of_the_trace() {
    let trace = calm(1).run(|sim| {
        let puppet = sim.spawn_on(1, || Puppet)?;
        sim.stop(puppet);
        sim.run_until_idle();
        sim.tell(puppet, job(|_| ()));
        sim.run_until_idle();
        Ok(())
    });
    let trace = trace.expect("it runs");
    let letter = |event: &Event| matches!(event, Event::DeadLetter { reason: DeadReason::NoActor, .. });
    assert_eq!(trace.events.iter().filter(|(_, event)| letter(event)).count(), 1, "{trace}");
}

//! How a simulation ends, and what is left then.

use std::sync::{Arc, Mutex};

use corelane_shard::ShutdownPhase;
use corelane_shard::sim::Sim;

use crate::rig::{Puppet, SECOND, calm, job};

#[test]
fn what_is_left_at_the_end_is_reported_and_dropped_once() {
    struct Counted(Arc<Mutex<u32>>);
    impl Drop for Counted {
        fn drop(&mut self) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let dropped = Arc::new(Mutex::new(0));
    let counted = dropped.clone();
    let trace = Sim::new(6).run(move |sim| {
        let (a, b) = (sim.spawn_on(0, || Puppet)?, sim.spawn_on(1, || Puppet)?);
        for _ in 0..100 {
            let counted = Counted(counted.clone());
            sim.tell(a, job(move |ctx| ctx.tell(b, job(move |_| drop(counted)))));
        }
        Ok(())
    });
    let report = trace.expect("it runs").report;
    assert!(report.is_clean(), "{report}");
    assert_eq!(*dropped.lock().unwrap(), 100);
}

#[test]
fn the_tasks_of_a_coordinated_shutdown_run_by_the_clock_of_the_simulation() {
    let run = || {
        calm(1).run(|sim| {
            let puppet = sim.spawn_on(1, || Puppet)?;
            let shutdown = sim.system().coordinated_shutdown();
            shutdown.add_actor_task(ShutdownPhase::SERVICE_UNBIND, "actor", puppet, |_, reply| {
                job(move |ctx| ctx.tell(reply, ()))
            })?;
            shutdown.add_blocking_task(ShutdownPhase::SERVICE_UNBIND, "blocking", |_| Ok(()))?;
            shutdown.add_task(ShutdownPhase::SERVICE_UNBIND, "endless", |_| std::future::pending())?;
            Ok(())
        })
    };
    let trace = run().expect("it runs");
    let [phase] = &trace.report.phases[..] else { panic!("one phase: {:?}", trace.report.phases) };
    assert_eq!(phase.timed_out, ["endless"]);
    let mut done = phase.done.clone();
    done.sort_unstable();
    assert_eq!(done, ["actor", "blocking"]);
    assert!(trace.virtual_time >= SECOND, "{:?}", trace.virtual_time);
    assert_eq!(run().expect("it runs"), trace);
}

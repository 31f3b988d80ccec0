//! Several hosts on one clock: they come and go, and a crash runs no hook.

use std::cell::Cell;
use std::rc::Rc;

use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo, Time};
use corelane_shard::GatewayAskError;
use corelane_shard::sim::{HostPlan, Sim, note};

use crate::rig::{SECOND, calm};

/// Says when it is stopped, and when it is dropped.
struct Mortal(u32);

impl Actor for Mortal {
    type Msg = ReplyTo<u32>;
    fn receive(&mut self, reply: ReplyTo<u32>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.tell(reply, self.0);
        Ok(())
    }
    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        note(format_args!("{} is stopped", self.0));
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        note(format_args!("{} is dropped", self.0));
    }
}

#[test]
fn hosts_come_and_go_on_one_clock_and_a_crash_runs_no_hook() {
    let trace = calm(3).shards(1).run(|sim| {
        let (mut near, mut far) = (sim.start_host(HostPlan::new(2))?, sim.start_host(HostPlan::new(1))?);
        assert_eq!((near.number(), far.number()), (1, 2));
        let own = sim.spawn_on(0, || Mortal(0))?;
        let first = near.spawn_on(1, || Mortal(1))?;
        let second = far.spawn_on(0, || Mortal(2))?;
        assert!(near.is_at(first.place()) && !near.is_at(second.place()));
        assert_eq!(sim.ask(own, SECOND, |reply| reply)?, 0);
        assert_eq!(near.ask(first, SECOND, |reply| reply)?, 1);
        assert_eq!(far.ask(second, SECOND, |reply| reply)?, 2);
        // What is of one host means nothing to another.
        assert!(matches!(far.ask(first, SECOND, |reply| reply), Err(GatewayAskError::Unreachable)));
        sim.note("crash");
        near.crash();
        sim.run_for(SECOND);
        assert_eq!(far.ask(second, SECOND, |reply| reply)?, 2);
        // Its number is given again.
        let mut again = sim.start_host(HostPlan::new(1))?;
        assert_eq!(again.number(), 1);
        let third = again.spawn_on(0, || Mortal(3))?;
        assert_eq!(again.ask(third, SECOND, |reply| reply)?, 3);
        sim.note("end");
        let report = far.shut_down();
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.ran, sim.now().since(Time::ZERO));
        assert!(again.shut_down().ran < report.ran);
        Ok(())
    });
    let trace = trace.unwrap();
    let notes: Vec<_> = trace.notes().collect();
    let expected = [
        "crash",
        "1 is dropped",
        "end",
        "2 is stopped",
        "2 is dropped",
        "3 is stopped",
        "3 is dropped",
        "0 is stopped",
        "0 is dropped",
    ];
    assert_eq!(notes, expected, "{trace}");
    assert!(trace.report.is_clean());
}

#[test]
fn hosts_that_are_left_when_a_story_ends_or_fails_are_gone_with_it() {
    let run = |seed: u64, fails: bool| {
        let kept = Rc::new(Cell::new(None));
        let keep = kept.clone();
        let ended = Sim::new(seed).run(move |sim| {
            let mut far = sim.start_host(HostPlan::new(3))?;
            far.stall(2, SECOND);
            let one = far.spawn_on(2, || Mortal(1))?;
            assert!(sim.now() >= Time::ZERO + SECOND);
            far.tell(one, ReplyTo::nobody());
            keep.set(Some(far));
            if fails { Err("on purpose".into()) } else { Ok(()) }
        });
        assert_eq!(ended.is_err(), fails);
        // It has nothing left to drop.
        drop(kept.take());
        ended.ok()
    };
    assert!(run(4, true).is_none());
    let (first, second) = (run(5, false).unwrap(), run(5, false).unwrap());
    assert!(first == second);
    assert!(first.hash != run(6, false).unwrap().hash);
}

#[test]
fn a_host_that_cannot_be_started_leaves_nothing_behind() {
    let trace = calm(1).run(|sim| {
        let Err(error) = sim.start_host(HostPlan::new(0)) else { panic!("a host without shards") };
        assert!(error.to_string().contains("a system has 1 to"), "{error}");
        assert_eq!(sim.start_host(HostPlan::new(1))?.number(), 1);
        Ok(())
    });
    assert!(trace.unwrap().report.is_clean());
}

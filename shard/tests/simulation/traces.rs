//! One seed, one trace; and a clock that moves only where something happens.

use std::time::Duration;

use corelane_kernel::Ctx;

use crate::rig::{Puppet, SECOND, calm, job, run};

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let (first, again, other) = (run(7), run(7), run(8));
    assert!(first.messages > 500, "{}", first.messages);
    assert_eq!(first.to_string(), again.to_string());
    assert_eq!(first, again);
    assert_ne!(first.hash, other.hash);
}

#[test]
fn time_passes_only_where_something_happens_or_it_is_let_pass() {
    let trace = calm(1).run(|sim| {
        let puppet = sim.spawn_on(1, || Puppet)?;
        let before = sim.now();
        sim.tell(
            puppet,
            job(|ctx| {
                let set = ctx.now();
                let hour = Duration::from_secs(3600);
                let fired = move |ctx: &mut Ctx<'_, Puppet>| assert!(ctx.now().since(set) >= hour);
                ctx.set_timer(1, hour, job(fired)).expect("room");
            }),
        );
        sim.run_until_idle();
        assert!(sim.now().since(before) < SECOND, "a timer that is not due is not waited for");
        let fired = sim.system().stats()[1].handled;
        sim.run_for(Duration::from_secs(3601));
        assert_eq!(sim.now().since(before).as_secs(), 3601);
        assert_eq!(sim.system().stats()[1].handled, fired + 1);
        Ok(())
    });
    assert_eq!(trace.expect("it runs").report.dead_letters(), 0);
}

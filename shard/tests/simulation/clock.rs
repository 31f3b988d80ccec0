//! Which time it is for what is asked of a shard between two of its turns.

use corelane_kernel::{AskError, ReplyTo, Time};
use corelane_shard::sim::{Event, note};

use crate::rig::{Puppet, SECOND, calm, job};

#[test]
fn a_time_out_that_is_set_between_turns_after_a_long_sleep_counts_from_now() {
    let mut asked = Time::ZERO;
    let trace = calm(1).run(|sim| {
        let silent = sim.spawn_on(0, || Puppet)?;
        sim.run_until_idle();
        // Nothing happens in it: the shard's last turn was before.
        sim.run_for(10 * SECOND);
        asked = sim.now();
        let now = sim.call(0, move |scope| {
            let question = |_: ReplyTo<()>| job(|_| ());
            scope.ask(silent, SECOND, question, |answer| {
                assert_eq!(answer, Err(AskError::Timeout));
                note("timed out");
            });
            scope.now()
        })?;
        assert!(now >= asked, "{now:?} is before {asked:?}");
        sim.run_for(2 * SECOND);
        Ok(())
    });
    let trace = trace.expect("it runs");
    let is_note = |(_, event): &&(Time, Event)| matches!(event, Event::Note(_));
    let (at, _) = trace.events.iter().find(is_note).expect("it times out");
    assert!(at.since(asked) >= SECOND, "{trace}");
}

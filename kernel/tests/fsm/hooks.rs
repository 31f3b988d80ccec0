//! The other hooks: ends of others, failures of children, restarts, silence.

use crate::common::{Census, World, ms};
use crate::rig::{Event, Rig, State, begin, deed, goto, take};
use corelane_kernel::fsm::{Machine, Step};
use corelane_kernel::{Actor, Ctx, Directive, Failure, Outcome};

#[test]
fn the_end_of_a_watched_actor_leads_to_a_step() {
    let (mut world, rig) = begin(State::Busy, |rig| {
        rig.at_end_of_other = Some(deed(|_, _, _, _| Ok(Step::goto(State::Idle))));
    });
    let other = world.puppet("other");
    let watch = deed(move |_, _, _, ctx| {
        ctx.watch(other)?;
        Ok(Step::stay())
    });
    world.tell(rig, Event::Do(watch));
    world.events();
    world.stop(other);
    assert_eq!(world.events(), ["other stopped", "hears of the end of other", "Busy to Idle, 0 to 0"]);
}

/// A child of a machine, whose handler fails.
struct Brat;

impl Actor for Brat {
    type Msg = ();
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Err(Failure::new("bored"))
    }
}

#[test]
fn a_machine_decides_about_its_children_and_stays_where_it_is() {
    for (directive, left) in [(Directive::Stop, 1), (Directive::Restart, 2), (Directive::Resume, 2)] {
        let (mut world, rig) = begin(State::Busy, |rig| rig.directive = directive);
        let spawn = deed(|_, _, _, ctx| {
            let brat = ctx.spawn_from(|| Brat)?;
            ctx.tell(brat, ());
            Ok(Step::stay())
        });
        world.tell(rig, Event::Do(spawn));
        assert_eq!(world.events(), ["decides on a child's error: bored while Busy"]);
        assert_eq!(world.stats().actors, left, "{directive:?}");
    }
}

#[test]
fn a_machine_that_is_restarted_begins_anew() {
    let mut world = World::new();
    let log = world.log.clone();
    let rig = world.scope().spawn_from(move || Machine::new(Rig::new(&log), State::Idle, 0)).unwrap();
    world.tell(rig, take(Step::goto(State::Busy).using(7)));
    world.events();
    world.tell(rig, Event::Do(deed(|_, _, _, _| Err(Failure::new("oops")))));
    assert_eq!(world.events(), ["ends Busy with 7: error: oops", "begins Idle with 0"]);
}

#[test]
fn a_receive_time_out_runs_whatever_the_state_and_leads_to_a_step() {
    let (mut world, rig) = begin(State::Idle, |rig| {
        rig.at_silence = Some(deed(|_, _, _, _| Ok(Step::goto(State::Busy))));
    });
    let set = deed(|_, _, _, ctx| {
        ctx.set_receive_timeout(Some(ms(100)))?;
        Ok(Step::stay())
    });
    world.tell(rig, Event::Do(set));
    world.pass(ms(60));
    world.tell(rig, goto(State::Busy));
    world.tell(rig, goto(State::Idle));
    world.pass(ms(60));
    // Does not count.
    world.tell(rig, Event::Odd(Census::default().token()));
    world.events();
    world.pass(ms(60));
    assert_eq!(world.events(), ["hears nothing while Idle", "Idle to Busy, 0 to 0"]);
}

//! Death pacts: a watcher that has no handler for an end fails with its target.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, ActorRef, Ctx, FailureKind, Outcome, StopReason, Terminated};

use crate::common::{Log, Order, World, lock};

/// Conformance 16.
#[test]
fn a_watcher_without_a_handler_for_it_fails_with_its_target() {
    struct Partner(ActorRef<Order>);
    impl Actor for Partner {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            ctx.watch(self.0)?;
            Ok(())
        }
    }
    struct Witness(Arc<Mutex<Vec<(FailureKind, String)>>>);
    impl Actor for Witness {
        type Msg = ActorRef<()>;
        fn receive(&mut self, whom: ActorRef<()>, ctx: &mut Ctx<'_, Self>) -> Outcome {
            ctx.watch(whom)?;
            Ok(())
        }
        fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
            let StopReason::Failed(failure) = &gone.reason else { panic!("it did not fail") };
            lock(&self.0).push((failure.kind(), failure.text().to_owned()));
            Ok(())
        }
    }
    let mut world = World::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let target = world.puppet("t");
    let partner = world.spawn(Partner(target)).unwrap();
    let witness = world.spawn(Witness(heard.clone())).unwrap();
    world.tell(witness, partner);
    world.settle();
    world.stop(target);
    assert_eq!(
        *lock(&heard),
        [(FailureKind::DeathPact, format!("{:?} is gone (Stopped)", target.address()))]
    );
    assert!(!world.scope().is_alive(partner));
}

#[test]
fn a_chain_of_death_pacts_unwinds_without_a_push_from_outside() {
    struct Link {
        next: u32,
        log: Log,
    }
    impl Actor for Link {
        type Msg = ();
        fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
            ctx.stop_self();
            Ok(())
        }
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            let me = ctx.me();
            if self.next == 0 {
                ctx.tell(me, ());
                return Ok(());
            }
            let next = Link { next: self.next - 1, log: self.log.clone() };
            let next = ctx.scope().spawn(next)?;
            ctx.watch(next)?;
            Ok(())
        }
        fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
            self.log.add(format!("{} stopped", self.next));
        }
    }
    let mut world = World::new();
    let log = world.log.clone();
    world.spawn(Link { next: 5, log }).unwrap();
    // `settle` turns only as long as the kernel says that more waits.
    world.settle();
    let stopped = ["0 stopped", "1 stopped", "2 stopped", "3 stopped", "4 stopped", "5 stopped"];
    assert_eq!(world.events(), stopped);
    assert_eq!(world.stats().actors, 0);
}

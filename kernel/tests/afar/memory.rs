//! With memory used up, what one end has to say to the other waits, and is not lost.

use std::sync::{Arc, Mutex};

use corelane_kernel::{
    Actor, ActorRef, Ctx, Directive, Failure, KernelConfig, Outcome, SpawnError, Strategy,
};

use crate::common::family::maker;
use crate::common::{Log, Order, Puppet, Realm, World, lock, order};
use crate::rig::Family;

/// Takes all memory of a kernel that an actor, or a message to one, can take.
fn fill(world: &mut World) {
    struct Tiny;
    impl Actor for Tiny {
        type Msg = Order;
        fn receive(&mut self, _: Order, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut last = None;
    while let Ok(filler) = world.kernel.spawn(Puppet::new("filler", &Log::default())) {
        last = Some(filler);
    }
    while world.kernel.spawn(Tiny).is_ok() {}
    world.settle();
    let last = last.expect("room for one at least");
    world.scope().suspend(last).unwrap();
    while world.try_tell(last, Order::Note(0)).is_ok() {}
    world.settle();
    while world.try_tell(last, Order::Note(0)).is_ok() {}
}

#[test]
fn neither_report_nor_order_is_lost_where_memory_is_used_up_and_the_lane_full() {
    let children = 60;
    for directive in [Directive::Restart, Directive::Resume, Directive::Stop] {
        let config = KernelConfig { queue_share: 256, ..KernelConfig::default() };
        let strategy = match directive {
            Directive::Restart => Strategy::one_for_one(),
            Directive::Resume => Strategy::one_for_one().deciding(|_| Directive::Resume),
            _ => Strategy::stopping(),
        };
        let realm = Realm::new::<1024>(2, 256 << 10, &config);
        let mut family = Family::of(realm, move |puppet| puppet.looking_after(strategy));
        let all: Arc<Mutex<Vec<ActorRef<Order>>>> = Arc::default();
        let born = all.clone();
        family.realm.have(0, family.p, move |me, ctx| {
            for _ in 0..children {
                let (log, born) = (me.log.clone(), born.clone());
                let then =
                    move |child: Result<_, SpawnError>| order(move |_, _| lock(&born).push(child.unwrap()));
                ctx.child_on(1).spawn_from(maker("c", &log), then).unwrap();
            }
        });
        family.realm.events();
        for world in &mut family.realm.worlds {
            fill(world);
        }
        let all = lock(&all).clone();
        for child in &all {
            family.realm.worlds[1].scope().fail(*child, Failure::new("gone wrong"));
        }
        // First the one end has no way to say what it has to, then the other.
        for world in [1, 0, 1] {
            for _ in 0..5 {
                family.realm.worlds[world].turn();
            }
        }
        let events = family.realm.events();
        let of = |what: &str| events.iter().filter(|event| event.contains(what)).count();
        let (restarted, stopped) = match directive {
            Directive::Restart => (children, children),
            Directive::Resume => (0, 0),
            _ => (0, children),
        };
        assert_eq!(of("p decides on"), children);
        assert_eq!((of("c restarted"), of("c stopped")), (restarted, stopped), "{directive:?}");
        for child in &all {
            family.tell(*child, Order::Note(1));
        }
        let handled = family.realm.events().len();
        assert!(directive == Directive::Stop || handled > 0, "those who live are told");
        family.realm.worlds[0].scope().stop(family.p);
        let events = family.realm.events();
        assert_eq!(events.last().map(String::as_str), Some("p stopped"), "{directive:?}");
        assert_eq!(events.len(), 1 + if directive == Directive::Stop { 0 } else { children });
    }
}

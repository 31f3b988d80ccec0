//! An actor that retires while a decision from elsewhere is awaited stops, also where memory is used up.

use std::sync::{Arc, Mutex};

use corelane_kernel::router::{Pool, RoundRobin};
use corelane_kernel::{Ctx, Directive, Failure, Group, Strategy};

use crate::common::{Order, Puppet, attempt, lock, order};
use crate::rig::Family;

type Routees = Pool<Puppet, RoundRobin, fn() -> Puppet, 4>;

fn routees() -> Arc<Mutex<Routees>> {
    Arc::new(Mutex::new(Pool::new(0, || unreachable!("all are adopted"))))
}

/// Takes all of a kernel's memory that an actor can take.
fn use_up(ctx: &mut Ctx<'_, Puppet>, log: &crate::common::Log) {
    while ctx.spawn(Puppet::new("filler", log)).is_ok() {}
    while ctx.attach([0_u64; 16]).is_ok() {}
    while ctx.attach(0_u64).is_ok() {}
    while ctx.attach(0_u8).is_ok() {}
}

#[test]
fn a_routee_retires_though_its_owner_waits_for_a_decision_and_memory_is_used_up() {
    for told in 0..3 {
        let mut family = Family::supervised(Strategy::one_for_one().deciding(|_| Directive::Resume));
        let c = family.child(0, family.p, 1, "c");
        let hog = family.realm.worlds[1].puppet("hog");
        let pool = routees();
        let all = pool.clone();
        family.realm.have(1, c, move |me, ctx| {
            let routee = ctx.spawn(me.other("r")).unwrap();
            lock(&all).adopt(ctx, routee).unwrap();
        });
        family.realm.events();
        family.tell(
            c,
            attempt(move |_, ctx| {
                let mut pool = lock(&pool);
                for n in 0..told {
                    pool.tell(ctx, Order::Note(n));
                }
                ctx.tell(hog, order(|me, ctx| use_up(ctx, &me.log)));
                let routee = pool.routees()[0].address();
                assert!(pool.retire(ctx, routee));
                Err(Failure::new("oops"))
            }),
        );
        family.realm.worlds[1].settle();
        assert!(family.realm.worlds[1].stats().refusals > 0);
        family.realm.worlds[1].stop(hog);
        let mut events = family.realm.events();
        events.retain(|event| event.starts_with('r') || event.starts_with('p'));
        let notes = (0..told).map(|n| format!("r {n}"));
        let mut expected = vec!["p decides on c: error: oops".to_owned()];
        expected.extend(notes);
        // Where nothing waits at it, it need not wait for the decision.
        expected.insert(if told == 0 { 0 } else { expected.len() }, "r stopped".to_owned());
        assert_eq!(events, expected);
        assert_eq!(family.alive(), [1, 1, 0]);
    }
}

#[test]
fn one_on_another_core_retires_behind_its_messages_whatever_its_group() {
    for group in [Group::Urgent, Group::Normal, Group::Bulk, Group::Background] {
        let mut family = Family::supervised(Strategy::one_for_one());
        let log = family.realm.log();
        let routee =
            family.realm.worlds[1].scope().spawner().group(group).spawn(Puppet::new("r", &log)).unwrap();
        let pool = routees();
        family.realm.events();
        family.realm.have(0, family.p, move |_, ctx| {
            let mut pool = lock(&pool);
            pool.adopt(ctx, routee).unwrap();
            for n in 0..3 {
                pool.tell(ctx, Order::Note(n));
            }
            assert!(pool.retire(ctx, routee));
        });
        assert_eq!(family.realm.events(), ["r 0", "r 1", "r 2", "r stopped"], "{group:?}");
        assert_eq!(family.realm.worlds[1].stats().dead_letters, 0);
    }
}

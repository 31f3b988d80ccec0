//! A reply address takes an answer, and nothing else can be done with it.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, Ctx, DeadReason, Failure, Outcome, ReplyTo};

use crate::common::{Census, Realm, World, lock, ms};
use crate::rig::{heard, world};

/// What lives behind a reply address is no actor, so what is done to actors must not touch it.
#[test]
fn a_reply_address_cannot_be_stopped_watched_suspended_failed_or_hung_on() {
    type Deal = fn(&mut World, ReplyTo<u64>, &Census);
    let deals: [Deal; 6] = [
        |world, reply, _| world.scope().stop(reply),
        |world, reply, _| world.scope().suspend(reply).unwrap(),
        |world, reply, _| world.scope().fail(reply, Failure::new("no actor")),
        |world, reply, census| world.scope().attach(reply, census.token()).unwrap(),
        |world, reply, _| {
            let w = world.puppet("w");
            world.have(w, move |_, ctx| ctx.watch(reply).unwrap());
            // It is not there for a watcher.
            assert_eq!(world.events(), ["w started", "w hears: somebody not found"]);
        },
        |world, reply, _| world.scope().resume(reply),
    ];
    for answered in [true, false] {
        for (at, deal) in deals.into_iter().enumerate() {
            let (mut world, a, _) = world();
            let (census, slot) = (Census::default(), Arc::new(Mutex::new(None)));
            let (clerk, token) = (world.spawn(Catch(slot.clone())).unwrap(), census.token());
            world.have(a, move |_, ctx| {
                ctx.ask(
                    clerk,
                    ms(10),
                    |reply| reply,
                    move |answer| {
                        drop(token);
                        heard(answer)
                    },
                );
            });
            let reply: ReplyTo<u64> = lock(&slot).take().unwrap();
            deal(&mut world, reply, &census);
            world.settle();
            census.expect(1);
            if answered {
                world.tell(reply, 5);
                assert_eq!(world.events(), ["a 5"], "deal {at}");
            } else {
                world.pass(ms(20));
                assert_eq!(world.events(), ["a no answer in time"], "deal {at}");
            }
            census.expect_none();
            // Whoever gets the cell next has nothing of it.
            for _ in 0..4 {
                world.puppet("heir");
            }
            world.tell(reply, 6);
            assert_eq!(world.events(), ["heir started"; 4], "deal {at}");
            assert_eq!(world.letters(), [(DeadReason::LateAnswer, 1)], "deal {at}");
        }
    }
}

/// Keeps the reply address it was asked with.
struct Catch(Arc<Mutex<Option<ReplyTo<u64>>>>);

impl Actor for Catch {
    type Msg = ReplyTo<u64>;
    fn receive(&mut self, reply: ReplyTo<u64>, _: &mut Ctx<'_, Self>) -> Outcome {
        *lock(&self.0) = Some(reply);
        Ok(())
    }
}

#[test]
fn a_reply_address_of_another_core_cannot_be_stopped_or_watched() {
    let mut realm = Realm::pair();
    let (a, slot) = (realm.worlds[0].puppet("a"), Arc::new(Mutex::new(None)));
    let (clerk, w) = (realm.worlds[1].spawn(Catch(slot.clone())).unwrap(), realm.worlds[1].puppet("w"));
    realm.have(0, a, move |_, ctx| ctx.ask(clerk, ms(10), |reply| reply, heard));
    let reply: ReplyTo<u64> = lock(&slot).take().unwrap();
    realm.events();
    realm.have(1, w, move |_, ctx| {
        ctx.watch(reply).unwrap();
        ctx.stop(reply);
    });
    assert_eq!(realm.events(), ["w hears: somebody not found"]);
    realm.worlds[1].tell(reply, 5);
    assert_eq!(realm.events(), ["a 5"]);
}

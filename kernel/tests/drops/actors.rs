//! Everything that hangs on an actor, or waits for it, at whichever end it comes to.

use corelane_kernel::{ActorRef, Ctx, Failure, KernelConfig, Strategy};

use crate::common::{self, Census, Order, Puppet, World, ms, order};

/// How an actor comes to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Stop,
    Fail,
    Panic,
    WithItsParent,
    WithTheKernel,
    WithTheKernelUnsettled,
}

const ENDS: [End; 6] =
    [End::Stop, End::Fail, End::Panic, End::WithItsParent, End::WithTheKernel, End::WithTheKernelUnsettled];

/// Brings an actor with a parent to its end.
fn end(mut world: World, census: &Census, parent: ActorRef<Order>, a: ActorRef<Order>, how: End) {
    match how {
        End::Stop => world.scope().stop(a),
        End::Fail => world.scope().fail(a, Failure::new("enough")),
        End::Panic => {
            // It comes after what waits behind a suspension, so that is resumed.
            world.scope().resume_with(a, order(|_, _| panic!("enough")));
        }
        End::WithItsParent => world.scope().stop(parent),
        End::WithTheKernel => {}
        End::WithTheKernelUnsettled => {
            for _ in 0..3 {
                world.tell(a, Order::Carry(census.token()));
            }
            world.scope().stop(a);
        }
    }
    if !matches!(how, End::WithTheKernel | End::WithTheKernelUnsettled) {
        world.settle();
        census.expect_none();
    }
    drop(world);
    census.expect_none();
}

/// A parent and its child, which keeps a token in its state.
fn child(world: &mut World, census: &Census) -> (ActorRef<Order>, ActorRef<Order>) {
    let parent = world.puppet("p");
    let token = census.token();
    let (log, slot) = (world.log.clone(), std::sync::Arc::new(std::sync::Mutex::new(None)));
    let store = slot.clone();
    world.have(parent, move |_, ctx| {
        let child = Puppet::new("c", &log).keeping(token);
        *common::lock(&store) = Some(ctx.spawn(child).unwrap());
    });
    let child = common::lock(&slot).take().unwrap();
    (parent, child)
}

type Fill = fn(&mut World, ActorRef<Order>, &Census);

/// Every place where something may wait for an actor, or hang on it.
const PLACES: [(&str, Fill); 12] = [
    ("its state", |_, _, _| {}),
    ("its stash", |world, a, census| {
        for _ in 0..3 {
            let token = census.token();
            world.have(a, move |_, ctx| assert!(ctx.stash(Order::Carry(token)).is_ok()));
        }
    }),
    ("its backlog", |world, a, census| {
        world.scope().suspend(a).unwrap();
        for _ in 0..3 {
            world.tell(a, Order::Carry(census.token()));
        }
        world.settle();
    }),
    ("what was unstashed and waits", |world, a, census| {
        let token = census.token();
        world.have(a, move |_, ctx| {
            assert!(ctx.stash(Order::Carry(token)).is_ok());
            ctx.suspend_self().unwrap();
            assert_eq!(ctx.unstash_all(), 1);
        });
    }),
    ("its timers", |world, a, census| {
        let tokens = [census.token(), census.token()];
        world.have(a, move |_, ctx| {
            for (key, token) in (0..).zip(tokens) {
                ctx.set_timer(key, ms(1000), Order::Carry(token)).unwrap();
            }
            ctx.set_receive_timeout(Some(ms(1000))).unwrap();
        });
    }),
    ("a timer that is due and waits", |world, a, census| {
        let token = census.token();
        world.have(a, move |_, ctx| ctx.set_timer(1, ms(1), Order::Carry(token)).unwrap());
        world.scope().suspend(a).unwrap();
        world.pass(ms(10));
    }),
    ("its watches' messages", |world, a, census| {
        let (token, other) = (census.token(), world.puppet("other"));
        world.have(a, move |_, ctx| ctx.watch_with(other, Order::Carry(token)).unwrap());
    }),
    ("a watch's message on its way", |world, a, census| {
        let token = census.token();
        world.scope().suspend(a).unwrap();
        // Suspended, so that the message that comes at once waits.
        let deed = move |_: &mut Puppet, ctx: &mut Ctx<'_, Puppet>| {
            ctx.watch_with(corelane_kernel::Address::NOBODY, Order::Carry(token)).unwrap();
            ctx.suspend_self().unwrap();
        };
        world.scope().resume_with(a, order(deed));
        world.settle();
    }),
    ("its asks' closures", |world, a, census| {
        let (tokens, other) = ([census.token(), census.token()], world.puppet("other"));
        world.have(a, move |_, ctx| {
            for token in tokens {
                let question = |_: ActorRef<u64>| Order::Note(1);
                ctx.ask(other, ms(1000), question, move |_| Order::Carry(token));
            }
        });
    }),
    ("its adapters", |world, a, census| {
        let tokens = [census.token(), census.token()];
        world.have(a, move |_, ctx| {
            for token in tokens {
                ctx.adapter(move |_: u64| Order::Carry(token.clone())).unwrap();
            }
        });
    }),
    ("its attachments", |world, a, census| {
        let token = census.token();
        world.have(a, move |_, ctx| ctx.attach(token).unwrap());
        world.scope().attach(a, (census.token(), [0u64; 20])).unwrap();
    }),
    ("its children", |world, a, census| {
        let tokens = [census.token(), census.token()];
        world.have(a, move |me, ctx| {
            for token in tokens {
                ctx.spawn(me.other("grandchild").keeping(token)).unwrap();
            }
        });
    }),
];

#[test]
fn everything_about_an_actor_is_dropped_once_whichever_way_it_ends() {
    for how in ENDS {
        for (place, fill) in PLACES {
            let (mut world, census) = (World::new(), Census::default());
            let (parent, a) = child(&mut world, &census);
            fill(&mut world, a, &census);
            assert!(census.alive() > 0, "{place}");
            println!("{place}, {how:?}");
            end(world, &census, parent, a, how);
        }
    }
}

#[test]
fn everything_at_once_is_dropped_once_whichever_way_the_actor_ends() {
    for how in ENDS {
        let (mut world, census) = (World::new(), Census::default());
        let (parent, a) = child(&mut world, &census);
        for (_, fill) in PLACES {
            fill(&mut world, a, &census);
            for _ in 0..3 {
                world.scope().resume(a);
            }
        }
        world.scope().suspend(a).unwrap();
        world.tell(a, Order::Carry(census.token()));
        end(world, &census, parent, a, how);
    }
}

#[test]
fn factories_and_what_they_made_are_dropped_once() {
    for how in ENDS {
        let config = KernelConfig { supervision: Strategy::stopping(), ..KernelConfig::default() };
        let (mut world, census) = (World::with(1 << 20, config), Census::default());
        let parent = world.puppet("p");
        let (log, token, people) = (world.log.clone(), census.token(), census.clone());
        let a = world
            .scope()
            .spawn_from(move || {
                let _ = &token;
                Puppet::new("a", &log).keeping(people.token())
            })
            .unwrap();
        world.settle();
        census.expect(2);
        if how == End::WithItsParent {
            world.stop(a);
        }
        end(world, &census, parent, a, how);
    }
}

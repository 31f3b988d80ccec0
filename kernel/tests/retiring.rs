//! Retiring: an actor that is let go handles what it was told until then, whatever it has to wait for, and then stops.

mod common;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use common::family::failing;
use common::{Order, Puppet, World, lock, order};
use corelane_kernel::router::{Pool, RoundRobin};
use corelane_kernel::{ActorRef, Address, Backoff, Ctx, DeadReason, Group, KernelConfig, Strategy};
use proptest::prelude::{Strategy as _, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

type Routees = Pool<Puppet, RoundRobin, fn() -> Puppet, 8>;

/// An owner of routees, and its pool, in a world.
struct Stage {
    world: World,
    owner: ActorRef<Order>,
    pool: Arc<Mutex<Routees>>,
}

impl Stage {
    fn new(world: World) -> Stage {
        Stage::supervised(world, Strategy::one_for_one())
    }

    fn supervised(mut world: World, strategy: Strategy) -> Stage {
        let owner = Puppet::new("o", &world.log).looking_after(strategy);
        let owner = world.kernel.spawn(owner).unwrap();
        world.events();
        let pool = Arc::new(Mutex::new(Pool::new(0, (|| unreachable!("all are adopted")) as fn() -> Puppet)));
        Stage { world, owner, pool }
    }

    /// Has the owner do something with its pool, and settles.
    fn have(&mut self, deed: impl FnOnce(&mut Routees, &mut Ctx<'_, Puppet>) + Send + 'static) {
        self.order(deed);
        self.world.settle();
    }

    fn order(&mut self, deed: impl FnOnce(&mut Routees, &mut Ctx<'_, Puppet>) + Send + 'static) {
        let pool = self.pool.clone();
        self.world.tell(self.owner, order(move |_, ctx| deed(&mut lock(&pool), ctx)));
    }

    /// A routee, a child of the owner, from a factory.
    fn routee(&mut self, name: &'static str, group: Group) -> ActorRef<Order> {
        let (pool, log) = (self.pool.clone(), self.world.log.clone());
        let made = Arc::new(Mutex::new(None));
        let slot = made.clone();
        self.world.have(self.owner, move |_, ctx| {
            let factory = common::family::maker(name, &log);
            let routee = ctx.spawner().name(name).group(group).spawn_from(factory).unwrap();
            lock(&pool).adopt(ctx, routee).unwrap();
            *lock(&slot) = Some(routee);
        });
        self.world.events();
        lock(&made).take().expect("a routee")
    }

    fn tell_and_retire(&mut self, routee: ActorRef<Order>, notes: std::ops::Range<u64>) {
        self.have(move |pool, ctx| {
            notes.for_each(|n| ctx.tell(routee, Order::Note(n)));
            assert!(pool.retire(ctx, routee));
        });
    }

    fn is_alive(&mut self, actor: impl Into<Address>) -> bool {
        self.world.scope().is_alive(actor)
    }
}

#[test]
fn one_that_is_suspended_handles_what_waits_when_it_goes_on_and_stops() {
    let mut stage = Stage::new(World::new());
    let r = stage.routee("r", Group::Normal);
    stage.world.scope().suspend(r).unwrap();
    stage.tell_and_retire(r, 0..3);
    // What comes later is not what it was told before.
    (3..5).for_each(|n| stage.world.tell(r, Order::Note(n)));
    assert_eq!(stage.world.events(), [""; 0]);
    stage.world.scope().resume(r);
    assert_eq!(stage.world.events(), ["r 0", "r 1", "r 2", "r stopped"]);
    assert_eq!(stage.world.letters(), [(DeadReason::Stopped, 2)]);
}

#[test]
fn one_that_is_suspended_and_was_told_nothing_stops_at_once() {
    let mut stage = Stage::new(World::new());
    let r = stage.routee("r", Group::Normal);
    stage.world.scope().suspend(r).unwrap();
    stage.tell_and_retire(r, 0..0);
    assert_eq!(stage.world.events(), ["r stopped"]);
}

#[test]
fn one_that_fails_and_is_restarted_retires_all_the_same() {
    for backoff in [None, Some(Backoff::fixed(common::ms(10)))] {
        let strategy = Strategy::one_for_one();
        let strategy = backoff.map_or(strategy, |backoff| strategy.backoff(backoff));
        let mut stage = Stage::supervised(World::new(), strategy);
        let r = stage.routee("r", Group::Normal);
        stage.have(move |pool, ctx| {
            ctx.tell(r, failing("oops"));
            ctx.tell(r, Order::Note(1));
            pool.retire(ctx, r);
        });
        stage.world.pass(common::ms(11));
        let mut events = stage.world.events();
        events.retain(|event| !event.contains("restart"));
        assert_eq!(events, ["o decides on r: error: oops", "r stopped", "r started", "r 1", "r stopped"]);
    }
}

/// Also the last message that waits: its parent hears of its failure.
#[test]
fn one_whose_last_message_fails_or_panics_retires_all_the_same() {
    for panics in [false, true] {
        let mut stage = Stage::new(World::new());
        let r = stage.routee("r", Group::Normal);
        stage.world.scope().suspend(r).unwrap();
        stage.have(move |pool, ctx| {
            ctx.tell(r, Order::Note(1));
            ctx.tell(r, if panics { order(|_, _| panic!("oops")) } else { failing("oops") });
            pool.retire(ctx, r);
        });
        stage.world.scope().resume(r);
        let events = stage.world.events();
        let decided = format!("o decides on r: {}: oops", if panics { "panic" } else { "error" });
        assert_eq!(events[..2], ["r 1".to_owned(), decided], "{events:?}");
        assert_eq!((stage.is_alive(r), stage.world.stats().actors), (false, 1), "{events:?}");
    }
}

#[test]
fn one_that_ends_before_is_not_waited_for() {
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0]] {
        let mut stage = Stage::new(World::new());
        let all = ["a", "b", "c"].map(|name| stage.routee(name, Group::Normal));
        stage.have(move |pool, ctx| {
            for routee in all {
                pool.retire(ctx, routee);
            }
            for at in order {
                ctx.stop(all[at]);
            }
        });
        let expected = order.map(|at| format!("{} stopped", ["a", "b", "c"][at]));
        assert_eq!(stage.world.events(), expected);
        assert!(!stage.world.turn().more);
    }
}

#[test]
fn one_that_two_let_go_handles_what_both_told_it() {
    let mut stage = Stage::new(World::new());
    let r = stage.routee("r", Group::Normal);
    let other = stage.world.puppet("other");
    stage.world.events();
    stage.order(move |pool, ctx| {
        ctx.tell(r, Order::Note(1));
        pool.retire(ctx, r);
    });
    stage.world.tell(
        other,
        order(move |_, ctx| {
            let mut pool = Routees::new(0, || unreachable!());
            pool.adopt(ctx, r).unwrap();
            ctx.tell(r, Order::Note(2));
            pool.retire(ctx, r);
        }),
    );
    assert_eq!(stage.world.events(), ["r 1", "r 2", "r stopped"]);
}

#[test]
fn a_kernel_that_ends_while_some_retire_drops_them() {
    let mut stage = Stage::new(World::new());
    let all = ["a", "b"].map(|name| stage.routee(name, Group::Background));
    stage.world.scope().suspend(all[0]).unwrap();
    let census = common::Census::default();
    let tokens = [census.token(), census.token()];
    stage.order(move |pool, ctx| {
        for (routee, token) in all.into_iter().zip(tokens) {
            ctx.tell(routee, Order::Carry(token));
            pool.retire(ctx, routee);
        }
    });
    stage.world.turn();
    drop(stage);
    census.expect_none();
}

#[derive(Clone, Debug)]
enum Step {
    /// Others tell it so many.
    Tell(usize, usize),
    /// The owner tells it so many, and lets it go.
    Retire(usize, usize),
    Suspend(usize),
    Resume(usize),
    Unstash(usize),
    Fail(usize),
    Turn,
    Settle,
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    let who = 0..NAMES.len();
    prop_oneof![
        3 => (who.clone(), 1..6_usize).prop_map(|(who, notes)| Step::Tell(who, notes)),
        2 => (who.clone(), 0..6_usize).prop_map(|(who, notes)| Step::Retire(who, notes)),
        2 => who.clone().prop_map(Step::Suspend),
        2 => who.clone().prop_map(Step::Resume),
        1 => who.clone().prop_map(Step::Unstash),
        1 => who.prop_map(Step::Fail),
        3 => prop::strategy::Just(Step::Turn),
        1 => prop::strategy::Just(Step::Settle),
    ]
}

proptest! {
    /// Whatever happens between: each handles at least all that it was told before it was let go, in order, and stops
    /// then; and one that was not let go goes on.
    #[test]
    fn each_handles_what_it_was_told_before_and_stops(steps in prop::collection::vec(step(), 1..60), budget in 1..20_u32) {
        let config = KernelConfig { budget, shares: [budget, budget, 1, 1], ..KernelConfig::default() };
        let mut stage = Stage::new(World::with(1 << 20, config));
        let groups = [Group::Urgent, Group::Normal, Group::Normal, Group::Bulk, Group::Bulk, Group::Background];
        let all: Vec<_> = NAMES.iter().zip(groups).map(|(name, group)| stage.routee(name, group)).collect();
        let mut told = [0_u64; NAMES.len()];
        // Those that were let go, and how much they had been told then.
        let mut retired: HashMap<usize, u64> = HashMap::new();
        for step in steps {
            match step {
                Step::Tell(who, notes) => {
                    for _ in 0..notes {
                        stage.world.tell(all[who], Order::Note(told[who]));
                        told[who] += 1;
                    }
                }
                Step::Retire(who, notes) => {
                    let (routee, first) = (all[who], told[who]);
                    told[who] += notes as u64;
                    let last = told[who];
                    stage.order(move |pool, ctx| {
                        (first..last).for_each(|n| ctx.tell(routee, Order::Note(n)));
                        pool.retire(ctx, routee);
                    });
                    retired.entry(who).or_insert(last);
                    // The owner does as it is told before anybody tells more.
                    stage.world.settle();
                }
                Step::Suspend(who) => stage.world.scope().suspend(all[who]).unwrap(),
                Step::Resume(who) => stage.world.scope().resume(all[who]),
                Step::Unstash(who) => {
                    let unstash = order(|me, ctx| {
                        ctx.stash(Order::Say(format!("{} unstashed", me.name))).unwrap();
                        ctx.unstash_all();
                    });
                    stage.world.tell(all[who], unstash);
                }
                Step::Fail(who) => stage.world.tell(all[who], failing("oops")),
                Step::Turn => _ = stage.world.turn(),
                Step::Settle => stage.world.settle(),
            }
        }
        for routee in &all {
            for _ in 0..60 {
                stage.world.scope().resume(*routee);
            }
        }
        stage.world.settle();
        let events = stage.world.events();
        for (who, name) in NAMES.iter().enumerate() {
            let prefix = format!("{name} ");
            let numbers = events.iter().filter_map(|event| event.strip_prefix(&prefix)?.parse::<u64>().ok());
            let numbers: Vec<_> = numbers.collect();
            let expected: Vec<_> = (0..numbers.len() as u64).collect();
            prop_assert_eq!(&numbers, &expected, "in order, without a gap");
            let least = retired.get(&who).copied().unwrap_or(told[who]);
            prop_assert!(numbers.len() as u64 >= least, "{name} handled {} of {least}", numbers.len());
            prop_assert_eq!(stage.is_alive(all[who]), !retired.contains_key(&who));
        }
    }
}

#[test]
fn whoever_is_no_routee_retires_all_the_same_also_of_itself() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    world.events();
    world.tell(
        a,
        order(|_, ctx| {
            let me = ctx.me();
            ctx.retire(me);
            ctx.tell(me, Order::Note(3));
        }),
    );
    for n in 1..=2 {
        world.tell(a, Order::Note(n));
    }
    let events = world.events();
    assert_eq!(events[..2], ["a 1", "a 2"], "{events:?}");
    assert!(!world.scope().is_alive(a));
    world.tell(b, Order::Note(1));
    world.scope().retire(b);
    world.scope().retire(Address::NOBODY);
    world.tell(b, Order::Note(2));
    let events = world.events();
    assert_eq!(events[0], "b 1", "{events:?}");
    assert!(!world.scope().is_alive(b));
}

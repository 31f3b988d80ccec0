//! Families on several hosts: two kernels that know each other only by their uplinks, and what lies between at the mercy of
//! the test.
#![cfg(feature = "alloc")]

mod common;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use common::family::failing;
use common::*;
use corelane_kernel::{
    ActorRef, Address, AnyMessage, Backoff, ChildNews, ChildOrder, Directive, Failure, FailureKind, Holdings,
    KernelConfig, Outpost, Parentage, SpawnError, StopReason, Strategy, Uplink, UplinkRefusal,
};

/// Something that is on its way to the other host.
enum Letter {
    Watch(Address, Address),
    Ended(Address, Address, StopReason),
    Stop(Address),
    Order(Address, Address, u32, ChildOrder),
    Report(Address, Address, u32, ChildNews),
    /// The spawning of a child: not the kernel's business.
    Birth(Box<dyn FnOnce(&mut World) + Send>),
}

#[derive(Default)]
struct Way {
    letters: VecDeque<Letter>,
    refusal: Option<UplinkRefusal>,
}

/// One way between two hosts.
#[derive(Clone, Default)]
struct Post(Arc<Mutex<Way>>);

impl Post {
    fn send(&self, letter: Letter) -> Result<(), UplinkRefusal> {
        let mut way = lock(&self.0);
        match way.refusal {
            Some(refusal) => Err(refusal),
            None => {
                way.letters.push_back(letter);
                Ok(())
            }
        }
    }
}

impl Uplink for Post {
    fn tell(&mut self, _: Address, _: AnyMessage<'_>) -> Result<(), UplinkRefusal> {
        Err(UplinkRefusal::NoWireForm)
    }
    fn watch(&mut self, watcher: Address, target: Address) -> bool {
        self.send(Letter::Watch(watcher, target)).is_ok()
    }
    fn unwatch(&mut self, _: Address, _: Address) {}
    fn ended(&mut self, watcher: Address, target: Address, reason: &StopReason) {
        let _ = self.send(Letter::Ended(watcher, target, reason.clone()));
    }
    fn stop(&mut self, target: Address) {
        let _ = self.send(Letter::Stop(target));
    }
    fn order(&mut self, o: Address, child: Address, n: u32, order: &ChildOrder) -> Result<(), UplinkRefusal> {
        self.send(Letter::Order(o, child, n, order.clone()))
    }
    fn report(&mut self, child: Address, o: Address, n: u32, news: &ChildNews) -> Result<(), UplinkRefusal> {
        self.send(Letter::Report(child, o, n, news.clone()))
    }
}

/// Two hosts of one kernel each, and `p` on the first.
struct Hosts {
    worlds: [World; 2],
    /// What leaves each.
    posts: [Post; 2],
    p: ActorRef<Order>,
    children: Arc<Mutex<Vec<ActorRef<Order>>>>,
}

impl Hosts {
    fn new(strategy: Strategy) -> Hosts {
        Hosts::of(strategy, &KernelConfig::default())
    }

    fn of(strategy: Strategy, config: &KernelConfig) -> Hosts {
        let mut worlds = [1, 2].map(|_| World::with(1 << 20, config.clone()));
        let posts = [Post::default(), Post::default()];
        worlds[1].log = worlds[0].log.clone();
        for (world, post) in worlds.iter_mut().zip(&posts) {
            world.scope().uplink_by(post.clone()).unwrap();
        }
        let log = worlds[0].log.clone();
        let make = move || Puppet::new("p", &log).looking_after(strategy);
        let p = worlds[0].scope().spawner().name("p").spawn_from(make).unwrap();
        let mut hosts = Hosts { worlds, posts, p, children: Arc::default() };
        hosts.events();
        hosts
    }

    fn place(&self, host: usize) -> corelane_kernel::Place {
        self.worlds[host].place()
    }

    /// Hands over the first letter from a host. Says whether there was one.
    fn deliver(&mut self, from: usize) -> bool {
        let Some(letter) = lock(&self.posts[from].0).letters.pop_front() else { return false };
        let world = &mut self.worlds[1 - from];
        match letter {
            Letter::Watch(watcher, target) => world.scope().watch_for(watcher, target),
            Letter::Ended(watcher, target, reason) => world.scope().end_for(watcher, target, reason),
            Letter::Stop(target) => world.scope().stop(target),
            Letter::Order(outpost, child, n, order) => {
                world.scope().order_for(outpost, child, n, order).unwrap();
            }
            Letter::Report(child, outpost, n, news) => {
                world.scope().report_for(outpost, child, n, news).unwrap();
            }
            Letter::Birth(birth) => birth(world),
        }
        true
    }

    fn settle(&mut self) {
        loop {
            self.worlds.iter_mut().for_each(World::settle);
            if !self.deliver(0) && !self.deliver(1) {
                return;
            }
        }
    }

    fn events(&mut self) -> Vec<String> {
        self.settle();
        self.worlds[0].log.take()
    }

    /// Has `p` put up an outpost, whose child is sent for. What becomes of it is `p`'s to say, and kept.
    fn send_for(
        &mut self,
        name: &'static str,
        prepare: impl Fn(Puppet) -> Puppet + Send + 'static,
    ) -> Outpost {
        let (post, children, to) = (self.posts[0].clone(), self.children.clone(), self.place(1));
        let slot = Arc::new(Mutex::new(None));
        let store = slot.clone();
        self.worlds[0].have(self.p, move |me, ctx| {
            let (p, log) = (ctx.me(), me.log.clone());
            let mut scope = ctx.scope();
            let spawner = scope.child_on(p, 0).unwrap().name(name);
            let said = log.clone();
            let outpost = spawner.outpost(move |born: Result<ActorRef<Order>, _>, _| match born {
                Ok(child) => lock(&children).push(child),
                Err(error) => said.add(format!("p is refused {name}: {error:?}")),
            });
            let outpost = outpost.unwrap();
            assert!(scope.bind_outpost(outpost.address(), to));
            *lock(&store) = Some(outpost.clone());
            let _ = post.send(Letter::Birth(Box::new(move |world| {
                let from = Parentage {
                    outpost: outpost.address(),
                    parent: outpost.parent(),
                    path: outpost.path(),
                    name: Some(name),
                    group: outpost.group(),
                    mailbox: outpost.mailbox(),
                };
                let make = move || Ok(prepare(Puppet::new(name, &log)));
                world.scope().adopt(&from, make).unwrap();
            })));
        });
        lock(&slot).take().unwrap()
    }

    /// A child of `p` on the second host.
    fn child(&mut self, name: &'static str) -> ActorRef<Order> {
        self.send_for(name, |puppet| puppet);
        self.settle();
        *lock(&self.children).last().expect("a child that was born")
    }

    /// Fails a child, and gives what happened without what every restart says.
    fn fail(&mut self, child: ActorRef<Order>) -> Vec<String> {
        self.worlds[1].tell(child, failing("oops"));
        let mut events = self.events();
        events.retain(|event| !event.contains(" restart"));
        events
    }

    fn alive(&self) -> [u64; 2] {
        [self.worlds[0].stats().actors, self.worlds[1].stats().actors]
    }

    /// The hosts have lost each other.
    fn part(&mut self) {
        for post in &self.posts {
            let mut way = lock(&post.0);
            way.letters.clear();
            way.refusal = Some(UplinkRefusal::Unreachable);
        }
        let places = [self.place(1), self.place(0)];
        for (world, place) in self.worlds.iter_mut().zip(places) {
            world.scope().lose_place(place);
        }
    }
}

/// Without the blocks of its queues.
fn held(world: &World) -> Holdings {
    let mut holdings = world.holdings();
    holdings.blocks = 0;
    holdings
}

#[test]
fn a_child_on_another_host_is_its_parents_by_name_path_and_address() {
    let mut hosts = Hosts::new(Strategy::one_for_one());
    let (c, p) = (hosts.child("c"), hosts.p);
    assert_eq!(hosts.events(), ["c started"]);
    assert_eq!((c.place(), hosts.alive()), (hosts.place(1), [1, 1]));
    assert_eq!(hosts.worlds[1].scope().path(c).to_string(), "/user/p/c");
    assert_eq!(hosts.worlds[0].scope().child_of(p, "c"), Some(c.address()));
    assert_eq!(hosts.worlds[1].scope().named("c"), None, "it is no top-level actor");
    hosts.worlds[1].have(c, move |_, ctx| assert_eq!((ctx.parent(), ctx.name()), (p.address(), Some("c"))));
    hosts.worlds[0].have(p, move |_, ctx| {
        let mut children = Vec::new();
        ctx.children(|child| children.push(child));
        assert_eq!((children, ctx.name_of(c)), (vec![c.address()], Some("c")));
        let again = ctx.scope().child_on(p, 0).unwrap().name("c").outpost(|_: Result<ActorRef<u8>, _>, _| ());
        assert_eq!(again.map(drop), Err(SpawnError::NameTaken));
    });
    assert!(hosts.events().is_empty());
}

#[test]
fn what_its_parent_decides_comes_over_the_uplink() {
    let decide = |failure: &Failure| match failure.text() {
        "resume" => Directive::Resume,
        "stop" => Directive::Stop,
        _ => Directive::Restart,
    };
    let mut hosts = Hosts::new(Strategy::one_for_one().deciding(decide));
    let c = hosts.child("c");
    hosts.events();
    for (text, expected) in [
        ("resume", &["p decides on c: error: resume", "c 1"][..]),
        ("oops", &["p decides on c: error: oops", "c stopped", "c started", "c 1"]),
        ("resume", &["p decides on c: error: resume", "c 1"]),
        ("stop", &["p decides on c: error: stop", "c stopped"]),
    ] {
        hosts.worlds[1].tell(c, failing(text));
        hosts.worlds[1].tell(c, Order::Note(1));
        // Until the decision has come, it waits.
        hosts.worlds[1].settle();
        assert!(hosts.worlds[1].log.take().is_empty());
        let mut events = hosts.events();
        events.retain(|event| !event.contains(" restart"));
        assert_eq!(events, expected);
    }
    assert_eq!(hosts.alive(), [1, 0]);
    hosts.worlds[0].have(hosts.p, |_, ctx| assert!(ctx.child("c").is_none()));
}

#[test]
fn an_escalated_failure_fails_the_parent_whose_restart_waits_for_the_childs_end() {
    let mut hosts = Hosts::new(Strategy::escalating());
    let c = hosts.child("c");
    hosts.events();
    assert_eq!(
        hosts.fail(c),
        ["p decides on c: error: oops", "c stopped", "p stopped", "p started"],
        "by the default, the root restarts p"
    );
    assert_eq!(hosts.alive(), [1, 0]);
}

/// Conformance 12.
#[test]
fn limits_and_back_off_hold_over_hosts() {
    let backoff = Backoff::new(ms(100), ms(1000)).jitter(0);
    let mut hosts = Hosts::new(Strategy::one_for_one().backoff(backoff).restarts(1, ms(10_000)));
    let c = hosts.child("c");
    hosts.events();
    assert_eq!(hosts.fail(c), ["p decides on c: error: oops", "c stopped"]);
    hosts.worlds[1].pass(ms(99));
    assert!(hosts.events().is_empty());
    hosts.worlds[1].pass(ms(2));
    assert_eq!(hosts.events().last().map(String::as_str), Some("c started"));
    assert_eq!(hosts.fail(c), ["p decides on c: error: oops", "c stopped"]);
    assert_eq!(hosts.alive(), [1, 0]);
}

#[test]
fn a_parent_that_stops_waits_for_the_end_of_its_child_and_of_all_below() {
    let mut hosts = Hosts::new(Strategy::one_for_one());
    let c = hosts.child("c");
    hosts.worlds[1].have(c, |me, ctx| _ = ctx.spawn(me.other("g")).unwrap());
    hosts.events();
    hosts.worlds[0].stop(hosts.p);
    assert!(hosts.worlds[0].log.take().is_empty());
    assert_eq!(hosts.events(), ["g stopped", "c stopped", "p stopped"]);
    assert_eq!(hosts.alive(), [0, 0]);
}

#[test]
fn one_that_is_stopped_before_it_is_known_never_lives_on() {
    for delivered in [false, true] {
        let mut hosts = Hosts::new(Strategy::one_for_one());
        hosts.send_for("c", |puppet| puppet);
        if delivered {
            hosts.deliver(0);
        }
        hosts.worlds[0].stop(hosts.p);
        hosts.settle();
        assert_eq!(hosts.alive(), [0, 0], "{delivered}");
        assert!(lock(&hosts.children).is_empty(), "nothing is told of one that is stopped");
        assert_eq!(held(&hosts.worlds[1]), held(&World::new()), "{delivered}");
    }
}

#[test]
fn what_waits_above_waits_below_on_the_other_host() {
    let mut hosts = Hosts::new(Strategy::one_for_one());
    let c = hosts.child("c");
    hosts.events();
    // A parent that leaves its children alone at its restart, after a while.
    hosts.worlds[0].have(hosts.p, |me, _| me.at_restart = Some(Box::new(|_, _| Ok(()))));
    hosts.worlds[0].tell(hosts.p, failing("oops"));
    hosts.worlds[0].settle();
    hosts.worlds[1].tell(c, Order::Note(1));
    let events = hosts.events();
    let of =
        |what: &str| events.iter().position(|event| event == what).unwrap_or_else(|| panic!("{events:?}"));
    assert!(of("p started") < of("c stopped") && of("c stopped") < of("c started"), "{events:?}");
    assert_eq!(events.iter().filter(|event| *event == "c 1").count(), 1);
}

#[test]
fn hosts_that_lose_each_other_end_the_family_at_both_ends_once() {
    for known in [true, false] {
        let mut hosts = Hosts::new(Strategy::one_for_one());
        hosts.send_for("c", |puppet| puppet);
        hosts.deliver(0);
        hosts.worlds[1].settle();
        let mut expected = ["c stopped", "p is refused c: Unreachable"];
        if known {
            hosts.settle();
            let c = *lock(&hosts.children).last().unwrap();
            hosts.worlds[0].have(hosts.p, move |_, ctx| ctx.watch(c).unwrap());
            hosts.settle();
            expected[1] = "p hears: c Unreachable";
        }
        hosts.worlds[0].log.take();
        hosts.part();
        hosts.part();
        let mut events = hosts.events();
        events.sort();
        assert_eq!(events, expected);
        assert_eq!(hosts.alive(), [1, 0]);
        hosts.worlds[0].have(hosts.p, |_, ctx| assert!(ctx.child("c").is_none()));
        hosts.worlds[0].stop(hosts.p);
        assert_eq!(hosts.events(), ["p stopped"]);
    }
}

#[test]
fn a_bond_of_which_the_uplink_knows_nothing_any_more_ends_as_soon_as_something_is_to_be_said() {
    let mut hosts = Hosts::new(Strategy::one_for_one());
    let c = hosts.child("c");
    hosts.events();
    for post in &hosts.posts {
        lock(&post.0).refusal = Some(UplinkRefusal::Unreachable);
    }
    hosts.worlds[0].stop(hosts.p);
    assert_eq!(hosts.worlds[0].log.take(), ["p stopped"]);
    assert_eq!(hosts.fail(c), ["c stopped"]);
    assert_eq!(hosts.alive(), [0, 0]);
}

#[test]
fn what_the_uplink_has_no_room_for_is_said_later_as_the_sum_of_all() {
    let mut hosts = Hosts::new(Strategy::one_for_one());
    let c = hosts.child("c");
    hosts.events();
    lock(&hosts.posts[1].0).refusal = Some(UplinkRefusal::Full);
    hosts.worlds[1].tell(c, failing("oops"));
    for _ in 0..3 {
        assert!(hosts.worlds[1].turn().more, "there is something left to say");
    }
    lock(&hosts.posts[1].0).refusal = None;
    lock(&hosts.posts[0].0).refusal = Some(UplinkRefusal::Full);
    hosts.worlds[1].settle();
    while hosts.deliver(1) {}
    for _ in 0..3 {
        hosts.worlds[0].turn();
    }
    // The restart that was decided is not said yet when all is to stop.
    hosts.worlds[0].scope().stop(hosts.p);
    hosts.worlds[0].turn();
    lock(&hosts.posts[0].0).refusal = None;
    assert_eq!(hosts.events(), ["p decides on c: error: oops", "c stopped", "p stopped"]);
}

#[test]
fn who_could_not_be_made_is_told_of_and_leaves_nothing() {
    let mut hosts = Hosts::new(Strategy::one_for_one());
    let before = held(&hosts.worlds[0]);
    let outpost = hosts.send_for("c", |puppet| puppet);
    lock(&hosts.posts[0].0).letters.clear();
    hosts.worlds[0].scope().refuse_outpost(outpost.address(), SpawnError::OutOfMemory).unwrap();
    hosts.worlds[0].scope().refuse_outpost(outpost.address(), SpawnError::Full).unwrap();
    assert_eq!(hosts.events(), ["p is refused c: OutOfMemory"]);
    hosts.worlds[0].scope().refuse_outpost(outpost.address(), SpawnError::Full).unwrap();
    assert!(hosts.events().is_empty());
    assert_eq!(held(&hosts.worlds[0]), before);
}

/// Whoever finds out that the child's host is its parent's own has it there, in its place.
#[test]
fn the_name_of_a_child_that_could_not_be_had_is_free_when_its_parent_is_told() {
    let mut hosts = Hosts::new(Strategy::one_for_one());
    hosts.worlds[0].have(hosts.p, move |me, ctx| {
        let (p, log) = (ctx.me(), me.log.clone());
        let mut scope = ctx.scope();
        let spawner = scope.child_on(p, 0).unwrap().name("c");
        let outpost = spawner.outpost(move |born: Result<ActorRef<Order>, _>, scope| {
            assert_eq!(born.unwrap_err(), SpawnError::Full);
            let said = log.clone();
            let make = move || Puppet::new("c", &log);
            let spawner = scope.child_on(p, 0).unwrap().name("c");
            spawner.spawn_then(make, move |born, _| said.add(format!("p has c: {}", born.is_ok()))).unwrap();
        });
        let outpost = outpost.unwrap().address();
        let taken = scope.child_on(p, 0).unwrap().name("c").outpost(|_: Result<ActorRef<Order>, _>, _| ());
        assert_eq!(taken.unwrap_err(), SpawnError::NameTaken);
        scope.refuse_outpost(outpost, SpawnError::Full).unwrap();
    });
    assert_eq!(hosts.events(), ["p has c: true", "c started"]);
    // It is kept by whoever has it now.
    hosts.worlds[0].have(hosts.p, |_, ctx| {
        let p = ctx.me();
        let mut scope = ctx.scope();
        let taken = scope.child_on(p, 0).unwrap().name("c").outpost(|_: Result<ActorRef<Order>, _>, _| ());
        assert_eq!(taken.unwrap_err(), SpawnError::NameTaken);
    });
    hosts.worlds[0].scope().stop(hosts.p);
    assert_eq!(hosts.events(), ["c stopped", "p stopped"]);
}

#[test]
fn reports_and_orders_that_are_made_up_are_ignored() {
    let mut hosts = Hosts::new(Strategy::one_for_one());
    let outpost = hosts.send_for("c", |puppet| puppet);
    hosts.settle();
    let c = *lock(&hosts.children).last().unwrap();
    hosts.events();
    let to = hosts.place(1);
    assert!(!hosts.worlds[0].scope().bind_outpost(outpost.address(), to), "it is there already");
    let stranger = World::new().puppet("stranger").address();
    let (p, ended) = (hosts.p.address(), ChildNews::Ended);
    let mut near = hosts.worlds[0].scope();
    for (to, child) in [
        (outpost.address(), stranger),
        (p, c.address()),
        (outpost.address(), p),
        (outpost.address(), Address::NOBODY),
    ] {
        near.report_for(to, child, 0, ended.clone()).unwrap();
    }
    near.report_for(outpost.address(), c.address(), 0, ChildNews::Unborn(SpawnError::Full)).unwrap();
    let mut far = hosts.worlds[1].scope();
    far.order_for(stranger, c.address(), 0, ChildOrder::Stop).unwrap();
    far.order_for(c.address(), c.address(), 0, ChildOrder::Stop).unwrap();
    far.order_for(outpost.address(), stranger, 0, ChildOrder::Stop).unwrap();
    assert!(hosts.events().is_empty());
    assert_eq!(hosts.alive(), [1, 1]);
    // A failure of before a restart is out of date.
    hosts.fail(c);
    let old = ChildNews::Failed(Failure::new("old"));
    hosts.worlds[0].scope().report_for(outpost.address(), c.address(), 0, old).unwrap();
    assert!(hosts.events().is_empty());
}

#[test]
fn a_child_whose_outpost_is_gone_is_stopped_when_it_reports() {
    let mut hosts = Hosts::new(Strategy::one_for_one());
    let outpost = hosts.send_for("c", |puppet| puppet);
    // It is given up here, and was on its way all the same.
    hosts.worlds[0].scope().refuse_outpost(outpost.address(), SpawnError::Full).unwrap();
    hosts.worlds[0].settle();
    hosts.settle();
    assert_eq!(hosts.alive(), [1, 0]);
}

#[test]
fn whoever_stops_all_top_level_actors_stops_children_of_other_hosts_too() {
    let mut hosts = Hosts::new(Strategy::one_for_one());
    let c = hosts.child("c");
    hosts.worlds[0].have(hosts.p, move |_, ctx| ctx.watch(c).unwrap());
    hosts.settle();
    hosts.events();
    hosts.worlds[1].scope().stop_all();
    assert_eq!(hosts.events(), ["c stopped", "p hears: c stopped"]);
    hosts.worlds[0].have(hosts.p, |_, ctx| assert!(ctx.child("c").is_none()));
}

#[test]
fn nobody_is_adopted_from_a_realm_to_which_no_way_leads() {
    let mut world = World::new();
    let far = World::new().puppet("far").address();
    let near = world.puppet("near").address();
    let adopt = |world: &mut World, outpost, name| {
        let from = Parentage {
            outpost,
            parent: far,
            path: "/user/p",
            name: Some(name),
            group: corelane_kernel::Group::Normal,
            mailbox: 0,
        };
        let log = world.log.clone();
        world.scope().adopt(&from, move || Ok(Puppet::new("c", &log))).map(drop)
    };
    assert_eq!(adopt(&mut world, far, "c"), Err(SpawnError::Unreachable));
    world.scope().uplink_by(Post::default()).unwrap();
    assert_eq!(adopt(&mut world, near, "c"), Err(SpawnError::Unreachable));
    assert_eq!(adopt(&mut world, far, "$c"), Err(SpawnError::BadName));
    assert_eq!(adopt(&mut world, far, "c"), Ok(()));
    assert_eq!(world.stats().actors, 2);
}

#[test]
fn a_failure_of_another_host_is_decided_about_by_kind_type_and_text() {
    let decide = |failure: &Failure| {
        let known = failure.is::<std::num::ParseIntError>() && failure.kind() == FailureKind::Error;
        if known { Directive::Resume } else { Directive::Stop }
    };
    let mut hosts = Hosts::new(Strategy::one_for_one().deciding(decide));
    let c = hosts.child("c");
    hosts.events();
    // As a wire would write it.
    let wire = |news: ChildNews| match news {
        ChildNews::Failed(failure) => {
            ChildNews::Failed(Failure::from_elsewhere(failure.kind(), failure.error_hash(), failure.text()))
        }
        news => news,
    };
    for (text, expected) in [("x", vec![]), ("", vec![]), ("y", vec!["c stopped"])] {
        hosts.worlds[1].tell(
            c,
            attempt(move |_, _| match text {
                "y" => Err(Failure::new("invalid digit found in string")),
                text => text.parse::<u8>().map(drop).map_err(Failure::from),
            }),
        );
        hosts.worlds[1].settle();
        let mut way = lock(&hosts.posts[1].0);
        for letter in &mut way.letters {
            if let Letter::Report(_, _, _, news) = letter {
                *news = wire(news.clone());
            }
        }
        drop(way);
        let mut events = hosts.events();
        events.retain(|event| !event.starts_with("p decides"));
        assert_eq!(events, expected);
    }
}

//! Names: unique among siblings, free again when their bearer has ended.

mod common;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use common::{Census, Order, Puppet, Random, World, lock, order};
use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, DeadReason, Decided, GrantNames, Group, NewPath, Outcome, ResolveError,
    SpawnError, limits::NAME_MAX,
};

fn spawn(world: &mut World, name: &str) -> Result<Address, SpawnError> {
    let puppet = Puppet::new("a", &world.log);
    world.scope().spawner().name(name).spawn(puppet).map(Address::from)
}

/// Conformance 4. A name is taken on the one core of its parent, so that no race is possible.
#[test]
fn a_name_is_given_once_among_siblings() {
    let mut world = World::new();
    let a = spawn(&mut world, "a").unwrap();
    assert_eq!(spawn(&mut world, "a"), Err(SpawnError::NameTaken));
    spawn(&mut world, "A").unwrap();
    assert_eq!(world.scope().named("a"), Some(a));
    assert_eq!(world.stats().actors, 2);
}

#[test]
fn the_same_name_may_stand_below_another_parent() {
    let mut world = World::new();
    spawn(&mut world, "x").unwrap();
    for parent in ["p", "q"] {
        let parent = world.puppet(parent);
        world.have(parent, |me, ctx| {
            let named = ctx.spawner().name("x").spawn(me.other("x")).unwrap();
            assert_eq!(ctx.child("x"), Some(named.address()));
            assert_eq!(ctx.spawner().name("x").spawn(me.other("x")), Err(SpawnError::NameTaken));
        });
    }
    assert_eq!((world.panics.len(), world.stats().actors), (0, 5));
}

/// Conformance 4.
#[test]
fn malformed_names_are_refused() {
    let mut world = World::new();
    let census = Census::default();
    let long = "n".repeat(NAME_MAX + 1);
    for name in ["", "a b", "a/b", "ü", "$own", "a\n", "a#", "tab\t", "nul\0", "a\u{7f}", "<a>", &long] {
        let puppet = Puppet::new("a", &world.log).keeping(census.token());
        let refused = world.scope().spawner().name(name).spawn(puppet);
        assert_eq!(refused, Err(SpawnError::BadName), "{name:?}");
        census.expect_none();
    }
    assert_eq!((world.stats().actors, world.events()), (0, vec![]));
    let longest = "n".repeat(NAME_MAX);
    for name in ["a", "Z9", "-_.*$+:@&=,!~';()", "a$", "0", &longest] {
        let address = spawn(&mut world, name).unwrap_or_else(|e| panic!("{name:?}: {e}"));
        assert_eq!(world.scope().named(name), Some(address));
    }
    let text = SpawnError::BadName.to_string();
    assert!(text.contains("1 to 64 bytes"), "{text}");
}

/// Conformance 5.
#[test]
fn a_reused_name_is_another_actors_and_the_old_address_stays_dead() {
    let mut world = World::new();
    let puppet = Puppet::new("first", &world.log);
    let first = world.scope().spawner().name("n").spawn(puppet).unwrap();
    world.settle();
    world.stop(first);
    assert_eq!(world.scope().named("n"), None);
    let puppet = Puppet::new("second", &world.log);
    let second = world.scope().spawner().name("n").spawn(puppet).unwrap();
    assert_ne!(first, second);
    world.tell(first, Order::Note(1));
    world.tell(second, Order::Note(2));
    assert_eq!(world.events(), ["first started", "first stopped", "second started", "second 2"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1)]);
}

#[test]
fn a_name_is_taken_until_its_bearers_children_have_stopped() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        let child = me.other("c").at_stop(|me, ctx| {
            // The hook runs while the name is still its own.
            me.say(ctx.name().unwrap_or("nameless").to_owned());
        });
        let child = ctx.spawner().name("n").spawn(child).unwrap();
        ctx.stop(child);
        assert_eq!(ctx.spawner().name("n").spawn(me.other("d")), Err(SpawnError::NameTaken));
        let me = ctx.me();
        ctx.tell(me, order(|me, ctx| _ = ctx.spawner().name("n").spawn(me.other("d")).unwrap()));
    });
    assert_eq!(world.events(), ["p started", "c started", "c stopped", "c n", "d started"]);
}

#[test]
fn a_failed_spawn_leaves_its_name_free() {
    let mut world = World::sized(16 * 1024);
    struct Big(#[allow(dead_code)] [u64; 200]);
    impl Actor for Big {
        type Msg = ();
        fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let mut named = Vec::new();
    let failed = loop {
        let name = format!("n{}", named.len());
        match world.scope().spawner().name(&name).spawn(Big([0; 200])) {
            Ok(address) => named.push(address),
            Err(SpawnError::OutOfMemory) => break name,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(named.len() > 2);
    assert_eq!(world.scope().named(&failed), None);
    world.settle();
    world.stop(named[0]);
    let again = world.scope().spawner().name(&failed).spawn(Big([0; 200])).unwrap();
    assert_eq!(world.scope().named(&failed), Some(again.address()));
}

#[test]
fn refused_spawns_take_no_memory_for_good() {
    let mut world = World::new();
    spawn(&mut world, "taken").unwrap();
    world.settle();
    let mut used = Vec::new();
    for _ in 0..1000 {
        let mut scope = world.kernel.scope();
        let puppet = || Puppet::new("a", &world.log);
        let taken = scope.spawner().name("taken").mailbox(5).spawn(puppet());
        let bad = scope.spawner().name("bad name").mailbox(5).spawn(puppet());
        assert_eq!((taken, bad), (Err(SpawnError::NameTaken), Err(SpawnError::BadName)));
        used.push(world.stats().used_bytes);
    }
    assert_eq!(used[1], used[999]);
}

#[test]
fn names_behave_like_a_map_under_random_spawns_and_stops() {
    let mut world = World::sized(4 << 20);
    let mut random = Random(9);
    let mut model: HashMap<String, Address> = HashMap::new();
    for step in 0..20_000 {
        let name = format!("n{}", random.below(300));
        match random.below(3) {
            0 => match (spawn(&mut world, &name), model.get(&name)) {
                (Ok(address), None) => drop(model.insert(name, address)),
                (Err(SpawnError::NameTaken), Some(_)) => {}
                other => panic!("step {step}, {name}: {other:?}"),
            },
            1 => {
                if let Some(address) = model.remove(&name) {
                    world.stop(address);
                }
            }
            _ => assert_eq!(world.scope().named(&name), model.get(&name).copied(), "step {step}"),
        }
        if step % 1000 == 0 {
            world.settle();
            world.log.take();
            for n in 0..300 {
                let name = format!("n{n}");
                assert_eq!(world.scope().named(&name), model.get(&name).copied(), "step {step}");
            }
        }
    }
    let mut used = Vec::new();
    for _ in 0..10 {
        world.scope().stop_all();
        world.settle();
        for n in 0..300 {
            spawn(&mut world, &format!("n{n}")).unwrap();
        }
        used.push(world.stats().used_bytes);
    }
    assert_eq!(used[4], used[9], "names take no memory for good: {used:?}");
}

/// An actor's path, read by itself.
fn path_of(world: &mut World, actor: ActorRef<Order>) -> String {
    let path = Arc::new(Mutex::new(String::new()));
    let seen = path.clone();
    world.have(actor, move |_, ctx| *seen.lock().unwrap() = ctx.path().to_string());
    let path = path.lock().unwrap().clone();
    assert_eq!(path, world.scope().path(actor).to_string());
    path
}

#[test]
fn a_path_is_made_of_the_names_from_the_top_down() {
    let mut world = World::new();
    let me = Puppet::new("a", &world.log);
    let mut at = world.scope().spawner().name("a").spawn(me).unwrap();
    assert_eq!(path_of(&mut world, at), "/user/a");
    let mut expected = "/user/a".to_owned();
    // Deep enough to be gathered in several goes.
    for depth in 0..150 {
        let child = Arc::new(Mutex::new(None));
        let (told, named) = (child.clone(), depth % 3 != 0);
        world.have(at, move |me, ctx| {
            let name = format!("n{depth}");
            let spawner = if named { ctx.spawner().name(&name) } else { ctx.spawner() };
            *told.lock().unwrap() = Some(spawner.spawn(me.other("x")).unwrap());
        });
        let next = child.lock().unwrap().unwrap();
        let path = path_of(&mut world, next);
        let last = path.strip_prefix(&expected).unwrap_or_else(|| panic!("{path} is below {expected}"));
        if named {
            assert_eq!(last, format!("/n{depth}"));
        } else {
            assert!(last.starts_with("/$0.") && last[1..].find('/').is_none(), "{last}");
        }
        assert_eq!(path_of(&mut world, next), path, "it is the same each time");
        (at, expected) = (next, path);
    }
    assert_eq!(world.panics.len(), 0);
}

#[test]
fn two_actors_without_a_name_never_have_one_path() {
    let mut world = World::new();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..100 {
        let actor = world.puppet("p");
        assert!(seen.insert(path_of(&mut world, actor)), "{seen:?}");
        if seen.len() % 2 == 0 {
            world.stop(actor);
            world.settle();
        }
    }
}

#[test]
fn the_path_of_one_that_is_gone_or_away_is_its_address() {
    let (mut world, mut other) = (World::new(), World::new());
    let actor = spawn(&mut world, "a").unwrap();
    assert_eq!(other.scope().path(actor).to_string(), format!("{actor:?}"));
    world.stop(actor);
    world.settle();
    assert_eq!(world.scope().path(actor).to_string(), format!("{actor:?}"));
    assert_eq!(world.scope().path(Address::NOBODY).to_string(), "nobody");
}

/// Conformance 24.
#[test]
fn an_address_becomes_a_reference_only_of_its_actors_own_protocol() {
    let (mut world, mut other) = (World::new(), World::new());
    let actor = spawn(&mut world, "a").unwrap();
    let found = world.scope().resolve::<Order>(actor);
    assert_eq!(found.map(Address::from), Ok(actor));
    let speaks = std::any::type_name::<Order>();
    assert_eq!(world.scope().resolve::<u64>(actor), Err(ResolveError::OtherProtocol { speaks }));
    assert_eq!(other.scope().resolve::<Order>(actor), Err(ResolveError::Elsewhere));
    assert_eq!(world.scope().resolve::<Order>(Address::NOBODY), Err(ResolveError::NoActor));
    world.stop(actor);
    world.settle();
    assert_eq!(world.scope().resolve::<Order>(actor), Err(ResolveError::NoActor));
}

#[test]
fn a_child_is_found_by_its_name_from_outside() {
    let mut world = World::new();
    let parent = world.puppet("p");
    world.have(parent, |me, ctx| {
        ctx.spawner().name("x").spawn(me.other("x")).unwrap();
    });
    let child = world.scope().child_of(parent, "x").unwrap();
    assert_eq!(world.scope().path(child).to_string(), format!("{}/x", path_of(&mut world, parent)));
    assert_eq!(world.scope().child_of(parent, "y"), None);
    assert_eq!(world.scope().child_of(child, "x"), None);
    world.stop(parent);
    world.settle();
    assert_eq!(world.scope().child_of(parent, "x"), None);
}

/// Notes what is granted.
#[derive(Clone, Default)]
struct Granter(Rc<RefCell<HashMap<String, Address>>>);

impl GrantNames for Granter {
    fn grant(&mut self, name: &str, to: Address) -> bool {
        let mut names = self.0.borrow_mut();
        let free = !names.contains_key(name);
        if free {
            names.insert(name.to_owned(), to);
        }
        free
    }
    fn take_back(&mut self, name: &str, from: Address) {
        assert_eq!(self.0.borrow_mut().remove(name), Some(from), "{name} was granted to {from:?}");
    }
}

/// Conformance 4.
#[test]
fn kernels_with_one_granter_give_each_name_once_and_give_it_back() {
    let granter = Granter::default();
    let (mut a, mut b) = (World::new(), World::new());
    a.scope().grant_names_by(granter.clone()).unwrap();
    b.scope().grant_names_by(granter.clone()).unwrap();
    let first = spawn(&mut a, "n").unwrap();
    for world in [&mut a, &mut b] {
        assert_eq!(spawn(world, "n"), Err(SpawnError::NameTaken));
        assert_eq!(spawn(world, "n/"), Err(SpawnError::BadName));
    }
    assert_eq!(granter.0.borrow().get("n"), Some(&first));
    // Only names at the top are shared.
    let parent = b.puppet("p");
    b.have(parent, |me, ctx| {
        ctx.spawner().name("n").spawn(me.other("n")).unwrap();
    });
    assert_eq!(granter.0.borrow().len(), 1);
    a.stop(first);
    a.settle();
    assert_eq!(granter.0.borrow().len(), 0);
    spawn(&mut b, "n").unwrap();
    assert_eq!(spawn(&mut a, "n"), Err(SpawnError::NameTaken));
    drop(b);
    assert_eq!(granter.0.borrow().len(), 0, "a kernel that goes gives all back");
    spawn(&mut a, "n").unwrap();
}

#[test]
fn a_granted_name_is_given_back_when_there_is_no_room_for_its_actor() {
    let granter = Granter::default();
    let mut world = World::sized(96 << 10);
    world.scope().grant_names_by(granter.clone()).unwrap();
    let mut spawned = 0;
    let refused = loop {
        match spawn(&mut world, &format!("n{spawned}")) {
            Ok(_) => spawned += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, SpawnError::OutOfMemory);
    assert_eq!(granter.0.borrow().len(), spawned);
}

/// Decides for what ends in `-d`, and notes whom it was asked about.
#[derive(Clone, Default)]
struct Decider(Rc<RefCell<Vec<String>>>);

impl GrantNames for Decider {
    fn grant(&mut self, _: &str, _: Address) -> bool {
        true
    }
    fn take_back(&mut self, _: &str, _: Address) {}
    fn decide(&mut self, path: &NewPath<'_>) -> Decided {
        self.0.borrow_mut().push(path.to_string());
        match path.name().ends_with("-d") {
            true => Decided { group: Some(Group::Urgent), mailbox: Some(2), ..Decided::default() },
            false => Decided::default(),
        }
    }
}

#[test]
fn what_is_decided_for_a_path_comes_before_the_code_on_every_level() {
    let decider = Decider::default();
    let mut world = World::new();
    world.scope().grant_names_by(decider.clone()).unwrap();
    let log = world.log.clone();
    let top = world.scope().spawner().name("top-d").group(Group::Bulk).spawn(Puppet::new("t", &log)).unwrap();
    assert_eq!(top.address().group(), Group::Urgent);
    let slot = Arc::new(Mutex::new(Vec::new()));
    let store = slot.clone();
    world.have(top, move |me, ctx| {
        let bulk = |ctx: &mut Ctx<'_, Puppet>, name| {
            ctx.spawner().name(name).group(Group::Bulk).mailbox(3).spawn(me.other("c")).unwrap()
        };
        let children = [bulk(ctx, "a-d"), bulk(ctx, "b")];
        let nameless = ctx.spawner().group(Group::Bulk).mailbox(3).spawn(me.other("c")).unwrap();
        lock(&store).extend(children.into_iter().chain([nameless]));
        // On this core, so that bounds hold.
        let told = |ctx: &mut Ctx<'_, Puppet>, child| {
            (0..9).take_while(|n| ctx.try_tell(child, Order::Note(*n)).is_ok()).count()
        };
        let all = [children[0], children[1], nameless].map(|child| told(ctx, child));
        assert_eq!(all, [2, 3, 3]);
    });
    let groups: Vec<_> = lock(&slot).iter().map(|child| child.address().group()).collect();
    assert_eq!(groups, [Group::Urgent, Group::Bulk, Group::Bulk]);
    // Those without a name are not asked about.
    assert_eq!(*decider.0.borrow(), ["/user/top-d", "/user/top-d/a-d", "/user/top-d/b"]);
    // What could not be spawned for want of a good name was no harm to ask about.
    assert_eq!(spawn(&mut world, "no name"), Err(SpawnError::BadName));
}

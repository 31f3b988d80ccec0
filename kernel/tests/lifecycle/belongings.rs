//! What an actor knows and has: its parent and children, its group, attachments, the kernel's extensions.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Address, Ctx, Group};

use crate::common::{Census, Order, Puppet, World, lock, order};

#[test]
fn an_actor_knows_itself_its_parent_and_its_children() {
    let mut world = World::new();
    let p = world.puppet("p");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let store = seen.clone();
    world.have(p, move |me, ctx| {
        assert_eq!(ctx.parent(), Address::NOBODY);
        let a = ctx.spawner().name("a").spawn(me.other("a")).unwrap();
        let b = ctx.spawn(me.other("b")).unwrap();
        // An adapter is no child.
        ctx.adapter(Order::Note).unwrap();
        let mut children = Vec::new();
        ctx.children(|child| children.push(child));
        assert_eq!(children, [b.address(), a.address()]);
        assert_eq!((ctx.child("a"), ctx.child("b")), (Some(a.address()), None));
        assert_eq!(ctx.name(), None);
        for child in [a, b] {
            let store = store.clone();
            let deed = move |_: &mut Puppet, ctx: &mut Ctx<'_, Puppet>| {
                assert_eq!(ctx.me(), child);
                lock(&store).push((ctx.parent(), ctx.name().map(str::to_owned)));
            };
            ctx.tell(child, order(deed));
        }
    });
    assert_eq!(*lock(&seen), [(p.address(), Some("a".to_owned())), (p.address(), None)]);
    assert_eq!(world.panics, [""; 0]);
}

#[test]
fn a_stopped_child_is_no_longer_among_the_children() {
    let mut world = World::new();
    let p = world.puppet("p");
    world.have(p, |me, ctx| {
        for _ in 0..3 {
            ctx.spawn(me.other("c")).unwrap();
        }
        let mut children = Vec::new();
        ctx.children(|child| children.push(child));
        ctx.stop(children[1]);
        let rest = [children[0], children[2]];
        let me = ctx.me();
        ctx.tell(
            me,
            order(move |me, ctx| {
                let mut left = Vec::new();
                ctx.children(|child| left.push(child));
                assert_eq!(left, rest);
                me.say("counted");
            }),
        );
    });
    assert!(world.events().contains(&"p counted".to_owned()));
}

#[test]
fn an_extension_is_one_value_of_its_type_for_the_whole_kernel() {
    let mut world = World::new();
    let census = Census::default();
    assert!(world.extension::<u64>().is_none());
    world.set_extension(7u64).unwrap();
    world.set_extension(census.token()).unwrap();
    world.set_extension(census.token()).unwrap();
    census.expect(1);
    let a = world.puppet("a");
    world.have(a, |me, ctx| {
        *ctx.scope().extension::<u64>().unwrap() += 1;
        ctx.scope().set_extension("text").unwrap();
        me.say("did");
    });
    assert_eq!(world.events(), ["a started", "a did"]);
    assert_eq!(world.extension::<u64>(), Some(&mut 8));
    assert_eq!(world.scope().extension::<&str>(), Some(&mut "text"));
    drop(world);
    census.expect_none();
}

#[test]
fn what_is_attached_is_dropped_when_the_actor_ends() {
    let mut world = World::new();
    let census = Census::default();
    let a = world.puppet("a");
    let (one, two) = (census.token(), census.token());
    world.have(a, move |_, ctx| {
        ctx.attach(one).unwrap();
        ctx.attach((two, 5u8)).unwrap();
    });
    let third = census.token();
    world.scope().attach(a, third).unwrap();
    census.expect(3);
    world.stop(a);
    census.expect_none();
    // It has ended: dropped at once.
    let late = census.token();
    world.scope().attach(a, late).unwrap();
    census.expect_none();
}

#[test]
fn an_addresss_group_is_the_one_it_was_spawned_in() {
    let mut world = World::new();
    for group in Group::ROUND {
        let puppet = Puppet::new("a", &world.log);
        let a = world.scope().spawner().group(group).spawn(puppet).unwrap();
        assert_eq!(a.address().group(), group);
        assert_eq!(a.place(), world.place());
    }
}

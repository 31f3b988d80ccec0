//! Families on several shards, on real threads: found by path, placed by configuration, supervised and stopped as any other.

mod common;

use std::sync::mpsc::{Sender, channel};

use common::{Job, Puppet, builder, end, next, puppet, system, tell, with};
use corelane_kernel::{Actor, ActorRef, Ctx, Directive, Failure, Outcome, SpawnError, Strategy};
use corelane_shard::{Deployment, Gateway, LookupError, On, ShardCtx, System};

/// Has an actor spawn a puppet on a shard, and waits until it is there.
fn child(
    gateway: &mut Gateway,
    parent: ActorRef<Job>,
    on: On,
    name: &'static str,
    prepare: impl Fn(Puppet) -> Puppet + Clone + Send + 'static,
) -> ActorRef<Job> {
    let (born, birth) = channel();
    with(gateway, parent, move |ctx| {
        let factory = move || prepare(Puppet::default());
        let then =
            move |child: Result<ActorRef<Job>, SpawnError>| Job::run(move |_| born.send(child).unwrap());
        ctx.child_spawner(on).name(name).spawn_from(factory, then).unwrap();
    });
    next(&birth).expect("a child")
}

fn plain(puppet: Puppet) -> Puppet {
    puppet
}

#[test]
fn a_path_leads_from_shard_to_shard() {
    let system = system(3);
    let mut gateway = system.gateway().unwrap();
    let top = system.spawn_named(On::Shard(0), "top", Puppet::default).unwrap();
    let one = child(&mut gateway, top, On::Shard(1), "one", plain);
    let two = child(&mut gateway, one, On::Shard(2), "two", plain);
    let back = child(&mut gateway, two, On::Shard(0), "back", plain);
    for (path, actor) in
        [("/user/top/one", one), ("/user/top/one/two", two), ("/user/top/one/two/back", back)]
    {
        assert_eq!(system.lookup(path), Ok(actor));
        assert_eq!(system.path_of(actor).unwrap().as_deref(), Some(path));
    }
    let missing = system.lookup::<Job>("/user/top/one/none/back");
    assert_eq!(missing, Err(LookupError::NoSuchActor { path: "/user/top/one/none".to_owned() }));
    let wrong = system.lookup::<u8>("/user/top/one/two");
    assert!(matches!(wrong, Err(LookupError::OtherProtocol { asked: "u8", .. })), "{wrong:?}");
    end(system);
}

/// Conformance 21.
#[test]
fn a_child_that_may_live_anywhere_lives_where_its_deployment_says() {
    let system = builder(3)
        .deploy("/user/top/placed", Deployment::new().on(On::Shard(2)))
        .deploy("/user/top/home", Deployment::new().on(On::Shard(0)))
        .start()
        .unwrap();
    let mut gateway = system.gateway().unwrap();
    let top = system.spawn_named(On::Shard(0), "top", Puppet::default).unwrap();
    for (name, shard) in [("placed", 2), ("home", 0), ("free", 1)] {
        let child = child(&mut gateway, top, On::Shard(1), name, plain);
        assert_eq!(child.place().shard(), shard, "{name}");
    }
    // One that its parent spawns beside itself is not asked about.
    let system2 = builder(2).deploy("/user/*/*", Deployment::new().on(On::Shard(1))).start().unwrap();
    let mut gateway2 = system2.gateway().unwrap();
    let top = system2.spawn_named(On::Shard(0), "top", Puppet::default).unwrap();
    let beside = with(&mut gateway2, top, |ctx| ctx.spawner().name("c").spawn(Puppet::default()).unwrap());
    assert_eq!(beside.place().shard(), 0);
    end(system);
    end(system2);
}

#[test]
fn children_that_are_to_be_spread_are_so_whatever_the_code_says() {
    let spread = Deployment::new().on(On::Spread);
    let system = builder(2).deploy("/user/top/*", spread).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let top = system.spawn_named(On::Shard(0), "top", Puppet::default).unwrap();
    let mut living = [0, 0];
    for name in ["a", "b", "c", "d"] {
        // The code has had its turn before it is overruled.
        living[child(&mut gateway, top, On::Spread, name, plain).place().shard()] += 1;
    }
    assert_eq!(living, [2, 2]);
    end(system);
}

#[test]
fn a_shutdown_ends_families_from_their_leaves_over_all_shards() {
    let system = system(3);
    let mut gateway = system.gateway().unwrap();
    let (ended, ends) = channel();
    let noting = |name: &'static str| {
        let ended = ended.clone();
        move |puppet: Puppet| {
            let ended = ended.clone();
            puppet.stopped(move |_| ended.send(name).unwrap())
        }
    };
    let top = noting("top")(Puppet::default()).on(&system, 0);
    let one = child(&mut gateway, top, On::Shard(1), "one", noting("one"));
    let two = child(&mut gateway, one, On::Shard(2), "two", noting("two"));
    child(&mut gateway, two, On::Shard(0), "three", noting("three"));
    drop(gateway);
    end(system);
    assert_eq!(ends.try_iter().collect::<Vec<_>>(), ["three", "two", "one", "top"]);
}

/// Looks after its children as told, and passes on their births.
struct Head {
    strategy: Strategy,
    born: Sender<ActorRef<Job>>,
}

enum Word {
    Bear(usize, Box<dyn Fn() -> Puppet + Send>),
    Born(Result<ActorRef<Job>, SpawnError>),
}

impl Actor for Head {
    type Msg = Word;
    fn receive(&mut self, word: Word, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match word {
            Word::Bear(shard, factory) => {
                ctx.child_on(shard).spawn_from(factory, Word::Born)?;
            }
            Word::Born(child) => self.born.send(child?)?,
        }
        Ok(())
    }
    fn strategy(&self) -> Strategy {
        self.strategy
    }
}

fn head(system: &System, strategy: Strategy) -> (ActorRef<Word>, std::sync::mpsc::Receiver<ActorRef<Job>>) {
    let (born, births) = channel();
    (system.spawn_on(On::Shard(0), move || Head { strategy, born: born.clone() }).unwrap(), births)
}

#[test]
fn a_child_on_another_core_is_restarted_and_goes_on_with_what_waited() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let (head, births) = head(&system, Strategy::one_for_one());
    let (started, starts) = channel();
    let factory = move || {
        let started = started.clone();
        Puppet::default().started(move |_| {
            started.send(())?;
            Ok(())
        })
    };
    gateway.tell(head, Word::Bear(1, Box::new(factory)));
    let child = next(&births);
    next(&starts);
    for n in 0..100 {
        tell(&mut gateway, child, Job::new(|_| Err(Failure::new("oops"))));
        let answer = with(&mut gateway, child, move |_| n);
        assert_eq!(answer, n);
        next(&starts);
    }
    assert_eq!(system.call(1, |scope| scope.stats().restarted), Ok(100));
    end(system);
}

#[test]
fn an_escalation_over_cores_past_the_top_stops_the_system_with_its_reason() {
    let kernel = corelane_kernel::KernelConfig {
        supervision: Strategy::escalating(),
        ..corelane_kernel::KernelConfig::default()
    };
    let system = builder(2).kernel(kernel).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let (head, births) = head(&system, Strategy::one_for_one().deciding(|_| Directive::Escalate));
    gateway.tell(head, Word::Bear(1, Box::new(Puppet::default)));
    let child = next(&births);
    let bystander = puppet(&system, 1);
    tell(&mut gateway, child, Job::new(|_| Err(Failure::new("beyond repair"))));
    let report = system.wait();
    assert_eq!(report.escalated.as_ref().map(Failure::text), Some("beyond repair"));
    assert!(!report.is_clean());
    assert!(gateway.try_tell(bystander, Job::from(())).is_err());
}

//! Extensions: loaded in order, each with a part on every shard, and gone in the reverse order; one that fails keeps the
//! system from starting.

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use common::{Job, Log, Puppet, builder, end, hush, puppet, with};
use corelane_kernel::Scope;
use corelane_shard::{
    BoxError, Builder, EventStream, Extension, Loading, Receptionist, ShardCtx, StartError,
};

/// Says when it is made and dropped; `N` makes several types of it.
struct Noted<const N: u8> {
    log: Log,
    fails_on: Option<usize>,
}

struct Part<const N: u8> {
    log: Log,
    /// Not `Send`.
    uses: Rc<Cell<u32>>,
}

impl<const N: u8> Noted<N> {
    fn new(log: &Log) -> impl Fn(&Loading<'_>) -> Result<Noted<N>, BoxError> + Send + Sync + 'static {
        let log = log.clone();
        move |_| {
            log.add(format!("{N} made"));
            Ok(Noted { log: log.clone(), fails_on: None })
        }
    }

    fn failing_on(log: &Log, shard: usize) -> impl Fn(&Loading<'_>) -> Result<Noted<N>, BoxError> + use<N> {
        let log = log.clone();
        move |_| Ok(Noted { log: log.clone(), fails_on: Some(shard) })
    }
}

impl<const N: u8> Extension for Noted<N> {
    const NAME: &'static str = match N {
        1 => "one",
        2 => "two",
        _ => "three",
    };
    type Shard = Part<N>;

    fn on_shard(&self, scope: &mut Scope<'_>) -> Result<Part<N>, BoxError> {
        let shard = scope.place().shard();
        if self.fails_on == Some(shard) {
            return Err("no part today".into());
        }
        self.log.add(format!("{N} on {shard}"));
        Ok(Part { log: self.log.clone(), uses: Rc::default() })
    }
}

impl<const N: u8> Drop for Noted<N> {
    fn drop(&mut self) {
        self.log.add(format!("{N} dropped"));
    }
}

impl<const N: u8> Drop for Part<N> {
    fn drop(&mut self) {
        self.log.add(format!("{N}'s part dropped"));
    }
}

/// Needs `Noted<1>`.
struct Needy(Arc<Noted<1>>);

impl Needy {
    fn new(loading: &Loading<'_>) -> Result<Needy, BoxError> {
        Ok(Needy(loading.require::<Noted<1>>()?))
    }
}

impl Extension for Needy {
    const NAME: &'static str = "needy";
    type Shard = ();
    fn on_shard(&self, scope: &mut Scope<'_>) -> Result<(), BoxError> {
        let part = Noted::<1>::part(scope).ok_or("its part is made before")?;
        part.uses.set(part.uses.get() + 1);
        Ok(())
    }
}

/// Why it does not start.
fn refused(builder: Builder) -> (String, Option<usize>, String) {
    match builder.start() {
        Err(StartError::Extension { name, shard, error }) => (name, shard, error.to_string()),
        other => panic!("{other:?}"),
    }
}

/// Conformance 6.
#[test]
fn they_are_loaded_in_order_and_go_in_the_reverse_order() {
    let log = Log::default();
    let builder = builder(1);
    let builder = builder.extension(Noted::<2>::new(&log)).extension(Noted::<1>::new(&log));
    let system = builder.extension(Noted::<3>::new(&log)).start().unwrap();
    assert_eq!(log.take(), ["2 made", "1 made", "3 made", "2 on 0", "1 on 0", "3 on 0"]);
    let handle = (*system).clone();
    assert!(handle.extension::<Noted<1>>().is_some());
    end(system);
    let parts = ["3's part dropped", "1's part dropped", "2's part dropped"];
    assert_eq!(log.take(), [&parts[..], &["3 dropped", "1 dropped", "2 dropped"]].concat());
    assert!(handle.extension::<Noted<1>>().is_none());
}

#[test]
fn each_shard_has_a_part_of_its_own() {
    let log = Log::default();
    let system = builder(3).extension(Noted::<1>::new(&log)).extension(Needy::new).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    for shard in 0..3 {
        let actor = puppet(&system, shard);
        for use_so_far in 1..4u32 {
            let uses = with(&mut gateway, actor, |ctx| {
                let mut scope = ctx.scope();
                let uses = &Noted::<1>::part(&mut scope).unwrap().uses;
                uses.replace(uses.get() + 1)
            });
            assert_eq!(uses, use_so_far);
        }
        // One that is not loaded.
        assert!(with(&mut gateway, actor, |ctx| Noted::<2>::part(&mut ctx.scope()).is_none()));
    }
    assert!(system.extension::<Noted<2>>().is_none());
    let (one, needy) = (system.extension::<Noted<1>>().unwrap(), system.extension::<Needy>().unwrap());
    assert!(Arc::ptr_eq(&one, &needy.0));
    drop((one, needy));
    end(system);
    assert_eq!(log.take().iter().filter(|line| line.ends_with("dropped")).count(), 4);
}

#[test]
fn an_extension_whose_making_fails_keeps_the_system_from_starting() {
    let log = Log::default();
    let failing = |_: &Loading<'_>| -> Result<Noted<2>, BoxError> { Err("no licence".into()) };
    let builder = builder(2).extension(Noted::<1>::new(&log)).extension(failing);
    assert_eq!(
        refused(builder.clone().extension(Noted::<3>::new(&log))),
        ("two".into(), None, "no licence".into())
    );
    assert_eq!(log.take(), ["1 made", "1 dropped"], "those before it go, those behind it never come");
    let text = builder.start().unwrap_err().to_string();
    assert_eq!(text, "extension \"two\": no licence");
}

#[test]
fn an_extension_whose_part_fails_keeps_the_system_from_starting() {
    let log = Log::default();
    let builder = builder(3).extension(Noted::<1>::new(&log)).extension(Noted::<2>::failing_on(&log, 1));
    assert_eq!(refused(builder.clone()), ("two".into(), Some(1), "no part today".into()));
    let text = builder.start().unwrap_err().to_string();
    assert_eq!(text, "extension \"two\" on shard 1: no part today");
    let all = log.take();
    let count = |what: &str| all.iter().filter(|line| *line == what).count();
    assert_eq!((count("1 made"), count("1 dropped"), count("2 dropped")), (2, 2, 2));
    assert_eq!(count("1's part dropped"), all.iter().filter(|line| line.starts_with("1 on")).count());
}

#[test]
fn an_extension_that_panics_is_one_that_fails() {
    struct Panics;
    impl Extension for Panics {
        const NAME: &'static str = "panics";
        type Shard = ();
        fn on_shard(&self, _: &mut Scope<'_>) -> Result<(), BoxError> {
            panic!("on a shard")
        }
    }
    hush();
    let made = refused(builder(1).extension(|_| -> Result<Noted<1>, BoxError> { panic!("in the making") }));
    assert_eq!(made, ("one".into(), None, "panic: in the making".into()));
    let part = refused(builder(1).extension(|_| Ok(Panics)));
    assert_eq!(part, ("panics".into(), Some(0), "panic: on a shard".into()));
}

#[test]
fn an_extension_that_needs_another_one_says_so() {
    let log = Log::default();
    let early = builder(1).extension(Needy::new).extension(Noted::<1>::new(&log));
    let why = "needs the extension \"one\", which is to be loaded before it";
    assert_eq!(refused(early), ("needy".into(), None, why.into()));
}

#[test]
fn one_of_each_type_is_loaded() {
    let log = Log::default();
    let twice = builder(1).extension(Noted::<1>::new(&log)).extension(Noted::<1>::new(&log));
    assert_eq!(refused(twice), ("one".into(), None, "it is loaded already".into()));
    assert_eq!(log.take().iter().filter(|line| *line == "1 dropped").count(), 2);
}

#[test]
fn what_is_offered_is_loaded_by_its_name_only() {
    let log = Log::default();
    let offers = builder(1).offer_extension(Noted::<1>::new(&log)).offer_extension(Noted::<2>::new(&log));
    let system = offers.clone().load_extension("two").start().unwrap();
    assert!(system.extension::<Noted<2>>().is_some() && system.extension::<Noted<1>>().is_none());
    end(system);
    let (name, shard, error) = refused(offers.load_extension("four"));
    assert_eq!((name.as_str(), shard), ("four", None));
    assert_eq!(error, "no extension of that name is offered; there are [\"one\", \"two\"]");
}

#[test]
fn the_systems_own_extensions_come_first() {
    struct Publisher;
    impl Publisher {
        fn new(loading: &Loading<'_>) -> Result<Publisher, BoxError> {
            loading.require::<EventStream>()?;
            loading.require::<Receptionist>()?;
            assert_eq!(loading.handle().shards(), 2);
            Ok(Publisher)
        }
    }
    impl Extension for Publisher {
        const NAME: &'static str = "publisher";
        type Shard = ();
        fn on_shard(&self, scope: &mut Scope<'_>) -> Result<(), BoxError> {
            EventStream::part(scope).ok_or("no event stream")?;
            // Actors may be spawned, and start with the first turn.
            let name = format!("on-{}", scope.place().shard());
            scope.spawner().name(&name).spawn(Puppet::default())?;
            Ok(())
        }
    }
    let system = builder(2).extension(Publisher::new).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let actor = system.lookup::<Job>("/user/on-1").unwrap();
    assert!(with(&mut gateway, actor, |ctx| ctx.system().extension::<EventStream>().is_some()));
    end(system);
}

//! The stage: the clock, the dice, the trace and the worlds of the simulation that this thread runs, where all that takes
//! part in it finds them.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::time::Duration;

use corelane_kernel::{Address, LaneReceiver, LaneSender, Place, Time};

use super::dice::Dice;
use super::jobs::Jobs;
use super::options::Options;
use super::shards::{Link, Shards};
use super::trace::{Event, Tracer};
use super::world::{Moment, World};

thread_local! {
    static CURRENT: RefCell<Option<Rc<Stage>>> = const { RefCell::new(None) };
}

/// The simulation of this thread, if it runs one.
pub(crate) fn try_current() -> Option<Rc<Stage>> {
    // A drop may come here while the thread ends.
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// The simulation of this thread.
///
/// # Panics
/// If there is none: a simulated system is good for nothing outside.
pub(crate) fn current() -> Rc<Stage> {
    try_current().expect("a simulated system is used while its simulation runs, on the thread that runs it")
}

/// Puts a stage up until it is dropped; then the one before stands again.
pub(super) struct Entered {
    before: Option<Rc<Stage>>,
}

impl Entered {
    pub(super) fn new(stage: Rc<Stage>) -> Entered {
        Entered { before: CURRENT.with(|current| current.borrow_mut().replace(stage)) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        let _ = CURRENT.try_with(|current| *current.borrow_mut() = before);
    }
}

/// What a host is made of.
#[derive(Default)]
pub(super) struct Home {
    pub(super) shards: Shards,
    pub(super) jobs: Jobs,
}

#[derive(Default)]
pub(super) struct Worlds {
    /// By the number of the host; empty where it is gone.
    pub(super) homes: Vec<Home>,
    pub(super) others: Vec<Box<dyn World>>,
}

impl Worlds {
    fn len(&self) -> usize {
        2 * self.homes.len() + self.others.len()
    }

    fn get(&mut self, at: usize) -> &mut dyn World {
        let (hosts, kind) = (2 * self.homes.len(), at % 2);
        match at.checked_sub(hosts) {
            Some(at) => &mut *self.others[at],
            None if kind == 0 => &mut self.homes[at / 2].shards,
            None => &mut self.homes[at / 2].jobs,
        }
    }
}

pub(crate) struct Stage {
    options: Options,
    now: Cell<Time>,
    /// What the shard that runs takes for the time.
    reading: Cell<Time>,
    events: Cell<u64>,
    dice: RefCell<Dice>,
    tracer: RefCell<Tracer>,
    /// The realm of each host; zero where it is gone.
    realms: RefCell<Vec<u32>>,
    /// Lanes that were made since the shards were last looked at, and their hosts.
    new_links: RefCell<Vec<(usize, Link)>>,
    new_worlds: RefCell<Vec<Box<dyn World>>>,
    worlds: RefCell<Worlds>,
    /// Who is told what befalls the system that was there first.
    herald: RefCell<Option<Herald>>,
}

/// What befalls a system, for who watches it and is to know at once.
pub(super) enum News {
    /// A shard is about to be lost.
    Lost { shard: usize },
    /// A shard had no room for something: in its region, or in a queue of its own.
    OutOfMemory { shard: usize },
    /// Somebody is not restarted any more, or cannot be.
    GivenUp { whom: Address },
}

type Herald = Box<dyn Fn(News)>;

impl Stage {
    pub(super) fn new(seed: u64, options: Options) -> Stage {
        Stage {
            now: Cell::new(Time::ZERO),
            reading: Cell::new(Time::ZERO),
            events: Cell::new(0),
            dice: RefCell::new(Dice::new(seed)),
            tracer: RefCell::new(Tracer::new(options.record)),
            realms: RefCell::new(Vec::new()),
            new_links: RefCell::new(Vec::new()),
            new_worlds: RefCell::new(Vec::new()),
            worlds: RefCell::new(Worlds::default()),
            herald: RefCell::new(None),
            options,
        }
    }

    pub(super) fn on_news(&self, herald: Herald) {
        *self.herald.borrow_mut() = Some(herald);
    }

    /// Something has befallen a host.
    pub(super) fn tell(&self, host: usize, news: News) {
        if let Some(herald) = self.herald.borrow().as_ref().filter(|_| host == 0) {
            herald(news);
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.now.get()
    }

    pub(super) fn reading(&self) -> Time {
        self.reading.get()
    }

    pub(super) fn set_reading(&self, reading: Time) {
        self.reading.set(reading);
    }

    pub(super) fn set_now(&self, now: Time) {
        self.now.set(now);
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn dice(&self) -> RefMut<'_, Dice> {
        self.dice.borrow_mut()
    }

    pub(super) fn add(&self, event: Event) {
        self.tracer.borrow_mut().add(self.now(), event);
    }

    pub(super) fn tracer(&self) -> RefMut<'_, Tracer> {
        self.tracer.borrow_mut()
    }

    /// How many events the trace has kept.
    pub(super) fn events(&self) -> usize {
        self.tracer.borrow().events().len()
    }

    /// Adds something to the trace: its hash always, its text where the list is kept.
    pub(super) fn add_digest(&self, digest: u64, text: impl FnOnce() -> String) {
        self.tracer.borrow_mut().add_digest(self.now(), digest, text);
    }

    /// A place for a system of this realm: the first that is free.
    pub(super) fn settle(&self, realm: u32) -> usize {
        let mut realms = self.realms.borrow_mut();
        let host = realms.iter().position(|taken| *taken == 0).unwrap_or(realms.len());
        if host == realms.len() {
            realms.push(realm);
        }
        realms[host] = realm;
        host
    }

    /// The system of this host is gone.
    pub(super) fn vacate(&self, host: usize) {
        if let Some(realm) = self.realms.borrow_mut().get_mut(host) {
            *realm = 0;
        }
        self.new_links.borrow_mut().retain(|(of, _)| *of != host);
    }

    /// The host where a place is.
    pub(super) fn host_of(&self, place: Place) -> Option<usize> {
        self.realms.borrow().iter().position(|realm| *realm == place.realm())
    }

    /// A lane between two shards of a host, or from outside to one.
    pub(super) fn link(&self, host: usize, link: Link) {
        self.new_links.borrow_mut().push((host, link));
    }

    pub(super) fn take_links(&self, host: usize) -> Option<Vec<Link>> {
        let mut links = self.new_links.borrow_mut();
        if links.is_empty() {
            return None;
        }
        let (own, others) = std::mem::take(&mut *links).into_iter().partition(|(of, _)| *of == host);
        *links = others;
        Some(own.into_iter().map(|(_, link)| link).collect())
    }

    pub(crate) fn lane_from_outside(&self, words: usize, to: Place) -> (LaneSender, LaneReceiver) {
        let (sender, mut receiver, mut link) = Link::new(words, None, to.shard(), false);
        receiver.bind(to);
        link.introduce();
        if let Some(host) = self.host_of(to) {
            self.link(host, link);
        }
        (sender, receiver)
    }

    pub(super) fn add_world(&self, world: Box<dyn World>) {
        self.new_worlds.borrow_mut().push(world);
    }

    /// The worlds, for who runs them or looks at them.
    ///
    /// # Panics
    /// If they run already: somebody waits inside for what only they could bring.
    pub(super) fn worlds(&self) -> RefMut<'_, Worlds> {
        let Ok(mut worlds) = self.worlds.try_borrow_mut() else {
            panic!("this blocks its shard: only who is outside of all shards may wait (see Handle, Gateway)");
        };
        worlds.others.append(&mut self.new_worlds.borrow_mut());
        worlds
    }

    /// Takes the worlds away, to drop them while the stage is up.
    pub(super) fn take_worlds(&self) -> Option<Worlds> {
        self.worlds.try_borrow_mut().ok().map(|mut worlds| std::mem::take(&mut *worlds))
    }

    /// Lets the next event happen, if it is not later than `until`. Says whether there was one.
    pub(super) fn advance(&self, until: Time) -> bool {
        let mut worlds = self.worlds();
        let moment = Moment { stage: self };
        let (mut next, mut equals) = (None, 0);
        for at in 0..worlds.len() {
            let Some(time) = worlds.get(at).next_time(&moment) else { continue };
            let time = time.max(self.now());
            match next {
                Some((earliest, _)) if time > earliest => {}
                Some((earliest, _)) if time == earliest => {
                    equals += 1;
                    if self.dice().one_in(equals) {
                        next = Some((time, at));
                    }
                }
                _ => (next, equals) = (Some((time, at)), 1),
            }
        }
        let Some((time, at)) = next.filter(|(time, _)| *time <= until) else { return false };
        self.events.set(self.events.get() + 1);
        assert!(
            self.events.get() <= self.options.events_max,
            "the simulation does not come to rest: {} events (see Options::events_max)",
            self.options.events_max
        );
        self.now.set(time);
        worlds.get(at).step(&moment);
        true
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        let mut worlds = self.worlds();
        let moment = Moment { stage: self };
        (0..worlds.len()).all(|at| worlds.get(at).is_idle(&moment))
    }

    /// Lets one event happen; time passes where there is none.
    pub(crate) fn pause(&self) {
        if !self.advance(Time::MAX) {
            self.now.set(self.now() + Duration::from_millis(1));
        }
    }

    /// Goes on until `done`, or until so much time has passed.
    ///
    /// # Panics
    /// If there is no such time, and nothing left that could happen.
    pub(crate) fn run_until(&self, within: Option<Duration>, mut done: impl FnMut() -> bool) {
        let until = within.map_or(Time::MAX, |within| self.now() + within);
        while !done() {
            if !self.advance(until) {
                // What lay in a lane that nobody holds any more was dropped as that was looked at.
                if done() {
                    return;
                }
                assert!(within.is_some(), "nothing is left to happen, and what is waited for has not come");
                // The clock may have jumped beyond.
                self.now.set(self.now().max(until));
                return;
            }
        }
    }
}

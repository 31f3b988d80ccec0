//! The town: who lives in a random world, what is still to be said, and the books that the rules are checked with.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corelane_kernel::{Address, Group};

use super::super::rules::{Act, Broken, Decision, First, Id, OUTSIDE, Reach, Rules};
use super::super::stage;
use super::{Dice, Where, digest};

/// Somebody who lives there, or did.
#[derive(Clone, Copy)]
pub(super) struct Person {
    pub(super) id: Id,
    pub(super) at: Where,
}

thread_local! {
    static HERE: RefCell<Option<Town>> = const { RefCell::new(None) };
}

/// The town is that of this thread, until this is dropped.
pub(super) struct Settled;

impl Drop for Settled {
    fn drop(&mut self) {
        HERE.set(None);
    }
}

pub(super) struct Books {
    rules: Rules,
    first: First,
    dice: Dice,
    faulty: bool,
    /// Who has failed, last of all who failed last; some of them are decided about.
    failed: Vec<Id>,
    /// A failure was escalated past all supervisors, while the world went on.
    escalated: bool,
    /// The world ends.
    over: bool,
    /// Shards that are lost, and those that had no room for something.
    lost: Vec<usize>,
    short: Vec<usize>,
    people: Vec<Person>,
    ids: HashMap<Address, Id>,
    last: Id,
    living: u32,
    living_max: u32,
    left: u32,
    told: HashMap<(Id, Id), u32>,
    serial: u32,
}

/// A handle to the books. Locked for moments only: no code of actors or drops runs meanwhile.
#[derive(Clone)]
pub(super) struct Town(Arc<Mutex<Books>>);

impl Town {
    pub(super) fn new(dice: Dice, faulty: bool, messages: u32, population: u32) -> Town {
        Town(Arc::new(Mutex::new(Books {
            rules: Rules::default(),
            first: First::default(),
            dice,
            faulty,
            failed: Vec::new(),
            escalated: false,
            over: false,
            lost: Vec::new(),
            short: Vec::new(),
            people: Vec::new(),
            ids: HashMap::new(),
            last: 0,
            living: 0,
            living_max: population,
            left: messages,
            told: HashMap::new(),
            serial: 0,
        })))
    }

    /// Those who decide without an actor find this town from here on.
    pub(super) fn settle(&self) -> Settled {
        HERE.set(Some(self.clone()));
        Settled
    }

    pub(super) fn of_this_thread() -> Option<Town> {
        // A kernel may be dropped while the thread ends.
        HERE.try_with(|here| here.borrow().clone()).ok().flatten()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was done.
    pub(super) fn see(&self, act: Act) {
        if let Some(stage) = stage::try_current() {
            stage.add_digest(digest(&act), || format!("{act:?}"));
        }
        let books = &mut *self.books();
        match act {
            Act::Made { .. } => books.living += 1,
            Act::Fails { id } => books.failed.push(id),
            Act::Ended { .. } => books.living = books.living.saturating_sub(1),
            Act::Lost { shard } => books.lost.push(shard),
            _ => {}
        }
        // What follows a broken rule means nothing.
        if books.first.broken().is_none() {
            let verdict = books.rules.see(act);
            books.first.settle(verdict);
        }
    }

    /// Something was decided about a top-level actor.
    pub(super) fn decided_at_top(&self, decision: Decision, reach: Reach) {
        let child = {
            let mut books = self.books();
            books.escalated |= decision == Decision::Escalate && !books.over;
            let Books { failed, rules, .. } = &mut *books;
            // A failure is decided about at once, unless a panic has come between.
            while failed.last().is_some_and(|id| !rules.waits_at_top(*id)) {
                failed.pop();
            }
            failed.pop().unwrap_or_default()
        };
        let now = stage::try_current().map(|stage| stage.reading()).unwrap_or_default();
        self.see(Act::ChildFailed { parent: OUTSIDE, child, now, decision, reach });
        if decision == Decision::Escalate {
            // The system stops.
            self.see(Act::StopAsked { id: OUTSIDE, by: OUTSIDE });
        }
    }

    /// The world ends from here on: all are to stop.
    pub(super) fn end(&self) {
        self.books().over = true;
        self.see(Act::StopAsked { id: OUTSIDE, by: OUTSIDE });
    }

    /// Shards that are lost, in order.
    pub(super) fn lost(&self) -> Vec<usize> {
        let mut lost = self.books().lost.clone();
        lost.sort_unstable();
        lost
    }

    /// A shard had no room for something: noted once.
    pub(super) fn is_out_of_memory(&self, shard: usize) {
        if !self.is_short(shard) {
            self.books().short.push(shard);
            self.see(Act::OutOfMemory { shard });
        }
    }

    /// Whether a shard had no room for something.
    pub(super) fn is_short(&self, shard: usize) -> bool {
        self.books().short.contains(&shard)
    }

    /// Whether nothing was short of memory.
    pub(super) fn has_plenty(&self) -> bool {
        self.books().short.is_empty()
    }

    pub(super) fn is_escalated(&self) -> bool {
        self.books().escalated
    }

    /// Whether a failure of somebody now is a failure as any other.
    pub(super) fn may_fail(&self, id: Id) -> bool {
        self.books().rules.may_fail(id)
    }

    pub(super) fn check(&self, look: impl FnOnce(&mut Rules) -> Result<(), Broken>) {
        let books = &mut *self.books();
        if books.first.broken().is_none() {
            let verdict = look(&mut books.rules);
            books.first.settle(verdict);
        }
    }

    pub(super) fn broken(&self, rule: &'static str, what: String) {
        self.books().first.settle(Err(Broken { rule, what }));
    }

    /// The first rule that was broken, and after how many events of the trace.
    pub(super) fn verdict(&self) -> (Option<Broken>, Option<usize>) {
        let books = self.books();
        (books.first.broken().cloned(), books.first.after())
    }

    pub(super) fn is_faulty(&self) -> bool {
        self.books().faulty
    }

    // --- chance ------------------------------------------------------------------------------------------------------

    pub(super) fn one_in(&self, times: u32) -> bool {
        self.books().dice.one_in(times)
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.books().dice.below(bound)
    }

    pub(super) fn any_group(&self) -> Group {
        [Group::Normal, Group::Normal, Group::Urgent, Group::Bulk, Group::Background][self.below(5) as usize]
    }

    /// A mailbox's bound, or none.
    pub(super) fn any_bound(&self) -> u32 {
        if self.one_in(4) { 1 + self.below(8) as u32 } else { 0 }
    }

    // --- who lives here ----------------------------------------------------------------------------------------------

    /// A number for somebody who is to live here.
    pub(super) fn expect(&self, parent: Id, shard: usize) -> Id {
        let id = {
            let mut books = self.books();
            books.last += 1;
            books.last
        };
        self.see(Act::Spawned { id, parent, shard });
        id
    }

    pub(super) fn has_room(&self) -> bool {
        let books = self.books();
        books.living < books.living_max
    }

    /// Somebody has come, and lives there.
    pub(super) fn enter(&self, person: Person) {
        let books = &mut *self.books();
        if books.ids.insert(person.at.address(), person.id).is_none() {
            books.people.push(person);
        }
    }

    /// Who lives or lived at an address.
    pub(super) fn at(&self, address: Address) -> Id {
        self.books().ids.get(&address).copied().unwrap_or_default()
    }

    /// Who lives at an address and has failed; one that never started has not said where.
    pub(super) fn child_at(&self, address: Address) -> Id {
        let books = self.books();
        books.ids.get(&address).or(books.failed.last()).copied().unwrap_or_default()
    }

    /// Anybody, living or not; those who came last more often.
    pub(super) fn somebody(&self) -> Option<Person> {
        let books = &mut *self.books();
        let count = books.people.len();
        if count == 0 {
            return None;
        }
        let among = if books.dice.one_in(3) { count } else { count.min(24) };
        let back = books.dice.index(among);
        Some(books.people[count - 1 - back])
    }

    // --- numbers -----------------------------------------------------------------------------------------------------

    /// Whether something may still be said. Counts it.
    pub(super) fn may_tell(&self) -> bool {
        let mut books = self.books();
        let may = books.left > 0;
        books.left = books.left.saturating_sub(1);
        may
    }

    /// The number of the next message of a pair.
    pub(super) fn next_of(&self, from: Id, to: Id) -> u32 {
        let mut books = self.books();
        let told = books.told.entry((from, to)).or_default();
        *told += 1;
        *told
    }

    /// A number that nobody else has, for timers, asks, futures.
    pub(super) fn serial(&self) -> u32 {
        let mut books = self.books();
        books.serial += 1;
        books.serial
    }
}

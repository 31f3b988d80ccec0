//! A census of values that must be dropped exactly once, and who takes dead letters in.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, Ctx, DeadLetter, Outcome};

use super::lock;
use super::puppet::Log;

/// Counts values that must be dropped exactly once.
#[derive(Clone, Default)]
pub(crate) struct Census(Arc<Mutex<People>>);

#[derive(Default)]
struct People {
    born: u64,
    alive: HashSet<u64>,
    dropped_twice: u64,
}

/// A value under census.
pub(crate) struct Token {
    number: u64,
    census: Census,
}

impl Census {
    pub(crate) fn token(&self) -> Token {
        let mut people = lock(&self.0);
        people.born += 1;
        let number = people.born;
        people.alive.insert(number);
        drop(people);
        Token { number, census: self.clone() }
    }

    pub(crate) fn alive(&self) -> usize {
        lock(&self.0).alive.len()
    }

    pub(crate) fn born(&self) -> u64 {
        lock(&self.0).born
    }

    /// All that were born are dropped, and none twice.
    #[track_caller]
    pub(crate) fn expect_none(&self) {
        self.expect(0);
    }

    /// So many are alive, and none was dropped twice.
    #[track_caller]
    pub(crate) fn expect(&self, alive: usize) {
        let people = lock(&self.0);
        assert_eq!(people.dropped_twice, 0, "something was dropped twice");
        assert_eq!(people.alive.len(), alive, "alive of {} that were born", people.born);
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let mut people = lock(&self.census.0);
        if !people.alive.remove(&self.number) {
            people.dropped_twice += 1;
        }
    }
}

impl Clone for Token {
    fn clone(&self) -> Token {
        self.census.token()
    }
}

/// An actor that keeps every dead letter's reason in the log.
pub(crate) struct Undertaker(pub(crate) Log);

impl Actor for Undertaker {
    type Msg = DeadLetter;
    fn receive(&mut self, letter: DeadLetter, _: &mut Ctx<'_, Self>) -> Outcome {
        self.0.add(format!("dead letter for {}: {}", self.0.name_of(letter.target), letter.reason));
        Ok(())
    }
}

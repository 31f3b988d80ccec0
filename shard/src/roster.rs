//! A roster: actors of one protocol, each once, in the order in which they came. What is read of it is a copy that is
//! made once for each change, so that those who tell the actors hold no lock meanwhile.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use corelane_kernel::{ActorRef, Address};

pub(crate) struct Roster<M> {
    by_arrival: BTreeMap<u64, ActorRef<M>>,
    arrivals: HashMap<Address, u64>,
    next: u64,
    copy: Option<Arc<[ActorRef<M>]>>,
}

impl<M> Roster<M> {
    pub(crate) fn new() -> Roster<M> {
        Roster { by_arrival: BTreeMap::new(), arrivals: HashMap::new(), next: 0, copy: None }
    }

    /// Says whether the actor is new.
    pub(crate) fn insert(&mut self, actor: ActorRef<M>) -> bool {
        if self.arrivals.contains_key(&actor.address()) {
            return false;
        }
        self.arrivals.insert(actor.address(), self.next);
        self.by_arrival.insert(self.next, actor);
        self.next += 1;
        self.copy = None;
        true
    }

    /// Says whether the actor was there.
    pub(crate) fn remove(&mut self, actor: Address) -> bool {
        let Some(arrival) = self.arrivals.remove(&actor) else { return false };
        self.by_arrival.remove(&arrival);
        self.copy = None;
        true
    }

    pub(crate) fn get(&self, actor: Address) -> Option<ActorRef<M>> {
        self.by_arrival.get(self.arrivals.get(&actor)?).copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// All, in order of arrival.
    pub(crate) fn all(&mut self) -> Arc<[ActorRef<M>]> {
        self.copy.get_or_insert_with(|| self.by_arrival.values().copied().collect()).clone()
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = Address> {
        self.arrivals.keys().copied()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::marker::PhantomData;

    use corelane_kernel::{Actor, Ctx, Outcome};

    use super::*;
    use crate::memory::tests::kernel;

    struct Silent<M>(PhantomData<fn(M)>);

    impl<M: Send + 'static> Actor for Silent<M> {
        type Msg = M;
        fn receive(&mut self, _: M, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }

    /// References to different actors, which are gone.
    pub(crate) fn actors<M: Send + 'static, const N: usize>() -> [ActorRef<M>; N] {
        let mut kernel = kernel();
        [(); N].map(|()| kernel.spawn(Silent(PhantomData)).expect("room for an actor"))
    }

    #[test]
    fn each_is_there_once_and_in_order() {
        let [a, b, c] = actors::<u64, 3>();
        let mut roster = Roster::new();
        assert!(roster.is_empty());
        assert_eq!(roster.get(a.address()), None);
        assert!(roster.insert(b) && roster.insert(a) && roster.insert(c));
        assert!(!roster.insert(a));
        assert_eq!(roster.get(a.address()), Some(a));
        let before = roster.all();
        assert_eq!(*before, [b, a, c]);
        assert!(roster.remove(a.address()) && !roster.remove(a.address()));
        assert_eq!(*roster.all(), [b, c]);
        assert!(roster.insert(a));
        assert_eq!((&*roster.all(), roster.len()), (&[b, c, a][..], 3));
        assert_eq!(*before, [b, a, c], "what was read before stands");
        for actor in [a, b, c] {
            assert!(roster.remove(actor.address()));
        }
        assert!(roster.is_empty() && roster.by_arrival.is_empty(), "nothing is kept of those who are gone");
    }
}

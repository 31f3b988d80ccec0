//! What a strategy is: a plain value that picks one of a row of routees.

use core::fmt;
use core::hash::{Hash, Hasher};

use super::hashing::{KeyHasher, mix};
use crate::address::{ActorRef, Address};

/// One of those among whom a strategy picks: an address, a number by which hashing knows it, and its load.
pub struct Routee<M> {
    to: ActorRef<M>,
    id: u64,
    load: u32,
}

impl<M> Routee<M> {
    /// A routee without load, known to hashing by its address. Two actors of two systems in one process may be known by
    /// the same number; who hashes over both uses [`Routee::named`].
    pub fn new(to: ActorRef<M>) -> Routee<M> {
        Routee { to, id: id_of(to.address()), load: 0 }
    }

    /// A routee without load, known to hashing by a name: who comes under that name later gets the same keys. Names
    /// tell routees apart on any core, and in any run.
    pub fn named(to: ActorRef<M>, name: &(impl Hash + ?Sized)) -> Routee<M> {
        let mut state = KeyHasher::new();
        name.hash(&mut state);
        Routee { to, id: state.finish(), load: 0 }
    }

    /// With so many messages given to it and not finished.
    pub fn with_load(mut self, load: u32) -> Routee<M> {
        self.load = load;
        self
    }

    /// The actor itself: whom to tell.
    #[inline]
    pub fn to(&self) -> ActorRef<M> {
        self.to
    }

    /// Whom to tell, without the type of its messages.
    pub fn address(&self) -> Address {
        self.to.address()
    }

    /// The number by which hashing knows it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Messages given to it and not finished, as far as is known.
    pub fn load(&self) -> u32 {
        self.load
    }

    #[inline(always)]
    pub(super) fn count(&mut self) {
        self.load = self.load.saturating_add(1);
    }

    pub(super) fn uncount(&mut self) {
        self.load = self.load.saturating_sub(1);
    }

    pub(super) fn set_load(&mut self, load: u32) {
        self.load = load;
    }
}

/// The same in every run that spawns the same: the number of the realm, which counts the systems of a process, is left
/// out, and so is that of the protocol.
pub(super) fn id_of(address: Address) -> u64 {
    let life = address.identity.0 & !u64::from(u32::MAX);
    mix(mix(life | u64::from(address.index)) ^ address.place().shard() as u64)
}

impl<M> Clone for Routee<M> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M> Copy for Routee<M> {}

impl<M> fmt::Debug for Routee<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Routee({:?}, load: {})", self.to, self.load)
    }
}

/// Picks which routee gets a message.
///
/// Implement it for a policy of your own, and give it to a [`Router`](super::Router):
///
/// ```
/// use corelane_kernel::router::{Routee, Router, Strategy};
///
/// /// The first routee gets the large jobs, the others share the rest.
/// struct BySize { turn: usize }
///
/// impl Strategy<u64> for BySize {
///     fn pick(&mut self, routees: &[Routee<u64>], size: &u64) -> Option<usize> {
///         if *size >= 1000 || routees.len() < 2 {
///             return (!routees.is_empty()).then_some(0);
///         }
///         self.turn = self.turn % (routees.len() - 1) + 1;
///         Some(self.turn)
///     }
/// }
///
/// let router: Router<u64, BySize> = Router::new(BySize { turn: 0 });
/// # assert!(router.is_empty());
/// ```
pub trait Strategy<M> {
    /// The index of the routee that gets `message`; `None` if there is none for it. An index outside the row counts as
    /// none. Runs with each message: it should not search for long, and must not panic.
    fn pick(&mut self, routees: &[Routee<M>], message: &M) -> Option<usize>;

    /// The routee that had this index is gone, and those behind it have moved up.
    fn removed(&mut self, index: usize) {
        let _ = index;
    }
}

/// A strategy that does not look at the message, so that it can pick before there is one.
pub trait Blind<M>: Strategy<M> {
    /// The index of the next routee; `None` if there is none.
    fn pick_blind(&mut self, routees: &[Routee<M>]) -> Option<usize>;
}

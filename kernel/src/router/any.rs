//! Any strategy: which one is chosen while the program runs, by an operator for instance.
//!
//! A strategy is a type, so that a pick is inlined; here it is a value, which costs a branch for each pick. What it can be
//! chosen to be is settled by its type: hashing needs a key, and only code can say where a message has it.

use core::convert::Infallible;
use core::fmt;

use super::hashing::{ConsistentHash, KeyHasher, KeyOf};
use super::random::Random;
use super::round_robin::RoundRobin;
use super::smallest_load::SmallestLoad;
use super::strategy::{Routee, Strategy};
use crate::address::Address;

/// How messages are routed, by name: what an operator can ask for.
///
/// The first four pick one routee for each message, and are what an [`AnyStrategy`] can be. The last three are calls that
/// the code makes: no `tell` turns into one of them, for a broadcast needs a message that can be cloned, and the others
/// need a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouterKind {
    /// `round-robin`: one routee after the other ([`RoundRobin`]).
    RoundRobin,
    /// `random`: any of them ([`Random`]).
    Random,
    /// `broadcast`: all of them; a call, [`Router::broadcast`](super::Router::broadcast).
    Broadcast,
    /// `consistent-hash`: the one that keeps the message's key ([`ConsistentHash`]).
    ConsistentHash,
    /// `smallest-load`: the one with the least to do ([`SmallestLoad`]).
    SmallestLoad,
    /// `scatter-gather`: all of them, for the first answer; a call,
    /// [`Router::scatter_gather`](super::Router::scatter_gather).
    ScatterGather,
    /// `tail-chopping`: one after the other until one has answered; a call,
    /// [`Router::tail_chop`](super::Router::tail_chop).
    TailChopping,
}

impl RouterKind {
    /// All kinds.
    pub const ALL: [RouterKind; 7] = [
        RouterKind::RoundRobin,
        RouterKind::Random,
        RouterKind::Broadcast,
        RouterKind::ConsistentHash,
        RouterKind::SmallestLoad,
        RouterKind::ScatterGather,
        RouterKind::TailChopping,
    ];

    /// The name in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            RouterKind::RoundRobin => "round-robin",
            RouterKind::Random => "random",
            RouterKind::Broadcast => "broadcast",
            RouterKind::ConsistentHash => "consistent-hash",
            RouterKind::SmallestLoad => "smallest-load",
            RouterKind::ScatterGather => "scatter-gather",
            RouterKind::TailChopping => "tail-chopping",
        }
    }
}

impl fmt::Display for RouterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a router cannot route as it was told. The strategy is what it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnfitKind {
    /// It is a call that the code would have to make, and not a pick.
    IsCall(RouterKind),
    /// The code does not say where its messages have a key: see [`AnyStrategy::keyed`].
    NoKey,
}

impl fmt::Display for UnfitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnfitKind::IsCall(kind) => write!(f, "{kind} is a call in code, not a pick"),
            UnfitKind::NoKey => write!(f, "{} has no key to go by in the code", RouterKind::ConsistentHash),
        }
    }
}

impl core::error::Error for UnfitKind {}

/// The key of messages that have none: it can never be asked for.
pub type NoKey = Infallible;

impl<M> KeyOf<M> for Infallible {
    fn hash_key(&self, _: &M, _: &mut KeyHasher) {
        match *self {}
    }
}

/// A strategy whose kind is chosen while the program runs. Round robin until it is told otherwise.
///
/// ```
/// use corelane_kernel::router::{AnyStrategy, ConsistentHash, Pool, RouterKind, UnfitKind};
/// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
/// # struct Teller;
/// # impl Actor for Teller {
/// #     type Msg = Payment;
/// #     fn receive(&mut self, _: Payment, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
/// # }
/// struct Payment { account: u32, cents: u64 }
///
/// type ByAccount = AnyStrategy<fn(&Payment) -> u32>;
/// let hashing = ConsistentHash::by(|payment: &Payment| payment.account);
/// let tellers: Pool<Teller, ByAccount> = Pool::new(4, || Teller).strategy(AnyStrategy::keyed(hashing));
///
/// let me = ActorRef::<Payment>::nobody();
/// let mut strategy = AnyStrategy::keyed(hashing);
/// assert_eq!(strategy.choose(RouterKind::ConsistentHash, me), Ok(()));
/// let mut keyless = AnyStrategy::new();
/// assert_eq!(keyless.choose(RouterKind::ConsistentHash, me), Err(UnfitKind::NoKey));
/// assert_eq!(keyless.kind(), RouterKind::RoundRobin);
/// # let _ = (tellers, Payment { account: 1, cents: 2 }.cents);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AnyStrategy<K = NoKey> {
    chosen: Chosen,
    hashing: Option<ConsistentHash<K>>,
}

#[derive(Clone, Copy, Debug)]
enum Chosen {
    RoundRobin(RoundRobin),
    Random(Random),
    SmallestLoad(SmallestLoad),
    /// Chosen only where there is a key.
    ConsistentHash,
}

impl AnyStrategy {
    /// For messages without a key: it cannot be chosen to be consistent hashing.
    pub const fn new() -> AnyStrategy {
        AnyStrategy { chosen: Chosen::RoundRobin(RoundRobin::new()), hashing: None }
    }
}

impl Default for AnyStrategy {
    fn default() -> AnyStrategy {
        AnyStrategy::new()
    }
}

impl<K> AnyStrategy<K> {
    /// For messages in which this finds a key.
    pub const fn keyed(hashing: ConsistentHash<K>) -> AnyStrategy<K> {
        AnyStrategy { chosen: Chosen::RoundRobin(RoundRobin::new()), hashing: Some(hashing) }
    }

    /// Picks in this way from now on. A random one is seeded by the sender, as by [`Random::of`]; for the others it means
    /// nothing.
    ///
    /// # Errors
    /// [`UnfitKind`].
    pub fn choose(&mut self, kind: RouterKind, sender: impl Into<Address>) -> Result<(), UnfitKind> {
        self.chosen = match kind {
            RouterKind::RoundRobin => Chosen::RoundRobin(RoundRobin::new()),
            RouterKind::Random => Chosen::Random(Random::of(sender)),
            RouterKind::SmallestLoad => Chosen::SmallestLoad(SmallestLoad::new()),
            RouterKind::ConsistentHash if self.hashing.is_some() => Chosen::ConsistentHash,
            RouterKind::ConsistentHash => return Err(UnfitKind::NoKey),
            RouterKind::Broadcast | RouterKind::ScatterGather | RouterKind::TailChopping => {
                return Err(UnfitKind::IsCall(kind));
            }
        };
        Ok(())
    }

    /// How it picks.
    pub const fn kind(&self) -> RouterKind {
        match self.chosen {
            Chosen::RoundRobin(_) => RouterKind::RoundRobin,
            Chosen::Random(_) => RouterKind::Random,
            Chosen::SmallestLoad(_) => RouterKind::SmallestLoad,
            Chosen::ConsistentHash => RouterKind::ConsistentHash,
        }
    }
}

impl<M, K: KeyOf<M>> Strategy<M> for AnyStrategy<K> {
    #[inline]
    fn pick(&mut self, routees: &[Routee<M>], message: &M) -> Option<usize> {
        match &mut self.chosen {
            Chosen::RoundRobin(strategy) => strategy.pick(routees, message),
            Chosen::Random(strategy) => strategy.pick(routees, message),
            Chosen::SmallestLoad(strategy) => strategy.pick(routees, message),
            Chosen::ConsistentHash => self.hashing.as_mut()?.pick(routees, message),
        }
    }

    fn removed(&mut self, index: usize) {
        match &mut self.chosen {
            Chosen::RoundRobin(strategy) => <RoundRobin as Strategy<M>>::removed(strategy, index),
            Chosen::SmallestLoad(strategy) => <SmallestLoad as Strategy<M>>::removed(strategy, index),
            Chosen::Random(_) | Chosen::ConsistentHash => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::ActorRef;
    use std::string::ToString;
    use std::vec::Vec;

    fn row() -> Vec<Routee<u64>> {
        (0..5u32).map(|name| Routee::named(ActorRef::nobody(), &name).with_load(5 - name)).collect()
    }

    /// What is picked for twenty messages, the first routee being gone after ten.
    fn picks(mut strategy: impl Strategy<u64>) -> Vec<Option<usize>> {
        let mut row = row();
        let mut picks = Vec::new();
        for message in 0..20 {
            if message == 10 {
                row.remove(0);
                strategy.removed(0);
            }
            picks.push(strategy.pick(&row, &(message % 7)));
        }
        picks
    }

    #[test]
    fn each_kind_picks_as_its_own_strategy_does() {
        let nobody = ActorRef::<u64>::nobody();
        let hashing = ConsistentHash::by(|message: &u64| *message);
        let chosen = |kind| {
            let mut strategy = AnyStrategy::keyed(hashing);
            strategy.choose(kind, nobody).expect("a pick");
            assert_eq!(strategy.kind(), kind);
            picks(strategy)
        };
        assert_eq!(chosen(RouterKind::RoundRobin), picks(RoundRobin::new()));
        assert_eq!(chosen(RouterKind::Random), picks(Random::of(nobody)));
        assert_eq!(chosen(RouterKind::SmallestLoad), picks(SmallestLoad::new()));
        assert_eq!(chosen(RouterKind::ConsistentHash), picks(hashing));
        assert_eq!(picks(AnyStrategy::new()), picks(RoundRobin::new()), "unless told otherwise");
    }

    #[test]
    fn what_is_no_pick_is_refused_and_changes_nothing() {
        let nobody = ActorRef::<u64>::nobody();
        let mut strategy = AnyStrategy::new();
        strategy.choose(RouterKind::SmallestLoad, nobody).expect("a pick");
        for (kind, text) in [
            (RouterKind::Broadcast, "broadcast is a call in code, not a pick"),
            (RouterKind::ScatterGather, "scatter-gather is a call in code, not a pick"),
            (RouterKind::TailChopping, "tail-chopping is a call in code, not a pick"),
            (RouterKind::ConsistentHash, "consistent-hash has no key to go by in the code"),
        ] {
            assert_eq!(strategy.choose(kind, nobody).unwrap_err().to_string(), text);
            assert_eq!(strategy.kind(), RouterKind::SmallestLoad);
        }
    }
}

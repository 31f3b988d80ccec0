//! Probes: actors whose messages the test reads.

use std::any::type_name;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Address, Ctx, Outcome, Terminated};

use super::Drive;

/// How long a probe waits for what it expects, in virtual time.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a probe has heard and nobody has read.
struct Heard<M> {
    messages: VecDeque<M>,
    notices: VecDeque<Terminated>,
    address: Option<ActorRef<M>>,
    ignores: Option<Ignores<M>>,
}

type Ignores<M> = Box<dyn Fn(&M) -> bool + Send>;

type Inbox<M> = Arc<Mutex<Heard<M>>>;

enum Order<M> {
    Hear(M),
    Watch(Address),
    Unwatch(Address),
}

struct Ear<M> {
    inbox: Inbox<M>,
}

fn lock<M>(inbox: &Inbox<M>) -> MutexGuard<'_, Heard<M>> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<M: Send + 'static> Actor for Ear<M> {
    type Msg = Order<M>;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let address = ctx.adapter(Order::Hear)?;
        lock(&self.inbox).address = Some(address);
        Ok(())
    }

    fn receive(&mut self, order: Order<M>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match order {
            Order::Hear(message) => {
                let mut heard = lock(&self.inbox);
                let ignored = heard.ignores.as_ref().is_some_and(|ignores| ignores(&message));
                if !ignored {
                    heard.messages.push_back(message);
                }
            }
            Order::Watch(whom) => ctx.watch(whom)?,
            Order::Unwatch(whom) => _ = ctx.unwatch(whom),
        }
        Ok(())
    }

    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        lock(&self.inbox).notices.push_back(gone.clone());
        Ok(())
    }
}

/// What becomes of a message that is [fished](Probe::fish) for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fish {
    /// It is the one.
    Take,
    /// It is another one: it is thrown away.
    Skip,
}

/// An actor whose messages the test reads, in the order in which they came. What it expects and does not get is a panic
/// that says what came instead.
///
/// Whatever waits lets virtual time pass, for three seconds unless told otherwise: where a message is there already, or the
/// next event brings it, none.
///
/// ```
/// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
/// use corelane_shard::sim::Sim;
/// use corelane_shard::testkit::Probe;
/// # struct Echo;
/// # impl Actor for Echo {
/// #     type Msg = (u64, ActorRef<u64>);
/// #     fn receive(&mut self, (n, to): Self::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome { ctx.tell(to, n); Ok(()) }
/// # }
///
/// Sim::new(1).shards(2).run(|sim| {
///     let echo = sim.spawn_on(1, || Echo)?;
///     let probe = Probe::new(sim);
///     sim.tell(echo, (7, probe.at()));
///     assert_eq!(probe.expect(sim), 7);
///     probe.watch(sim, echo);
///     sim.stop(echo);
///     probe.expect_terminated(sim, echo);
///     Ok(())
/// })?;
/// # Ok::<(), corelane_shard::sim::SimError>(())
/// ```
pub struct Probe<M> {
    inbox: Inbox<M>,
    ear: ActorRef<Order<M>>,
    at: ActorRef<M>,
}

impl<M: Send + 'static> Probe<M> {
    /// A probe among the actors that `of` runs.
    ///
    /// # Panics
    /// If there is no room for it.
    pub fn new(of: &mut impl Drive) -> Probe<M> {
        let heard =
            Heard { messages: VecDeque::new(), notices: VecDeque::new(), address: None, ignores: None };
        let inbox = Arc::new(Mutex::new(heard));
        let own = inbox.clone();
        let ear = of.place(move || Ear { inbox: own.clone() });
        of.drive(PATIENCE, &mut || lock(&inbox).address.is_some());
        let at = lock(&inbox).address.expect("a probe that has started");
        Probe { inbox, ear, at }
    }

    /// Where to tell it something.
    pub fn at(&self) -> ActorRef<M> {
        self.at
    }

    /// The actor itself: to stop or to watch it.
    pub fn address(&self) -> Address {
        self.ear.address()
    }

    fn heard(&self) -> MutexGuard<'_, Heard<M>> {
        lock(&self.inbox)
    }

    /// From now on it does not hear what `ignores` says.
    pub fn ignore(&self, ignores: impl Fn(&M) -> bool + Send + 'static) {
        self.heard().ignores = Some(Box::new(ignores));
    }

    /// What it has heard already, and was not read.
    pub fn take(&self) -> Vec<M> {
        self.heard().messages.drain(..).collect()
    }

    /// The next message, within three seconds.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn expect(&self, of: &mut impl Drive) -> M {
        self.expect_within(of, PATIENCE)
    }

    /// The next message, within a time.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn expect_within(&self, of: &mut impl Drive, within: Duration) -> M {
        of.drive(within, &mut || !self.heard().messages.is_empty());
        let next = self.heard().messages.pop_front();
        next.unwrap_or_else(|| panic!("no {} came within {within:?}", type_name::<M>()))
    }

    /// The next so many messages, all within three seconds.
    ///
    /// # Panics
    /// If fewer come.
    #[track_caller]
    pub fn expect_many(&self, of: &mut impl Drive, count: usize) -> Vec<M> {
        of.drive(PATIENCE, &mut || self.heard().messages.len() >= count);
        let mut heard = self.heard();
        let came = heard.messages.len();
        assert!(came >= count, "{came} of {count} {} came within {PATIENCE:?}", type_name::<M>());
        heard.messages.drain(..count).collect()
    }

    /// No message comes within a time, all of which passes.
    ///
    /// # Panics
    /// If one does.
    #[track_caller]
    pub fn expect_no(&self, of: &mut impl Drive, within: Duration) {
        let before = of.now();
        if of.drive(within, &mut || !self.heard().messages.is_empty()) {
            panic!("a {} came after {:?}", type_name::<M>(), of.now().since(before));
        }
    }

    /// The first message that `fish` takes, within a time; those before it are thrown away.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn fish(&self, of: &mut impl Drive, within: Duration, mut fish: impl FnMut(&M) -> Fish) -> M {
        let until = of.now() + within;
        let mut skipped = 0;
        loop {
            let left = until.since(of.now());
            of.drive(left, &mut || !self.heard().messages.is_empty());
            let Some(next) = self.heard().messages.pop_front() else {
                panic!("no such {} came within {within:?}, and {skipped} others", type_name::<M>());
            };
            match fish(&next) {
                Fish::Take => return next,
                Fish::Skip => skipped += 1,
            }
        }
    }

    /// Has it watch an actor. What the actor is told from now on finds it watched, on the probe's own core; elsewhere the
    /// signal is on its way.
    pub fn watch(&self, of: &mut impl Drive, whom: impl Into<Address>) {
        of.hand(self.ear, Order::Watch(whom.into()));
    }

    /// Has it watch an actor no more.
    pub fn unwatch(&self, of: &mut impl Drive, whom: impl Into<Address>) {
        of.hand(self.ear, Order::Unwatch(whom.into()));
    }

    /// The notice that an actor which it watches is gone, within three seconds.
    ///
    /// # Panics
    /// If none comes, or that of another comes first.
    #[track_caller]
    pub fn expect_terminated(&self, of: &mut impl Drive, whom: impl Into<Address>) -> Terminated {
        let whom = whom.into();
        of.drive(PATIENCE, &mut || !self.heard().notices.is_empty());
        let Some(gone) = self.heard().notices.pop_front() else {
            panic!("no notice came that {whom:?} is gone within {PATIENCE:?}");
        };
        assert!(gone.address == whom, "{:?} is gone, and not {whom:?}", gone.address);
        gone
    }
}

impl<M> fmt::Debug for Probe<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe<{}>({:?})", type_name::<M>(), self.ear)
    }
}

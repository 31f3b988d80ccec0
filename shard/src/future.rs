//! Futures on a shard: polled between turns on the shard's own thread, so they need not be `Send`; each belongs to an
//! actor, answers it with a message, and is dropped when it ends.
//!
//! The set of futures is `futures_util`'s, which polls only those that were woken. Wakers may come from any thread; they
//! wake the shard if it sleeps.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use corelane_kernel::{ActorRef, Address, Scope};
use futures_util::future::{AbortHandle, Abortable, FutureExt, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::shared::Shared;
use crate::unwind;

/// What a future that ended wants done on its shard.
type Done = Box<dyn FnOnce(&mut Scope<'_>)>;

/// Set when some future was woken or has come; wakes the shard.
struct Ready {
    flag: AtomicBool,
    shared: Arc<Shared>,
    shard: usize,
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.flag.store(true, Ordering::Release);
        self.shared.posts[self.shard].wake.wake();
    }
}

/// The futures of one actor, so that they end with it.
#[derive(Default)]
struct Owned {
    /// By number, so that they end in the order in which they came.
    running: BTreeMap<u64, AbortHandle>,
}

struct Inner {
    running: RefCell<FuturesUnordered<LocalBoxFuture<'static, Done>>>,
    /// Come since the set was last polled: a handler may run while it is.
    arrived: RefCell<Vec<LocalBoxFuture<'static, Done>>>,
    owners: RefCell<HashMap<Address, Owned>>,
    /// Number of the future that came last. An actor that is restarted has the same address as before, and none of the
    /// futures.
    last: Cell<u64>,
    ready: Arc<Ready>,
}

/// The futures of one shard.
#[derive(Clone)]
pub(crate) struct Executor {
    inner: Rc<Inner>,
    waker: Waker,
}

/// Hangs on an actor that has futures; ends them with it.
struct EndWithActor {
    executor: Weak<Inner>,
    owner: Address,
}

impl Drop for EndWithActor {
    fn drop(&mut self) {
        if let Some(inner) = self.executor.upgrade()
            && let Some(owned) = inner.owners.borrow_mut().remove(&self.owner)
        {
            for future in owned.running.into_values() {
                future.abort();
            }
        }
    }
}

/// What becomes of the message that a future's end makes.
pub(crate) enum Deliver {
    /// Told like any other, but its mailbox bound does not refuse it.
    Tell,
    /// Handled before all that waits at the actor, which is resumed.
    Resume,
}

impl Executor {
    pub(crate) fn new(shared: Arc<Shared>, shard: usize) -> Executor {
        let ready = Arc::new(Ready { flag: AtomicBool::new(false), shared, shard });
        let waker = Waker::from(ready.clone());
        let inner = Inner {
            running: RefCell::new(FuturesUnordered::new()),
            arrived: RefCell::new(Vec::new()),
            owners: RefCell::new(HashMap::new()),
            last: Cell::new(0),
            ready,
        };
        Executor { inner: Rc::new(inner), waker }
    }

    /// Whether polling may get something done.
    #[inline]
    pub(crate) fn has_ready(&self) -> bool {
        self.inner.ready.flag.load(Ordering::Acquire)
    }

    /// A future of an actor of this shard; `then` makes its message of the outcome. The guard, when it is the actor's
    /// first future, is to be hung on the actor.
    pub(crate) fn spawn<T: 'static, M: Send + 'static>(
        &self,
        owner: ActorRef<M>,
        deliver: Deliver,
        future: impl Future<Output = T> + 'static,
        then: impl FnOnce(T) -> M + 'static,
    ) -> Option<impl Sized + 'static> {
        let address = owner.address();
        let (handle, registration) = AbortHandle::new_pair();
        let mut owners = self.inner.owners.borrow_mut();
        let first = !owners.contains_key(&address);
        let owned = owners.entry(address).or_default();
        let number = self.inner.last.get() + 1;
        self.inner.last.set(number);
        owned.running.insert(number, handle);
        drop(owners);

        let inner = Rc::downgrade(&self.inner);
        let message = AssertUnwindSafe(async move { then(future.await) }).catch_unwind();
        let message = Abortable::new(message, registration);
        let task = async move {
            let outcome = message.await;
            if let Some(inner) = inner.upgrade()
                && let Some(owned) = inner.owners.borrow_mut().get_mut(&address)
            {
                owned.running.remove(&number);
            }
            let done: Done = match outcome {
                Ok(Ok(message)) => Box::new(move |scope| match deliver {
                    Deliver::Tell => scope.answer(owner, message),
                    Deliver::Resume => scope.resume_with(owner, message),
                }),
                Ok(Err(panic)) => fail(owner.address(), deliver, panic),
                // The actor has ended.
                Err(_) => Box::new(|_| {}),
            };
            done
        };
        self.inner.arrived.borrow_mut().push(task.boxed_local());
        self.inner.ready.flag.store(true, Ordering::Release);
        first.then(|| EndWithActor { executor: Rc::downgrade(&self.inner), owner: address })
    }

    /// What the next future that has ended wants done.
    pub(crate) fn next_done(&self) -> Option<Done> {
        // Read as well as written: whatever was woken before the flag that is taken down here must be seen by the poll.
        self.inner.ready.flag.swap(false, Ordering::AcqRel);
        let mut running = self.inner.running.borrow_mut();
        running.extend(self.inner.arrived.borrow_mut().drain(..));
        if running.is_empty() {
            return None;
        }
        match running.poll_next_unpin(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(Some(done)) => {
                self.inner.ready.flag.store(true, Ordering::Release);
                Some(done)
            }
            Poll::Ready(None) | Poll::Pending => None,
        }
    }

    /// Gives all futures up; gives how many. Each is dropped when [`Executor::next_done`] comes to it, so that a drop
    /// that panics takes no other with it.
    pub(crate) fn give_up(&self) -> u64 {
        let owners = self.inner.owners.borrow();
        let mut futures: Vec<_> = owners.values().flat_map(|owned| &owned.running).collect();
        futures.sort_unstable_by_key(|(number, _)| **number);
        futures.into_iter().for_each(|(_, future)| future.abort());
        (self.inner.running.borrow().len() + self.inner.arrived.borrow().len()) as u64
    }
}

fn fail(owner: Address, deliver: Deliver, panic: Box<dyn Any + Send>) -> Done {
    let failure = unwind::tell(panic, unwind::failure);
    Box::new(move |scope| {
        scope.fail(owner, failure);
        if matches!(deliver, Deliver::Resume) {
            // Nothing else would, if its parent has it go on as it is.
            scope.resume(owner);
        }
    })
}

//! The steward: the actor behind the event stream and the receptionist. It watches whoever is entered there, has those
//! who are gone forgotten, and tells the receptionist's subscribers what has changed.
//!
//! It lives on shard 0, and only once something is entered. What it serves lies in tables that all threads share behind
//! a lock; so it can be started again, should somebody stop it, and one who changes a table sees the change at once.
//! Being told by one actor is what keeps a subscriber's notices in order.

use std::sync::{Arc, Mutex, PoisonError};

use corelane_kernel::{Actor, ActorRef, Address, Ctx, OutOfMemory, Outcome, Scope, Terminated};

use crate::error::CallError;
use crate::events::Topics;
use crate::receptionist::{KeyId, Rooms};
use crate::shared::{Phase, Shared};

/// Where the steward is found, and what it looks after.
pub(crate) struct Desk {
    shared: Arc<Shared>,
    pub(crate) topics: Topics,
    pub(crate) rooms: Rooms,
    steward: Mutex<ActorRef<Errand>>,
}

/// What the steward is told.
pub(crate) enum Errand {
    /// An actor was entered in a table.
    Watch(Address),
    /// Whoever subscribed to a key may have news to hear.
    Announce(KeyId),
}

/// Shard of the steward.
const SEAT: usize = 0;

impl Desk {
    pub(crate) fn new(shared: Arc<Shared>) -> Desk {
        let steward = Mutex::new(ActorRef::nobody());
        Desk { topics: Topics::new(shared.clone()), rooms: Rooms::default(), shared, steward }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Sends the steward on errands, in order; it is started if it is not there.
    pub(crate) fn send<const N: usize>(self: &Arc<Self>, errands: [Errand; N]) -> Result<(), CallError> {
        let desk = self.clone();
        self.shared.run_on(SEAT, move |scope| {
            if desk.shared.phase() != Phase::Running {
                // Whoever is entered ends with the system, the steward among them.
                return;
            }
            let Some(steward) = desk.steward(scope) else { return };
            for errand in errands {
                scope.tell(steward, errand);
            }
        })
    }

    fn steward(self: &Arc<Self>, scope: &mut Scope<'_>) -> Option<ActorRef<Errand>> {
        // Only closures on the steward's shard come here, one after the other.
        let mut steward = self.steward.lock().unwrap_or_else(PoisonError::into_inner);
        if !scope.is_alive(*steward) {
            match scope.spawn(Steward { desk: self.clone() }) {
                Ok(new) => *steward = new,
                Err(error) => {
                    drop(steward);
                    tracing::error!(%error, "those who are gone stay in the receptionist and the event stream");
                    return None;
                }
            }
        }
        Some(*steward)
    }
}

struct Steward {
    desk: Arc<Desk>,
}

impl Steward {
    fn forget(&self, actor: Address, ctx: &mut Ctx<'_, Self>) {
        self.desk.topics.forget(actor);
        for key in self.desk.rooms.forget(actor) {
            self.announce(&key, ctx);
        }
    }

    fn announce(&self, key: &KeyId, ctx: &mut Ctx<'_, Self>) {
        // The lock is free again when the subscribers are told.
        if let Some(news) = self.desk.rooms.news(key) {
            news(&mut ctx.scope());
        }
    }

    fn watch(&self, actor: Address, ctx: &mut Ctx<'_, Self>) {
        if let Err(OutOfMemory) = ctx.watch(actor) {
            tracing::error!(
                ?actor,
                "no room to watch it: it is struck from the receptionist and the event stream"
            );
            self.forget(actor, ctx);
        }
    }
}

impl Actor for Steward {
    type Msg = Errand;

    /// Takes over what a steward before this one watched.
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        for actor in self.desk.topics.addresses().into_iter().chain(self.desk.rooms.addresses()) {
            self.watch(actor, ctx);
        }
        Ok(())
    }

    fn receive(&mut self, errand: Errand, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match errand {
            Errand::Watch(actor) => self.watch(actor, ctx),
            Errand::Announce(key) => self.announce(&key, ctx),
        }
        Ok(())
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.forget(gone.address, ctx);
        Ok(())
    }
}

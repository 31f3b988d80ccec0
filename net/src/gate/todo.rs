//! What is noted while bytes are read or the kernel is at work, and done when nothing is borrowed.

use corelane_kernel::{Address, ChildNews, ChildOrder, Place, RawAddress, Scope, SpawnError, StopReason};

use super::Gate;
use super::adoptions::Adoption;
use super::lookups::Then;
use super::retirements::Retiring;
use crate::resolve::RemoteLookupError;
use crate::wire::{EndReason, NoChild, Signal};

/// What is left to be done when nothing is borrowed.
pub(super) enum Todo {
    Watch(Address, Address),
    Unwatch(Address, Address),
    Ended(Address, Address, StopReason),
    Stop(Address),
    Lose(Place),
    Unreachable(u64),
    /// A watch by a link's peer, of these numbers, that is refused.
    Refuse(usize, RawAddress, RawAddress, EndReason),
    /// The same by the peer: it need not keep a watch of these numbers.
    Release(usize, RawAddress, RawAddress),
    /// Somebody was found at a place of a peer.
    Recall(Place),
    Answer(Then, Result<corelane_kernel::Admitted, RemoteLookupError>),
    /// Nobody was reached over this link: what is asked there may be asked elsewhere.
    PassOver(usize),
    /// To send for a child on another host.
    Bear(u64),
    /// There will be no child for an outpost here.
    Childless(Address, SpawnError),
    /// By a link's peer, for an outpost here: there is no child.
    Unborn(usize, Address, NoChild),
    Report(Address, Address, u32, ChildNews),
    Order(Address, Address, u32, ChildOrder),
    Adopt(Box<Adoption>),
    /// To a link's peer, for an outpost of these numbers there: there is no child.
    NoChild(usize, RawAddress, NoChild),
    /// To a link's peer: the word of this number that an actor here is to retire was heard.
    Retiring(usize, u64),
    /// Something that is not to be done in the midst of what the kernel does.
    Call(Box<dyn FnOnce(&mut Scope<'_>)>),
}

impl Gate {
    /// Does what is left to be done.
    pub(super) fn work_off(&self, scope: &mut Scope<'_>) {
        // What is done may leave more to be done.
        for _ in 0..64 {
            let todo = std::mem::take(&mut self.enter().todo);
            if todo.is_empty() {
                return;
            }
            let mut rest = Rest { gate: self, todo: todo.into_iter() };
            while let Some(todo) = rest.todo.next() {
                match todo {
                    Todo::Watch(watcher, target) => scope.watch_for(watcher, target),
                    Todo::Unwatch(watcher, target) => scope.unwatch_for(watcher, target),
                    Todo::Ended(watcher, target, reason) => scope.end_for(watcher, target, reason),
                    Todo::Stop(target) => scope.stop(target),
                    Todo::Lose(place) => scope.lose_place(place),
                    Todo::Unreachable(count) => (0..count).for_each(|_| scope.count_unreachable()),
                    Todo::Refuse(slot, watcher, target, reason) => {
                        let ended = Signal::Ended { watcher, target, reason, text: "" };
                        self.enter().say_of_watch(slot, ended);
                    }
                    Todo::Release(slot, watcher, target) => {
                        self.enter().say_of_watch(slot, Signal::Unwatch { watcher, target });
                    }
                    Todo::Recall(place) => self.enter().recall(place),
                    Todo::Answer(then, found) => then(scope, found),
                    Todo::Call(call) => call(scope),
                    Todo::PassOver(slot) => self.enter().pass_over(slot),
                    Todo::Bear(number) => self.bear(number, scope),
                    Todo::Childless(outpost, error) => {
                        if scope.refuse_outpost(outpost, error).is_err() {
                            return rest.later(Todo::Childless(outpost, error));
                        }
                    }
                    Todo::Unborn(slot, outpost, why) => self.enter().unborn(slot, outpost, why),
                    Todo::Report(outpost, child, round, news) => {
                        if scope.report_for(outpost, child, round, news.clone()).is_err() {
                            return rest.later(Todo::Report(outpost, child, round, news));
                        }
                        self.enter().known(outpost, child.place());
                    }
                    Todo::Order(outpost, child, round, order) => {
                        if scope.order_for(outpost, child, round, order.clone()).is_err() {
                            return rest.later(Todo::Order(outpost, child, round, order));
                        }
                    }
                    Todo::Adopt(adoption) => self.adopt(*adoption, scope),
                    Todo::Retiring(slot, number) => {
                        // One that is not answered is said again over the next connection.
                        let mut inner = self.enter();
                        let most = inner.shared.config.pending_bytes;
                        inner.send_to_host(slot, &Retiring { number }, most);
                    }
                    Todo::NoChild(slot, outpost, why) => {
                        self.enter().refuse_child(slot, outpost, why);
                    }
                }
            }
        }
    }
}

/// What is left of a row of things to be done: for later, where there is no room for one of them, or one has panicked.
struct Rest<'a> {
    gate: &'a Gate,
    todo: std::vec::IntoIter<Todo>,
}

impl Rest<'_> {
    /// The kernel has no room for this one now.
    fn later(self, todo: Todo) {
        let gate = self.gate;
        drop(self);
        gate.enter().todo.insert(0, todo);
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        if self.todo.len() > 0 {
            self.gate.enter().todo.splice(0..0, self.todo.by_ref());
        }
    }
}

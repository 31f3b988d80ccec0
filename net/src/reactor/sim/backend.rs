//! The backend of a reactor in a simulated network.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::traffic::{End, Traffic};
use crate::buffers::Supply;
use crate::reactor::address::Address;
use crate::reactor::backend::{Completion, Descriptor, Drive, Outcome, Waker};
use crate::reactor::config::{Backend, Options, ReactorConfig};
use crate::reactor::peer_user::PeerUser;
use crate::reactor::slab::Key;
use crate::reactor::store::{SocketKind, Store, Work};

pub(crate) struct Simulated {
    traffic: Rc<RefCell<Traffic>>,
    host: IpAddr,
    supply: Supply,
    /// Operations in flight, in the order in which they began.
    running: Vec<Key>,
    done: VecDeque<Completion>,
    /// Changes of the network after which nothing was to be done here.
    idle_since: Option<u64>,
    woken: Arc<(Mutex<bool>, Condvar)>,
}

impl Simulated {
    pub(super) fn new(traffic: Rc<RefCell<Traffic>>, host: IpAddr, config: &ReactorConfig) -> Simulated {
        let simulated = Simulated {
            traffic,
            host,
            supply: Supply::new(config.chunks(), config.chunk_bytes()),
            running: Vec::new(),
            done: VecDeque::new(),
            idle_since: None,
            woken: Arc::default(),
        };
        let waker = simulated.waker();
        simulated.supply.wake_by(move || waker.wake());
        simulated
    }

    fn advance(&self) {
        let now = self.traffic.borrow().now;
        self.traffic.borrow_mut().advance_to(now);
    }

    /// Whether trying an operation gets something done.
    fn is_ready(&self, key: Key, store: &Store) -> bool {
        let end = end(store.descriptor_of(key));
        let mut traffic = self.traffic.borrow_mut();
        match store.operations[key].work {
            Work::Accept => !traffic.state(end).backlog.is_empty(),
            Work::Connect => traffic.state(end).connected.is_some(),
            Work::Receive => {
                let state = traffic.state(end);
                state.broken.is_some() || state.finished || !state.inbox.is_empty()
            }
            Work::ReceiveFrom => !traffic.state(end).datagrams.is_empty(),
            Work::Send => traffic.room(end) != Ok(0),
            Work::SendTo => true,
        }
    }

    /// Gets done what can be; gives the outcome, if there is one, and whether more may come.
    fn attempt(&mut self, key: Key, store: &Store) -> (Outcome, bool) {
        let operation = &store.operations[key];
        let end = end(store.descriptor_of(key));
        let failed = |error: io::ErrorKind| (Outcome::Failed(error.into()), false);
        match operation.work {
            Work::Accept => match Traffic::accept(&self.traffic, end) {
                Some(end) => (Outcome::Accepted(Descriptor::Simulated(end)), true),
                None => (Outcome::Cancelled, false),
            },
            Work::Connect => match self.traffic.borrow_mut().state(end).connected {
                Some(Ok(())) => (Outcome::Connected, false),
                Some(Err(error)) => failed(error),
                None => (Outcome::Cancelled, false),
            },
            Work::Receive => {
                let mut traffic = self.traffic.borrow_mut();
                if let Some(error) = traffic.state(end).broken {
                    return failed(error);
                }
                let most = traffic.state(end).inbox.len().min(self.supply.chunk_bytes());
                if most == 0 {
                    return (Outcome::EndOfStream, false);
                }
                let Some(mut chunk) = self.supply.take() else { return (Outcome::NoChunk, false) };
                chunk.truncate(traffic.part(most));
                let taken = chunk.len();
                let bytes = traffic.state(end).inbox.drain(..taken);
                chunk.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
                // There is room for as much.
                traffic.changes += 1;
                (Outcome::Received(chunk), true)
            }
            Work::ReceiveFrom => {
                let Some(mut chunk) = self.supply.take() else { return (Outcome::NoChunk, false) };
                let mut traffic = self.traffic.borrow_mut();
                let Some((from, bytes)) = traffic.state(end).datagrams.pop_front() else {
                    return (Outcome::Cancelled, false);
                };
                let truncated = bytes.len() > chunk.len();
                chunk.truncate(bytes.len());
                chunk.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
                (Outcome::ReceivedFrom { from, bytes: chunk, truncated }, true)
            }
            Work::Send => {
                let mut traffic = self.traffic.borrow_mut();
                let room = match traffic.room(end) {
                    Ok(room) => room.min(operation.bytes - operation.sent),
                    Err(error) => return failed(error),
                };
                let part = traffic.part(room);
                let bytes: Vec<u8> = operation.rest().flatten().copied().take(part).collect();
                if !bytes.is_empty() {
                    traffic.push(end, bytes);
                }
                (Outcome::Sent(part), false)
            }
            Work::SendTo => {
                let mut traffic = self.traffic.borrow_mut();
                if let Some(outgoing) = operation.buffers.first()
                    && let Some(to) = &outgoing.to
                    && let Err(error) = traffic.push_datagram(self.host, end, to, &outgoing.buffer)
                {
                    return (Outcome::Failed(error), false);
                }
                (Outcome::Sent(operation.bytes), false)
            }
        }
    }

    fn was_woken(&self) -> bool {
        std::mem::take(&mut *self.woken.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn end(descriptor: &Descriptor) -> &End {
    match descriptor {
        Descriptor::Simulated(end) => end,
        #[cfg(unix)]
        Descriptor::System(_) => unreachable!("a descriptor of another backend"),
    }
}

impl Drive for Simulated {
    fn kind(&self) -> Backend {
        Backend::Simulated
    }

    fn make(&mut self, kind: SocketKind, address: &Address, options: &Options) -> io::Result<Descriptor> {
        Traffic::make(&self.traffic, self.host, kind, address, options).map(Descriptor::Simulated)
    }

    fn start(&mut self, key: Key, store: &mut Store) {
        let operation = &store.operations[key];
        if let (Work::Connect, Some(to)) = (operation.work, &operation.to) {
            self.traffic.borrow_mut().connect(self.host, end(store.descriptor_of(key)), to);
        }
        self.running.push(key);
        self.idle_since = None;
    }

    fn cancel(&mut self, key: Key, _: &mut Store) {
        if let Some(at) = self.running.iter().position(|other| *other == key) {
            self.running.remove(at);
            self.done.push_back(Completion { key, outcome: Outcome::Cancelled, more: false });
        }
    }

    fn retire(&mut self, _: Key, descriptor: &Descriptor, reset: bool) {
        self.traffic.borrow_mut().state(end(descriptor)).reset_at_close |= reset;
    }

    fn finish(&mut self, descriptor: &Descriptor) -> io::Result<()> {
        self.traffic.borrow_mut().finish(end(descriptor));
        Ok(())
    }

    fn submit(&mut self, _: &mut Store, _: &mut VecDeque<Completion>) {}

    fn reap(&mut self, store: &mut Store, out: &mut VecDeque<Completion>) {
        self.advance();
        let mut at = 0;
        while at < self.running.len() {
            let key = self.running[at];
            if !self.is_ready(key, store) {
                at += 1;
                continue;
            }
            let (outcome, more) = self.attempt(key, store);
            self.done.push_back(Completion { key, outcome, more });
            if more {
                at += 1;
            } else {
                self.running.remove(at);
            }
        }
        out.append(&mut self.done);
    }

    fn has_input(&mut self, store: &mut Store) -> bool {
        self.advance();
        if !self.done.is_empty() {
            return true;
        }
        // Asked for again and again by who runs many hosts.
        let changes = self.traffic.borrow().changes;
        if self.idle_since == Some(changes) {
            return false;
        }
        let ready = self.running.iter().any(|key| self.is_ready(*key, store));
        self.idle_since = (!ready).then_some(changes);
        ready
    }

    fn has_chunks(&mut self) -> bool {
        self.supply.has_free()
    }

    fn park(&mut self, timeout: Option<Duration>, _: &mut Store) {
        if self.was_woken() {
            return;
        }
        let (now, due) = {
            let traffic = self.traffic.borrow();
            (traffic.now, traffic.next_due())
        };
        let until = timeout.map(|timeout| now.saturating_add(timeout.as_nanos() as u64));
        match due.into_iter().chain(until).min() {
            Some(at) => self.traffic.borrow_mut().advance_to(at),
            // Nothing happens here any more: it is for another thread to go on.
            None => {
                let (woken, changed) = &*self.woken;
                let mut woken = woken.lock().unwrap_or_else(PoisonError::into_inner);
                while !std::mem::take(&mut *woken) {
                    woken = changed.wait(woken).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn waker(&self) -> Waker {
        let woken = self.woken.clone();
        Waker::new(move || {
            *woken.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            woken.1.notify_all();
        })
    }

    fn local_address(&self, descriptor: &Descriptor) -> io::Result<Address> {
        Ok(self.traffic.borrow_mut().local_address(end(descriptor)))
    }

    fn peer_address(&self, descriptor: &Descriptor) -> io::Result<Address> {
        self.traffic.borrow_mut().peer_address(end(descriptor))
    }

    fn peer_user(&self, _: &Descriptor) -> io::Result<PeerUser> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn end(&mut self) {}

    fn leak(&mut self) {}

    #[cfg(test)]
    fn chunks_held(&mut self) -> usize {
        self.supply.held()
    }
}

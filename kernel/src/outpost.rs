//! Children on other shards: how they are spawned, at both ends.
//!
//! The parent's kernel makes an outpost and sends a call that makes the child; see [`crate::bond`] for what travels
//! between the two from then on, and `lifecycle/afar.rs` for what that leads to. One of the modules where `unsafe` is
//! allowed: it writes into the cell of an outpost, and reads from there.

#![allow(unsafe_code)]

use core::fmt::{self, Write as _};
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use crate::abroad::Outpost;
use crate::actor::Actor;
use crate::address::{ActorRef, Address, Gate, Group, Place};
use crate::ask::{drop_value, plain};
use crate::behavior::{Behavior, Layout, Made, Maker, Role};
use crate::bond::{Bond, End, OwnName, Prefix};
use crate::context::Ctx;
use crate::error::{OutOfMemory, SpawnError, TellError};
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::lifecycle::Birth;
use crate::limits::RECORD_HEAD;
use crate::record::{self, Kind, Payload};
use crate::scope::Scope;

/// What a child's kernel is told of where it comes from, and how it is to be born.
pub(crate) struct Origin {
    pub(crate) outpost: Address,
    pub(crate) parent: Address,
    pub(crate) prefix: Prefix,
    pub(crate) name: Option<OwnName>,
    pub(crate) group: Group,
    pub(crate) bound: u32,
}

/// What an outpost's cell hears of its child's birth: nothing, where it was stopped before.
type Born = Option<Result<Address, SpawnError>>;

/// Words of the record in which that is handed over.
const BORN_WORDS: usize = Payload::<Born>::WORDS;

/// What stands in an outpost's cell: what is to be done once it is known what became of the birth of a child whose messages
/// are `R`.
struct Awaiting<R, F> {
    then: Option<F>,
    types: PhantomData<fn(R)>,
}

impl<R, F> Awaiting<R, F>
where
    R: 'static,
    F: FnOnce(Option<Result<ActorRef<R>, SpawnError>>, &mut Scope<'_>) + 'static,
{
    const BEHAVIOR: &'static Behavior =
        const { &plain::<Self, Born>(Role::Outpost, Self::hear, drop_value::<Self>) };

    unsafe fn hear(kernel: &mut Kernel, cell: u32, payload: *const u64) {
        let at = Layout::<Self>::of(&kernel.memory, cell);
        // SAFETY: called by `tell_outcome` only, with a `Born`, on a cell of this table, which holds a `Self` that nobody
        // else uses.
        let (born, then) = unsafe { (Payload::<Born>::take(payload), (*at).then.take()) };
        let owner = kernel.memory.header(cell).parent.get();
        let Some(then) = then else { return };
        // The closure is the owner's code: its panic is the owner's failure.
        kernel.set_running(owner);
        then(born.map(|born| born.map(Address::typed)), &mut Scope::new(kernel));
        kernel.set_running(crate::region::NONE);
    }
}

impl Kernel {
    /// Tells the owner of an outpost what became of its child's birth.
    pub(crate) fn tell_outcome(&mut self, cell: u32, born: Born) {
        let Some(behavior) = self.memory.header(cell).behavior.get() else { return };
        debug_assert_eq!(behavior.role, Role::Outpost);
        if let Some(Err(_)) = born {
            // So that its owner may have another child of that name at once.
            self.strike_name(self.memory.header(cell).parent.get(), cell);
        }
        let mut room = MaybeUninit::<[u64; BORN_WORDS]>::uninit();
        let room = room.as_mut_ptr().cast::<u64>();
        let to = self.address_of(cell);
        // SAFETY: the room is that of a record with a `Born`, which an outpost's table takes from there.
        unsafe {
            record::write(room, to, Kind::Message, born);
            (behavior.receive)(self, cell, room.add(RECORD_HEAD));
        }
    }

    /// Spawns a child on a shard of this realm, and calls `then` with its address, or with nothing where it was stopped before
    /// it was known. Nothing has changed when it fails.
    fn spawn_on<A, F, T>(
        &mut self,
        parent: u32,
        shard: usize,
        birth: Birth<'_>,
        maker: F,
        then: T,
    ) -> Result<(), SpawnError>
    where
        A: Actor,
        F: Maker<A> + Send,
        T: FnOnce(Option<Result<ActorRef<A::Msg>, SpawnError>>, &mut Scope<'_>) + 'static,
    {
        let birth = if birth.name.is_some() { self.decided(parent, birth, true) } else { birth };
        let shard = birth.shard.map_or(shard, usize::from);
        if shard == self.place.shard() {
            let child = self.spawn_cell::<A, F>(parent, birth, MaybeUninit::uninit(), maker)?;
            then(Some(Ok(child)), &mut Scope::new(self));
            return Ok(());
        }
        let place = self.exits.place_of(shard).ok_or(SpawnError::Unreachable)?;
        self.post::<A::Msg, T>(parent, birth.name, place, then, |kernel, cell| {
            kernel.send_child::<A, F>(parent, cell, shard, birth, maker)
        })?;
        Ok(())
    }

    /// Puts an outpost among the children of a cell, and has it sent for the child; gives its cell. Nothing has changed when
    /// it fails.
    fn post<R, T>(
        &mut self,
        parent: u32,
        name: Option<&str>,
        place: Place,
        then: T,
        send: impl FnOnce(&mut Kernel, u32) -> Result<(), SpawnError>,
    ) -> Result<u32, SpawnError>
    where
        R: 'static,
        T: FnOnce(Option<Result<ActorRef<R>, SpawnError>>, &mut Scope<'_>) + 'static,
    {
        if matches!(self.memory.header(parent).identity.get().gate(), Gate::Stopping | Gate::Dead) {
            return Err(SpawnError::Stopping);
        }
        let behavior = Awaiting::<R, T>::BEHAVIOR;
        let cell = self.raw_cell(behavior, Group::Normal, false, Gate::Ready)?;
        let mut posted = self.tie_outpost(parent, cell, name, place);
        if posted.is_ok() {
            posted = send(self, cell);
        }
        if let Err(error) = posted {
            self.strike_name(parent, cell);
            self.give_up(cell);
            return Err(error);
        }
        let awaiting = Awaiting::<R, T> { then: Some(then), types: PhantomData };
        // SAFETY: a fresh cell of this table's class.
        unsafe { Layout::<Awaiting<R, T>>::of(&self.memory, cell).write(awaiting) };
        self.link_child(parent, cell);
        if self.is_held(cell) {
            self.suspend_gate(cell);
        }
        Ok(cell)
    }

    /// Gives an outpost its bond and its name.
    fn tie_outpost(
        &mut self,
        parent: u32,
        cell: u32,
        name: Option<&str>,
        place: Place,
    ) -> Result<(), SpawnError> {
        self.need_side(parent)?;
        let side = self.need_side(cell)?;
        let bond = Bond::new(End::Parent, Address::NOBODY, place);
        let bond = self.bonds.insert(&mut self.memory, bond).map_err(|_| OutOfMemory)?;
        self.sides.get_mut(side).bond = bond;
        name.map_or(Ok(()), |name| self.enter_name(parent, cell, name))
    }

    /// Sends off the call that makes the child.
    fn send_child<A: Actor, F: Maker<A> + Send>(
        &mut self,
        parent: u32,
        cell: u32,
        shard: usize,
        birth: Birth<'_>,
        maker: F,
    ) -> Result<(), SpawnError> {
        let origin = Origin {
            outpost: self.address_of(cell),
            parent: self.address_of(parent),
            prefix: self.prefix_below(parent),
            name: birth.name.map(OwnName::try_from).transpose().map_err(|_| SpawnError::BadName)?,
            group: birth.group,
            bound: birth.bound,
        };
        let call = move |scope: &mut Scope<'_>| scope.kernel().arrive::<A, F>(origin, maker);
        self.call_away(shard, call).map_err(|refused| match refused {
            TellError::Unreachable(_) => SpawnError::Unreachable,
            _ => SpawnError::Full,
        })
    }

    /// A parent's path, for its children elsewhere.
    fn prefix_below(&self, parent: u32) -> Prefix {
        let path = self.path(self.address_of(parent));
        let mut prefix = Prefix::new();
        if write!(prefix, "{path}").is_err() {
            prefix.clear();
            // As one without a name stands in a path, which is short enough.
            let written = write!(prefix, "/user/{}", path.unnamed());
            debug_assert!(written.is_ok());
        }
        prefix
    }

    /// Makes the child of a parent on another shard.
    fn arrive<A: Actor, F: Maker<A>>(&mut self, origin: Origin, maker: F) {
        if !self.exits.leads_to(origin.outpost.place) {
            // Its parent is gone with its kernel.
            return;
        }
        let outpost = origin.outpost;
        if let Err(error) = self.adopt::<A, F>(&origin, maker) {
            self.refuse_birth(outpost, error);
        }
    }

    /// Makes the child of a parent elsewhere, and reports that it is there.
    pub(crate) fn adopt<A: Actor, F: Maker<A>>(
        &mut self,
        origin: &Origin,
        maker: F,
    ) -> Result<ActorRef<A::Msg>, SpawnError> {
        let birth =
            Birth { group: origin.group, bound: origin.bound, from: Some(origin), ..Birth::default() };
        let child = self.spawn_cell::<A, F>(self.root, birth, MaybeUninit::uninit(), maker)?;
        self.speak(child.address().index);
        Ok(child)
    }

    /// The child's end of a bond, and the child's own name.
    pub(crate) fn tie_to(&mut self, cell: u32, origin: &Origin) -> Result<(), SpawnError> {
        let side = self.need_side(cell)?;
        let mut bond = Bond::new(End::Child, origin.outpost, origin.outpost.place);
        (bond.parent, bond.prefix) = (origin.parent, origin.prefix.clone());
        let bond = self.bonds.insert(&mut self.memory, bond).map_err(|_| OutOfMemory)?;
        self.sides.get_mut(side).bond = bond;
        match &origin.name {
            Some(name) => self.note_name(cell, name),
            None => Ok(()),
        }
    }
}

/// How a child on another shard is to be spawned: name, scheduling group, mailbox bound. Made by [`Ctx::child_on`], and by
/// [`Scope::child_on`].
#[must_use = "a spawner does nothing until `spawn_from` or `spawn_then` is called"]
pub struct ChildSpawner<'k, A> {
    kernel: &'k mut Kernel,
    parent: u32,
    shard: usize,
    birth: Birth<'k>,
    owner: PhantomData<fn(A)>,
}

impl<'k, A> ChildSpawner<'k, A> {
    pub(crate) fn below(kernel: &'k mut Kernel, parent: u32, shard: usize) -> ChildSpawner<'k, A> {
        ChildSpawner { kernel, parent, shard, birth: Birth::default(), owner: PhantomData }
    }

    /// A name, unique among the children of this actor, wherever they live. What is decided for the path that it makes
    /// ([`GrantNames::decide`](crate::GrantNames::decide), the deployments of a system) comes before the shard, the group
    /// and the mailbox that are set here.
    pub fn name(mut self, name: &'k str) -> Self {
        self.birth.name = Some(name);
        self
    }

    /// The scheduling group. Unless told otherwise, [`Group::Normal`].
    pub fn group(mut self, group: Group) -> Self {
        self.birth.group = group;
        self
    }

    /// Bounds the messages that may wait for the actor on its own core; see [`Spawner::mailbox`](crate::Spawner::mailbox).
    pub fn mailbox(mut self, bound: u32) -> Self {
        self.birth.bound = bound;
        self
    }

    /// Spawns from a factory that makes the state when the child starts, and again when it is restarted, and calls `then` once
    /// on the parent's kernel with the child's address, or with why there is none: it could not be made there after all, or
    /// its parent has begun to stop it before ([`SpawnError::Stopping`]). Where the shard is the parent's own, that is before
    /// this returns.
    ///
    /// For what looks after children on an actor's behalf, such as a pool: no message is told, so nothing is lost where
    /// queues are full. A panic of `then` is the parent's failure. It is dropped uncalled with the kernel only.
    ///
    /// # Errors
    /// [`SpawnError`]: nothing was begun, and `then` is not called; the factory is dropped.
    pub fn spawn_then<B: Actor>(
        self,
        mut factory: impl FnMut() -> B + Send + 'static,
        then: impl FnOnce(Result<ActorRef<B::Msg>, SpawnError>, &mut Scope<'_>) + 'static,
    ) -> Result<(), SpawnError> {
        self.try_spawn_then(move || Ok(factory()), then)
    }

    /// As [`ChildSpawner::spawn_then`], from a factory that may fail; its failure is the child's, before it handled anything.
    ///
    /// # Errors
    /// As for [`ChildSpawner::spawn_then`].
    pub fn try_spawn_then<B: Actor>(
        self,
        factory: impl FnMut() -> Result<B, Failure> + Send + 'static,
        then: impl FnOnce(Result<ActorRef<B::Msg>, SpawnError>, &mut Scope<'_>) + 'static,
    ) -> Result<(), SpawnError> {
        let then = move |born: Option<_>, scope: &mut Scope<'_>| {
            then(born.unwrap_or(Err(SpawnError::Stopping)), scope);
        };
        self.kernel.spawn_on::<B, _, _>(self.parent, self.shard, self.birth, Made(factory), then)
    }
}

impl<A> ChildSpawner<'_, A> {
    /// Puts an outpost among this actor's children, for one that somebody else is to have made on another host; the shard
    /// that was named here says nothing. The outpost is this actor's child from here on: it has the name, and this actor
    /// waits for its end. `then` is called once, as by [`ChildSpawner::spawn_then`], when it is known what became of the
    /// child: by [`Scope::report_for`], or when the place to which the outpost was bound is lost
    /// ([`SpawnError::Unreachable`]).
    ///
    /// For whoever carries signals between hosts; see [`Outpost`].
    ///
    /// # Errors
    /// [`SpawnError`]: nothing was begun, and `then` is not called.
    pub fn outpost<M: 'static>(
        self,
        then: impl FnOnce(Result<ActorRef<M>, SpawnError>, &mut Scope<'_>) + 'static,
    ) -> Result<Outpost, SpawnError> {
        let ChildSpawner { kernel, parent, birth, .. } = self;
        let birth = if birth.name.is_some() { kernel.decided(parent, birth, false) } else { birth };
        let then = move |born: Option<_>, scope: &mut Scope<'_>| {
            then(born.unwrap_or(Err(SpawnError::Stopping)), scope);
        };
        let cell = kernel.post::<M, _>(parent, birth.name, Place::NOWHERE, then, |_, _| Ok(()))?;
        Ok(Outpost {
            address: kernel.address_of(cell),
            parent: kernel.address_of(parent),
            path: kernel.prefix_below(parent),
            group: birth.group,
            mailbox: birth.bound,
        })
    }
}

impl<A: Actor> ChildSpawner<'_, A> {
    /// Spawns from a factory that makes the state when the child starts, and again when it is restarted. This actor is told
    /// once what `then` makes of the child's address, or of why it could not be made there after all; unless it has begun to
    /// stop the child before. That comes in no order with what the child itself tells. It goes by this actor's queue, as by
    /// [`Scope::answer`]: where that is full it is a dead letter. [`ChildSpawner::spawn_then`] loses nothing.
    ///
    /// # Errors
    /// [`SpawnError`]: nothing was begun, and `then` is not called; the factory is dropped.
    pub fn spawn_from<B: Actor>(
        self,
        mut factory: impl FnMut() -> B + Send + 'static,
        then: impl FnOnce(Result<ActorRef<B::Msg>, SpawnError>) -> A::Msg + 'static,
    ) -> Result<(), SpawnError> {
        self.try_spawn_from(move || Ok(factory()), then)
    }

    /// Spawns from a factory that may fail; its failure is the child's, before it handled anything.
    ///
    /// # Errors
    /// As [`ChildSpawner::spawn_from`].
    pub fn try_spawn_from<B: Actor>(
        self,
        factory: impl FnMut() -> Result<B, Failure> + Send + 'static,
        then: impl FnOnce(Result<ActorRef<B::Msg>, SpawnError>) -> A::Msg + 'static,
    ) -> Result<(), SpawnError> {
        let owner = self.kernel.address_of(self.parent).typed::<A::Msg>();
        let then = move |born: Option<_>, scope: &mut Scope<'_>| {
            if let Some(born) = born {
                scope.answer(owner, then(born));
            }
        };
        self.kernel.spawn_on::<B, _, _>(self.parent, self.shard, self.birth, Made(factory), then)
    }
}

impl<A> fmt::Debug for ChildSpawner<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ChildSpawner(shard: {}, name: {:?}, group: {:?})",
            self.shard, self.birth.name, self.birth.group
        )
    }
}

impl Scope<'_> {
    /// Spawns a child of an actor of this kernel, on any shard of the realm: as [`Ctx::child_on`], on the actor's behalf, by
    /// [`ChildSpawner::spawn_then`]. `None` if that actor is gone.
    pub fn child_on(&mut self, parent: impl Into<Address>, shard: usize) -> Option<ChildSpawner<'_, ()>> {
        let (parent, kernel) = (parent.into(), self.kernel());
        kernel.is_actor(parent).then(|| ChildSpawner::below(kernel, parent.index, shard))
    }
}

impl<A: Actor> Ctx<'_, A> {
    /// Spawns a child on another shard of the realm, with a name, a scheduling group or a mailbox bound.
    ///
    /// The child is this actor's as any other: its failures are decided about here, it is suspended, restarted and stopped
    /// with this actor, and this actor's end waits for its end. Only, each of these takes a way between two cores: a child
    /// that failed, and all below it, wait until the decision has come. If this actor's shard is lost, the child stops.
    ///
    /// Costs a cell and about half a KiB of records here, and about as much there besides the child itself.
    ///
    /// ```
    /// use corelane_kernel::{Actor, ActorRef, Ctx, Failure, Outcome, SpawnError};
    ///
    /// struct Job(u64);
    ///
    /// struct Worker;
    ///
    /// impl Actor for Worker {
    ///     type Msg = Job;
    ///     fn receive(&mut self, Job(n): Job, _: &mut Ctx<'_, Self>) -> Outcome {
    ///         // Restarted by its parent, on whatever core that is.
    ///         if n == 13 { Err(Failure::new("an unlucky job")) } else { Ok(()) }
    ///     }
    /// }
    ///
    /// enum Msg { Hired(Result<ActorRef<Job>, SpawnError>), Work(Job) }
    ///
    /// struct Foreman { worker: Option<ActorRef<Job>> }
    ///
    /// impl Actor for Foreman {
    ///     type Msg = Msg;
    ///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         ctx.child_on(1).name("worker").spawn_from(|| Worker, Msg::Hired)?;
    ///         Ok(())
    ///     }
    ///     fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         match msg {
    ///             Msg::Hired(worker) => self.worker = Some(worker?),
    ///             Msg::Work(job) => if let Some(worker) = self.worker { ctx.tell(worker, job) },
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn child_on(&mut self, shard: usize) -> ChildSpawner<'_, A> {
        let (kernel, cell) = self.parts();
        ChildSpawner::below(kernel, cell, shard)
    }
}

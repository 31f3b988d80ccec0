//! Paths: an actor's names from the top down to itself, as they are printed, and the way back from a path to an actor.
//!
//! `/user/a/b` is the child `b` of the top-level actor `a`. An actor without a name stands in its path as
//! `$shard.index.generation`, which no name can be, and which no other actor of its system ever gets.

use core::any::TypeId;
use core::fmt;

use crate::address::{ActorRef, Address};
use crate::behavior::Role;
use crate::bond::Bond;
use crate::error::ResolveError;
use crate::kernel::Kernel;
use crate::names::Name;
use crate::pool::{Handle, Pool};
use crate::region::{Memory, NONE};
use crate::side::{FAILED_BARE, Side};

/// Segments that are gathered before they are printed: a tree of any depth is printed without an allocation, and without
/// a recursion.
const GATHER: usize = 64;

/// The tree as a path is read off it.
#[derive(Clone, Copy)]
pub(crate) struct Tree<'k> {
    pub(crate) memory: &'k Memory,
    pub(crate) sides: &'k Pool<Side>,
    pub(crate) names: &'k Pool<Name>,
    pub(crate) bonds: &'k Pool<Bond>,
    pub(crate) root: u32,
}

impl<'k> Tree<'k> {
    fn parent(&self, cell: u32) -> Option<u32> {
        let parent = self.memory.header(cell).parent.get();
        (parent != NONE && parent != self.root).then_some(parent)
    }

    fn side(&self, cell: u32) -> Option<&'k Side> {
        let side = self.memory.header(cell).side.get();
        (side != NONE && side != FAILED_BARE).then(|| self.sides.get(Handle::from_number(side)))
    }

    fn name(&self, cell: u32) -> Option<&'k str> {
        let name = self.side(cell)?.name;
        name.is_some().then(|| self.names.get(name).text())
    }

    pub(crate) fn has_name(&self, cell: u32) -> bool {
        self.name(cell).is_some()
    }

    /// What stands before the name of an actor below the root: the path of its parent, which may live elsewhere.
    fn above(&self, cell: u32) -> &'k str {
        let bond = self.side(cell).map_or(Handle::NONE, |side| side.bond);
        if bond.is_some() { &self.bonds.get(bond).prefix } else { "/user" }
    }
}

/// An actor's path, printed as `/user/a/b`. One that does not live on this kernel is printed as its address.
///
/// Printing walks up the tree once for each 64 levels, and allocates nothing.
///
/// ```
/// # use core::mem::MaybeUninit;
/// # use corelane_kernel::{Actor, Ctx, Kernel, KernelConfig, Outcome, Region, Time};
/// struct Parent;
/// struct Child;
///
/// impl Actor for Parent {
///     type Msg = ();
///     fn receive(&mut self, (): (), ctx: &mut Ctx<'_, Self>) -> Outcome {
///         let child = ctx.spawner().name("b").spawn(Child)?;
///         assert_eq!(ctx.scope().path(child).to_string(), "/user/a/b");
///         Ok(())
///     }
/// }
/// # impl Actor for Child {
/// #     type Msg = ();
/// #     fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
/// # }
///
/// # let memory = Box::leak(Box::new([MaybeUninit::<u8>::uninit(); 64 * 1024]));
/// # let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
/// let parent = kernel.scope().spawner().name("a").spawn(Parent)?;
/// kernel.tell(parent, ());
/// while kernel.turn(Time::ZERO).more {}
/// assert_eq!((kernel.stats().actors, kernel.stats().failed), (2, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Path<'k> {
    pub(crate) tree: Tree<'k>,
    pub(crate) address: Address,
    /// The address's cell is the actor's own.
    pub(crate) here: bool,
}

impl Path<'_> {
    /// Whose path it is.
    pub fn address(&self) -> Address {
        self.address
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.here {
            return write!(f, "{:?}", self.address);
        }
        let mut left = 1;
        let mut at = self.address.index;
        while let Some(parent) = self.tree.parent(at) {
            at = parent;
            left += 1;
        }
        f.write_str(self.tree.above(at))?;
        // From the top: those that are left, less the ones nearest to the actor that do not fit the row.
        while left > 0 {
            let some = left.min(GATHER);
            let mut at = Some(self.address.index);
            for _ in some..left {
                at = at.and_then(|cell| self.tree.parent(cell));
            }
            let mut row = [NONE; GATHER];
            for place in row[..some].iter_mut().rev() {
                *place = at.unwrap_or(NONE);
                at = at.and_then(|cell| self.tree.parent(cell));
            }
            for cell in &row[..some] {
                self.segment(*cell, f)?;
            }
            left -= some;
        }
        Ok(())
    }
}

impl Path<'_> {
    fn segment(&self, cell: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tree.name(cell) {
            Some(name) => write!(f, "/{name}"),
            None => write!(f, "/{}", self.unnamed_at(cell)),
        }
    }

    /// The actor as it stands in a path if it has no name.
    pub(crate) fn unnamed(&self) -> Unnamed {
        self.unnamed_at(self.address.index)
    }

    fn unnamed_at(&self, cell: u32) -> Unnamed {
        let generation = self.tree.memory.header(cell).identity.get().generation();
        Unnamed { shard: self.address.place.shard(), cell, generation }
    }
}

/// What stands for an actor without a name in a path.
pub(crate) struct Unnamed {
    shard: usize,
    cell: u32,
    generation: u64,
}

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{}.{}", self.shard, self.cell, self.generation)
    }
}

impl fmt::Debug for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Kernel {
    pub(crate) fn tree(&self) -> Tree<'_> {
        Tree {
            memory: &self.memory,
            sides: &self.sides,
            names: &self.names,
            bonds: &self.bonds,
            root: self.root,
        }
    }

    pub(crate) fn path(&self, address: Address) -> Path<'_> {
        let here = self.is_alive(address) && self.role(address.index) == Role::Actor;
        Path { tree: self.tree(), address, here }
    }

    /// The child of a name, of an actor that lives here.
    pub(crate) fn child_of(&self, parent: Address, name: &str) -> Option<Address> {
        if !self.is_alive(parent) {
            return None;
        }
        self.known_address(self.child_named(parent.index, name)?)
    }

    pub(crate) fn resolve<M: 'static>(&self, address: Address) -> Result<ActorRef<M>, ResolveError> {
        if address.place != self.place && address != Address::NOBODY {
            return Err(ResolveError::Elsewhere);
        }
        if !self.is_alive(address) || self.role(address.index) != Role::Actor {
            return Err(ResolveError::NoActor);
        }
        let speaks = self.protocols.message(address.identity.protocol());
        if speaks.id == TypeId::of::<M>() {
            Ok(address.typed())
        } else {
            Err(ResolveError::OtherProtocol { speaks: (speaks.name)() })
        }
    }
}

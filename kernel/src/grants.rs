//! Grants: who gives out the names of top-level actors where several kernels share them, and decides about actors by their
//! names.
//!
//! Below a parent a name is unique because its kernel alone gives it. At the top a driver of several kernels may want
//! names that are unique among all of them: it sets a granter, which each kernel asks before a top-level actor gets its
//! name, and tells when the name is free again. Without one, each kernel grants for itself.
//!
//! A name is also what an operator can know an actor by. So the granter is asked, before an actor with a name is spawned
//! anywhere in the tree, what holds for its path whatever the code says: its group and the bound of its mailbox.

use core::fmt;
use core::ptr::NonNull;

use crate::address::{Address, Group};
use crate::erased::Erased;
use crate::error::OutOfMemory;
use crate::kernel::Kernel;
use crate::lifecycle::Birth;
use crate::paths::{Path, Tree};

/// Gives out the names of top-level actors, on behalf of several kernels, and decides about actors with a name. Called
/// when one is spawned or gone, never on a message's way. Must not block for long, and must not panic.
///
/// ```
/// # use core::mem::MaybeUninit;
/// # use corelane_kernel::{Actor, Address, Ctx, GrantNames, Kernel, KernelConfig, Outcome, Region, SpawnError};
/// use std::cell::RefCell;
/// use std::collections::HashMap;
/// use std::rc::Rc;
///
/// /// One space of names for all kernels of this thread.
/// #[derive(Clone, Default)]
/// struct Names(Rc<RefCell<HashMap<String, Address>>>);
///
/// impl GrantNames for Names {
///     fn grant(&mut self, name: &str, to: Address) -> bool {
///         let mut names = self.0.borrow_mut();
///         let free = !names.contains_key(name);
///         if free {
///             names.insert(name.to_owned(), to);
///         }
///         free
///     }
///     fn take_back(&mut self, name: &str, _: Address) {
///         self.0.borrow_mut().remove(name);
///     }
/// }
///
/// # struct Idler;
/// # impl Actor for Idler {
/// #     type Msg = ();
/// #     fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
/// # }
/// # fn kernel() -> Result<Kernel, Box<dyn std::error::Error>> {
/// #     let memory = Box::leak(Box::new([MaybeUninit::<u8>::uninit(); 64 * 1024]));
/// #     Ok(Kernel::new(Region::from_static(memory)?, KernelConfig::default())?)
/// # }
/// let names = Names::default();
/// let (mut a, mut b) = (kernel()?, kernel()?);
/// a.scope().grant_names_by(names.clone())?;
/// b.scope().grant_names_by(names)?;
/// a.scope().spawner().name("only").spawn(Idler)?;
/// assert_eq!(b.scope().spawner().name("only").spawn(Idler), Err(SpawnError::NameTaken));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait GrantNames: 'static {
    /// A top-level actor asks for a name, which is well-formed and free on its own kernel. Says whether it gets it.
    fn grant(&mut self, name: &str, to: Address) -> bool;

    /// The name is free again on the actor's kernel. Called once for each name that was granted, at the latest when the
    /// kernel is dropped.
    fn take_back(&mut self, name: &str, from: Address);

    /// An actor with a name, at the top or below a parent, is about to be spawned at this path, of which nothing is
    /// checked yet. Says what comes before what the code says that spawns it; unless implemented, nothing. Actors without
    /// a name are not asked about.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use corelane_kernel::{Actor, Address, Ctx, GrantNames, Group, Kernel, KernelConfig, Outcome, Region};
    /// use corelane_kernel::{Decided, NewPath};
    ///
    /// struct ReportsInBulk;
    ///
    /// impl GrantNames for ReportsInBulk {
    /// #   fn grant(&mut self, _: &str, _: Address) -> bool { true }
    /// #   fn take_back(&mut self, _: &str, _: Address) {}
    ///     fn decide(&mut self, path: &NewPath<'_>) -> Decided {
    ///         let group = path.to_string().ends_with("/report").then_some(Group::Bulk);
    ///         Decided { group, ..Decided::default() }
    ///     }
    /// }
    /// # struct Idler;
    /// # impl Actor for Idler {
    /// #     type Msg = ();
    /// #     fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
    /// # }
    /// # let memory = Box::leak(Box::new([MaybeUninit::<u8>::uninit(); 64 * 1024]));
    /// # let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
    /// # kernel.scope().grant_names_by(ReportsInBulk)?;
    /// # let report = kernel.scope().spawner().name("report").spawn(Idler)?;
    /// # assert_eq!(report.address().group(), Group::Bulk);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn decide(&mut self, path: &NewPath<'_>) -> Decided {
        let _ = path;
        Decided::default()
    }
}

/// What is decided for an actor by its path; what is `None` is left to the code that spawns it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// Its scheduling group.
    pub group: Option<Group>,
    /// How many messages may wait for it on its own core; zero is no bound. See
    /// [`Spawner::mailbox`](crate::Spawner::mailbox).
    pub mailbox: Option<u32>,
    /// Its shard, where it is spawned as a child that may live on any; see [`NewPath::anywhere`] and [`Ctx::child_on`](crate::Ctx::child_on).
    pub shard: Option<u16>,
}

/// The path of an actor that is not there yet, printed as `/user/a/b`. Printing it allocates nothing.
pub struct NewPath<'k> {
    /// `None` below the root.
    parent: Option<Path<'k>>,
    name: &'k str,
    anywhere: bool,
}

impl NewPath<'_> {
    /// Whether it may live on any shard, so that a decision about that is heeded.
    pub fn anywhere(&self) -> bool {
        self.anywhere
    }

    /// The actor's own name.
    pub fn name(&self) -> &str {
        self.name
    }
}

impl fmt::Display for NewPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parent {
            Some(parent) => write!(f, "{parent}/{}", self.name),
            None => write!(f, "/user/{}", self.name),
        }
    }
}

impl fmt::Debug for NewPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The granter in use, if any.
pub(crate) struct Grants {
    granter: Option<Erased<dyn GrantNames>>,
}

impl Grants {
    pub(crate) const fn new() -> Grants {
        Grants { granter: None }
    }

    pub(crate) fn grant(&mut self, name: &str, to: Address) -> bool {
        self.granter.as_mut().is_none_or(|granter| granter.grant(name, to))
    }

    pub(crate) fn take_back(&mut self, name: &str, from: Address) {
        if let Some(granter) = &mut self.granter {
            granter.take_back(name, from);
        }
    }
}

impl Kernel {
    /// What holds for an actor that is to be born, when its granter has had its say.
    pub(crate) fn decided<'a>(&mut self, parent: u32, birth: Birth<'a>, anywhere: bool) -> Birth<'a> {
        let (Some(name), true) = (birth.name, self.grants.granter.is_some()) else { return birth };
        let above = (parent != self.root).then(|| self.address_of(parent));
        // The fields one by one: the granter is asked meanwhile.
        let Kernel { memory, sides, names, bonds, root, grants, .. } = self;
        let Some(granter) = &mut grants.granter else { return birth };
        let tree = Tree { memory, sides, names, bonds, root: *root };
        let parent = above.map(|address| Path { tree, address, here: true });
        let Decided { group, mailbox, shard } = granter.decide(&NewPath { parent, name, anywhere });
        let (group, bound) = (group.unwrap_or(birth.group), mailbox.unwrap_or(birth.bound));
        Birth { group, bound, shard: shard.or(birth.shard), ..birth }
    }

    pub(crate) fn set_granter<G: GrantNames>(&mut self, granter: G) -> Result<(), OutOfMemory> {
        let erased = Erased::new(&mut self.memory, granter).map_err(|_| OutOfMemory)?;
        self.grants = Grants { granter: Some(erased.erase(|at| at as NonNull<dyn GrantNames>)) };
        Ok(())
    }
}

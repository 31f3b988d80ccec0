//! Grants: who gives out the names of top-level actors where several kernels share them.
//!
//! Below a parent a name is unique because its kernel alone gives it. At the top a driver of several kernels may want
//! names that are unique among all of them: it sets a granter, which each kernel asks before a top-level actor gets its
//! name, and tells when the name is free again. Without one, each kernel grants for itself.

use core::ptr::NonNull;

use crate::address::Address;
use crate::erased::Erased;
use crate::error::OutOfMemory;
use crate::kernel::Kernel;

/// Gives out the names of top-level actors, on behalf of several kernels. Called when one is spawned or gone, never on a
/// message's way. Must not block for long, and must not panic.
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
    pub(crate) fn set_granter<G: GrantNames>(&mut self, granter: G) -> Result<(), OutOfMemory> {
        let erased = Erased::new(&mut self.memory, granter).map_err(|_| OutOfMemory)?;
        self.grants = Grants { granter: Some(erased.erase(|at| at as NonNull<dyn GrantNames>)) };
        Ok(())
    }
}

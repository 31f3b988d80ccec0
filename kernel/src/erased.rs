//! Values whose type is not known where they are used. [`Erased`]: in the region, behind a trait, what a box is where there
//! is an allocator. [`AnyMessage`]: borrowed for a call. One of the modules where `unsafe` is allowed.

#![allow(unsafe_code)]

use core::any::{Any, TypeId};
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};

use crate::limits::STATE_ALIGN_MAX;
use crate::region::Memory;

/// Owns a value in the region, drops it, and leaves its room unused: for what lives as long as the kernel.
pub(crate) struct Erased<T: ?Sized> {
    at: NonNull<T>,
}

impl<T> Erased<T> {
    /// Moves a value into the region, or gives it back when that is used up.
    pub(crate) fn new(memory: &mut Memory, value: T) -> Result<Erased<T>, T> {
        const { assert!(align_of::<T>() <= STATE_ALIGN_MAX) };
        let Some(index) = memory.extent(size_of::<T>().max(1)) else { return Err(value) };
        let at = memory.at::<T>(index);
        // SAFETY: the extent is ours, large enough, and aligned to any alignment that passes the assertion.
        unsafe { at.write(value) };
        Ok(Erased { at })
    }

    /// Forgets the type but for `Any`.
    pub(crate) fn any(self) -> Erased<dyn Any>
    where
        T: 'static,
    {
        self.erase(|at| at as NonNull<dyn Any>)
    }

    /// Forgets the type but for a trait; `coerce` is the unsizing coercion.
    pub(crate) fn erase<U: ?Sized>(self, coerce: impl FnOnce(NonNull<T>) -> NonNull<U>) -> Erased<U> {
        let at = coerce(self.at);
        core::mem::forget(self);
        Erased { at }
    }
}

impl<T: ?Sized> Deref for Erased<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the value stands there until this owner is dropped.
        unsafe { self.at.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for Erased<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, borrowed exclusively.
        unsafe { self.at.as_mut() }
    }
}

impl<T: ?Sized> Drop for Erased<T> {
    fn drop(&mut self) {
        // SAFETY: this owner is the only one.
        unsafe { ptr::drop_in_place(self.at.as_ptr()) };
    }
}

/// A message on its way out of the kernel, borrowed: only who told it knows its type.
///
/// What a `&dyn Any` is, but its type is found out without a call, as it is for each message that goes to another host.
///
/// ```
/// use corelane_kernel::AnyMessage;
///
/// let message = AnyMessage::of(&7_u64);
/// assert_eq!((message.get::<u64>(), message.get::<u32>()), (Some(&7), None));
/// ```
#[derive(Clone, Copy)]
pub struct AnyMessage<'a> {
    at: NonNull<()>,
    id: &'static TypeId,
    borrow: PhantomData<&'a dyn Any>,
}

impl<'a> AnyMessage<'a> {
    /// Borrows a message of any type. Costs nothing but the reference.
    #[inline(always)]
    pub const fn of<M: 'static>(message: &'a M) -> AnyMessage<'a> {
        let at = NonNull::from_ref(message).cast();
        AnyMessage { at, id: const { &TypeId::of::<M>() }, borrow: PhantomData }
    }

    /// The identifier of the message's type, by which a table of types is searched.
    #[inline(always)]
    pub const fn id(self) -> TypeId {
        *self.id
    }

    /// The message, if it is of type `M`.
    #[inline(always)]
    pub fn get<M: 'static>(self) -> Option<&'a M> {
        if *self.id != TypeId::of::<M>() {
            return None;
        }
        // SAFETY: it was made of a reference to a value of this type, which is borrowed for as long.
        Some(unsafe { self.at.cast::<M>().as_ref() })
    }
}

impl fmt::Debug for AnyMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyMessage").field(self.id).finish()
    }
}

//! Attachments: values that are dropped when their actor ends. What is made above the kernel for an actor (a future, a
//! connection) hangs a guard on it here. One of the modules where `unsafe` is allowed.

#![allow(unsafe_code)]

use crate::error::OutOfMemory;
use crate::kernel::Kernel;
use crate::limits::MESSAGE_INLINE_MAX;
use crate::pool::Handle;
use crate::region::NONE;
use crate::side::Side;

#[repr(C)]
struct Tag {
    next: u32,
    bytes: u32,
    drop: unsafe fn(*mut u8),
}

const VALUE: usize = size_of::<Tag>().next_multiple_of(8);

impl Kernel {
    /// Hangs a value on a cell.
    pub(crate) fn attach_value<T: 'static>(&mut self, cell: u32, value: T) -> Result<(), OutOfMemory> {
        const {
            assert!(
                align_of::<T>() <= 8 && size_of::<T>() <= MESSAGE_INLINE_MAX,
                "an attachment is a small guard: put what is larger behind a box"
            );
        }
        let side = self.need_side(cell)?;
        let bytes = VALUE + size_of::<T>();
        let parcel = self.memory.parcel(bytes).ok_or(OutOfMemory)?;
        let next = core::mem::replace(&mut self.sides.get_mut(side).attachments, parcel);
        let at = self.memory.at::<u8>(parcel).as_ptr();
        // SAFETY: the parcel has room for the tag and, behind it, the value.
        unsafe {
            at.cast::<Tag>().write(Tag { next, bytes: bytes as u32, drop: drop_at::<T> });
            at.add(VALUE).cast::<T>().write(value);
        }
        Ok(())
    }

    /// Drops all that hangs on a cell, newest first.
    pub(crate) fn drop_attachments(&mut self, side: Handle<Side>) {
        loop {
            let parcel = self.sides.get(side).attachments;
            if parcel == NONE {
                return;
            }
            let at = self.memory.at::<u8>(parcel).as_ptr();
            // SAFETY: the parcel was filled by `attach_value`. It is out of the list before its value is dropped, and
            // its memory is given back before as well: a drop has no way to the kernel, so nothing takes it meanwhile,
            // and giving it back writes to its first word only.
            unsafe {
                let Tag { next, bytes, drop } = at.cast::<Tag>().read();
                self.sides.get_mut(side).attachments = next;
                self.memory.free_parcel(bytes as usize, parcel);
                drop(at.add(VALUE));
            }
        }
    }
}

unsafe fn drop_at<T>(at: *mut u8) {
    // SAFETY: a `T` stands there, dropped here only.
    unsafe { core::ptr::drop_in_place(at.cast::<T>()) };
}

//! Panics: caught around a whole turn, so that they cost nothing while nobody panics, and laid at the door of the
//! actor that ran.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use corelane_kernel::Failure;

/// Runs `f`; a panic becomes a failure with its message.
pub(crate) fn guard<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    // The kernel keeps itself whole at every point where it calls foreign code; see `Kernel::recover`.
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| Failure::panic(text(&*payload)))
}

/// What a panic's payload says.
pub(crate) fn text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic with a payload that is no text")
}

//! Panics: caught around a whole turn, so that they cost nothing while nobody panics, and laid at the door of the
//! actor that ran.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use corelane_kernel::Failure;

use crate::panics;

/// Runs `f`; a panic becomes a failure with its message and its place.
pub(crate) fn guard<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    // The kernel keeps itself whole at every point where it calls foreign code; see `Kernel::recover`.
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| tell(payload, failure))
}

/// The failure that a panic is which was just caught on this thread, by what its payload says.
pub(crate) fn failure(text: &str) -> Failure {
    match panics::location_of(text) {
        Some(location) => Failure::panic_at(text, location),
        None => Failure::panic(text),
    }
}

/// Gives `to` what a panic's payload says, and drops the payload, whose drop may panic as well.
pub(crate) fn tell<T>(payload: Box<dyn Any + Send>, to: impl FnOnce(&str) -> T) -> T {
    let told = to(text(&*payload));
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Somebody means it: the second payload is not given the chance.
        std::mem::forget(again);
    }
    told
}

/// What a panic's payload says.
pub(crate) fn text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic with a payload that is no text")
}

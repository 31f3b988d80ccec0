//! Failures: why an actor could not go on, kept in a fixed few words so that failing allocates nothing.

use core::any::{TypeId, type_name};
use core::fmt::{self, Write};

use heapless::String;

use crate::limits::FAILURE_TEXT_MAX;

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// A handler returned an error.
    Error,
    /// A handler panicked (where there is unwinding).
    Panic,
    /// The factory, or the `started` or `restarted` hook, returned an error or panicked.
    Start,
    /// A watched actor ended and the watcher had no handler for that.
    DeathPact,
}

/// Why an actor failed: a kind, the error's type, and its text.
///
/// Any error converts into one, so handlers may use `?`. The error itself is not kept: its type can be asked for with
/// [`Failure::is`], its text is cut at [`FAILURE_TEXT_MAX`] bytes. `Clone`, `Send`, no allocation.
///
/// A failure that came from another host, about a child there, has its kind, its text and the hash of its error's type's
/// name.
///
/// ```
/// use corelane_kernel::{Failure, FailureKind};
///
/// fn parse(text: &str) -> Result<u8, Failure> {
///     Ok(text.parse()?)
/// }
///
/// let failure = parse("many").unwrap_err();
/// assert_eq!(failure.kind(), FailureKind::Error);
/// assert!(failure.is::<core::num::ParseIntError>());
/// assert_eq!(failure.text(), "invalid digit found in string");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    error: TypeId,
    name: Name,
    text: String<FAILURE_TEXT_MAX, u8>,
}

/// What is known of the error by name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    /// Of its type; where that is [`Located`], of the place of the panic.
    Here(&'static str),
    /// It happened on another host, where the name of its type has this hash.
    There(u64),
}

/// Stands for the error of a panic whose place is known.
struct Located;

/// Stands for an error that happened on another host.
struct Elsewhere;

/// FNV-1a, by Fowler, Noll and Vo.
fn hash_of(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What a handler returns: `Ok` to go on, or the failure that its supervisor decides about.
pub type Outcome = Result<(), Failure>;

struct Cut<'a>(&'a mut String<FAILURE_TEXT_MAX, u8>);

impl Write for Cut<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let room = FAILURE_TEXT_MAX - self.0.len();
        let mut end = s.len().min(room);
        while !s.is_char_boundary(end) {
            end -= 1;
        }
        // It fits: `end` is at most the room that is left.
        self.0.push_str(&s[..end]).map_err(|_| fmt::Error)
    }
}

impl Failure {
    fn with<E: 'static>(kind: FailureKind, text: fmt::Arguments<'_>) -> Failure {
        let mut failure = Failure {
            kind,
            error: TypeId::of::<E>(),
            name: Name::Here(type_name::<E>()),
            text: String::new(),
        };
        // A `Display` that fails leaves what it wrote so far.
        let _ = Cut(&mut failure.text).write_fmt(text);
        failure
    }

    /// A failure with no error value behind it but a text.
    pub fn new(text: impl fmt::Display) -> Failure {
        Failure::with::<()>(FailureKind::Error, format_args!("{text}"))
    }

    /// The failure of a handler that panicked with this message. For drivers that catch unwinding.
    pub fn panic(message: &str) -> Failure {
        Failure::with::<()>(FailureKind::Panic, format_args!("{message}"))
    }

    /// The failure of a handler that panicked with this message, at this place in the source, such as `src/till.rs:17:9`.
    /// For drivers that know it.
    pub fn panic_at(message: &str, location: &'static str) -> Failure {
        let panic = Failure::with::<Located>(FailureKind::Panic, format_args!("{message}"));
        Failure { name: Name::Here(location), ..panic }
    }

    /// A failure that happened on another host, as it is told of there: kind, hash of the name of its error's type
    /// ([`Failure::error_hash`]), text.
    pub fn from_elsewhere(kind: FailureKind, error_hash: u64, text: &str) -> Failure {
        let failure = Failure::with::<Elsewhere>(kind, format_args!("{text}"));
        Failure { name: Name::There(error_hash), ..failure }
    }

    pub(crate) fn death_pact(text: impl fmt::Display) -> Failure {
        Failure::with::<()>(FailureKind::DeathPact, format_args!("{text}"))
    }

    /// What is told of a failure that there was no room to keep.
    pub(crate) fn unkept() -> Failure {
        Failure::new("it failed, and the region had no room to keep why")
    }

    pub(crate) fn at_start(mut self) -> Failure {
        if matches!(self.kind, FailureKind::Error | FailureKind::Panic) {
            self.kind = FailureKind::Start;
        }
        self
    }

    /// What kind of thing went wrong.
    pub const fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Whether an error of type `E` caused it. Where it happened on another host, types are compared by the hashes of their
    /// names ([`core::any::type_name`]), which are the same as long as both hosts were built by one compiler from one layout
    /// of modules: what such a decision is based on should have a type of its own in a stable place.
    pub fn is<E: 'static>(&self) -> bool {
        match self.name {
            Name::Here(_) => self.error == TypeId::of::<E>(),
            Name::There(hash) => hash == hash_of(type_name::<E>()),
        }
    }

    /// Name of the error's type, for people; `()` where there was none, or where it happened on another host.
    pub fn error_name(&self) -> &'static str {
        match self.name {
            Name::Here(name) if self.error != TypeId::of::<Located>() => name,
            _ => type_name::<()>(),
        }
    }

    /// A hash of the name of the error's type (FNV-1a of 64 bits), which another host can compare; that of `()` where there
    /// was none.
    pub fn error_hash(&self) -> u64 {
        match self.name {
            Name::There(hash) => hash,
            Name::Here(_) => hash_of(self.error_name()),
        }
    }

    /// Where in the source the panic was that caused it: file, line and column. `None` where it was no panic, or the driver
    /// does not know.
    pub fn location(&self) -> Option<&'static str> {
        match self.name {
            Name::Here(place) if self.error == TypeId::of::<Located>() => Some(place),
            _ => None,
        }
    }

    /// The error's text, cut at [`FAILURE_TEXT_MAX`] bytes.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<E: core::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::with::<E>(FailureKind::Error, format_args!("{error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            FailureKind::Error => "error",
            FailureKind::Panic => "panic",
            FailureKind::Start => "failed start",
            FailureKind::DeathPact => "death pact",
        };
        write!(f, "{kind}: {}", self.text.as_str())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn an_error_becomes_a_failure_with_its_type_and_text() {
        fn fails() -> Outcome {
            "x".parse::<u8>()?;
            Ok(())
        }
        let failure = fails().unwrap_err();
        assert!(failure.is::<core::num::ParseIntError>() && !failure.is::<fmt::Error>());
        assert_eq!(failure.kind(), FailureKind::Error);
        assert_eq!(failure.to_string(), "error: invalid digit found in string");
    }

    #[test]
    fn a_panic_may_know_its_place_and_says_the_same() {
        let (bare, located) = (Failure::panic("lost"), Failure::panic_at("lost", "src/till.rs:17:9"));
        assert_eq!((bare.location(), located.location()), (None, Some("src/till.rs:17:9")));
        assert_eq!(bare.to_string(), located.to_string());
        assert_eq!((located.kind(), located.error_name()), (FailureKind::Panic, "()"));
        // It knows it still when it was a start that panicked.
        assert_eq!(located.at_start().location(), Some("src/till.rs:17:9"));
        assert_eq!(Failure::new("no panic").location(), None);
    }

    #[test]
    fn an_error_of_another_host_is_known_by_the_name_of_its_type() {
        let here = "x".parse::<u8>().map_err(Failure::from).unwrap_err();
        let there = Failure::from_elsewhere(here.kind(), here.error_hash(), here.text());
        assert!(there.is::<core::num::ParseIntError>() && !there.is::<fmt::Error>() && !there.is::<()>());
        assert_eq!((there.to_string(), there.error_name()), (here.to_string(), "()"));
        assert_eq!(there.error_hash(), here.error_hash());
        let panic = Failure::panic_at("lost", "src/till.rs:17:9");
        let there = Failure::from_elsewhere(panic.kind(), panic.error_hash(), panic.text());
        assert!(there.is::<()>() && there.location().is_none());
        assert_eq!(core::mem::size_of::<Name>(), core::mem::size_of::<&str>());
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let failure = Failure::new("ü".repeat(90));
        assert_eq!(failure.text(), "ü".repeat(40));
        let failure = Failure::new(std::format!("a{}", "ü".repeat(90)));
        assert_eq!(failure.text().len(), 79);
    }
}

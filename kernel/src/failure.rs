//! Failures: why an actor could not go on, kept in a fixed few words so that failing allocates nothing.

use core::any::{TypeId, type_name};
use core::fmt::{self, Write};

use heapless::String;

/// Bytes of a failure's text; what is longer is cut at a character.
pub const TEXT_MAX: usize = 80;

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
/// [`Failure::is`], its text is cut at [`TEXT_MAX`] bytes. `Clone`, `Send`, no allocation.
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
    /// The name of the error's type; where that is [`Located`], the place of the panic.
    name: &'static str,
    text: String<TEXT_MAX, u8>,
}

/// Stands for the error of a panic whose place is known.
struct Located;

/// What a handler returns: `Ok` to go on, or the failure that its supervisor decides about.
pub type Outcome = Result<(), Failure>;

struct Cut<'a>(&'a mut String<TEXT_MAX, u8>);

impl Write for Cut<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let room = TEXT_MAX - self.0.len();
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
        let mut failure =
            Failure { kind, error: TypeId::of::<E>(), name: type_name::<E>(), text: String::new() };
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
        Failure { name: location, ..panic }
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

    /// Whether an error of type `E` caused it.
    pub fn is<E: 'static>(&self) -> bool {
        self.error == TypeId::of::<E>()
    }

    /// Name of the error's type, for people; `()` where there was none.
    pub fn error_name(&self) -> &'static str {
        if self.is::<Located>() { type_name::<()>() } else { self.name }
    }

    /// Where in the source the panic was that caused it: file, line and column. `None` where it was no panic, or the driver
    /// does not know.
    pub fn location(&self) -> Option<&'static str> {
        self.is::<Located>().then_some(self.name)
    }

    /// The error's text, cut at [`TEXT_MAX`] bytes.
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
    fn a_long_text_is_cut_at_a_character() {
        let failure = Failure::new("ü".repeat(90));
        assert_eq!(failure.text(), "ü".repeat(40));
        let failure = Failure::new(std::format!("a{}", "ü".repeat(90)));
        assert_eq!(failure.text().len(), 79);
    }
}

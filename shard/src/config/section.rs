//! Settings of a layer above: a table of keys over a type of its own, read, checked and shown by the same machinery as the
//! system's settings.
//!
//! The shard knows of a layer's settings what a [`Section`] says: their names, what they allow, and how to get and set them.
//! [`Sources::section`](super::Sources::section) asks for them; the layer's extension gets what came out by
//! [`Loading::settings`](crate::Loading::settings). The system's own settings are held in the same way, so that whoever reads,
//! checks or shows settings makes no difference between them.

use std::any::TypeId;
use std::fmt;

use super::builder::Builder;
use super::keys::PREFIX;
use super::value::{Allowed, Value};

/// One key of a layer's settings, an `S`.
///
/// Its variable of the environment follows from its name: `CORELANE_REMOTE_BIND` for `remote.bind`.
pub struct SectionKey<S> {
    /// The names of the tables it is in and its own, joined by dots: `remote.bind`. In small letters, digits and underscores.
    pub name: &'static str,
    /// What it allows.
    pub allowed: Allowed,
    /// Its value.
    pub get: fn(&S) -> Value,
    /// Sets it, to a value that it allows.
    pub set: fn(&mut S, &Value),
}

/// Settings of a layer above, as a type and a table of their keys.
///
/// ```
/// use std::time::Duration;
/// use corelane_kernel::Scope;
/// use corelane_shard::config::{Allowed, Section, SectionKey, Value};
/// use corelane_shard::{BoxError, Extension, Loading, Sources, System};
///
/// #[derive(Clone, Debug)]
/// struct Journal { folder: String, flush_every: Duration }
///
/// impl Default for Journal {
///     fn default() -> Journal {
///         Journal { folder: "journal".into(), flush_every: Duration::from_millis(10) }
///     }
/// }
///
/// impl Section for Journal {
///     const KEYS: &'static [SectionKey<Journal>] = &[
///         SectionKey {
///             name: "journal.folder",
///             allowed: Allowed::text(),
///             get: |journal| Value::Text(journal.folder.clone()),
///             set: |journal, value| value.text(|folder| journal.folder = folder),
///         },
///         SectionKey {
///             name: "journal.flush_every",
///             allowed: Allowed::time(Duration::ZERO, Duration::from_secs(1)),
///             get: |journal| Value::Time(journal.flush_every),
///             set: |journal, value| value.time(|every| journal.flush_every = every),
///         },
///     ];
/// }
///
/// struct Journals(Journal);
///
/// impl Extension for Journals {
///     const NAME: &'static str = "journals";
///     type Shard = ();
///     fn on_shard(&self, _: &mut Scope<'_>) -> Result<(), BoxError> { Ok(()) }
/// }
///
/// fn journals(loading: &Loading<'_>) -> Result<Journals, BoxError> {
///     Ok(Journals(loading.settings::<Journal>().unwrap_or_default()))
/// }
///
/// let text = "shards = 1\npinned = false\n[journal]\nfolder = \"/var/shop\"\nflush_every = \"2 ms\"\n";
/// let config = Sources::new().section::<Journal>().text("shop.toml", text).load()?;
/// assert!(config.to_string().contains("flush_every = \"2 ms\"  # shop.toml:5"));
///
/// // What the program sets wins.
/// let builder = config.builder().configure::<Journal>(|journal| journal.folder = "/tmp/shop".into());
/// let system = builder.extension(journals).start()?;
/// let loaded = system.extension::<Journals>().ok_or("it is loaded")?;
/// assert_eq!((loaded.0.folder.as_str(), loaded.0.flush_every), ("/tmp/shop", Duration::from_millis(2)));
///
/// let misspelt = Sources::new().section::<Journal>().text("shop.toml", "journal.folders = \"/var\"").load();
/// assert!(misspelt.unwrap_err().to_string().ends_with("unknown key; did you mean journal.folder?"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Section: Clone + Default + fmt::Debug + Send + Sync + 'static {
    /// Its keys, in the order in which they are shown: those of one table one after the other, none of them the system's.
    const KEYS: &'static [SectionKey<Self>];

    /// Checks the relations of the values, when all sources are read and each value is one that its key allows.
    ///
    /// # Errors
    /// [`Conflict`] says what does not go together.
    fn check(&self) -> Result<(), Conflict> {
        Ok(())
    }
}

/// Settings that do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The keys that have a part in it. The place of the first one that somebody has set is named.
    pub keys: Vec<&'static str>,
    /// What is wrong.
    pub reason: String,
}

/// A section whatever its type.
pub(crate) trait AnySection: fmt::Debug + Send + Sync {
    fn names(&self) -> Vec<&'static str>;
    fn allowed(&self, at: usize) -> Allowed;
    fn get(&self, at: usize) -> Value;
    fn set(&mut self, at: usize, value: &Value);
    fn check(&self) -> Result<(), Conflict>;
    /// Gives the settings to a builder, for the extension that reads them.
    fn give(&self, builder: &mut Builder);
    fn boxed(&self) -> Box<dyn AnySection>;
}

impl<S: Section> AnySection for S {
    fn names(&self) -> Vec<&'static str> {
        S::KEYS.iter().map(|key| key.name).collect()
    }

    fn allowed(&self, at: usize) -> Allowed {
        S::KEYS[at].allowed
    }

    fn get(&self, at: usize) -> Value {
        (S::KEYS[at].get)(self)
    }

    fn set(&mut self, at: usize, value: &Value) {
        (S::KEYS[at].set)(self, value);
    }

    fn check(&self) -> Result<(), Conflict> {
        Section::check(self)
    }

    fn give(&self, builder: &mut Builder) {
        builder.extensions.settings.put(self.clone());
    }

    fn boxed(&self) -> Box<dyn AnySection> {
        Box::new(self.clone())
    }
}

/// How a section is made, and its type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SectionType {
    pub(crate) id: TypeId,
    pub(crate) make: fn() -> Box<dyn AnySection>,
}

impl SectionType {
    pub(crate) fn of<S: Section>() -> SectionType {
        SectionType { id: TypeId::of::<S>(), make: || Box::new(S::default()) }
    }
}

/// The variable of the environment of a key: `CORELANE_KERNEL_BUDGET` for `kernel.budget`.
pub(crate) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "_").to_ascii_uppercase())
}

/// The table a key is in, empty for the top; and its own name.
pub(crate) fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

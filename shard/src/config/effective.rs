//! The effective configuration: every setting with its value and where that comes from.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;

use toml_writer::ToTomlKey as _;

use super::builder::Builder;
use super::keys::{DEPLOY, DEPLOY_KEYS, EXTENSIONS, ROUTEES_AT, ROUTEES_ON, SHARD};
use super::problem::{ConfigError, ConfigProblem, Origin};
use super::section::{AnySection, Conflict, SectionType, split};
use super::source::Sources;
use super::value::{Allowed, Value};
use crate::deploy::{Decision, Deployment, Origins};

/// A configuration of a system, read from [`Sources`]: every setting with its value and its origin.
///
/// Its text is a configuration file that gives the same values, with their origins as comments.
///
/// ```
/// use corelane_shard::Sources;
///
/// let config = Sources::new().text("shop.toml", "idle = \"frugal\"").load()?;
/// let text = config.to_string();
/// assert!(text.contains("idle = \"frugal\""));
/// assert!(text.contains("# shop.toml:1"));
/// let again = Sources::new().text("again.toml", text).load()?;
/// assert!(again.settings().zip(config.settings()).all(|(a, b)| a.value == b.value));
/// # Ok::<(), corelane_shard::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Config {
    builder: Builder,
    /// Of the layers above.
    sections: Vec<Box<dyn AnySection>>,
    /// By section, the system's own first, and by key, in the order of its table of keys.
    origins: Vec<Vec<(&'static str, Origin)>>,
    /// By path, then by key.
    deployments: BTreeMap<String, Vec<Option<(Value, Origin)>>>,
}

/// The place of a key: its section, and its place in the section's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyAt {
    section: usize,
    key: usize,
}

/// One setting as it holds, with where it was decided; from [`Config::settings`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting<'c> {
    /// The key with its tables, joined by dots; of a deployment, without them.
    pub key: &'static str,
    /// Its value.
    pub value: Value,
    /// Where the value comes from.
    pub origin: &'c Origin,
}

/// The defaults of the system's own settings.
impl Default for Config {
    fn default() -> Config {
        Config::of(&[])
    }
}

impl Clone for Config {
    fn clone(&self) -> Config {
        Config {
            builder: self.builder.clone(),
            sections: self.sections.iter().map(|section| section.boxed()).collect(),
            origins: self.origins.clone(),
            deployments: self.deployments.clone(),
        }
    }
}

impl Config {
    /// The defaults of the system and of these layers.
    pub(crate) fn of(sections: &[SectionType]) -> Config {
        let sections = sections.iter().map(|section| (section.make)()).collect();
        let mut config = Config {
            builder: Builder::default(),
            sections,
            origins: Vec::new(),
            deployments: BTreeMap::new(),
        };
        let origins = |section: &dyn AnySection| {
            section.names().into_iter().map(|name| (name, Origin::Default)).collect()
        };
        config.origins = config.all().map(origins).collect();
        config
    }

    /// The system's own settings, then those of the layers above.
    fn all(&self) -> impl Iterator<Item = &dyn AnySection> {
        let own: &dyn AnySection = &self.builder;
        std::iter::once(own).chain(self.sections.iter().map(|section| &**section))
    }

    fn section(&self, at: usize) -> &dyn AnySection {
        match at.checked_sub(1) {
            None => &self.builder,
            Some(at) => &*self.sections[at],
        }
    }

    /// The key of this name.
    pub(crate) fn find(&self, name: &str) -> Option<KeyAt> {
        let key = |row: &Vec<(&'static str, Origin)>| row.iter().position(|(known, _)| *known == name);
        let mut rows = self.origins.iter().enumerate();
        rows.find_map(|(section, row)| Some(KeyAt { section, key: key(row)? }))
    }

    /// The names of all keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.origins.iter().flatten().map(|(name, _)| *name)
    }

    /// What a key allows.
    pub(crate) fn allowed(&self, at: KeyAt) -> Allowed {
        self.section(at.section).allowed(at.key)
    }

    /// Whether a key is somewhere below the table of this name, as `kernel.budget` is below `kernel`.
    pub(crate) fn is_table(&self, name: &str) -> bool {
        self.names().any(|key| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    }

    /// All that may stand in a file: keys and tables.
    pub(crate) fn names_in_files(&self) -> Vec<&'static str> {
        let tables = self.names().flat_map(|key| key.match_indices('.').map(move |(end, _)| &key[..end]));
        self.names().chain(tables).chain([DEPLOY]).collect()
    }

    /// Notes which of the settings do not go together.
    pub(crate) fn check(&self, problems: &mut Vec<ConfigProblem>) {
        for section in self.all() {
            let Err(Conflict { keys, reason }) = section.check() else { continue };
            let places = || keys.iter().filter_map(|key| Some((*key, self.origin(key)?)));
            let set = places().find(|(_, origin)| **origin != Origin::Default);
            let (key, at) = set.or_else(|| places().next()).unwrap_or(("", &Origin::Default));
            problems.push(ConfigProblem::Conflict { at: at.clone(), key: key.to_owned(), reason });
        }
    }

    fn origin(&self, name: &str) -> Option<&Origin> {
        Some(&self.origins.iter().flatten().find(|(key, _)| *key == name)?.1)
    }

    /// A builder with all of these settings, for more or to start. What is set on it wins.
    pub fn builder(&self) -> Builder {
        let mut builder = self.builder.clone();
        for section in &self.sections {
            section.give(&mut builder);
        }
        // Which names there are is known at the start only, where the error is to name the place.
        builder.extensions.listed_at = self.origin(EXTENSIONS).map(Origin::to_string);
        for (path, values) in &self.deployments {
            let mut deployment = Deployment::new();
            for (key, (value, _)) in
                DEPLOY_KEYS.iter().zip(values).filter_map(|(key, set)| Some((key, set.as_ref()?)))
            {
                (key.set)(&mut deployment, value);
            }
            let origin = |name| {
                let set = DEPLOY_KEYS.iter().zip(values).find(|(key, _)| key.name == name)?.1.as_ref()?;
                Some(set.1.to_string())
            };
            let origins =
                Origins { on: origin(SHARD), routees_on: origin(ROUTEES_ON), routees_at: origin(ROUTEES_AT) };
            builder.decisions.push(Decision { path: path.clone(), deployment, origins });
        }
        builder
    }

    /// Every setting of the system, and of the layers that were asked for: the same ones in the same order for every
    /// configuration of them.
    pub fn settings(&self) -> impl Iterator<Item = Setting<'_>> {
        self.all().zip(&self.origins).flat_map(|(section, row)| {
            row.iter().enumerate().map(move |(at, row)| {
                let (key, origin) = row;
                Setting { key, value: section.get(at), origin }
            })
        })
    }

    /// What is decided for actors, by path: the settings of each deployment that are set.
    pub fn deployments(&self) -> impl Iterator<Item = (&str, Vec<Setting<'_>>)> {
        self.deployments.iter().map(|(path, values)| {
            let set = DEPLOY_KEYS.iter().zip(values).filter_map(|(key, set)| {
                let (value, origin) = set.as_ref()?;
                Some(Setting { key: key.name, value: value.clone(), origin })
            });
            (path.as_str(), set.collect())
        })
    }

    /// The keys that a deployment may have.
    pub fn deployment_keys() -> impl Iterator<Item = &'static str> {
        DEPLOY_KEYS.iter().map(|key| key.name)
    }

    /// Lays a value over that of a key.
    pub(crate) fn set(&mut self, at: KeyAt, value: &Value, origin: Origin) {
        match at.section.checked_sub(1) {
            None => self.builder.set(at.key, value),
            Some(section) => self.sections[section].set(at.key, value),
        }
        self.origins[at.section][at.key].1 = origin;
    }

    /// There is a deployment of this path, if only one that decides nothing and keeps patterns away.
    pub(crate) fn deploy(&mut self, path: &str) -> &mut Vec<Option<(Value, Origin)>> {
        self.deployments.entry(path.to_owned()).or_insert_with(|| vec![None; DEPLOY_KEYS.len()])
    }

    /// Lays a value over that of a deployment's key.
    pub(crate) fn set_deployed(&mut self, path: &str, index: usize, value: Value, origin: Origin) {
        self.deploy(path)[index] = Some((value, origin));
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = "";
        let mut lines = Vec::new();
        for setting in self.settings() {
            let (own_table, own) = split(setting.key);
            if own_table != table {
                write_lines(f, &mut lines)?;
                write!(f, "\n[{own_table}]\n")?;
                table = own_table;
            }
            lines.push((format!("{own} = {}", setting.value), setting.origin));
        }
        write_lines(f, &mut lines)?;
        for (path, settings) in self.deployments() {
            write!(f, "\n[{DEPLOY}.{}]\n", path.to_toml_key())?;
            let mut lines: Vec<_> = settings
                .iter()
                .map(|setting| (format!("{} = {}", setting.key, setting.value), setting.origin))
                .collect();
            write_lines(f, &mut lines)?;
        }
        Ok(())
    }
}

/// Lines of a table with their origins one below the other; none are left.
fn write_lines(f: &mut fmt::Formatter<'_>, lines: &mut Vec<(String, &Origin)>) -> fmt::Result {
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (line, origin) in lines.drain(..) {
        writeln!(text, "{line:width$}  # {origin}")?;
    }
    f.write_str(&text)
}

impl Builder {
    /// A builder with the settings of a TOML file, and the defaults for the rest. What is set on it wins over the file. No
    /// variables of the environment are read; see [`Sources`] for several sources, and the project's
    /// `examples/corelane.toml` for every key.
    ///
    /// # Errors
    /// [`ConfigError`], with everything that is wrong with the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Builder, ConfigError> {
        Ok(Sources::new().file(path).load()?.builder())
    }

    /// A builder with the settings of the environment's variables `CORELANE_*`, and the defaults for the rest; see
    /// [`Sources::environment`]. What is set on it wins.
    ///
    /// # Errors
    /// [`ConfigError`], with everything that is wrong with the variables.
    pub fn from_env() -> Result<Builder, ConfigError> {
        Ok(Sources::new().environment().load()?.builder())
    }
}

//! The effective configuration: every setting with its value and where that comes from.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;

use toml_writer::ToTomlKey as _;

use super::builder::Builder;
use super::keys::{DEPLOY, DEPLOY_KEYS, EXTENSIONS, KEYS, ROUTEES_ON, SHARD};
use super::problem::{ConfigError, Origin};
use super::source::Sources;
use super::value::Value;
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
#[derive(Clone, Debug)]
pub struct Config {
    builder: Builder,
    /// By key, in the order of the table of keys.
    origins: Vec<Origin>,
    /// By path, then by key.
    deployments: BTreeMap<String, Vec<Option<(Value, Origin)>>>,
}

/// One setting.
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

/// The defaults.
impl Default for Config {
    fn default() -> Config {
        Config {
            builder: Builder::default(),
            origins: vec![Origin::Default; KEYS.len()],
            deployments: BTreeMap::new(),
        }
    }
}

impl Config {
    /// A builder with all of these settings, for more or to start. What is set on it wins.
    pub fn builder(&self) -> Builder {
        let mut builder = self.builder.clone();
        // Which names there are is known at the start only, where the error is to name the place.
        let listed = KEYS.iter().zip(&self.origins).find(|(key, _)| key.name == EXTENSIONS);
        builder.extensions.listed_at = listed.map(|(_, origin)| origin.to_string());
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
            let origins = Origins { on: origin(SHARD), routees_on: origin(ROUTEES_ON) };
            builder.decisions.push(Decision { path: path.clone(), deployment, origins });
        }
        builder
    }

    /// Every setting of the system, the same ones in the same order for every configuration.
    pub fn settings(&self) -> impl Iterator<Item = Setting<'_>> {
        let settings = KEYS.iter().zip(&self.origins);
        settings.map(|(key, origin)| Setting { key: key.name, value: (key.get)(&self.builder), origin })
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

    /// Lays a value over that of a key, by its place in the table of keys.
    pub(crate) fn set(&mut self, index: usize, value: &Value, origin: Origin) {
        (KEYS[index].set)(&mut self.builder, value);
        self.origins[index] = origin;
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
        for (key, setting) in KEYS.iter().zip(self.settings()) {
            let (own_table, own) = key.split();
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

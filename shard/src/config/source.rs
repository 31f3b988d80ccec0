//! Where configuration comes from: files, texts, variables of the environment; and reading them.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::{self, Lines};
use super::effective::Config;
use super::keys::PREFIX;
use super::nearest::nearest;
use super::problem::{ConfigError, ConfigProblem, Origin, PROBLEMS_MAX, excerpt};
use super::section::{Section, SectionType, variable};
use super::value::Raw;

/// Largest file, in bytes: more is no configuration, or a device that never ends.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What follows the prefix in variables that are none of ours: Kubernetes sets the first three in every container beside a
/// service named `corelane`, and the project's own tests are given the last.
const NOT_OURS: [&str; 4] = ["SERVICE_HOST", "SERVICE_PORT", "PORT", "BENCH_JSON"];

/// Where a configuration is to be read from. Nothing is read that is not named here.
///
/// Later wins: what a file says is laid over the defaults, what a later file says over that, and what the environment
/// says over all of them, wherever in the chain it is asked for. What is then set on the [`Builder`](crate::Builder) wins
/// over everything that was read.
///
/// ```
/// use corelane_shard::Sources;
///
/// let config = Sources::new()
///     .text("shop.toml", "lane_bytes = \"128 KiB\"\n[kernel]\nbudget = 256\n")
///     .variables([("CORELANE_KERNEL_BUDGET", "1024")])
///     .load()?;
/// let budget = config.settings().find(|setting| setting.key == "kernel.budget").unwrap();
/// assert_eq!(budget.value.to_string(), "1024");
/// assert_eq!(budget.origin.to_string(), "CORELANE_KERNEL_BUDGET");
///
/// let system = config.builder().shards(1).start()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sources {
    sections: Vec<SectionType>,
    documents: Vec<Document>,
    variables: Variables,
}

#[derive(Clone, Debug)]
enum Document {
    File(PathBuf),
    Text { name: Arc<str>, text: String },
}

#[derive(Clone, Debug, Default)]
enum Variables {
    #[default]
    None,
    Environment,
    Given(Vec<(OsString, OsString)>),
}

impl Sources {
    /// No sources: what is loaded from them has the default of each setting.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Reads a layer's settings as well, wherever in the chain it is asked for; see [`Section`]. The layer's extension gets them
    /// by [`Loading::settings`](crate::Loading::settings).
    ///
    /// # Panics
    /// If one of its keys, or the variable of one, is that of another setting.
    #[must_use]
    pub fn section<S: Section>(mut self) -> Sources {
        let section = SectionType::of::<S>();
        if self.sections.iter().all(|known| known.id != section.id) {
            let config = Config::of(&self.sections);
            let known: Vec<_> = config.names().map(variable).collect();
            for key in S::KEYS {
                assert!(!known.contains(&variable(key.name)), "{} is the key of another setting", key.name);
            }
            self.sections.push(section);
        }
        self
    }

    /// A TOML file, of at most 1 MiB. It must be there.
    #[must_use]
    pub fn file(mut self, path: impl AsRef<Path>) -> Sources {
        self.documents.push(Document::File(path.as_ref().to_owned()));
        self
    }

    /// A text as if it stood in a file of this name, which is in no need to exist.
    #[must_use]
    pub fn text(mut self, name: &str, text: impl Into<String>) -> Sources {
        self.documents.push(Document::Text { name: name.into(), text: text.into() });
        self
    }

    /// The variables of the process's environment that begin with `CORELANE_`: one for each key, in capitals, with an
    /// underscore for each dot (`CORELANE_KERNEL_BUDGET`). An unknown one is an error. Passed over are those that
    /// Kubernetes sets for a service named `corelane` (`CORELANE_SERVICE_HOST`, `CORELANE_PORT` and the like).
    ///
    /// What is decided for single actors has no variables.
    #[must_use]
    pub fn environment(mut self) -> Sources {
        self.variables = Variables::Environment;
        self
    }

    /// These variables instead of the process's.
    #[must_use]
    pub fn variables<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Sources {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.variables = Variables::Given(variables.collect());
        self
    }

    /// Reads all of them.
    ///
    /// # Errors
    /// [`ConfigError`], with everything that is wrong in any of them.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut config = Config::of(&self.sections);
        let mut problems = Vec::new();
        for document in &self.documents {
            match document {
                Document::Text { name, text } => document::read(name, text, &mut config, &mut problems),
                Document::File(path) => {
                    let file: Arc<str> = path.to_string_lossy().into();
                    match read_file(path, &file) {
                        Ok(text) => document::read(&file, &text, &mut config, &mut problems),
                        Err(problem) => problems.push(*problem),
                    }
                }
            }
        }
        match &self.variables {
            Variables::None => {}
            // Not `vars`, which panics where a variable is no Unicode.
            Variables::Environment => read_variables(std::env::vars_os(), &mut config, &mut problems),
            Variables::Given(given) => read_variables(given.iter().cloned(), &mut config, &mut problems),
        }
        if problems.is_empty() {
            config.check(&mut problems);
        }
        ConfigError::unless_empty(problems)?;
        Ok(config)
    }
}

fn read_file(path: &Path, file: &Arc<str>) -> Result<String, Box<ConfigProblem>> {
    let unreadable = |reason: String| Box::new(ConfigProblem::Unreadable { file: file.clone(), reason });
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|open| open.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable("is larger than 1 MiB, which no configuration is".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        let lines = Lines::of(&text);
        // Up to there the lossy text is the file's.
        let at = Origin::File { file: file.clone(), line: lines.line(valid) };
        let message = "the file must be UTF-8".to_owned();
        Box::new(ConfigProblem::Syntax { at, column: lines.column(&text, valid), message })
    })
}

fn is_ours(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| {
        let goes_on = |after: &str| after.is_empty() || after.starts_with('_');
        !NOT_OURS.iter().any(|other| rest.strip_prefix(other).is_some_and(goes_on))
    })
}

fn read_variables(
    variables: impl Iterator<Item = (OsString, OsString)>,
    config: &mut Config,
    problems: &mut Vec<ConfigProblem>,
) {
    let named = |(name, value): (OsString, OsString)| (name.to_string_lossy().into_owned(), value);
    let mut ours: Vec<_> = variables.map(named).filter(|(name, _)| is_ours(name)).collect();
    ours.sort();
    for (variable, value) in ours {
        if problems.len() >= PROBLEMS_MAX {
            return;
        }
        if let Err(problem) = read_variable(&variable, &value, config) {
            problems.push(*problem);
        }
    }
}

fn read_variable(named: &str, value: &OsStr, config: &mut Config) -> Result<(), Box<ConfigProblem>> {
    let at = Origin::Environment { variable: named.to_owned() };
    let found = config.names().find(|name| variable(name) == named);
    let Some((name, key)) = found.and_then(|name| Some((name, config.find(name)?))) else {
        let known: Vec<_> = config.names().map(variable).collect();
        let meant = nearest_variable(named, &known);
        return Err(Box::new(ConfigProblem::UnknownKey { at, key: excerpt(named), meant }));
    };
    let allowed = config.allowed(key);
    let read = match value.to_str() {
        Some(text) => allowed.read(Raw::Variable(text)),
        None => Err(Some("it must be UTF-8".to_owned())),
    };
    match read {
        Ok(read) => {
            config.set(key, &read, at);
            Ok(())
        }
        Err(hint) => {
            let found = excerpt(&format!("{:?}", value.to_string_lossy()));
            let (key, allowed) = (name.to_owned(), allowed.to_string());
            Err(Box::new(ConfigProblem::BadValue { at, key, found, allowed, hint }))
        }
    }
}

/// Of what follows the prefix, which would make every name like every other.
fn nearest_variable(variable: &str, known: &[String]) -> Option<String> {
    let rest = variable.strip_prefix(PREFIX)?.to_lowercase();
    let lower: Vec<_> = known.iter().map(|known| known[PREFIX.len()..].to_lowercase()).collect();
    let meant = nearest(&rest, lower.iter().map(String::as_str))?;
    Some(format!("{PREFIX}{}", meant.to_uppercase()))
}

//! What is wrong with a configuration, and where: each problem names its place, what was found there and what is allowed.

use std::fmt;
use std::sync::Arc;

use crate::deploy::DeployPathError;

/// So many problems are kept; a file with more is no configuration.
pub(crate) const PROBLEMS_MAX: usize = 100;

/// So many characters of what was found are shown.
const SHOWN: usize = 60;

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A file.
    File {
        /// Its path, as it was given.
        file: Arc<str>,
        /// The line, counted from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment {
        /// Its name.
        variable: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { file, line } => write!(f, "{}:{line}", Escaped(file)),
            Origin::Environment { variable } => Escaped(variable).fmt(f),
        }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// A file cannot be read.
    Unreadable {
        /// Its path.
        file: Arc<str>,
        /// What the system said.
        reason: String,
    },
    /// A file is no TOML. Nothing behind this place is looked at.
    Syntax {
        /// Where.
        at: Origin,
        /// The character in the line, counted from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// There is no such key or variable.
    UnknownKey {
        /// Where.
        at: Origin,
        /// The key with its tables, or the variable.
        key: String,
        /// What may have been meant.
        meant: Option<String>,
    },
    /// The key does not allow the value.
    BadValue {
        /// Where.
        at: Origin,
        /// The key with its tables.
        key: String,
        /// The value, as it stands there.
        found: String,
        /// What is allowed, in words.
        allowed: String,
        /// What is wrong with the value, where that can be said.
        hint: Option<String>,
    },
    /// What stands for a path in a deployment is none.
    BadPath {
        /// Where.
        at: Origin,
        /// What stands there.
        path: String,
        /// Why it is none.
        error: DeployPathError,
    },
    /// Values that are allowed each for itself do not go together.
    Conflict {
        /// Where one of them was set.
        at: Origin,
        /// Its key with its tables.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigProblem::Unreadable { file, reason } => write!(f, "{}: {reason}", Escaped(file)),
            ConfigProblem::Syntax { at, column, message } => write!(f, "{at}:{column}: {message}"),
            ConfigProblem::UnknownKey { at, key, meant } => {
                match at {
                    Origin::Environment { .. } => write!(f, "{at}: unknown variable")?,
                    _ => write!(f, "{at}: {}: unknown key", Escaped(key))?,
                }
                meant.as_ref().map_or(Ok(()), |meant| write!(f, "; did you mean {meant}?"))
            }
            ConfigProblem::BadValue { at, key, found, allowed, hint } => {
                write!(f, "{at}: ")?;
                if !matches!(at, Origin::Environment { .. }) {
                    write!(f, "{}: ", Escaped(key))?;
                }
                write!(f, "found {}", Escaped(found))?;
                if let Some(hint) = hint {
                    write!(f, " ({})", Escaped(hint))?;
                }
                write!(f, "; allowed: {allowed}")
            }
            ConfigProblem::BadPath { at, path, error } => write!(f, "{at}: deploy {path:?}: {error}"),
            ConfigProblem::Conflict { at, key, reason } => write!(f, "{at}: {key}: {}", Escaped(reason)),
        }
    }
}

/// Everything that is wrong with a configuration, one problem a line: those of files in their order, then those of
/// variables by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
}

impl ConfigError {
    /// `Ok` where nothing is wrong.
    pub(crate) fn unless_empty(problems: Vec<ConfigProblem>) -> Result<(), ConfigError> {
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }

    /// The problems, at least one; no more than the first hundred or so.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// The beginning of what was found, on one line.
pub(crate) fn excerpt(found: &str) -> String {
    let mut shown: String = found.chars().take(SHOWN).collect();
    if shown.len() < found.len() {
        shown.push_str("...");
    }
    shown
}

/// A text with its control characters escaped, so that it stays on its line whatever is in it.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

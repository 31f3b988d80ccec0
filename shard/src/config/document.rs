//! A file's text: every value in it with its key and its line, or what is wrong with it.
//!
//! The document is walked as the parser gives it, with the place of each key and value. So tables, dotted keys and inline
//! tables are the same here, and every problem has a line.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::effective::Config;
use super::keys::{DEPLOY, DEPLOY_KEYS};
use super::nearest::nearest;
use super::problem::{ConfigProblem, Origin, PROBLEMS_MAX, excerpt};
use super::value::Raw;
use crate::deploy::DeployPath;

/// Lays what a file says over a configuration; what is wrong with it goes to `problems`.
pub(crate) fn read(file: &Arc<str>, text: &str, config: &mut Config, problems: &mut Vec<ConfigProblem>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::of(text);
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let start = error.span().map_or(0, |span| span.start);
            let at = Origin::File { file: file.clone(), line: lines.line(start) };
            let message = on_one_line(error.message());
            problems.push(ConfigProblem::Syntax { at, column: lines.column(text, start), message });
            return;
        }
    };
    let mut walk = Walk { file, text, lines, config, problems: Vec::new() };
    walk.table("", table.get_ref());
    // The parser sorts by key; people read by line.
    walk.problems.sort_by_key(|(start, _)| *start);
    problems.extend(walk.problems.into_iter().map(|(_, problem)| problem));
}

/// The parser's words, which may go over several lines.
fn on_one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where each line begins.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Lines {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Lines([0].into_iter().chain(starts).collect())
    }

    /// Counted from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at).max(1)
    }

    /// In characters, counted from 1.
    pub(crate) fn column(&self, text: &str, at: usize) -> usize {
        let start = self.0[self.line(at) - 1];
        text.get(start..at).map_or(1, |before| before.chars().count() + 1)
    }
}

struct Walk<'w> {
    file: &'w Arc<str>,
    text: &'w str,
    lines: Lines,
    config: &'w mut Config,
    /// With their places.
    problems: Vec<(usize, ConfigProblem)>,
}

impl Walk<'_> {
    fn at(&self, start: usize) -> Origin {
        Origin::File { file: self.file.clone(), line: self.lines.line(start) }
    }

    fn is_full(&self) -> bool {
        self.problems.len() >= PROBLEMS_MAX
    }

    fn unknown<'c>(&mut self, key: &str, start: usize, candidates: impl Iterator<Item = &'c str>) {
        let meant = nearest(key, candidates).map(str::to_owned);
        let problem = ConfigProblem::UnknownKey { at: self.at(start), key: excerpt(key), meant };
        self.problems.push((start, problem));
    }

    fn bad(&mut self, key: &str, value: &Spanned<DeValue<'_>>, allowed: String, hint: Option<String>) {
        let span = value.span();
        let found = match value.get_ref() {
            // A table's place is its head's.
            DeValue::Table(_) => "a table".to_owned(),
            _ => excerpt(self.text.get(span.clone()).unwrap_or_default()),
        };
        let at = self.at(span.start);
        let problem = ConfigProblem::BadValue { at, key: key.to_owned(), found, allowed, hint };
        self.problems.push((span.start, problem));
    }

    /// A table of settings; `prefix` is its name with a dot, or nothing for the top.
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            if self.is_full() {
                return;
            }
            let start = key.span().start;
            let own = key.get_ref().as_ref();
            let name = format!("{prefix}{own}");
            // A quoted key may hold a dot, and is no way into a table then.
            let known = !own.contains('.');
            if known && let Some(key) = self.config.find(&name) {
                let allowed = self.config.allowed(key);
                match allowed.read(Raw::File(value.get_ref())) {
                    Ok(read) => self.config.set(key, &read, self.at(start)),
                    Err(hint) => self.bad(&name, value, allowed.to_string(), hint),
                }
            } else if known && name == DEPLOY {
                match value.get_ref() {
                    DeValue::Table(paths) => self.deployments(paths),
                    _ => self.bad(&name, value, format!("tables like [{DEPLOY}.\"/user/name\"]"), None),
                }
            } else if known && self.config.is_table(&name) {
                match value.get_ref() {
                    DeValue::Table(table) => self.table(&format!("{name}."), table),
                    _ => self.bad(&name, value, format!("a table, [{name}]"), None),
                }
            } else {
                let names = self.config.names_in_files();
                self.unknown(&name, start, names.into_iter());
            }
        }
    }

    fn deployments(&mut self, paths: &DeTable<'_>) {
        for (path, value) in paths {
            if self.is_full() {
                return;
            }
            let start = path.span().start;
            let path = path.get_ref().as_ref();
            if let Err(error) = DeployPath::parse(path) {
                let problem = ConfigProblem::BadPath { at: self.at(start), path: excerpt(path), error };
                self.problems.push((start, problem));
                continue;
            }
            match value.get_ref() {
                DeValue::Table(table) => self.deployment(path, table),
                _ => {
                    let key = format!("{DEPLOY}.\"{path}\"");
                    self.bad(&key, value, format!("a table, [{key}]"), None);
                }
            }
        }
    }

    fn deployment(&mut self, path: &str, table: &DeTable<'_>) {
        self.config.deploy(path);
        for (key, value) in table {
            if self.is_full() {
                return;
            }
            let start = key.span().start;
            let own = key.get_ref().as_ref();
            let Some(index) = DEPLOY_KEYS.iter().position(|key| key.name == own) else {
                let name = format!("{DEPLOY}.\"{path}\".{own}");
                let meant = nearest(own, DEPLOY_KEYS.iter().map(|key| key.name)).map(str::to_owned);
                let problem = ConfigProblem::UnknownKey { at: self.at(start), key: excerpt(&name), meant };
                self.problems.push((start, problem));
                continue;
            };
            let allowed = &DEPLOY_KEYS[index].allowed;
            match allowed.read(Raw::File(value.get_ref())) {
                Ok(read) => self.config.set_deployed(path, index, read, self.at(start)),
                Err(hint) => {
                    self.bad(&format!("{DEPLOY}.\"{path}\".{own}"), value, allowed.to_string(), hint);
                }
            }
        }
    }
}

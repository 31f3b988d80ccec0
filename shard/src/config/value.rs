//! Values of settings: what a key allows, reading it from a file or a variable, and writing it.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;
use toml_writer::{ToTomlValue as _, TomlStringBuilder};

use super::measure::{self, SIZES, TIMES};
use super::nearest;
use crate::topology::{format_core_list, parse_core_list};

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// One of the words that the key knows, like `auto` or `balanced`.
    Word(&'static str),
    /// Any text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(u64),
    /// A size in bytes.
    Bytes(u64),
    /// A time.
    Time(Duration),
    /// Cores, in the order in which they are used.
    Cores(Vec<usize>),
    /// Names, in the order in which they are listed.
    Names(Vec<String>),
    /// Shards, from the first to the last.
    Shards(usize, usize),
}

/// As a configuration file has it: `"64 KiB"`, `4`, `true`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Word(word) => write!(f, "\"{word}\""),
            Value::Text(text) => f.write_str(&TomlStringBuilder::new(text).as_basic().to_toml_value()),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Bytes(bytes) => write!(f, "\"{}\"", measure::format(*bytes, SIZES)),
            Value::Time(time) => write!(f, "\"{}\"", measure::format(nanos(*time), TIMES)),
            Value::Cores(cores) => write!(f, "\"{}\"", format_core_list(cores)),
            Value::Shards(first, last) if first == last => write!(f, "{first}"),
            Value::Shards(first, last) => write!(f, "\"{first}-{last}\""),
            Value::Names(names) => {
                f.write_str("[")?;
                let mut before = "";
                for name in names {
                    write!(f, "{before}{}", TomlStringBuilder::new(name).as_basic().to_toml_value())?;
                    before = ", ";
                }
                f.write_str("]")
            }
        }
    }
}

/// Of a time within the bounds of a setting.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What a setter takes from a value. Setters are given values of the shape that their key allows, so what does not fit is passed
/// over.
impl Value {
    /// Gives `set` the text of a [`Value::Text`].
    pub fn text(&self, set: impl FnOnce(String)) {
        if let Value::Text(text) = self {
            set(text.clone());
        }
    }

    /// Gives `set` the names of a [`Value::Names`], in their order.
    pub fn names(&self, set: impl FnOnce(Vec<String>)) {
        if let Value::Names(names) = self {
            set(names.clone());
        }
    }

    /// Gives `set` the yes or no of a [`Value::Flag`].
    pub fn flag(&self, set: impl FnOnce(bool)) {
        if let Value::Flag(flag) = self {
            set(*flag);
        }
    }

    /// Gives `set` the time of a [`Value::Time`].
    pub fn time(&self, set: impl FnOnce(Duration)) {
        if let Value::Time(time) = self {
            set(*time);
        }
    }

    /// What stands beside a word in a table.
    pub fn named<T: Copy>(&self, table: &[(&'static str, T)], set: impl FnOnce(T)) {
        if let Value::Word(word) = self
            && let Some((_, value)) = table.iter().find(|(name, _)| name == word)
        {
            set(*value);
        }
    }

    /// A number, or a size in bytes.
    pub fn number(&self, set: impl FnOnce(u64)) {
        if let Value::Number(number) | Value::Bytes(number) = self {
            set(*number);
        }
    }

    /// A number, or a size in bytes, that memory can have.
    pub fn size(&self, set: impl FnOnce(usize)) {
        if let Some(size) = self.to_usize() {
            set(size);
        }
    }

    /// A number, or a size in bytes, of 32 bits.
    pub fn count(&self, set: impl FnOnce(u32)) {
        if let Some(Ok(count)) = self.to_usize().map(u32::try_from) {
            set(count);
        }
    }

    /// `None` for what is no number, like a word.
    pub fn to_usize(&self) -> Option<usize> {
        match self {
            Value::Number(number) | Value::Bytes(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(crate) fn to_cores(&self) -> Option<Vec<usize>> {
        match self {
            Value::Cores(cores) => Some(cores.clone()),
            _ => None,
        }
    }
}

/// What a key allows: one of some words, or a value of some shape.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    pub(crate) words: &'static [&'static str],
    pub(crate) shape: Shape,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Nothing but the words.
    None,
    /// Text that is not empty and holds no control characters.
    Text,
    Flag,
    Number {
        least: u64,
        most: u64,
    },
    Bytes {
        least: u64,
        most: u64,
    },
    Time {
        least: Duration,
        most: Duration,
    },
    Cores,
    /// Each at most once, none empty, without commas and control characters.
    Names,
    /// One shard, or some that follow each other.
    Shards {
        most: usize,
    },
    /// Text that only its layer can read.
    Parsed {
        what: &'static str,
        parse: fn(&str) -> Result<String, String>,
    },
    /// Names that only its layer can read; one at least.
    ParsedList {
        what: &'static str,
        parse: fn(&str) -> Result<String, String>,
    },
}

impl Allowed {
    const fn shaped(shape: Shape) -> Allowed {
        Allowed { words: &[], shape }
    }

    /// One of these words and nothing else: a [`Value::Word`].
    pub const fn words(words: &'static [&'static str]) -> Allowed {
        Allowed { words, shape: Shape::None }
    }

    /// One of these words as well.
    #[must_use]
    pub const fn or(self, words: &'static [&'static str]) -> Allowed {
        Allowed { words, shape: self.shape }
    }

    /// Text that is not empty and holds no control characters: a [`Value::Text`].
    pub const fn text() -> Allowed {
        Allowed::shaped(Shape::Text)
    }

    /// Text that the layer reads itself: a [`Value::Text`]. `what` says what is allowed, as errors have it: "an address, like
    /// \"127.0.0.1:80\"". `parse` gives the text in the form in which it is kept and shown, or what is wrong with it.
    pub const fn parsed(what: &'static str, parse: fn(&str) -> Result<String, String>) -> Allowed {
        Allowed::shaped(Shape::Parsed { what, parse })
    }

    /// `true` or `false`: a [`Value::Flag`].
    pub const fn flag() -> Allowed {
        Allowed::shaped(Shape::Flag)
    }

    /// A whole number within bounds: a [`Value::Number`].
    pub const fn number(least: u64, most: u64) -> Allowed {
        Allowed::shaped(Shape::Number { least, most })
    }

    /// A size within bounds, like `"64 KiB"`: a [`Value::Bytes`].
    pub const fn bytes(least: u64, most: u64) -> Allowed {
        Allowed::shaped(Shape::Bytes { least, most })
    }

    /// A time within bounds, like `"10 s"`: a [`Value::Time`].
    pub const fn time(least: Duration, most: Duration) -> Allowed {
        Allowed::shaped(Shape::Time { least, most })
    }

    /// Names, each at most once: a [`Value::Names`].
    pub const fn names() -> Allowed {
        Allowed::shaped(Shape::Names)
    }

    /// Names that the layer reads itself, each at most once, and one at least: a [`Value::Names`]. `what` and `parse` are as for
    /// [`Allowed::parsed`].
    pub const fn parsed_list(what: &'static str, parse: fn(&str) -> Result<String, String>) -> Allowed {
        Allowed::shaped(Shape::ParsedList { what, parse })
    }

    pub(crate) const fn cores() -> Allowed {
        Allowed::shaped(Shape::Cores)
    }

    pub(crate) const fn shards(most: usize) -> Allowed {
        Allowed::shaped(Shape::Shards { most })
    }
}

/// A value as it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Raw<'a> {
    /// Of a file, which tells text from numbers.
    File(&'a DeValue<'a>),
    /// Of a variable, where all is text.
    Variable(&'a str),
}

/// Why a value was refused, besides that the key does not allow it.
pub(crate) type Hint = Option<String>;

impl Allowed {
    pub(crate) fn read(&self, raw: Raw<'_>) -> Result<Value, Hint> {
        if let Some(text) = raw.text()
            && let Some(word) = self.words.iter().find(|word| **word == text)
        {
            return Ok(Value::Word(word));
        }
        self.read_shape(raw).map_err(|hint| {
            let meant = || nearest::nearest(raw.text()?, self.words.iter().copied());
            hint.or_else(|| meant().map(|word| format!("did you mean \"{word}\"?")))
        })
    }

    fn read_shape(&self, raw: Raw<'_>) -> Result<Value, Hint> {
        match self.shape {
            Shape::None => Err(None),
            Shape::Text => match raw.text() {
                Some(text) if !text.is_empty() && !text.contains(char::is_control) => {
                    Ok(Value::Text(text.to_owned()))
                }
                _ => Err(None),
            },
            Shape::Flag => raw.flag().map(Value::Flag).ok_or(None),
            Shape::Number { least, most } => {
                let number = raw.number().ok_or(None)?;
                if (least..=most).contains(&number) { Ok(Value::Number(number)) } else { Err(None) }
            }
            Shape::Bytes { least, most } => {
                let bytes = match raw.number() {
                    Some(bytes) => bytes,
                    None => measure::parse(raw.text().ok_or(None)?, SIZES)?,
                };
                if (least..=most).contains(&bytes) { Ok(Value::Bytes(bytes)) } else { Err(None) }
            }
            Shape::Time { least, most } => {
                let time = measure::parse(raw.text().ok_or(None)?, TIMES)?;
                let time = Duration::from_nanos(time);
                if (least..=most).contains(&time) { Ok(Value::Time(time)) } else { Err(None) }
            }
            Shape::Cores => raw.cores().and_then(|cores| match first_twice(&cores) {
                Some(core) => Err(Some(format!("core {core} is listed twice"))),
                None => Ok(Value::Cores(cores)),
            }),
            Shape::Shards { most } => {
                let shards = raw.shards()?;
                if *shards.end() <= most {
                    Ok(Value::Shards(*shards.start(), *shards.end()))
                } else {
                    Err(None)
                }
            }
            Shape::Parsed { parse, .. } => parse(raw.text().ok_or(None)?).map(Value::Text).map_err(Some),
            Shape::Names => once(raw.names()?),
            Shape::ParsedList { parse, .. } => {
                let names = raw.names()?;
                let read = |name: &String| parse(name).map_err(|error| Some(format!("{name:?}: {error}")));
                let names = names.iter().map(read).collect::<Result<Vec<_>, Hint>>()?;
                if names.is_empty() { Err(None) } else { once(names) }
            }
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for word in self.words {
            write!(f, "{before}\"{word}\"")?;
            before = ", ";
        }
        let or = if self.words.is_empty() { "" } else { ", or " };
        match self.shape {
            Shape::None => Ok(()),
            Shape::Text => write!(f, "{or}text that is not empty and has no control characters"),
            Shape::Flag => write!(f, "{or}true or false"),
            Shape::Number { least, most } => write!(f, "{or}a whole number from {least} to {most}"),
            Shape::Bytes { least, most } => {
                let (least, most) = (measure::format(least, SIZES), measure::format(most, SIZES));
                write!(f, "{or}a size from {least} to {most}, like \"64 KiB\", or a number of bytes")
            }
            Shape::Time { least, most } => {
                f.write_str(or)?;
                f.write_str("a time ")?;
                if !least.is_zero() {
                    write!(f, "from {} ", measure::format(nanos(least), TIMES))?;
                }
                let up_to = if least.is_zero() { "up to" } else { "to" };
                write!(f, "{up_to} {}, like \"10 s\" or \"500 ms\"", measure::format(nanos(most), TIMES))
            }
            Shape::Cores => write!(f, "{or}a list of cores, like \"0-3,6\" or [0, 1, 2]"),
            Shape::Shards { most } => {
                write!(f, "{or}shards from 0 to {most}, like 2 or \"2-5\"")
            }
            Shape::Parsed { what, .. } | Shape::ParsedList { what, .. } => write!(f, "{or}{what}"),
            Shape::Names => write!(f, "{or}a list of names, like \"one,two\" or [\"one\", \"two\"]"),
        }
    }
}

impl<'a> Raw<'a> {
    fn text(self) -> Option<&'a str> {
        match self {
            Raw::File(value) => value.as_str(),
            Raw::Variable(text) => Some(text),
        }
    }

    fn flag(self) -> Option<bool> {
        match self {
            Raw::File(value) => value.as_bool(),
            Raw::Variable(text) => text.parse().ok(),
        }
    }

    fn number(self) -> Option<u64> {
        match self {
            Raw::File(value) => {
                let integer = value.as_integer()?;
                u64::from_str_radix(integer.as_str(), integer.radix()).ok()
            }
            // Not all that `parse` takes: a plus is no part of a number.
            Raw::Variable(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            Raw::Variable(_) => None,
        }
    }

    fn cores(self) -> Result<Vec<usize>, Hint> {
        if let Some(text) = self.text() {
            return parse_core_list(text).map_err(|error| Some(error.to_string()));
        }
        let Raw::File(DeValue::Array(array)) = self else { return Err(None) };
        if array.is_empty() {
            return Err(Some("the list is empty".to_owned()));
        }
        // Bounded as a list in a text is, by its rules for each number.
        array
            .iter()
            .map(|item| {
                let core = Raw::File(item.get_ref()).number().ok_or(None)?;
                let core = parse_core_list(&core.to_string()).map_err(|error| Some(error.to_string()))?;
                Ok(core[0])
            })
            .collect()
    }

    fn shards(self) -> Result<RangeInclusive<usize>, Hint> {
        let number = |number: u64| usize::try_from(number).map_err(|_| None);
        if let Some(shard) = self.number() {
            let shard = number(shard)?;
            return Ok(shard..=shard);
        }
        let (first, last) = self.text().and_then(|text| text.split_once('-')).ok_or(None)?;
        let [first, last] = [first, last].map(|text| Raw::Variable(text.trim()).number());
        let (first, last) = (number(first.ok_or(None)?)?, number(last.ok_or(None)?)?);
        if last < first {
            return Err(Some(format!("{first}-{last} runs backwards")));
        }
        Ok(first..=last)
    }

    /// Of an empty text none.
    fn names(self) -> Result<Vec<String>, Hint> {
        let name = |name: &str| {
            let name = name.trim();
            if name.is_empty() {
                return Err(Some("a name is empty".to_owned()));
            }
            if name.contains(|c: char| c == ',' || c.is_control()) {
                return Err(Some(format!("{name:?} is no name")));
            }
            Ok(name.to_owned())
        };
        if let Some(text) = self.text() {
            return if text.trim().is_empty() { Ok(Vec::new()) } else { text.split(',').map(name).collect() };
        }
        let Raw::File(DeValue::Array(array)) = self else { return Err(None) };
        array.iter().map(|item| name(item.get_ref().as_str().ok_or(None)?)).collect()
    }
}

/// Names, if each is listed once.
fn once(names: Vec<String>) -> Result<Value, Hint> {
    match first_twice(&names) {
        Some(name) => Err(Some(format!("{name:?} is listed twice"))),
        None => Ok(Value::Names(names)),
    }
}

fn first_twice<T: Ord + Clone>(list: &[T]) -> Option<T> {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone())
}

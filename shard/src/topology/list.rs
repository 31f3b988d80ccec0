//! Lists of cores as text: `0,2-5`.
//!
//! The one grammar for the command line, sysfs and procfs: numbers and ascending ranges, separated by commas,
//! blanks around each allowed. Order and repetitions are kept, because the caller's order is the order of the
//! shards; whether a repetition is a mistake is for [`plan`](super::plan()) to say.

use std::fmt;
use std::iter::Peekable;
use std::str::{Chars, FromStr};

/// The highest core number that a list may name. The largest Linux build knows 8,192 cores; a number past
/// this bound is a slip of the keyboard, and a range up to it would only fill memory.
pub const CORE_NUMBER_MAX: usize = 65_535;

/// What is wrong with a list of cores, and where. Positions count characters from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoreListError {
    /// The text names no core at all.
    Empty,
    /// A core number should stand here.
    NotANumber {
        /// Position of the offending character, or one past the end.
        at: usize,
        /// The character found; `None` at the end of the text.
        found: Option<char>,
    },
    /// After a core number comes a comma, a hyphen or the end.
    NotASeparator {
        /// Position of the offending character.
        at: usize,
        /// The character found.
        found: char,
    },
    /// The number is above [`CORE_NUMBER_MAX`].
    TooLarge {
        /// Position of the number's first digit.
        at: usize,
    },
    /// A range that counts down.
    Backwards {
        /// Position of the range's first digit.
        at: usize,
        /// The number before the hyphen.
        first: usize,
        /// The number after it.
        last: usize,
    },
    /// More entries than there are core numbers: some must be repeated.
    TooMany {
        /// Position of the item that is too much.
        at: usize,
    },
}

impl fmt::Display for CoreListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("the list of cores is empty; write it like 0,2-5"),
            Self::NotANumber { at, found: Some(found) } => {
                write!(f, "character {at}: expected a core number, found {found:?}")
            }
            Self::NotANumber { at, found: None } => {
                write!(f, "character {at}: expected a core number, found the end")
            }
            Self::NotASeparator { at, found } => {
                write!(f, "character {at}: expected ',' or '-' after a core number, found {found:?}")
            }
            Self::TooLarge { at } => write!(f, "character {at}: core numbers end at {CORE_NUMBER_MAX}"),
            Self::Backwards { at, first, last } => {
                write!(f, "character {at}: the range {first}-{last} counts down; write {last}-{first}")
            }
            Self::TooMany { at } => {
                write!(f, "character {at}: the list names more than {} cores", CORE_NUMBER_MAX + 1)
            }
        }
    }
}

impl std::error::Error for CoreListError {}

/// Reads a list of cores like `0,2-5`: here 0, 2, 3, 4, 5. Order and repetitions are kept.
///
/// # Errors
/// [`CoreListError`], which names the position. An empty text is an error too.
pub fn parse_core_list(text: &str) -> Result<Vec<usize>, CoreListError> {
    let mut scan = Scanner { rest: text.chars().peekable(), at: 1 };
    scan.skip_blanks();
    if scan.rest.peek().is_none() {
        return Err(CoreListError::Empty);
    }
    let mut cores = Vec::new();
    loop {
        scan.skip_blanks();
        let at = scan.at;
        let first = scan.number()?;
        scan.skip_blanks();
        let mut last = first;
        if scan.rest.peek() == Some(&'-') {
            scan.step();
            scan.skip_blanks();
            last = scan.number()?;
            scan.skip_blanks();
        }
        if last < first {
            return Err(CoreListError::Backwards { at, first, last });
        }
        if cores.len() + (last - first) > CORE_NUMBER_MAX {
            return Err(CoreListError::TooMany { at });
        }
        cores.extend(first..=last);
        match scan.rest.peek().copied() {
            None => return Ok(cores),
            Some(',') => scan.step(),
            Some(found) => return Err(CoreListError::NotASeparator { at: scan.at, found }),
        }
    }
}

/// The characters still to read, and the position of the next one.
struct Scanner<'a> {
    rest: Peekable<Chars<'a>>,
    at: usize,
}

impl Scanner<'_> {
    fn step(&mut self) {
        self.rest.next();
        self.at += 1;
    }

    fn skip_blanks(&mut self) {
        while self.rest.peek().is_some_and(|c| c.is_whitespace()) {
            self.step();
        }
    }

    fn number(&mut self) -> Result<usize, CoreListError> {
        let at = self.at;
        let mut number: Option<usize> = None;
        while let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(10)) {
            number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit as usize));
            self.step();
        }
        match number {
            Some(number) if number <= CORE_NUMBER_MAX => Ok(number),
            Some(_) => Err(CoreListError::TooLarge { at }),
            None => Err(CoreListError::NotANumber { at, found: self.rest.peek().copied() }),
        }
    }
}

/// Writes cores the way [`parse_core_list`] reads them, runs of neighbours as ranges; `none` for no core.
pub fn format_core_list(cores: &[usize]) -> String {
    if cores.is_empty() {
        return "none".to_owned();
    }
    cores
        .chunk_by(|a, b| a.checked_add(1) == Some(*b))
        .map(|run| match run {
            [first, .., last] => format!("{first}-{last}"),
            [only] => only.to_string(),
            [] => String::new(),
        })
        .collect::<Vec<_>>()
        .join(",")
}

/// A list of cores that knows its text form, for command lines: `FromStr` is [`parse_core_list`], `Display`
/// is [`format_core_list`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreList(Vec<usize>);

impl CoreList {
    /// The cores, in the order in which they were listed.
    pub fn as_slice(&self) -> &[usize] {
        &self.0
    }
}

impl FromStr for CoreList {
    type Err = CoreListError;

    fn from_str(text: &str) -> Result<Self, CoreListError> {
        parse_core_list(text).map(Self)
    }
}

impl fmt::Display for CoreList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_core_list(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ranges_and_blanks() {
        assert_eq!(parse_core_list("0"), Ok(vec![0]));
        assert_eq!(parse_core_list("0,2-5"), Ok(vec![0, 2, 3, 4, 5]));
        assert_eq!(parse_core_list(" 7 , 1 - 2 \n"), Ok(vec![7, 1, 2]));
        assert_eq!(parse_core_list("3-3"), Ok(vec![3]));
        assert_eq!(parse_core_list("65535"), Ok(vec![CORE_NUMBER_MAX]));
    }

    #[test]
    fn order_and_repetitions_are_kept() {
        assert_eq!(parse_core_list("5,1,5,0-1"), Ok(vec![5, 1, 5, 0, 1]));
    }

    #[test]
    fn errors_name_the_position() {
        use CoreListError::*;
        let cases = [
            ("", Empty),
            (" \n", Empty),
            ("x", NotANumber { at: 1, found: Some('x') }),
            (",1", NotANumber { at: 1, found: Some(',') }),
            ("0,,1", NotANumber { at: 3, found: Some(',') }),
            ("0,1,", NotANumber { at: 5, found: None }),
            ("0-", NotANumber { at: 3, found: None }),
            ("-1", NotANumber { at: 1, found: Some('-') }),
            ("0, é", NotANumber { at: 4, found: Some('é') }),
            ("0 1", NotASeparator { at: 3, found: '1' }),
            ("0-2-4", NotASeparator { at: 4, found: '-' }),
            ("0;1", NotASeparator { at: 2, found: ';' }),
            ("1.5", NotASeparator { at: 2, found: '.' }),
            ("0,65536", TooLarge { at: 3 }),
            ("99999999999999999999999999", TooLarge { at: 1 }),
            ("0,5-2", Backwards { at: 3, first: 5, last: 2 }),
            ("1,0-65535", TooMany { at: 3 }),
        ];
        for (text, error) in cases {
            assert_eq!(parse_core_list(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn the_message_shows_position_and_character() {
        let message = |text| parse_core_list(text).expect_err("a bad list").to_string();
        assert_eq!(message("0,x"), "character 3: expected a core number, found 'x'");
        assert_eq!(message("0,"), "character 3: expected a core number, found the end");
        assert_eq!(message("4-1"), "character 1: the range 4-1 counts down; write 1-4");
    }

    #[test]
    fn what_is_written_can_be_read() {
        assert_eq!(format_core_list(&[]), "none");
        for (cores, text) in [
            (vec![0], "0"),
            (vec![0, 1], "0-1"),
            (vec![0, 1, 2, 5, 7, 8], "0-2,5,7-8"),
            (vec![3, 2, 1], "3,2,1"),
            (vec![4, 4, 5], "4,4-5"),
        ] {
            assert_eq!(format_core_list(&cores), text);
            assert_eq!(parse_core_list(text), Ok(cores.clone()));
            assert_eq!(text.parse::<CoreList>().map(|list| list.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(format_core_list(&[usize::MAX, 0]), format!("{},0", usize::MAX));
    }
}

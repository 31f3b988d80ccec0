//! Requests as they come over a connection: the RESP protocol's arrays of bulk strings, and inline commands.
//!
//! The parser knows no socket: it is shown the bytes that have come so far, says whether they begin with a whole request,
//! and keeps where it stopped, so that a request that comes in many pieces is looked at once. Arguments are not copied:
//! they are places in the bytes. What a peer may send is bounded before anything is reserved for it.
//!
//! The protocol: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use std::fmt;
use std::ops::Range;

/// Arguments of one request.
const ARGS_MAX: i64 = 1024 * 1024;

/// Bytes of one argument.
const BULK_MAX: i64 = 512 * 1024 * 1024;

/// Bytes of one request: arguments, each of which is short enough, may be too long together.
const REQUEST_MAX: usize = 1024 * 1024 * 1024;

/// Bytes of an inline command, and of any line of a request.
const LINE_MAX: usize = 64 * 1024;

/// What a peer said that is no request. The connection is closed after it was told so: where the next request begins is
/// not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProtocolError {
    TooManyArguments,
    TooLong,
    BadBulkLength,
    NoBulk(u8),
    LineTooLong,
    NoLineEnd,
    UnbalancedQuotes,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        match self {
            ProtocolError::TooManyArguments => f.write_str("invalid multibulk length"),
            ProtocolError::TooLong => f.write_str("too big request"),
            ProtocolError::BadBulkLength => f.write_str("invalid bulk length"),
            ProtocolError::NoBulk(byte) => write!(f, "expected '$', got '{}'", byte.escape_ascii()),
            ProtocolError::LineTooLong => f.write_str("too big inline request"),
            ProtocolError::NoLineEnd => f.write_str("a bulk string does not end with a line's end"),
            ProtocolError::UnbalancedQuotes => f.write_str("unbalanced quotes in request"),
        }
    }
}

/// Where the parser stands in a request of which a part has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// At its first byte.
    #[default]
    Start,
    /// So many arguments are still to come.
    Args(usize),
    /// As above; the next one has so many bytes.
    Bulk(usize, usize),
}

/// The next request in a connection's bytes.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    state: State,
    /// Up to here the request was looked at.
    at: usize,
    args: Vec<Range<usize>>,
    /// Arguments of an inline command with quotes, which do not lie in the input as they are.
    unquoted: Vec<u8>,
    quoted: bool,
}

impl Parser {
    /// Looks for a whole request at the beginning of `input`, which begins with the bytes that it was shown before, if the
    /// last answer was `None`. Gives how many bytes the request has, with or without arguments: an empty line has none.
    pub(crate) fn parse(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        if self.state == State::Start
            && let Some(length) = self.plain_array(input)
        {
            return Ok(Some(length));
        }
        loop {
            match self.state {
                State::Start => {
                    self.args.clear();
                    self.quoted = false;
                    match input.first() {
                        None => return Ok(None),
                        Some(b'*') => {
                            let Some(count) = self.number(input, 1, ProtocolError::TooManyArguments)? else {
                                return Ok(None);
                            };
                            if count > ARGS_MAX {
                                return Err(ProtocolError::TooManyArguments);
                            }
                            // None, or fewer than none, is a request to do nothing.
                            self.state = State::Args(count.max(0) as usize);
                        }
                        Some(_) => {
                            let Some(line) = self.line(input, 0)? else { return Ok(None) };
                            self.split(input, line)?;
                            return Ok(Some(self.whole()));
                        }
                    }
                }
                State::Args(0) => return Ok(Some(self.whole())),
                State::Args(left) => {
                    match input.get(self.at) {
                        None => return Ok(None),
                        Some(b'$') => {}
                        Some(other) => return Err(ProtocolError::NoBulk(*other)),
                    }
                    let Some(length) = self.number(input, self.at + 1, ProtocolError::BadBulkLength)? else {
                        return Ok(None);
                    };
                    if !(0..=BULK_MAX).contains(&length) {
                        return Err(ProtocolError::BadBulkLength);
                    }
                    if self.at + length as usize > REQUEST_MAX {
                        return Err(ProtocolError::TooLong);
                    }
                    self.state = State::Bulk(left, length as usize);
                }
                State::Bulk(left, length) => {
                    let end = self.at + length;
                    if input.len() < end + 2 {
                        return Ok(None);
                    }
                    if input[end..end + 2] != *b"\r\n" {
                        return Err(ProtocolError::NoLineEnd);
                    }
                    self.args.push(self.at..end);
                    self.at = end + 2;
                    self.state = State::Args(left - 1);
                }
            }
        }
    }

    /// The rule: an array that has come whole, of arguments that are no longer than some thousand bytes. What begins
    /// otherwise, or is not all there, is left to be looked at step by step.
    #[inline]
    fn plain_array(&mut self, input: &[u8]) -> Option<usize> {
        let (count, mut at) = plain_number(input, b'*', 0)?;
        self.args.clear();
        self.quoted = false;
        for _ in 0..count {
            let (length, from) = plain_number(input, b'$', at)?;
            let end = from + length;
            if *input.get(end..end + 2)? != *b"\r\n" {
                return None;
            }
            self.args.push(from..end);
            at = end + 2;
        }
        Some(at)
    }

    /// The arguments of the request that was found, the command's name first.
    pub(crate) fn args<'a>(&'a self, input: &'a [u8]) -> Args<'a> {
        Args { bytes: if self.quoted { &self.unquoted } else { input }, places: &self.args }
    }

    /// The request is whole: how many bytes it has. The next one begins behind it.
    fn whole(&mut self) -> usize {
        self.state = State::Start;
        std::mem::take(&mut self.at)
    }

    /// The line from `from` on, without its end; the parser stands behind it then. A line may end without a return.
    fn line(&mut self, input: &[u8], from: usize) -> Result<Option<Range<usize>>, ProtocolError> {
        let rest = &input[from..];
        let within = &rest[..rest.len().min(LINE_MAX)];
        let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
            return if rest.len() >= LINE_MAX { Err(ProtocolError::LineTooLong) } else { Ok(None) };
        };
        self.at = from + end + 1;
        let end = if end > 0 && rest[end - 1] == b'\r' { end - 1 } else { end };
        Ok(Some(from..from + end))
    }

    /// The number that makes up the line from `from` on.
    fn number(
        &mut self,
        input: &[u8],
        from: usize,
        error: ProtocolError,
    ) -> Result<Option<i64>, ProtocolError> {
        // Nearly all are a few digits and the end of the line.
        let mut value = 0;
        for (n, byte) in input[from..].iter().take(8).enumerate() {
            match byte {
                b'0'..=b'9' if n == 0 || value > 0 => value = value * 10 + i64::from(byte - b'0'),
                b'\r' if n > 0 && input.get(from + n + 1) == Some(&b'\n') => {
                    self.at = from + n + 2;
                    return Ok(Some(value));
                }
                _ => break,
            }
        }
        let before = self.at;
        // No number has so many digits; nothing is to be looked through for the end of a line that is none.
        let near = &input[..input.len().min(from + 32)];
        match self.line(near, from)? {
            Some(line) => integer(&near[line]).map(Some).ok_or(error),
            None if near.len() == from + 32 => Err(error),
            None => {
                self.at = before;
                Ok(None)
            }
        }
    }

    /// The words of an inline command. Quotes hold a word together: double ones know escapes, single ones only that of a
    /// quote.
    fn split(&mut self, input: &[u8], line: Range<usize>) -> Result<(), ProtocolError> {
        let text = &input[line.clone()];
        if !text.iter().any(|byte| matches!(byte, b'"' | b'\'')) {
            let mut begun = None;
            for (n, byte) in text.iter().enumerate() {
                match (byte.is_ascii_whitespace(), begun) {
                    (false, None) => begun = Some(n),
                    (true, Some(from)) => {
                        self.args.push(line.start + from..line.start + n);
                        begun = None;
                    }
                    _ => {}
                }
            }
            if let Some(from) = begun {
                self.args.push(line.start + from..line.end);
            }
            return Ok(());
        }
        self.quoted = true;
        self.unquoted.clear();
        let mut rest = text.iter().copied().peekable();
        loop {
            while rest.next_if(u8::is_ascii_whitespace).is_some() {}
            if rest.peek().is_none() {
                return Ok(());
            }
            let from = self.unquoted.len();
            while let Some(byte) = rest.next_if(|byte| !byte.is_ascii_whitespace()) {
                if byte == b'"' || byte == b'\'' {
                    unquote(byte, &mut rest, &mut self.unquoted)?;
                    // A quote ends its word.
                    if rest.peek().is_some_and(|next| !next.is_ascii_whitespace()) {
                        return Err(ProtocolError::UnbalancedQuotes);
                    }
                } else {
                    self.unquoted.push(byte);
                }
            }
            self.args.push(from..self.unquoted.len());
        }
    }
}

/// The number of a line that is a tag and one to four digits, and where the next line begins. So many arguments of so many
/// bytes are within all bounds.
#[inline(always)]
fn plain_number(input: &[u8], tag: u8, at: usize) -> Option<(usize, usize)> {
    let (first, rest) = input.get(at..)?.split_first()?;
    if *first != tag {
        return None;
    }
    let digit = |byte: u8| byte.is_ascii_digit().then_some(usize::from(byte.wrapping_sub(b'0')));
    match *rest {
        [a, b'\r', b'\n', ..] => Some((digit(a)?, at + 4)),
        [b'0', ..] => None,
        [a, b, b'\r', b'\n', ..] => Some((digit(a)? * 10 + digit(b)?, at + 5)),
        [a, b, c, b'\r', b'\n', ..] => Some((digit(a)? * 100 + digit(b)? * 10 + digit(c)?, at + 6)),
        [a, b, c, d, b'\r', b'\n', ..] => {
            Some((digit(a)? * 1000 + digit(b)? * 100 + digit(c)? * 10 + digit(d)?, at + 7))
        }
        _ => None,
    }
}

/// What stands between quotes, up to the closing one.
fn unquote(quote: u8, rest: &mut impl Iterator<Item = u8>, to: &mut Vec<u8>) -> Result<(), ProtocolError> {
    let unbalanced = ProtocolError::UnbalancedQuotes;
    loop {
        let byte = rest.next().ok_or(unbalanced)?;
        if byte == quote {
            return Ok(());
        }
        if byte != b'\\' {
            to.push(byte);
            continue;
        }
        let escaped = rest.next().ok_or(unbalanced)?;
        if quote == b'\'' {
            if escaped != b'\'' {
                to.push(b'\\');
            }
            to.push(escaped);
            continue;
        }
        to.push(match escaped {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'a' => 7,
            b'x' => {
                let mut digit = || {
                    let digit = char::from(rest.next()?).to_digit(16)?;
                    u8::try_from(digit).ok()
                };
                let (high, low) = (digit().ok_or(unbalanced)?, digit().ok_or(unbalanced)?);
                high << 4 | low
            }
            other => other,
        });
    }
}

/// A decimal number of 64 bits, written as one would: no sign but a minus, no zeros in front.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 19 || (digits[0] == b'0' && (digits.len() > 1 || negative)) {
        return None;
    }
    let mut number: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + u64::from(digit - b'0');
    }
    if negative { 0i64.checked_sub_unsigned(number) } else { i64::try_from(number).ok() }
}

/// The arguments of one request.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a> {
    bytes: &'a [u8],
    places: &'a [Range<usize>],
}

impl<'a> Args<'a> {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn get(&self, n: usize) -> Option<&'a [u8]> {
        Some(&self.bytes[self.places.get(n)?.clone()])
    }

    /// All from `from` on.
    pub(crate) fn from(&self, from: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.places[from.min(self.places.len())..].iter().map(move |place| &bytes[place.clone()])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Parsed = (Vec<Vec<Vec<u8>>>, Result<usize, ProtocolError>);

    /// All requests in some bytes that come in such pieces, and what is left behind the last.
    fn parse(bytes: &[u8], pieces: &[usize]) -> Parsed {
        let (mut parser, mut requests) = (Parser::default(), Vec::new());
        let (mut from, mut upto) = (0, 0);
        let mut pieces = pieces.iter().copied().chain([bytes.len()]);
        loop {
            match parser.parse(&bytes[from..upto]) {
                Ok(Some(length)) => {
                    let args = parser.args(&bytes[from..upto]);
                    requests.push(args.from(0).map(<[u8]>::to_vec).collect());
                    from += length;
                }
                Ok(None) if upto == bytes.len() => return (requests, Ok(bytes.len() - from)),
                Ok(None) => upto = (upto + pieces.next().unwrap_or(1).max(1)).min(bytes.len()),
                Err(error) => return (requests, Err(error)),
            }
        }
    }

    fn words(list: &[&str]) -> Vec<Vec<u8>> {
        list.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn arrays_and_inline_commands_follow_each_other() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n\r\n  SET a  b \n*0\r\n*-1\r\n*1\r\n$0\r\n\r\n*1\r\n$4\r\nPI";
        let (requests, rest) = parse(bytes, &[]);
        let expected = [
            words(&["GET", "k"]),
            words(&["PING"]),
            vec![],
            words(&["SET", "a", "b"]),
            vec![],
            vec![],
            words(&[""]),
        ];
        assert_eq!(requests, expected);
        assert_eq!(rest, Ok(10));
    }

    #[test]
    fn arrays_and_arguments_of_any_length_are_the_same_whole_and_byte_by_byte() {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        let lengths = [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 1001, 9999, 10_000, 10_001];
        for length in lengths {
            expected.push(vec![vec![b'x'; length]]);
            expected.push(vec![vec![b'y'; 1]; length]);
        }
        for request in &expected {
            bytes.extend(format!("*{}\r\n", request.len()).bytes());
            for arg in request {
                bytes.extend(format!("${}\r\n", arg.len()).bytes());
                bytes.extend(arg);
                bytes.extend(b"\r\n");
            }
        }
        let one_by_one = vec![1; bytes.len()];
        assert!(parse(&bytes, &[]) == (expected.clone(), Ok(0)));
        assert!(parse(&bytes, &one_by_one) == (expected, Ok(0)));
    }

    #[test]
    fn quotes_hold_words_together() {
        for (line, expected) in [
            (r#"SET k "a b""#, Ok(words(&["SET", "k", "a b"]))),
            (r#"SET k "\x41\n\"""#, Ok(words(&["SET", "k", "A\n\""]))),
            (r"SET k 'it\'s \n'", Ok(words(&["SET", "k", r"it's \n"]))),
            (r#"SET """#, Ok(words(&["SET", ""]))),
            (r#"SET "a"#, Err(ProtocolError::UnbalancedQuotes)),
            (r#"SET "a"b"#, Err(ProtocolError::UnbalancedQuotes)),
            (r#"SET "\x4""#, Err(ProtocolError::UnbalancedQuotes)),
        ] {
            let (requests, rest) = parse(format!("{line}\r\n").as_bytes(), &[]);
            assert_eq!(rest.map(|_| requests.concat()), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_reason() {
        use ProtocolError::{BadBulkLength, LineTooLong, NoBulk, NoLineEnd, TooManyArguments};
        for (bytes, error) in [
            (b"*1048577\r\n".as_slice(), TooManyArguments),
            (b"*x\r\n", TooManyArguments),
            (b"*01\r\n", TooManyArguments),
            (b"*1\r\n$01\r\nk\r\n", BadBulkLength),
            (b"*1\r\n$0001\r\nk\r\n", BadBulkLength),
            (b"*1\r\n$1x\r\nk\r\n", BadBulkLength),
            (b"*99999999999999999999999999999999", TooManyArguments),
            (b"*1\r\n+OK\r\n", NoBulk(b'+')),
            (b"*1\r\n$-1\r\n", BadBulkLength),
            (b"*1\r\n$536870913\r\n", BadBulkLength),
            (b"*1\r\n$1\r\nabc", NoLineEnd),
            (&[b'a'; LINE_MAX], LineTooLong),
        ] {
            assert_eq!(parse(bytes, &[]).1, Err(error), "{}", bytes[..bytes.len().min(40)].escape_ascii());
        }
    }

    #[test]
    fn arguments_that_are_too_long_together_are_refused_before_the_last_has_come() {
        let head = format!("${BULK_MAX}\r\n");
        // Of zeros, of which only the pages that are written take memory.
        let mut bytes = vec![0; BULK_MAX as usize + 64];
        let mut at = 0;
        for piece in ["*2\r\n", &head, "", "\r\n", &head] {
            bytes[at..at + piece.len()].copy_from_slice(piece.as_bytes());
            at += if piece.is_empty() { BULK_MAX as usize } else { piece.len() };
        }
        let mut parser = Parser::default();
        assert_eq!(parser.parse(&bytes[..at - head.len()]), Ok(None));
        assert_eq!(parser.parse(&bytes[..at]), Err(ProtocolError::TooLong));
    }

    #[test]
    fn integers_are_those_of_64_bits_written_plainly() {
        for n in [0, 1, -1, 42, i64::MAX, i64::MIN] {
            assert_eq!(integer(n.to_string().as_bytes()), Some(n));
        }
        for text in
            ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "-9223372036854775809"]
        {
            assert_eq!(integer(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn in_whatever_pieces_bytes_come_the_requests_are_the_same(
            requests in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..5), 0..6),
            pieces in prop::collection::vec(1usize..12, 0..60),
        ) {
            let mut bytes = Vec::new();
            for request in &requests {
                bytes.extend(format!("*{}\r\n", request.len()).bytes());
                for arg in request {
                    bytes.extend(format!("${}\r\n", arg.len()).bytes());
                    bytes.extend(arg);
                    bytes.extend(b"\r\n");
                }
            }
            prop_assert_eq!(parse(&bytes, &pieces), (requests, Ok(0)));
        }

        #[test]
        fn whatever_comes_is_parsed_alike_in_one_piece_and_in_many(
            bytes in prop::collection::vec(prop::sample::select(&b"*$\r\n0123-aG \"'\\x"[..]), 0..80),
            pieces in prop::collection::vec(1usize..5, 0..80),
        ) {
            prop_assert_eq!(parse(&bytes, &pieces), parse(&bytes, &[]));
        }
    }
}

//! Requests as they lie in a connection's bytes.

use std::io;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    Get(&'a [u8]),
    Set(&'a [u8], &'a [u8]),
    Ping,
    Other,
}

/// Arguments of one request, and bytes of one argument, at most.
const ARGS_MAX: usize = 64;
const BULK_MAX: usize = 1 << 20;

/// The request at the front, and how many bytes it has; `None` if it is not whole yet.
///
/// # Errors
/// What is no request.
pub(crate) fn parse(input: &[u8]) -> io::Result<Option<(Request<'_>, usize)>> {
    let Some((count, mut at)) = number(input, 0, b'*', ARGS_MAX)? else { return Ok(None) };
    let mut args = [&[][..]; 3];
    for n in 0..count {
        let Some((length, from)) = number(input, at, b'$', BULK_MAX)? else { return Ok(None) };
        at = from + length + 2;
        let Some(bytes) = input.get(from..at) else { return Ok(None) };
        if let Some(arg) = args.get_mut(n) {
            *arg = &bytes[..length];
        }
    }
    let is = |name: &[u8]| args[0].eq_ignore_ascii_case(name);
    let request = match count {
        2 if is(b"GET") => Request::Get(args[1]),
        3 if is(b"SET") => Request::Set(args[1], args[2]),
        1 if is(b"PING") => Request::Ping,
        _ => Request::Other,
    };
    Ok(Some((request, at)))
}

/// The number behind a tag, and where its line ends; `None` if it has not come yet.
fn number(input: &[u8], from: usize, tag: u8, most: usize) -> io::Result<Option<(usize, usize)>> {
    let Some((first, rest)) = input.get(from..).and_then(<[u8]>::split_first) else { return Ok(None) };
    if *first != tag {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut number = 0;
    for (n, byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + usize::from(byte - b'0'),
            b'\r' => {
                return Ok((rest.len() > n + 1).then_some((number, from + n + 3)));
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        if number > most {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(None)
}

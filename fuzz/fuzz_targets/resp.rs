//! Requests of RESP are the same in whatever pieces the bytes come, and nothing in them is a panic.
#![no_main]

#[path = "../../net/tests/counting/mod.rs"]
mod counting;
#[expect(dead_code, reason = "answers are not fuzzed")]
#[path = "../../examples/resp/protocol.rs"]
mod protocol;

use counting::most_held;
use protocol::{Parser, ProtocolError};

/// What the parser may take for each byte that has come: arguments of an inline command have two bytes at least, and the place of
/// each is kept, in a vector that doubles and is moved then.
const EACH: usize = 32;
const CAP: usize = 256;

type Parsed = (Vec<Vec<Vec<u8>>>, Result<usize, ProtocolError>);

/// All requests in some bytes of which so many come at a time, and what is left behind the last.
fn parse(bytes: &[u8], piece: usize) -> Parsed {
    let (mut parser, mut requests) = (Parser::default(), Vec::new());
    let (mut from, mut upto) = (0, 0);
    loop {
        let (parsed, held) = most_held(|| parser.parse(&bytes[from..upto]));
        assert!(held <= CAP + (upto - from) * EACH, "{held} bytes for {}", upto - from);
        match parsed {
            Ok(Some(length)) => {
                requests.push(parser.args(&bytes[from..upto]).from(0).map(<[u8]>::to_vec).collect());
                from += length;
            }
            Ok(None) if upto == bytes.len() => return (requests, Ok(bytes.len() - from)),
            Ok(None) => upto = (upto + piece).min(bytes.len()),
            Err(error) => return (requests, Err(error)),
        }
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let whole = parse(data, data.len().max(1));
    for piece in [1, 7] {
        assert_eq!(parse(data, piece), whole);
    }
});

//! Requests of RESP are the same in whatever pieces the bytes come, and nothing in them is a panic.
#![no_main]

#[expect(dead_code, reason = "answers are not fuzzed")]
#[path = "../../examples/resp/protocol.rs"]
mod protocol;

use protocol::{Parser, ProtocolError};

type Parsed = (Vec<Vec<Vec<u8>>>, Result<usize, ProtocolError>);

/// All requests in some bytes of which so many come at a time, and what is left behind the last.
fn parse(bytes: &[u8], piece: usize) -> Parsed {
    let (mut parser, mut requests) = (Parser::default(), Vec::new());
    let (mut from, mut upto) = (0, 0);
    loop {
        match parser.parse(&bytes[from..upto]) {
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

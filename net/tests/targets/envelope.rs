//! Any bytes, as messages of each form.

use corelane_net::codec::{self, Compact, Envelope, Wire};
use serde::{Deserialize, Serialize};

use super::messages::{Order, OrderV1, Side, Tick, TickV1, Trade};
use crate::counting::most_held;

/// Of what a message's bytes say is long, this is the longest element, and how much a vector has that is moved as it grows.
const GROWTH: usize = 4 * size_of::<String>();
/// What decoding may take beside what the bytes stand for.
const CAP: usize = 1 << 10;

/// Whatever may announce to be long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Bag {
    numbers: Vec<u64>,
    names: Vec<String>,
    nested: Vec<Vec<u8>>,
    pairs: std::collections::BTreeMap<u8, String>,
}

impl Wire for Bag {
    const NAME: &'static str = "test.Bag";
    type Form = Compact;
}

/// Whether it is a message of this type.
fn decoded<M: Wire<Form: codec::Codec<M>> + PartialEq + std::fmt::Debug>(
    version: u16,
    since: u16,
    body: &[u8],
) -> bool {
    let envelope = Envelope { type_hash: codec::type_hash(M::NAME), version, readable_since: since };
    let (message, held) = most_held(|| codec::decode::<M>(envelope, body));
    assert!(held <= CAP + body.len() * GROWTH, "{held} bytes for {}", body.len());
    let Ok(message) = message else { return false };
    // What was decoded has a form of its own, which decodes to the same.
    let bytes = codec::encode_large(&message, 16, 1 << 20).unwrap();
    assert_eq!(codec::decode::<M>(codec::envelope::<M>(), &bytes).unwrap(), message);
    assert!(since <= version || version < M::VERSION, "version {version} since {since}");
    true
}

/// Any bytes in any envelope are a message, or an error.
pub(crate) fn check(data: &[u8]) {
    let Some((&[version, since], body)) = data.split_first_chunk() else { return };
    let (version, since) = (u16::from(version % 5), u16::from(since % 5));
    if decoded::<Trade>(version, since, body) {
        // The one field of which not every pattern of bits is a value.
        assert!([Side::Buy, Side::Sell].map(|side| side as u8).contains(&body[12]));
    }
    decoded::<Tick>(version, since, body);
    decoded::<TickV1>(version, since, body);
    decoded::<Order>(version, since, body);
    decoded::<OrderV1>(version, since, body);
    decoded::<Bag>(version, since, body);
}

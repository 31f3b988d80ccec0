//! Any bytes, as messages of each form.

use corelane_net::codec::{self, Envelope, Wire};

use super::messages::{Order, OrderV1, Side, Tick, TickV1, Trade};

/// Whether it is a message of this type.
fn decoded<M: Wire<Form: codec::Codec<M>> + PartialEq + std::fmt::Debug>(
    version: u16,
    since: u16,
    body: &[u8],
) -> bool {
    let envelope = Envelope { type_hash: codec::type_hash(M::NAME), version, readable_since: since };
    let Ok(message) = codec::decode::<M>(envelope, body) else { return false };
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
}

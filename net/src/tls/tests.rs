//! Two channels and the bytes between them, in whatever pieces, whole and spoilt.

use proptest::prelude::*;

use super::adapter::{Channel, Identity};
use super::{Pem, TlsConfig, TlsRefusal};

/// One certificate for both ends, which is its own root.
fn identity() -> Identity {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let config = TlsConfig::new(Pem::text(certificate.clone()), Pem::text(key), Pem::text(certificate));
    Identity::load(&config).unwrap()
}

fn here() -> std::net::IpAddr {
    [127, 0, 0, 1].into()
}

/// What a channel has to send now.
fn sealed(channel: &mut Channel, plain: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    channel.seal(plain, &mut bytes);
    bytes
}

/// Hands bytes over in pieces.
fn open_in_pieces(to: &mut Channel, bytes: &[u8], size: usize) -> Vec<u8> {
    let mut plain = Vec::new();
    for piece in bytes.chunks(size) {
        to.open(piece, &mut plain).unwrap();
    }
    plain
}

/// Two channels behind their handshake, which went in pieces of this size.
fn pair(identity: &Identity, size: usize) -> (Channel, Channel) {
    let (mut dialer, mut dialed) = (identity.dial(here()).unwrap(), identity.accept().unwrap());
    let hello = sealed(&mut dialer, &[]);
    assert!(!dialed.has_begun() && dialer.is_handshaking());
    assert_eq!(open_in_pieces(&mut dialed, &hello, size), []);
    let answer = sealed(&mut dialed, &[]);
    assert_eq!(open_in_pieces(&mut dialer, &answer, size), []);
    assert!(!dialer.is_handshaking() && dialed.is_handshaking());
    let last = sealed(&mut dialer, &[]);
    assert_eq!(open_in_pieces(&mut dialed, &last, size), []);
    assert!(!dialed.is_handshaking() && !dialed.has_output() && !dialer.has_output());
    assert!(dialed.admits(here()) && !dialed.admits([127, 0, 0, 2].into()));
    (dialer, dialed)
}

/// Reliability 27: handshakes and records in pieces of any size, the hello in fragments included.
#[test]
fn a_conversation_is_the_same_in_pieces_of_any_size() {
    let identity = identity();
    let words: Vec<u8> = (0..70_000_u32).map(|n| (n * 7 + n / 251) as u8).collect();
    for size in (1..40).chain([100, 255, 256, 257, 4095, 4096, 4097, 16_405, 16_406, 100_000]) {
        let (mut dialer, mut dialed) = pair(&identity, size);
        let mut bytes = sealed(&mut dialer, &words);
        // Records of 16 KiB: a head of five bytes, one for what it is, and a tag of 16.
        assert_eq!(bytes.len(), words.len() + 5 * 22);
        dialer.end();
        dialer.seal(&[], &mut bytes);
        assert!(open_in_pieces(&mut dialed, &bytes, size) == words);
        assert!(dialed.has_ended() && !dialer.has_ended());
        assert!(open_in_pieces(&mut dialer, &sealed(&mut dialed, b"and back"), size) == b"and back");
    }
}

#[test]
fn what_follows_the_end_of_a_conversation_does_not_count() {
    let (mut dialer, mut dialed) = pair(&identity(), 4096);
    let mut bytes = sealed(&mut dialer, b"words");
    dialer.end();
    dialer.seal(&[], &mut bytes);
    bytes.extend(b"more");
    assert_eq!(open_in_pieces(&mut dialed, &bytes, 7), b"words");
    assert!(dialed.has_ended());
}

/// No byte of a handshake may be another than it was. The flight of the dialed is what is spoilt.
#[test]
fn a_spoilt_handshake_comes_to_no_end() {
    let identity = identity();
    let flight = {
        let (mut dialer, mut dialed) = (identity.dial(here()).unwrap(), identity.accept().unwrap());
        let mut plain = Vec::new();
        dialed.open(&sealed(&mut dialer, &[]), &mut plain).unwrap();
        sealed(&mut dialed, &[]).len()
    };
    for at in 0..flight {
        let (mut dialer, mut dialed) = (identity.dial(here()).unwrap(), identity.accept().unwrap());
        let mut plain = Vec::new();
        dialed.open(&sealed(&mut dialer, &[]), &mut plain).unwrap();
        let mut answer = sealed(&mut dialed, &[]);
        let Some(byte) = answer.get_mut(at) else { continue };
        *byte ^= 0x20;
        let opened = dialer.open(&answer, &mut plain);
        // A length that was made greater waits for bytes; a version in a record's head means nothing.
        let finished = opened.is_ok() && !dialer.is_handshaking();
        let end = sealed(&mut dialer, &[]);
        let accepted = dialed.open(&end, &mut plain).is_ok() && !dialed.is_handshaking();
        assert!(!accepted || finished && is_version(&answer, at), "byte {at}");
        assert!(plain.is_empty());
    }
}

/// Whether this is the version in a record's head, or the record that changes nothing.
fn is_version(flight: &[u8], at: usize) -> bool {
    let mut head = 0;
    while head + 5 <= flight.len() {
        let next = head + 5 + usize::from(u16::from_be_bytes([flight[head + 3], flight[head + 4]]));
        if at < next {
            return [head + 1, head + 2].contains(&at);
        }
        head = next;
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_refused_or_wait_for_more(bytes in proptest::collection::vec(any::<u8>(), 0..600), begins: bool) {
        thread_local! { static IDENTITY: Identity = identity(); }
        let mut bytes = bytes;
        if begins {
            // As a handshake record does.
            bytes.splice(0..0, [22, 3, 1, 0, 200, 1, 0, 0, 196]);
        }
        IDENTITY.with(|identity| {
            for mut channel in [identity.accept().unwrap(), identity.dial(here()).unwrap()] {
                let mut plain = Vec::new();
                let opened = channel.open(&bytes, &mut plain);
                if !begins && bytes.first().is_some_and(|first| ![21, 22].contains(first)) {
                    assert_eq!(opened, Err(TlsRefusal::Plaintext));
                }
                assert!(plain.is_empty() && channel.is_handshaking());
                let mut last = Vec::new();
                channel.seal(&[], &mut last);
                assert!(last.len() < 2000);
            }
        });
    }

    #[test]
    fn any_change_of_what_was_sealed_is_found_out(
        words in proptest::collection::vec(any::<u8>(), 1..40_000),
        at: prop::sample::Index,
        bit in 0..8_u8,
    ) {
        thread_local! { static IDENTITY: Identity = identity(); }
        let (mut dialer, mut dialed) = IDENTITY.with(|identity| pair(identity, 1 << 16));
        let mut bytes = sealed(&mut dialer, &words);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let mut plain = Vec::new();
        let opened = dialed.open(&bytes, &mut plain);
        // What came before the changed record is as it was; a length that was made greater waits for more.
        prop_assert!(words.starts_with(&plain));
        prop_assert!(opened.is_err() || plain.len() < words.len() || is_version(&bytes, at));
    }
}

//! Why there is no secure connection, and how often.

use std::fmt;

/// Why a connection under TLS was not made, or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsRefusal {
    /// What came is no TLS: the other end speaks in the clear, or is no host at all.
    Plaintext,
    /// TLS came where this end speaks in the clear.
    Unexpected,
    /// The peer shows no certificate.
    NoCertificate,
    /// None of the roots vouches for its certificate.
    UnknownIssuer,
    /// Its certificate has expired.
    Expired,
    /// Its certificate is not valid yet.
    NotYetValid,
    /// Its certificate was revoked, or it is not known whether it was.
    Revoked,
    /// Its certificate bears no name that is allowed.
    WrongName,
    /// Its certificate is malformed, wrongly signed, or not made for this purpose.
    BadCertificate,
    /// It does not speak TLS 1.3, no cipher is common, or it wants another protocol.
    Incompatible,
    /// The peer refuses this end, with this alert: 42 to 46 and 48 are about this end's certificate.
    ByPeer(u8),
    /// No end of the handshake in time.
    Late,
    /// As many connections from outside as may were without a hello, and this was the oldest.
    Crowded,
    /// The connection ended without saying so: somebody may have cut it.
    Truncated,
    /// What came could not be read, or breaks the rules.
    Broken,
}

impl TlsRefusal {
    /// Whether it is about what the peer's certificate is.
    fn is_about_certificate(self) -> bool {
        use TlsRefusal::*;
        matches!(
            self,
            NoCertificate | UnknownIssuer | Expired | NotYetValid | Revoked | WrongName | BadCertificate
        )
    }

    /// Whether another attempt will end alike until somebody changes something.
    pub(crate) fn is_lasting(self) -> bool {
        use TlsRefusal::*;
        self.is_about_certificate() || matches!(self, Plaintext | Unexpected | Incompatible | ByPeer(_))
    }
}

impl fmt::Display for TlsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use TlsRefusal::*;
        f.write_str(match self {
            Plaintext => "the other end does not speak TLS",
            Unexpected => "the other end speaks TLS, and this one has none",
            NoCertificate => "the peer shows no certificate",
            UnknownIssuer => "no root vouches for the peer's certificate",
            Expired => "the peer's certificate has expired",
            NotYetValid => "the peer's certificate is not valid yet",
            Revoked => "the peer's certificate was revoked, or it is not known whether it was",
            WrongName => "the peer's certificate bears no name that is allowed",
            BadCertificate => "the peer's certificate is malformed or not made for this",
            Incompatible => "no version, cipher or protocol is common",
            ByPeer(alert) => return write!(f, "the peer refuses this end: {}", meaning(*alert)),
            Late => "no end of the handshake in time",
            Crowded => "too many connections without a hello",
            Truncated => "the connection ended without saying so",
            Broken => "what came breaks the rules of TLS",
        })
    }
}

impl std::error::Error for TlsRefusal {}

/// What an alert means for this end.
fn meaning(alert: u8) -> &'static str {
    match alert {
        40 => "the handshake failed",
        42 => "its certificate is bad, or bears no name that is allowed",
        43 => "its certificate is not made for this",
        44 => "its certificate was revoked",
        45 => "its certificate has expired, or is not valid yet",
        46 => "its certificate is not accepted",
        48 => "no root there vouches for its certificate",
        49 => "access is denied",
        70 => "no version is common",
        116 => "it shows no certificate",
        120 => "no protocol is common",
        _ => "an alert",
    }
}

/// What has come of connections under TLS, on one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsStats {
    /// Handshakes that came to their end.
    pub handshakes: u64,
    /// What came was in the clear where TLS is spoken, or TLS where it is not.
    pub mismatched: u64,
    /// The peer's certificate was not accepted, for whatever reason.
    pub certificate: u64,
    /// The peer did not accept this end.
    pub by_peer: u64,
    /// Nothing was common.
    pub incompatible: u64,
    /// Handshakes that took too long, or were the oldest of too many.
    pub late: u64,
    /// Connections that ended without saying so.
    pub truncated: u64,
    /// Connections over which came what breaks the rules of TLS.
    pub broken: u64,
}

impl TlsStats {
    pub(crate) fn count(&mut self, refusal: TlsRefusal) {
        use TlsRefusal::*;
        let of = match refusal {
            Plaintext | Unexpected => &mut self.mismatched,
            Incompatible => &mut self.incompatible,
            ByPeer(_) => &mut self.by_peer,
            Late | Crowded => &mut self.late,
            Truncated => &mut self.truncated,
            Broken => &mut self.broken,
            _ => {
                debug_assert!(refusal.is_about_certificate());
                &mut self.certificate
            }
        };
        *of += 1;
    }
}

//! `rustls` behind two types, and nowhere else: an [`Identity`] makes [`Channel`]s, and a channel turns the bytes of a
//! connection into those of a link and back.
//!
//! Sans-IO: no socket, and no clock but the one by which certificates are valid (the system's, even in a simulation, where no
//! other is known to those who made them). `rustls`'s buffered interface is used; it allocates a buffer for each record of up
//! to 16 KiB, each way, and nothing for a message.

use std::fmt;
use std::io::{BufRead, Write};
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConnection, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, TrustAnchor, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ServerConnection};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, Connection, DigitallySignedStruct, DistinguishedName, Error,
    ServerConfig, SignatureScheme,
};
use webpki::{
    CertRevocationList, EndEntityCert, KeyUsage, OwnedCertRevocationList, RevocationOptionsBuilder,
};
use zeroize::Zeroize;

use super::config::{Text, TlsConfig, TlsConfigError, TlsPart};
use super::names::{Allowed, PeerName, bears};
use super::refusal::TlsRefusal;

/// The protocol under TLS, as both ends name it in their handshake.
const ALPN: &[u8] = b"corelane";

/// The first byte of whatever TLS says first: a handshake record, or an alert.
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;

/// What a host shows, and whom it believes: from one reading of its certificates and its key.
pub(crate) struct Identity {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    /// Whether who dials must be known by the address that its hello names.
    checks_address: bool,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    /// Reads certificates and key.
    ///
    /// # Errors
    /// [`TlsConfigError`].
    pub(crate) fn load(config: &TlsConfig) -> Result<Identity, TlsConfigError> {
        let provider = Arc::new(ring::default_provider());
        let roots = Text::read(TlsPart::Roots, &config.roots)?;
        let anchor = |certificate: &CertificateDer<'_>| match webpki::anchor_from_trusted_cert(certificate) {
            Ok(anchor) => Ok(anchor.to_owned()),
            Err(error) => Err(roots.unusable(format_args!("a certificate that cannot be a root: {error}"))),
        };
        let anchors = sections::<CertificateDer<'_>>(&roots, "certificate")?;
        let anchors = anchors.iter().map(anchor).collect::<Result<Vec<_>, _>>()?;
        let mut revoked = Vec::new();
        if let Some(pem) = &config.revoked {
            let text = Text::read(TlsPart::Revoked, pem)?;
            for list in sections::<CertificateRevocationListDer<'_>>(&text, "list of revoked certificates")? {
                let list = OwnedCertRevocationList::from_der(&list).map_err(|error| text.unusable(error))?;
                revoked.push(CertRevocationList::from(list));
            }
        }
        let revoked: Arc<[CertRevocationList<'static>]> = revoked.into();
        let shown = Arc::new(SingleCertAndKey::from(certified_key(config)?));
        let verifier = |usage, names| {
            let names = Allowed::parse(names)?;
            let (anchors, revoked, provider) = (anchors.clone(), revoked.clone(), provider.clone());
            Ok::<_, TlsConfigError>(Arc::new(Verifier { usage, names, anchors, revoked, provider }))
        };
        let dialed = verifier(KeyUsage::server_auth, &config.dialed)?;
        let dialing = verifier(KeyUsage::client_auth, &config.dialing)?;
        let checks_address = matches!(dialing.names, Allowed::Address);

        // The provider has TLS 1.3, so neither can fail.
        let unusable = |error: Error| TlsConfigError::Unusable {
            part: TlsPart::Certificates,
            place: "TLS 1.3".to_owned(),
            why: error.to_string(),
        };
        let client = ClientConfig::builder_with_provider(provider.clone());
        let mut client = client
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(dialed)
            .with_client_cert_resolver(shown.clone());
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.enable_sni = false;
        // Each connection is checked anew.
        client.resumption = Resumption::disabled();
        let server = ServerConfig::builder_with_provider(provider.clone());
        let mut server = server
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(dialing)
            .with_cert_resolver(shown);
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Identity { client: Arc::new(client), server: Arc::new(server), checks_address })
    }

    /// Begins a connection to the peer that is known by this address. Its first flight is to be [sealed](Channel::seal).
    pub(crate) fn dial(&self, to: IpAddr) -> Result<Channel, TlsRefusal> {
        let made = ClientConnection::new(self.client.clone(), ServerName::from(to));
        Ok(Channel::new(made.map_err(|error| refusal(&error))?.into(), false))
    }

    /// Begins a connection that came in.
    pub(crate) fn accept(&self) -> Result<Channel, TlsRefusal> {
        let made = ServerConnection::new(self.server.clone());
        Ok(Channel::new(made.map_err(|error| refusal(&error))?.into(), self.checks_address))
    }
}

/// The sections of one kind. At least one, or an error.
fn sections<T: PemObject>(text: &Text, kind: &str) -> Result<Vec<T>, TlsConfigError> {
    let sections = T::pem_slice_iter(&text.text).collect::<Result<Vec<_>, _>>();
    let sections = sections.map_err(|error| text.unusable(malformed(&error)))?;
    if sections.is_empty() {
        return Err(text.unusable(format_args!("it holds no {kind} in PEM form")));
    }
    Ok(sections)
}

/// What is wrong with a text, without a word of it: it may be a key.
fn malformed(error: &PemError) -> &'static str {
    match error {
        PemError::MissingSectionEnd { .. } => "a section in PEM form has no end",
        PemError::IllegalSectionStart { .. } => "a line that begins a section in PEM form is malformed",
        PemError::SectionTooLarge => "a section in PEM form is too long",
        _ => "it is no text in PEM form",
    }
}

fn certified_key(config: &TlsConfig) -> Result<CertifiedKey, TlsConfigError> {
    let chain = Text::read(TlsPart::Certificates, &config.certificates)?;
    let certificates = sections::<CertificateDer<'static>>(&chain, "certificate")?;
    if let Some(error) = certificates.iter().find_map(|each| EndEntityCert::try_from(each).err()) {
        return Err(chain.unusable(format_args!("a malformed certificate: {error}")));
    }
    let text = Text::read(TlsPart::Key, &config.key)?;
    let mut keys = sections::<PrivateKeyDer<'static>>(&text, "private key")?;
    let loaded = match &keys[..] {
        [key] => ring::sign::any_supported_type(key).map_err(|_| "it is no RSA, ECDSA or Ed25519 key"),
        _ => Err("it holds more than one private key"),
    };
    keys.iter_mut().for_each(Zeroize::zeroize);
    let certified = CertifiedKey::new(certificates, loaded.map_err(|why| text.unusable(why))?);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(_) => Err(TlsConfigError::OtherKey { certificates: chain.place, key: text.place }),
    }
}

/// Says who is believed. The same for both ends of a connection.
#[derive(Debug)]
struct Verifier {
    usage: fn() -> KeyUsage,
    names: Allowed,
    anchors: Vec<TrustAnchor<'static>>,
    revoked: Arc<[CertRevocationList<'static>]>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn verify(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        address: Option<&ServerName<'_>>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = EndEntityCert::try_from(shown).map_err(|error| untrusted(&error))?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let revoked: Vec<_> = self.revoked.iter().collect();
        // Unknown is revoked, where there are lists at all.
        let revocation = RevocationOptionsBuilder::new(&revoked).ok().map(RevocationOptionsBuilder::build);
        let usage = (self.usage)();
        certificate
            .verify_for_usage(algorithms, &self.anchors, intermediates, now, usage, revocation, None)
            .map_err(|error| untrusted(&error))?;
        let allowed = match (&self.names, address) {
            (Allowed::Any, _) => true,
            (Allowed::OneOf(names), _) => bears(&certificate, names),
            (Allowed::Address, Some(address)) => {
                certificate.verify_is_valid_for_subject_name(address).is_ok()
            }
            // It is checked when the peer has said its address.
            (Allowed::Address, None) => true,
        };
        if allowed { Ok(()) } else { Err(CertificateError::NotValidForName.into()) }
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// TLS 1.2 is never spoken.
fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.2".to_owned()))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        dialed: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(shown, intermediates, Some(dialed), now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // A host has one certificate, and shows it whoever asks.
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(shown, intermediates, None, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

/// What is said of a certificate that is not believed: `rustls` tells the peer as much by its alert.
fn untrusted(error: &webpki::Error) -> Error {
    use webpki::Error::*;
    CertificateError::into(match error {
        CertExpired { .. } => CertificateError::Expired,
        CertNotValidYet { .. } => CertificateError::NotValidYet,
        CertRevoked => CertificateError::Revoked,
        UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        UnknownIssuer => CertificateError::UnknownIssuer,
        RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        InvalidSignatureForPublicKey => CertificateError::BadSignature,
        _ => CertificateError::BadEncoding,
    })
}

/// What an error comes to.
fn refusal(error: &Error) -> TlsRefusal {
    match error {
        Error::NoCertificatesPresented => TlsRefusal::NoCertificate,
        Error::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer => TlsRefusal::UnknownIssuer,
            CertificateError::Expired => TlsRefusal::Expired,
            CertificateError::NotValidYet => TlsRefusal::NotYetValid,
            CertificateError::Revoked | CertificateError::UnknownRevocationStatus => TlsRefusal::Revoked,
            CertificateError::NotValidForName => TlsRefusal::WrongName,
            _ => TlsRefusal::BadCertificate,
        },
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => TlsRefusal::Incompatible,
        Error::AlertReceived(alert) => TlsRefusal::ByPeer(u8::from(*alert)),
        _ => TlsRefusal::Broken,
    }
}

/// One connection's end: between the bytes of its socket and those of its link.
pub(crate) struct Channel {
    tls: Connection,
    /// Nothing has come yet.
    fresh: bool,
    /// The peer has said that nothing more comes.
    ended: bool,
    checks_address: bool,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel(handshaking: {}, ended: {})", self.is_handshaking(), self.ended)
    }
}

impl Channel {
    fn new(mut tls: Connection, checks_address: bool) -> Channel {
        // What is sealed is taken out at once, so nothing gathers.
        tls.set_buffer_limit(None);
        Channel { tls, fresh: true, ended: false, checks_address }
    }

    /// Whether it is not known yet who is there.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// Whether anything has come.
    pub(crate) fn has_begun(&self) -> bool {
        !self.fresh
    }

    /// Whether the peer has ended the connection in good order.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes what came over the socket, and appends what it says. Behind it something may be to be sealed, even if it failed:
    /// the alert that says so to the peer.
    ///
    /// # Errors
    /// [`TlsRefusal`]: the connection is over, and nothing that came with these bytes counts.
    pub(crate) fn open(&mut self, mut sealed: &[u8], plain: &mut Vec<u8>) -> Result<(), TlsRefusal> {
        if self.fresh
            && let Some(first) = sealed.first()
        {
            self.fresh = false;
            if ![HANDSHAKE, ALERT].contains(first) {
                return Err(TlsRefusal::Plaintext);
            }
        }
        let handshaking = self.is_handshaking();
        while !sealed.is_empty() && !self.ended {
            // Neither full, since it is emptied each time, nor ever at its end but after a close.
            self.tls.read_tls(&mut sealed).map_err(|_| TlsRefusal::Broken)?;
            let state = self.tls.process_new_packets().map_err(|error| refusal(&error))?;
            self.ended = state.peer_has_closed();
            let mut left = state.plaintext_bytes_to_read();
            let mut reader = self.tls.reader();
            while left > 0 {
                let piece = reader.fill_buf().map_err(|_| TlsRefusal::Broken)?;
                let length = piece.len().min(left);
                plain.extend_from_slice(&piece[..length]);
                reader.consume(length);
                // An empty piece would be one for ever.
                left = if length == 0 { 0 } else { left - length };
            }
        }
        if handshaking && !self.is_handshaking() && self.tls.alpn_protocol() != Some(ALPN) {
            return Err(TlsRefusal::Incompatible);
        }
        Ok(())
    }

    /// Whether something of TLS itself is to be sent.
    pub(crate) fn has_output(&self) -> bool {
        self.tls.wants_write()
    }

    /// Appends to `sealed` what is to be sent for these bytes of the link's, and what TLS itself has to say. To be given bytes
    /// only behind the handshake.
    pub(crate) fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        debug_assert!(plain.is_empty() || !self.is_handshaking());
        // Neither can fail: there is no limit, and a vector takes everything.
        let _ = self.tls.writer().write_all(plain);
        while self.tls.wants_write() && self.tls.write_tls(sealed).is_ok() {}
    }

    /// Says that nothing more is sent.
    pub(crate) fn end(&mut self) {
        self.tls.send_close_notify();
    }

    /// Who has dialed and says that it is known by this address: whether it may.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        !self.checks_address || self.bears(&[PeerName::Host(ServerName::from(address))])
    }

    /// Whether the peer's certificate bears one of these names.
    pub(crate) fn bears(&self, names: &[PeerName]) -> bool {
        let shown = self.tls.peer_certificates().and_then(<[_]>::first);
        shown
            .and_then(|shown| EndEntityCert::try_from(shown).ok())
            .is_some_and(|certificate| bears(&certificate, names))
    }
}

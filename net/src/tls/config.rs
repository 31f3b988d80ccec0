//! The settings of TLS: where certificates and key come from, and what is wrong with them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::names::{Allowed, PeerNames};

/// Text in PEM form: what stands between `-----BEGIN …-----` and `-----END …-----`, once or several times.
#[derive(Clone)]
pub enum Pem {
    /// A file, which is read when the endpoint starts, and again at each [renewal](crate::Endpoint::renew_tls).
    File(PathBuf),
    /// The text itself.
    Text(Zeroizing<Vec<u8>>),
}

impl Pem {
    /// A file, which is not read before the endpoint starts: one that is not there is an error then, which names it.
    pub fn file(path: impl Into<PathBuf>) -> Pem {
        Pem::File(path.into())
    }

    /// The text itself. It is overwritten when the last copy is dropped.
    pub fn text(text: impl Into<Vec<u8>>) -> Pem {
        Pem::Text(Zeroizing::new(text.into()))
    }

    /// What it is called in errors.
    fn place(&self) -> String {
        match self {
            Pem::File(path) => path.display().to_string(),
            Pem::Text(_) => "the text that was given".to_owned(),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pem::File(path) => write!(f, "Pem({})", path.display()),
            // It may be a key.
            Pem::Text(text) => write!(f, "Pem({} bytes)", text.len()),
        }
    }
}

/// TLS for an endpoint's links: what this host shows, whom it believes, and who a peer may be.
///
/// Every host shows a certificate, whether it dials or is dialed, so each needs one that is good for both (extended key usage
/// `serverAuth` and `clientAuth`, or none at all). TLS 1.3 and nothing older is spoken. Sessions are not resumed: each
/// connection is checked by the certificates and revocations of its time.
///
/// ```no_run
/// use corelane_net::{EndpointConfig, Pem, PeerNames, TlsConfig};
///
/// let [certificates, key, roots] = ["host.pem", "host.key", "ca.pem"].map(|name| Pem::file(format!("/etc/shop/{name}")));
/// let tls = TlsConfig {
///     // Hosts of this system, whatever their addresses.
///     dialed: PeerNames::OneOf(vec!["corelane://shop".into()]),
///     dialing: PeerNames::OneOf(vec!["corelane://shop".into()]),
///     ..TlsConfig::new(certificates, key, roots)
/// };
/// let config = EndpointConfig { bind: "192.0.2.7:2552".parse()?, tls: Some(tls), ..EndpointConfig::default() };
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// This host's certificate, and behind it those that lead to a root.
    pub certificates: Pem,
    /// Its private key: PKCS #8, SEC 1 or PKCS #1. Its file should be readable by this process alone; otherwise a warning is
    /// logged.
    pub key: Pem,
    /// The certificates by which peers' certificates are believed: those of a certification authority of your own. No others
    /// are built in.
    pub roots: Pem,
    /// Lists of revoked certificates. If there is one, each certificate between a peer's and its root must be in the scope of
    /// one. Default none.
    pub revoked: Option<Pem>,
    /// What the certificate of a peer must bear that is dialed. Default [`PeerNames::Address`].
    pub dialed: PeerNames,
    /// What the certificate of a peer must bear that dials. Default [`PeerNames::Address`].
    pub dialing: PeerNames,
}

impl TlsConfig {
    /// The usual settings, with these certificates.
    pub fn new(certificates: Pem, key: Pem, roots: Pem) -> TlsConfig {
        TlsConfig {
            certificates,
            key,
            roots,
            revoked: None,
            dialed: PeerNames::default(),
            dialing: PeerNames::default(),
        }
    }
}

impl Pem {
    /// Nothing was set.
    fn is_nothing(&self) -> bool {
        matches!(self, Pem::File(path) if path.as_os_str().is_empty())
    }
}

impl TlsConfig {
    fn needed(&self) -> [&Pem; 3] {
        [&self.certificates, &self.key, &self.roots]
    }

    /// Whether something is missing that TLS does not do without.
    pub(crate) fn lacks_some(&self) -> bool {
        self.needed().into_iter().any(Pem::is_nothing)
    }

    /// Checks what can be checked without reading files: the names of peers.
    pub(crate) fn check(&self) -> Result<(), TlsConfigError> {
        [&self.dialed, &self.dialing].into_iter().try_for_each(|names| Allowed::parse(names).map(|_| ()))
    }

    /// Whether all of it is.
    #[cfg(feature = "config")]
    pub(crate) fn lacks_all(&self) -> bool {
        self.needed().into_iter().all(Pem::is_nothing)
    }
}

/// The part of a [`TlsConfig`] in which something is wrong; see [`TlsConfigError`](crate::TlsConfigError).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsPart {
    /// [`TlsConfig::certificates`].
    Certificates,
    /// [`TlsConfig::key`].
    Key,
    /// [`TlsConfig::roots`].
    Roots,
    /// [`TlsConfig::revoked`].
    Revoked,
}

impl fmt::Display for TlsPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsPart::Certificates => "certificates",
            TlsPart::Key => "key",
            TlsPart::Roots => "roots",
            TlsPart::Revoked => "revoked",
        })
    }
}

/// What is wrong with the settings of TLS. Names the file, and shows nothing of a key.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A file cannot be read.
    Unreadable {
        /// What it is for.
        part: TlsPart,
        /// The file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Something is not what it must be.
    Unusable {
        /// What it is for.
        part: TlsPart,
        /// The file, or that it was given as text.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// The key is not that of the first certificate.
    OtherKey {
        /// Where the certificates are.
        certificates: String,
        /// Where the key is.
        key: String,
    },
    /// A name that no certificate can bear.
    NoName(String),
    /// A list of names has none: nobody could be a peer.
    NoNames,
    /// The endpoint runs without TLS, so there is nothing to renew.
    NoTls,
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsConfigError::Unreadable { part, file, error } => {
                write!(f, "tls.{part}: {} cannot be read: {error}", file.display())
            }
            TlsConfigError::Unusable { part, place, why } => write!(f, "tls.{part}: {place}: {why}"),
            TlsConfigError::OtherKey { certificates, key } => {
                write!(f, "tls.key: {key} is not the key of the first certificate in {certificates}")
            }
            TlsConfigError::NoName(name) => {
                write!(f, "tls: {name:?} is no DNS name, IP address or URI that a certificate can bear")
            }
            TlsConfigError::NoNames => {
                f.write_str("tls: a list of peers' names is empty, so that nobody could be a peer")
            }
            TlsConfigError::NoTls => f.write_str("the endpoint has no TLS that could be renewed"),
        }
    }
}

impl std::error::Error for TlsConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TlsConfigError::Unreadable { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// A part that was read.
pub(super) struct Text {
    pub(super) part: TlsPart,
    pub(super) place: String,
    pub(super) text: Zeroizing<Vec<u8>>,
}

impl Text {
    pub(super) fn read(part: TlsPart, pem: &Pem) -> Result<Text, TlsConfigError> {
        let text = match pem {
            Pem::File(file) => {
                if part == TlsPart::Key {
                    warn_if_open(file);
                }
                let text = std::fs::read(file);
                let wrong = |error| TlsConfigError::Unreadable { part, file: file.clone(), error };
                Zeroizing::new(text.map_err(wrong)?)
            }
            Pem::Text(text) => text.clone(),
        };
        Ok(Text { part, place: pem.place(), text })
    }

    pub(super) fn unusable(&self, why: impl fmt::Display) -> TlsConfigError {
        TlsConfigError::Unusable { part: self.part, place: self.place.clone(), why: why.to_string() }
    }
}

/// Says so where others than its owner can read a key.
fn warn_if_open(file: &Path) {
    #[cfg(unix)]
    if let Ok(about) = std::fs::metadata(file) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions());
        if mode & 0o077 != 0 {
            let file = file.display();
            tracing::warn!(%file, mode = format_args!("{:o}", mode & 0o777), "a private key can be read by others");
        }
    }
    #[cfg(not(unix))]
    let _ = file;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_key_is_shown() {
        let config =
            TlsConfig::new(Pem::file("/a/host.pem"), Pem::text("-----BEGIN SECRET"), Pem::text("roots"));
        let shown = format!("{config:?}");
        assert!(shown.contains("/a/host.pem") && !shown.contains("SECRET"), "{shown}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = Text::read(TlsPart::Key, &Pem::file("/no/such/host.key")).err().unwrap();
        let text = error.to_string();
        assert!(text.starts_with("tls.key: /no/such/host.key cannot be read: "), "{text}");
    }
}

//! Who a peer may be, by what its certificate bears.

use std::net::IpAddr;

use rustls::pki_types::{DnsName, ServerName};
use webpki::EndEntityCert;

use super::config::TlsConfigError;

/// What a peer's certificate must bear as a subject alternative name. The common name counts for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PeerNames {
    /// The IP address under which the peer is known: that which is dialed, or that which its hello names. So no host can pass
    /// for another.
    #[default]
    Address,
    /// One of these: DNS names (`a.shop.example`, also borne by a certificate for `*.shop.example`), IP addresses, or URIs
    /// (`corelane://shop`, `spiffe://prod/shop`), which are compared as they stand. Who bears one may be at any address: this
    /// says who is one of the hosts, and does not tell them apart.
    OneOf(Vec<String>),
    /// Anything: whoever has a certificate that the roots vouch for.
    Any,
}

/// A name that a certificate can bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeerName {
    /// A DNS name or an IP address.
    Host(ServerName<'static>),
    Uri(String),
}

impl PeerName {
    pub(crate) fn parse(name: &str) -> Result<PeerName, TlsConfigError> {
        let wrong = || TlsConfigError::NoName(name.to_owned());
        if let Some((scheme, rest)) = name.split_once(':')
            && name.parse::<IpAddr>().is_err()
        {
            let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.chars().all(|each| each.is_ascii_alphanumeric() || "+-.".contains(each));
            if !is_scheme || rest.is_empty() || !name.chars().all(|each| each.is_ascii_graphic()) {
                return Err(wrong());
            }
            return Ok(PeerName::Uri(name.to_owned()));
        }
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(PeerName::Host(ServerName::from(address)));
        }
        let dns = DnsName::try_from(name.to_owned()).map_err(|_| wrong())?;
        Ok(PeerName::Host(ServerName::DnsName(dns)))
    }

    pub(crate) fn parse_all(names: &[String]) -> Result<Vec<PeerName>, TlsConfigError> {
        names.iter().map(|name| PeerName::parse(name)).collect()
    }

    fn is_borne_by(&self, certificate: &EndEntityCert<'_>) -> bool {
        match self {
            PeerName::Host(name) => certificate.verify_is_valid_for_subject_name(name).is_ok(),
            PeerName::Uri(uri) => certificate.valid_uri_names().any(|borne| borne == uri),
        }
    }
}

/// Whether a certificate bears one of these names.
pub(super) fn bears(certificate: &EndEntityCert<'_>, names: &[PeerName]) -> bool {
    names.iter().any(|name| name.is_borne_by(certificate))
}

/// [`PeerNames`], parsed.
#[derive(Clone, Debug)]
pub(super) enum Allowed {
    Address,
    OneOf(Vec<PeerName>),
    Any,
}

impl Allowed {
    pub(super) fn parse(names: &PeerNames) -> Result<Allowed, TlsConfigError> {
        Ok(match names {
            PeerNames::Address => Allowed::Address,
            PeerNames::OneOf(names) if names.is_empty() => return Err(TlsConfigError::NoNames),
            PeerNames::OneOf(names) => Allowed::OneOf(PeerName::parse_all(names)?),
            PeerNames::Any => Allowed::Any,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_dns_name_an_address_or_a_uri() {
        for name in ["shop.example", "192.0.2.7", "::1"] {
            assert!(matches!(PeerName::parse(name), Ok(PeerName::Host(_))), "{name}");
        }
        for name in ["corelane://shop", "spiffe://prod/shop", "urn:shop:till"] {
            assert_eq!(PeerName::parse(name).unwrap(), PeerName::Uri(name.into()));
        }
        for name in ["", "a b", "://shop", "shop:", "1x:y", "a..b", "uri://sp ace"] {
            let error = PeerName::parse(name).unwrap_err().to_string();
            assert!(error.contains(&format!("{name:?}")), "{error}");
        }
        assert!(matches!(Allowed::parse(&PeerNames::OneOf(vec![])), Err(TlsConfigError::NoNames)));
    }
}

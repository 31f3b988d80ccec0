//! Certificates that are renewed while links stay open.

use corelane_net::reactor::Choice;
use corelane_net::{Endpoint, Pem, RemoteLookupError, TlsConfig, TlsRefusal};
use corelane_shard::On;

use crate::common::*;
use crate::guarded::{Folder, secure};
use crate::pki::Authority;

/// Reliability 24: a renewed certificate is accepted, and no link is dropped for it.
#[test]
fn certificates_are_renewed_without_a_restart_and_open_links_stay() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let folder = Folder::new("renewal");
    let put = |authority: &Authority| {
        let shown = authority.host();
        TlsConfig::new(
            Pem::file(folder.write("host.pem", &shown.certificate)),
            Pem::file(folder.write("host.key", &shown.key)),
            Pem::file(folder.write("roots.pem", &authority.roots())),
        )
    };
    let far = secure(put(&old));
    Adder::spawn(&far, On::Shard(0), "adder");
    let early = secure(old.config());
    let adder = early.adder(&far).unwrap();
    let endpoint = far.system.extension::<Endpoint>().unwrap();

    // What cannot be used changes nothing.
    folder.write("host.key", &old.host().key);
    assert!(endpoint.renew_tls().unwrap_err().to_string().contains("host.key is not the key"));
    let second = secure(old.config());
    assert!(second.adder(&far).is_ok());
    second.end();

    put(&new);
    endpoint.renew_tls().unwrap();
    let late = secure(new.config());
    assert_eq!(late.ask(0, late.adder(&far).unwrap()), Ok(0));
    let too_late = secure(old.config());
    assert_eq!(too_late.adder(&far), Err(RemoteLookupError::Tls(TlsRefusal::UnknownIssuer)));
    assert_eq!(early.ask(0, adder), Ok(0));
    assert_eq!((early.tls().handshakes, early.gate().lost), (1, 0));
    for host in [early, late, too_late, far] {
        host.end();
    }
}

#[test]
fn an_endpoint_in_the_clear_has_nothing_to_renew() {
    let near = host(1, Choice::Poll);
    let error = near.system.extension::<Endpoint>().unwrap().renew_tls().unwrap_err().to_string();
    assert!(error.contains("no TLS"), "{error}");
    near.end();
}

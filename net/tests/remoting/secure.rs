//! Hosts under TLS, and those that are not let in.

use corelane_net::reactor::Choice;
use corelane_net::wire::Reason;
use corelane_net::{Endpoint, EndpointConfig, PeerNames, Pem, RemoteLookupError, TlsConfig, TlsRefusal};
use corelane_shard::On;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SerialNumber};

use crate::common::*;
use crate::guarded::{Folder, Scene, counted, secure, secure_config};
use crate::pki::{Authority, Shown, expired, not_yet_valid};
use crate::until;

/// Conformance 43: with certificates of one authority, hosts are joined.
#[test]
fn hosts_under_tls_tell_ask_and_watch_as_in_the_clear() {
    let authority = Authority::new("ours");
    with_each(|backend| {
        let make = || host_at(2, backend, secure_config(authority.config()));
        let (near, far) = (make(), make());
        let (_, seen) = Adder::spawn(&far, On::Shard(1), "adder");
        let adder = near.adder(&far).unwrap();
        for shard in [0, 1] {
            for n in 1..=1000 {
                near.tell(shard, adder, Order::Add(n));
            }
            for n in 1..=1000 {
                assert_eq!(next(&seen), n);
            }
        }
        assert_eq!(near.ask(0, adder), Ok(1_001_000));
        near.tell(0, adder, Order::Bytes(vec![1; 3 << 20]));
        near.tell(0, adder, Order::Add(7));
        assert_eq!((next(&seen), next(&seen)), (3 << 20, 7));
        let (watcher, heard) = Watcher::spawn(&near, 0);
        near.have(watcher, Watching::Watch(adder));
        near.tell(0, adder, Order::Fail);
        assert_eq!(next(&heard), "no disk");
        for shard in [0, 1] {
            let stats = near.system.extension::<Endpoint>().unwrap().stats(shard).unwrap();
            assert!(stats.tls.handshakes >= 1, "{stats:?}");
        }
        near.end();
        far.end();
    });
}

#[test]
fn beyond_loopback_tls_is_enough() {
    let authority = Authority::new("ours");
    let bind = "192.0.2.7:2552".parse().unwrap();
    assert!(EndpointConfig { bind, ..secure_config(authority.config()) }.check().is_ok());
}

/// Conformance 43: without a certificate or its key nothing starts.
#[test]
fn settings_that_cannot_be_used_are_named_and_nothing_starts() {
    let authority = Authority::new("ours");
    let good = authority.config();
    let folder = Folder::new("settings");
    let key = folder.write("host.key", &authority.host().key);
    let broken = folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let missing = folder.path("missing.pem");
    let cases = [
        (
            TlsConfig { certificates: Pem::file(&missing), ..good.clone() },
            format!("tls.certificates: {missing} cannot be read"),
        ),
        (TlsConfig { key: Pem::file(&key), ..good.clone() }, format!("tls.key: {key} is not the key of")),
        (
            TlsConfig { key: good.certificates.clone(), ..good.clone() },
            "tls.key: the text that was given: it holds no private key".into(),
        ),
        (
            TlsConfig { certificates: Pem::file(&broken), ..good.clone() },
            format!("tls.certificates: {broken}: a malformed certificate"),
        ),
        (
            TlsConfig { roots: Pem::file(&broken), ..good.clone() },
            format!("tls.roots: {broken}: a certificate that cannot be a root"),
        ),
        (
            TlsConfig { roots: Pem::text(""), ..good.clone() },
            "tls.roots: the text that was given: it holds no certificate".into(),
        ),
        (
            TlsConfig { revoked: Some(Pem::file(&key)), ..good.clone() },
            format!("tls.revoked: {key}: it holds no list of revoked certificates"),
        ),
        (
            TlsConfig { dialed: PeerNames::OneOf(vec!["not a name".into()]), ..good.clone() },
            "tls: \"not a name\" is no DNS name, IP address or URI".into(),
        ),
        (
            TlsConfig { dialing: PeerNames::OneOf(vec![]), ..good },
            "tls: a list of peers' names is empty".into(),
        ),
    ];
    for (tls, expected) in cases {
        let started = corelane_shard::System::builder()
            .shards(1)
            .pinned(false)
            .extension(corelane_net::Net::of(corelane_net::NetConfig::default()))
            .extension(Endpoint::of(secure_config(tls), registry()))
            .start();
        let error = started.err().unwrap().to_string();
        assert!(error.contains(&expected), "{error}, where {expected} is expected");
    }
}

/// Who dials is not let in: what it hears, and that the other end counts it.
fn is_not_let_in(scene: &Scene, tls: TlsConfig, expected: RemoteLookupError) {
    let near = secure(tls);
    assert_eq!(near.adder(&scene.far), Err(expected));
    near.end();
}

/// Reliability 24: expired, not yet valid, revoked, of another use, of another authority, of another name.
#[test]
fn a_host_whose_certificate_is_not_accepted_is_not_let_in() {
    type Change = fn(&mut CertificateParams);
    let revoked: Change = |params| params.serial_number = Some(SerialNumber::from(77));
    let server_only: Change = |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // The alert of each; the last is found out at the hello.
    let cases: [(&str, Change, Option<u8>); 6] = [
        ("127.0.0.1", expired, Some(45)),
        ("127.0.0.1", not_yet_valid, Some(45)),
        ("127.0.0.1", revoked, Some(44)),
        ("127.0.0.1", server_only, Some(43)),
        ("127.0.0.1", |_| (), Some(48)),
        ("127.0.0.9", |_| (), None),
    ];
    for (name, change, alert) in cases {
        let scene = Scene::new();
        if alert == Some(44) {
            let tls = TlsConfig {
                revoked: Some(Pem::text(scene.authority.revoke(&[77]))),
                ..scene.authority.config()
            };
            scene.far.system.extension::<Endpoint>().unwrap().renew_tls_by(&tls).unwrap();
        }
        let stranger = Authority::new("theirs");
        let issuer = if alert == Some(48) { &stranger } else { &scene.authority };
        let shown = issuer.make(&[name], change);
        let expected = match alert {
            Some(alert) => RemoteLookupError::Tls(TlsRefusal::ByPeer(alert)),
            None => RemoteLookupError::Rejected(Reason::WrongAddress),
        };
        is_not_let_in(&scene, scene.authority.trusted_by(&shown), expected);
        let count = scene.far.tls().certificate;
        assert!(count >= 1);
        scene.end(counted(|stats| stats.certificate = count));
    }
}

/// Reliability 24: who dials looks as closely.
#[test]
fn a_host_whose_certificate_is_not_accepted_is_not_talked_to() {
    type Change = fn(&mut CertificateParams);
    let client_only: Change = |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let cases: [(&str, Change, TlsRefusal); 5] = [
        ("127.0.0.1", expired, TlsRefusal::Expired),
        ("127.0.0.1", not_yet_valid, TlsRefusal::NotYetValid),
        ("127.0.0.1", client_only, TlsRefusal::BadCertificate),
        ("127.0.0.9", |_| (), TlsRefusal::WrongName),
        ("127.0.0.1", |_| (), TlsRefusal::UnknownIssuer),
    ];
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    for (name, change, refusal) in cases {
        let issuer = if refusal == TlsRefusal::UnknownIssuer { &theirs } else { &ours };
        let far = secure(ours.trusted_by(&issuer.make(&[name], change)));
        let near = secure(ours.config());
        assert_eq!(near.adder(&far), Err(RemoteLookupError::Tls(refusal)));
        assert!(near.tls().certificate >= 1 && near.tls().handshakes == 0);
        until("the other end hears of it", || far.tls().by_peer >= 1);
        near.end();
        far.end();
    }
}

/// Reliability 24: a certificate of the same authority for another system.
#[test]
fn peers_may_be_restricted_to_names_wherever_they_are() {
    let authority = Authority::new("ours");
    let only = |names: &[&str], shown: &Shown| {
        let names = PeerNames::OneOf(names.iter().map(|name| (*name).to_owned()).collect());
        TlsConfig { dialed: names.clone(), dialing: names, ..authority.trusted_by(shown) }
    };
    let shop = authority.make(&["corelane://shop"], |_| ());
    let till = authority.make(&["till.shop.example"], |_| ());
    let other = authority.make(&["corelane://other", "shop"], |_| ());
    let far = secure(only(&["corelane://shop", "till.shop.example"], &shop));
    Adder::spawn(&far, On::Shard(0), "adder");
    for (shown, expected) in [(&shop, None), (&till, None), (&other, Some(42))] {
        let near = secure(only(&["corelane://shop"], shown));
        match expected {
            None => assert_eq!(near.ask(0, near.adder(&far).unwrap()), Ok(0)),
            Some(alert) => {
                assert_eq!(near.adder(&far), Err(RemoteLookupError::Tls(TlsRefusal::ByPeer(alert))));
            }
        }
        near.end();
    }
    // And who is dialed must be called right too.
    let near = secure(only(&["corelane://other"], &shop));
    assert_eq!(near.adder(&far), Err(RemoteLookupError::Tls(TlsRefusal::WrongName)));
    // Unless it does not matter.
    let any = TlsConfig { dialed: PeerNames::Any, ..only(&["corelane://shop"], &shop) };
    let indifferent = secure(any);
    assert!(indifferent.adder(&far).is_ok());
    for host in [near, indifferent, far] {
        host.end();
    }
}

/// Conformance 43, reliability 24: a host without TLS is not joined to one with it.
#[test]
fn a_host_that_speaks_in_the_clear_is_told_that_this_one_does_not() {
    let scene = Scene::new();
    let near = host(1, Choice::Poll);
    assert_eq!(near.adder(&scene.far), Err(RemoteLookupError::Rejected(Reason::Incompatible)));
    near.end();
    let mismatched = scene.far.tls().mismatched;
    assert!(mismatched >= 1);
    scene.end(counted(|stats| stats.mismatched = mismatched));
}

/// Conformance 43: nor the other way round.
#[test]
fn a_host_that_speaks_tls_is_told_that_this_one_does_not() {
    let authority = Authority::new("ours");
    let (near, far, friend) = (secure(authority.config()), host(1, Choice::Poll), host(1, Choice::Poll));
    Adder::spawn(&far, On::Shard(0), "adder");
    let adder = friend.adder(&far).unwrap();
    assert_eq!(near.adder(&far), Err(RemoteLookupError::Tls(TlsRefusal::Plaintext)));
    assert!(far.tls().mismatched >= 1 && near.tls().mismatched >= 1);
    assert_eq!(friend.ask(0, adder), Ok(0));
    for host in [near, far, friend] {
        host.end();
    }
}

//! Sockets that are no TCP connections: datagrams, and both within a host.

use std::time::Duration;

use super::rig::{Rig, pattern, small};
use super::{Open, on_every_backend};
use crate::reactor::{Address, Options};

fn datagrams_come_whole_with_their_sender(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let options = Options::default();
    let nearby: Address = "127.0.0.1:0".parse().unwrap();
    let (a, b) = (
        rig.reactor.datagrams(&nearby, &options).unwrap(),
        rig.reactor.datagrams(&nearby, &options).unwrap(),
    );
    let at = |rig: &Rig, socket| rig.reactor.local_address(socket).unwrap().ip().unwrap();
    let (to_b, port_of_a) = (at(&rig, b), at(&rig, a).port());
    rig.reactor.resume(b);
    rig.turn();
    for token in 0..20 {
        rig.reactor.send_to(a, to_b, vec![token as u8; token as usize * 50], Some(token)).unwrap();
    }
    rig.until("all have come", |rig| rig.of(b).datagrams.len() == 20 && rig.of(a).written.len() == 20);
    let mut sizes = Vec::new();
    for (from, bytes, truncated) in &rig.of(b).datagrams {
        assert_eq!((from.ip().unwrap().port(), *truncated), (port_of_a, false));
        assert!(bytes.iter().all(|byte| usize::from(*byte) * 50 == bytes.len()));
        sizes.push(bytes.len());
    }
    sizes.sort_unstable();
    assert_eq!(sizes, Vec::from_iter((0..20).map(|n| n * 50)));
    // Longer than a chunk.
    rig.reactor.send_to(a, to_b, vec![9; 5000], None).unwrap();
    rig.until("it has come", |rig| rig.of(b).datagrams.len() == 21);
    let (_, bytes, truncated) = rig.of(b).datagrams.pop().unwrap();
    assert!(truncated && bytes.len() <= 4096 && bytes.iter().all(|byte| *byte == 9));
    // To nobody: lost, and no failure of the socket.
    let nobody = rig.reactor.datagrams(&nearby, &options).unwrap();
    let to_nobody = at(&rig, nobody);
    rig.reactor.close(nobody);
    rig.until("closed", |rig| rig.of(nobody).closed == 1);
    rig.reactor.send_to(a, to_nobody, b"hello", Some(100)).unwrap();
    rig.reactor.send_to(a, to_b, b"still here", Some(101)).unwrap();
    rig.until("it has come", |rig| rig.of(b).datagrams.len() == 21 && rig.of(a).written.len() == 22);
    assert_eq!(rig.of(a).failed, []);
    rig.end();
}

fn unix_sockets_carry_datagrams_too(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let path = |name: &str| {
        let name = format!("corelane-{name}-{}-{:?}.sock", std::process::id(), rig.reactor.backend());
        Address::Unix(std::env::temp_dir().join(name))
    };
    let (at_a, at_b, nowhere) = (path("a"), path("b"), path("nowhere"));
    let options = Options::default();
    let a = rig.reactor.datagrams(&at_a, &options).unwrap();
    let b = rig.reactor.datagrams(&at_b, &options).unwrap();
    let nameless = rig.reactor.datagrams(&Address::Unix("".into()), &options).unwrap();
    assert_eq!(rig.reactor.local_address(b).unwrap(), at_b);
    rig.reactor.resume(b);
    rig.turn();
    rig.reactor.send_to(a, at_b.clone(), pattern(3_000), Some(1)).unwrap();
    rig.until("it has come", |rig| rig.of(b).datagrams.len() == 1 && rig.of(a).written == [1]);
    rig.reactor.send_to(nameless, at_b.clone(), vec![], Some(2)).unwrap();
    rig.until("it has come", |rig| rig.of(b).datagrams.len() == 2 && rig.of(nameless).written == [2]);
    let heard = std::mem::take(&mut rig.of(b).datagrams);
    assert!(heard[0] == (at_a.clone(), pattern(3_000), false));
    assert!(heard[1] == (Address::Unix("".into()), vec![], false));
    // To nobody.
    rig.reactor.send_to(a, nowhere, b"hello?", Some(3)).unwrap();
    rig.until("it is back", |rig| rig.of(a).not_written == [3]);
    // To one who lags, until that comes back; what had gone is there when it reads on.
    rig.reactor.pause(b);
    rig.turn();
    let mut sent = 0;
    while rig.of(a).not_written.len() == 1 {
        rig.reactor.send_to(a, at_b.clone(), vec![0; 100], Some(4)).unwrap();
        sent += 1;
        rig.turn();
        rig.reactor.park(Some(Duration::ZERO));
        assert!(sent < 100_000, "it never came back");
    }
    rig.reactor.resume(b);
    rig.until("the rest has come", |rig| {
        let (written, not_written) = (rig.of(a).written.len() - 1, rig.of(a).not_written.len() - 1);
        written + not_written == sent && rig.of(b).datagrams.len() == written
    });
    for address in [at_a, at_b] {
        if let Address::Unix(path) = address {
            let _ = std::fs::remove_file(path);
        }
    }
    rig.end();
}

fn unix_sockets_are_streams_too(open: Open) {
    let Some(mut rig) = Rig::new(open, &small()) else { return };
    let name = format!("corelane-{}-{:?}.sock", std::process::id(), rig.reactor.backend());
    let path = std::env::temp_dir().join(name);
    let address: Address = format!("unix:{}", path.display()).parse().unwrap();
    let listener = rig.reactor.listen(&address, &Options::default()).unwrap();
    assert_eq!(rig.reactor.local_address(listener).unwrap(), address);
    let client = rig.connect(&address);
    rig.reactor.write(client, pattern(100_000), None).unwrap();
    rig.reactor.finish(client);
    rig.until("finished", |rig| {
        let server = rig.of(listener).accepted.first().copied();
        server.is_some_and(|server| rig.of(server).finished == 1)
    });
    let server = rig.of(listener).accepted[0];
    assert!(rig.of(server).received == pattern(100_000));
    let _ = std::fs::remove_file(&path);
    rig.end();
}

on_every_backend!(
    datagrams_come_whole_with_their_sender,
    unix_sockets_carry_datagrams_too,
    unix_sockets_are_streams_too,
);

//! The server over real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use corelane::prelude::*;
use corelane_net::{Net, NetConfig};

use crate::server::Commons;

#[test]
fn what_a_peer_asked_for_is_answered_though_it_has_finished_and_more_than_may_wait() {
    let system = System::builder().shards(2).pinned(false).idle(Idle::Frugal).region_bytes(16 << 20);
    let system = system.extension(Net::of(NetConfig::default())).extension(|_| Ok(Commons)).start().unwrap();
    let service = crate::listen(&system, &"127.0.0.1:0".parse().unwrap()).unwrap();
    let mut peer = TcpStream::connect(service.address().ip().unwrap()).unwrap();
    // Of several keys, so that some live on the other shard, whichever that is.
    let requests: String = (0..40_000).map(|n| format!("INCR k{}\r\n", n % 7)).collect();
    let mut writer = peer.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        writer.write_all(requests.as_bytes()).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut replies = String::new();
    peer.read_to_string(&mut replies).unwrap();
    writer.join().unwrap();
    let expected: String = (0..40_000).map(|n| format!(":{}\r\n", 1 + n / 7)).collect();
    assert!(replies == expected, "{} bytes of {}", replies.len(), expected.len());
    service.stop();
    assert!(system.shutdown(Duration::from_secs(60)).is_clean());
}

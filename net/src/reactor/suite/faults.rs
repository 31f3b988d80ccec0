//! What becomes of streams when ways are cut and hosts lose their power, as TCP would have it.

use std::net::IpAddr;
use std::time::Duration;

use super::rig::{pattern, small};
use crate::buffers::Chunk;
use crate::reactor::sim::{Network, NetworkOptions};
use crate::reactor::{EventKind, Options, Reactor, SocketId};

const NEAR: [u8; 4] = [10, 0, 0, 1];
const FAR: [u8; 4] = [10, 0, 0, 2];
const SECOND: Duration = Duration::from_secs(1);

/// Two hosts, and what each has heard.
struct Two {
    network: Network,
    hosts: [Reactor; 2],
    accepted: Vec<SocketId>,
    received: [Vec<u8>; 2],
    /// The chunks of it are kept here, where they are to be.
    kept: Option<Vec<Chunk>>,
    /// Everything else, in words.
    heard: [Vec<String>; 2],
}

impl Two {
    fn new(options: NetworkOptions) -> Two {
        let network = Network::new(1, options);
        let hosts = [NEAR, FAR].map(|host| network.reactor(host.into(), &small()));
        let (received, heard) = Default::default();
        Two { network, hosts, accepted: Vec::new(), received, kept: None, heard }
    }

    /// Two hosts, the first connected to the second.
    fn connected() -> (Two, SocketId, SocketId) {
        let mut two = Two::new(NetworkOptions::default());
        let client = two.connect();
        two.run(SECOND);
        assert_eq!(two.heard[0], ["Connected"]);
        let server = two.accepted[0];
        two.hosts[0].resume(client);
        (two, client, server)
    }

    fn connect(&mut self) -> SocketId {
        let options = Options::default();
        if self.accepted.is_empty() {
            self.hosts[1].listen(&"0.0.0.0:7000".parse().unwrap(), &options).unwrap();
        }
        self.hosts[0].connect(&"10.0.0.2:7000".parse().unwrap(), &options).unwrap()
    }

    fn run(&mut self, time: Duration) {
        let until = self.network.now() + time;
        loop {
            for (number, host) in self.hosts.iter_mut().enumerate() {
                host.submit();
                host.turn();
                while let Some(event) = host.next_event() {
                    match event.kind {
                        EventKind::Accepted(socket) => {
                            host.resume(socket);
                            self.accepted.push(socket);
                        }
                        EventKind::Received(bytes) => {
                            self.received[number].extend_from_slice(&bytes);
                            if let Some(kept) = &mut self.kept {
                                kept.push(bytes);
                            }
                        }
                        EventKind::Failed(error) => self.heard[number].push(format!("{:?}", error.kind())),
                        other => self.heard[number].push(format!("{other:?}")),
                    }
                }
                host.submit();
            }
            if self.hosts.iter_mut().any(Reactor::has_input) {
                continue;
            }
            let next = self.network.next_due().unwrap_or(until).min(until);
            self.network.advance_to(next);
            if next == until {
                return;
            }
        }
    }
}

fn ips() -> (IpAddr, IpAddr) {
    (NEAR.into(), FAR.into())
}

#[test]
fn what_is_sent_into_a_cut_comes_in_order_after_it_and_the_other_way_is_open() {
    let (mut two, client, server) = Two::connected();
    let (near, far) = ips();
    two.network.cut(near, far);
    let sent = pattern(20_000);
    two.hosts[0].write(client, sent[..9_000].to_vec(), None).unwrap();
    two.hosts[1].write(server, b"here".to_vec(), None).unwrap();
    two.run(20 * SECOND);
    assert_eq!((two.received[1].len(), &two.received[0][..]), (0, &b"here"[..]));
    two.hosts[0].write(client, sent[9_000..15_000].to_vec(), None).unwrap();
    two.run(Duration::from_micros(50));
    two.network.mend(near, far);
    // On its way while the way was cut, and behind what was lost.
    two.hosts[0].write(client, sent[15_000..].to_vec(), None).unwrap();
    two.run(3 * SECOND);
    assert!(two.received[1] == sent, "{} bytes", two.received[1].len());
    assert_eq!(two.heard[0], ["Connected"]);
}

#[test]
fn pieces_that_are_lost_are_late_and_in_order() {
    let options = NetworkOptions { lose_one_in: 3, ..NetworkOptions::default() };
    let mut two = Two::new(options);
    let client = two.connect();
    two.hosts[0].write(client, pattern(50_000), None).unwrap();
    two.run(60 * SECOND);
    assert!(two.received[1] == pattern(50_000), "{} bytes", two.received[1].len());
    assert_eq!(two.heard[0], ["Connected"]);
}

#[test]
fn a_connection_into_a_cut_is_made_after_it_or_has_timed_out() {
    let (near, far) = ips();
    let mut two = Two::new(NetworkOptions::default());
    two.network.cut(near, far);
    two.connect();
    two.run(SECOND);
    assert!(two.heard[0].is_empty());
    two.network.mend_all();
    two.run(2 * SECOND);
    assert_eq!(two.heard[0], ["Connected"]);
    // The answer is lost as well as the question.
    two.network.cut(far, near);
    two.connect();
    two.run(SECOND);
    assert_eq!(two.heard[0].len(), 1);
    two.network.mend(far, near);
    two.run(2 * SECOND);
    assert_eq!(two.heard[0].len(), 2);
    two.network.cut(near, far);
    two.connect();
    two.run(60 * SECOND);
    assert_eq!(two.heard[0][2], "TimedOut");
}

/// Reliability 29: whatever else has its time meanwhile.
#[test]
fn a_frame_that_is_held_for_a_minute_stands_and_its_sender_waits() {
    let (mut two, client, server) = Two::connected();
    let other = two.connect();
    two.run(SECOND);
    two.kept = Some(Vec::new());
    let sent = pattern(50_000);
    two.hosts[0].write(client, sent[..8_000].to_vec(), None).unwrap();
    two.run(SECOND);
    two.hosts[1].pause(server);
    two.hosts[0].write(client, sent[8_000..].to_vec(), None).unwrap();
    let held = two.kept.take().unwrap();
    let stands = || held.iter().flat_map(|chunk| chunk.to_vec()).eq(sent[..8_000].iter().copied());
    for _ in 0..60 {
        two.received[1].clear();
        two.hosts[0].write(other, pattern(1_000), None).unwrap();
        two.run(SECOND);
        // Of the other one, and nothing else.
        assert!(two.received[1] == pattern(1_000) && stands());
        assert_eq!(two.hosts[1].chunks_held(), held.len());
    }
    two.received[1].clear();
    two.hosts[1].resume(server);
    two.run(SECOND);
    assert!(two.received[1] == sent[8_000..] && stands());
    assert_eq!(two.heard, [vec!["Connected", "Connected"], vec![]]);
    drop(two);
    assert!(stands());
}

#[test]
fn a_reset_is_heard_at_both_ends() {
    let (mut two, client, _) = Two::connected();
    let (near, far) = ips();
    two.hosts[0].write(client, vec![7; 100], None).unwrap();
    two.run(SECOND);
    two.network.reset(near, far);
    two.run(SECOND);
    assert!(two.heard.iter().all(|heard| heard.contains(&"ConnectionReset".to_owned())), "{:?}", two.heard);
    // Others are as they were.
    two.connect();
    two.run(SECOND);
    assert_eq!(two.heard[0].last().unwrap(), "Connected");
}

#[test]
fn a_host_that_loses_its_power_is_silent_and_knows_nothing_when_it_is_back() {
    let (mut two, client, server) = Two::connected();
    two.hosts[1].write(server, vec![7; 30_000], None).unwrap();
    two.network.switch_off(FAR.into());
    // What it still does reaches nobody.
    two.hosts[1].abort(server);
    two.hosts[0].write(client, vec![7; 100], None).unwrap();
    two.run(20 * SECOND);
    assert_eq!((two.heard[0].len(), two.received[0].len()), (1, 0));
    let dead = std::mem::replace(&mut two.hosts[1], two.network.reactor(FAR.into(), &small()));
    drop(dead);
    two.run(2 * SECOND);
    // It answers now, and knows of no such connection.
    assert_eq!(two.heard[0][1], "ConnectionReset");
    two.accepted.clear();
    two.connect();
    two.run(SECOND);
    assert!(two.heard[0].contains(&"Connected".to_owned()) && two.accepted.len() == 1, "{:?}", two.heard);
}

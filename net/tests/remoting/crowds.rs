//! A crowd of strangers at the door of another process: what they cost it, and whether its members get through.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;

use corelane_net::EndpointConfig;

use crate::common::*;
use crate::family::Log;
use crate::other::{Ground, Patience};

/// As many as connect in all.
const CROWD: usize = 2_000;
/// What they may cost in all, in KiB.
const COST: usize = 64 << 10;

/// The beginning of a handshake: the heads of a record of 16 KiB and of a hello in it, which never comes to its end.
const HELLO: [u8; 9] = [22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc];

/// Reliability 25: half of them silent, the others with a hello that they say byte by byte.
#[test]
fn a_crowd_of_strangers_costs_a_process_no_more_than_its_bound_and_keeps_no_member_out() {
    let ground = Ground::loopback_under_tls();
    let (near, mut other) = (ground.near(&Log::new(), Patience::Long), ground.other(Patience::Long));
    let adder = near.lookup::<Order>(&other.url("adder")).unwrap();
    let places = EndpointConfig::default().strangers_max;
    let before = other.resident();
    let (mut crowd, mut peak) = (VecDeque::new(), before);
    for number in 0..CROWD {
        let stream = TcpStream::connect(other.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        // How much it has said, if it is not silent.
        crowd.push_back((stream, (number % 2 == 1).then_some(0)));
        if crowd.len() > places {
            // The oldest has made room.
            let (mut oldest, _) = crowd.pop_front().unwrap();
            let _ = oldest.read_to_end(&mut Vec::new());
        }
        if number % 8 == 0 {
            // Each says a byte more.
            for (stream, said) in &mut crowd {
                let Some(said) = said else { continue };
                let _ = stream.write_all(&[HELLO.get(*said).copied().unwrap_or_default()]);
                *said += 1;
            }
        }
        if number % 100 == 0 {
            peak = peak.max(other.resident());
        }
    }
    assert_eq!(crowd.len(), places);
    peak = peak.max(other.resident());
    assert!(peak < before + COST, "{before} KiB before, {peak} KiB at most");
    // Somebody new, and who was there before.
    let member = ground.near(&Log::new(), Patience::Long);
    let there = member.lookup::<Order>(&other.url("adder")).unwrap();
    assert_eq!((member.ask(0, there), near.ask(0, adder)), (Ok(0), Ok(0)));
    assert_eq!(near.gate().lost, 0);
    member.end();
    near.end();
    other.kill();
}

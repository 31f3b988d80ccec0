//! Balls between two hosts in each way in which hosts speak: per ball nothing is allocated, by neither shard.

mod counting;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
use corelane_net::codec::bytemuck::{Pod, Zeroable};
use corelane_net::codec::{Fixed, Registry, Wire};
use corelane_net::reactor::{Choice, ReactorConfig};
use corelane_net::{Endpoint, EndpointConfig, Net, NetConfig};
use corelane_shard::{Idle, On, System};

const LONG: Duration = Duration::from_secs(60);
/// Balls that are played before allocations are counted, so that what grows has grown, and meanwhile.
const BEFORE: u64 = 500;
const COUNTED: u64 = 1_500;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Ball([u64; 8]);

impl Wire for Ball {
    const NAME: &'static str = "test.Ball";
    type Form = Fixed;
}

/// Plays balls back, and says how many allocations its thread has made while they were counted.
struct Player {
    other: Arc<OnceLock<ActorRef<Ball>>>,
    before: u64,
    made: Sender<u64>,
}

impl Actor for Player {
    type Msg = Ball;
    fn receive(&mut self, Ball(mut words): Ball, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let [number, ..] = &mut words;
        if *number / 2 == BEFORE {
            self.before = counting::allocations();
        } else if *number / 2 == BEFORE + COUNTED {
            let _ = self.made.send(counting::allocations() - self.before);
        }
        *number += 1;
        if let Some(other) = self.other.get() {
            ctx.tell(*other, Ball(words));
        }
        Ok(())
    }
}

fn host(backend: Choice, unix_sockets: bool, shared_memory: bool) -> System {
    let mut registry = Registry::new();
    registry.register::<Ball>().unwrap();
    let config =
        EndpointConfig { system: "test".into(), unix_sockets, shared_memory, ..EndpointConfig::default() };
    let reactor = ReactorConfig { backend, ..ReactorConfig::default() };
    System::builder()
        .shards(1)
        .pinned(false)
        .idle(Idle::Frugal)
        .region_bytes(32 << 20)
        .extension(Net::of(NetConfig { reactor, ..NetConfig::default() }))
        .extension(Endpoint::of(config, registry))
        .start()
        .unwrap()
}

#[test]
fn nothing_is_allocated_for_a_ball_between_two_hosts_in_any_way() {
    for backend in [Choice::Automatic, Choice::Poll] {
        for (unix_sockets, shared_memory) in [(false, false), (true, false), (true, true)] {
            let [near, far] = [(); 2].map(|()| host(backend, unix_sockets, shared_memory));
            let (made, counts) = channel();
            let others = [&near, &far].map(|system| {
                let (other, made) = (Arc::new(OnceLock::new()), made.clone());
                let of_player = other.clone();
                let player = move || Player { other: of_player.clone(), before: 0, made: made.clone() };
                system.spawn_named(On::Shard(0), "player", player).unwrap();
                other
            });
            for ([here, there], other) in [[&near, &far], [&far, &near]].into_iter().zip(&others) {
                let endpoint = |system: &System| system.extension::<Endpoint>().unwrap();
                let url = format!("corelane://test@{}/user/player", endpoint(there).address());
                other.set(endpoint(here).lookup::<Ball>(&url, LONG).unwrap()).unwrap();
            }
            let first = *others[0].get().unwrap();
            near.call(0, move |scope| scope.tell(first, Ball([0; 8]))).unwrap();
            for _ in 0..2 {
                let made = counts.recv_timeout(LONG).unwrap();
                // Heartbeats take some.
                assert!(made < COUNTED / 100, "{backend:?} {unix_sockets} {shared_memory}: {made}");
            }
            let open = near.extension::<Endpoint>().unwrap().stats(0).unwrap();
            let expected = (u64::from(unix_sockets), u64::from(shared_memory));
            assert_eq!((open.open_nearby, open.open_shared), expected);
            for system in [near, far] {
                system.shutdown(LONG);
            }
        }
    }
}

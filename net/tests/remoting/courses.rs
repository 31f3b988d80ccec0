//! Many messages in one turn: those that are alike go behind one head, and nobody can tell.

use std::sync::mpsc::{Receiver, Sender, channel};

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, Scope};
use corelane_net::codec::{Codec, Fixed, Wire, bytemuck};
use corelane_net::link::LinkConfig;
use corelane_net::reactor::Choice;
use corelane_net::{Endpoint, EndpointConfig};
use corelane_shard::On;

use crate::common::*;

/// Five bytes, so that each needs padding.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Odd([u8; 5]);

impl Wire for Odd {
    const NAME: &'static str = "test.Odd";
    type Form = Fixed;
}

trait Numbered: Wire<Form: Codec<Self>> {
    fn of(number: u64) -> Self;
    /// `None` if it is not whole.
    fn number(&self) -> Option<u64>;
}

impl Numbered for Tick {
    fn of(number: u64) -> Tick {
        Tick::new(1, number)
    }
    fn number(&self) -> Option<u64> {
        (*self == Tick::new(1, self.number)).then_some(self.number)
    }
}

impl Numbered for Odd {
    fn of(number: u64) -> Odd {
        let [a, b, c, d, ..] = number.to_le_bytes();
        Odd([a, b, c, d, a ^ b ^ c ^ d])
    }
    fn number(&self) -> Option<u64> {
        let Odd([a, b, c, d, all]) = *self;
        (all == a ^ b ^ c ^ d).then_some(u32::from_le_bytes([a, b, c, d]).into())
    }
}

/// As many bytes as its number says, up to some thousands.
impl Numbered for Order {
    fn of(number: u64) -> Order {
        let length = number * 37 % 9000;
        let mut bytes = vec![number as u8; 8 + length as usize];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Order::Bytes(bytes)
    }
    fn number(&self) -> Option<u64> {
        let Order::Bytes(bytes) = self else { return None };
        let (number, rest) = bytes.split_first_chunk()?;
        let number = u64::from_le_bytes(*number);
        rest.iter().all(|byte| *byte == number as u8).then_some(number)
    }
}

/// Says which numbers come.
struct Recorder<M>(Sender<Option<u64>>, std::marker::PhantomData<fn(M)>);

impl<M: Numbered + Send + 'static> Actor for Recorder<M> {
    type Msg = M;
    fn receive(&mut self, message: M, _: &mut Ctx<'_, Self>) -> Outcome {
        let _ = self.0.send(message.number());
        Ok(())
    }
}

/// Somebody on the other host, and how much it was told.
struct Target<M> {
    actor: ActorRef<M>,
    told: u64,
    heard: Receiver<Option<u64>>,
}

impl<M: Numbered + Send + 'static> Target<M> {
    fn on(far: &Host, near: &Host, name: &str) -> Target<M> {
        let (sender, heard) = channel();
        let make = move || Recorder::<M>(sender.clone(), std::marker::PhantomData);
        far.system.spawn_named(On::Shard(0), name, make).unwrap();
        Target { actor: near.lookup(&far.url(name)).unwrap(), told: 0, heard }
    }
}

fn tell<M: Numbered + Send + 'static>(scope: &mut Scope<'_>, to: ActorRef<M>, from: u64, count: u64) {
    for number in from..from + count {
        assert!(scope.try_tell(to, M::of(number)).is_ok(), "message {number} is refused");
    }
}

type Telling = Box<dyn FnOnce(&mut Scope<'_>) + Send>;

fn hosts(backend: Choice, link: LinkConfig) -> (Host, Host) {
    let host = || {
        let config = EndpointConfig { system: "test".into(), link, ..EndpointConfig::default() };
        let mut registry = registry();
        registry.register::<Odd>().unwrap();
        host_with(1, backend, config, registry)
    };
    (host(), host())
}

/// Actors of two types and one whose messages are large and of all lengths are told by turns, some once and some by the hundred,
/// in one turn of their shard: each has all that it was told, whole and in order, and it is counted so.
#[test]
fn whatever_is_told_in_one_turn_comes_whole_and_in_order() {
    let tight = LinkConfig {
        credit_messages: 100,
        credit_bytes: 64 << 10,
        chunk: 2048,
        frame_max: 4096,
        ..link_config()
    };
    with_each(|backend| {
        for link in [link_config(), tight] {
            let (near, far) = hosts(backend, link);
            let mut ticks = [0, 1].map(|n| Target::<Tick>::on(&far, &near, &format!("tick{n}")));
            let mut odd = Target::<Odd>::on(&far, &near, "odd");
            let mut orders = Target::<Order>::on(&far, &near, "order");
            let written = || near.system.extension::<Endpoint>().unwrap().stats(0).unwrap().messages_out;
            let before = written();
            let mut dice = 7_u64;
            for _ in 0..30 {
                let mut turn: Vec<Telling> = Vec::new();
                for _ in 0..20 {
                    dice =
                        dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let count = if dice >> 40 & 3 == 0 { dice >> 50 & 255 } else { 1 + (dice >> 50 & 3) };
                    match dice >> 33 & 3 {
                        which @ (0 | 1) => {
                            let to = &mut ticks[which as usize];
                            let (actor, from) = (to.actor, to.told);
                            to.told += count;
                            turn.push(Box::new(move |scope| tell(scope, actor, from, count)));
                        }
                        2 => {
                            let (actor, from) = (odd.actor, odd.told);
                            odd.told += count;
                            turn.push(Box::new(move |scope| tell(scope, actor, from, count)));
                        }
                        _ => {
                            let (actor, from, count) = (orders.actor, orders.told, count.min(5));
                            orders.told += count;
                            turn.push(Box::new(move |scope| tell(scope, actor, from, count)));
                        }
                    }
                }
                near.system.call(0, move |scope| turn.into_iter().for_each(|tell| tell(scope))).unwrap();
            }
            let [first, second] = &ticks;
            let all = [
                (first.told, &first.heard),
                (second.told, &second.heard),
                (odd.told, &odd.heard),
                (orders.told, &orders.heard),
            ];
            for (told, heard) in all {
                for number in 0..told {
                    assert_eq!(next(heard), Some(number));
                }
                assert!(told > 0 && heard.try_recv().is_err());
            }
            let told: u64 = all.iter().map(|(told, _)| told).sum();
            assert_eq!(written() - before, told);
            near.end();
            far.end();
        }
    });
}

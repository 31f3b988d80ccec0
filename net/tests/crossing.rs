//! Addresses inside messages: they mean the same actor at both ends, or nobody, and never another's.

use std::mem::MaybeUninit;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use corelane_kernel::{
    Actor, ActorRef, Address, AnyMessage, Ctx, ForeignRealm, Kernel, KernelConfig, Outcome, RawAddress,
    Region, ReplyTo, Seat, Time, within,
};
use corelane_net::codec::bytemuck::{Pod, Zeroable};
use corelane_net::codec::{
    self, Atlas, Codec, Compact, Crossing, DecodeError, EncodeError, Home, Image, Imaged, Peer, Registry,
    Undelivered, Wire, WireAddress,
};
use corelane_net::wire::{MessageHead, Target};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Introduce {
    who: String,
    refs: Vec<ActorRef<Ping>>,
    reply_to: ReplyTo<u64>,
    someone: Address,
}

impl Wire for Introduce {
    const NAME: &'static str = "test.Introduce";
    type Form = Compact;
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Ping {
    number: u64,
    reply_to: ReplyTo<u64>,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct PingImage {
    number: u64,
    reply_to: WireAddress,
}

impl Image for Ping {
    type Image = PingImage;
    fn to_image(&self) -> Option<PingImage> {
        Some(PingImage { number: self.number, reply_to: WireAddress::of(self.reply_to)? })
    }
    fn from_image(image: PingImage) -> Option<Ping> {
        Some(Ping { number: image.number, reply_to: image.reply_to.actor()? })
    }
}

impl Wire for Ping {
    const NAME: &'static str = "test.Ping";
    type Form = Imaged;
}

struct Echo;

impl Actor for Echo {
    type Msg = Ping;
    fn receive(&mut self, ping: Ping, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.tell(ping.reply_to, ping.number);
        Ok(())
    }
}

struct Sum(u64);

impl Actor for Sum {
    type Msg = u64;
    fn receive(&mut self, n: u64, _: &mut Ctx<'_, Self>) -> Outcome {
        self.0 += n;
        Ok(())
    }
}

/// One host: its kernels, and what it lets in.
struct Host {
    node: u64,
    incarnation: u64,
    kernels: Vec<Kernel>,
    home: Arc<Home>,
    echo: ActorRef<Ping>,
    sum: ActorRef<u64>,
}

/// Regions stay reachable from here, so that a leak checker sees only what tests really leak.
static REGIONS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

fn host(node: u64, incarnation: u64) -> Host {
    let mut kernels: Vec<Kernel> = Seat::realm(2)
        .unwrap()
        .map(|seat| {
            let memory: &'static mut [MaybeUninit<u8>] = Box::leak(Box::new_uninit_slice(256 << 10));
            REGIONS.lock().unwrap().push(memory.as_ptr() as usize);
            Kernel::seated(Region::from_static(memory).unwrap(), KernelConfig::default(), seat, 2).unwrap()
        })
        .collect();
    let censuses = kernels.iter_mut().map(|kernel| kernel.census().unwrap()).collect();
    let home = Arc::new(Home::new(node, incarnation, censuses).unwrap());
    let echo = kernels[0].spawn(Echo).unwrap();
    let sum = kernels[1].spawn(Sum(0)).unwrap();
    Host { node, incarnation, kernels, home, echo, sum }
}

impl Host {
    /// How another host knows this one.
    fn as_peer(&self) -> Arc<Peer> {
        Arc::new(Peer::new(self.node, self.incarnation, ForeignRealm::new().unwrap()).unwrap())
    }
}

/// The two ends of a link.
fn link(a: &Host, b: &Host) -> (Rc<Crossing>, Rc<Crossing>) {
    (
        Rc::new(Crossing::new(a.home.clone(), b.as_peer(), None)),
        Rc::new(Crossing::new(b.home.clone(), a.as_peer(), None)),
    )
}

fn encode<M: Wire<Form: Codec<M>>>(border: &Rc<Crossing>, message: &M) -> Result<Vec<u8>, EncodeError> {
    within(border.clone(), || codec::encode_large(message, 64, 1 << 16))
}

fn decode<M: Wire<Form: Codec<M>>>(border: &Rc<Crossing>, bytes: &[u8]) -> Result<M, DecodeError> {
    within(border.clone(), || codec::decode(codec::envelope::<M>(), bytes))
}

/// Sends a message over the link and back again.
fn there_and_back<M: Wire<Form: Codec<M>>>(ends: &(Rc<Crossing>, Rc<Crossing>), message: &M) -> (M, M) {
    let there = decode(&ends.1, &encode(&ends.0, message).unwrap()).unwrap();
    let back = decode(&ends.0, &encode(&ends.1, &there).unwrap()).unwrap();
    (there, back)
}

#[test]
fn an_address_comes_home_as_what_it_was() {
    let (a, b) = (host(10, 1), host(20, 2));
    let ends = link(&a, &b);
    // `sum` lives on the other shard of its host than the one whose link this might be.
    let message = Introduce {
        who: "a".into(),
        refs: vec![a.echo, ActorRef::nobody()],
        reply_to: a.sum,
        someone: a.echo.address(),
    };
    let (there, back) = there_and_back(&ends, &message);
    assert_eq!(back, message);
    assert_ne!(there.reply_to.place(), a.sum.place());
    assert_eq!(there.reply_to.address().to_raw(), a.sum.address().to_raw());
    assert_eq!(there.refs[1], ActorRef::nobody());

    let ping = Ping { number: 7, reply_to: a.sum };
    let (there, back) = there_and_back(&ends, &ping);
    assert_eq!(back, ping);
    assert_ne!(there.reply_to.place(), a.sum.place());
    assert_eq!(encode(&ends.0, &ping).unwrap().len(), 40);
}

#[test]
fn an_address_of_a_third_host_goes_on_where_it_is_known() {
    struct Map(Vec<Arc<Peer>>, Vec<(u64, u64)>);
    impl Atlas for Map {
        fn by_realm(&self, realm: u32) -> Option<Arc<Peer>> {
            self.0.iter().find(|peer| peer.realm().realm() == realm).cloned()
        }
        fn by_host(&self, node: u64, incarnation: u64) -> Option<Arc<Peer>> {
            let at = self.1.iter().position(|host| *host == (node, incarnation))?;
            self.0.get(at).cloned()
        }
    }
    let (a, b, c) = (host(10, 1), host(20, 2), host(30, 3));
    let c_at_a = c.as_peer();
    let raw = c.sum.address().to_raw();
    let third = c_at_a.realm().admit_as(raw, corelane_kernel::MessageKind::of::<u64>()).unwrap();
    let ping = Ping { number: 1, reply_to: third.typed().unwrap() };

    let (stranger, _) = link(&a, &b);
    assert_eq!(encode(&stranger, &ping), Err(EncodeError::Refused));

    let known = Rc::new(Map(vec![c_at_a], vec![(30, 3)]));
    let out = Rc::new(Crossing::new(a.home.clone(), b.as_peer(), Some(known)));
    let bytes = encode(&out, &ping).unwrap();

    let c_at_b = c.as_peer();
    let knows = Rc::new(Map(vec![c_at_b.clone()], vec![(30, 3)]));
    let at_b = Rc::new(Crossing::new(b.home.clone(), a.as_peer(), Some(knows)));
    let read: Ping = decode(&at_b, &bytes).unwrap();
    assert_eq!(
        (read.reply_to.place().realm(), read.reply_to.address().to_raw()),
        (c_at_b.realm().realm(), raw)
    );
    // Where nobody knows the host, the address is nobody's.
    let (_, strange) = link(&a, &b);
    assert_eq!(decode::<Ping>(&strange, &bytes).unwrap().reply_to, ActorRef::nobody());
    // And at the third host itself it is at home.
    let at_c = Rc::new(Crossing::new(c.home.clone(), a.as_peer(), None));
    assert_eq!(decode::<Ping>(&at_c, &bytes).unwrap().reply_to, c.sum);
    // In its next life it is nobody's.
    let reborn = host(30, 4);
    let at_c = Rc::new(Crossing::new(reborn.home.clone(), a.as_peer(), None));
    assert_eq!(decode::<Ping>(&at_c, &bytes).unwrap().reply_to, ActorRef::nobody());
}

/// Conformance 39: what cannot be read is refused, and nobody is told anything.
#[test]
fn an_address_that_was_made_up_is_refused_with_its_message() {
    let (a, b) = (host(10, 1), host(20, 2));
    let ends = link(&a, &b);
    let there: Ping =
        decode(&ends.1, &encode(&ends.0, &Ping { number: 7, reply_to: a.sum }).unwrap()).unwrap();
    let good = encode(&ends.1, &there).unwrap();
    assert!(decode::<Ping>(&ends.0, &good).is_ok());
    // Node 2 is the receiver; then identity at 24, index at 32, shard at 36.
    let changed = |at: usize, with: u8| {
        let mut bytes = good.clone();
        bytes[at] ^= with;
        decode::<Ping>(&ends.0, &bytes)
    };
    assert_eq!(changed(32, 1), Err(DecodeError::Malformed), "a cell's middle");
    assert_eq!(changed(36, 1), Err(DecodeError::Malformed), "another shard's");
    assert_eq!(changed(39, 1), Err(DecodeError::Malformed), "no shard");
    assert_eq!(changed(24, 3), Err(DecodeError::Malformed), "another protocol");
    assert_eq!(changed(31, 0x20), Err(DecodeError::Malformed), "a gate that is not open");
    // Another generation may once have lived there.
    let stale = changed(28, 0x70).unwrap();
    assert_ne!(stale.reply_to, a.sum);
}

#[test]
fn an_address_is_neither_written_nor_read_away_from_a_link() {
    let a = host(10, 1);
    let ping = Ping { number: 7, reply_to: a.sum };
    assert_eq!(codec::encode(&ping, &mut [0; 64]), Err(EncodeError::Refused));
    let message =
        Introduce { who: String::new(), refs: Vec::new(), reply_to: a.sum, someone: Address::NOBODY };
    assert_eq!(codec::encode(&message, &mut [0; 64]), Err(EncodeError::Refused));
    let border: Rc<Crossing> = Rc::new(Crossing::new(a.home.clone(), host(20, 2).as_peer(), None));
    let bytes = encode(&border, &message).unwrap();
    assert_eq!(
        codec::decode::<Introduce>(codec::envelope::<Introduce>(), &bytes),
        Err(DecodeError::Malformed)
    );
}

#[test]
fn a_message_reaches_its_actor_by_name_and_nobody_else() {
    let (mut a, b) = (host(10, 1), host(20, 2));
    let mut registry = Registry::new();
    registry.register::<Ping>().unwrap();
    registry.register::<u64>().unwrap();
    let census = a.home.census(0).unwrap().clone();
    let ends = link(&a, &b);

    let RawAddress { identity, index, .. } = a.echo.address().to_raw();
    let head = MessageHead { target: Target { identity, index }, envelope: codec::envelope::<Ping>() };
    let bytes = encode(&ends.1, &Ping { number: 5, reply_to: ActorRef::nobody() }).unwrap();
    let mut deliver = |head: MessageHead, bytes: &[u8]| {
        within(ends.0.clone(), || registry.deliver(&mut a.kernels[0].scope(), &census, head, bytes))
    };
    assert_eq!(deliver(head, &bytes), Ok(()));

    let with = |target: Target, envelope| MessageHead { target, envelope };
    let target = head.target;
    let unknown = codec::Envelope { type_hash: 1, ..head.envelope };
    assert_eq!(deliver(with(target, unknown), &bytes), Err(Undelivered::UnknownType));
    // A type that is known, and that this actor does not take: its eight bytes are never looked at.
    let wrong = deliver(with(target, codec::envelope::<u64>()), &[0; 8]);
    assert_eq!(wrong, Err(Undelivered::Address(corelane_kernel::AdmitError::WrongType)));
    let nowhere = Target { index: index + 1, ..target };
    let wrong = deliver(with(nowhere, head.envelope), &bytes);
    assert_eq!(wrong, Err(Undelivered::Address(corelane_kernel::AdmitError::NoCell)));
    let newer = codec::Envelope { version: 3, readable_since: 3, ..head.envelope };
    let refused = Undelivered::Decode(DecodeError::Version { written: 3, reads: 1 });
    assert_eq!(deliver(with(target, newer), &bytes), Err(refused));
    assert_eq!(deliver(head, &bytes[..20]), Err(Undelivered::Decode(DecodeError::Malformed)));

    a.kernels[0].turn(Time::ZERO);
    assert_eq!(a.kernels[0].stats().handled, 1);
}

#[test]
fn two_types_of_one_name_are_found_at_start() {
    struct Other;
    impl Wire for Other {
        const NAME: &'static str = "test.Ping";
        type Form = Imaged;
    }
    impl Image for Other {
        type Image = u64;
        fn to_image(&self) -> Option<u64> {
            Some(0)
        }
        fn from_image(_: u64) -> Option<Other> {
            Some(Other)
        }
    }
    let mut registry = Registry::new();
    registry.register::<Ping>().unwrap();
    registry.register::<Ping>().unwrap();
    let error = registry.register::<Other>().unwrap_err();
    assert_eq!(error.to_string(), "the message type crossing::Ping is called \"test.Ping\" already");
    assert_eq!(registry.name(codec::type_hash("test.Ping")), Some("test.Ping"));
    let writer = registry.writer(std::any::TypeId::of::<Ping>()).unwrap();
    assert_eq!(writer.encode(AnyMessage::of(&7_u64), &mut [0; 64]), Err(EncodeError::Refused));
}

//! Nothing allocates on the way of a fixed-layout message, from the actor of one host to that of another: neither writing it
//! into the send buffer, nor reading it in place and telling it, nor what keeps the link going meanwhile.

mod counting;

use std::mem::MaybeUninit;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use corelane_kernel::{
    Actor, ActorRef, Census, Ctx, ForeignRealm, Kernel, KernelConfig, Outcome, RawAddress, Region, ReplyTo,
    Time, within,
};
use corelane_net::codec::bytemuck::{Pod, Zeroable};
use corelane_net::codec::{Crossing, Fixed, Home, Image, Imaged, Peer, Registry, Wire, WireAddress};
use corelane_net::link::{Action, Connection, Inbound, Link, LinkConfig, LinkTo, Me, Verdict, greet};
use corelane_net::wire::{MessageHead, Room, Signal, Target};

/// What is leaked on purpose stays reachable from here, so that a leak checker sees only what really leaks.
static KEPT: Mutex<Vec<usize>> = Mutex::new(Vec::new());

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Tick {
    words: [u64; 8],
}

impl Wire for Tick {
    const NAME: &'static str = "test.Tick";
    type Form = Fixed;
}

struct Ask {
    number: u64,
    reply_to: ReplyTo<Tick>,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct AskImage {
    number: u64,
    reply_to: WireAddress,
}

impl Image for Ask {
    type Image = AskImage;
    fn to_image(&self) -> Option<AskImage> {
        Some(AskImage { number: self.number, reply_to: WireAddress::of(self.reply_to)? })
    }
    fn from_image(image: AskImage) -> Option<Ask> {
        Some(Ask { number: image.number, reply_to: image.reply_to.actor()? })
    }
}

impl Wire for Ask {
    const NAME: &'static str = "test.Ask";
    type Form = Imaged;
}

struct Sum(u64);

impl Actor for Sum {
    type Msg = Tick;
    fn receive(&mut self, tick: Tick, _: &mut Ctx<'_, Self>) -> Outcome {
        self.0 += tick.words[0];
        Ok(())
    }
}

struct Answering(u64);

impl Actor for Answering {
    type Msg = Ask;
    fn receive(&mut self, ask: Ask, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.0 += ask.number;
        // To another host: nobody carries it there in this test, so it is a dead letter, which is counted.
        ctx.tell(ask.reply_to, Tick { words: [ask.number; 8] });
        Ok(())
    }
}

struct Host {
    kernel: Kernel,
    census: Arc<Census>,
    registry: Registry,
    border: Rc<Crossing>,
    link: Link,
    sum: ActorRef<Tick>,
    answering: ActorRef<Ask>,
}

struct Deliver<'a> {
    kernel: &'a mut Kernel,
    census: &'a Census,
    registry: &'a Registry,
}

impl Inbound for Deliver<'_> {
    fn message(&mut self, head: MessageHead, body: &[u8]) -> Verdict {
        match self.registry.deliver(&mut self.kernel.scope(), self.census, head, body) {
            Ok(()) => Verdict::Taken,
            Err(why) => Verdict::Refused(why),
        }
    }
    fn signal(&mut self, _: Signal<'_>) {}
}

fn host(node: u64, other: u64) -> Host {
    let memory: &'static mut [MaybeUninit<u8>] = Box::leak(Box::new_uninit_slice(1 << 20));
    KEPT.lock().unwrap().push(memory.as_ptr() as usize);
    let mut kernel = Kernel::new(Region::from_static(memory).unwrap(), KernelConfig::default()).unwrap();
    let census = kernel.census().unwrap();
    let mut registry = Registry::new();
    registry.register::<Tick>().unwrap();
    registry.register::<Ask>().unwrap();
    let home = Arc::new(Home::new(node, node, vec![census.clone()]).unwrap());
    let peer = Arc::new(Peer::new(other, other, ForeignRealm::new().unwrap()).unwrap());
    let me = Me { system: "test".into(), address: "x:1".into(), node, incarnation: node };
    let to = LinkTo { node: other, incarnation: 0, shard: 0 };
    let (sum, answering) = (kernel.spawn(Sum(0)).unwrap(), kernel.spawn(Answering(0)).unwrap());
    let border = Rc::new(Crossing::new(home, peer, None));
    let link = Link::new(me, 0, to, LinkConfig::default()).unwrap();
    Host { kernel, census, registry, border, link, sum, answering }
}

fn target<M>(of: ActorRef<M>) -> Target {
    let RawAddress { identity, index, .. } = of.address().to_raw();
    Target { identity, index }
}

const WIRE: Connection = Connection(1);

fn deliver(host: &mut Host, now: Time, mut bytes: &[u8]) {
    loop {
        let Host { kernel, census, registry, link, border, .. } = host;
        let mut inbound = Deliver { kernel, census, registry };
        let received = within(border.clone(), || link.received(now, WIRE, bytes, &mut inbound));
        bytes = &bytes[received.bytes..];
        while let Some(action) = host.link.poll() {
            assert!(matches!(action, Action::Up { .. }), "{action:?}");
        }
        if !received.again {
            assert!(bytes.is_empty());
            return;
        }
    }
}

#[test]
fn no_fixed_layout_message_allocates_on_its_way_to_another_host() {
    let (mut a, mut b) = (host(10, 20), host(20, 10));
    let (mut out, mut back) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut now = Time::from_millis(1);

    // The two shake hands.
    a.link.start(now);
    assert_eq!(a.link.poll(), Some(Action::Dial));
    a.link.dialed(now, WIRE);
    let mut room = Room::new(&mut out);
    a.link.flush(now, &mut room);
    let me = Me { system: "test".into(), address: "x:1".into(), node: 20, incarnation: 20 };
    let (hello, _) = greet(&me, room.written()).unwrap().unwrap();
    let mut answer = Room::new(&mut back);
    b.link.accept(now, WIRE, &hello, &mut answer).unwrap();
    deliver(&mut a, now, answer.written());

    let round = |a: &mut Host, b: &mut Host, now: Time, out: &mut [u8], back: &mut [u8]| {
        let mut room = Room::new(out);
        for number in 0..50 {
            let tick = Tick { words: [number; 8] };
            let ask = Ask { number, reply_to: a.sum };
            let (sum, answering) = (target(b.sum), target(b.answering));
            let link = &mut a.link;
            within(a.border.clone(), || {
                link.tell(&mut room, sum, &tick).unwrap();
                link.tell(&mut room, answering, &ask).unwrap();
            });
        }
        a.link.flush(now, &mut room);
        deliver(b, now, room.written());
        while b.kernel.turn(now).more {}
        let mut room = Room::new(back);
        b.link.flush(now, &mut room);
        deliver(a, now, room.written());
    };
    // Long enough for heartbeats and credits to come and go, and for what grows at first to have grown.
    for _ in 0..300 {
        now = now + std::time::Duration::from_millis(100);
        round(&mut a, &mut b, now, &mut out, &mut back);
    }
    let (handled, before) = (b.kernel.stats().handled, counting::allocations());
    for _ in 0..3000 {
        now = now + std::time::Duration::from_millis(100);
        round(&mut a, &mut b, now, &mut out, &mut back);
    }
    assert_eq!(counting::allocations() - before, 0);
    assert_eq!(b.kernel.stats().handled - handled, 300_000);
    assert_eq!(b.link.stats().messages_in, 330_000);
}

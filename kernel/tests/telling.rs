//! Telling: what is told arrives once, whole and in order, or becomes a dead letter that is counted.

mod common;

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use common::{Census, Order, Random, Token, Undertaker, World, lock, ms, order};
use corelane_kernel::{
    Actor, ActorRef, Ctx, DeadLetter, DeadReason, Group, KernelConfig, Outcome, TellError, Time,
};

/// Keeps what it is told.
struct Keeper<M>(Arc<Mutex<Vec<M>>>);

impl<M: Send + 'static> Actor for Keeper<M> {
    type Msg = M;
    fn receive(&mut self, message: M, _: &mut Ctx<'_, Self>) -> Outcome {
        lock(&self.0).push(message);
        Ok(())
    }
}

/// The messages that arrived at a keeper that was told these, twice each and once while suspended.
fn arrives<M: Clone + PartialEq + Debug + Send + 'static>(world: &mut World, messages: &[M]) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeper = world.spawn(Keeper(kept.clone())).unwrap();
    let tell_all = |world: &mut World| {
        for message in messages {
            world.tell(keeper, message.clone());
        }
        world.settle();
    };
    tell_all(world);
    assert_eq!(*lock(&kept), messages);
    lock(&kept).clear();
    world.scope().suspend(keeper).unwrap();
    tell_all(world);
    assert!(lock(&kept).is_empty());
    world.scope().resume(keeper);
    world.settle();
    assert_eq!(*lock(&kept), messages);
    world.stop(keeper);
}

fn bytes<const N: usize>(random: &mut Random) -> [u8; N] {
    std::array::from_fn(|_| random.next() as u8)
}

macro_rules! arrives_of_sizes {
    ($world:ident, $random:ident, $($n:literal)*) => {
        $(arrives::<[u8; $n]>(&mut $world, &[bytes(&mut $random), bytes(&mut $random), [0xff; $n]]);)*
    };
}

#[test]
fn a_message_of_any_size_up_to_the_inline_bound_arrives_whole() {
    let (mut world, mut random) = (World::new(), Random(1));
    arrives_of_sizes!(
        world, random,
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 20 23 24 25 31 32 33 40 47 48 49 63 64 65 100 127 128 129 200 255
        256 257 300 383 384 385 400 500 503 504 505 509 510 511 512
    );
}

#[cfg(feature = "alloc")]
#[test]
fn a_message_beyond_the_inline_bound_arrives_whole_in_a_box() {
    let (mut world, mut random) = (World::new(), Random(2));
    arrives_of_sizes!(world, random, 513 1000 1024 4096 10_000);
}

#[test]
fn a_message_of_any_alignment_arrives_aligned() {
    macro_rules! aligned {
        ($world:ident, $($name:ident $align:literal $size:literal)*) => {
            $({
                #[derive(Clone, Debug, PartialEq)]
                #[repr(align($align))]
                struct $name([u8; $size]);
                struct Check(u32);
                impl Actor for Check {
                    type Msg = $name;
                    fn receive(&mut self, message: $name, _: &mut Ctx<'_, Self>) -> Outcome {
                        assert!((&raw const message).addr().is_multiple_of($align));
                        assert_eq!(message, $name([7; $size]));
                        self.0 += 1;
                        Ok(())
                    }
                }
                let check = $world.spawn(Check(0)).unwrap();
                $world.tell(check, $name([7; $size]));
                $world.settle();
                arrives(&mut $world, &[$name([1; $size]), $name([2; $size])]);
            })*
        };
    }
    let mut world = World::new();
    aligned!(
        world,
        A1 1 3  A2 2 5  A4 4 4  A8 8 9  A16 16 16  A16L 16 100  A32 32 1  A64 64 64  A64L 64 400  A128 128 128
        A256 256 500
    );
    assert_eq!(world.panics, [""; 0]);
}

#[test]
fn messages_with_drops_and_niches_arrive_whole() {
    let mut world = World::new();
    arrives(&mut world, &["a".to_owned(), String::new(), "c".repeat(1000)]);
    arrives(&mut world, &[Some(Box::new(1u64)), None, Some(Box::new(3))]);
    arrives(&mut world, &[Ok(5), Err(String::from("x"))]);
    arrives(&mut world, &[(), (), ()]);
    arrives(&mut world, &[u128::MAX, 0, 1]);
    arrives(&mut world, &[vec![1u8; 100], vec![], vec![2]]);
    arrives(&mut world, &[core::num::NonZeroU64::MIN, core::num::NonZeroU64::MAX]);
}

/// A sender, a number, and ballast.
type Numbered<const N: usize> = (u64, u64, [u64; N]);

/// Sees to it that each sender's messages come in order.
struct Judge<const N: usize> {
    next: HashMap<u64, u64>,
    seen: Arc<Mutex<u64>>,
}

impl<const N: usize> Actor for Judge<N> {
    type Msg = Numbered<N>;
    fn receive(&mut self, (from, n, ballast): Numbered<N>, _: &mut Ctx<'_, Self>) -> Outcome {
        let next = self.next.entry(from).or_default();
        assert_eq!((*next, [n; N]), (n, ballast), "from {from}");
        *next += 1;
        *lock(&self.seen) += 1;
        Ok(())
    }
}

struct Sender {
    name: u64,
    told: [u64; 3],
    to: (ActorRef<Numbered<0>>, ActorRef<Numbered<9>>, ActorRef<Numbered<60>>),
    random: Random,
}

impl Actor for Sender {
    type Msg = u32;
    fn receive(&mut self, left: u32, ctx: &mut Ctx<'_, Self>) -> Outcome {
        for _ in 0..self.random.below(20) {
            let to = self.random.below(3);
            let n = self.told[to];
            match to {
                0 => ctx.tell(self.to.0, (self.name, n, [])),
                1 => ctx.tell(self.to.1, (self.name, n, [n; 9])),
                _ => ctx.tell(self.to.2, (self.name, n, [n; 60])),
            }
            self.told[to] += 1;
        }
        if left > 0 {
            let me = ctx.me();
            ctx.tell(me, left - 1);
        }
        Ok(())
    }
}

#[test]
fn messages_between_two_actors_keep_their_order_among_messages_of_all_sizes() {
    let mut world = World::sized(4 << 20);
    let seen = Arc::new(Mutex::new(0));
    fn judge<const N: usize>(world: &mut World, seen: &Arc<Mutex<u64>>) -> ActorRef<Numbered<N>> {
        world.spawn(Judge { next: HashMap::new(), seen: seen.clone() }).unwrap()
    }
    let to = (judge(&mut world, &seen), judge(&mut world, &seen), judge(&mut world, &seen));
    for name in 0..5 {
        let sender = world.spawn(Sender { name, told: [0; 3], to, random: Random(name) }).unwrap();
        world.tell(sender, 500);
    }
    world.settle();
    assert_eq!((world.panics.len(), world.letters()), (0, vec![]));
    assert!(*lock(&seen) > 10_000);
}

#[test]
fn a_message_to_itself_comes_after_those_that_were_there() {
    let mut world = World::new();
    let a = world.puppet("a");
    world.tell(
        a,
        order(|_, ctx| {
            let me = ctx.me();
            ctx.tell(me, Order::Note(3));
        }),
    );
    world.tell(a, Order::Note(1));
    world.tell(a, Order::Note(2));
    assert_eq!(world.events(), ["a started", "a 1", "a 2", "a 3"]);
}

#[test]
fn one_handler_runs_at_a_time_to_its_end() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    world.tell(
        a,
        order(move |me, ctx| {
            ctx.tell(b, Order::Note(1));
            me.say("tells and goes on");
        }),
    );
    assert_eq!(world.events(), ["a started", "b started", "a tells and goes on", "b 1"]);
}

#[test]
fn forwarding_passes_a_message_on_as_it_is() {
    let mut world = World::new();
    let census = Census::default();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    let inner = Order::Carry(census.token());
    world.tell(a, order(move |_, ctx| ctx.forward(b, inner)));
    world.settle();
    census.expect_none();
    assert_eq!(world.letters(), []);
}

#[test]
fn what_cannot_be_delivered_is_a_dead_letter_counted_by_its_reason() {
    let mut world = World::new();
    let census = Census::default();
    let gone = world.puppet("gone");
    world.settle();
    world.stop(gone);
    let elsewhere = World::new().puppet("elsewhere");
    for to in [gone, elsewhere, ActorRef::nobody()] {
        world.tell(to, Order::Carry(census.token()));
    }
    // A dead letter of an actor's own making counts alike.
    let a = world.puppet("a");
    let token = census.token();
    world.have(a, move |_, ctx| ctx.tell(gone, Order::Carry(token)));
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::NoActor, 2), (DeadReason::Unreachable, 2)]);
}

#[test]
fn try_tell_gives_back_what_leads_nowhere() {
    let mut world = World::new();
    let elsewhere = World::new().puppet("elsewhere");
    for to in [elsewhere, ActorRef::nobody()] {
        let refused = world.try_tell(to, Order::Note(7)).unwrap_err();
        assert_eq!(format!("{refused:?}"), "Unreachable(..)");
        assert_eq!(refused.to_string(), "no way leads to the actor");
        assert!(matches!(refused.into_inner(), Order::Note(7)));
    }
    assert_eq!(world.letters(), []);
    let refused: TellError<u32> = TellError::Full(1).map(|n: u32| n + 1);
    assert_eq!(refused, TellError::Full(2));
}

#[test]
fn subscribers_are_told_of_every_dead_letter_until_they_unsubscribe() {
    let mut world = World::new();
    let letters = Arc::new(Mutex::new(Vec::new()));
    let subscriber = world.spawn(Keeper::<DeadLetter>(letters.clone())).unwrap();
    world.scope().subscribe_dead_letters(subscriber).unwrap();
    world.scope().subscribe_dead_letters(subscriber).unwrap();
    let gone = world.puppet("gone");
    world.settle();
    world.stop(gone);
    world.now = Time::from_millis(5000);
    world.tell(gone, Order::Note(1));
    world.settle();
    let expected = DeadLetter {
        target: gone.address(),
        message: std::any::type_name::<Order>(),
        reason: DeadReason::NoActor,
        at: Time::from_millis(5000),
    };
    assert_eq!(*lock(&letters), [expected]);
    world.scope().unsubscribe_dead_letters(subscriber);
    world.tell(gone, Order::Note(2));
    world.settle();
    assert_eq!((lock(&letters).len(), world.dead_letters(DeadReason::NoActor)), (1, 2));
}

#[test]
fn a_dead_letter_about_a_dead_letter_is_counted_and_told_to_nobody() {
    let mut world = World::new();
    let log = world.log.clone();
    let (one, two) = (world.spawn(Undertaker(log.clone())).unwrap(), world.spawn(Undertaker(log)).unwrap());
    for undertaker in [one, two] {
        world.scope().subscribe_dead_letters(undertaker).unwrap();
    }
    world.settle();
    world.stop(one);
    world.tell(ActorRef::<u64>::nobody(), 1);
    assert_eq!(world.events(), ["dead letter for somebody: unreachable"]);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 1), (DeadReason::Unreachable, 1)]);
}

#[test]
fn a_subscriber_that_cannot_keep_up_misses_letters_but_the_counts_miss_none() {
    // The subscriber's queue has room for few.
    let config = KernelConfig { queue_share: 1, ..KernelConfig::default() };
    let mut world = World::with(64 * 1024, config);
    let letters = Arc::new(Mutex::new(Vec::new()));
    let keeper = Keeper::<DeadLetter>(letters.clone());
    let subscriber = world.scope().spawner().group(Group::Background).spawn(keeper).unwrap();
    world.scope().subscribe_dead_letters(subscriber).unwrap();
    for n in 0..10_000u64 {
        world.tell(ActorRef::nobody(), n);
    }
    world.settle();
    let told = lock(&letters).len() as u64;
    assert!(told > 0 && told < 10_000);
    assert_eq!(world.letters(), [(DeadReason::QueueFull, 10_000 - told), (DeadReason::Unreachable, 10_000)]);
}

#[test]
fn an_answer_to_nobody_in_a_message_is_harmless() {
    let mut world = World::new();
    let a = world.puppet("a");
    let reply: ActorRef<String> = ActorRef::nobody();
    world.have(a, move |_, ctx| ctx.tell(reply, "thanks".to_owned()));
    assert_eq!(world.letters(), [(DeadReason::Unreachable, 1)]);
    assert_eq!(format!("{reply:?}"), "nobody");
}

#[test]
fn addresses_are_plain_values() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    let copy = a;
    assert_eq!(a, copy);
    assert_ne!(a, b);
    let set: std::collections::HashSet<_> = [a, b, copy].into();
    assert_eq!(set.len(), 2);
    assert_eq!(size_of_val(&a), 16);
    fn is_send<T: Send + Sync + 'static>(_: T) {}
    is_send(a);
    let text = format!("{a:?}");
    assert!(text.starts_with(&format!("{:?}:", world.place())) && text.ends_with("#1"), "{text}");
}

#[test]
fn the_counts_of_a_kernel_add_up() {
    let mut world = World::new();
    let a = world.puppet("a");
    for n in 0..10 {
        world.tell(a, Order::Note(n));
    }
    world.settle();
    let stats = world.stats();
    assert_eq!((stats.actors, stats.spawned, stats.handled, stats.failed), (1, 1, 10, 0));
    assert!(stats.used_bytes > 0 && stats.used_bytes <= stats.region_bytes);
    assert!(stats.region_bytes <= 1 << 20);
    let turn = world.turn();
    assert_eq!((turn.handled, turn.more), (0, false));
}

#[test]
fn each_message_that_an_actor_handles_is_counted_once_however_it_came() {
    let mut world = World::new();
    let (a, b) = (world.puppet("a"), world.puppet("b"));
    let handled = |world: &mut World| {
        world.pass(ms(10));
        world.stats().handled
    };
    assert_eq!(handled(&mut world), 0, "a start is no message");
    // One order, and the message of a timer.
    world.have(a, |_, ctx| ctx.set_timer(1, ms(1), Order::Note(1)).unwrap());
    assert_eq!(handled(&mut world), 2);
    // Those of a timer that repeats.
    struct Beat;
    impl Actor for Beat {
        type Msg = u64;
        fn receive(&mut self, _: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
            if ctx.scope().stats().handled == 6 {
                ctx.stop_self();
            }
            Ok(())
        }
        fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
            Ok(ctx.set_periodic(1, ms(9), 1)?)
        }
    }
    world.spawn(Beat).unwrap();
    for n in [3, 4, 5, 6, 6] {
        assert_eq!(handled(&mut world), n);
    }
    // Told while it may not run, handled once afterwards; and a timer that waited with it.
    world.scope().suspend(a).unwrap();
    world.tell(a, Order::Note(2));
    assert_eq!(handled(&mut world), 6);
    world.scope().resume(a);
    assert_eq!(handled(&mut world), 7);
    world.have(a, |_, ctx| ctx.set_timer(1, ms(1), Order::Note(1)).unwrap());
    world.scope().suspend(a).unwrap();
    assert_eq!(handled(&mut world), 8);
    world.scope().resume(a);
    assert_eq!(handled(&mut world), 9);
    // An ask that is answered: order, question, answer. One that is not: order, question, time-out.
    for answers in [true, false] {
        let before = handled(&mut world);
        world.have(a, move |_, ctx| {
            let question = move |reply: corelane_kernel::ReplyTo<u64>| {
                order(move |_, ctx| {
                    if answers {
                        ctx.tell(reply, 1);
                    }
                })
            };
            ctx.ask(b, ms(5), question, |_| Order::Note(3));
        });
        assert_eq!(handled(&mut world), before + 3, "answered: {answers}");
    }
    // An adapter's message is its owner's, also if it has to wait.
    let before = handled(&mut world);
    world.have(a, |_, ctx| {
        let adapter = ctx.adapter(Order::Note).unwrap();
        ctx.tell(adapter, 4);
        ctx.tell(adapter, 5);
        ctx.suspend_self().unwrap();
    });
    assert_eq!(handled(&mut world), before + 1);
    world.scope().resume(a);
    assert_eq!(handled(&mut world), before + 3);
    // A message that is told instead of a notice.
    world.have(a, move |_, ctx| {
        ctx.watch_with(b, Order::Note(6)).unwrap();
        ctx.stop(b);
    });
    assert_eq!(handled(&mut world), before + 5);
    // Neither dead letters nor calls are messages that an actor handled.
    world.tell(b, Order::Note(7));
    world.tell(a, order(move |_, ctx| ctx.stop_self()));
    world.tell(a, Order::Note(8));
    assert_eq!(handled(&mut world), before + 6);
    assert_eq!(world.letters(), [(DeadReason::NoActor, 2)]);
}

/// Takes even numbers only.
struct Even;

impl Actor for Even {
    type Msg = (u64, Token);
    fn receive(&mut self, message: (u64, Token), ctx: &mut Ctx<'_, Self>) -> Outcome {
        if message.0 % 2 == 1 {
            ctx.unhandled(message);
        }
        Ok(())
    }
}

/// Conformance 34: what is unhandled counts as a dead letter.
#[test]
fn what_an_actor_has_no_use_for_is_a_dead_letter_of_its_own_reason() {
    let (mut world, census) = (World::new(), Census::default());
    let letters = Arc::new(Mutex::new(Vec::<DeadLetter>::new()));
    let keeper = world.spawn(Keeper(letters.clone())).unwrap();
    world.scope().subscribe_dead_letters(keeper).unwrap();
    let even = world.spawn(Even).unwrap();
    for n in 0..5u64 {
        world.tell(even, (n, census.token()));
    }
    world.settle();
    census.expect_none();
    assert_eq!(world.letters(), [(DeadReason::Unhandled, 2)]);
    let letters = lock(&letters);
    assert_eq!(letters.len(), 2);
    assert_eq!((letters[0].target, letters[0].reason), (even.address(), DeadReason::Unhandled));
    assert_eq!(letters[0].message, std::any::type_name::<(u64, Token)>());
    assert_eq!((world.stats().failed, world.panics.len()), (0, 0));
}

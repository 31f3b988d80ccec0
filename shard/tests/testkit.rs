//! The test kit: a kernel stepped by hand, probes, filters; on one kernel and in a simulation alike. What a probe expects
//! and does not get is a panic that says so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use corelane_kernel::{
    Actor, ActorRef, Ctx, DeadReason, Failure, KernelConfig, Outcome, StopReason, Strategy, Time,
};
use corelane_shard::sim::{Event, Options, Sim};
use corelane_shard::testkit::{Autopilot, Drive, Filter, Fish, Gather, Probe, TestKernel};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Does as it is told to whom it was made for.
struct Teller {
    to: ActorRef<u64>,
}

#[derive(Clone)]
enum Do {
    Tell(u64),
    TellIn(u64, Duration),
    Fail,
    Panic,
    Stop,
}

impl Actor for Teller {
    type Msg = Do;
    fn receive(&mut self, what: Do, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match what {
            Do::Tell(n) => ctx.tell(self.to, n),
            Do::TellIn(n, after) => ctx.set_timer(n, after, Do::Tell(n))?,
            Do::Fail => return Err(Failure::new("told to")),
            Do::Panic => std::panic::resume_unwind(Box::new("made to")),
            Do::Stop => ctx.stop_self(),
        }
        Ok(())
    }
}

/// A probe, and an actor that tells it what it is told to.
fn pair(of: &mut impl Drive) -> (Probe<u64>, ActorRef<Do>) {
    let probe = Probe::new(of);
    let to = probe.at();
    let teller = of.spawn_from(move || Teller { to });
    (probe, teller)
}

/// A kernel on which whoever fails at the top is stopped.
fn stopping() -> TestKernel {
    TestKernel::with(4 << 20, KernelConfig { supervision: Strategy::stopping(), ..KernelConfig::default() })
}

/// Runs a story on a kernel of its own, then in a simulation where everything goes wrong but panics.
macro_rules! everywhere {
    ($story:ident) => {
        $story(&mut stopping());
        let options =
            Options { clock_jump_one_in: 0, supervision: Strategy::stopping(), ..Options::default() };
        Sim::new(11)
            .shards(2)
            .options(options)
            .run(|sim| {
                $story(sim);
                Ok(())
            })
            .expect("it runs");
    };
}

/// What a panic says.
fn complaint(of: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(of)).expect_err("it must complain");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).expect("a text")
}

#[test]
fn a_probe_gives_its_messages_in_order() {
    fn story(of: &mut impl Drive) {
        let (probe, teller) = pair(of);
        for n in 0..5 {
            of.tell(teller, Do::Tell(n));
        }
        assert_eq!(probe.expect(of), 0);
        assert_eq!(probe.expect_many(of, 3), [1, 2, 3]);
        assert_eq!(probe.expect(of), 4);
        probe.expect_no(of, millis(10));
    }
    everywhere!(story);
}

#[test]
fn a_probe_waits_in_virtual_time_and_no_longer_than_it_must() {
    let mut kernel = TestKernel::new();
    let (probe, teller) = pair(&mut kernel);
    kernel.tell(teller, Do::TellIn(1, millis(2500)));
    probe.expect_no(&mut kernel, millis(2400));
    assert_eq!(kernel.now(), Time::from_millis(2400));
    assert_eq!(probe.expect_within(&mut kernel, millis(200)), 1);
    assert!((Time::from_millis(2500)..Time::from_millis(2501)).contains(&kernel.now()), "{:?}", kernel.now());
}

#[test]
fn a_probe_that_gets_nothing_says_what_it_waited_for() {
    fn story(of: &mut impl Drive) {
        let (probe, teller) = pair(of);
        assert_eq!(complaint(|| _ = probe.expect(of)), "no u64 came within 3s");
        of.tell(teller, Do::Tell(1));
        assert_eq!(complaint(|| _ = probe.expect_many(of, 2)), "1 of 2 u64 came within 3s");
        assert!(complaint(|| probe.expect_no(of, millis(5))).starts_with("a u64 came after "));
        let fish = complaint(|| _ = probe.fish(of, millis(5), |_| Fish::Skip));
        assert_eq!(fish, "no such u64 came within 5ms, and 1 others");
    }
    everywhere!(story);
}

#[test]
fn fishing_throws_away_what_comes_before() {
    fn story(of: &mut impl Drive) {
        let (probe, teller) = pair(of);
        for n in 0..9 {
            of.tell(teller, Do::Tell(n));
        }
        let caught = probe.fish(of, millis(100), |n| if *n == 6 { Fish::Take } else { Fish::Skip });
        assert_eq!((caught, probe.expect_many(of, 2)), (6, vec![7, 8]));
    }
    everywhere!(story);
}

#[test]
fn a_probe_does_not_hear_what_it_ignores() {
    fn story(of: &mut impl Drive) {
        let (probe, teller) = pair(of);
        probe.ignore(|n| n % 2 == 0);
        for n in 0..6 {
            of.tell(teller, Do::Tell(n));
        }
        assert_eq!(probe.expect_many(of, 3), [1, 3, 5]);
        assert_eq!(probe.take(), []);
    }
    everywhere!(story);
}

#[test]
fn a_probe_hears_of_the_end_of_whom_it_watches() {
    fn story(of: &mut impl Drive) {
        let (probe, teller) = pair(of);
        let (_, other) = pair(of);
        probe.watch(of, teller);
        probe.watch(of, other);
        probe.unwatch(of, other);
        of.tell(other, Do::Stop);
        of.tell(teller, Do::Fail);
        let gone = probe.expect_terminated(of, teller);
        assert!(
            matches!(&gone.reason, StopReason::Failed(failure) if failure.text() == "told to"),
            "{gone:?}"
        );
        assert!(complaint(|| _ = probe.expect_terminated(of, other)).contains("no notice came"));
    }
    everywhere!(story);
}

#[test]
fn the_notice_of_another_is_not_taken_for_the_expected_one() {
    let mut kernel = TestKernel::new();
    let (probe, teller) = pair(&mut kernel);
    let (_, other) = pair(&mut kernel);
    probe.watch(&mut kernel, other);
    kernel.tell(other, Do::Stop);
    let says = complaint(|| _ = probe.expect_terminated(&mut kernel, teller));
    assert!(says.contains("is gone, and not"), "{says}");
}

#[test]
fn a_filter_counts_what_is_of_its_kind_and_nothing_else() {
    fn story(of: &mut impl Drive) {
        let (_, teller) = pair(of);
        let (_, other) = pair(of);
        let failures = Filter::failures().of("Teller");
        failures.clone().saying("told to").expect(of, 1, |of| of.tell(teller, Do::Fail));
        failures.clone().saying("told to").expect(of, 0, |of| of.tell(other, Do::Panic));
        let letters = Filter::dead_letters().of("Do").because(DeadReason::NoActor);
        letters.expect(of, 2, |of| (0..2).for_each(|n| of.tell(teller, Do::Tell(n))));
        Filter::dead_letters().because(DeadReason::MailboxFull).expect(of, 0, |of| of.tell(other, Do::Stop));
        let says = complaint(|| failures.expect(of, 1, |_| ()));
        assert!(says.starts_with("0 came, and not 1, of Filter"), "{says}");
    }
    everywhere!(story);
}

#[test]
fn a_kernel_by_hand_catches_panics_and_keeps_a_trace() {
    let mut kernel = stopping();
    let (probe, teller) = pair(&mut kernel);
    kernel.note("begins");
    kernel.advance(millis(5));
    kernel.tell(teller, Do::Panic);
    kernel.settle();
    kernel.tell(teller, Do::Tell(1));
    kernel.settle();
    assert_eq!(probe.take(), []);
    let trace = kernel.trace();
    let texts: Vec<_> = trace.iter().map(|(at, event)| format!("{at:?} {event}")).collect();
    assert_eq!(texts.len(), 4, "{texts:?}");
    assert_eq!(texts[0], "0ns begins");
    // The message that it failed with, the failure, and the message that came too late.
    assert!(
        texts[1].starts_with("5ms dead letter to ") && texts[1].ends_with("its handler failed"),
        "{texts:?}"
    );
    assert!(texts[2].starts_with("5ms ") && texts[2].ends_with(" failed: panic: made to"), "{texts:?}");
    assert!(matches!(trace[3].1, Event::DeadLetter { reason: DeadReason::NoActor, .. }), "{texts:?}");
}

#[test]
fn time_goes_from_timer_to_timer() {
    let mut kernel = TestKernel::new();
    let (probe, teller) = pair(&mut kernel);
    for n in 1..=3 {
        kernel.tell(teller, Do::TellIn(n, millis(10 * n)));
    }
    kernel.advance(millis(25));
    assert_eq!((probe.take(), kernel.now()), (vec![1, 2], Time::from_millis(25)));
    kernel.advance(millis(25));
    assert_eq!(probe.take(), [3]);
}

// --- several messages --------------------------------------------------------------------------------------------

#[test]
fn one_of_several_or_all_of_several_in_any_order_are_expected() {
    fn story(of: &mut impl Drive) {
        let (probe, teller) = pair(of);
        for n in [3, 1, 2, 1, 9] {
            of.tell(teller, Do::Tell(n));
        }
        assert_eq!(probe.expect_any_of(of, &[1, 3]), 3);
        // As often as it is among them.
        assert_eq!(probe.expect_all_of(of, &[1, 1, 2]), [1, 2, 1]);
        assert_eq!(complaint(|| _ = probe.expect_any_of(of, &[1, 3])), "9 came, which is none of [1, 3]");
        for n in [1, 1, 2] {
            of.tell(teller, Do::Tell(n));
        }
        let says = complaint(|| _ = probe.expect_all_of(of, &[1, 2, 2]));
        assert_eq!(says, "[1, 1, 2] came, and not [1, 2, 2]: 1 is one too many");
        assert_eq!(complaint(|| _ = probe.expect_all_of(of, &[1])), "0 of 1 u64 came within 3s");
        assert_eq!(probe.expect_all_of(of, &[]), []);
    }
    everywhere!(story);
}

#[test]
fn gathering_keeps_some_throws_away_others_and_ends_with_the_last() {
    fn story(of: &mut impl Drive) {
        let (probe, teller) = pair(of);
        for n in 0..9 {
            of.tell(teller, Do::Tell(n));
        }
        let odd = |n: &u64| match n {
            7 => Gather::Last,
            n if n % 2 == 1 => Gather::Keep,
            _ => Gather::Skip,
        };
        assert_eq!(probe.gather(of, millis(100), odd), [1, 3, 5, 7]);
        assert_eq!(probe.expect(of), 8);
        (0..4).for_each(|n| of.tell(teller, Do::Tell(n)));
        let says = complaint(|| _ = probe.gather(of, millis(100), odd));
        assert_eq!(says, "the last u64 did not come within 100ms; 2 were kept, 2 were not");
    }
    everywhere!(story);
}

#[test]
fn what_comes_while_something_holds_is_read_and_the_rest_is_left() {
    let mut kernel = TestKernel::new();
    let (probe, teller) = pair(&mut kernel);
    for (n, after) in [(1, 10), (2, 20), (3, 40), (14, 50), (5, 60)] {
        kernel.tell(teller, Do::TellIn(n, millis(after)));
    }
    let small = |n: &u64| *n < 10;
    // The third takes too long to come.
    assert_eq!(probe.expect_while(&mut kernel, millis(15), small), [1, 2]);
    assert_eq!(probe.expect_while(&mut kernel, millis(100), small), [3]);
    assert_eq!(probe.expect(&mut kernel), 14);
    // Until the block is over.
    kernel.within(..=millis(300), |kernel| {
        assert_eq!(probe.expect_while(kernel, Duration::MAX, small), [5]);
        assert_eq!(kernel.left(), Some(Duration::ZERO));
    });
}

#[test]
fn a_condition_is_awaited_and_complained_of_when_it_does_not_come_about() {
    fn story(of: &mut impl Drive) {
        let (probe, teller) = pair(of);
        of.tell(teller, Do::TellIn(1, millis(50)));
        let mut came = Vec::new();
        of.await_that(|| {
            came.extend(probe.take());
            came == [1]
        });
        let says = complaint(|| of.await_that(|| false));
        assert_eq!(says, "what is waited for did not come about within 3s");
    }
    everywhere!(story);
}

// --- blocks ------------------------------------------------------------------------------------------------------

#[test]
fn what_is_expected_within_a_block_has_the_time_that_the_block_has_left() {
    fn story(of: &mut impl Drive) {
        let (probe, teller) = pair(of);
        let (_, other) = pair(of);
        let second = Probe::<u64>::new(of);
        of.tell(teller, Do::TellIn(1, millis(4000)));
        // More than the three seconds that it would wait otherwise.
        of.within(..=millis(5000), |of| {
            assert_eq!(probe.expect(of), 1);
            let left = of.left().expect("a block has an end");
            assert!((millis(900)..=millis(1000)).contains(&left), "{left:?}");
            assert_eq!(of.patience(), left);
            // Whatever probe, and whatever it expects.
            let says = complaint(|| _ = second.expect_many(of, 1));
            assert_eq!(says, format!("0 of 1 u64 came within {left:?}"));
            assert_eq!(of.left(), Some(Duration::ZERO));
            assert_eq!(complaint(|| _ = probe.expect(of)), "no u64 came within 0ns");
            assert!(complaint(|| _ = probe.expect_terminated(of, other)).ends_with("within 0ns"));
        });
        assert_eq!(of.left(), None);
        // A filter counts what comes in the rest of the block.
        of.within(millis(100)..=millis(100), |of| {
            Filter::failures().expect(of, 1, |of| of.tell(teller, Do::Fail));
        });
    }
    everywhere!(story);
}

#[test]
fn a_block_takes_no_less_and_no_more_than_it_is_to() {
    fn took(range: impl std::ops::RangeBounds<Duration>, millis: u64) -> Option<String> {
        let mut kernel = TestKernel::new();
        let mut says = None;
        let block = || kernel.within(range, |kernel| kernel.advance(Duration::from_millis(millis)));
        let passed = catch_unwind(AssertUnwindSafe(block)).map_err(|panic| {
            says = panic.downcast_ref::<String>().cloned();
        });
        assert_eq!(passed.is_err(), says.is_some());
        says
    }
    let at_least = |took: u64| Some(format!("the block took {took}ms, and at least 10ms was expected"));
    let at_most = |took: u64| Some(format!("the block took {took}ms, and at most 20ms was expected"));
    let very = |took: u64| Some(format!("the block took {took}ms, the very time that it was not to take"));
    for (millis, says) in [(9, at_least(9)), (10, None), (20, None), (21, at_most(21))] {
        assert_eq!(took(self::millis(10)..=self::millis(20), millis), says);
    }
    for (millis, says) in [(19, None), (20, very(20)), (21, at_most(21))] {
        assert_eq!(took(..self::millis(20), millis), says);
    }
    assert_eq!(took(self::millis(10).., 9), at_least(9));
    assert_eq!(took(self::millis(10).., 1_000_000), None);
    assert_eq!(took(.., 1_000_000), None);
}

#[test]
fn a_block_within_a_block_lasts_no_longer_than_the_one_around_it() {
    let mut kernel = TestKernel::new();
    let (probe, teller) = pair(&mut kernel);
    kernel.within(millis(20)..=millis(30), |kernel| {
        kernel.tell(teller, Do::TellIn(1, millis(10)));
        let n = kernel.within(..=millis(15), |kernel| {
            assert_eq!(kernel.left(), Some(millis(15)));
            probe.expect(kernel)
        });
        assert_eq!(n, 1);
        // What the inner one did not use is the outer one's.
        let left = kernel.left().unwrap();
        assert!((millis(19)..=millis(20)).contains(&left), "{left:?}");
        kernel.within(..=millis(500), |kernel| {
            assert_eq!(kernel.left(), Some(left));
            kernel.within(.., |kernel| assert_eq!(kernel.left(), Some(left)));
        });
        let says = complaint(|| kernel.within(millis(25).., |_| unreachable!("it is not begun")));
        assert_eq!(
            says,
            format!("a block that is to take 25ms begins when {left:?} are left of the one around it")
        );
        // All of the rest, and no more: silence does not make a block late.
        kernel.within(.., |kernel| probe.expect_silence(kernel));
    });
    // A probe can be made however little is left.
    kernel.within(..=millis(5), |kernel| {
        kernel.advance(millis(5));
        Probe::<u64>::new(kernel)
    });
    // A time of its own is not cut short, and tells on the block.
    let says = complaint(|| kernel.within(..=millis(5), |kernel| probe.expect_no(kernel, millis(6))));
    assert_eq!(says, "the block took 6ms, and at most 5ms was expected");
}

// --- autopilots --------------------------------------------------------------------------------------------------

#[test]
fn an_autopilot_answers_until_it_is_off_and_the_probe_hears_all() {
    fn story(of: &mut impl Drive) {
        let (probe, teller) = pair(of);
        let (answers, _) = pair(of);
        let to = answers.at();
        probe.ignore(|n| *n == 100);
        probe.autopilot(move |n, scope| {
            scope.tell(to, n * 10);
            if *n == 2 { Autopilot::Off } else { Autopilot::Keep }
        });
        for n in [1, 100, 2, 3] {
            of.tell(teller, Do::Tell(n));
        }
        assert_eq!(probe.expect_many(of, 3), [1, 2, 3]);
        assert_eq!(answers.expect_many(of, 2), [10, 20]);
        answers.expect_no(of, millis(100));

        // A new one takes the place of the old one, and can be taken away.
        probe.autopilot(|_, _| unreachable!("another was set"));
        probe.autopilot(move |n, scope| {
            scope.tell(to, n + 1);
            Autopilot::Keep
        });
        of.tell(teller, Do::Tell(5));
        assert_eq!((probe.expect(of), answers.expect(of)), (5, 6));
        probe.no_autopilot();
        of.tell(teller, Do::Tell(7));
        assert_eq!(probe.expect(of), 7);
        answers.expect_silence(of);
    }
    everywhere!(story);
}

#[test]
fn a_panic_of_an_autopilot_is_the_tests_own() {
    fn story(of: &mut impl Drive) {
        let (probe, teller) = pair(of);
        probe.autopilot(|n, _| match n {
            1 => Autopilot::Keep,
            _ => std::panic::resume_unwind(Box::new("never told so")),
        });
        of.tell(teller, Do::Tell(1));
        assert_eq!(probe.expect(of), 1);
        of.tell(teller, Do::Tell(2));
        // It was about to wait for another message.
        assert_eq!(complaint(|| _ = probe.expect_many(of, 2)), "never told so");
        // The probe goes on, without it.
        of.tell(teller, Do::Tell(3));
        assert_eq!(probe.expect_many(of, 2), [2, 3]);
        assert_eq!(
            of.happened().iter().filter(|(_, event)| matches!(event, Event::Failed { .. })).count(),
            0
        );
    }
    everywhere!(story);
}

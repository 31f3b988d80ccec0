//! The test kit: a kernel stepped by hand, probes, filters; on one kernel and in a simulation alike. What a probe expects
//! and does not get is a panic that says so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use corelane_kernel::{
    Actor, ActorRef, Ctx, DeadReason, Failure, KernelConfig, Outcome, StopReason, Strategy, Time,
};
use corelane_shard::sim::{Event, Options, Sim};
use corelane_shard::testkit::{Drive, Filter, Fish, Probe, TestKernel};

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
    let teller = of.place(move || Teller { to });
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
            of.hand(teller, Do::Tell(n));
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
        of.hand(teller, Do::Tell(1));
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
            of.hand(teller, Do::Tell(n));
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
            of.hand(teller, Do::Tell(n));
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
        of.hand(other, Do::Stop);
        of.hand(teller, Do::Fail);
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
        failures.clone().saying("told to").expect(of, 1, |of| of.hand(teller, Do::Fail));
        failures.clone().saying("told to").expect(of, 0, |of| of.hand(other, Do::Panic));
        let letters = Filter::dead_letters().of("Do").because(DeadReason::NoActor);
        letters.expect(of, 2, |of| (0..2).for_each(|n| of.hand(teller, Do::Tell(n))));
        Filter::dead_letters().because(DeadReason::MailboxFull).expect(of, 0, |of| of.hand(other, Do::Stop));
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

//! Tests of an actor without waiting: probes, a clock that stands still, and filters.
//!
//!     cargo run --example 6_testing_with_probes
//!
//! The courier brings letters and wants a receipt for each. Where none comes, it tries again after one second, then two,
//! then four, and then it fails. That is fifteen seconds of real time; here they pass in no time at all, for the clock
//! moves only when a test lets it.
//!
//! In a project of your own, each story below is a `#[test]`. Here they run from `main`, which prints the virtual time
//! that each took.

use std::time::Duration;

use corelane::prelude::*;
use corelane::testkit::{Autopilot, Drive, Filter, Fish, Probe, TestKernel};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

// --- what is tested ----------------------------------------------------------------------------------------------

#[derive(Debug, PartialEq)]
struct Letter {
    number: u64,
    attempt: u32,
}

enum Msg {
    /// Bring this letter.
    Bring(u64),
    /// The letter of this number has arrived.
    Receipt(u64),
    /// It is time to bring this letter once more.
    Again(Letter),
}

/// Brings letters to a door until somebody there gives a receipt.
struct Courier {
    door: ActorRef<Letter>,
}

impl Courier {
    const ATTEMPTS: u32 = 4;

    fn bring(&self, number: u64, attempt: u32, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.tell(self.door, Letter { number, attempt });
        ctx.set_timer(number, secs(1 << (attempt - 1)), Msg::Again(Letter { number, attempt: attempt + 1 }))?;
        Ok(())
    }
}

impl Actor for Courier {
    type Msg = Msg;

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Bring(number) => self.bring(number, 1, ctx),
            Msg::Again(Letter { number, attempt }) if attempt > Self::ATTEMPTS => {
                Err(Failure::new(format_args!("no receipt for letter {number}")))
            }
            Msg::Again(Letter { number, attempt }) => self.bring(number, attempt, ctx),
            Msg::Receipt(number) if ctx.cancel_timer(number) => Ok(()),
            surplus @ Msg::Receipt(_) => {
                ctx.unhandled(surplus);
                Ok(())
            }
        }
    }
}

// --- how it is tested --------------------------------------------------------------------------------------------

/// The probe stands at the door: what the courier brings, the test reads.
fn courier(kernel: &mut impl Drive) -> (Probe<Letter>, ActorRef<Msg>) {
    let door = Probe::new(kernel);
    let at = door.at();
    let courier = kernel.spawn_from(move || Courier { door: at });
    (door, courier)
}

fn a_letter_with_a_receipt_is_brought_once(kernel: &mut TestKernel) {
    let (door, courier) = courier(kernel);
    kernel.tell(courier, Msg::Bring(7));
    assert_eq!(door.expect(kernel), Letter { number: 7, attempt: 1 });
    kernel.tell(courier, Msg::Receipt(7));
    // All of this minute passes, from one timer to the next.
    door.expect_no(kernel, secs(60));
}

fn a_letter_without_a_receipt_is_brought_again_after_a_growing_wait(kernel: &mut TestKernel) {
    let (door, courier) = courier(kernel);
    kernel.tell(courier, Msg::Bring(7));
    assert_eq!(door.expect(kernel).attempt, 1);
    for (attempt, wait) in [(2, secs(1)), (3, secs(2)), (4, secs(4))] {
        door.expect_no(kernel, wait - millis(1));
        assert_eq!(door.expect_within(kernel, millis(2)).attempt, attempt);
    }
}

fn letters_do_not_wait_for_each_other(kernel: &mut TestKernel) {
    let (door, courier) = courier(kernel);
    (1..=3).for_each(|number| kernel.tell(courier, Msg::Bring(number)));
    let numbers = door.expect_many(kernel, 3).into_iter().map(|letter| letter.number);
    assert_eq!(numbers.collect::<Vec<_>>(), [1, 2, 3]);
    kernel.tell(courier, Msg::Receipt(1));
    kernel.tell(courier, Msg::Receipt(3));
    // Fishes one out of what comes, whatever comes before it.
    let third = |letter: &Letter| if letter.attempt == 3 { Fish::Take } else { Fish::Skip };
    assert_eq!(door.fish(kernel, secs(4), third).number, 2);
}

fn whoever_signs_at_once_gets_each_letter_once(kernel: &mut TestKernel) {
    let (door, courier) = courier(kernel);
    // Answers in the place of the test, which reads the letters all the same.
    door.autopilot(move |letter, scope| {
        scope.tell(courier, Msg::Receipt(letter.number));
        Autopilot::Keep
    });
    // All of it takes no longer than that, whatever is expected inside.
    kernel.within(..millis(1), |kernel| {
        (1..=3).for_each(|number| kernel.tell(courier, Msg::Bring(number)));
        door.expect_all_of(kernel, &[1, 2, 3].map(|number| Letter { number, attempt: 1 }));
    });
    door.expect_no(kernel, secs(60));
}

fn a_surplus_receipt_is_a_dead_letter(kernel: &mut TestKernel) {
    let (_, courier) = courier(kernel);
    let surplus = Filter::dead_letters().of("Msg").because(DeadReason::Unhandled);
    surplus.expect(kernel, 1, |kernel| kernel.tell(courier, Msg::Receipt(7)));
}

fn after_four_attempts_the_courier_fails_and_starts_afresh(kernel: &mut TestKernel) {
    let (door, courier) = courier(kernel);
    door.watch(kernel, courier);
    kernel.tell(courier, Msg::Bring(7));
    kernel.advance(secs(14));
    assert_eq!(door.take().len(), 4);
    // A filter waits for three seconds, and counts what comes in them: no more and no less.
    let failure = Filter::failures().of("Courier").saying("no receipt for letter 7");
    failure.expect(kernel, 1, |_| ());
    // It was restarted, at the same address: whoever watches it has heard nothing.
    kernel.tell(courier, Msg::Bring(8));
    assert_eq!(door.expect(kernel), Letter { number: 8, attempt: 1 });
    kernel.scope().stop(courier);
    let notice = door.expect_terminated(kernel, courier);
    assert!(matches!(notice.reason, StopReason::Stopped));
}

/// Runs a story on a kernel of its own, whose clock begins at zero.
fn test(name: &str, story: fn(&mut TestKernel)) {
    let mut kernel = TestKernel::new();
    story(&mut kernel);
    println!("{name}: ok, after {} s", kernel.now().since(Time::ZERO).as_secs());
}

fn main() {
    test("a letter with a receipt is brought once", a_letter_with_a_receipt_is_brought_once);
    test(
        "a letter without a receipt is brought again after a growing wait",
        a_letter_without_a_receipt_is_brought_again_after_a_growing_wait,
    );
    test("letters do not wait for each other", letters_do_not_wait_for_each_other);
    test("whoever signs at once gets each letter once", whoever_signs_at_once_gets_each_letter_once);
    test("a surplus receipt is a dead letter", a_surplus_receipt_is_a_dead_letter);
    test(
        "after four attempts the courier fails and starts afresh",
        after_four_attempts_the_courier_fails_and_starts_afresh,
    );
}

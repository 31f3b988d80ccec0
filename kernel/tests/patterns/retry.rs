//! Retry, in an actor.

use super::common::{Log, World, ms};
use corelane_kernel::Backoff;
use corelane_kernel::pattern::{NextTry, Retry, RetryConfig};
use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Outcome, ReplyTo, Time};

/// Answers from the so-manieth question on.
struct Flaky {
    silent_for: u32,
}

impl Actor for Flaky {
    type Msg = ReplyTo<u64>;
    fn receive(&mut self, reply: ReplyTo<u64>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match self.silent_for.checked_sub(1) {
            Some(left) => self.silent_for = left,
            None => ctx.tell(reply, 7),
        }
        Ok(())
    }
}

enum Msg {
    Try,
    Answer(Result<u64, AskError>),
}

struct Client {
    service: ActorRef<ReplyTo<u64>>,
    retry: Retry,
    log: Log,
    begun: Time,
}

impl Actor for Client {
    type Msg = Msg;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.begun = ctx.now();
        self.retry.restart(ctx.now());
        self.receive(Msg::Try, ctx)
    }
    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Try => {
                self.log.add(format!("try at {:?}", ctx.now().since(self.begun)));
                ctx.ask(self.service, ms(10), |reply| reply, Msg::Answer);
            }
            Msg::Answer(Ok(_)) => self.log.add("done"),
            Msg::Answer(Err(_)) => match self.retry.failed(ctx.now()) {
                NextTry::After(delay) => ctx.set_timer("retry", delay, Msg::Try)?,
                NextTry::GiveUp => self.log.add("given up"),
            },
        }
        Ok(())
    }
}

fn tries(silent_for: u32, attempts: u32, within: u64) -> Vec<String> {
    let mut world = World::new();
    let service = world.spawn(Flaky { silent_for }).unwrap();
    let delay = Backoff::new(ms(20), ms(100)).jitter(0);
    let retry = Retry::new(RetryConfig { attempts, delay, within: ms(within) }).unwrap();
    let client = Client { service, retry, log: world.log.clone(), begun: Time::ZERO };
    world.spawn(client).unwrap();
    for _ in 0..500 {
        world.pass(ms(1));
    }
    world.events()
}

#[test]
fn an_actor_tries_again_after_growing_delays_until_it_is_answered() {
    assert_eq!(tries(0, 4, 1000), ["try at 0ns", "done"]);
    let events = tries(3, 4, 1000);
    assert_eq!(events.len(), 5, "{events:?}");
    // Time-outs of 10 ms and waits of 20, 40 and 80 ms; the clock moves by milliseconds, and each timer may come one late.
    let times: Vec<u64> = events[..4]
        .iter()
        .map(|event| event.trim_start_matches("try at ").trim_end_matches("ms").parse().unwrap_or(0))
        .collect();
    for (time, expected) in times.iter().zip([0, 30, 80, 170]) {
        assert!((expected..=expected + 6).contains(time), "{events:?}");
    }
    assert_eq!(events[4], "done");
}

#[test]
fn an_actor_gives_up_when_tries_or_time_are_used_up() {
    let events = tries(u32::MAX, 3, 1000);
    assert_eq!((events.len(), events[3].as_str()), (4, "given up"), "{events:?}");
    // The third try, at 80 ms, would begin too late.
    let events = tries(u32::MAX, 100, 80);
    assert_eq!((events.len(), events[2].as_str()), (3, "given up"), "{events:?}");
}

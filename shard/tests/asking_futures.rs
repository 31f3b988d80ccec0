//! Asks whose answer is a future: under any executor, from any thread, and given up by dropping it.

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use common::{Census, Job, LONG, builder, end, next, puppet, system, tell};
use corelane_kernel::{AskError, ReplyTo};
use corelane_shard::GatewayAskError;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};

/// The smallest executor: polls, and sleeps until it is woken.
fn run<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// A question that is answered with twice its number.
fn double(n: u64) -> impl FnOnce(ReplyTo<u64>) -> Job + Send + 'static {
    move |reply| Job::run(move |ctx| ctx.tell(reply, 2 * n))
}

#[test]
fn any_executor_awaits_an_answer() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let puppets = [0, 1].map(|shard| puppet(&system, shard));
    for n in 0..100 {
        let of = puppets[(n % 2) as usize];
        assert_eq!(run(gateway.ask_future(of, LONG, double(n))), Ok(2 * n));
        assert_eq!(futures_executor::block_on(gateway.ask_future(of, LONG, double(n))), Ok(2 * n));
    }
    end(system);
}

#[test]
fn many_answers_are_awaited_at_once_and_in_any_order() {
    let system = system(2);
    let mut gateway = system.gateway().unwrap();
    let puppets = [0, 1].map(|shard| puppet(&system, shard));
    let mut asked = |n: u64| gateway.ask_future(puppets[(n % 2) as usize], LONG, double(n));
    let answers = run(join_all((0..50).map(&mut asked)));
    assert!(answers.into_iter().eq((0..50).map(|n| Ok(2 * n))));
    let unordered: FuturesUnordered<_> = (0..50).map(&mut asked).collect();
    let mut answers: Vec<u64> = futures_executor::block_on(unordered.map(|answer| answer.unwrap()).collect());
    answers.sort_unstable();
    assert!(answers.into_iter().eq((0..50).map(|n| 2 * n)));
    end(system);
}

#[test]
fn the_future_may_be_awaited_on_another_thread_and_outlive_its_gateway() {
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let of = puppet(&system, 0);
    let future = gateway.ask_future(of, LONG, double(21));
    drop(gateway);
    let answer = std::thread::spawn(move || run(future)).join().unwrap();
    assert_eq!(answer, Ok(42));
    end(system);
}

#[test]
fn the_question_is_sent_before_the_future_is_polled() {
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let of = puppet(&system, 0);
    let (heard, is_heard) = channel();
    let future = gateway.ask_future(of, LONG, move |reply: ReplyTo<u64>| {
        Job::run(move |ctx| {
            ctx.tell(reply, 5);
            heard.send(()).unwrap();
        })
    });
    next(&is_heard);
    assert_eq!(run(future), Ok(5));
    end(system);
}

#[test]
fn an_answer_nobody_gives_is_a_time_out() {
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let of = puppet(&system, 0);
    let silent = gateway.ask_future(of, Duration::from_millis(2), |_: ReplyTo<u64>| Job::run(|_| ()));
    assert_eq!(run(silent), Err(GatewayAskError::Ask(AskError::Timeout)));
    end(system);
}

#[test]
fn a_future_that_is_dropped_gives_its_answer_up() {
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let of = puppet(&system, 0);
    let census = Census::default();
    let (answering, is_answered) = channel();
    let one = census.one();
    let future = gateway.ask_future(of, LONG, move |reply| {
        Job::run(move |ctx| {
            // An answer that nobody takes is dropped, and hurts nobody.
            ctx.tell(reply, one);
            answering.send(()).unwrap();
        })
    });
    drop(future);
    next(&is_answered);
    tell(&mut gateway, of, ());
    assert_eq!(run(gateway.ask_future(of, LONG, double(1))), Ok(2));
    end(system);
    assert_eq!(census.count(), 0);
}

#[test]
fn a_full_lane_is_an_answer_at_once() {
    let system = builder(1).gateway_bytes(4096).start().unwrap();
    let mut gateway = system.gateway().unwrap();
    let of = puppet(&system, 0);
    let (release, released) = channel::<()>();
    tell(&mut gateway, of, Job::run(move |_| assert!(released.recv().is_err())));
    let mut waiting = Vec::new();
    let refused = loop {
        let mut future = Box::pin(gateway.ask_future(of, LONG, double(waiting.len() as u64)));
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => waiting.push(future),
            Poll::Ready(answer) => break answer,
        }
    };
    assert_eq!(refused, Err(GatewayAskError::Ask(AskError::NotSent)));
    assert!(waiting.len() > 20, "{}", waiting.len());
    drop(release);
    for (n, future) in waiting.into_iter().enumerate() {
        assert_eq!(run(future), Ok(2 * n as u64));
    }
    end(system);
}

#[test]
fn a_question_that_waits_when_the_system_ends_is_refused() {
    let system = system(1);
    let mut gateway = system.gateway().unwrap();
    let of = puppet(&system, 0);
    // Kept by the actor, which stops without an answer: the ask outlives it, but not the system.
    let future = gateway.ask_future(of, Duration::from_secs(3600), |_: ReplyTo<u64>| Job::run(|_| ()));
    end(system);
    assert_eq!(run(future), Err(GatewayAskError::Unreachable));
    let late = gateway.ask_future(of, LONG, double(1));
    assert_eq!(run(late), Err(GatewayAskError::Unreachable));
}

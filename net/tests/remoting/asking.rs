//! Questions to actors of another host that is lost meanwhile.

use std::sync::mpsc::{Sender, channel};

use corelane_kernel::{Actor, ActorRef, AskError, Ctx, Outcome, ReplyTo, TellError};
use corelane_net::reactor::Choice;
use corelane_shard::{GatewayAskError, On};

use crate::common::*;
use crate::gateways::block_on;

/// Never answers. Says when it was asked.
struct Silent {
    asked: Sender<ReplyTo<u64>>,
}

impl Silent {
    fn spawn(host: &Host, shard: usize, name: &str) -> std::sync::mpsc::Receiver<ReplyTo<u64>> {
        let (asked, receiver) = channel();
        host.system.spawn_named(On::Shard(shard), name, move || Silent { asked: asked.clone() }).unwrap();
        receiver
    }
}

impl Actor for Silent {
    type Msg = Order;
    fn receive(&mut self, order: Order, _: &mut Ctx<'_, Self>) -> Outcome {
        if let Order::Get(reply) = order {
            let _ = self.asked.send(reply);
        }
        Ok(())
    }
}

/// Asks at its start.
struct Curious {
    of: ActorRef<Order>,
    heard: Sender<Result<u64, AskError>>,
}

impl Actor for Curious {
    type Msg = Result<u64, AskError>;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.ask(self.of, LONG, Order::Get, |answer| answer);
        Ok(())
    }
    fn receive(&mut self, answer: Result<u64, AskError>, _: &mut Ctx<'_, Self>) -> Outcome {
        let _ = self.heard.send(answer);
        Ok(())
    }
}

/// Conformance 23: with a time-out that nobody waits for, on every shard, by actors and by code that is none.
#[test]
fn an_ask_of_a_host_that_is_lost_ends_at_once_with_its_reason() {
    with_each(|backend| {
        let (near, far, third) = (host(2, backend), host(2, backend), host(1, Choice::Poll));
        let asked = [0, 1].map(|shard| Silent::spawn(&far, shard, ["zero", "one"][shard]));
        Silent::spawn(&third, 0, "third");
        let silent = ["zero", "one"].map(|name| near.lookup::<Order>(&far.url(name)).unwrap());
        let third_silent = near.lookup::<Order>(&third.url("third")).unwrap();
        let (heard, answers) = channel();
        let (others_heard, other_answers) = channel();
        for shard in [0, 1] {
            for of in silent {
                let heard = heard.clone();
                near.system.spawn_on(On::Shard(shard), move || Curious { of, heard: heard.clone() }).unwrap();
            }
        }
        let from_outside = heard.clone();
        near.system
            .call(0, move |scope| {
                scope.ask(silent[0], LONG, Order::Get, move |answer| _ = from_outside.send(answer));
                let of = third_silent;
                scope.ask(of, LONG, Order::Get, move |answer| _ = others_heard.send(answer));
            })
            .unwrap();
        for n in [3, 2] {
            (0..n).for_each(|_| _ = next(&asked[3 - n]));
        }
        far.end();
        for _ in 0..5 {
            assert_eq!(next(&answers), Err(AskError::Unreachable));
        }
        // The one of a host that lives is still open; it ends with its own.
        assert!(other_answers.try_recv().is_err());
        third.end();
        assert_eq!(next(&other_answers), Err(AskError::Unreachable));
        near.end();
    });
}

/// Conformance 23: by a thread, to which no way leads there then.
#[test]
fn a_thread_that_asks_a_host_that_is_lost_hears_so_at_once() {
    let (near, far) = (host(1, Choice::Poll), host(1, Choice::Poll));
    let asked = Silent::spawn(&far, 0, "silent");
    let silent = near.lookup::<Order>(&far.url("silent")).unwrap();
    let mut gateway = near.system.gateway().unwrap();
    let answer = gateway.ask_future(silent, LONG, Order::Get);
    next(&asked);
    far.end();
    assert_eq!(block_on(answer), Err(GatewayAskError::Ask(AskError::Unreachable)));
    let refused = gateway.try_tell(silent, Order::Add(1));
    assert!(matches!(refused, Err(TellError::Unreachable(Order::Add(1)))), "{refused:?}");
    assert_eq!(gateway.ask(silent, LONG, Order::Get), Err(GatewayAskError::Unreachable));
    near.end();
}

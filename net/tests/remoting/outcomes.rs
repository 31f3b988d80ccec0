//! Outcomes of what an actor asked its host for: they come whatever is full.

use std::sync::mpsc::{Sender, channel};

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
use corelane_net::reactor::Choice;
use corelane_net::{RemoteCtx, RemoteLookupError, RemoteSpawnError};
use corelane_shard::On;

use crate::common::*;
use crate::family::*;

enum Msg {
    Begin,
    /// One of very many.
    Fill,
    Found(&'static str, Result<ActorRef<Order>, RemoteLookupError>),
    Hired(&'static str, Result<ActorRef<Job>, RemoteSpawnError>),
}

/// Keeps its shard's queue full until it has heard all that it asked for.
struct Busy {
    far: String,
    adder: String,
    awaited: usize,
    heard: Sender<(&'static str, bool)>,
}

impl Busy {
    fn fill(ctx: &mut Ctx<'_, Busy>) {
        let me = ctx.me();
        while ctx.try_tell(me, Msg::Fill).is_ok() {}
    }

    fn hear(&mut self, what: &'static str, is_ok: bool) {
        self.awaited -= 1;
        let _ = self.heard.send((what, is_ok));
    }
}

impl Actor for Busy {
    type Msg = Msg;
    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Begin => {
                Busy::fill(ctx);
                let missing = self.adder.replace("adder", "nobody");
                let here = self.far.clone();
                ctx.lookup_at(&self.adder, LONG, |found| Msg::Found("adder", found));
                ctx.lookup_at(&missing, LONG, |found| Msg::Found("nobody", found));
                ctx.lookup_at("corelane:", LONG, |found: Result<ActorRef<Order>, _>| {
                    Msg::Found("no URL", found)
                });
                ctx.child_at(&here).spawn(Hire::of("w"), |born| Msg::Hired("worker", born))?;
                ctx.child_at(&here).spawn(Idle(Vec::new()), |born| Msg::Hired("idle", born))?;
                ctx.child_here().spawn(Hire::of("own"), |born| Msg::Hired("own", born))?;
            }
            Msg::Fill if self.awaited > 0 => Busy::fill(ctx),
            Msg::Fill => {}
            Msg::Found(what, found) => self.hear(what, found.is_ok()),
            Msg::Hired(what, born) => self.hear(what, born.is_ok()),
        }
        Ok(())
    }
}

#[test]
fn an_actor_whose_queue_is_full_hears_of_each_look_up_and_each_child_once() {
    let log = Log::new();
    let far = log.host(2, Choice::Poll, config());
    Adder::spawn(&far, On::Shard(1), "adder");
    let near = start(builder(2, Choice::Poll, config(), log.registry()).region_bytes(2 << 20));
    let (heard, outcomes) = channel();
    let (at, adder) = (far.at(), far.url("adder"));
    let make = move || Busy { far: at.clone(), adder: adder.clone(), awaited: 6, heard: heard.clone() };
    let busy = near.system.spawn_on(On::Shard(0), make).unwrap();
    near.system.call(0, move |scope| scope.tell(busy, Msg::Begin)).unwrap();
    let mut all: Vec<_> = (0..6).map(|_| next(&outcomes)).collect();
    all.sort_unstable();
    let expected = [
        ("adder", true),
        ("idle", false),
        ("no URL", false),
        ("nobody", false),
        ("own", true),
        ("worker", true),
    ];
    assert_eq!(all, expected);
    near.end();
    far.end();
}

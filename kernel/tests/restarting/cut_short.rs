//! Restarts that are cut short: by panics at each of their steps, by a stop, by the end of their kernel.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Ctx, Directive, Failure, Outcome, ReplyTo, Strategy};

use crate::common::family::failing;
use crate::common::{Census, Log, Order, Puppet, Token, World, lock, ms, order};
use crate::rig::stubborn;

/// Panics when it is dropped, if it may.
struct Bomb(Option<&'static str>, #[allow(dead_code)] Token);

impl Drop for Bomb {
    fn drop(&mut self) {
        if let Some(text) = self.0.take()
            && !std::thread::panicking()
        {
            panic!("{text}");
        }
    }
}

/// An actor with a bomb in each place where something is dropped at a restart.
struct Minefield {
    log: Log,
    census: Census,
    instance: u32,
    /// Dropped with the state.
    _own: Option<Bomb>,
}

impl Actor for Minefield {
    type Msg = Option<Bomb>;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.log.add(format!("instance {}", self.instance));
        if self.instance > 1 {
            return Ok(());
        }
        let bomb = |text| Bomb(Some(text), self.census.token());
        let (adapter, asked) = (bomb("adapter"), bomb("ask"));
        ctx.set_timer(1, ms(5), Some(bomb("timer")))?;
        ctx.attach(bomb("attachment"))?;
        ctx.attach(bomb("attachment"))?;
        ctx.adapter(move |_: u8| {
            let _ = &adapter;
            None
        })?;
        let nobody = ctx.spawn(Sink)?;
        ctx.watch_with(nobody, Some(bomb("watch")))?;
        ctx.ask(
            nobody,
            ms(5),
            |_: ReplyTo<u8>| (),
            move |_| {
                let _ = &asked;
                None
            },
        );
        Ok(())
    }

    fn receive(&mut self, _: Option<Bomb>, _: &mut Ctx<'_, Self>) -> Outcome {
        Err(Failure::new("oops"))
    }

    fn restarting(&mut self, _: &Failure, _: &mut Ctx<'_, Self>) {
        panic!("restarting");
    }

    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        panic!("stopped");
    }
}

struct Sink;

impl Actor for Sink {
    type Msg = ();
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

/// Conformance 3, reliability 18: each step of a restart may panic, and the next one follows.
#[test]
fn panics_at_every_step_of_a_restart_keep_no_new_instance_away_and_lose_nothing() {
    let mut world = World::new();
    let census = Census::default();
    let (log, people) = (world.log.clone(), census.clone());
    let mut instance = 0;
    let field = world
        .scope()
        .spawn_from(move || {
            instance += 1;
            let own = (instance == 1).then(|| Bomb(Some("state"), people.token()));
            Minefield { log: log.clone(), census: people.clone(), instance, _own: own }
        })
        .unwrap();
    world.settle();
    census.expect(7);
    world.tell(field, None);
    assert_eq!(world.events(), ["instance 1", "instance 2"]);
    let mut panics = world.panics.clone();
    assert_eq!(panics[..3], ["restarting", "stopped", "state"]);
    panics.sort();
    assert_eq!(
        panics,
        ["adapter", "ask", "attachment", "attachment", "restarting", "state", "stopped", "timer", "watch"]
    );
    census.expect_none();
    // A hook that panicked stops no child: that is done for it.
    assert_eq!(world.stats().actors, 1);
    assert_eq!(world.stats().restarted, 1);
}

#[test]
fn an_actor_that_is_stopped_amid_its_restart_is_gone_once() {
    for waits in [false, true] {
        let mut world = World::new();
        let log = world.log.clone();
        let wait = if waits { ms(100) } else { Duration::ZERO };
        let p = Puppet::new("p", &log).looking_after(Strategy::one_for_one().deciding(if waits {
            |_| Directive::RestartAfter(Duration::from_millis(100))
        } else {
            |_| Directive::Restart
        }));
        let p = world.kernel.spawn(p).unwrap();
        let slot = Arc::new(Mutex::new(None));
        let store = slot.clone();
        world.have(p, move |me, ctx| {
            let log = me.log.clone();
            let make = move || {
                Puppet::new("c", &log).at_restart(|_, ctx| {
                    // Its children stay, and end with it.
                    ctx.stop_self();
                })
            };
            *lock(&store) = Some(ctx.spawn_from(make).unwrap());
        });
        let c: ActorRef<Order> = lock(&slot).take().unwrap();
        world.have(c, |me, ctx| {
            for _ in 0..3 {
                let child = ctx.spawn(me.other("child").at_stop(|_, _| panic!("no"))).unwrap();
                ctx.tell(child, order(|me, ctx| _ = ctx.spawn(me.other("grandchild")).unwrap()));
            }
        });
        let w = world.puppet("w");
        world.have(w, move |_, ctx| ctx.watch(c).unwrap());
        world.tell(c, failing("oops"));
        world.tell(c, Order::Note(1));
        world.pass(wait);
        let events = world.events();
        assert_eq!(events.iter().filter(|event| *event == "c stopped").count(), 1, "{waits}: {events:?}");
        assert_eq!(events.iter().filter(|event| event.starts_with("w hears: c")).count(), 1, "{events:?}");
        assert_eq!(events.iter().filter(|event| *event == "grandchild stopped").count(), 3, "{events:?}");
        assert_eq!((world.stats().actors, world.next_deadline()), (2, None));
    }
}

#[test]
fn a_kernel_that_is_dropped_amid_restarts_drops_everything_once() {
    let census = Census::default();
    let mut world = stubborn(|_| Directive::RestartAfter(Duration::from_secs(1)));
    for turns in 0..4 {
        let (log, people) = (world.log.clone(), census.clone());
        let a = world
            .scope()
            .spawn_from(move || Puppet::new("a", &log).keeping(people.token()).at_restart(|_, _| {}))
            .unwrap();
        let token = census.token();
        world.have(a, move |me, ctx| _ = ctx.spawn(me.other("c").keeping(token)).unwrap());
        world.tell(a, failing("oops"));
        for _ in 0..turns {
            world.turn();
        }
        world.tell(a, Order::Carry(census.token()));
    }
    drop(world);
    census.expect_none();
}

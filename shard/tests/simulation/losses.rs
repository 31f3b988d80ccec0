//! Shards that are lost, as those who stay see it.

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, ReplyTo, TellError};
use corelane_shard::sim::{Fault, Options, Sim, note};
use corelane_shard::{CallError, GatewayAskError, On, ShardCtx};

use crate::rig::{Job, Puppet, SECOND, calm, job};

#[test]
fn a_shard_that_is_lost_takes_those_who_live_there_along_and_all_others_hear_of_it() {
    let trace = calm(3).shards(3).run(|sim| {
        let [here, there, third] = [0, 1, 2].map(|shard| sim.spawn_on(shard, || Puppet).expect("room"));
        // It watches one who is to be lost, has a child there, and is to lose its own parent.
        sim.tell(here, job(move |ctx| ctx.watch(there).expect("room")));
        let child_on = |shard, name: &'static str| {
            job(move |ctx| {
                let born = move |child: Result<ActorRef<Job>, _>| {
                    job(move |ctx| {
                        note(format_args!("{name}: {}", child.is_ok()));
                        if let Ok(child) = child {
                            ctx.watch(child).expect("room");
                        }
                    })
                };
                if ctx.child_on(shard).spawn_from(|| Puppet, born).is_err() {
                    note(format_args!("{name}: refused"));
                }
            })
        };
        sim.tell(here, child_on(1, "a child there"));
        sim.tell(there, child_on(2, "a child elsewhere"));
        sim.run_until_idle();
        sim.tell(third, job(|ctx| note(format_args!("{} live on the third", ctx.scope().stats().actors))));
        sim.run_until_idle();

        sim.tell(there, job(|_| note("never handled")));
        assert!(sim.lose_shard(1) && sim.is_lost(1) && !sim.lose_shard(1) && !sim.lose_shard(3));
        sim.run_until_idle();
        sim.tell(third, job(|ctx| note(format_args!("{} live on the third", ctx.scope().stats().actors))));
        sim.tell(here, child_on(1, "another"));
        sim.run_until_idle();
        // Nobody waits for it in vain, and a way in that is made from now on leads to the others.
        assert_eq!(sim.call(1, |_| ()), Err(CallError::ShardLost));
        let refused = sim.spawn_on(1, || Puppet).unwrap_err();
        assert_eq!(refused.to_string(), "the shard is lost");
        assert!(matches!(sim.try_tell(there, job(|_| ())), Err(TellError::Unreachable(_))));
        let mut gateway = sim.system().gateway()?;
        sim.run_until_idle();
        assert!(matches!(gateway.try_tell(there, job(|_| ())), Err(TellError::Unreachable(_))));
        gateway.try_tell(third, job(|_| note("goes on"))).map_err(|_| "refused")?;
        sim.run_until_idle();
        Ok(())
    });
    let trace = trace.expect("it runs");
    let mut notes: Vec<_> = trace.notes().collect();
    notes.sort_unstable();
    let wanted = [
        "1 live on the third",
        "2 live on the third",
        "a child elsewhere: true",
        "a child there: true",
        "another: refused",
        "goes on",
        "hears: Unreachable",
        "hears: Unreachable",
    ];
    assert_eq!(notes, wanted, "{trace}");
    assert_eq!(trace.faults.count(Fault::ShardLoss), 1);
    assert_eq!(trace.report.unfinished, [1]);
    assert_eq!(trace.report.shards.iter().map(|shard| shard.actors_left).sum::<u64>(), 0);
}

#[test]
fn a_shard_that_is_lost_gets_nobody_and_who_names_it_is_told() {
    let trace = calm(3).shards(3).run(|sim| {
        // The one that is lost had the fewest, and has none now.
        let spawner = sim.spawn_on(0, || Puppet)?;
        sim.spawn_on(2, || Puppet)?;
        sim.run_until_idle();
        assert!(sim.lose_shard(1));
        sim.run_until_idle();
        let spawn = |on: On| {
            job(move |ctx| {
                ctx.spawn_on(
                    on,
                    || Puppet,
                    |spawned| {
                        job(move |_| match spawned {
                            Ok(actor) => note(format_args!("on {}", actor.place().shard())),
                            Err(error) => note(error),
                        })
                    },
                );
            })
        };
        for on in [On::LeastLoaded, On::Spread, On::Spread, On::Spread, On::Spread, On::Shard(1)] {
            sim.tell(spawner, spawn(on));
            sim.run_until_idle();
        }
        Ok(())
    });
    let trace = trace.expect("it runs");
    let notes: Vec<_> = trace.notes().collect();
    assert_eq!(notes.len(), 6, "{trace}");
    assert!(["on 0", "on 2"].contains(&notes[0]), "{notes:?}");
    let mut spread = notes[1..5].to_vec();
    spread.sort_unstable();
    assert!(!spread.contains(&"on 1") && spread[0] == "on 0" && spread[3] == "on 2", "{notes:?}");
    assert_eq!(notes[5], "the shard is lost");
}

#[test]
fn an_ask_of_a_shard_that_is_lost_has_an_outcome() {
    struct Silent;
    impl Actor for Silent {
        type Msg = ReplyTo<u32>;
        fn receive(&mut self, _: ReplyTo<u32>, _: &mut Ctx<'_, Self>) -> Outcome {
            Ok(())
        }
    }
    let trace = calm(1).run(|sim| {
        let silent = sim.spawn_on(1, || Silent)?;
        let mut gateway = sim.system().gateway()?;
        let asked = gateway.ask_future(silent, SECOND, |reply| reply);
        sim.step();
        sim.lose_shard(1);
        drop(gateway);
        assert_eq!(sim.block_on(asked), Err(GatewayAskError::Unreachable));
        Ok(())
    });
    assert!(trace.is_ok(), "{trace:?}");
}

#[test]
fn shards_are_lost_at_random_but_never_the_last() {
    for seed in 0..20 {
        let options = Options { shard_loss_one_in: 3, ..Options::calm() };
        let trace = Sim::new(seed).shards(3).options(options).run(|sim| {
            sim.run_for(SECOND);
            let left = (0..3).filter(|shard| !sim.is_lost(*shard)).count();
            assert!(left > 0);
            Ok(())
        });
        let trace = trace.expect("it runs");
        assert_eq!(trace.report.unfinished.len() as u64, trace.faults.count(Fault::ShardLoss));
        assert!(trace.report.shards.len() + trace.report.unfinished.len() == 3);
    }
}

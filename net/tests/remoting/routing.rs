//! Routers whose routees live on several hosts: a router holds addresses, whosever they are.

use std::sync::mpsc::{Receiver, Sender, channel};

use corelane_kernel::router::{Evicted, Router};
use corelane_kernel::{Actor, ActorRef, Address, Ctx, Directive, Failure, Outcome, Strategy, Terminated};
use corelane_net::reactor::Choice;
use corelane_net::{RemoteCtx, RemoteSpawnError};
use corelane_shard::On;

use crate::common::*;
use crate::family::*;

enum Work<M> {
    Join(ActorRef<M>),
    Do(M),
    /// Have a child at each of these hosts.
    Hire(Vec<String>),
    Hired(Result<ActorRef<Job>, RemoteSpawnError>),
}

/// Routes to whoever has joined, or was hired, and says who does.
struct Foreman<M> {
    routees: Router<M>,
    /// Where another is to be had for one that has ended.
    spare: Option<String>,
    said: Sender<String>,
}

trait Hiring: Sized + Send + 'static {
    fn hired(_: &mut Foreman<Self>, _: ActorRef<Job>, _: &mut Ctx<'_, Foreman<Self>>) -> Outcome {
        Ok(())
    }
}

impl Hiring for Order {}

impl Hiring for Job {
    fn hired(of: &mut Foreman<Job>, worker: ActorRef<Job>, ctx: &mut Ctx<'_, Foreman<Job>>) -> Outcome {
        of.routees.add_watched(ctx, worker)?;
        Ok(())
    }
}

impl<M: Hiring> Foreman<M> {
    fn spawn(host: &Host, spare: Option<String>) -> (ActorRef<Work<M>>, Receiver<String>) {
        let (said, heard) = channel();
        let make = move || Foreman { routees: Router::default(), spare: spare.clone(), said: said.clone() };
        (host.system.spawn_on(On::Shard(0), make).unwrap(), heard)
    }

    fn say(&self, what: impl std::fmt::Display) {
        let _ = self.said.send(format!("{what}, {} left", self.routees.len()));
    }
}

impl<M: Hiring> Actor for Foreman<M> {
    type Msg = Work<M>;
    fn receive(&mut self, work: Work<M>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match work {
            Work::Join(routee) => {
                self.routees.add_watched(ctx, routee)?;
                self.say("joined");
            }
            Work::Do(message) => self.routees.tell(ctx, message),
            Work::Hire(hosts) => {
                for host in hosts {
                    let name = "w".to_owned();
                    let hire = Hire { name, log: ActorRef::nobody() };
                    ctx.child_at(&host).spawn(hire, Work::Hired)?;
                }
            }
            Work::Hired(worker) => {
                M::hired(self, worker?, ctx)?;
                self.say("hired");
            }
        }
        Ok(())
    }
    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        assert_ne!(self.routees.evict(gone.address), Evicted::Stranger);
        self.say(why(&gone.reason));
        if let Some(host) = self.spare.take() {
            return self.receive(Work::Hire(vec![host]), ctx);
        }
        Ok(())
    }
    fn decide(&mut self, _: Address, failure: &Failure, _: &mut Ctx<'_, Self>) -> Directive {
        self.say(failure.text());
        Directive::Restart
    }
}

fn tell<M: Hiring>(host: &Host, foreman: ActorRef<Work<M>>, work: Work<M>) {
    host.system.call(0, move |scope| scope.tell(foreman, work)).unwrap();
}

/// Conformance 28.
#[test]
fn a_group_over_three_hosts_is_told_in_turn_and_a_lost_hosts_routee_is_evicted() {
    with_each(|backend| {
        let near = host_at(1, backend, config());
        let (foreman, heard) = Foreman::<Order>::spawn(&near, None);
        let mut hosts = Vec::new();
        for left in 1..=3 {
            let far = host_at(1, backend, config());
            let (_, seen) = Adder::spawn(&far, On::Shard(0), "adder");
            tell(&near, foreman, Work::Join(near.lookup::<Order>(&far.url("adder")).unwrap()));
            assert_eq!(next(&heard), format!("joined, {left} left"));
            hosts.push((far, seen));
        }
        let work = |numbers: std::ops::Range<u64>| {
            numbers.for_each(|n| tell(&near, foreman, Work::Do(Order::Add(n))));
        };
        work(0..6);
        for (n, (_, seen)) in hosts.iter().enumerate() {
            let n = n as u64;
            assert_eq!((next(seen), next(seen)), (n, n + 3));
        }
        let (gone, _) = hosts.remove(1);
        gone.end();
        let evicted = next(&heard);
        // Its actors ended before it left, or it was gone first.
        assert!(evicted == "Stopped, 2 left" || evicted == "Unreachable, 2 left", "{evicted}");
        work(10..14);
        let mut told = [0, 0];
        for (told, (_, seen)) in told.iter_mut().zip(&hosts) {
            *told = next(seen) + next(seen);
        }
        // Each every second one, whoever is the first.
        assert!(told == [10 + 12, 11 + 13] || told == [11 + 13, 10 + 12], "{told:?}");
        hosts.into_iter().for_each(|(far, _)| far.end());
        near.end();
    });
}

#[test]
fn routees_that_are_spawned_on_other_hosts_are_restarted_there_and_replaced_elsewhere() {
    let logs = [Log::new(), Log::new(), Log::new()];
    let [one, two, spare] = logs.each_ref().map(|log| log.host(1, Choice::Poll, config()));
    let near = host_with(1, Choice::Poll, config(), logs[0].registry());
    let (foreman, heard) = Foreman::<Job>::spawn(&near, Some(spare.at()));
    for (left, host) in [&one, &two].into_iter().enumerate() {
        tell(&near, foreman, Work::Hire(vec![host.at()]));
        assert_eq!(next(&heard), format!("hired, {} left", left + 1));
        logs[left].expect(&["w started"]);
    }
    let work = |job| tell(&near, foreman, Work::Do(job));
    work(Job::Note(1));
    work(Job::Fail("oops".into()));
    work(Job::Note(3));
    work(Job::Note(4));
    logs[0].expect(&["w 1", "w 3"]);
    assert_eq!(next(&heard), "oops, 2 left");
    // The same routee, at the same address.
    logs[1].expect(&["w stopped", "w started", "w 4"]);
    one.end();
    let evicted = next(&heard);
    assert!(evicted == "Stopped, 1 left" || evicted == "Unreachable, 1 left", "{evicted}");
    assert_eq!(next(&heard), "hired, 2 left");
    logs[2].expect(&["w started"]);
    work(Job::Note(5));
    work(Job::Note(6));
    let five_to_two = logs[1].next();
    let other = logs[2].next();
    assert!(
        [five_to_two.as_str(), other.as_str()] == ["w 5", "w 6"] || five_to_two == "w 6" && other == "w 5"
    );
    near.end();
    for log in &logs[1..] {
        log.expect(&["w stopped"]);
    }
    two.end();
    spare.end();
}

#[test]
fn one_for_all_children_concerns_those_on_other_hosts() {
    let log = Log::new();
    let (near, far) = (log.host(1, Choice::Poll, config()), log.host(1, Choice::Poll, config()));
    let office = log.office(&near, Strategy::all_for_one());
    let workers = ["a", "b"].map(|name| office.hire(&near, &far, name));
    log.expect_all(&["a started", "b started"]);
    near.give(workers[0], Job::Fail("oops".into()));
    log.expect(&["boss decides: error: oops"]);
    log.expect_all(&["a stopped", "a started", "b stopped", "b started"]);
    near.end();
    far.end();
}

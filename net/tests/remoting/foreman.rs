//! An owner of a pool over hosts that does with it as it is told, and the hosts on which its routees live.

use std::sync::mpsc::{Receiver, Sender, channel};

use corelane_kernel::router::{AnyStrategy, ConsistentHash, Evicted};
use corelane_kernel::{
    Actor, ActorRef, Address, AskError, Ctx, Directive, Failure, Outcome, Strategy, Terminated,
};
use corelane_net::codec::Registry;
use corelane_net::reactor::Choice;
use corelane_net::{PoolTrouble, RemotePool};
use corelane_shard::{DeployPool, Deployment, On};

use crate::common::*;
use crate::family::*;

/// By which word a job has a key: its number.
pub(crate) type Keyed = AnyStrategy<fn(&Job) -> u64>;
pub(crate) type Workers = RemotePool<Hire, Keyed, 8>;

pub(crate) enum Msg {
    Job(Job),
    Run(Deed),
    Trouble(PoolTrouble),
    Answer(Result<String, AskError>),
}

pub(crate) type Deed = Box<dyn FnOnce(&mut Foreman, &mut Ctx<'_, Foreman>) -> Outcome + Send>;

/// Starts its pool as it is deployed, routes jobs, and has who ends replaced, or only evicted.
pub(crate) struct Foreman {
    pub(crate) pool: Workers,
    /// Another one, of a strategy that is a type.
    pub(crate) plain: Option<RemotePool<Hire>>,
    pub(crate) replaces: bool,
    pub(crate) said: Sender<String>,
    /// What is wrong with hosts, as soon as that is known.
    pub(crate) meets: Sender<PoolTrouble>,
}

impl Foreman {
    pub(crate) fn say(&self, what: impl std::fmt::Display) {
        let _ = self.said.send(what.to_string());
    }
}

impl Actor for Foreman {
    type Msg = Msg;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let meets = self.meets.clone();
        self.pool.report_to(ctx, move |trouble| {
            let _ = meets.send(trouble.clone());
            Msg::Trouble(trouble)
        });
        self.pool.start_deployed(ctx)?;
        Ok(())
    }

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Job(job) => self.pool.tell(ctx, job),
            Msg::Run(deed) => return deed(self, ctx),
            Msg::Trouble(trouble) => self.say(trouble.error),
            Msg::Answer(answer) => self.say(format_args!("{answer:?}")),
        }
        Ok(())
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if self.replaces {
            assert!(self.pool.replace(ctx, gone.address)?);
            self.say("replaces");
        } else {
            let evicted = self.pool.evict(gone.address);
            assert_ne!(evicted, Evicted::Stranger);
            self.say(format_args!("evicts: {evicted:?}"));
        }
        Ok(())
    }

    fn decide(&mut self, _: Address, failure: &Failure, _: &mut Ctx<'_, Self>) -> Directive {
        self.say(format_args!("decides: {failure}"));
        Directive::Restart
    }
}

/// What hears of the foreman's failures.
pub(crate) struct Top {
    pub(crate) make: Box<dyn FnMut() -> Foreman + Send>,
    pub(crate) made: Sender<ActorRef<Msg>>,
    pub(crate) said: Sender<String>,
}

impl Actor for Top {
    type Msg = ();
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let foreman = ctx.spawner().name("foreman").spawn((self.make)())?;
        Ok(self.made.send(foreman)?)
    }
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
    fn strategy(&self) -> Strategy {
        Strategy::stopping()
    }
    fn decide(&mut self, _: Address, failure: &Failure, _: &mut Ctx<'_, Self>) -> Directive {
        let _ = self.said.send(format!("failed: {failure}"));
        Directive::Stop
    }
}

/// A foreman on a host, and what it says.
pub(crate) struct Site {
    pub(crate) near: Host,
    pub(crate) foreman: ActorRef<Msg>,
    pub(crate) heard: Receiver<String>,
    pub(crate) troubles: Receiver<PoolTrouble>,
}

impl Site {
    pub(crate) fn new(
        deployment: Deployment,
        settings: impl FnMut(Workers) -> Workers + Send + 'static,
    ) -> Site {
        Site::with(true, Log::new().registry(), deployment, settings)
    }

    pub(crate) fn with(
        replaces: bool,
        registry: Registry,
        deployment: Deployment,
        settings: impl FnMut(Workers) -> Workers + Send + 'static,
    ) -> Site {
        let builder = builder(2, Choice::Poll, config(), registry).deploy("/user/top/foreman", deployment);
        Site::on(start(builder), replaces, settings)
    }

    /// On a host that decides for it already.
    pub(crate) fn on(
        near: Host,
        replaces: bool,
        mut settings: impl FnMut(Workers) -> Workers + Send + 'static,
    ) -> Site {
        let (said, heard) = channel();
        let (made, foreman) = channel();
        let (meets, troubles) = channel();
        let says = said.clone();
        let mut make = move || {
            let by: fn(&Job) -> u64 = |job| match job {
                Job::Note(number) => *number,
                _ => 0,
            };
            let strategy = AnyStrategy::keyed(ConsistentHash::by(by));
            let pool = settings(RemotePool::new(2, Hire::of("w")).strategy(strategy).named("w"));
            Foreman { pool, plain: None, replaces, said: says.clone(), meets: meets.clone() }
        };
        let mut once = Some(move || -> Foreman { make() });
        let top =
            move || Top { make: Box::new(once.take().unwrap()), made: made.clone(), said: said.clone() };
        near.system.spawner("top").on(On::Shard(0)).spawn(top).unwrap();
        Site { near, foreman: next(&foreman), heard, troubles }
    }

    pub(crate) fn tell(&self, msg: Msg) {
        let to = self.foreman;
        self.near.system.call(0, move |scope| scope.tell(to, msg)).unwrap();
    }

    pub(crate) fn have(
        &self,
        deed: impl FnOnce(&mut Foreman, &mut Ctx<'_, Foreman>) -> Outcome + Send + 'static,
    ) {
        self.tell(Msg::Run(Box::new(deed)));
    }

    pub(crate) fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Foreman, &mut Ctx<'_, Foreman>) -> T + Send + 'static,
    ) -> T {
        let (sender, answer) = channel();
        self.have(move |foreman, ctx| Ok(sender.send(what(foreman, ctx))?));
        next(&answer)
    }

    pub(crate) fn notes(&self, numbers: std::ops::Range<u64>) {
        numbers.for_each(|number| self.tell(Msg::Job(Job::Note(number))));
    }

    /// Waits until so many routees are there.
    pub(crate) fn until_there(&self, wanted: usize) -> Vec<ActorRef<Job>> {
        loop {
            let there = self.ask(|foreman, ctx| {
                foreman.pool.routees(ctx).iter().map(|routee| routee.to()).collect::<Vec<_>>()
            });
            if there.len() == wanted {
                return there;
            }
            std::thread::yield_now();
        }
    }

    /// On which of these hosts a routee lives.
    pub(crate) fn host_of<'h>(&self, routee: ActorRef<Job>, hosts: &'h [(Host, Log)]) -> (usize, &'h Log) {
        let realm = routee.place().realm();
        let lives = |(_, (host, _)): &(usize, &(Host, Log))| {
            self.near.lookup::<Order>(&host.url("anybody")).unwrap().place().realm() == realm
        };
        let (at, (_, log)) = hosts.iter().enumerate().find(lives).unwrap();
        (at, log)
    }

    #[track_caller]
    pub(crate) fn expect(&self, lines: &[&str]) {
        for line in lines {
            assert_eq!(next(&self.heard), *line);
        }
    }
}

/// Hosts with a log each.
pub(crate) fn hosts<const N: usize>() -> [(Host, Log); N] {
    std::array::from_fn(|_| {
        let log = Log::new();
        let host = log.host(2, Choice::Poll, config());
        Adder::spawn(&host, On::Shard(0), "anybody");
        (host, log)
    })
}

pub(crate) fn at(hosts: &[(Host, Log)]) -> Deployment {
    Deployment::new().routees_at(hosts.iter().map(|(host, _)| host.at()))
}

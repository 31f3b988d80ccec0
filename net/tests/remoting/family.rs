//! Families over hosts: a boss that does as it is told, and workers that are made of props.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use corelane_kernel::{
    Actor, ActorRef, Address, Ctx, Directive, Failure, Outcome, ReplyTo, Strategy, Terminated,
};
use corelane_net::codec::{Compact, Props, Registry, Wire};
use corelane_net::reactor::Choice;
use corelane_net::{EndpointConfig, RemoteCtx, RemoteSpawnError};
use corelane_shard::On;
use serde::{Deserialize, Serialize};

use crate::common::*;

/// What a worker is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hire {
    pub(crate) name: String,
    /// Is told what happens too, if it is anybody.
    pub(crate) log: ActorRef<String>,
}

impl Hire {
    pub(crate) fn of(name: &str) -> Hire {
        Hire { name: name.to_owned(), log: ActorRef::nobody() }
    }
}

impl Wire for Hire {
    const NAME: &'static str = "test.Hire";
    type Form = Compact;
}

impl Props for Hire {
    type Msg = Job;
}

/// Of which nobody makes anything.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Idle(pub(crate) Vec<u8>);

impl Wire for Idle {
    const NAME: &'static str = "test.Idle";
    type Form = Compact;
}

impl Props for Idle {
    type Msg = Job;
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    Note(u64),
    Fail(String),
    /// Fail with the error of a number that is none.
    Parse(String),
    /// Have a child of one's own, of this name.
    Share(String),
    Where(ReplyTo<String>),
    Panic,
}

impl Wire for Job {
    const NAME: &'static str = "test.Job";
    type Form = Compact;
}

pub(crate) struct Worker {
    hire: Hire,
    seen: Sender<String>,
}

impl Worker {
    fn say(&self, what: impl std::fmt::Display, ctx: &mut Ctx<'_, Self>) {
        let said = format!("{} {what}", self.hire.name);
        ctx.tell(self.hire.log, said.clone());
        let _ = self.seen.send(said);
    }
}

impl Actor for Worker {
    type Msg = Job;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.say("started", ctx);
        Ok(())
    }
    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        self.say("stopped", ctx);
    }
    fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match job {
            Job::Note(n) => self.say(n, ctx),
            Job::Fail(text) => return Err(Failure::new(text)),
            Job::Parse(text) => _ = text.parse::<u8>()?,
            Job::Share(name) => {
                let (hire, seen) = (Hire { name, ..self.hire.clone() }, self.seen.clone());
                ctx.spawn_from(move || Worker { hire: hire.clone(), seen: seen.clone() })?;
            }
            Job::Where(reply) => {
                let path = ctx.path().to_string();
                ctx.tell(reply, path);
            }
            Job::Panic => panic!("as it was told"),
        }
        Ok(())
    }
}

/// Passes on what workers say to it.
pub(crate) struct Reporter(pub(crate) Sender<String>);

impl Actor for Reporter {
    type Msg = String;
    fn receive(&mut self, said: String, _: &mut Ctx<'_, Self>) -> Outcome {
        let _ = self.0.send(said);
        Ok(())
    }
}

type Deed = Box<dyn FnOnce(&mut Boss, &mut Ctx<'_, Boss>) -> Outcome + Send>;

pub(crate) enum Command {
    Do(Deed),
    Hired(Result<ActorRef<Job>, RemoteSpawnError>),
}

/// Hires, and says what happens.
pub(crate) struct Boss {
    pub(crate) said: Sender<String>,
    pub(crate) hired: Sender<Result<ActorRef<Job>, RemoteSpawnError>>,
    strategy: Strategy,
}

impl Boss {
    pub(crate) fn say(&self, what: impl std::fmt::Display) {
        let _ = self.said.send(format!("boss {what}"));
    }
}

impl Actor for Boss {
    type Msg = Command;
    fn receive(&mut self, command: Command, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match command {
            Command::Do(deed) => return deed(self, ctx),
            Command::Hired(worker) => _ = self.hired.send(worker),
        }
        Ok(())
    }
    fn started(&mut self, _: &mut Ctx<'_, Self>) -> Outcome {
        self.say("started");
        Ok(())
    }
    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        self.say("stopped");
    }
    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        self.say(format_args!("hears {}", why(&gone.reason)));
        Ok(())
    }
    fn strategy(&self) -> Strategy {
        self.strategy
    }
    fn decide(&mut self, _: Address, failure: &Failure, _: &mut Ctx<'_, Self>) -> Directive {
        self.say(format_args!("decides: {failure}"));
        self.strategy.directive(failure)
    }
}

/// A boss somewhere, and all that is said.
pub(crate) struct Office {
    pub(crate) boss: ActorRef<Command>,
    hired: Receiver<Result<ActorRef<Job>, RemoteSpawnError>>,
}

/// What is said on hosts of this process, in the order in which it is.
pub(crate) struct Log {
    pub(crate) said: Sender<String>,
    heard: Receiver<String>,
}

impl Log {
    pub(crate) fn new() -> Log {
        let (said, heard) = channel();
        Log { said, heard }
    }

    #[track_caller]
    pub(crate) fn expect(&self, lines: &[&str]) {
        for line in lines {
            assert_eq!(next(&self.heard), *line);
        }
    }

    pub(crate) fn next(&self) -> String {
        next(&self.heard)
    }

    /// Lines that come in any order.
    #[track_caller]
    pub(crate) fn expect_all(&self, lines: &[&str]) {
        let mut heard: Vec<String> = lines.iter().map(|_| next(&self.heard)).collect();
        heard.sort();
        let mut lines = lines.to_vec();
        lines.sort_unstable();
        assert_eq!(heard, lines);
    }

    /// Hands on what is said from here on, from a thread of its own.
    pub(crate) fn each(self, mut take: impl FnMut(String) + Send + 'static) {
        let Log { said, heard } = self;
        drop(said);
        std::thread::spawn(move || heard.iter().for_each(&mut take));
    }

    #[track_caller]
    pub(crate) fn expect_nothing(&self) {
        assert_eq!(self.heard.try_recv().ok(), None);
    }

    /// A host that makes workers of this log.
    pub(crate) fn host(&self, shards: usize, backend: Choice, config: EndpointConfig) -> Host {
        host_with(shards, backend, config, self.registry())
    }

    pub(crate) fn registry(&self) -> Registry {
        let mut registry = registry();
        let seen = self.said.clone();
        registry.spawns(move |hire: &Hire| Worker { hire: hire.clone(), seen: seen.clone() }).unwrap();
        registry.register::<Job>().unwrap();
        registry
    }

    pub(crate) fn office(&self, host: &Host, strategy: Strategy) -> Office {
        let (sender, hired) = channel();
        let said = self.said.clone();
        let make = move || Boss { said: said.clone(), hired: sender.clone(), strategy };
        // Named, so that its children's paths are known.
        let spawner = host.system.spawner("boss").on(On::Shard(0));
        let boss = spawner.spawn(make).unwrap();
        self.expect(&["boss started"]);
        Office { boss, hired }
    }
}

impl Office {
    pub(crate) fn have(
        &self,
        host: &Host,
        deed: impl FnOnce(&mut Boss, &mut Ctx<'_, Boss>) -> Outcome + Send + 'static,
    ) {
        let (boss, command) = (self.boss, Command::Do(Box::new(deed)));
        host.system.call(0, move |scope| scope.tell(boss, command)).unwrap();
    }

    /// Has the boss hire at a host, and gives what becomes of it.
    pub(crate) fn try_hire<P: Props<Msg = Job>>(
        &self,
        host: &Host,
        at: &str,
        name: &'static str,
        props: P,
    ) -> Result<ActorRef<Job>, RemoteSpawnError> {
        self.try_hire_on(host, at, None, name, props)
    }

    pub(crate) fn try_hire_on<P: Props<Msg = Job>>(
        &self,
        host: &Host,
        at: &str,
        shard: Option<u16>,
        name: &'static str,
        props: P,
    ) -> Result<ActorRef<Job>, RemoteSpawnError> {
        let at = at.to_owned();
        self.have(host, move |me, ctx| {
            let spawner = ctx.child_at(&at).name(name).within(LONG);
            let spawner = match shard {
                Some(shard) => spawner.shard(shard),
                None => spawner,
            };
            if let Err(error) = spawner.spawn(props, Command::Hired) {
                let _ = me.hired.send(Err(error));
            }
            Ok(())
        });
        next(&self.hired)
    }

    /// What became of the next one that it sent for.
    pub(crate) fn next_hired(&self) -> Result<ActorRef<Job>, RemoteSpawnError> {
        next(&self.hired)
    }

    /// Has the boss hire wherever it is deployed.
    #[track_caller]
    pub(crate) fn hire_here(&self, host: &Host, name: &'static str) -> ActorRef<Job> {
        self.have(host, move |_, ctx| {
            Ok(ctx.child_here().name(name).spawn(Hire::of(name), Command::Hired)?)
        });
        next(&self.hired).unwrap()
    }

    /// Has the boss hire where nobody answers, for as long as is said nowhere.
    pub(crate) fn hire_by_default(&self, host: &Host, at: &'static str) -> RemoteSpawnError {
        self.have(host, move |_, ctx| {
            Ok(ctx.child_at(at).name("nobody").spawn(Hire::of("nobody"), Command::Hired)?)
        });
        next(&self.hired).unwrap_err()
    }

    /// Has the boss hire where nobody answers.
    pub(crate) fn hire_in_vain(&self, host: &Host, at: &str, within: Duration) -> RemoteSpawnError {
        let at = at.to_owned();
        self.have(host, move |_, ctx| {
            ctx.child_at(&at).name("nobody").within(within).spawn(Hire::of("nobody"), Command::Hired)?;
            Ok(())
        });
        next(&self.hired).unwrap_err()
    }

    #[track_caller]
    pub(crate) fn hire(&self, host: &Host, at: &Host, name: &'static str) -> ActorRef<Job> {
        self.try_hire(host, &at.at(), name, Hire::of(name)).unwrap()
    }

    pub(crate) fn stop(&self, host: &Host) {
        let boss = self.boss;
        host.system.call(0, move |scope| scope.stop(boss)).unwrap();
    }
}

impl Host {
    pub(crate) fn at(&self) -> String {
        format!("corelane://test@{}", self.address)
    }

    pub(crate) fn give(&self, to: ActorRef<Job>, job: Job) {
        self.system.call(0, move |scope| scope.tell(to, job)).unwrap();
    }

    /// The path of a worker, as it has it itself.
    pub(crate) fn path(&self, of: ActorRef<Job>) -> String {
        let (sender, receiver) = channel();
        self.system
            .call(0, move |scope| {
                scope.ask(of, LONG, Job::Where, move |answer| _ = sender.send(answer));
            })
            .unwrap();
        next(&receiver).unwrap()
    }
}

/// Unless told otherwise.
pub(crate) fn config() -> EndpointConfig {
    EndpointConfig { system: "test".into(), link: impatient(), ..EndpointConfig::default() }
}

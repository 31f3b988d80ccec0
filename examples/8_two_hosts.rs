//! Two processes that are one system: actors that are told, asked, watched and supervised from one to the other, under TLS.
//!
//!     cargo run --example 8_two_hosts
//!
//! ```text
//!     dining room (this process)            kitchen (another one, which this one starts)
//!
//!       waiter ───── tells, asks, watches ────▶ pantry    found by its URL
//!            └── tells, watches, supervises ──▶ cook      the waiter's child
//! ```
//!
//! What a program says of its messages, so that they may leave the process, is a name for ever and a form ([`Wire`]), and
//! which of them come in ([`Registry`]). All the rest is as between two actors of one core, in types and in behaviour:
//!
//! - The cook is made in the kitchen of *props*, and is the waiter's child all the same. When it fails, the waiter decides;
//!   it is restarted over there, its address stays, and what it was told meanwhile waits for it.
//! - When the kitchen is lost (here: its process is killed), whoever watches somebody there is told so once, and whoever
//!   asks there is told so at once.
//! - Each host shows a certificate of one authority, and talks to nobody who has none. Here the authority lives as long as
//!   the example; yours gives each host its three files, and keeps its own key elsewhere.
//!
//! Addresses, certificates and time-outs can stand in configuration files instead: [`Endpoint::configured`], and the tables
//! `[net]` and `[remote]` of `examples/corelane.toml`.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use corelane::net::codec::{Compact, Props, Registry, Wire};
use corelane::net::link::LinkConfig;
use corelane::net::liveness::LivenessConfig;
use corelane::net::{
    Endpoint, EndpointConfig, Net, NetConfig, Pem, RemoteCtx, RemoteLookupError, RemoteSpawnError, TlsConfig,
};
use corelane::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use serde::{Deserialize, Serialize};

/// Longer than anything here takes on any machine.
const PATIENCE: Duration = Duration::from_secs(30);

// --- what goes over the link -------------------------------------------------------------------------------------

/// What the pantry is told.
#[derive(Serialize, Deserialize)]
enum Stock {
    Put { eggs: u64 },
    Count(ReplyTo<u64>),
}

impl Wire for Stock {
    const NAME: &'static str = "bistro.Stock";
    type Form = Compact;
}

/// Of which the kitchen makes a cook.
#[derive(Serialize, Deserialize)]
struct Job {
    dish: String,
}

impl Wire for Job {
    const NAME: &'static str = "bistro.Job";
    type Form = Compact;
}

impl Props for Job {
    type Msg = Order;
}

/// What a cook is told. An address in a message is as good at the other end as here.
#[derive(Serialize, Deserialize)]
struct Order {
    guests: u32,
    to: ActorRef<Plate>,
}

impl Wire for Order {
    const NAME: &'static str = "bistro.Order";
    type Form = Compact;
}

/// What a cook answers.
#[derive(Serialize, Deserialize)]
struct Plate {
    dish: String,
    /// How many the cook has filled since it began.
    number: u32,
}

impl Wire for Plate {
    const NAME: &'static str = "bistro.Plate";
    type Form = Compact;
}

// --- a host ------------------------------------------------------------------------------------------------------

/// Starts a host of the system `bistro`, which shows the certificate of this name.
fn host(name: &str, certificates: &Path) -> Result<System, Box<dyn Error>> {
    let mut registry = Registry::new();
    registry.register::<Stock>()?;
    registry.register::<Plate>()?;
    registry.spawns(|job: &Job| Cook { dish: job.dish.clone(), filled: 0 })?;

    let file = |name: String| Pem::file(certificates.join(name));
    let tls =
        TlsConfig::new(file(format!("{name}.pem")), file(format!("{name}.key")), file("roots.pem".into()));
    // Given up after two seconds of silence instead of ten, so that nobody has to wait for the end of this example.
    let (heartbeat, pause) = (Duration::from_millis(100), Duration::from_secs(2));
    let liveness = LivenessConfig { first: heartbeat, pause, ..LivenessConfig::default() };
    let link = LinkConfig { heartbeat, liveness, ..LinkConfig::default() };
    // It listens at a free port of this machine, unless `bind` says more.
    let config =
        EndpointConfig { system: "bistro".to_owned(), tls: Some(tls), link, ..EndpointConfig::default() };

    let builder = System::builder().name(name).shards(1).pinned(false).idle(Idle::Frugal);
    let builder = builder.extension(Net::of(NetConfig::default()));
    Ok(builder.extension(Endpoint::of(config, registry)).start()?)
}

// --- the kitchen -------------------------------------------------------------------------------------------------

struct Pantry {
    eggs: u64,
}

impl Actor for Pantry {
    type Msg = Stock;

    fn receive(&mut self, message: Stock, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match message {
            Stock::Put { eggs } => self.eggs += eggs,
            Stock::Count(reply) => ctx.tell(reply, self.eggs),
        }
        Ok(())
    }
}

struct Cook {
    dish: String,
    filled: u32,
}

impl Actor for Cook {
    type Msg = Order;

    fn receive(&mut self, Order { guests, to }: Order, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if guests > 6 {
            return Err(Failure::new(format_args!("no table is for {guests}")));
        }
        for _ in 0..guests {
            self.filled += 1;
            ctx.tell(to, Plate { dish: self.dish.clone(), number: self.filled });
        }
        Ok(())
    }
}

/// Says where it is, and serves until whoever started it is gone.
fn kitchen(certificates: &Path) -> Result<Report, Box<dyn Error>> {
    let system = host("kitchen", certificates)?;
    system.spawn_named(On::Spread, "pantry", || Pantry { eggs: 0 })?;
    let endpoint = system.extension::<Endpoint>().ok_or("the endpoint is loaded")?;
    println!("corelane://bistro@{}", endpoint.address());
    drop(endpoint);
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(system.shutdown(PATIENCE))
}

// --- the dining room ---------------------------------------------------------------------------------------------

enum Msg {
    Pantry(Result<ActorRef<Stock>, RemoteLookupError>),
    Eggs(Result<u64, AskError>),
    Cook(Result<ActorRef<Order>, RemoteSpawnError>),
    Plate(Plate),
    /// Answer when all guests have their plates.
    Serve(ReplyTo<()>),
    /// Answer when the kitchen is lost, and nobody there is waited for.
    Close(ReplyTo<()>),
}

struct Waiter {
    /// `corelane://system@host:port`
    kitchen: String,
    pantry: ActorRef<Stock>,
    cook: ActorRef<Order>,
    plates: ActorRef<Plate>,
    served: u32,
    lost: Vec<StopReason>,
    /// Whom to answer when what was asked for is done.
    done: Option<ReplyTo<()>>,
}

impl Actor for Waiter {
    type Msg = Msg;

    fn receive(&mut self, message: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match message {
            Msg::Serve(done) => {
                self.done = Some(done);
                ctx.lookup_at(&format!("{}/user/pantry", self.kitchen), PATIENCE, Msg::Pantry);
            }
            Msg::Pantry(found) => {
                self.pantry = found?;
                ctx.watch(self.pantry)?;
                ctx.tell(self.pantry, Stock::Put { eggs: 12 });
                ctx.ask(self.pantry, PATIENCE, Stock::Count, Msg::Eggs);
            }
            Msg::Eggs(Ok(eggs)) => {
                println!("waiter: the kitchen has {eggs} eggs");
                let job = Job { dish: "omelette".to_owned() };
                ctx.child_at(&self.kitchen).name("cook").spawn(job, Msg::Cook)?;
            }
            Msg::Cook(hired) => {
                self.cook = hired?;
                ctx.watch(self.cook)?;
                // An address that takes plates, and makes messages of this actor of them.
                self.plates = ctx.adapter(Msg::Plate)?;
                self.order(&[2], ctx);
            }
            Msg::Plate(Plate { dish, number }) => {
                println!("waiter: serves {dish} number {number}");
                self.served += 1;
                match self.served {
                    // The last one waits for the cook to begin anew.
                    2 => self.order(&[40, 1], ctx),
                    3 => self.answer(ctx),
                    _ => {}
                }
            }
            Msg::Close(done) => {
                self.done = Some(done);
                self.close(ctx);
            }
            // The question that `close` asks.
            Msg::Eggs(Err(error)) => {
                println!("waiter: has no answer from there: {error}");
                self.answer(ctx);
            }
        }
        Ok(())
    }

    /// The cook has failed, and waits for this.
    fn decide(&mut self, _: Address, failure: &Failure, _: &mut Ctx<'_, Self>) -> Directive {
        println!("waiter: the cook fails, and begins anew: {failure}");
        Directive::Restart
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.lost.push(gone.reason.clone());
        self.close(ctx);
        Ok(())
    }
}

impl Waiter {
    fn order(&self, tables: &[u32], ctx: &mut Ctx<'_, Self>) {
        for guests in tables {
            println!("waiter: orders for {guests}");
            ctx.tell(self.cook, Order { guests: *guests, to: self.plates });
        }
    }

    fn answer(&mut self, ctx: &mut Ctx<'_, Self>) {
        if let Some(done) = self.done.take() {
            ctx.tell(done, ());
        }
    }

    fn close(&mut self, ctx: &mut Ctx<'_, Self>) {
        if self.done.is_some() && self.lost.len() == 2 {
            println!("waiter: pantry and cook are lost: {:?}", self.lost);
            ctx.ask(self.pantry, PATIENCE, Stock::Count, Msg::Eggs);
        }
    }
}

/// Starts the kitchen, is served by it, and loses it.
fn dining_room() -> Result<Report, Box<dyn Error>> {
    let certificates = Certificates::new()?;
    let mut kitchen = Kitchen::start(&certificates.folder)?;
    let system = host("dining-room", &certificates.folder)?;
    let url = kitchen.url()?;
    let waiter = system.spawn(move || Waiter {
        kitchen: url.clone(),
        pantry: ActorRef::nobody(),
        cook: ActorRef::nobody(),
        plates: ActorRef::nobody(),
        served: 0,
        lost: Vec::new(),
        done: None,
    })?;
    let mut gateway = system.gateway()?;
    gateway.ask(waiter, PATIENCE, Msg::Serve)?;

    println!("--- the kitchen is killed");
    kitchen.0.kill()?;
    gateway.ask(waiter, PATIENCE, Msg::Close)?;

    drop(gateway);
    let report = system.shutdown(PATIENCE);
    println!("ended cleanly: {}", report.is_clean());
    Ok(report)
}

/// The other process. It does not outlive this value.
struct Kitchen(Child);

impl Kitchen {
    fn start(certificates: &Path) -> io::Result<Kitchen> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(certificates).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().map(Kitchen)
    }

    /// Where it is, which it says when it serves.
    fn url(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        let stdout = self.0.stdout.take().ok_or("its output is read")?;
        BufReader::new(stdout).read_line(&mut line)?;
        if line.is_empty() {
            Err("the kitchen has not started".into())
        } else {
            Ok(line.trim_end().to_owned())
        }
    }
}

impl Drop for Kitchen {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a certification authority of your own makes: its certificate, which each host believes, and for each host a
/// certificate that bears its address, with a key. In a folder that is removed with this value.
struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    fn new() -> Result<Certificates, Box<dyn Error>> {
        let folder = std::env::temp_dir().join(format!("corelane-two-hosts-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let made = Certificates { folder };
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        made.write("roots.pem", &authority.pem())?;
        for host in ["kitchen", "dining-room"] {
            let key = KeyPair::generate()?;
            let certificate =
                CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&key, &authority)?;
            made.write(&format!("{host}.pem"), &certificate.pem())?;
            made.write(&format!("{host}.key"), &key.serialize_pem())?;
        }
        Ok(made)
    }

    /// A file that nobody else can read, as is right for a key.
    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.write(true).create_new(true).open(self.folder.join(name))?.write_all(text.as_bytes())
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn main() -> Result<Report, Box<dyn Error>> {
    match std::env::args_os().nth(1) {
        Some(certificates) => kitchen(Path::new(&certificates)),
        None => dining_room(),
    }
}

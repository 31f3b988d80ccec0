//! A key-value server that speaks RESP: its connections are actors, its keys are spread over all shards. `redis-cli` and
//! `redis-benchmark` talk to it.
//!
//!     cargo run --release --example resp -- --port 6380
//!
//! Replies of a connection are in order. Commands for one key are done in the order in which a connection sent them; those
//! for several keys (MSET, MGET, DEL …) are not done at one instant where their keys live on several shards.

mod batch;
mod commands;
mod keyspace;
mod operation;
mod pipelining;
mod protocol;
mod reply;
mod server;
#[cfg(test)]
mod server_tests;
mod session;
#[cfg(test)]
mod session_tests;

use std::error::Error;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use corelane::prelude::*;
use corelane_net::reactor::{Address, Choice, ReactorConfig};
use corelane_net::{Net, NetConfig, Service, StreamOptions, serve};
use corelane_shard::Handle;

use server::{Commons, Connection, Store};

/// A key-value server that speaks RESP, made of actors.
#[derive(Parser)]
struct Args {
    /// The port; 0 is one that the operating system chooses.
    #[arg(long, default_value_t = 6380)]
    port: u16,
    /// The address to listen at.
    #[arg(long, default_value = "127.0.0.1")]
    bind: std::net::IpAddr,
    /// The cores to use, one shard on each, such as 0,2 [default: the ones that suit the machine].
    #[arg(long, value_delimiter = ',')]
    cores: Vec<usize>,
    /// How sockets are driven.
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    backend: Backend,
    /// How many microseconds a core that several pipelining clients have woken waits for more of them at most, and a quarter
    /// as a rule: less work for the same requests.
    #[arg(long, default_value_t = 1000)]
    coalesce: u64,
    /// Spins instead of sleeping while there is nothing to do: the shortest answers, and cores that are never idle.
    #[arg(long)]
    spin: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Backend {
    Auto,
    Uring,
    Poll,
}

fn main() -> Result<Report, Box<dyn Error>> {
    let args = Args::parse();
    let backend = match args.backend {
        Backend::Auto => Choice::Automatic,
        Backend::Uring => Choice::Uring,
        Backend::Poll => Choice::Poll,
    };
    let reactor = ReactorConfig {
        backend,
        send_bytes: 4 << 20,
        coalesce: Duration::from_micros(args.coalesce),
        ..ReactorConfig::default()
    };
    let mut builder = System::builder()
        .idle(if args.spin { Idle::Latency } else { Idle::Frugal })
        .extension(Net::of(NetConfig { reactor, ..NetConfig::default() }))
        .extension(|_| Ok(Commons));
    if !args.cores.is_empty() {
        builder = builder.cores(&args.cores);
    }
    let system = builder.start()?;
    let service = listen(&system, &std::net::SocketAddr::new(args.bind, args.port).into())?;
    println!("listening at {} with {} shards", service.address(), system.shards());

    let (stop, stopped) = mpsc::channel();
    ctrlc::set_handler(move || _ = stop.send(()))?;
    stopped.recv()?;
    service.stop();
    Ok(system.shutdown(Duration::from_secs(5)))
}

/// Serves an address with the keys of all shards.
fn listen(system: &Handle, address: &Address) -> Result<Service, Box<dyn Error>> {
    let stores = (0..system.shards()).map(|shard| system.spawn_on(On::Shard(shard), Store::default));
    let stores: Arc<[_]> = stores.collect::<Result<Vec<_>, _>>()?.into();
    let connection = move |stream| Connection::new(stream, stores.clone());
    Ok(serve(system, address, &StreamOptions::default(), connection)?)
}

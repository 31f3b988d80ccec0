//! Bytes over the loopback device, Corelane beside tokio beside plain sockets, in one run.
//!
//! The client is the same for all: a plain thread on the first core, with a socket that does not block, spinning. What serves it is
//! on the second core. So figures differ by what is done on that side only. Each is measured twice: while it looks for more
//! all the time, and while it sleeps when there is nothing.
//!
//! | name | unit | what |
//! |---|---|---|
//! | `echo` | round trip | 64 bytes there and back, one under way at a time |
//! | `stream` | write | 64 KiB, read as they come and counted; answered when all have come |
//!
//! Counts are checked. Runs are interleaved: run 1 of everything comes before run 2 of any.

mod client;
mod corelane;
mod plain;
mod tokio;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use core_affinity::CoreId;

/// Bytes of a question and its answer.
const ECHO: usize = 64;

/// Bytes of a write of the stream.
const WRITE: usize = 64 * 1024;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// Sends back what comes.
    Echo,
    /// Counts what comes, and answers with one byte when so much has come.
    Count(u64),
}

/// What the serving side does while nothing comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Spin,
    Sleep,
}

/// Runs `client` with an address at which a service is to be had, on a core of its own; it serves one connection.
type Serve = fn(CoreId, Service, Waiting, &mut dyn FnMut(SocketAddr) -> io::Result<f64>) -> io::Result<f64>;

/// Every side that is measured, by name.
const SIDES: [(&str, Serve); 4] = [
    ("plain", plain::serve),
    ("corelane-uring", corelane::uring),
    ("corelane-poll", corelane::poll),
    ("tokio", tokio::serve),
];

/// Measures 64-byte echoes and a stream of 64 KiB writes over the loopback device. Every figure is a cost.
#[derive(Parser)]
#[command(name = "sockets", version)]
struct Options {
    /// Runs of everything.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
    /// Only these services or sides, by name.
    #[arg(long, num_args = 1.., value_name = "NAME")]
    only: Vec<String>,
    /// A tenth of the messages; the figures are rougher.
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let [near, far, ..] = cores[..] else {
        eprintln!("error: two cores are needed");
        return ExitCode::from(2);
    };
    match measure(&options, near, far) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options, near: CoreId, far: CoreId) -> io::Result<()> {
    let (rounds, writes) = if options.quick { (4_000, 1_000) } else { (40_000, 10_000) };
    let services = [("echo", Service::Echo), ("stream", Service::Count(writes * WRITE as u64))];
    let ways = [("spins", Waiting::Spin), ("sleeps", Waiting::Sleep)];
    let mut rows = Vec::new();
    for (name, service) in services {
        for (way, waiting) in ways {
            for (side, serve) in SIDES {
                let named = |names: &[&str]| options.only.iter().any(|only| names.contains(&only.as_str()));
                let any_side = !SIDES.iter().any(|(side, _)| named(&[side]));
                let any_service = !named(&["echo", "stream"]);
                if !(any_side || named(&[side])) || !(any_service || named(&[name])) {
                    continue;
                }
                rows.push((name, way, side, serve, service, waiting, Vec::new()));
            }
        }
    }
    for _ in 0..options.runs {
        for (.., side, serve, service, waiting, figures) in &mut rows {
            let cost = serve(far, *service, *waiting, &mut |address| {
                pinned(near, || match service {
                    Service::Echo => client::call(address, rounds),
                    Service::Count(_) => client::pour(address, writes),
                })
            });
            figures.push(cost.map_err(|error| io::Error::other(format!("{side}: {error}")))?);
        }
    }
    println!(
        "{:<7} {:<7} {:<15} {:>9} {:>9} {:>9}  {:<13} {:>8}",
        "name", "server", "side", "median", "min", "max", "unit", "to plain"
    );
    let mut plain = 0.0;
    for (name, way, side, .., mut figures) in rows {
        figures.sort_by(f64::total_cmp);
        let (median, min, max) = (figures[figures.len() / 2], figures[0], figures[figures.len() - 1]);
        if side == "plain" {
            plain = median;
        }
        let ratio = if plain > 0.0 { format!("{:>8.2}", median / plain) } else { String::new() };
        let unit = if name == "echo" { "ns/round-trip" } else { "ns/write" };
        println!("{name:<7} {way:<7} {side:<15} {median:>9.0} {min:>9.0} {max:>9.0}  {unit:<13} {ratio}");
    }
    Ok(())
}

/// Runs something on a thread of its own on a core: the calling thread, which starts servers, stays where it may be.
fn pinned(core: CoreId, job: impl FnOnce() -> io::Result<f64> + Send) -> io::Result<f64> {
    let job = move || match core_affinity::set_for_current(core) {
        true => job(),
        false => Err(io::Error::other("cannot pin the client")),
    };
    thread::scope(|scope| scope.spawn(job).join()).map_err(|_| io::Error::other("the client panicked"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_side_answers_as_it_is_to() {
        for (side, serve) in SIDES {
            for waiting in [Waiting::Spin, Waiting::Sleep] {
                let core = core_affinity::get_core_ids().unwrap()[0];
                let echo = serve(core, Service::Echo, waiting, &mut |at| client::call(at, 100));
                assert!(echo.unwrap() > 0.0, "{side}");
                let count = Service::Count(20 * WRITE as u64);
                let stream = serve(core, count, waiting, &mut |at| client::pour(at, 20));
                assert!(stream.unwrap() > 0.0, "{side}");
            }
        }
    }
}

//! Actors behind an HTTP API, embedded in a program that has a runtime of its own: axum on tokio serves requests, actors on
//! their own cores keep the state.
//!
//!     cargo run --release --manifest-path examples/http-service/Cargo.toml -- 8080
//!
//! From another terminal:
//!
//! ```text
//! $ curl -d tea localhost:8080/polls/drinks
//! 1
//! $ curl -d tea localhost:8080/polls/drinks
//! 2
//! $ curl -d coffee localhost:8080/polls/drinks
//! 1
//! $ curl localhost:8080/polls/drinks
//! 1 coffee
//! 2 tea
//! ```
//!
//! Ends in order on Ctrl-C or a termination signal: no more connections, requests under way are answered, then the
//! actors stop. If they did not end cleanly, that is on standard error, and the exit code is 1: a [`Report`] that `main`
//! gives back does so.

mod api;
mod polls;

use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Duration;

use corelane::prelude::*;
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<Report, Box<dyn Error>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8080".to_owned());
    let port = port.parse::<u16>().map_err(|error| format!("'{port}' is no port: {error}"))?;
    // Shards sleep when there is nothing to do: the cores are shared with the executor's threads.
    let system = System::builder().name("polls").idle(Idle::Frugal).start()?;
    let polls = api::Polls::start(&system)?;

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let mut terminated = signal(SignalKind::terminate())?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, api::routes(polls))
        .with_graceful_shutdown(async move {
            tokio::select! {
                _ = ctrl_c() => {}
                _ = terminated.recv() => {}
            }
        })
        .await?;

    // Blocks until all shards have ended: not on one of the executor's own threads.
    let report = tokio::task::spawn_blocking(move || system.shutdown(Duration::from_secs(10))).await?;
    println!("{} dead letters, ended cleanly: {}", report.dead_letters(), report.is_clean());
    Ok(report)
}

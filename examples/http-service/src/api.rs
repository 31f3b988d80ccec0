//! The HTTP side: each request asks the keeper of its poll, and awaits the answer on the executor that serves it.
//!
//! | request | answer |
//! |---|---|
//! | `POST /polls/NAME`, a choice as the body | how many votes that choice has now |
//! | `GET /polls/NAME` | a line for each choice, or 404 |
//!
//! When actors cannot keep up, a question is refused at once and the answer is 503; one that gets no answer in time is
//! a 504. Nothing piles up.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use corelane::prelude::*;
use corelane::shard::{GatewayAskError, SpawnOnError};

use crate::polls::{Keeper, Msg, Tally};

/// How long a request waits for an actor.
const PATIENCE: Duration = Duration::from_secs(2);

/// The way from requests to actors.
pub(crate) struct Polls {
    keepers: Vec<ActorRef<Msg>>,
    /// Held only for as long as it takes to write a question, never while the answer is awaited. A service with many
    /// executor threads would have a gateway for each.
    gateway: Mutex<Gateway>,
}

impl Polls {
    /// A keeper on each shard.
    pub(crate) fn start(system: &System) -> Result<Arc<Polls>, SpawnOnError> {
        let keepers = (0..system.shards())
            .map(|shard| system.spawn_on(On::Shard(shard), Keeper::default))
            .collect::<Result<_, _>>()?;
        let gateway = system.gateway()?;
        Ok(Arc::new(Polls { keepers, gateway: Mutex::new(gateway) }))
    }

    /// Asks the keeper of a poll.
    async fn ask<R: Send + 'static>(
        &self,
        poll: String,
        question: impl FnOnce(String, ReplyTo<R>) -> Msg + Send + 'static,
    ) -> Result<R, StatusCode> {
        let mut hasher = DefaultHasher::new();
        poll.hash(&mut hasher);
        let keeper = self.keepers[(hasher.finish() % self.keepers.len() as u64) as usize];
        let answer = {
            let mut gateway = self.gateway.lock().unwrap_or_else(PoisonError::into_inner);
            gateway.ask_future(keeper, PATIENCE, move |reply| question(poll, reply))
        };
        answer.await.map_err(|error| match error {
            GatewayAskError::Ask(AskError::Timeout) => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        })
    }
}

/// The routes.
pub(crate) fn routes(polls: Arc<Polls>) -> Router {
    Router::new().route("/polls/{poll}", get(stand).post(vote)).with_state(polls)
}

async fn vote(
    State(polls): State<Arc<Polls>>,
    Path(poll): Path<String>,
    choice: String,
) -> Result<String, StatusCode> {
    let votes = polls.ask(poll, |poll, reply| Msg::Vote { poll, choice, reply }).await?;
    Ok(format!("{votes}\n"))
}

async fn stand(State(polls): State<Arc<Polls>>, Path(poll): Path<String>) -> Result<String, StatusCode> {
    let tally = polls.ask(poll, |poll, reply| Msg::Stand { poll, reply }).await?;
    tally.map(|tally| lines(&tally)).ok_or(StatusCode::NOT_FOUND)
}

fn lines(tally: &Tally) -> String {
    tally.iter().fold(String::new(), |mut text, (choice, votes)| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{votes} {choice}");
        text
    })
}

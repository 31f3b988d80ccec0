//! What is told in a random cluster.

use corelane_kernel::{ActorRef, AskError, Compact, ReplyTo, Wire};
use serde::{Deserialize, Serialize};

use super::books::Id;
use crate::resolve::RemoteLookupError;

/// Who told whom which of its messages.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) from: Id,
    pub(super) to: Id,
    pub(super) no: u32,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Msg {
    /// Hear it, and these bytes.
    Talk(Token, Vec<u8>),
    /// Answer with the number.
    Ask(Token, u32, ReplyTo<u32>),
    /// Know somebody.
    Meet(Token, Id, ActorRef<Msg>),
    /// Do so many things.
    #[serde(skip)]
    Act(u32),
    /// Look up and ask the anchor of a shard of a host.
    #[serde(skip)]
    Reach(u8, usize),
    /// The outcome of a question.
    #[serde(skip)]
    Answer(u32, Result<u32, AskError>),
    /// The outcome of a look-up of somebody.
    #[serde(skip)]
    Found(u32, Id, Result<ActorRef<Msg>, RemoteLookupError>),
    /// The anchor of a shard of a host was found, or not.
    #[serde(skip)]
    Reached(u8, usize, Result<ActorRef<Msg>, RemoteLookupError>),
    /// It has answered, or not.
    #[serde(skip)]
    ReachAnswer(u8, usize, Result<u32, AskError>),
}

impl Wire for Msg {
    const NAME: &'static str = "corelane.sim.Msg";
    type Form = Compact;
}

/// Bytes that say where they belong.
pub(super) fn body(no: u32, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at as u32 * 31 + no) as u8).collect()
}

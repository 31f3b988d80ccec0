//! What is told in a random cluster, and what children on other hosts are made of.

use corelane_kernel::{ActorRef, AskError, Compact, ReplyTo, Wire};
use serde::{Deserialize, Serialize};

use super::rules::{Birth, Id};
use crate::codec::Props;
use crate::resolve::RemoteLookupError;
use crate::spawning::RemoteSpawnError;

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
    /// Answer with the number, whoever it is that asks.
    Hail(u32, ReplyTo<u32>),
    /// Do so many things.
    #[serde(skip)]
    Act(u32),
    /// Tell somebody far away as much as you can.
    #[serde(skip)]
    Flood,
    /// Say that you are there.
    #[serde(skip)]
    Stir,
    /// Look up and ask the anchor of a shard of a host.
    #[serde(skip)]
    Reach(u8, Id),
    /// The outcome of a question.
    #[serde(skip)]
    Answer(u32, Result<u32, AskError>),
    /// The outcome of a look-up of somebody.
    #[serde(skip)]
    Found(u32, Id, Result<ActorRef<Msg>, RemoteLookupError>),
    /// What came of a birth.
    #[serde(skip)]
    Hired(Birth, Result<ActorRef<Msg>, RemoteSpawnError>),
    /// The anchor of a shard of a host was found, or not.
    #[serde(skip)]
    Reached(Id, Result<ActorRef<Msg>, RemoteLookupError>),
    /// It has answered, or not.
    #[serde(skip)]
    ReachAnswer(Id, Result<u32, AskError>),
}

impl Wire for Msg {
    const NAME: &'static str = "corelane.sim.Msg";
    type Form = Compact;
}

/// What a child is made of.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Hire {
    pub(super) birth: Birth,
    /// How many are above it, below the top.
    pub(super) depth: u8,
    /// Where its parent lives.
    pub(super) host: u8,
}

impl Wire for Hire {
    const NAME: &'static str = "corelane.sim.Hire";
    type Form = Compact;
}

impl Props for Hire {
    type Msg = Msg;
}

/// Bytes that say where they belong.
pub(super) fn body(no: u32, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at as u32 * 31 + no) as u8).collect()
}

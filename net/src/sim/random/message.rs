//! What is told in a random cluster, and what children on other hosts are made of.

use corelane_kernel::{ActorRef, AskError, Compact, ReplyTo, Wire};
use serde::{Deserialize, Serialize};

use super::rules::{Birth, Id};
use crate::codec::{Codec, DecodeError, EncodeError, Envelope, Props};
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
    /// Know a clerk.
    Present(Token, Id, ActorRef<Slip>),
    /// Answer with the number, whoever it is that asks.
    Hail(u32, ReplyTo<u32>),
    /// Do so many things.
    #[serde(skip)]
    Act(u32),
    /// Tell somebody far away as much as you can.
    #[serde(skip)]
    Flood,
    /// Call all whom you know.
    #[serde(skip)]
    Call,
    /// One of them has answered, or not.
    #[serde(skip)]
    Called(Id, Result<u32, AskError>),
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
    /// The outcome of a look-up of a clerk.
    #[serde(skip)]
    FoundClerk(u32, Id, Result<ActorRef<Slip>, RemoteLookupError>),
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

/// What clerks are told: bytes of any length, and no addresses, so that many that are alike share a head on their way.
pub(super) struct Slip {
    pub(super) token: Token,
    pub(super) bytes: Vec<u8>,
}

impl Wire for Slip {
    const NAME: &'static str = "corelane.sim.Slip";
    type Form = Plain;
}

/// The three numbers of a token, and then the bytes.
pub(super) enum Plain {}

impl Codec<Slip> for Plain {
    const ADDRESSES: bool = false;

    fn encode(slip: &Slip, to: &mut [u8]) -> Result<usize, EncodeError> {
        let Token { from, to: whom, no } = slip.token;
        let (head, rest) = to.split_first_chunk_mut::<12>().ok_or(EncodeError::NoRoom)?;
        for (to, number) in head.chunks_exact_mut(4).zip([from, whom, no]) {
            to.copy_from_slice(&number.to_le_bytes());
        }
        rest.get_mut(..slip.bytes.len()).ok_or(EncodeError::NoRoom)?.copy_from_slice(&slip.bytes);
        Ok(head.len() + slip.bytes.len())
    }

    fn decode(_: Envelope, body: &[u8]) -> Result<Slip, DecodeError> {
        let (head, bytes) = body.split_first_chunk::<12>().ok_or(DecodeError::Malformed)?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let token = Token { from: number(0), to: number(4), no: number(8) };
        Ok(Slip { token, bytes: bytes.to_vec() })
    }
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

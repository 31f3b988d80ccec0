//! One link at a time, with a peer that is written by hand: what each thing that may come does, as `docs/wire.md` says.

mod greeting;
mod messages;
mod peer;
mod signals;

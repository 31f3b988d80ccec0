//! What is done with one key, here or on the shard where it lives, and the reply to that.

use crate::keyspace::{AddError, Ends, Keyspace, Left, Millis, Unless};
use crate::reply::{Version, Write as _};

/// An operation whose value, if it has one, is a `V`: bytes of a request, or a place in a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation<V> {
    Get,
    /// Sets; with `get` the reply is what it was before.
    Set {
        value: V,
        ends: Ends,
        unless: Unless,
        get: bool,
    },
    /// Deletes; the reply is how many that were.
    Delete,
    /// The reply is how many there are.
    Count,
    Add(i64),
    /// Gives it an end, where `when` allows that.
    Expire {
        ends: Ends,
        when: When,
    },
    /// The reply is how long it has still, in seconds or milliseconds.
    Left {
        millis: bool,
    },
    /// Of the whole shard: how many keys it has.
    Size,
    /// Of the whole shard: forgets all.
    Clear,
}

/// On what condition a key is given another end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// It has none.
    Endless,
    /// It has one.
    Ending,
    /// The new one is later; none is the latest.
    Later,
    /// The new one is earlier.
    Earlier,
}

impl<V> Operation<V> {
    /// The same with its value as something else.
    pub(crate) fn map<W>(self, map: impl FnOnce(V) -> W) -> Operation<W> {
        match self {
            Operation::Set { value, ends, unless, get } => {
                Operation::Set { value: map(value), ends, unless, get }
            }
            Operation::Get => Operation::Get,
            Operation::Delete => Operation::Delete,
            Operation::Count => Operation::Count,
            Operation::Add(n) => Operation::Add(n),
            Operation::Expire { ends, when } => Operation::Expire { ends, when },
            Operation::Left { millis } => Operation::Left { millis },
            Operation::Size => Operation::Size,
            Operation::Clear => Operation::Clear,
        }
    }
}

impl Operation<&[u8]> {
    /// Does it, and writes the reply. Replies that are counts are [`count_in`] one.
    pub(crate) fn run(
        self,
        key: &[u8],
        keys: &mut Keyspace,
        now: Millis,
        version: Version,
        reply: &mut Vec<u8>,
    ) {
        match self {
            Operation::Get => match keys.get(key, now) {
                Some(value) => reply.bulk(value),
                None => reply.null(version),
            },
            Operation::Set { value, ends, unless, get: false } => {
                if keys.set(key, value, (ends, unless), now, |_| ()) {
                    reply.ok();
                } else {
                    reply.null(version);
                }
            }
            Operation::Set { value, ends, unless, get: true } => {
                keys.set(key, value, (ends, unless), now, |before| match before {
                    Some(before) => reply.bulk(before),
                    None => reply.null(version),
                });
            }
            Operation::Delete => reply.integer(i64::from(keys.delete(key, now))),
            Operation::Count => reply.integer(i64::from(keys.has(key, now))),
            Operation::Add(n) => match keys.add(key, n, now) {
                Ok(sum) => reply.integer(sum),
                Err(AddError::NoInteger) => reply.error("ERR value is not an integer or out of range"),
                Err(AddError::Overflow) => reply.error("ERR increment or decrement would overflow"),
            },
            Operation::Expire { ends, when } => {
                let left = keys.left(key, now);
                let given = match ends {
                    Ends::At(at) => at.saturating_sub(now),
                    Ends::Never | Ends::AsBefore => Millis::MAX,
                };
                let allowed = match (when, left) {
                    (When::Always, _) => true,
                    (When::Endless, left) => left == Left::Endless,
                    (When::Ending, left) => matches!(left, Left::For(_)),
                    (When::Later, Left::For(left)) => given > left,
                    (When::Later, _) => false,
                    (When::Earlier, Left::For(left)) => given < left,
                    (When::Earlier, _) => true,
                };
                reply.integer(i64::from(allowed && keys.expire(key, ends, now)));
            }
            Operation::Left { millis } => reply.integer(match keys.left(key, now) {
                Left::NoKey => -2,
                Left::Endless => -1,
                Left::For(left) if millis => left as i64,
                // To the nearest second.
                Left::For(left) => (left.saturating_add(500) / 1000) as i64,
            }),
            Operation::Size => reply.integer(keys.len() as i64),
            Operation::Clear => {
                keys.clear();
                reply.ok();
            }
        }
    }
}

/// The number that an integer reply has.
pub(crate) fn count_in(reply: &[u8]) -> i64 {
    let digits = reply.strip_prefix(b":").and_then(|rest| rest.strip_suffix(b"\r\n"));
    digits.and_then(crate::protocol::integer).unwrap_or_default()
}

//! The commands: what they are called, what they take, and what they do.

use crate::keyspace::{Ends, Millis, Unless};
use crate::operation::{Operation, When};
use crate::protocol::{Args, integer};
use crate::reply::{Version, Write as _};
use crate::session::{Gather, Here, Session, name_of};

/// Name, arguments (the name among them; negative: at least so many), first and last key, step between keys.
type Row = (&'static str, i64, [i64; 3]);

const TABLE: &[Row] = &[
    ("client", -2, [0, 0, 0]),
    ("command", -1, [0, 0, 0]),
    ("config", -2, [0, 0, 0]),
    ("dbsize", 1, [0, 0, 0]),
    ("decr", 2, [1, 1, 1]),
    ("decrby", 3, [1, 1, 1]),
    ("del", -2, [1, -1, 1]),
    ("echo", 2, [0, 0, 0]),
    ("exists", -2, [1, -1, 1]),
    ("expire", -3, [1, 1, 1]),
    ("expireat", -3, [1, 1, 1]),
    ("flushall", -1, [0, 0, 0]),
    ("get", 2, [1, 1, 1]),
    ("hello", -1, [0, 0, 0]),
    ("incr", 2, [1, 1, 1]),
    ("incrby", 3, [1, 1, 1]),
    ("info", -1, [0, 0, 0]),
    ("mget", -2, [1, -1, 1]),
    ("mset", -3, [1, -1, 2]),
    ("persist", 2, [1, 1, 1]),
    ("pexpire", -3, [1, 1, 1]),
    ("ping", -1, [0, 0, 0]),
    ("pttl", 2, [1, 1, 1]),
    ("quit", -1, [0, 0, 0]),
    ("select", 2, [0, 0, 0]),
    ("set", -3, [1, 1, 1]),
    ("ttl", 2, [1, 1, 1]),
    ("unlink", -2, [1, -1, 1]),
];

const NOT_INTEGER: &str = "ERR value is not an integer or out of range";
const SYNTAX: &str = "ERR syntax error";

/// Why a command was not done: its reply.
type Refusal = String;

/// Does what a request asks for. A request without arguments asks for nothing, and has no reply.
pub(crate) fn run(session: &mut Session, args: Args<'_>, here: &mut Here<'_>) {
    if args.len() == 0 {
        return;
    }
    if let Err(error) = dispatch(session, &args, here) {
        session.reply(|to, _| to.error(&error));
    }
}

fn dispatch(session: &mut Session, args: &Args<'_>, here: &mut Here<'_>) -> Result<(), Refusal> {
    let arg = |n: usize| args.get(n).unwrap_or_default();
    // The two that are most of all first.
    match args.len() {
        2 if is(arg(0), "GET") => session.one(arg(1), Operation::Get, here),
        3 if is(arg(0), "SET") => {
            let plain =
                Operation::Set { value: arg(2), ends: Ends::Never, unless: Unless::Always, get: false };
            session.one(arg(1), plain, here);
        }
        _ => {
            check_arity(args)?;
            let mut room = [0; 16];
            match name_of(args, &mut room) {
                b"SET" => set(session, args, here)?,
                b"MGET" => {
                    let keys = args.from(1);
                    session.reply(|to, _| to.array(keys.len()));
                    for key in keys {
                        session.one(key, Operation::Get, here);
                    }
                }
                b"MSET" => mset(session, args, here)?,
                b"DEL" | b"UNLINK" => {
                    session.many(Gather::Sum, args.from(1).map(|key| (key, Operation::Delete)), here);
                }
                b"EXISTS" => {
                    session.many(Gather::Sum, args.from(1).map(|key| (key, Operation::Count)), here);
                }
                b"INCR" => session.one(arg(1), Operation::Add(1), here),
                b"DECR" => session.one(arg(1), Operation::Add(-1), here),
                b"INCRBY" => session.one(arg(1), Operation::Add(number(arg(2))?), here),
                b"DECRBY" => {
                    let n = number(arg(2))?;
                    let n = n.checked_neg().ok_or("ERR decrement would overflow")?;
                    session.one(arg(1), Operation::Add(n), here);
                }
                b"EXPIRE" => expire(session, args, here, 1000, true)?,
                b"PEXPIRE" => expire(session, args, here, 1, true)?,
                b"EXPIREAT" => expire(session, args, here, 1000, false)?,
                b"PERSIST" => {
                    session.one(arg(1), Operation::Expire { ends: Ends::Never, when: When::Ending }, here);
                }
                b"TTL" => session.one(arg(1), Operation::Left { millis: false }, here),
                b"PTTL" => session.one(arg(1), Operation::Left { millis: true }, here),
                b"DBSIZE" => session.everywhere(Gather::Sum, Operation::Size, here),
                b"FLUSHALL" => session.everywhere(Gather::Done, Operation::Clear, here),
                b"PING" if args.len() <= 2 => session.reply(|to, _| match args.get(1) {
                    Some(text) => to.bulk(text),
                    None => to.simple("PONG"),
                }),
                b"ECHO" => session.reply(|to, _| to.bulk(arg(1))),
                b"HELLO" => hello(session, args)?,
                b"SELECT" if arg(1) == b"0" => session.reply(|to, _| to.ok()),
                b"SELECT" => return Err("ERR DB index is out of range".to_owned()),
                b"QUIT" => {
                    session.reply(|to, _| to.ok());
                    session.close();
                }
                b"CLIENT" => client(session, args)?,
                b"CONFIG" => config(session, args)?,
                b"COMMAND" => command(session, args),
                b"INFO" => info(session, here),
                _ => return Err(arity_error(args)),
            }
        }
    }
    Ok(())
}

#[inline(always)]
fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

fn number(text: &[u8]) -> Result<i64, Refusal> {
    integer(text).ok_or_else(|| NOT_INTEGER.to_owned())
}

fn check_arity(args: &Args<'_>) -> Result<(), Refusal> {
    let name = args.get(0).unwrap_or_default();
    let Some((_, arity, _)) = TABLE.iter().find(|row| is(name, row.0)) else {
        let name = String::from_utf8_lossy(&name[..name.len().min(128)]);
        let mut text = format!("ERR unknown command '{name}', with args beginning with: ");
        for arg in args.from(1).take(8) {
            text += &format!("'{}' ", String::from_utf8_lossy(&arg[..arg.len().min(128)]));
        }
        return Err(text);
    };
    let given = args.len() as i64;
    let fits = if *arity < 0 { given >= -arity } else { given == *arity };
    if fits { Ok(()) } else { Err(arity_error(args)) }
}

fn arity_error(args: &Args<'_>) -> Refusal {
    let name = String::from_utf8_lossy(args.get(0).unwrap_or_default()).to_ascii_lowercase();
    format!("ERR wrong number of arguments for '{name}' command")
}

/// When something ends that was given so long, or that end.
fn end(text: &[u8], unit: i64, relative: bool, now: Millis, of: &str) -> Result<Millis, Refusal> {
    let invalid = || format!("ERR invalid expire time in '{of}' command");
    let millis = number(text)?.checked_mul(unit).ok_or_else(invalid)?;
    if relative {
        return now.checked_add_signed(millis).filter(|at| *at < Millis::MAX).ok_or_else(invalid);
    }
    Ok(Millis::try_from(millis).unwrap_or(0))
}

fn set(session: &mut Session, args: &Args<'_>, here: &mut Here<'_>) -> Result<(), Refusal> {
    let (key, value) = (args.get(1).unwrap_or_default(), args.get(2).unwrap_or_default());
    let (mut ends, mut unless, mut get) = (None, None, false);
    let mut options = args.from(3);
    while let Some(option) = options.next() {
        let units = [("EX", 1000, true), ("PX", 1, true), ("EXAT", 1000, false), ("PXAT", 1, false)];
        if let Some((_, unit, relative)) = units.into_iter().find(|(name, ..)| is(option, name)) {
            let given = options.next().ok_or(SYNTAX)?;
            if number(given)? <= 0 {
                return Err("ERR invalid expire time in 'set' command".to_owned());
            }
            let at = end(given, unit, relative, here.now, "set")?;
            if ends.replace(Ends::At(at)).is_some() {
                return Err(SYNTAX.to_owned());
            }
        } else if is(option, "KEEPTTL") && ends.is_none() {
            ends = Some(Ends::AsBefore);
        } else if is(option, "NX") && unless.is_none() {
            unless = Some(Unless::There);
        } else if is(option, "XX") && unless.is_none() {
            unless = Some(Unless::Missing);
        } else if is(option, "GET") {
            get = true;
        } else {
            return Err(SYNTAX.to_owned());
        }
    }
    let (ends, unless) = (ends.unwrap_or(Ends::Never), unless.unwrap_or(Unless::Always));
    session.one(key, Operation::Set { value, ends, unless, get }, here);
    Ok(())
}

fn mset(session: &mut Session, args: &Args<'_>, here: &mut Here<'_>) -> Result<(), Refusal> {
    if args.len().is_multiple_of(2) {
        return Err(arity_error(args));
    }
    let pair = |n: usize| {
        let (key, value) = (args.get(n).unwrap_or_default(), args.get(n + 1).unwrap_or_default());
        (key, Operation::Set { value, ends: Ends::Never, unless: Unless::Always, get: false })
    };
    session.many(Gather::Done, (1..args.len()).step_by(2).map(pair), here);
    Ok(())
}

fn expire(
    session: &mut Session,
    args: &Args<'_>,
    here: &mut Here<'_>,
    unit: i64,
    relative: bool,
) -> Result<(), Refusal> {
    let name = String::from_utf8_lossy(args.get(0).unwrap_or_default()).to_ascii_lowercase();
    let key = args.get(1).unwrap_or_default();
    let at = end(args.get(2).unwrap_or_default(), unit, relative, here.now, &name)?;
    let when = match args.get(3) {
        None => When::Always,
        Some(option) => {
            [("NX", When::Endless), ("XX", When::Ending), ("GT", When::Later), ("LT", When::Earlier)]
                .into_iter()
                .find_map(|(name, when)| is(option, name).then_some(when))
                .filter(|_| args.len() == 4)
                .ok_or_else(|| format!("ERR Unsupported option {}", String::from_utf8_lossy(option)))?
        }
    };
    session.one(key, Operation::Expire { ends: Ends::At(at), when }, here);
    Ok(())
}

fn hello(session: &mut Session, args: &Args<'_>) -> Result<(), Refusal> {
    match args.get(1) {
        None => {}
        Some(b"2") => session.version = Version::Two,
        Some(b"3") => session.version = Version::Three,
        Some(_) => return Err("NOPROTO unsupported protocol version".to_owned()),
    }
    session.reply(|to, version| {
        to.map(6, version);
        for (key, value) in [("server", "corelane-resp"), ("version", env!("CARGO_PKG_VERSION"))] {
            to.bulk(key.as_bytes());
            to.bulk(value.as_bytes());
        }
        to.bulk(b"proto");
        to.integer(if version == Version::Three { 3 } else { 2 });
        for (key, value) in [("mode", "standalone"), ("role", "master")] {
            to.bulk(key.as_bytes());
            to.bulk(value.as_bytes());
        }
        to.bulk(b"modules");
        to.array(0);
    });
    Ok(())
}

/// What clients say about themselves is taken note of by nobody.
fn client(session: &mut Session, args: &Args<'_>) -> Result<(), Refusal> {
    let word = args.get(1).unwrap_or_default();
    if is(word, "SETNAME") || is(word, "SETINFO") || is(word, "NO-EVICT") || is(word, "NO-TOUCH") {
        session.reply(|to, _| to.ok());
    } else if is(word, "GETNAME") {
        session.reply(|to, version| to.null(version));
    } else {
        return Err(unknown_word("CLIENT", word));
    }
    Ok(())
}

fn unknown_word(command: &str, word: &[u8]) -> Refusal {
    let word = String::from_utf8_lossy(&word[..word.len().min(128)]);
    format!("ERR unknown subcommand '{word}'. Try {command} HELP.")
}

/// What benchmarks ask for.
const SETTINGS: [(&str, &str); 4] =
    [("appendonly", "no"), ("databases", "1"), ("maxmemory", "0"), ("save", "")];

fn config(session: &mut Session, args: &Args<'_>) -> Result<(), Refusal> {
    let word = args.get(1).unwrap_or_default();
    if !is(word, "GET") {
        return Err(unknown_word("CONFIG", word));
    }
    if args.len() < 3 {
        return Err("ERR wrong number of arguments for 'config|get' command".to_owned());
    }
    let asked = |name: &str| args.from(2).any(|pattern| pattern == b"*" || is(pattern, name));
    let known: Vec<_> = SETTINGS.into_iter().filter(|(name, _)| asked(name)).collect();
    session.reply(|to, version| {
        to.map(known.len(), version);
        for (name, value) in known {
            to.bulk(name.as_bytes());
            to.bulk(value.as_bytes());
        }
    });
    Ok(())
}

fn command(session: &mut Session, args: &Args<'_>) {
    let row = |to: &mut Vec<u8>, (name, arity, keys): &Row| {
        to.array(6);
        to.bulk(name.as_bytes());
        to.integer(*arity);
        to.array(0);
        for n in keys {
            to.integer(*n);
        }
    };
    session.reply(|to, version| match args.get(1) {
        Some(word) if is(word, "COUNT") => to.integer(TABLE.len() as i64),
        Some(word) if is(word, "DOCS") => to.map(0, version),
        Some(word) if is(word, "INFO") => {
            to.array(args.len() - 2);
            for name in args.from(2) {
                match TABLE.iter().find(|row| is(name, row.0)) {
                    Some(known) => row(to, known),
                    None => to.raw(b"*-1\r\n"),
                }
            }
        }
        Some(word) => to.error(&unknown_word("COMMAND", word)),
        None => {
            to.array(TABLE.len());
            for known in TABLE {
                row(to, known);
            }
        }
    });
}

fn info(session: &mut Session, here: &Here<'_>) {
    let text = format!(
        "# Server\r\nredis_version:7.0.0\r\ncorelane_version:{}\r\nredis_mode:standalone\r\nshards:{}\r\n\
         # Keyspace of shard {}\r\nkeys:{}\r\nexpires:{}\r\n",
        env!("CARGO_PKG_VERSION"),
        here.shards,
        here.shard,
        here.keys.len(),
        here.keys.ending(),
    );
    session.reply(|to, _| to.bulk(text.as_bytes()));
}

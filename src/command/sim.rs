//! `corelane sim`: random worlds from one seed after the other, until a rule is broken.
//!
//! A world is a whole system in one thread whose actors do everything at random while everything goes wrong, watched by
//! rules that know nothing of the code (see [`corelane_shard::sim::random`]); with `--hosts` it is several systems in a
//! simulated network (see [`corelane_net::sim::random`]). The first broken rule ends the run, with the command that makes it
//! happen again.
//!
//! Standard output holds the result and nothing else; progress and complaints go to standard error. The exit code is 0 if
//! every rule held, 1 if one was broken, 2 if the arguments make no sense, and 130 after an interruption.

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use corelane_net::sim::random::RandomCluster;
use corelane_shard::sim::random::RandomWorld;
use corelane_shard::sim::{SimError, Trace};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::process;

/// Run random systems in simulations where everything goes wrong, and check that every rule holds.
///
/// Each seed is a world of its own: a system of one to four shards (or, with --hosts, two to four systems in a network),
/// its actors, and all that goes wrong there. The same seed does the same. The run ends at the first rule that is broken.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SimArgs {
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "S", default_value_t = 0)]
    first: u64,
    /// How many events before a broken rule to show
    #[arg(long, value_name = "N", default_value_t = 40)]
    events: usize,
    /// Worlds of two to four hosts in a network that delays, loses and cuts, where processes crash and come back
    #[arg(long)]
    hosts: bool,
    /// One JSON object on standard output instead of the summary
    #[arg(long)]
    json: bool,
    /// With actors that do something wrong now and then; how the command tests itself
    #[arg(long, hide = true)]
    faulty: bool,
}

/// A rule that was broken, and by which seed.
struct Failed {
    seed: u64,
    what: String,
    /// What happened before.
    events: Vec<String>,
}

#[derive(Default)]
struct Totals {
    seeds: u64,
    messages: u64,
    trace: u64,
    /// What went wrong, and what else there is to count, by kind.
    faults: Vec<(&'static str, u64)>,
    counts: Vec<(&'static str, u64)>,
    failed: Option<Failed>,
}

/// Runs the command; see the module for the exit codes.
pub(crate) fn run(args: &SimArgs) -> ExitCode {
    let Some(end) = args.first.checked_add(args.seeds) else {
        let (seeds, first) = (args.seeds, args.first);
        return process::refuse(format_args!("{seeds} seeds from {first} on are more than there are"));
    };
    let interrupted = process::interruption();

    // Drawn to standard error, and not at all where that is no terminal.
    let bar = ProgressBar::new(args.seeds);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} seeds, {eta} left") {
        bar.set_style(style);
    }
    let mut totals = Totals { trace: 0xcbf2_9ce4_8422_2325, ..Totals::default() };
    for seed in args.first..end {
        if interrupted.load(Ordering::Relaxed) {
            bar.finish_and_clear();
            eprintln!("interrupted after {} seeds", totals.seeds);
            return ExitCode::from(process::INTERRUPTED);
        }
        totals.failed = totals.take(seed, args).err();
        totals.seeds += 1;
        bar.inc(1);
        if totals.failed.is_some() {
            break;
        }
    }
    bar.finish_and_clear();

    if let Some(failed) = &totals.failed {
        failed.events.iter().for_each(|event| eprintln!("{event}"));
        eprintln!("error: seed {}: {}", failed.seed, failed.what);
        eprintln!("this makes it happen again: {}", replay(failed.seed, args));
    }
    let text = if args.json { format!("{:#}\n", totals.as_json(args)) } else { totals.summary(args) };
    let printed = process::print(&text);
    if totals.failed.is_some() { ExitCode::FAILURE } else { printed }
}

/// The command that runs one seed again.
fn replay(seed: u64, args: &SimArgs) -> String {
    let hosts = if args.hosts { " --hosts" } else { "" };
    let faulty = if args.faulty { " --faulty" } else { "" };
    format!("corelane sim{hosts} --first {seed} --seeds 1{faulty}")
}

/// How a world ended, of whatever kind it is.
struct Ran {
    trace: Trace,
    broken: Option<String>,
    broken_after: Option<usize>,
    counts: Vec<(&'static str, u64)>,
}

/// Runs the world of a seed; keeps its events only if they are to be shown.
fn world(seed: u64, args: &SimArgs, record: bool) -> Result<Ran, SimError> {
    if args.hosts {
        let mut world = RandomCluster::new(seed);
        world = if args.faulty { world.faulty() } else { world };
        world = if record { world.record() } else { world };
        let outcome = world.run()?;
        return Ok(Ran {
            trace: outcome.trace,
            broken: outcome.broken.map(|broken| broken.to_string()),
            broken_after: outcome.broken_after,
            counts: outcome.tally.iter().collect(),
        });
    }
    let mut world = RandomWorld::new(seed);
    world = if args.faulty { world.faulty() } else { world };
    world = if record { world.record() } else { world };
    let outcome = world.run()?;
    Ok(Ran {
        trace: outcome.trace,
        broken: outcome.broken.map(|broken| broken.to_string()),
        broken_after: outcome.broken_after,
        counts: Vec::new(),
    })
}

/// Adds counts to those of the same kinds.
fn add(to: &mut Vec<(&'static str, u64)>, more: impl IntoIterator<Item = (&'static str, u64)>) {
    for (name, count) in more {
        match to.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known += count,
            None => to.push((name, count)),
        }
    }
}

impl Totals {
    /// Runs the world of a seed and counts it.
    fn take(&mut self, seed: u64, args: &SimArgs) -> Result<(), Failed> {
        // A panic of what belongs to no actor ends the world, and not the command.
        let failed = |what: String, events| Failed { seed, what, events };
        let outcome = catch_unwind(|| world(seed, args, false))
            .map_err(|_| failed("the simulation panicked".to_owned(), Vec::new()))?
            .map_err(|error| failed(error.to_string(), Vec::new()))?;
        self.messages += outcome.trace.messages;
        add(&mut self.faults, outcome.trace.faults.iter().map(|(fault, count)| (fault.name(), count)));
        add(&mut self.counts, outcome.counts);
        self.trace = (self.trace ^ outcome.trace.hash).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
        match outcome.broken {
            None => Ok(()),
            Some(broken) => Err(failed(broken, last_events(seed, args))),
        }
    }

    fn as_json(&self, args: &SimArgs) -> Value {
        let map = |of: &[(&'static str, u64)]| -> Map<String, Value> {
            of.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect()
        };
        let broken = self.failed.as_ref().map(
            |failed| json!({ "seed": failed.seed, "what": failed.what, "replay": replay(failed.seed, args) }),
        );
        let mut result = json!({
            "seeds": self.seeds,
            "first": args.first,
            "failed": u64::from(self.failed.is_some()),
            "broken": broken,
            "trace": format!("{:016x}", self.trace),
            "messages": self.messages,
            "faults": map(&self.faults),
        });
        if args.hosts {
            result["hosts"] = map(&self.counts).into();
        }
        result
    }

    fn summary(&self, args: &SimArgs) -> String {
        let verdict = if self.failed.is_some() { "a rule was broken" } else { "every rule held" };
        let list = |of: &[(&'static str, u64)]| -> String {
            of.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
        };
        let hosts = if args.hosts { format!("hosts: {}\n", list(&self.counts)) } else { String::new() };
        format!(
            "{} seeds from {} on: {verdict}\n{} messages, trace {:016x}\nfaults: {}\n{hosts}",
            self.seeds,
            args.first,
            self.messages,
            self.trace,
            list(&self.faults),
        )
    }
}

/// What happened last in a world until its rule was broken: it is run once more, and its events kept.
fn last_events(seed: u64, args: &SimArgs) -> Vec<String> {
    let Ok(ran) = world(seed, args, true) else { return Vec::new() };
    let until = ran.broken_after.unwrap_or(ran.trace.events.len()).min(ran.trace.events.len());
    let from = until.saturating_sub(args.events);
    ran.trace.events[from..until].iter().map(|(at, event)| format!("{at:?}: {event}")).collect()
}

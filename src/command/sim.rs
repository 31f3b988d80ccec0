//! `corelane sim`: random worlds from one seed after the other, until a rule is broken.
//!
//! A world is a whole system in one thread whose actors do everything at random while everything goes wrong, watched by
//! rules that know nothing of the code (see [`corelane_shard::sim::random`]). The first broken rule ends the run, with the
//! command that makes it happen again.
//!
//! Standard output holds the result and nothing else; progress and complaints go to standard error. The exit code is 0 if
//! every rule held, 1 if one was broken, 2 if the arguments make no sense, and 130 after an interruption.

use std::io::{self, ErrorKind, Write};
use std::num::NonZeroU64;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use corelane_shard::sim::Faults;
use corelane_shard::sim::random::RandomWorld;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

/// The exit code for arguments that make no sense, as clap's own.
const BAD_ARGUMENTS: u8 = 2;
/// The exit code of a process that an interrupt ended, by convention 128 and the signal's number.
const EXIT_INTERRUPTED: u8 = 130;
/// Run random systems in simulations where everything goes wrong, and check that every rule holds.
///
/// Each seed is a world of its own: a system of one to four shards, its actors, and all that goes wrong there. The
/// same seed does the same. The run ends at the first rule that is broken.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SimArgs {
    /// How many seeds
    #[arg(long, value_name = "N", default_value = "2000")]
    seeds: NonZeroU64,
    /// The first of them
    #[arg(long, value_name = "S", default_value_t = 0)]
    first: u64,
    /// How many events before a broken rule to show
    #[arg(long, value_name = "N", default_value_t = 40)]
    events: usize,
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
    faults: Faults,
    failed: Option<Failed>,
}

/// Runs the command; see the module for the exit codes.
pub(crate) fn run(args: &SimArgs) -> ExitCode {
    let Some(end) = args.first.checked_add(args.seeds.get()) else {
        eprintln!("error: {} seeds from {} on are more than there are", args.seeds, args.first);
        return ExitCode::from(BAD_ARGUMENTS);
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    if let Err(error) = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)) {
        eprintln!("warning: an interruption will not end in order: {error}");
    }

    // Drawn to standard error, and not at all where that is no terminal.
    let bar = ProgressBar::new(args.seeds.get());
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} seeds, {eta} left") {
        bar.set_style(style);
    }
    let mut totals = Totals { trace: 0xcbf2_9ce4_8422_2325, ..Totals::default() };
    for seed in args.first..end {
        if interrupted.load(Ordering::Relaxed) {
            bar.finish_and_clear();
            eprintln!("interrupted after {} seeds", totals.seeds);
            return ExitCode::from(EXIT_INTERRUPTED);
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
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Ok(()) => {}
        // Whoever reads it may have seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => {
            eprintln!("error: cannot write to standard output: {error}");
            return ExitCode::FAILURE;
        }
    }
    if totals.failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The command that runs one seed again.
fn replay(seed: u64, args: &SimArgs) -> String {
    let faulty = if args.faulty { " --faulty" } else { "" };
    format!("corelane sim --first {seed} --seeds 1{faulty}")
}

fn world(seed: u64, faulty: bool) -> RandomWorld {
    let world = RandomWorld::new(seed);
    if faulty { world.faulty() } else { world }
}

impl Totals {
    /// Runs the world of a seed and counts it.
    fn take(&mut self, seed: u64, args: &SimArgs) -> Result<(), Failed> {
        // A panic of what belongs to no actor ends the world, and not the command.
        let failed = |what: String, events| Failed { seed, what, events };
        let outcome = catch_unwind(|| world(seed, args.faulty).run())
            .map_err(|_| failed("the simulation panicked".to_owned(), Vec::new()))?
            .map_err(|error| failed(error.to_string(), Vec::new()))?;
        self.messages += outcome.trace.messages;
        self.faults.add(&outcome.trace.faults);
        self.trace = (self.trace ^ outcome.trace.hash).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
        match outcome.broken {
            None => Ok(()),
            Some(broken) => Err(failed(broken.to_string(), last_events(seed, args))),
        }
    }

    fn as_json(&self, args: &SimArgs) -> Value {
        let faults: Map<String, Value> =
            self.faults.iter().map(|(fault, count)| (fault.name().to_owned(), count.into())).collect();
        let broken = self.failed.as_ref().map(
            |failed| json!({ "seed": failed.seed, "what": failed.what, "replay": replay(failed.seed, args) }),
        );
        json!({
            "seeds": self.seeds,
            "first": args.first,
            "failed": u64::from(self.failed.is_some()),
            "broken": broken,
            "trace": format!("{:016x}", self.trace),
            "messages": self.messages,
            "faults": faults,
        })
    }

    fn summary(&self, args: &SimArgs) -> String {
        let verdict = if self.failed.is_some() { "a rule was broken" } else { "every rule held" };
        let faults: Vec<_> =
            self.faults.iter().map(|(fault, count)| format!("{count} {}", fault.name())).collect();
        format!(
            "{} seeds from {} on: {verdict}\n{} messages, trace {:016x}\nfaults: {}\n",
            self.seeds,
            args.first,
            self.messages,
            self.trace,
            faults.join(", "),
        )
    }
}

/// What happened last in a world until its rule was broken: it is run once more, and its events kept.
fn last_events(seed: u64, args: &SimArgs) -> Vec<String> {
    let Ok(outcome) = world(seed, args.faulty).record().run() else { return Vec::new() };
    let until = outcome.broken_after.unwrap_or(outcome.trace.events.len()).min(outcome.trace.events.len());
    let from = until.saturating_sub(args.events);
    outcome.trace.events[from..until].iter().map(|(at, event)| format!("{at:?}: {event}")).collect()
}

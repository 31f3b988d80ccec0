//! A race between shards, found by the simulator and replayed from its seed.
//!
//!     cargo run --example 7_testing_with_the_simulator
//!     cargo run --example 7_testing_with_the_simulator -- trace
//!
//! Two clerks pay coins into one account, each on a shard of its own. The careful clerk tells the account what to add. The
//! hasty one asks what is there, adds to that, and writes the sum: where the other clerk pays in between, a coin is lost.
//! On real cores that happens now and then, and not while you look. The simulator runs all shards on one thread and draws
//! from a seed who goes first, how long messages take, when a shard stalls, when the clock jumps: a seed that
//! finds the mistake finds it every time.
//!
//! With `trace`, the program shows what the seed has found, up to the first coin that is lost.

use std::error::Error;
use std::time::Duration;

use corelane::prelude::*;
use corelane::sim::{self, Sim, SimError, Simulation, Trace};

const COINS: u64 = 20;
const SEEDS: std::ops::Range<u64> = 0..100;

// --- what is tested ----------------------------------------------------------------------------------------------

enum Entry {
    Add(u64),
    Read(ReplyTo<u64>),
    Write(u64),
}

#[derive(Default)]
struct Account {
    coins: u64,
}

impl Actor for Account {
    type Msg = Entry;

    fn receive(&mut self, entry: Entry, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match entry {
            Entry::Add(coins) => self.coins += coins,
            Entry::Read(reply) => ctx.tell(reply, self.coins),
            Entry::Write(coins) => self.coins = coins,
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Manner {
    Careful,
    Hasty,
}

struct Clerk {
    name: char,
    manner: Manner,
    account: ActorRef<Entry>,
}

enum Msg {
    Pay,
    /// What the account had when it was asked.
    Had(Result<u64, AskError>),
}

impl Actor for Clerk {
    type Msg = Msg;

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match (msg, self.manner) {
            (Msg::Pay, Manner::Careful) => ctx.tell(self.account, Entry::Add(1)),
            (Msg::Pay, Manner::Hasty) => {
                ctx.ask(self.account, Duration::from_secs(60), Entry::Read, Msg::Had);
            }
            (Msg::Had(coins), _) => {
                let coins = coins?;
                sim::note(format_args!("{} reads {coins}, writes {}", self.name, coins + 1));
                ctx.tell(self.account, Entry::Write(coins + 1));
            }
        }
        Ok(())
    }
}

// --- how it is tested --------------------------------------------------------------------------------------------

/// Two clerks pay in; the account must have all of it.
fn pay_in(manner: Manner, sim: &mut Simulation) -> Result<(), Box<dyn Error>> {
    let account = sim.spawn_on(0, Account::default)?;
    let clerks = [
        sim.spawn_on(1, move || Clerk { name: 'A', manner, account })?,
        sim.spawn_on(2, move || Clerk { name: 'B', manner, account })?,
    ];
    for coin in 0..COINS {
        sim.tell(clerks[coin as usize % 2], Msg::Pay);
        // Now and then, what was told arrives before more is told.
        if sim.below(4) == 0 {
            sim.run_until_idle();
        }
    }
    sim.run_until_idle();
    let coins = sim.ask(account, Duration::from_secs(60), Entry::Read)?;
    sim.note(format_args!("{coins} of {COINS} coins are there"));
    Ok(())
}

fn run(manner: Manner, seed: u64) -> Result<Trace, SimError> {
    Sim::new(seed).shards(3).run(|sim| pay_in(manner, sim))
}

/// Whether a run has lost coins.
fn is_short(trace: &Trace) -> bool {
    trace.notes().last() != Some(&format!("{COINS} of {COINS} coins are there"))
}

fn main() -> Result<(), Box<dyn Error>> {
    for seed in SEEDS {
        assert!(!is_short(&run(Manner::Careful, seed)?), "seed {seed} loses coins");
    }
    println!("careful clerks: {} seeds, and no coin is lost", SEEDS.count());

    let mut caught = None;
    for seed in SEEDS {
        let trace = run(Manner::Hasty, seed)?;
        if is_short(&trace) {
            caught = Some(trace);
            break;
        }
    }
    let caught = caught.ok_or("no seed has found the mistake")?;
    println!("hasty clerks: coins are lost");

    // The seed is all that is needed to see it again, on any machine.
    let again = run(Manner::Hasty, caught.seed)?;
    println!("the same seed: the same trace: {}", again == caught && again.hash == caught.hash);
    let other = run(Manner::Hasty, caught.seed + 1)?;
    println!("another seed: the same trace: {}", other.hash == caught.hash);

    if std::env::args().nth(1).as_deref() == Some("trace") {
        println!("seed {}:", caught.seed);
        let mut before = "";
        for note in caught.notes() {
            println!("  {note}");
            let sums = [before, note].map(|note| note.split_once(" reads "));
            if let [Some((_, before)), Some((_, now))] = sums
                && before == now
            {
                break;
            }
            before = note;
        }
    }
    Ok(())
}

//! Five processes in two networks that lose every tenth packet, and one fault after the other, drawn from a seed: the cable is
//! pulled out, for a moment, again and again, or until somebody is missed; a process stands still; one is killed and followed by
//! another life.
//!
//! Everybody is told numbers all the while: they arrive in order and at most once, whatever happens. Whoever watches hears of
//! each watch exactly once. And after each fault everybody reaches everybody again: nobody is shut out for good.
//!
//! How long a cut or a pause is, is a matter of whether it is missed, not of seconds: the detectors here are quick, and each fault
//! is on one side of what they bear or on the other. A storm of two minutes of another seed, as root or where namespaces may be
//! made:
//!
//!     CORELANE_TEST_STORM_SECONDS=120 CORELANE_TEST_STORM_SEED=7 cargo test -p corelane-net --test remoting -- storm --nocapture

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use corelane_kernel::{ActorRef, Scope};
use corelane_net::reactor::Choice;
use corelane_shard::On;

use crate::cable::{Cable, End};
use crate::common::*;
use crate::family::Log;
use crate::other::{Ground, LAST, Other, Patience, runs};
use crate::until;

/// Set for a longer storm than usual, by faults or by time, or another.
const ROUNDS: &str = "CORELANE_TEST_STORM_ROUNDS";
const SECONDS: &str = "CORELANE_TEST_STORM_SECONDS";
const SEED: &str = "CORELANE_TEST_STORM_SEED";

const OTHERS: usize = 4;
/// Of so many packets that arrive at an end one is lost.
const LOSS: u32 = 10;
/// Numbers that everybody tells everybody in each round.
const NUMBERS: u64 = 50;
/// Ticks in a row, without a turn between, that each of the others is told beside.
const TICKS: u64 = 300;

struct Dice(u64);

impl Dice {
    /// A step of SplitMix64, below a bound.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut noise = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        noise = (noise ^ (noise >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (noise ^ (noise >> 31)) % end
    }

    fn index(&mut self) -> usize {
        self.below(OTHERS as u64) as usize
    }
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The cable is pulled out here, there, or at both ends, until somebody is missed or not for so long.
    Cut(&'static [End], bool),
    /// It is pulled out so many times, each for a moment: what is under way then is lost.
    Flap(u64),
    /// A process stands still, until it is missed or not for so long.
    Freeze(usize, bool),
    Kill(usize),
}

impl Fault {
    fn draw(dice: &mut Dice) -> Fault {
        const CUTS: [&[End]; 3] = [&[End::Near], &[End::Far], &[End::Near, End::Far]];
        let long = dice.below(2) == 0;
        match dice.below(4) {
            0 => Fault::Cut(CUTS[dice.below(3) as usize], long),
            1 => Fault::Flap(20 + dice.below(100)),
            2 => Fault::Freeze(dice.index(), long),
            _ => Fault::Kill(dice.index()),
        }
    }

    /// Whether this peer is missed here in the end.
    fn is_missed(self, peer: usize) -> bool {
        match self {
            Fault::Cut(_, long) => long,
            Fault::Freeze(frozen, long) => long && frozen == peer,
            Fault::Kill(killed) => killed == peer,
            Fault::Flap(_) => false,
        }
    }
}

/// Numbers that came, and must rise.
#[derive(Default)]
struct Rising(u64);

impl Rising {
    #[track_caller]
    fn take(&mut self, runs: &str) {
        for run in runs.split_whitespace() {
            let (first, last) = run.split_once('-').unwrap();
            assert!(first.parse::<u64>().unwrap() > self.0, "{runs} after {}", self.0);
            self.0 = last.parse().unwrap();
        }
    }
}

/// Watches that were begun, and notices that came of them: each watch has one in the end.
#[derive(Default)]
struct Watches {
    begun: u64,
    noticed: u64,
}

impl Watches {
    /// What a watcher has heard since it was asked last. Says whether nobody is watched now.
    #[track_caller]
    fn hear(&mut self, heard: &Receiver<String>) -> bool {
        loop {
            match next(heard).as_str() {
                "here" => return self.noticed == self.begun,
                "Unreachable" => self.noticed += 1,
                other => panic!("{other}"),
            }
            assert!(self.noticed <= self.begun, "one watch was told of twice");
        }
    }
}

/// One of the other processes, and what there is of it here.
struct Peer {
    other: Other,
    /// An adder of its own here, and what it was told.
    here: ActorRef<Order>,
    here_url: String,
    seen: Receiver<u64>,
    seen_here: Rising,
    seen_there: Rising,
    there: ActorRef<Order>,
    /// Counts ticks, and says if one is late or comes twice.
    counter: ActorRef<Tick>,
    watcher: ActorRef<Watching>,
    heard: Receiver<String>,
    watches: Watches,
    its_watches: Watches,
    /// What it is to say when it has done what it was told.
    owed: VecDeque<&'static str>,
}

struct Storm<'a> {
    cable: &'a Cable,
    ground: Ground<'a>,
    near: Host,
    peers: Vec<Peer>,
    told: u64,
    ticks: u64,
}

impl<'a> Storm<'a> {
    fn begin(cable: &'a Cable, backend: Choice) -> Storm<'a> {
        let ground = Ground::of(cable).on(backend);
        let near = ground.near(&Log::new(), Patience::Short);
        let peers = (0..OTHERS).map(|number| {
            let other = ground.other(Patience::Short);
            let name = format!("adder-{number}");
            let (here, seen) = Adder::spawn(&near, On::Shard(0), &name);
            let (watcher, heard) = Watcher::spawn(&near, 0);
            let (here_url, there, counter) = (near.url(&name), ActorRef::nobody(), ActorRef::nobody());
            let (seen_here, seen_there) = (Rising::default(), Rising::default());
            let (watches, its_watches) = (Watches::default(), Watches::default());
            let owed = VecDeque::new();
            Peer {
                other,
                here,
                here_url,
                seen,
                seen_here,
                seen_there,
                there,
                counter,
                watcher,
                heard,
                watches,
                its_watches,
                owed,
            }
        });
        let peers = peers.collect();
        let mut storm = Storm { cable, ground, near, peers, told: 0, ticks: 0 };
        storm.settle();
        storm
    }

    /// Says whether the networks lose packets as they should.
    fn lose(&self, one_in: Option<u32>) -> bool {
        let lost = [End::Near, End::Far].into_iter().try_for_each(|end| self.cable.lose(end, one_in));
        if let (Err(why), Some(_)) = (&lost, one_in) {
            self.cable.leave_out(why);
        }
        lost.is_ok()
    }

    /// Everybody tells everybody else of whom it is told the next numbers, or tries to.
    fn tell(&mut self) {
        let (first, last) = (self.told + 1, self.told + NUMBERS);
        self.told = last;
        let neighbours: Vec<_> = (0..OTHERS).map(|peer| self.neighbour(peer)).collect();
        for (peer, neighbour) in self.peers.iter_mut().zip(neighbours) {
            (first..=last).for_each(|number| self.near.tell(0, peer.there, Order::Add(number)));
            let (counter, ticks) = (peer.counter, self.ticks..self.ticks + TICKS);
            let tell = move |scope: &mut Scope<'_>| {
                for number in ticks {
                    // One that is refused is missing.
                    let _ = scope.try_tell(counter, Tick::new(0, number));
                }
            };
            self.near.system.call(0, tell).unwrap();
            peer.other.say(format_args!("tell {} {first} {last}", peer.here_url));
            peer.other.say(format_args!("tell {neighbour} {first} {last}"));
            peer.owed.extend(["told", "told"]);
        }
        self.ticks += TICKS;
    }

    /// An actor of the next process that this one tells.
    fn neighbour(&self, peer: usize) -> String {
        self.peers[(peer + 1) % OTHERS].other.url("neighbour")
    }

    fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::Cut(ends, _) => {
                self.cable.cut(ends);
                self.tell();
                self.miss(fault);
                self.cable.mend(ends);
            }
            Fault::Flap(times) => {
                for time in 0..times {
                    if time % 10 == 0 {
                        self.tell();
                    }
                    let ends = [[End::Near], [End::Far]][usize::from(time % 2 == 0)];
                    self.cable.cut(&ends);
                    self.cable.mend(&ends);
                }
            }
            Fault::Freeze(peer, _) => {
                self.peers[peer].other.freeze();
                self.tell();
                self.miss(fault);
                self.peers[peer].other.signal("-CONT");
            }
            Fault::Kill(killed) => {
                self.tell();
                let peer = &mut self.peers[killed];
                let address = peer.other.address;
                peer.other.kill();
                peer.other = self.ground.again(address, Patience::Short);
                (peer.seen_there, peer.its_watches) = (Rising::default(), Watches::default());
                peer.owed.clear();
                self.miss(fault);
            }
        }
        self.tell();
    }

    /// Waits until those are missed who will be.
    fn miss(&mut self, fault: Fault) {
        for (number, peer) in self.peers.iter_mut().enumerate() {
            if fault.is_missed(number) && peer.watches.noticed < peer.watches.begun {
                assert_eq!(next(&peer.heard), "Unreachable");
                peer.watches.noticed += 1;
            }
        }
    }

    /// Everybody reaches everybody, is watched, and has seen what it should.
    fn settle(&mut self) {
        let neighbours: Vec<_> = (0..OTHERS).map(|peer| self.neighbour(peer)).collect();
        let near = &self.near;
        for (peer, neighbour) in self.peers.iter_mut().zip(neighbours) {
            peer.owed.drain(..).for_each(|line| peer.other.expect(line));
            let url = peer.other.url("adder");
            until("it is met again", || {
                let Ok(there) = near.lookup::<Order>(&url) else { return false };
                peer.there = there;
                near.ask(0, there).is_ok()
            });
            until("there it counts", || {
                let found = near.lookup(&peer.other.url("counter")).ok();
                peer.counter = found.unwrap_or(peer.counter);
                found.is_some()
            });
            for url in [&peer.here_url, &neighbour] {
                peer.other.say(format_args!("meet {url}"));
                peer.other.expect("met");
            }
            near.have(peer.watcher, Watching::Speak);
            if peer.watches.hear(&peer.heard) {
                near.have(peer.watcher, Watching::Watch(peer.there));
                peer.watches.begun += 1;
            }
            peer.other.say("speak");
            if peer.its_watches.hear(&peer.other.heard) {
                peer.other.say(format_args!("watch {}", peer.here_url));
                peer.its_watches.begun += 1;
                peer.its_watches.hear(&peer.other.heard);
            }
            peer.seen_here.take(&runs(&peer.seen));
            peer.other.say("seen");
            peer.seen_there.take(&next(&peer.other.said));
        }
    }

    /// Nothing happens any more, so numbers arrive without a gap, and each watch that stands ends once.
    fn end(mut self, loses: bool) {
        if loses {
            self.lose(None);
        }
        self.settle();
        self.tell();
        self.settle();
        let told = self.told;
        for peer in &mut self.peers {
            assert_eq!((peer.seen_here.0, peer.seen_there.0), (told, told));
            let (counter, last) = (peer.counter, Tick { from: LAST, ..Tick::new(0, self.ticks) });
            self.near.system.call(0, move |scope| scope.tell(counter, last)).unwrap();
            let counted = next(&peer.other.said);
            assert!(counted.starts_with(&format!("counted to {}, ", self.ticks)), "{counted}");
            self.near.have(peer.watcher, Watching::Stop(peer.there));
            assert_eq!(next(&peer.heard), "Stopped");
            let here = peer.here;
            self.near.system.call(0, move |scope| scope.stop(here)).unwrap();
            assert_eq!(next(&peer.other.heard), "Stopped");
            peer.watches.noticed += 1;
            peer.its_watches.noticed += 1;
            // And nothing comes behind it.
            self.near.have(peer.watcher, Watching::Speak);
            assert!(peer.watches.hear(&peer.heard));
            peer.other.say("speak");
            assert!(peer.its_watches.hear(&peer.other.heard));
        }
        self.near.end();
    }
}

fn storm(cable: &Cable, backend: Choice, seed: u64) {
    let set = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let (rounds, seed) = (set(ROUNDS).unwrap_or(12), set(SEED).unwrap_or(seed));
    let mut dice = Dice(seed);
    let mut storm = Storm::begin(cable, backend);
    let loses = storm.lose(Some(LOSS));
    let until = set(SECONDS).map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let goes_on = |round| until.map_or(round < rounds, |until| Instant::now() < until);
    for round in (0..).take_while(|round| goes_on(*round)) {
        let fault = Fault::draw(&mut dice);
        println!("seed {seed}, round {round}: {fault:?}");
        storm.suffer(fault);
        storm.settle();
    }
    storm.end(loses);
}

/// Reliability 31: among real processes.
#[test]
fn five_processes_go_on_after_each_fault_of_a_storm() {
    Cable::with(|cable| storm(cable, Choice::Automatic, 1));
}

/// Reliability 31: of another seed, by readiness.
#[test]
fn five_processes_go_on_after_each_fault_of_another_storm() {
    Cable::with(|cable| storm(cable, Choice::Poll, 2));
}

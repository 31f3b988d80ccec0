//! The actors, and what they leave behind for the checks.
//!
//! ```text
//! Meter                 counts what the interrupt tells it, gives its window to whoever asks
//! Device ─┬─ Recorder   asks the meter at each beat, appends the windows, stops itself after the last
//!         └─ Faulty     fails on its first message
//! ```
//!
//! The device watches the recorder and the faulty part, sets an alarm and cancels it in time, and once the recorder has
//! stopped, stops as well and takes the meter along. What happened is written down in [`Log`], an extension of the kernel, where the main loop reads it.

use core::num::ParseIntError;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use corelane_kernel::{
    Actor, ActorRef, Address, AskError, Ctx, Directive, Failure, Outcome, ReplyTo, StopReason, Terminated,
    Time,
};

use crate::samples::Summary;

/// Time between two of the recorder's beats.
pub const BEAT: Duration = Duration::from_millis(16);
/// How long the meter's answer may take. A tick would do; the meter shares its core with the interrupt only.
const ANSWER: Duration = Duration::from_millis(8);
const CALM: Duration = Duration::from_millis(20);
const ALARM: Duration = Duration::from_millis(40);

/// What happened, for the checks.
#[derive(Clone, Debug)]
pub struct Log {
    /// All windows together, once the recorder has the last.
    pub recorded: Option<Summary>,
    /// How often the lane gave a message back.
    pub refused: u32,
    /// Windows that the recorder got.
    pub windows: u32,
    /// Asks without an answer.
    pub unanswered: u32,
    /// Beats that came before their time.
    pub early_beats: u32,
    /// The alarm was set when it was cancelled.
    pub alarm_was_set: bool,
    /// How often the alarm went off all the same.
    pub alarms: u32,
    /// Failures of children that the device was told of.
    pub failures: u32,
    /// Notices that the faulty part is gone, because it failed over a bad number.
    pub faulty_gone: u32,
    /// Notices that the recorder is gone, because it stopped.
    pub recorder_gone: u32,
    /// Other notices.
    pub other_gone: u32,
    /// Children that were still there when the device's `stopped` ran.
    pub children_left: u32,
}

impl Log {
    /// Nothing has happened.
    pub const EMPTY: Log = Log {
        recorded: None,
        refused: 0,
        windows: 0,
        unanswered: 0,
        early_beats: 0,
        alarm_was_set: false,
        alarms: 0,
        failures: 0,
        faulty_gone: 0,
        recorder_gone: 0,
        other_gone: 0,
        children_left: 0,
    };
}

fn note<A: Actor>(ctx: &mut Ctx<'_, A>, write: impl FnOnce(&mut Log)) {
    if let Some(log) = ctx.scope().extension::<Log>() {
        write(log);
    }
}

/// Part of each actor's state: counts how many states were made and how many were dropped.
#[derive(Debug)]
struct Token;

static MADE: AtomicU32 = AtomicU32::new(0);
static DROPPED: AtomicU32 = AtomicU32::new(0);

impl Token {
    fn new() -> Token {
        MADE.fetch_add(1, Ordering::Relaxed);
        Token
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many actor states were made so far, and how many dropped.
pub fn states() -> (u32, u32) {
    (MADE.load(Ordering::Relaxed), DROPPED.load(Ordering::Relaxed))
}

/// The messages of [`Meter`].
#[derive(Debug)]
pub enum Reading {
    /// A sample, from the interrupt.
    Sample(u16),
    /// There will be no more samples; the lane gave back a message this often.
    End {
        /// How often.
        refused: u32,
    },
    /// Asks for what came since the last such question.
    Take(ReplyTo<Window>),
}

/// What the meter counted between two questions.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    samples: Summary,
    refused: Option<u32>,
}

/// Counts samples.
#[derive(Debug)]
pub struct Meter {
    window: Window,
    _token: Token,
}

impl Meter {
    pub(crate) fn new() -> Meter {
        Meter { window: Window { samples: Summary::EMPTY, refused: None }, _token: Token::new() }
    }
}

impl Actor for Meter {
    type Msg = Reading;

    fn receive(&mut self, msg: Reading, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Reading::Sample(sample) => self.window.samples.add(sample),
            Reading::End { refused } => self.window.refused = Some(refused),
            Reading::Take(reply) => {
                ctx.tell(reply, self.window);
                self.window.samples = Summary::EMPTY;
            }
        }
        Ok(())
    }
}

/// The messages of [`Recorder`].
#[derive(Clone, Debug)]
pub enum Record {
    /// It is time to ask.
    Beat,
    /// The meter's answer.
    Window(Result<Window, AskError>),
}

/// Collects the meter's windows, one a beat.
#[derive(Debug)]
pub struct Recorder {
    meter: ActorRef<Reading>,
    all: Summary,
    began: Time,
    beats: u32,
    _token: Token,
}

impl Actor for Recorder {
    type Msg = Record;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.set_periodic("beat", BEAT, Record::Beat)?;
        Ok(())
    }

    fn receive(&mut self, msg: Record, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Record::Beat => {
                // A late beat is not made up for by moving the others, so the n-th is due after n periods, or later.
                self.beats += 1;
                if ctx.now() < self.began + BEAT * self.beats {
                    note(ctx, |log| log.early_beats += 1);
                }
                ctx.ask(self.meter, ANSWER, Reading::Take, Record::Window);
            }
            Record::Window(Ok(window)) => {
                self.all.append(window.samples);
                let all = self.all;
                note(ctx, |log| log.windows += 1);
                if let Some(refused) = window.refused {
                    note(ctx, |log| (log.recorded, log.refused) = (Some(all), refused));
                    ctx.stop_self();
                }
            }
            Record::Window(Err(_)) => note(ctx, |log| log.unanswered += 1),
        }
        Ok(())
    }
}

/// A part that fails at once: it is told a text that should be a number.
#[derive(Debug)]
pub struct Faulty {
    _token: Token,
}

impl Actor for Faulty {
    type Msg = &'static str;

    fn receive(&mut self, text: &'static str, _: &mut Ctx<'_, Self>) -> Outcome {
        text.parse::<u16>()?;
        Ok(())
    }
}

/// The messages of [`Device`].
#[derive(Debug)]
pub enum Order {
    /// Cancel the alarm.
    Calm,
    /// The alarm went off.
    Alarm,
}

/// The parent of the recorder and the faulty part.
#[derive(Debug)]
pub struct Device {
    meter: ActorRef<Reading>,
    recorder: Address,
    faulty: Address,
    _token: Token,
}

impl Device {
    /// A device that records what `meter` counts, and takes it along when it stops.
    pub(crate) fn new(meter: ActorRef<Reading>) -> Device {
        Device { meter, recorder: Address::NOBODY, faulty: Address::NOBODY, _token: Token::new() }
    }
}

impl Actor for Device {
    type Msg = Order;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let recorder = ctx.spawn(Recorder {
            meter: self.meter,
            all: Summary::EMPTY,
            began: ctx.now(),
            beats: 0,
            _token: Token::new(),
        })?;
        let faulty = ctx.spawner().name("faulty").spawn_from(|| Faulty { _token: Token::new() })?;
        (self.recorder, self.faulty) = (recorder.address(), faulty.address());
        ctx.watch(recorder)?;
        ctx.watch(faulty)?;
        ctx.tell(faulty, "not a number");
        ctx.set_timer("alarm", ALARM, Order::Alarm)?;
        ctx.set_timer("calm", CALM, Order::Calm)?;
        Ok(())
    }

    fn receive(&mut self, msg: Order, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Order::Calm => {
                let was_set = ctx.cancel_timer("alarm");
                note(ctx, |log| log.alarm_was_set = was_set);
            }
            Order::Alarm => note(ctx, |log| log.alarms += 1),
        }
        Ok(())
    }

    fn decide(&mut self, child: Address, _: &Failure, ctx: &mut Ctx<'_, Self>) -> Directive {
        if child == self.faulty {
            note(ctx, |log| log.failures += 1);
        }
        Directive::Stop
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match &gone.reason {
            StopReason::Failed(failure) if gone.address == self.faulty && failure.is::<ParseIntError>() => {
                note(ctx, |log| log.faulty_gone += 1);
            }
            StopReason::Stopped if gone.address == self.recorder => {
                note(ctx, |log| log.recorder_gone += 1);
                ctx.stop_self();
            }
            _ => note(ctx, |log| log.other_gone += 1),
        }
        Ok(())
    }

    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        let mut left = 0;
        ctx.children(|_| left += 1);
        note(ctx, |log| log.children_left = left);
        ctx.stop(self.meter);
    }
}

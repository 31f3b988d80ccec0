//! Dead letters: messages that nobody handled. Counted by reason, told to subscribers, shown to the observer.

use core::any::TypeId;
use core::fmt;

use crate::address::{ActorRef, Address};
use crate::error::OutOfMemory;
use crate::kernel::Kernel;
use crate::shelf::Shelf;
use crate::time::Time;

/// Why a message was not handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DeadReason {
    /// The actor had stopped, or never lived.
    NoActor,
    /// The queue, lane or outbox on the way was full.
    QueueFull,
    /// The actor's mailbox bound was reached.
    MailboxFull,
    /// No way leads to the actor's core or host.
    Unreachable,
    /// The region had no room for a message that had to wait; or none for a signal to another core behind a full lane, after
    /// many that wait already.
    OutOfMemory,
    /// It waited at an actor that stopped: stashed, or behind a suspension.
    Stopped,
    /// An answer that came after its ask was over.
    LateAnswer,
    /// Its handler failed. The message was moved into the handler, so nobody has it any more.
    Failed,
    /// The actor had no use for it; see [`Ctx::unhandled`](crate::Ctx::unhandled).
    Unhandled,
    /// It was told to an actor of another host, and cannot leave the process.
    NoWireForm,
}

impl DeadReason {
    /// All reasons.
    pub const ALL: [DeadReason; 10] = [
        DeadReason::NoActor,
        DeadReason::QueueFull,
        DeadReason::MailboxFull,
        DeadReason::Unreachable,
        DeadReason::OutOfMemory,
        DeadReason::Stopped,
        DeadReason::LateAnswer,
        DeadReason::Failed,
        DeadReason::Unhandled,
        DeadReason::NoWireForm,
    ];
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeadReason::NoActor => "no such actor",
            DeadReason::QueueFull => "queue full",
            DeadReason::MailboxFull => "mailbox full",
            DeadReason::Unreachable => "unreachable",
            DeadReason::OutOfMemory => "out of memory",
            DeadReason::Stopped => "actor stopped",
            DeadReason::LateAnswer => "late answer",
            DeadReason::Failed => "its handler failed",
            DeadReason::Unhandled => "unhandled",
            DeadReason::NoWireForm => "no wire form",
        })
    }
}

/// What is told of a dead letter: not the message, which is dropped, but all about it.
///
/// ```
/// # use corelane_kernel::{Actor, ActorRef, Ctx, DeadLetter, DeadReason, Kernel, KernelConfig, Outcome, Region, Time};
/// struct Clerk;
///
/// impl Actor for Clerk {
///     type Msg = DeadLetter;
///     fn receive(&mut self, letter: DeadLetter, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         assert_eq!((letter.message, letter.reason), ("u64", DeadReason::Unreachable));
///         ctx.stop_self();
///         Ok(())
///     }
/// }
///
/// # let memory = Box::leak(Box::new([core::mem::MaybeUninit::<u8>::uninit(); 64 * 1024]));
/// # let mut kernel = Kernel::new(Region::from_static(memory)?, KernelConfig::default())?;
/// let clerk = kernel.spawn(Clerk)?;
/// kernel.scope().subscribe_dead_letters(clerk)?;
/// kernel.tell(ActorRef::nobody(), 7u64);
/// while kernel.turn(Time::ZERO).more {}
/// assert_eq!(kernel.dead_letters(DeadReason::Unreachable), 1);
/// # assert_eq!((kernel.stats().actors, kernel.stats().failed), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Whom it was for.
    pub target: Address,
    /// Name of the message's type.
    pub message: &'static str,
    /// Why it was not handled.
    pub reason: DeadReason,
    /// When.
    pub at: Time,
}

pub(crate) struct Letters {
    counts: [u64; DeadReason::ALL.len()],
    subscribers: Shelf<ActorRef<DeadLetter>>,
}

impl Letters {
    pub(crate) const fn new() -> Letters {
        Letters { counts: [0; DeadReason::ALL.len()], subscribers: Shelf::new() }
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn count(&self, reason: DeadReason) -> u64 {
        self.counts[reason as usize]
    }

    pub(crate) fn count_one(&mut self, reason: DeadReason) {
        self.counts[reason as usize] += 1;
    }
}

impl Kernel {
    pub(crate) fn letter(&self, target: Address, message: &'static str, reason: DeadReason) -> DeadLetter {
        DeadLetter { target, message, reason, at: self.now }
    }

    /// Counts a dead letter and tells of it, unless it was itself such a notice.
    #[cold]
    #[inline(never)]
    pub(crate) fn publish_letter(&mut self, letter: DeadLetter, message: TypeId) {
        self.letters.count_one(letter.reason);
        self.tell_of_letter(letter, message);
    }

    /// Tells of a dead letter that is counted already.
    pub(crate) fn tell_of_letter(&mut self, letter: DeadLetter, message: TypeId) {
        if self.dropping {
            return;
        }
        self.show_letter(&letter);
        if message == TypeId::of::<DeadLetter>() {
            return;
        }
        for at in 0..self.letters.subscribers.len() {
            let to = self.letters.subscribers[at];
            // A subscriber that cannot keep up misses letters; the counts miss none.
            if self.send(to, letter).is_err() {
                self.letters.count_one(DeadReason::QueueFull);
            }
        }
    }

    pub(crate) fn subscribe_letters(&mut self, to: ActorRef<DeadLetter>) -> Result<(), OutOfMemory> {
        if self.letters.subscribers.contains(&to) {
            return Ok(());
        }
        self.letters.subscribers.push(&mut self.memory, to).map_err(|_| OutOfMemory)
    }

    pub(crate) fn unsubscribe_letters(&mut self, to: ActorRef<DeadLetter>) {
        if let Some(at) = self.letters.subscribers.iter().position(|known| *known == to) {
            self.letters.subscribers.swap_remove(at);
        }
    }
}

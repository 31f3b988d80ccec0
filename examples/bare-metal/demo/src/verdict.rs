//! The checks: each a sentence, and whether it held.
//!
//! What is printed does not depend on the board or on how busy it was, so that one text is expected of all of them.

use core::fmt;

use corelane_kernel::Stats;

use crate::actors::Log;
use crate::samples::Summary;

/// What a run came to.
#[derive(Clone, Debug)]
#[must_use = "a run that did not pass must not look like one that did"]
pub struct Verdict {
    /// What the actors wrote down.
    pub log: Log,
    /// The kernel's counts at the end.
    pub stats: Stats,
    /// Dead letters that one message to a stopped actor made.
    pub late: u64,
    /// Actor states that were made.
    pub made: u32,
    /// Actor states that were dropped, with the kernel gone.
    pub dropped: u32,
}

impl Verdict {
    /// Each check with whether it held.
    pub fn checks(&self) -> [(&'static str, bool); 11] {
        let log = &self.log;
        [
            ("every sample arrived once and in order", log.recorded == Some(Summary::expected())),
            ("a burst filled the lane, and nothing was lost", log.refused > 0),
            ("windows were asked for at more than one beat", log.windows > 1),
            ("no question stayed without an answer", log.unanswered == 0),
            ("no beat came early", log.early_beats == 0),
            ("a timer that was cancelled never fired", log.alarm_was_set && log.alarms == 0),
            (
                "the faulty part failed alone, and its parent was told",
                self.stats.failed == 1 && log.failures == 1,
            ),
            (
                "each watched end was told once, with its reason",
                (log.faulty_gone, log.recorder_gone, log.other_gone) == (1, 1, 0),
            ),
            ("children stopped before their parent", log.children_left == 0),
            ("a message to a stopped actor became a dead letter", self.late == 1),
            ("every state was dropped once", self.made == 4 && self.dropped == 4 && self.stats.actors == 0),
        ]
    }

    /// Whether every check held.
    pub fn passed(&self) -> bool {
        self.checks().iter().all(|(_, held)| *held)
    }

    pub(crate) fn print(&self, out: &mut impl fmt::Write) -> fmt::Result {
        for (check, held) in self.checks() {
            writeln!(out, "{} {check}", if held { "held" } else { "BROKEN" })?;
        }
        match self.log.recorded {
            Some(all) => writeln!(
                out,
                "result: {} samples from {} to {}, sum {}, order {:#010x}",
                all.count, all.least, all.most, all.sum, all.order
            ),
            None => writeln!(out, "result: none"),
        }
    }
}

//! How much happens in a random cluster, by kind.

/// What happened in a world, or in many, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Messages that a way was found for.
    pub told: u64,
    /// Messages that came, from this host or another.
    pub heard: u64,
    /// Of these, such as came from another host.
    pub heard_from_afar: u64,
    /// Messages that clerks took down.
    pub slips: u64,
    /// Questions that were answered.
    pub answered: u64,
    /// Questions that had no answer in time.
    pub unanswered: u64,
    /// Notices of an end.
    pub notices: u64,
    /// Of these, such as told that the host was given up, or gone.
    pub unreachable: u64,
    /// Watches over actors of other hosts.
    pub watches_afar: u64,
    /// Actors of other hosts that were told to stop.
    pub stops_afar: u64,
    /// Actors found on other hosts.
    pub found: u64,
    /// Look-ups that found nobody, or no host.
    pub not_found: u64,
    /// Children that were born on other hosts, or on their parent's by the same way.
    pub born: u64,
    /// Births that came to nothing.
    pub unborn: u64,
    /// Failures of such children that were decided about.
    pub decisions: u64,
    /// Further instances of such children.
    pub made_again: u64,
    /// Ways that were cut.
    pub cuts: u64,
    /// Times that all connections between two hosts were broken.
    pub resets: u64,
    /// Processes that did nothing for a while.
    pub pauses: u64,
    /// Faults that came right after something was sent.
    pub ambushes: u64,
    /// Processes that were killed.
    pub crashes: u64,
    /// Hosts that lost their power.
    pub blackouts: u64,
    /// Hosts that were shut down in order.
    pub departures: u64,
    /// Lives that followed another.
    pub restarts: u64,
    /// Shards that had messages of other hosts wait for room.
    pub held: u64,
    /// Answers to calls when all was well again.
    pub calls: u64,
}

impl Tally {
    const fn named(&self) -> [(&'static str, u64); 26] {
        [
            ("told", self.told),
            ("heard", self.heard),
            ("heard_from_afar", self.heard_from_afar),
            ("slips", self.slips),
            ("answered", self.answered),
            ("unanswered", self.unanswered),
            ("notices", self.notices),
            ("unreachable", self.unreachable),
            ("watches_afar", self.watches_afar),
            ("stops_afar", self.stops_afar),
            ("found", self.found),
            ("not_found", self.not_found),
            ("born", self.born),
            ("unborn", self.unborn),
            ("decisions", self.decisions),
            ("made_again", self.made_again),
            ("cuts", self.cuts),
            ("resets", self.resets),
            ("pauses", self.pauses),
            ("ambushes", self.ambushes),
            ("crashes", self.crashes),
            ("blackouts", self.blackouts),
            ("departures", self.departures),
            ("restarts", self.restarts),
            ("held", self.held),
            ("calls", self.calls),
        ]
    }

    /// Each count with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.named().into_iter()
    }

    /// Adds those of another world.
    pub fn add(&mut self, other: &Tally) {
        for (to, from) in [
            (&mut self.told, other.told),
            (&mut self.heard, other.heard),
            (&mut self.heard_from_afar, other.heard_from_afar),
            (&mut self.slips, other.slips),
            (&mut self.answered, other.answered),
            (&mut self.unanswered, other.unanswered),
            (&mut self.notices, other.notices),
            (&mut self.unreachable, other.unreachable),
            (&mut self.watches_afar, other.watches_afar),
            (&mut self.stops_afar, other.stops_afar),
            (&mut self.found, other.found),
            (&mut self.not_found, other.not_found),
            (&mut self.born, other.born),
            (&mut self.unborn, other.unborn),
            (&mut self.decisions, other.decisions),
            (&mut self.made_again, other.made_again),
            (&mut self.cuts, other.cuts),
            (&mut self.resets, other.resets),
            (&mut self.pauses, other.pauses),
            (&mut self.ambushes, other.ambushes),
            (&mut self.crashes, other.crashes),
            (&mut self.blackouts, other.blackouts),
            (&mut self.departures, other.departures),
            (&mut self.restarts, other.restarts),
            (&mut self.held, other.held),
            (&mut self.calls, other.calls),
        ] {
            *to += from;
        }
    }
}

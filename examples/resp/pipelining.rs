//! Whether the clients of a shard pipeline: send requests on before they have the replies to those before.
//!
//! One that does waits for many replies at once, and where some of its shard's neighbours are served together with it, the
//! processor does less for each. One that does not waits for the only reply it gets: it is served at once.

/// Reads after which is judged.
const READS: u32 = 256;

/// So many requests a read, in the mean, are pipelined from here on, and no longer below that: what lies between is what it
/// was.
const FROM: u32 = 4;
const BELOW: u32 = 2;

#[derive(Debug)]
pub(crate) struct Pipelining {
    reads: u32,
    requests: u32,
    holds: bool,
}

impl Default for Pipelining {
    /// As long as nothing is known, they do: so do waits of sockets begin.
    fn default() -> Pipelining {
        Pipelining { reads: 0, requests: 0, holds: true }
    }
}

impl Pipelining {
    /// So many requests were in what was read at once. Says whether clients pipeline when that has changed.
    pub(crate) fn note(&mut self, requests: u32) -> Option<bool> {
        self.reads += 1;
        self.requests = self.requests.saturating_add(requests);
        if self.reads < READS {
            return None;
        }
        let mean = self.requests / self.reads;
        (self.reads, self.requests) = (0, 0);
        let holds = mean >= FROM || (self.holds && mean >= BELOW);
        let changes = std::mem::replace(&mut self.holds, holds) != holds;
        changes.then_some(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_said_when_it_changes_and_not_for_what_lies_between() {
        let mut pipelining = Pipelining::default();
        let mut says = |requests| (0..READS).filter_map(|_| pipelining.note(requests)).collect::<Vec<_>>();
        assert_eq!(says(16), []);
        assert_eq!(says(2), []);
        assert_eq!(says(1), [false]);
        assert_eq!(says(1), []);
        assert_eq!(says(3), []);
        assert_eq!(says(u32::MAX), [true]);
        assert_eq!(says(0), [false]);
    }
}

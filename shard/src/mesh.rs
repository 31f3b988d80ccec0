//! The mesh: two lanes from each shard to each other, one for messages and one for signals.

use corelane_kernel::{Kernel, LaneReceiver, LaneSender, Place};

/// What one shard takes of the mesh.
pub(crate) struct Corner {
    outgoing: Vec<(usize, LaneSender, LaneSender)>,
    incoming: Vec<(LaneReceiver, LaneReceiver)>,
}

/// All lanes between shards at these places, sorted by the shard that takes them. `lane` makes one of so many words, from
/// one shard to another.
pub(crate) fn weave(
    places: &[Place],
    message_words: usize,
    signal_words: usize,
    mut lane: impl FnMut(usize, usize, usize) -> (LaneSender, LaneReceiver),
) -> Vec<Corner> {
    let mut corners: Vec<Corner> =
        places.iter().map(|_| Corner { outgoing: Vec::new(), incoming: Vec::new() }).collect();
    for from in 0..places.len() {
        for to in (0..places.len()).filter(|to| *to != from) {
            let (message_sender, mut messages) = lane(message_words, from, to);
            let (signal_sender, mut signals) = lane(signal_words, from, to);
            messages.bind(places[to]);
            signals.bind(places[to]);
            corners[from].outgoing.push((to, message_sender, signal_sender));
            corners[to].incoming.push((messages, signals));
        }
    }
    corners
}

impl Corner {
    /// Gives the lanes to the shard's kernel. `None` when its region is too small for them.
    pub(crate) fn furnish(self, kernel: &mut Kernel) -> Option<()> {
        for (to, messages, signals) in self.outgoing {
            kernel.connect(to, messages, signals);
        }
        for (messages, signals) in self.incoming {
            kernel.add_lane(messages).ok()?;
            kernel.add_signal_lane(signals).ok()?;
        }
        Some(())
    }
}

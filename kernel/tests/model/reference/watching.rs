//! Who watches whom, and when they are told.

use super::{Gate, Reference, Watch};
use crate::{Cmd, Id};

impl Reference {
    pub(super) fn watch(&mut self, id: Id, target: Id, with: Option<u64>) {
        if let Some(known) = self.dolls[id].watches.iter_mut().find(|watch| watch.target == target) {
            known.with = with;
            return;
        }
        let gone = self.dolls[target].gate == Gate::Gone;
        let told = gone.then(|| "not found".to_owned());
        self.dolls[id].watches.push(Watch { target, with, told });
        if gone {
            self.notices.push_back((id, target));
        } else {
            self.dolls[target].watchers.insert(0, id);
        }
    }

    /// Strikes a watcher from its target's list and from the notices.
    pub(super) fn forget(&mut self, watcher: Id, target: Id) {
        self.dolls[target].watchers.retain(|other| *other != watcher);
        self.notices.retain(|notice| *notice != (watcher, target));
    }

    pub(super) fn run_mourning(&mut self) {
        for group in 0..4 {
            while let Some(id) = self.mourned[group].front().copied() {
                if self.dolls[id].end > self.popped[group] {
                    break;
                }
                self.mourned[group].pop_front();
                let reason = if self.dolls[id].failed { "failed" } else { "stopped" };
                for watcher in std::mem::take(&mut self.dolls[id].watchers) {
                    let watches = &mut self.dolls[watcher].watches;
                    if let Some(watch) = watches.iter_mut().find(|watch| watch.target == id) {
                        watch.told = Some(reason.to_owned());
                    }
                    self.notices.push_back((watcher, id));
                }
                self.dolls[id].gate = Gate::Gone;
            }
        }
    }

    pub(super) fn tell_notice(&mut self, watcher: Id, target: Id) {
        let watches = &mut self.dolls[watcher].watches;
        let at = watches.iter().position(|watch| watch.target == target).expect("a notice has a watch");
        let Watch { with, told, .. } = watches.remove(at);
        match with {
            Some(n) => self.deliver(watcher, Cmd::Note(n), false),
            None => self.say(watcher, format_args!("hears: {target} {}", told.expect("a reason"))),
        }
    }
}

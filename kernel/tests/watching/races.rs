//! Every order in which watching, unwatching and ending may meet, on one core and between two.

use std::sync::{Arc, Mutex};

use corelane_kernel::{Actor, ActorRef, Ctx, Failure, KernelConfig, Outcome, Terminated};

use crate::common::{Realm, lock};

/// What a watcher may do, and what may happen to its target, in a short story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Watch,
    WatchWith,
    Unwatch,
    StopTarget,
    FailTarget,
    /// The target's kernel has a turn.
    TheirTurn,
    /// The watcher's kernel has a turn.
    OurTurn,
}

const ACTS: [Act; 7] = [
    Act::Watch,
    Act::WatchWith,
    Act::Unwatch,
    Act::StopTarget,
    Act::FailTarget,
    Act::TheirTurn,
    Act::OurTurn,
];

/// Checks from the inside that each notice belongs to one watch that was on.
struct Watcher {
    target: ActorRef<()>,
    watching: Arc<Mutex<Watching>>,
}

#[derive(Default)]
struct Watching {
    on: bool,
    with: bool,
    notices: u32,
    wrong: Vec<String>,
}

enum WatcherMsg {
    Act(Act),
    Gone,
}

struct Target;

impl Actor for Target {
    type Msg = ();
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Err(Failure::new("told to"))
    }
}

impl Watcher {
    fn heard(&mut self, by_message: bool) {
        let mut state = lock(&self.watching);
        if !state.on {
            state.wrong.push("a notice of no watch".to_owned());
        } else if state.with != by_message {
            state.wrong.push(format!("told by message: {by_message}"));
        }
        state.on = false;
        state.notices += 1;
    }
}

impl Actor for Watcher {
    type Msg = WatcherMsg;

    fn receive(&mut self, msg: WatcherMsg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            WatcherMsg::Gone => self.heard(true),
            WatcherMsg::Act(Act::Unwatch) => {
                let had = ctx.unwatch(self.target);
                let mut state = lock(&self.watching);
                if had != state.on {
                    let wrong = format!("unwatch said {had}, the watch was {}", state.on);
                    state.wrong.push(wrong);
                }
                state.on = false;
            }
            WatcherMsg::Act(act) => {
                if act == Act::Watch {
                    ctx.watch(self.target)?;
                } else {
                    ctx.watch_with(self.target, WatcherMsg::Gone)?;
                }
                let mut state = lock(&self.watching);
                (state.on, state.with) = (true, act == Act::WatchWith);
            }
        }
        Ok(())
    }

    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        if gone.address != self.target.address() {
            lock(&self.watching).wrong.push(format!("another is gone: {gone:?}"));
        }
        self.heard(false);
        Ok(())
    }
}

/// Tells a story on the kernels of a realm; the watcher lives on the first, the target on the last.
fn tell(story: &[Act], realm: &mut Realm) {
    let last = realm.worlds.len() - 1;
    let target = realm.worlds[last].spawn(Target).unwrap();
    let watching = Arc::new(Mutex::new(Watching::default()));
    let watcher = realm.worlds[0].spawn(Watcher { target, watching: watching.clone() }).unwrap();
    realm.settle();
    let mut ended = false;
    for act in story {
        match act {
            Act::Watch | Act::WatchWith | Act::Unwatch => {
                realm.worlds[0].tell(watcher, WatcherMsg::Act(*act));
            }
            Act::StopTarget => realm.worlds[last].scope().stop(target),
            Act::FailTarget => realm.worlds[last].tell(target, ()),
            Act::TheirTurn => _ = realm.worlds[last].turn(),
            Act::OurTurn => _ = realm.worlds[0].turn(),
        }
        ended |= matches!(act, Act::StopTarget | Act::FailTarget);
    }
    realm.settle();
    {
        let state = lock(&watching);
        assert_eq!(state.wrong, [""; 0], "{story:?}");
        assert!(!(ended && state.on), "the notice never came: {story:?}");
        assert!(ended || state.notices == 0, "a notice of one that lives: {story:?}");
    }
    realm.worlds[0].scope().stop(watcher);
    realm.worlds[last].scope().stop(target);
    realm.settle();
}

fn tell_all_stories_of(length: usize, realm: &mut Realm) {
    let mut digits = vec![0; length];
    loop {
        let story: Vec<Act> = digits.iter().map(|d| ACTS[*d]).collect();
        // A story without a watch or an end is a part of one that has both.
        let watches = story.iter().any(|act| matches!(act, Act::Watch | Act::WatchWith));
        if watches && story.iter().any(|act| matches!(act, Act::StopTarget | Act::FailTarget)) {
            tell(&story, realm);
        }
        let Some(at) = digits.iter().rposition(|d| *d + 1 < ACTS.len()) else { return };
        digits[at] += 1;
        digits[at + 1..].fill(0);
    }
}

/// Conformance 14, 17.
#[test]
fn exactly_one_notice_in_every_race_on_one_core() {
    let mut realm = Realm::new::<256>(1, 1 << 20, &KernelConfig::default());
    for length in 2..=5 {
        tell_all_stories_of(length, &mut realm);
    }
    let used = realm.worlds[0].stats().used_bytes;
    tell_all_stories_of(4, &mut realm);
    assert_eq!(realm.worlds[0].stats().used_bytes, used, "watches leave nothing behind");
}

/// Conformance 14, 17.
#[test]
fn exactly_one_notice_in_every_race_between_two_cores() {
    let mut realm = Realm::new::<256>(2, 1 << 20, &KernelConfig::default());
    for length in 2..=5 {
        tell_all_stories_of(length, &mut realm);
    }
    let used: Vec<_> = realm.worlds.iter().map(|world| world.stats().used_bytes).collect();
    tell_all_stories_of(4, &mut realm);
    let after: Vec<_> = realm.worlds.iter().map(|world| world.stats().used_bytes).collect();
    assert_eq!(used, after, "watches leave nothing behind");
}

//! What the prelude promises: one `use` is enough for a whole program, and its types may go where they must.
//!
//! Each test is a small program that imports the prelude and the standard library only.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::error::Error;
use std::future::Future;
use std::num::ParseIntError;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use corelane::prelude::*;

/// Long enough for any machine; nothing waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

fn start(shards: usize) -> System {
    System::builder().shards(shards).pinned(false).region_bytes(16 << 20).start().expect("a system")
}

// --- types -------------------------------------------------------------------------------------------------------

#[test]
fn an_address_is_sixteen_bytes_that_go_anywhere_whatever_its_messages_are() {
    fn anywhere<T: Copy + Eq + std::hash::Hash + Send + Sync + 'static>() {}
    anywhere::<ActorRef<Rc<Cell<u8>>>>();
    anywhere::<Address>();
    assert_eq!((size_of::<ActorRef<String>>(), size_of::<ReplyTo<[u64; 99]>>()), (16, 16));
    // A reply address is an ordinary address.
    let reply: ReplyTo<u8> = ActorRef::<u8>::nobody();
    assert_eq!(Address::from(reply), Address::NOBODY);
}

#[test]
fn what_threads_need_may_cross_them() {
    fn crosses<T: Send + 'static>() {}
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<System>();
    is_shared::<Handle>();
    crosses::<Gateway>();
    is_shared::<Failure>();
    is_shared::<Report>();
    is_shared::<DeadLetter>();
}

#[test]
fn errors_are_errors() {
    fn is_error<E: Error + 'static>() {}
    is_error::<AskError>();
    is_error::<TellError<Rc<()>>>();
    fn fails() -> Outcome {
        let _: u8 = "no number".parse()?;
        Ok(())
    }
    let failure = fails().expect_err("not a number");
    assert!(failure.is::<ParseIntError>());
}

// --- one core ----------------------------------------------------------------------------------------------------

/// Does one of everything an actor can do, and writes down what happens, in order.
struct Diary {
    words: Vec<String>,
    reader: mpsc::Sender<Vec<String>>,
    child: ActorRef<ReplyTo<u32>>,
    stashed: bool,
}

enum Note {
    Begin,
    Later,
    Answer(Result<u32, AskError>),
    Adapted(&'static str),
    Timer,
    ChildGone,
}

/// Answers once, then fails.
struct Child {
    answered: bool,
}

impl Actor for Child {
    type Msg = ReplyTo<u32>;

    fn receive(&mut self, reply: ReplyTo<u32>, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if self.answered {
            return Err(Failure::new("one answer is enough"));
        }
        self.answered = true;
        ctx.tell(reply, 7);
        Ok(())
    }
}

impl Actor for Diary {
    type Msg = Note;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.words.push("started".into());
        self.child =
            ctx.spawner().name("child").group(Group::Urgent).spawn_from(|| Child { answered: false })?;
        ctx.watch_with(self.child, Note::ChildGone)?;
        assert_eq!(ctx.child("child"), Some(self.child.address()));
        Ok(())
    }

    fn receive(&mut self, note: Note, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let word = match note {
            Note::Begin => {
                ctx.ask(self.child, PATIENCE, |reply| reply, Note::Answer);
                "begin".into()
            }
            Note::Later if !self.stashed => {
                self.stashed = true;
                ctx.stash(Note::Later)?;
                "stashed".into()
            }
            Note::Later => {
                ctx.set_timer("soon", Duration::from_micros(1), Note::Timer)?;
                "unstashed".into()
            }
            Note::Answer(answer) => {
                let adapter = ctx.adapter(Note::Adapted)?;
                ctx.tell(adapter, "hello");
                format!("answer {}", answer?)
            }
            Note::Adapted(text) => {
                assert_eq!(ctx.unstash_all(), 1);
                format!("adapted {text}")
            }
            Note::Timer => {
                // The child does not take another question well.
                ctx.ask(self.child, PATIENCE, |reply| reply, |_| Note::Begin);
                "timer".into()
            }
            Note::ChildGone => {
                ctx.stop_self();
                "child gone".into()
            }
        };
        self.words.push(word);
        Ok(())
    }

    fn decide(&mut self, _: Address, failure: &Failure, _: &mut Ctx<'_, Self>) -> Directive {
        self.words.push(format!("child failed: {}", failure.text()));
        Directive::Stop
    }

    fn stopped(&mut self, _: &mut Ctx<'_, Self>) {
        self.words.push("stopped".into());
        // The test listens until it has this.
        let _ = self.reader.send(std::mem::take(&mut self.words));
    }
}

#[test]
fn an_actor_reaches_all_it_can_do_through_its_context() {
    let system = start(1);
    let (reader, diary) = mpsc::channel();
    let writer = system
        .spawn(move || Diary {
            words: Vec::new(),
            reader: reader.clone(),
            child: ActorRef::nobody(),
            stashed: false,
        })
        .expect("room");
    let mut gateway = system.gateway().expect("a gateway");
    gateway.feed(writer, Note::Begin).expect("room");
    gateway.feed(writer, Note::Later).expect("room");
    gateway.flush();
    let mut words = diary.recv_timeout(PATIENCE).expect("the diary");
    // The parent hears of the failure, and the watcher of the end, in either order.
    let ends = words.len() - 3..words.len() - 1;
    words[ends].sort();
    assert_eq!(
        words,
        [
            "started",
            "begin",
            "stashed",
            "answer 7",
            "adapted hello",
            "unstashed",
            "timer",
            "child failed: one answer is enough",
            "child gone",
            "stopped"
        ]
    );
    assert!(system.shutdown(PATIENCE).is_clean());
}

// --- many cores --------------------------------------------------------------------------------------------------

/// Tells where it is, and what the pool and futures bring it.
struct Worker {
    brought: Vec<&'static str>,
    asked: Option<ReplyTo<Vec<&'static str>>>,
}

enum Work {
    Where(ReplyTo<usize>),
    Fetch(ReplyTo<Vec<&'static str>>),
    Brought(&'static str),
}

impl Actor for Worker {
    type Msg = Work;

    fn receive(&mut self, work: Work, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match work {
            Work::Where(reply) => {
                let shard = ctx.shard();
                ctx.tell(reply, shard);
            }
            Work::Fetch(reply) => {
                self.asked = Some(reply);
                ctx.offload(|| "from the pool", |done| Work::Brought(done.unwrap_or("nothing")))?;
                ctx.spawn_future(async { "from a future" }, Work::Brought)?;
                // Not `Send`, and messages wait for it.
                let local = Rc::new("from a future that is waited for");
                ctx.wait_for(async move { *local }, Work::Brought)?;
                let helper = || Worker { brought: Vec::new(), asked: None };
                ctx.spawn_on(On::LeastLoaded, helper, |spawned| {
                    Work::Brought(if spawned.is_ok() { "a new actor" } else { "no room" })
                });
            }
            Work::Brought(what) => {
                self.brought.push(what);
                if self.brought.len() == 4
                    && let Some(reply) = self.asked.take()
                {
                    ctx.tell(reply, std::mem::take(&mut self.brought));
                }
            }
        }
        Ok(())
    }
}

fn worker() -> Worker {
    Worker { brought: Vec::new(), asked: None }
}

#[test]
fn actors_live_where_they_were_spawned_and_are_told_from_anywhere() {
    let system = start(3);
    let handle: Handle = (*system).clone();
    let mut gateway = handle.gateway().expect("a gateway");
    let mut seen = BTreeSet::new();
    for shard in 0..handle.shards() {
        let there = handle.spawn_on(On::Shard(shard), worker).expect("room");
        assert_eq!(there.place().shard(), shard);
        assert_eq!(gateway.ask(there, PATIENCE, Work::Where).expect("an answer"), shard);
        seen.insert(handle.spawn_on(On::Spread, worker).expect("room").place().shard());
    }
    assert_eq!(seen.len(), 3, "spread over all shards");
    let by_key = |key: &str| handle.spawn_on(On::key(key), worker).expect("room").place().shard();
    assert_eq!(by_key("some key"), by_key("some key"));
    assert_eq!(handle.stats().len(), 3);
}

#[test]
fn the_pool_futures_and_other_shards_answer_with_messages() {
    let system = start(2);
    let worker = system.spawn(worker).expect("room");
    let mut gateway = system.gateway().expect("a gateway");
    let mut brought = gateway.ask(worker, PATIENCE, Work::Fetch).expect("an answer");
    brought.sort_unstable();
    assert_eq!(
        brought,
        ["a new actor", "from a future", "from a future that is waited for", "from the pool"]
    );
}

/// Runs a future on this thread, which sleeps meanwhile: any executor will do.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn an_ask_is_a_future_for_any_executor() {
    let system = start(1);
    let worker = system.spawn(worker).expect("room");
    let mut gateway = system.gateway().expect("a gateway");
    // The question is sent at once; the future outlives the gateway, and may be awaited on another thread.
    let answer = gateway.ask_future(worker, PATIENCE, Work::Where);
    drop(gateway);
    let shard = thread::spawn(|| block_on(answer)).join().expect("no panic").expect("an answer");
    assert_eq!(shard, 0);
}

/// Hands dead letters to the test.
struct Collector(mpsc::Sender<DeadLetter>);

impl Actor for Collector {
    type Msg = DeadLetter;

    fn receive(&mut self, letter: DeadLetter, _: &mut Ctx<'_, Self>) -> Outcome {
        // The test may have heard enough.
        let _ = self.0.send(letter);
        Ok(())
    }
}

#[test]
fn a_message_to_a_stopped_actor_is_a_dead_letter() {
    let system = start(2);
    let (sender, letters) = mpsc::channel();
    let collector = system.spawn(move || Collector(sender.clone())).expect("room");
    system.subscribe_dead_letters(collector).expect("room");
    let gone = system.spawn_on(On::Shard(1), worker).expect("room");
    system.call(1, move |scope: &mut Scope<'_>| scope.stop(gone)).expect("the shard runs");
    let mut gateway = system.gateway().expect("a gateway");
    gateway.tell(gone, Work::Brought("too late"));
    let letter = letters.recv_timeout(PATIENCE).expect("a dead letter");
    assert_eq!((letter.target, letter.reason), (gone.address(), DeadReason::NoActor));
    assert!(letter.message.ends_with("Work"), "{}", letter.message);
}

#[test]
fn whoever_waits_is_told_to_shut_down() {
    let system = start(1);
    system.spawn(worker).expect("room");
    let handle: Handle = (*system).clone();
    let waiting = thread::spawn(move || system.wait());
    handle.request_shutdown();
    let report: Report = waiting.join().expect("no panic");
    assert!(report.is_clean(), "{report}");
    assert!(handle.is_shutting_down());
    assert!(handle.gateway().is_err());
}

#[test]
fn the_ways_to_wait_have_names() {
    for idle in [Idle::Latency, Idle::Balanced, Idle::Frugal] {
        let system = System::builder().shards(1).idle(idle).start().expect("a system");
        let worker = system.spawn(worker).expect("room");
        let answer = system.gateway().expect("a gateway").ask(worker, PATIENCE, Work::Where);
        assert_eq!(answer.expect("an answer"), 0, "{idle:?}");
    }
}

#[test]
fn reasons_and_times_can_be_told_apart() {
    // What `terminated` and `now` give can be named, matched and compared.
    fn told(gone: &Terminated) -> Option<&Failure> {
        match &gone.reason {
            StopReason::Failed(failure) => Some(failure),
            _ => None,
        }
    }
    let gone = Terminated { address: Address::NOBODY, reason: StopReason::NotFound };
    assert!(told(&gone).is_none());
    assert_eq!(Time::from_millis(3) + Duration::from_millis(2), Time::from_millis(5));
}

//! What must not compile, as documentation tests. Each comes in pairs: the mistake, and the same without it, which does
//! compile, so that the mistake is what the compiler refuses.
//!
//! # A message of a type that the actor does not speak
//!
//! ```compile_fail,E0308
//! use corelane_kernel::{ActorRef, Kernel};
//! fn tell(kernel: &mut Kernel, counter: ActorRef<u64>) {
//!     kernel.tell(counter, "seven");
//! }
//! ```
//! ```
//! use corelane_kernel::{ActorRef, Kernel};
//! fn tell(kernel: &mut Kernel, counter: ActorRef<u64>) {
//!     kernel.tell(counter, 7);
//! }
//! ```
//!
//! # An answer of a type that was not asked for
//!
//! ```compile_fail,E0308
//! use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo};
//! struct Oracle;
//! impl Actor for Oracle {
//!     type Msg = ReplyTo<u64>;
//!     fn receive(&mut self, reply: ReplyTo<u64>, ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         ctx.tell(reply, "forty-two");
//!         Ok(())
//!     }
//! }
//! ```
//! ```
//! use corelane_kernel::{Actor, Ctx, Outcome, ReplyTo};
//! struct Oracle;
//! impl Actor for Oracle {
//!     type Msg = ReplyTo<u64>;
//!     fn receive(&mut self, reply: ReplyTo<u64>, ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         ctx.tell(reply, 42);
//!         Ok(())
//!     }
//! }
//! ```
//!
//! # A context kept after the handler: in a closure for later
//!
//! ```compile_fail,E0521
//! use corelane_kernel::{Actor, Ctx, Outcome};
//! struct Relay;
//! impl Actor for Relay {
//!     type Msg = u64;
//!     fn receive(&mut self, n: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         keep(move || { if n > 0 { ctx.stop_self(); } });
//!         Ok(())
//!     }
//! }
//! fn keep<F: FnOnce() + 'static>(_: F) {}
//! ```
//! ```
//! use corelane_kernel::{Actor, Ctx, Outcome};
//! struct Relay;
//! impl Actor for Relay {
//!     type Msg = u64;
//!     fn receive(&mut self, n: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         keep(move || { let _ = n; });
//!         ctx.stop_self();
//!         Ok(())
//!     }
//! }
//! fn keep<F: FnOnce() + 'static>(_: F) {}
//! ```
//!
//! # A context kept after the handler: in the actor's own state
//!
//! ```compile_fail
//! use corelane_kernel::{Actor, Ctx, Outcome};
//! struct Hoarder { kept: Option<&'static mut Ctx<'static, Hoarder>> }
//! impl Actor for Hoarder {
//!     type Msg = u64;
//!     fn receive(&mut self, _: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         self.kept = Some(ctx);
//!         Ok(())
//!     }
//! }
//! ```
//! ```
//! use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
//! struct Modest { kept: Option<ActorRef<u64>> }
//! impl Actor for Modest {
//!     type Msg = u64;
//!     fn receive(&mut self, _: u64, ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         self.kept = Some(ctx.me());
//!         Ok(())
//!     }
//! }
//! ```
//!
//! # A message that may not leave its thread
//!
//! ```compile_fail,E0277
//! use std::rc::Rc;
//! use corelane_kernel::{Actor, Ctx, Outcome};
//! struct Shared;
//! impl Actor for Shared {
//!     type Msg = Rc<u64>;
//!     fn receive(&mut self, _: Rc<u64>, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
//! }
//! ```
//! ```
//! use std::sync::Arc;
//! use corelane_kernel::{Actor, Ctx, Outcome};
//! struct Shared;
//! impl Actor for Shared {
//!     type Msg = Arc<u64>;
//!     fn receive(&mut self, _: Arc<u64>, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
//! }
//! ```
//!
//! # A call to another core with what may not leave its thread
//!
//! ```compile_fail,E0277
//! use std::rc::Rc;
//! use corelane_kernel::Scope;
//! fn call(scope: &mut Scope<'_>, n: Rc<u64>) {
//!     let _ = scope.call_on(1, move |_| drop(n));
//! }
//! ```
//! ```
//! use std::sync::Arc;
//! use corelane_kernel::Scope;
//! fn call(scope: &mut Scope<'_>, n: Arc<u64>) {
//!     let _ = scope.call_on(1, move |_| drop(n));
//! }
//! ```
//!
//! # A factory that may not leave its thread
//!
//! The state that it makes may.
//!
//! ```compile_fail,E0277
//! # use corelane_kernel::{Actor, Ctx, Outcome};
//! # struct Local(Rc<u64>);
//! # impl Actor for Local {
//! #     type Msg = ();
//! #     fn receive(&mut self, _: (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
//! # }
//! use std::rc::Rc;
//! use corelane_kernel::Scope;
//! fn spawn(scope: &mut Scope<'_>, n: Rc<u64>) {
//!     let _ = scope.spawn_from(move || Local(n.clone()));
//! }
//! ```
//! ```
//! # use corelane_kernel::{Actor, Ctx, Outcome};
//! # struct Local(Rc<u64>);
//! # impl Actor for Local {
//! #     type Msg = ();
//! #     fn receive(&mut self, _: (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
//! # }
//! use std::rc::Rc;
//! use corelane_kernel::Scope;
//! fn spawn(scope: &mut Scope<'_>, n: u64) {
//!     let _ = scope.spawn_from(move || Local(Rc::new(n)));
//! }
//! ```
//!
//! # A kernel moved to another thread
//!
//! ```compile_fail,E0277
//! use corelane_kernel::{Kernel, Time};
//! fn away(mut kernel: Kernel) {
//!     std::thread::spawn(move || kernel.turn(Time::ZERO));
//! }
//! ```
//! ```
//! use corelane_kernel::{Kernel, Time};
//! fn here(mut kernel: Kernel) {
//!     kernel.turn(Time::ZERO);
//! }
//! ```
//!
//! # A turn within a turn
//!
//! ```compile_fail,E0599
//! use corelane_kernel::{Actor, Ctx, Outcome, Time};
//! struct Eager;
//! impl Actor for Eager {
//!     type Msg = ();
//!     fn receive(&mut self, _: (), ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         ctx.scope().turn(Time::ZERO);
//!         Ok(())
//!     }
//! }
//! ```
//! ```
//! use corelane_kernel::{Actor, Ctx, Outcome, Time};
//! struct Eager;
//! impl Actor for Eager {
//!     type Msg = ();
//!     fn receive(&mut self, _: (), ctx: &mut Ctx<'_, Self>) -> Outcome {
//!         assert!(ctx.scope().now() >= Time::ZERO);
//!         Ok(())
//!     }
//! }
//! ```
//!
//! # A second producer of one lane
//!
//! ```compile_fail,E0599
//! use corelane_kernel::LaneSender;
//! fn two(sender: LaneSender) -> (LaneSender, LaneSender) {
//!     (sender.clone(), sender)
//! }
//! ```
//! ```
//! use corelane_kernel::LaneSender;
//! fn one(sender: LaneSender) -> LaneSender {
//!     sender
//! }
//! ```
//!
//! # A broadcast of a message that cannot be cloned
//!
//! ```compile_fail,E0277
//! use corelane_kernel::router::Router;
//! use corelane_kernel::{Actor, Ctx};
//! struct Deed(Vec<u8>);
//! fn all<A: Actor>(heirs: &mut Router<Deed>, deed: Deed, ctx: &mut Ctx<'_, A>) {
//!     heirs.broadcast(ctx, deed);
//! }
//! ```
//! ```
//! use corelane_kernel::router::Router;
//! use corelane_kernel::{Actor, Ctx};
//! #[derive(Clone)]
//! struct Copied(Vec<u8>);
//! fn all<A: Actor>(heirs: &mut Router<Copied>, deed: Copied, ctx: &mut Ctx<'_, A>) {
//!     heirs.broadcast(ctx, deed);
//! }
//! struct Deed(Vec<u8>);
//! fn one<A: Actor>(heirs: &mut Router<Deed>, deed: Deed, ctx: &mut Ctx<'_, A>) {
//!     heirs.tell(ctx, deed);
//! }
//! ```
//!
//! # A pick for no message, by a strategy that goes by the message
//!
//! ```compile_fail,E0277
//! use corelane_kernel::router::{ConsistentHash, Router};
//! use corelane_kernel::ActorRef;
//! fn any(shards: &mut Router<u64, ConsistentHash<fn(&u64) -> u64>>) -> ActorRef<u64> {
//!     shards.pick()
//! }
//! ```
//! ```
//! use corelane_kernel::router::{ConsistentHash, Router};
//! use corelane_kernel::ActorRef;
//! fn any(shards: &mut Router<u64, ConsistentHash<fn(&u64) -> u64>>) -> ActorRef<u64> {
//!     shards.pick_for(&7)
//! }
//! ```
//!
//! # Two kernels in one seat
//!
//! ```compile_fail,E0382
//! use corelane_kernel::{Kernel, KernelConfig, Region, Seat};
//! fn two(a: Region, b: Region, seat: Seat) {
//!     let _a = Kernel::seated(a, KernelConfig::default(), seat, 1);
//!     let _b = Kernel::seated(b, KernelConfig::default(), seat, 1);
//! }
//! ```
//! ```
//! use corelane_kernel::{Kernel, KernelConfig, Region, Seat};
//! fn two(a: Region, b: Region, seat: Seat, other: Seat) {
//!     let _a = Kernel::seated(a, KernelConfig::default(), seat, 1);
//!     let _b = Kernel::seated(b, KernelConfig::default(), other, 1);
//! }
//! ```
//!
//! # An event that a state machine does not know
//!
//! ```compile_fail,E0308
//! # use corelane_kernel::{ActorRef, Kernel, SpawnError, fsm::{Fsm, FsmCtx, Machine, Next, Step}};
//! # #[derive(Clone, Copy, PartialEq, Eq)]
//! # enum State { Off, On }
//! # enum Event { Press, Hold }
//! # struct Lamp;
//! # impl Fsm for Lamp {
//! #     type State = State;
//! #     type Event = Event;
//! #     type Data = ();
//! #     fn handle(&mut self, _: State, _: Event, _: &mut (), _: &mut FsmCtx<'_, Self>) -> Next<Self> { Ok(Step::stay()) }
//! # }
//! fn press(kernel: &mut Kernel) -> Result<(), SpawnError> {
//!     let lamp = kernel.spawn(Machine::new(Lamp, State::Off, ()))?;
//!     kernel.tell(lamp, State::On);
//!     Ok(())
//! }
//! ```
//! ```
//! # use corelane_kernel::{ActorRef, Kernel, SpawnError, fsm::{Fsm, FsmCtx, Machine, Next, Step}};
//! # #[derive(Clone, Copy, PartialEq, Eq)]
//! # enum State { Off, On }
//! # enum Event { Press, Hold }
//! # struct Lamp;
//! # impl Fsm for Lamp {
//! #     type State = State;
//! #     type Event = Event;
//! #     type Data = ();
//! #     fn handle(&mut self, _: State, _: Event, _: &mut (), _: &mut FsmCtx<'_, Self>) -> Next<Self> { Ok(Step::stay()) }
//! # }
//! fn press(kernel: &mut Kernel) -> Result<(), SpawnError> {
//!     let lamp = kernel.spawn(Machine::new(Lamp, State::Off, ()))?;
//!     kernel.tell(lamp, Event::Press);
//!     Ok(())
//! }
//! ```
//!
//! # A state that a state machine does not have
//!
//! ```compile_fail,E0308
//! # use corelane_kernel::fsm::{Fsm, FsmCtx, Next, Step};
//! # #[derive(Clone, Copy, PartialEq, Eq)]
//! # enum State { Off, On }
//! # struct Lamp;
//! impl Fsm for Lamp {
//!     type State = State;
//!     type Event = bool;
//!     type Data = ();
//!     fn handle(&mut self, _: State, on: bool, _: &mut (), _: &mut FsmCtx<'_, Self>) -> Next<Self> {
//!         Ok(Step::goto(on))
//!     }
//! }
//! ```
//! ```
//! # use corelane_kernel::fsm::{Fsm, FsmCtx, Next, Step};
//! # #[derive(Clone, Copy, PartialEq, Eq)]
//! # enum State { Off, On }
//! # struct Lamp;
//! impl Fsm for Lamp {
//!     type State = State;
//!     type Event = bool;
//!     type Data = ();
//!     fn handle(&mut self, _: State, on: bool, _: &mut (), _: &mut FsmCtx<'_, Self>) -> Next<Self> {
//!         Ok(Step::goto(if on { State::On } else { State::Off }))
//!     }
//! }
//! ```
//!
//! # An event that is forgotten in one state
//!
//! ```compile_fail,E0004
//! # use corelane_kernel::fsm::{Fsm, FsmCtx, Next, Step};
//! # #[derive(Clone, Copy, PartialEq, Eq)]
//! # enum State { Off, On }
//! # enum Event { Press, Hold }
//! # struct Lamp;
//! # impl Fsm for Lamp {
//! #     type State = State;
//! #     type Event = Event;
//! #     type Data = ();
//! fn handle(&mut self, state: State, event: Event, _: &mut (), _: &mut FsmCtx<'_, Self>) -> Next<Self> {
//!     Ok(match (state, event) {
//!         (State::Off, Event::Press) => Step::goto(State::On),
//!         (State::On, Event::Press) => Step::goto(State::Off),
//!         (State::On, Event::Hold) => Step::stay(),
//!     })
//! }
//! # }
//! ```
//! ```
//! # use corelane_kernel::fsm::{Fsm, FsmCtx, Next, Step};
//! # #[derive(Clone, Copy, PartialEq, Eq)]
//! # enum State { Off, On }
//! # enum Event { Press, Hold }
//! # struct Lamp;
//! # impl Fsm for Lamp {
//! #     type State = State;
//! #     type Event = Event;
//! #     type Data = ();
//! fn handle(&mut self, state: State, event: Event, _: &mut (), _: &mut FsmCtx<'_, Self>) -> Next<Self> {
//!     Ok(match (state, event) {
//!         (State::Off, Event::Press) => Step::goto(State::On),
//!         (State::On, Event::Press) => Step::goto(State::Off),
//!         (State::On | State::Off, Event::Hold) => Step::stay(),
//!     })
//! }
//! # }
//! ```
//!
//! # A step that is not returned
//!
//! ```compile_fail
//! #![deny(unused_must_use)]
//! use corelane_kernel::fsm::Step;
//! fn go() {
//!     Step::<bool, ()>::goto(true);
//! }
//! ```
//! ```
//! #![deny(unused_must_use)]
//! use corelane_kernel::fsm::Step;
//! fn go() -> Step<bool, ()> {
//!     Step::goto(true)
//! }
//! ```
//!
//! # A state beyond the stated bound
//!
//! ```compile_fail,E0080
//! # use corelane_kernel::{Actor, Ctx, Outcome, Scope};
//! struct Large { bytes: [u8; 40_000] }
//! # impl Actor for Large {
//! #     type Msg = ();
//! #     fn receive(&mut self, _: (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
//! # }
//! fn spawn(scope: &mut Scope<'_>) {
//!     let _ = scope.spawn(Large { bytes: [0; 40_000] });
//! }
//! # let _: fn(&mut Scope<'_>) = spawn;
//! ```
//! ```
//! # use corelane_kernel::{Actor, Ctx, Outcome, Scope};
//! struct Large { bytes: Box<[u8; 40_000]> }
//! # impl Actor for Large {
//! #     type Msg = ();
//! #     fn receive(&mut self, _: (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
//! # }
//! fn spawn(scope: &mut Scope<'_>) {
//!     let _ = scope.spawn(Large { bytes: Box::new([0; 40_000]) });
//! }
//! # let _: fn(&mut Scope<'_>) = spawn;
//! ```
//!
//! # A state aligned beyond the stated bound
//!
//! ```compile_fail,E0080
//! # use corelane_kernel::{Actor, Ctx, Outcome, Scope};
//! #[repr(align(256))]
//! struct Aligned;
//! # impl Actor for Aligned {
//! #     type Msg = ();
//! #     fn receive(&mut self, _: (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
//! # }
//! fn spawn(scope: &mut Scope<'_>) {
//!     let _ = scope.spawn(Aligned);
//! }
//! # let _: fn(&mut Scope<'_>) = spawn;
//! ```
//! ```
//! # use corelane_kernel::{Actor, Ctx, Outcome, Scope};
//! #[repr(align(128))]
//! struct Aligned;
//! # impl Actor for Aligned {
//! #     type Msg = ();
//! #     fn receive(&mut self, _: (), _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
//! # }
//! fn spawn(scope: &mut Scope<'_>) {
//!     let _ = scope.spawn(Aligned);
//! }
//! # let _: fn(&mut Scope<'_>) = spawn;
//! ```
//!
//! # A message beyond the inline bound, without an allocator to box it
#![cfg_attr(not(feature = "alloc"), doc = "```compile_fail,E0080")]
#![cfg_attr(feature = "alloc", doc = "```")]
//! use corelane_kernel::{ActorRef, Kernel};
//! fn tell(kernel: &mut Kernel, to: ActorRef<[u8; 513]>) {
//!     kernel.tell(to, [0; 513]);
//! }
//! # let _: fn(&mut Kernel, ActorRef<[u8; 513]>) = tell;
//! ```
//! ```
//! use corelane_kernel::{ActorRef, Kernel};
//! fn tell(kernel: &mut Kernel, to: ActorRef<[u8; 512]>) {
//!     kernel.tell(to, [0; 512]);
//! }
//! # let _: fn(&mut Kernel, ActorRef<[u8; 512]>) = tell;
//! ```
//!
//! # A sliding window for none
//!
//! ```compile_fail,E0080
//! use core::time::Duration;
//! use corelane_kernel::pattern::SlidingWindow;
//! let window = SlidingWindow::<0>::new(Duration::from_secs(1));
//! ```
//! ```
//! use core::time::Duration;
//! use corelane_kernel::pattern::SlidingWindow;
//! let window = SlidingWindow::<1>::new(Duration::from_secs(1));
//! ```
//!
//! # A pool without room for a job
//!
//! ```compile_fail,E0080
//! use corelane_kernel::pattern::{WorkPull, WorkPullConfig};
//! let pool = WorkPull::<u8, u8, 1, 0>::new(WorkPullConfig { attempts: 1 });
//! ```
//! ```
//! use corelane_kernel::pattern::{WorkPull, WorkPullConfig};
//! let pool = WorkPull::<u8, u8, 1, 1>::new(WorkPullConfig { attempts: 1 });
//! ```

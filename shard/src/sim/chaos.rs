//! Chaos: an actor around another, whose handlers and hooks panic now and then.

use corelane_kernel::{Actor, Address, Ctx, Directive, Failure, Outcome, Strategy, Terminated, TimerKey};

use super::stage;
use super::trace::{Event, Fault};

/// An actor that does what the one inside does, and panics now and then before or after that: one in so many times, as
/// [`Options::panic_one_in`](super::Options::panic_one_in) says. Outside of a simulation it never does.
///
/// The panic unwinds through the kernel's turn as any other, and costs no message on standard error.
///
/// ```
/// # use corelane_kernel::{Actor, Ctx, Outcome};
/// use corelane_shard::sim::{Chaos, Fault, Options, Sim};
///
/// struct Worker;
///
/// impl Actor for Worker {
///     type Msg = u64;
///     fn receive(&mut self, _: u64, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
/// }
///
/// let options = Options { panic_one_in: 2, ..Options::default() };
/// let trace = Sim::new(1).shards(2).options(options).run(|sim| {
///     for n in 0..20 {
///         let worker = sim.spawn_on(n % 2, || Chaos::around(Worker))?;
///         sim.tell(worker, 1);
///     }
///     sim.run_until_idle();
///     Ok(())
/// })?;
/// assert!(trace.faults.count(Fault::Panic) > 0);
/// # Ok::<(), corelane_shard::sim::SimError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Chaos<A> {
    inner: A,
}

impl<A: Actor> Chaos<A> {
    /// Puts an actor inside. Outside of a simulation it never panics.
    pub const fn around(inner: A) -> Chaos<A> {
        Chaos { inner }
    }

    /// Does what the inner actor does, and perhaps panics.
    fn perhaps<T>(&mut self, ctx: &mut Ctx<'_, Self>, inner: impl FnOnce(&mut A, &mut Ctx<'_, A>) -> T) -> T {
        let stage = stage::try_current();
        let place = ctx.me().place();
        let panic = |before: bool| {
            let Some(stage) = &stage else { return };
            let one_in = stage.options().panic_one_in;
            if one_in == 0 || !stage.dice().one_in(one_in.saturating_mul(2)) {
                return;
            }
            let (host, shard) = (stage.host_of(place).unwrap_or(0), Some(place.shard()));
            stage.add(Event::Fault { fault: Fault::Panic, host, shard });
            // No hook is run for it: nobody is to be told on standard error.
            std::panic::resume_unwind(Box::new(if before { "chaos, before" } else { "chaos, after" }));
        };
        panic(true);
        let outcome = inner(&mut self.inner, &mut ctx.for_inner());
        panic(false);
        outcome
    }
}

impl<A: Actor> Actor for Chaos<A> {
    type Msg = A::Msg;

    fn receive(&mut self, msg: A::Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.perhaps(ctx, |inner, ctx| inner.receive(msg, ctx))
    }

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.perhaps(ctx, |inner, ctx| inner.started(ctx))
    }

    fn stopped(&mut self, ctx: &mut Ctx<'_, Self>) {
        self.perhaps(ctx, |inner, ctx| inner.stopped(ctx));
    }

    fn terminated(&mut self, gone: &Terminated, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.perhaps(ctx, |inner, ctx| inner.terminated(gone, ctx))
    }

    fn strategy(&self) -> Strategy {
        self.inner.strategy()
    }

    fn decide(&mut self, child: Address, failure: &Failure, ctx: &mut Ctx<'_, Self>) -> Directive {
        self.perhaps(ctx, |inner, ctx| inner.decide(child, failure, ctx))
    }

    fn restarting(&mut self, failure: &Failure, ctx: &mut Ctx<'_, Self>) {
        self.perhaps(ctx, |inner, ctx| inner.restarting(failure, ctx));
    }

    fn restarted(&mut self, failure: &Failure, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.perhaps(ctx, |inner, ctx| inner.restarted(failure, ctx))
    }

    fn receive_timeout(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.perhaps(ctx, |inner, ctx| inner.receive_timeout(ctx))
    }

    fn alarm(&mut self, key: TimerKey, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.perhaps(ctx, |inner, ctx| inner.alarm(key, ctx))
    }

    fn state_alarm(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.perhaps(ctx, |inner, ctx| inner.state_alarm(ctx))
    }

    fn influences_receive_timeout(msg: &A::Msg) -> bool {
        A::influences_receive_timeout(msg)
    }
}

//! How a spread pool keeps its size: routees are ordered, taken in when they have come, and forgotten when they have gone.

use std::time::Duration;

use corelane_kernel::router::{self, Evicted, PoolError};
use corelane_kernel::{Actor, Address, Ctx, Failure};

use super::hall::{Awaited, Life, Over};
use super::order::{Order, Pause};
use super::{RouteeSource, SpreadPool};
use crate::local::{ShardCtx, local};

impl<A, S, F, const N: usize> SpreadPool<A, S, F, N>
where
    A: Actor,
    S: router::Strategy<A::Msg>,
    F: RouteeSource<A>,
{
    /// Orders routees until as many as are wanted are there or on their way.
    pub(super) fn refill<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), PoolError> {
        while self.len() < self.wanted && self.order(ctx, 0, Duration::ZERO)? {}
        Ok(())
    }

    /// Says whether a routee is on its way now, or here already.
    pub(super) fn order<B: Actor>(
        &mut self,
        ctx: &mut Ctx<'_, B>,
        before: u32,
        wait: Duration,
    ) -> Result<bool, PoolError> {
        if ctx.system().is_shutting_down() {
            // All that live are being stopped, this actor with them.
            return Ok(false);
        }
        let (.., handle, own) = local(ctx);
        let owner = ctx.me().address();
        let sites = match self.kind.source.sites(self.on, own, &handle) {
            Ok(sites) => sites,
            Err(failure) => {
                ctx.scope().fail(owner, failure);
                return Ok(false);
            }
        };
        let Some(site) = self.emptiest(&sites) else { return Ok(false) };
        self.hold(ctx)?;
        self.ordered += 1;
        let (number, hall) = (self.ordered, self.hall.clone());
        hall.awaited.borrow_mut().push(Awaited { number, site, before });
        let order = Order { number, owner, site, kind: self.kind.clone(), hall };
        // One that may have to be ordered again has its place kept from the beginning.
        let again = self.backoff.filter(|_| F::FAR);
        let ordered = if wait.is_zero() && again.is_none() {
            order.give::<A>(None, &mut ctx.scope())
        } else {
            ctx.spawn(Pause::<A, F> { wait, order, again, open: true }).map(drop)
        };
        if let Err(error) = ordered {
            self.hall.strike(number);
            if self.hall.awaited.borrow().is_empty() {
                self.hall.let_go(owner, &mut ctx.scope());
            }
            return Err(PoolError::Spawn(error));
        }
        Ok(true)
    }

    /// Lets the owner's messages wait if nobody is there to be told. (Who has arrived is only there once the owner runs.)
    fn hold<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) -> Result<(), PoolError> {
        if self.ordered == 0 {
            ctx.attach(Over(self.hall.clone())).map_err(|_| PoolError::OutOfMemory)?;
        }
        if self.pool.is_empty() && !self.hall.suffices() && !self.hall.held.get() {
            ctx.suspend_self().map_err(|_| PoolError::OutOfMemory)?;
            self.hall.held.set(true);
        }
        Ok(())
    }

    /// Of one who has ended, whether it was adopted already or not.
    pub(super) fn take_out(&mut self, gone: Address) -> (Evicted, Option<Life>) {
        match self.hall.leave(gone) {
            Some(life) if self.is_empty() => (Evicted::Last, Some(life)),
            Some(life) => (Evicted::Left(self.pool.len()), Some(life)),
            None => (self.pool.evict(gone), self.forget(gone)),
        }
    }

    pub(super) fn forget(&mut self, routee: Address) -> Option<Life> {
        let at = self.lives.iter().position(|life| life.routee == routee)?;
        Some(self.lives.swap_remove(at))
    }

    /// The site where the fewest are, of equals the first.
    fn emptiest(&self, sites: &[usize]) -> Option<usize> {
        let there = |site: usize| {
            self.lives.iter().filter(|life| life.site == site).count() + self.hall.at_site(site)
        };
        sites.iter().copied().min_by_key(|site| there(*site))
    }

    /// Takes in who has come, and lets go who is too many.
    #[cold]
    #[inline(never)]
    pub(super) fn settle<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) {
        self.hall.any.set(false);
        for (routee, life) in self.hall.arrived.take() {
            match self.pool.adopt(ctx, routee) {
                Ok(()) => self.lives.push(life),
                Err(error) => {
                    ctx.stop(routee);
                    self.fail(ctx, error);
                }
            }
        }
        if self.hall.short.take()
            && let Err(error) = self.refill(ctx)
        {
            self.fail(ctx, error);
        }
        if let Some(failure) = self.hall.missing.take()
            && self.is_empty()
        {
            let me = ctx.me();
            ctx.scope().fail(me, failure);
        }
        if self.pool.len() > self.wanted {
            // Never to more: it is not to spawn.
            if let Err(error) = self.pool.resize(ctx, self.wanted) {
                self.fail(ctx, error);
            }
            let left = self.pool.routees();
            self.lives.retain(|life| left.iter().any(|routee| routee.address() == life.routee));
        }
    }

    fn fail<B: Actor>(&self, ctx: &mut Ctx<'_, B>, error: PoolError) {
        let me = ctx.me();
        ctx.scope().fail(me, Failure::from(error));
    }

    #[cold]
    #[inline(never)]
    pub(super) fn look<B: Actor>(&mut self, ctx: &mut Ctx<'_, B>) {
        let Some(resizer) = &self.resizer else { return };
        let change = resizer.decide(resizer.sample(self.pool.routees()));
        if change != 0 {
            let size = self.pool.len().saturating_add_signed(change as isize).min(N);
            if let Err(error) = self.resize(ctx, size) {
                self.fail(ctx, error);
            }
        }
    }
}

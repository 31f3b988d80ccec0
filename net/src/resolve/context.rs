//! What reaches other hosts: from an actor, and from threads that are no shard.

use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Ctx, Scope, Wire};
use corelane_shard::{Extension, Handle};

use super::error::RemoteLookupError;
use crate::codec::Codec;
use crate::endpoint::Endpoint;
use crate::named::AnyUrl;
use crate::spawning::RemoteChildSpawner;

/// What a [`Ctx`] can do on a shard of a system with an [`Endpoint`].
pub trait RemoteCtx<A: Actor> {
    /// Looks an actor up that takes messages of type `M`, and tells this actor what `then` makes of the answer; see
    /// [`Endpoint::lookup`]. As long as this actor lives, exactly one message comes of it, whatever is full; it overtakes what
    /// waits in its queue. (Only where the system has no endpoint, which is said by way of that queue, it is refused with
    /// others.)
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
    /// # use corelane_net::{RemoteCtx, RemoteLookupError};
    /// enum Msg { Shop(Result<ActorRef<String>, RemoteLookupError>) }
    ///
    /// struct Buyer { shop: Option<ActorRef<String>> }
    ///
    /// impl Actor for Buyer {
    ///     type Msg = Msg;
    ///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         ctx.lookup_at("corelane://market@127.0.0.1:2552/user/shop", Duration::from_secs(5), Msg::Shop);
    ///         Ok(())
    ///     }
    ///     fn receive(&mut self, Msg::Shop(found): Msg, _: &mut Ctx<'_, Self>) -> Outcome {
    ///         self.shop = Some(found?);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn lookup_at<M: Wire<Form: Codec<M>>>(
        &mut self,
        url: &str,
        within: Duration,
        then: impl FnOnce(Result<ActorRef<M>, RemoteLookupError>) -> A::Msg + 'static,
    );

    /// Spawns a child on another host, `corelane://system@host:port`, of props of which that host's
    /// [`Registry`](crate::codec::Registry) says what it makes of them. This system's own host is as good as any.
    ///
    /// The host is the public address of a system, as it has it itself, or is called by a name, which stands for the addresses
    /// that the [`Resolver`](crate::Resolver) knows for it at that time. It is asked off this shard's thread, and the addresses are
    /// tried in turn: the next one when nobody can be reached at one, or whoever is there is another. A name that has this host's
    /// own address among its addresses is this host. All that takes its time out of
    /// [what the child may be waited for](RemoteChildSpawner::within). Whose name has no address is told as any birth that failed:
    /// [`Unresolved`](RemoteLookupError::Unresolved).
    ///
    /// The child is this actor's as any other: its failures are decided about here, it is suspended, restarted and stopped
    /// with this actor, and this actor's end waits for its end. Each of these takes a way between two hosts: a child that
    /// failed, and all below it, wait until the decision has come. Of its failure come the kind, the text and the hash of the
    /// name of the error's type; see [`Failure::is`](corelane_kernel::Failure::is).
    ///
    /// When the hosts lose each other, the child stops by itself; this actor has no such child any more, and is told of its
    /// end, once and as [`Unreachable`](corelane_kernel::StopReason::Unreachable), if it watches it.
    ///
    /// Costs what [`Ctx::child_on`] does, and about half a KiB more here until the child is there.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
    /// # use corelane_net::codec::{Compact, Props, Wire};
    /// # use corelane_net::{RemoteCtx, RemoteSpawnError};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Serialize, Deserialize)]
    /// struct Resize { width: u32 }
    ///
    /// impl Wire for Resize {
    ///     const NAME: &'static str = "images.Resize";
    ///     type Form = Compact;
    /// }
    ///
    /// impl Props for Resize {
    ///     type Msg = String;
    /// }
    ///
    /// enum Msg { Hired(Result<ActorRef<String>, RemoteSpawnError>) }
    ///
    /// struct Foreman { resizer: Option<ActorRef<String>> }
    ///
    /// impl Actor for Foreman {
    ///     type Msg = Msg;
    ///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         // Or in numbers: "corelane://images@192.0.2.7:2552".
    ///         let host = ctx.child_at("corelane://images@gpu.internal:2552");
    ///         host.name("small").spawn(Resize { width: 80 }, Msg::Hired)?;
    ///         Ok(())
    ///     }
    ///     fn receive(&mut self, Msg::Hired(resizer): Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         let resizer = resizer?;
    ///         ctx.tell(resizer, "cat.png".to_owned());
    ///         self.resizer = Some(resizer);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn child_at(&mut self, host: &str) -> RemoteChildSpawner<'_, ActorRef<A::Msg>>;

    /// Spawns a child of props on this host, unless what is decided for its path names another: the key `host` of its
    /// [`Deployment`](corelane_shard::Deployment). So where it lives may be changed without touching code.
    ///
    /// ```
    /// # use corelane_kernel::{Actor, ActorRef, Ctx, Outcome};
    /// # use corelane_net::codec::{Compact, Props, Wire};
    /// # use corelane_net::{Endpoint, EndpointConfig, Net, NetConfig, RemoteCtx, RemoteSpawnError};
    /// # use corelane_net::codec::Registry;
    /// # use corelane_shard::{Deployment, System};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct Resize { width: u32 }
    /// # impl Wire for Resize {
    /// #     const NAME: &'static str = "images.Resize";
    /// #     type Form = Compact;
    /// # }
    /// # impl Props for Resize { type Msg = String; }
    /// # enum Msg { Hired(Result<ActorRef<String>, RemoteSpawnError>) }
    /// # struct Foreman;
    /// impl Actor for Foreman {
    ///     type Msg = Msg;
    ///     fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
    ///         ctx.child_here().name("small").spawn(Resize { width: 80 }, Msg::Hired)?;
    ///         Ok(())
    ///     }
    /// #   fn receive(&mut self, _: Msg, _: &mut Ctx<'_, Self>) -> Outcome { Ok(()) }
    /// }
    ///
    /// // In code, or in a file: [deploy."/user/foreman/small"] host = "corelane://images@gpu.internal:2552"
    /// let elsewhere = Deployment::new().host("corelane://images@gpu.internal:2552");
    /// # let config = EndpointConfig { system: "images".into(), ..EndpointConfig::default() };
    /// let builder = System::builder().deploy("/user/foreman/small", elsewhere);
    /// # let builder = builder.shards(1).pinned(false);
    /// # let builder = builder.extension(Net::of(NetConfig::default())).extension(Endpoint::of(config, Registry::new()));
    /// # builder.start()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn child_here(&mut self) -> RemoteChildSpawner<'_, ActorRef<A::Msg>>;
}

impl<A: Actor> RemoteCtx<A> for Ctx<'_, A> {
    fn lookup_at<M: Wire<Form: Codec<M>>>(
        &mut self,
        url: &str,
        within: Duration,
        then: impl FnOnce(Result<ActorRef<M>, RemoteLookupError>) -> A::Msg + 'static,
    ) {
        let me = self.me();
        let mut scope = self.scope();
        match (url.parse::<AnyUrl>(), Endpoint::part(&mut scope).cloned()) {
            (Ok(url), Some(gate)) => {
                // The gate keeps this: it must not keep the gate.
                let then = move |scope: &mut Scope<'_>, found| Endpoint::answer(scope, me, then(found));
                gate.lookup::<M>(&mut scope, url, within, then);
            }
            (Err(error), Some(gate)) => gate.answer(me, then(Err(error))),
            (_, None) => scope.answer(me, then(Err(RemoteLookupError::NoEndpoint))),
        }
    }

    fn child_at(&mut self, host: &str) -> RemoteChildSpawner<'_, ActorRef<A::Msg>> {
        let me = self.me();
        RemoteChildSpawner::new(self.scope(), me.address(), me, Some(host))
    }

    fn child_here(&mut self) -> RemoteChildSpawner<'_, ActorRef<A::Msg>> {
        let me = self.me();
        RemoteChildSpawner::new(self.scope(), me.address(), me, None)
    }
}

/// What a system's [`Handle`] can do where an [`Endpoint`] is loaded: from threads that are no shard.
///
/// ```
/// use std::time::Duration;
/// use corelane_kernel::ActorRef;
/// use corelane_net::{RemoteHandle, RemoteLookupError};
/// use corelane_shard::Handle;
///
/// fn till(system: &Handle) -> Result<ActorRef<u64>, RemoteLookupError> {
///     system.lookup_at("corelane://shop@127.0.0.1:2552/user/till", Duration::from_secs(5))
/// }
/// ```
pub trait RemoteHandle {
    /// Looks an actor up that takes messages of type `M`. Blocks until the answer is there; see [`Endpoint::lookup`].
    ///
    /// # Errors
    /// [`RemoteLookupError`], at the latest after `within`.
    fn lookup_at<M: Wire<Form: Codec<M>>>(
        &self,
        url: &str,
        within: Duration,
    ) -> Result<ActorRef<M>, RemoteLookupError>;

    /// The same, with the answer as a future that any executor can await; see [`Endpoint::lookup_future`].
    ///
    /// # Errors
    /// [`RemoteLookupError`], from the future.
    fn lookup_at_future<M: Wire<Form: Codec<M>>>(
        &self,
        url: &str,
        within: Duration,
    ) -> impl Future<Output = Result<ActorRef<M>, RemoteLookupError>> + Send + use<M, Self>;
}

impl RemoteHandle for Handle {
    fn lookup_at<M: Wire<Form: Codec<M>>>(
        &self,
        url: &str,
        within: Duration,
    ) -> Result<ActorRef<M>, RemoteLookupError> {
        self.extension::<Endpoint>().ok_or(RemoteLookupError::NoEndpoint)?.lookup(url, within)
    }

    fn lookup_at_future<M: Wire<Form: Codec<M>>>(
        &self,
        url: &str,
        within: Duration,
    ) -> impl Future<Output = Result<ActorRef<M>, RemoteLookupError>> + Send + use<M> {
        let answer = self.extension::<Endpoint>().map(|endpoint| endpoint.lookup_future::<M>(url, within));
        async move { answer.ok_or(RemoteLookupError::NoEndpoint)?.await }
    }
}

//! Look-up on other hosts: the URL of an actor, what is said over a link for it, and what can be wrong with it.
//!
//! A look-up is a message to the host itself: to identity 0 and index 0, which no actor has. It is answered by one of the same
//! kind; see `docs/wire.md`.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Compact, Ctx, RawAddress, Wire};
use corelane_shard::{Extension, Handle, LookupError};
use serde::{Deserialize, Serialize};

use crate::codec::Codec;
use crate::endpoint::Endpoint;
use crate::named::AnyUrl;
use crate::spawning::RemoteChildSpawner;
use crate::tls::TlsRefusal;
use crate::wire::{Reason, Target};

/// Whom messages to a host itself are for.
pub(crate) const HOST: Target = Target { identity: 0, index: 0 };

const SCHEME: &str = "corelane://";

/// A system on some host: `corelane://system@host:port`.
///
/// The host is written as numbers (`127.0.0.1`, `[::1]`): it is the public address by which the system there knows itself.
///
/// ```
/// use corelane_net::RemoteHost;
///
/// let host: RemoteHost = "corelane://shop@127.0.0.1:2552".parse()?;
/// assert_eq!((host.system(), host.address().port()), ("shop", 2552));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteHost {
    system: String,
    address: SocketAddr,
}

impl RemoteHost {
    pub(crate) fn new(system: &str, address: SocketAddr) -> RemoteHost {
        RemoteHost { system: system.to_owned(), address }
    }

    /// The system's name.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// The public address of the host.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl fmt::Display for RemoteHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}@{}", self.system, self.address)
    }
}

impl FromStr for RemoteHost {
    type Err = RemoteLookupError;

    fn from_str(text: &str) -> Result<RemoteHost, RemoteLookupError> {
        let wrong = |reason| RemoteLookupError::BadUrl { url: text.to_owned(), reason };
        let rest = text.strip_prefix(SCHEME).ok_or(wrong("it begins with corelane://"))?;
        let (system, address) = rest.split_once('@').ok_or(wrong("the system's name stands before an @"))?;
        let address = address.parse().map_err(|_| wrong("the host is an address in numbers, and a port"))?;
        if system.is_empty() {
            return Err(wrong("the system's name is missing"));
        }
        Ok(RemoteHost { system: system.to_owned(), address })
    }
}

/// The place of an actor in a system on some host: `corelane://system@host:port/user/a/b`.
///
/// The host is written as numbers (`127.0.0.1`, `[::1]`): it is the public address by which the system there knows itself.
///
/// ```
/// use corelane_net::RemoteUrl;
///
/// let url: RemoteUrl = "corelane://shop@127.0.0.1:2552/user/till/2".parse()?;
/// assert_eq!((url.system(), url.path()), ("shop", "/user/till/2"));
/// assert!("corelane://127.0.0.1/user/till".parse::<RemoteUrl>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteUrl {
    host: RemoteHost,
    path: String,
}

impl RemoteUrl {
    /// The system's name.
    pub fn system(&self) -> &str {
        self.host.system()
    }

    /// The public address of the host.
    pub fn host(&self) -> SocketAddr {
        self.host.address()
    }

    /// Its parts, which are those of another one.
    pub(crate) fn of(system: &str, address: SocketAddr, path: &str) -> RemoteUrl {
        RemoteUrl { host: RemoteHost { system: system.to_owned(), address }, path: path.to_owned() }
    }

    /// The system and its host.
    pub fn remote_host(&self) -> &RemoteHost {
        &self.host
    }

    /// The path of the actor there, from `/user/` on.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host, self.path)
    }
}

impl FromStr for RemoteUrl {
    type Err = RemoteLookupError;

    fn from_str(text: &str) -> Result<RemoteUrl, RemoteLookupError> {
        let wrong = |reason| RemoteLookupError::BadUrl { url: text.to_owned(), reason };
        let end = text.find('@').and_then(|at| Some(at + text.get(at..)?.find('/')?));
        let (host, path) = text.split_at(end.unwrap_or(text.len()));
        // What is wrong is said of the whole.
        let host = host.parse().map_err(|error| match error {
            RemoteLookupError::BadUrl { reason, .. } => wrong(reason),
            other => other,
        })?;
        match path {
            "" => Err(wrong("a path from /user/ on is missing")),
            path if path.starts_with("/user/") => Ok(RemoteUrl { host, path: path.to_owned() }),
            _ => Err(wrong("a path begins with /user/")),
        }
    }
}

/// Why an actor on another host was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteLookupError {
    /// The text is no URL of an actor.
    BadUrl {
        /// The text.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The URL is of another system than this one, and only hosts of one system can be joined.
    OtherSystem {
        /// The system it names.
        named: String,
        /// This one.
        own: String,
    },
    /// The host is not on this machine, and there is neither TLS nor the word that messages may leave it in the clear.
    BeyondLoopback(SocketAddr),
    /// The message type is not registered here.
    NotRegistered {
        /// Its name on the wire.
        name: &'static str,
    },
    /// The host does not know the message type.
    UnknownType {
        /// Its name on the wire.
        name: &'static str,
    },
    /// Nobody lives there.
    NoSuchActor {
        /// The path up to the first name that nobody bears.
        path: String,
    },
    /// The actor speaks another protocol.
    OtherProtocol {
        /// Its path.
        path: String,
        /// The type of its messages, as it is called there.
        speaks: String,
    },
    /// The host at this address does not want this one.
    Rejected(Reason),
    /// There is no secure connection to the host at this address.
    Tls(TlsRefusal),
    /// The host is called by a name that has no address.
    Unresolved {
        /// The name, with the port.
        host: String,
        /// Why, as the operating system says it.
        reason: String,
    },
    /// No answer in time: nobody could be reached at the address.
    NotConnected(SocketAddr),
    /// No answer in time, from a host that was reached.
    NoAnswer,
    /// As many look-ups, or as many hosts, as may are known.
    TooMany,
    /// No endpoint is loaded on this system.
    NoEndpoint,
    /// This system, or the other, is shutting down.
    ShuttingDown,
}

impl fmt::Display for RemoteLookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use RemoteLookupError::*;
        match self {
            BadUrl { url, reason } => write!(f, "{url:?} is no URL of an actor: {reason}"),
            OtherSystem { named, own } => {
                write!(f, "the URL is of the system {named:?}, and only hosts of {own:?} can be joined")
            }
            BeyondLoopback(host) => write!(
                f,
                "{host} is not on this machine: set tls, or insecure_plaintext_beyond_loopback if messages may leave it in the clear"
            ),
            NotRegistered { name } => write!(f, "the message type {name:?} is not registered"),
            UnknownType { name } => {
                write!(f, "the message type {name:?} is not registered on the other host")
            }
            NoSuchActor { path } => write!(f, "no actor lives at {path}"),
            OtherProtocol { path, speaks } => write!(f, "the messages of {path} are of type {speaks}"),
            Rejected(reason) => write!(f, "the host rejects this one: {reason:?}"),
            Tls(refusal) => write!(f, "no secure connection to the host: {refusal}"),
            Unresolved { host, reason } => write!(f, "the host {host} has no address: {reason}"),
            NotConnected(host) => write!(f, "nobody could be reached at {host}"),
            NoAnswer => f.write_str("the host did not answer in time"),
            TooMany => f.write_str("too many look-ups, or too many hosts"),
            NoEndpoint => f.write_str("the extension \"endpoint\" is not loaded"),
            ShuttingDown => f.write_str("the system is shutting down"),
        }
    }
}

impl std::error::Error for RemoteLookupError {}

/// Asks a host for an actor of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Lookup {
    /// Stands in the answer again.
    pub(crate) number: u64,
    /// The hash of the message type's name.
    pub(crate) type_hash: u64,
    pub(crate) path: String,
}

impl Wire for Lookup {
    const NAME: &'static str = "corelane.Lookup";
    type Form = Compact;
}

/// What a host answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) number: u64,
    pub(crate) result: Result<RawAddress, NotFound>,
}

impl Wire for Found {
    const NAME: &'static str = "corelane.Found";
    type Form = Compact;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NotFound {
    UnknownType,
    NoSuchActor(String),
    OtherProtocol { path: String, speaks: String },
    BadPath,
    ShuttingDown,
}

impl From<LookupError> for NotFound {
    fn from(error: LookupError) -> NotFound {
        match error {
            LookupError::BadPath { .. } => NotFound::BadPath,
            LookupError::NoSuchActor { path } => NotFound::NoSuchActor(path),
            LookupError::OtherProtocol { path, speaks, .. } => {
                NotFound::OtherProtocol { path, speaks: speaks.to_owned() }
            }
            // Whoever holds its address has it from the actor's parent.
            LookupError::OtherHost { path } => NotFound::NoSuchActor(path),
            _ => NotFound::ShuttingDown,
        }
    }
}

impl NotFound {
    pub(crate) fn explain(self, url: &RemoteUrl, name: &'static str) -> RemoteLookupError {
        match self {
            NotFound::UnknownType => RemoteLookupError::UnknownType { name },
            NotFound::NoSuchActor(path) => RemoteLookupError::NoSuchActor { path },
            NotFound::OtherProtocol { path, speaks } => RemoteLookupError::OtherProtocol { path, speaks },
            NotFound::BadPath => RemoteLookupError::BadUrl {
                url: url.to_string(),
                reason: "its path is none of an actor with a name",
            },
            NotFound::ShuttingDown => RemoteLookupError::ShuttingDown,
        }
    }
}

/// What a [`Ctx`] can do on a shard of a system with an [`Endpoint`].
pub trait RemoteCtx<A: Actor> {
    /// Looks an actor up that takes messages of type `M`, and tells this actor what `then` makes of the answer; see
    /// [`Endpoint::lookup`].
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
    ///         let host = ctx.child_at("corelane://images@127.0.0.1:2552");
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
    /// // In code, or in a file: [deploy."/user/foreman/small"] host = "corelane://images@127.0.0.1:2552"
    /// let elsewhere = Deployment::new().host("corelane://images@127.0.0.1:2552");
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
                gate.lookup::<M>(&mut scope, url, within, move |scope, found| scope.answer(me, then(found)));
            }
            (Err(error), _) => scope.answer(me, then(Err(error))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_as_it_is_written_and_errors_say_what_is_wrong() {
        for text in ["corelane://shop@127.0.0.1:2552/user/a", "corelane://s@[::1]:80/user/a/b"] {
            assert_eq!(text.parse::<RemoteUrl>().unwrap().to_string(), text);
        }
        for (text, reason) in [
            ("http://shop@127.0.0.1:1/user/a", "corelane://"),
            ("corelane://127.0.0.1:1/user/a", "@"),
            ("corelane://@127.0.0.1:1/user/a", "name is missing"),
            ("corelane://shop@localhost:1/user/a", "in numbers"),
            ("corelane://shop@127.0.0.1/user/a", "port"),
            ("corelane://shop@127.0.0.1:1", "path"),
            ("corelane://shop@127.0.0.1:1/system/a", "/user/"),
        ] {
            let error = text.parse::<RemoteUrl>().unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(text), "{error}");
        }
    }
}

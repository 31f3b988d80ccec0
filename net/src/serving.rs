//! Services: an actor for each connection, on the shard that accepted it.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Ctx, Outcome, Scope, SpawnError};
use corelane_shard::{CallError, Handle};

use crate::net::Net;
use crate::reactor::{Address, Options, SocketError, Taken};
use crate::sockets::Sockets;
use crate::stream::{
    Accepted, Accepting, ListenEvent, Listener, SocketCtx, Stream, StreamEvent, StreamOptions,
};

/// How long a listener that could accept nothing is left alone: descriptors and memory come back when others give them up.
const RETRY: Duration = Duration::from_millis(100);

/// Why a service was not started.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// A shard could not be reached.
    Call(CallError),
    /// The system has not loaded [`Net`].
    NoNet,
    /// A shard has no room for its listener's actor.
    Spawn(SpawnError),
    /// It cannot listen there.
    Socket(SocketError),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Call(error) => error.fmt(f),
            ServeError::NoNet => f.write_str("the system has not loaded the extension \"net\""),
            ServeError::Spawn(error) => error.fmt(f),
            ServeError::Socket(error) => write!(f, "cannot listen: {error}"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ServeError::Call(error) => Some(error),
            ServeError::NoNet => None,
            ServeError::Spawn(error) => Some(error),
            ServeError::Socket(error) => Some(error),
        }
    }
}

/// A service that runs: a listening actor on each shard, and below it one for each connection. It goes on until it is stopped, or
/// its system is; dropping this changes nothing.
#[derive(Debug)]
pub struct Service {
    system: Handle,
    address: Address,
    listeners: Vec<ActorRef<Msg>>,
}

impl Service {
    /// Where it listens, with the port that the operating system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Stops listening, and stops the actors of all connections. What they have written is sent within the
    /// [linger](crate::NetConfig::linger) time. Must not be called from an actor.
    pub fn stop(self) {
        self.stop_all();
    }

    fn stop_all(&self) {
        for listener in &self.listeners {
            let listener = *listener;
            // A system that shuts down stops them as well.
            let _ = self.system.call(listener.address().place().shard(), move |scope| scope.stop(listener));
        }
    }
}

/// Serves an address: every shard listens there and accepts its share, and for each connection `factory` makes an actor on the
/// same shard, which is told what happens at its stream. Blocks until all listen; must not be called from an actor.
///
/// A Unix socket is listened to by the first shard alone: the operating system does not spread connections over several.
///
/// An address at which somebody listens already is refused after two seconds (a process that was killed may have it for a
/// moment), unless [`Options::reuse_port`] says that it is to be shared, as by two processes of which one takes over from the
/// other.
///
/// ```
/// use corelane_kernel::{Actor, Ctx, Outcome};
/// use corelane_net::{Net, NetConfig, Stream, StreamEvent, StreamOptions, serve};
/// use corelane_shard::System;
///
/// /// Sends back what comes.
/// struct Echo(Stream);
///
/// impl Actor for Echo {
///     type Msg = StreamEvent;
///     fn receive(&mut self, event: StreamEvent, ctx: &mut Ctx<'_, Self>) -> Outcome {
///         match event {
///             StreamEvent::Received(bytes) => self.0.write(bytes)?,
///             StreamEvent::Finished | StreamEvent::Failed(_) => ctx.stop_self(),
///             _ => {}
///         }
///         Ok(())
///     }
/// }
///
/// let system = System::builder().shards(1).pinned(false).extension(Net::of(NetConfig::default())).start()?;
/// let service = serve(&system, &"127.0.0.1:0".parse()?, &StreamOptions::default(), Echo)?;
///
/// use std::io::{Read, Write};
/// let mut client = std::net::TcpStream::connect(service.address().ip().unwrap())?;
/// client.write_all(b"hello")?;
/// let mut heard = [0; 5];
/// client.read_exact(&mut heard)?;
/// assert_eq!(&heard, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ServeError`]; no shard listens then.
pub fn serve<A: Actor>(
    system: &Handle,
    address: &Address,
    options: &StreamOptions,
    factory: impl Fn(Stream) -> A + Clone + Send + 'static,
) -> Result<Service, ServeError>
where
    A::Msg: From<StreamEvent>,
{
    let mut options = options.clone();
    let shards = if address.ip().is_some() { system.shards() } else { 1 };
    if !options.socket.reuse_port {
        // Several shards share the address, and so would whoever listens there already.
        find_free(system, address, &options.socket).map_err(ServeError::Socket)?;
        options.socket.reuse_port = shards > 1;
    }
    let mut service = Service { system: system.clone(), address: address.clone(), listeners: Vec::new() };
    for shard in 0..shards {
        let (address, options, factory) = (service.address.clone(), options.clone(), factory.clone());
        let listens = system.call(shard, move |scope| listen(scope, &address, options, factory));
        match listens.map_err(ServeError::Call).and_then(|listens| listens) {
            // The others listen at the port that the first was given.
            Ok((listener, address)) => {
                service.listeners.push(listener);
                service.address = address;
            }
            Err(error) => {
                service.stop_all();
                return Err(error);
            }
        }
    }
    Ok(service)
}

/// Finds out whether nobody listens at an address of this machine's, or soon will not.
fn find_free(system: &Handle, address: &Address, options: &Options) -> Result<(), SocketError> {
    let simulated = system.extension::<Net>().is_none_or(|net| net.is_simulated());
    match address.ip() {
        Some(ip) if !simulated && ip.port() != 0 => match Taken::soon_at(ip, options) {
            Ok(_) => Ok(()),
            Err(error) => Err(SocketError::Refused { address: address.clone(), error }),
        },
        _ => Ok(()),
    }
}

fn listen<A: Actor>(
    shard: &mut Scope<'_>,
    address: &Address,
    options: StreamOptions,
    factory: impl Fn(Stream) -> A + 'static,
) -> Result<(ActorRef<Msg>, Address), ServeError>
where
    A::Msg: From<StreamEvent>,
{
    let sockets = Sockets::of(shard).ok_or(ServeError::NoNet)?;
    let socket = options.socket.clone();
    let listener = Rc::new(RefCell::new(None));
    let serving = Serving { factory, options, listener: listener.clone() };
    let actor = shard.spawn(serving).map_err(ServeError::Spawn)?;
    let listens = sockets.listen(address, &socket, Accepting { to: actor, make: Msg::Listener });
    let listens = listens.and_then(|socket| {
        let listens = Listener::of(&sockets, socket);
        let address = listens.local_address();
        *listener.borrow_mut() = Some(listens);
        address
    });
    match listens {
        Ok(address) => Ok((actor, address)),
        Err(error) => {
            shard.stop(actor);
            Err(ServeError::Socket(error))
        }
    }
}

#[derive(Debug)]
enum Msg {
    Listener(ListenEvent),
    Retry,
}

/// Listens on one shard, and is the parent of the actors of its connections.
struct Serving<F> {
    factory: F,
    options: StreamOptions,
    listener: Rc<RefCell<Option<Listener>>>,
}

impl<A: Actor, F: Fn(Stream) -> A + 'static> Serving<F>
where
    A::Msg: From<StreamEvent>,
{
    fn welcome(&self, accepted: Accepted, ctx: &mut Ctx<'_, Self>) {
        let sockets = ctx.sockets();
        let stream = Stream::of(accepted, &sockets, &self.options);
        let parts = stream.parts();
        // One connection's actor that cannot be made must not end the others.
        let Ok(connection) = catch_unwind(AssertUnwindSafe(|| (self.factory)(stream))) else {
            tracing::error!("the factory of a connection's actor panicked: the connection is closed");
            return;
        };
        match ctx.spawn(connection) {
            Ok(connection) => Stream::tell(&sockets, parts, connection, A::Msg::from),
            Err(error) => tracing::warn!(%error, "no room for a connection's actor: it is closed"),
        }
    }
}

impl<A: Actor, F: Fn(Stream) -> A + 'static> Actor for Serving<F>
where
    A::Msg: From<StreamEvent>,
{
    type Msg = Msg;

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Listener(ListenEvent::Accepted(accepted)) => self.welcome(accepted, ctx),
            Msg::Listener(ListenEvent::NotAccepted(error)) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                ctx.set_timer(1, RETRY, Msg::Retry)?;
            }
            Msg::Listener(ListenEvent::Closed) => {}
            Msg::Retry => self.listener.borrow().iter().for_each(Listener::resume),
        }
        Ok(())
    }
}

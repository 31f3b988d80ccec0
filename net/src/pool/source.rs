//! Where a remote pool's routees come from: the hosts, tried one after the other.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use corelane_kernel::{Actor, ActorRef, Address, Ctx, Failure, Group, Outcome, Scope, SpawnError};
use corelane_shard::{Extension, Handle, NewRoutee, NoRoutee, RouteeSource, RouteesOn};

use crate::codec::Props;
use crate::endpoint::Endpoint;
use crate::named::AnyHost;
use crate::resolve::RemoteLookupError;
use crate::spawning::{Birth, RemoteSpawnError};

/// A routee that a [`RemotePool`](super::RemotePool) could not have on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolTrouble {
    /// The host, as it was named.
    pub host: Arc<str>,
    /// Why not.
    pub error: RemoteSpawnError,
}

impl fmt::Display for PoolTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a pool's routee on {}: {}", self.host, self.error)
    }
}

impl std::error::Error for PoolTrouble {}

/// Tells a pool's owner of trouble.
pub(super) type Report = Rc<dyn Fn(PoolTrouble, &mut Scope<'_>)>;

/// What all orders of one pool have in common.
#[derive(Default)]
pub(super) struct Troubles {
    pub(super) last: RefCell<Option<PoolTrouble>>,
    pub(super) report: RefCell<Option<Report>>,
    /// A site that a routee was lost with: the next one is to be had elsewhere.
    avoided: Cell<Option<usize>>,
    /// The site at which a routee was had that is about to be counted.
    had: Cell<Option<usize>>,
}

impl Troubles {
    fn note(&self, trouble: PoolTrouble, scope: &mut Scope<'_>) {
        tracing::warn!(host = %trouble.host, error = %trouble.error, "a pool has no routee on a host");
        let report = self.report.borrow().clone();
        self.last.replace(Some(trouble.clone()));
        report.into_iter().for_each(|report| report(trouble.clone(), scope));
    }
}

/// Stands for the actors that hosts make of the props: of this, only the type of its messages is used.
pub(super) struct Afar<P>(PhantomData<fn(P)>);

impl<P: Props> Actor for Afar<P> {
    type Msg = P::Msg;
    fn receive(&mut self, _: P::Msg, _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

/// Makes routees of props, on the hosts.
pub(super) struct Hosts<P> {
    pub(super) props: Rc<P>,
    /// None: on this host.
    pub(super) hosts: Rc<[Arc<str>]>,
    pub(super) within: Option<Duration>,
    pub(super) troubles: Rc<Troubles>,
}

impl<P> Clone for Hosts<P> {
    fn clone(&self) -> Self {
        let Hosts { props, hosts, within, troubles } = self;
        Hosts { props: props.clone(), hosts: hosts.clone(), within: *within, troubles: troubles.clone() }
    }
}

/// What becomes of an order.
type Then<M> = Box<dyn FnOnce(Result<ActorRef<M>, NoRoutee>, &mut Scope<'_>)>;

/// A routee that is tried to be had at one host after the other.
struct Search<P> {
    source: Hosts<P>,
    owner: Address,
    name: Option<String>,
    group: Group,
    mailbox: u32,
    /// Those that are left, the next one last; the first of all is the shard, where all live on this host.
    left: Vec<usize>,
}

/// Whether a routee that cannot be had may be had elsewhere, or later; else something is wrong with this host, or with the
/// program that runs on it.
fn is_theirs(error: &RemoteSpawnError) -> bool {
    use RemoteLookupError as Host;
    match error {
        RemoteSpawnError::Host(error) => matches!(
            error,
            Host::Rejected(_)
                | Host::Tls(_)
                | Host::NotConnected(_)
                | Host::NoAnswer
                | Host::Unresolved { .. }
                | Host::ShuttingDown
        ),
        RemoteSpawnError::Spawn(_)
        | RemoteSpawnError::TooLarge { .. }
        | RemoteSpawnError::Unwritable { .. } => false,
        _ => true,
    }
}

impl<P: Props + Clone> Search<P> {
    fn go_on(
        mut self,
        scope: &mut Scope<'_>,
        then: Then<P::Msg>,
    ) -> Result<(), (RemoteSpawnError, Then<P::Msg>)> {
        let site = self.left.pop();
        let host = site.and_then(|site| self.source.hosts.get(site)).cloned();
        let name = self.name.clone();
        let birth = Birth {
            parent: self.owner,
            host: host.as_deref().map(str::parse::<AnyHost>),
            shard: if host.is_none() { site.and_then(|shard| u16::try_from(shard).ok()) } else { None },
            name: name.as_deref(),
            group: self.group,
            mailbox: self.mailbox,
            within: self.source.within,
        };
        let props = (*self.source.props).clone();
        // Handed back where nothing was begun.
        let kept = Rc::new(Cell::new(Some(then)));
        let then = kept.clone();
        let begun = birth.begin(scope, props, move |born, scope| {
            if let Some(then) = then.take() {
                self.heard(site, born, scope, then);
            }
        });
        match (begun, kept.take()) {
            (Err(error), Some(then)) => Err((error, then)),
            (_, then) => {
                kept.set(then);
                Ok(())
            }
        }
    }

    fn heard(
        self,
        site: Option<usize>,
        born: Result<ActorRef<P::Msg>, RemoteSpawnError>,
        scope: &mut Scope<'_>,
        then: Then<P::Msg>,
    ) {
        let error = match born {
            Ok(routee) => {
                self.source.troubles.had.set(site);
                return then(Ok(routee), scope);
            }
            Err(RemoteSpawnError::Spawn(SpawnError::Stopping)) => {
                return then(Err(NoRoutee::Stopping), scope);
            }
            Err(error) => error,
        };
        if !is_theirs(&error) {
            return then(Err(NoRoutee::Failed(error.into())), scope);
        }
        let host = site.and_then(|site| self.source.hosts.get(site)).cloned();
        let host = host.unwrap_or_else(|| "this host".into());
        self.source.troubles.note(PoolTrouble { host, error: error.clone() }, scope);
        if self.left.is_empty() {
            return then(Err(NoRoutee::Missing(error.into())), scope);
        }
        let Some(gate) = Endpoint::part(scope).cloned() else { return then(Err(NoRoutee::Stopping), scope) };
        gate.call_later(move |scope| {
            if let Err((error, then)) = self.go_on(scope, then) {
                then(Err(refused(error)), scope);
            }
        });
    }
}

/// Why nothing was begun.
fn refused(error: RemoteSpawnError) -> NoRoutee {
    match error {
        RemoteSpawnError::Spawn(SpawnError::Stopping) => NoRoutee::Stopping,
        error => NoRoutee::Failed(error.into()),
    }
}

impl<P: Props + Clone> RouteeSource<Afar<P>> for Hosts<P> {
    const FAR: bool = true;

    fn sites(&self, on: RouteesOn, own: usize, system: &Handle) -> Result<Vec<usize>, Failure> {
        if self.hosts.is_empty() {
            return on.shards(own, system).map_err(Failure::from);
        }
        let avoided = self.troubles.avoided.take().filter(|_| self.hosts.len() > 1);
        Ok((0..self.hosts.len()).filter(|site| Some(*site) != avoided).collect())
    }

    fn spawn(
        &self,
        wanted: &NewRoutee<'_>,
        scope: &mut Scope<'_>,
        then: impl FnOnce(Result<ActorRef<P::Msg>, NoRoutee>, &mut Scope<'_>) + 'static,
    ) -> Result<(), SpawnError> {
        let mut left: Vec<usize> = (0..self.hosts.len()).filter(|site| *site != wanted.site).collect();
        if let Some(others) = (wanted.number as usize).checked_rem(left.len()) {
            // So that those who were to live on a host that is gone are not all had at the next.
            left.rotate_left(others);
        }
        left.push(wanted.site);
        let search = Search {
            source: self.clone(),
            owner: wanted.owner,
            name: wanted.name.map(str::to_owned),
            group: wanted.group,
            mailbox: wanted.mailbox,
            left,
        };
        if let Err((error, then)) = search.go_on(scope, Box::new(then)) {
            match error {
                // As any pool's.
                RemoteSpawnError::Spawn(error) => return Err(error),
                error => then(Err(refused(error)), scope),
            }
        }
        Ok(())
    }

    fn site_of(&self, routee: Address, ordered: usize, scope: &mut Scope<'_>) -> usize {
        if self.hosts.is_empty() {
            return routee.place().shard();
        }
        // Where a host is called by a name, only who was sent there knows that it is the one.
        let had = self.troubles.had.take().unwrap_or(ordered);
        let own = scope.place();
        let Some(gate) = Endpoint::part(scope) else { return had };
        let host = |site: usize| self.hosts.get(site).and_then(|host| host.parse().ok());
        if let Some(AnyHost::Named(_)) = host(had) {
            return had;
        }
        let lives = |site: &usize| match host(*site) {
            Some(AnyHost::At(host)) => gate.is_of(routee, own, &host),
            _ => false,
        };
        (0..self.hosts.len()).find(lives).unwrap_or(had)
    }

    fn ended(&self, routee: Address, site: usize, scope: &mut Scope<'_>) {
        let own = scope.place();
        let lost = Endpoint::part(scope).is_some_and(|gate| gate.is_lost(routee, own));
        self.troubles.avoided.set((lost && !self.hosts.is_empty()).then_some(site));
    }

    fn put_at(&mut self, hosts: &[Arc<str>], scope: &mut Scope<'_>) -> Result<(), String> {
        if !hosts.is_empty() {
            let gate = Endpoint::part(scope).ok_or_else(|| RemoteLookupError::NoEndpoint.to_string())?;
            for host in hosts {
                let checked = host.parse::<AnyHost>().and_then(|parsed| gate.check_host(&parsed));
                // What is wrong comes first: a failure keeps only the beginning of a long text.
                checked.map_err(|error| format!("{error} ({host})"))?;
            }
        }
        self.hosts = hosts.into();
        Ok(())
    }
}

//! Deployment: what is decided for an actor by its path, without touching the code that spawns it.
//!
//! A [`Deployment`] holds what was decided; [`DeployPath`](path::DeployPath) says for whom; [`Deployments`] finds the one
//! that applies. How hosts are written in one is the business of the file `host`. Each shard's kernel asks for it before it spawns an actor with a name, wherever in the tree (file
//! `registry`); so the group and the mailbox hold without a parent's help. [`Handle::spawner`](crate::Handle::spawner)
//! (file `spawner`) and [`ShardCtx::spawner_on`](crate::ShardCtx::spawner_on) (file `from_actor`) also heed the shard, for
//! the named top-level actors of a system, and so does a kernel for children that may live on any. What is decided for a
//! pool is taken when the pool starts (file `pool`).

mod from_actor;
mod host;
mod path;
mod pool;
mod spawner;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

pub use corelane_kernel::router::RouterKind;
use corelane_kernel::{Group, Spawner};

use crate::spawn::On;

pub use from_actor::ShardSpawner;
pub(crate) use host::host_named;
pub use host::split_host_name;
pub use path::DeployPathError;
pub(crate) use path::{DeployPath, TOP};
pub use pool::{DeployPool, DeployPoolError};
pub use spawner::SystemSpawner;

/// What is decided for an actor by its path; what is `None` is left to the code that spawns it.
///
/// ```
/// use corelane_kernel::Group;
/// use corelane_shard::{Deployment, On};
///
/// let deployment = Deployment::new().on(On::Shard(0)).group(Group::Urgent).mailbox(10_000);
/// assert_eq!(deployment.mailbox, Some(10_000));
/// assert_eq!(deployment.router, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deployment {
    /// On which shard it is spawned, where it is a top-level actor that [`Handle::spawner`](crate::Handle::spawner) or
    /// [`ShardCtx::spawner_on`](crate::ShardCtx::spawner_on) spawns, or a child that may live on any: by
    /// [`ShardCtx::child_spawner`](crate::ShardCtx::child_spawner), [`Ctx::child_on`](corelane_kernel::Ctx::child_on), or a
    /// [`SpreadPool`](crate::SpreadPool) that names its routees. What is spawned otherwise by code that runs on a shard lives
    /// there, whatever is said here.
    pub on: Option<On>,
    /// Its scheduling group.
    pub group: Option<Group>,
    /// How many messages may wait for it on its own core; zero is no bound.
    pub mailbox: Option<u32>,
    /// How the pool of that actor routes, which starts by [`DeployPool::start_deployed`](crate::DeployPool). Spawning
    /// does not look at it.
    pub router: Option<RouterKind>,
    /// With how many routees the pool of that actor starts, which starts by
    /// [`DeployPool::start_deployed`](crate::DeployPool). Spawning does not look at it.
    pub routees: Option<u32>,
    /// On which shards the routees of the pool of that actor live, which starts by
    /// [`DeployPool::start_deployed`](crate::DeployPool) and is a [`SpreadPool`](crate::SpreadPool). Spawning does not look
    /// at it.
    pub routees_on: Option<RouteesOn>,
    /// On which hosts the routees of the pool of that actor live, each `corelane://system@host:port`, in numbers or by a name
    /// ([`Deployment::host`]), which starts by [`DeployPool::start_deployed`](crate::DeployPool) and is a `RemotePool` of
    /// `corelane-net`. Each host chooses the shards there, so `routees_on` cannot be decided as well. Spawning does not look
    /// at it.
    pub routees_at: Option<Arc<[Arc<str>]>>,
    /// The host on which it is spawned, `corelane://system@host:port`, where it is a child that may live on any: one that is
    /// made of props, by `child_at` or `child_here` of `corelane-net`. The host chooses the shard then, whatever is said here.
    /// What is spawned from a factory in the code lives on its parent's host.
    ///
    /// The host is written in numbers (`192.0.2.7`, `[::1]`), or is called by a name (`db.internal`), which is resolved each
    /// time that somebody is spawned there: a name that nobody bears is an error of that birth, not of the start.
    pub host: Option<Arc<str>>,
}

/// On which shards the routees of a [`SpreadPool`](crate::SpreadPool) live. A new one comes where the fewest of its pool
/// are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteesOn {
    /// On their owner's.
    Own,
    /// On all, in numbers that differ by one at most.
    Spread,
    /// On those with these numbers, and those between them, likewise.
    Shards {
        /// The first.
        first: usize,
        /// The last, which is no smaller.
        last: usize,
    },
}

impl RouteesOn {
    /// The shards of an owner on this one, of so many. None of them may exist, but there is always one.
    pub(crate) fn range(self, own: usize, shards: usize) -> Range<usize> {
        match self {
            RouteesOn::Own => own..own + 1,
            RouteesOn::Spread => 0..shards,
            RouteesOn::Shards { first, last } => first..last.max(first).saturating_add(1),
        }
    }
}

impl Deployment {
    /// One that decides nothing.
    pub fn new() -> Deployment {
        Deployment::default()
    }

    /// Decides where it is spawned.
    #[must_use]
    pub fn on(mut self, on: On) -> Deployment {
        self.on = Some(on);
        self
    }

    /// Decides its scheduling group.
    #[must_use]
    pub fn group(mut self, group: Group) -> Deployment {
        self.group = Some(group);
        self
    }

    /// Decides how many messages may wait for it; zero is no bound.
    #[must_use]
    pub fn mailbox(mut self, bound: u32) -> Deployment {
        self.mailbox = Some(bound);
        self
    }

    /// Decides how its pool routes.
    #[must_use]
    pub fn router(mut self, router: RouterKind) -> Deployment {
        self.router = Some(router);
        self
    }

    /// Decides how many routees its pool has.
    #[must_use]
    pub fn routees(mut self, routees: u32) -> Deployment {
        self.routees = Some(routees);
        self
    }

    /// Decides on which shards the routees of its pool live.
    #[must_use]
    pub fn routees_on(mut self, on: RouteesOn) -> Deployment {
        self.routees_on = Some(on);
        self
    }

    /// Decides on which hosts the routees of its pool live, each `corelane://system@host:port`.
    #[must_use]
    pub fn routees_at<H: AsRef<str>>(mut self, hosts: impl IntoIterator<Item = H>) -> Deployment {
        self.routees_at = Some(hosts.into_iter().map(|host| host.as_ref().into()).collect());
        self
    }

    /// Decides on which host it is spawned: `corelane://system@host:port`.
    #[must_use]
    pub fn host(mut self, host: &str) -> Deployment {
        self.host = Some(host.into());
        self
    }

    /// Gives a kernel's spawner the group and the mailbox bound that are decided here: for an actor without a name. One
    /// with a name gets what is decided for its own path, whatever is said here.
    pub fn apply<'k>(&self, spawner: Spawner<'k>) -> Spawner<'k> {
        let spawner = match self.group {
            Some(group) => spawner.group(group),
            None => spawner,
        };
        match self.mailbox {
            Some(bound) => spawner.mailbox(bound),
            None => spawner,
        }
    }

    /// What is decided here, and for the rest what is decided there.
    fn or(self, other: Deployment) -> Deployment {
        Deployment {
            on: self.on.or(other.on),
            group: self.group.or(other.group),
            mailbox: self.mailbox.or(other.mailbox),
            router: self.router.or(other.router),
            routees: self.routees.or(other.routees),
            routees_on: self.routees_on.or(other.routees_on),
            routees_at: self.routees_at.or(other.routees_at),
            host: self.host.or(other.host),
        }
    }
}

/// One decision, as a builder collects it.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) path: String,
    pub(crate) deployment: Deployment,
    /// The places in a file of what names shards, for the errors if there are no such shards.
    pub(crate) origins: Origins,
}

/// Where a decision says on which shards.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    pub(crate) on: Option<String>,
    pub(crate) routees_on: Option<String>,
    pub(crate) routees_at: Option<String>,
}

/// All deployments of a system, for look-up: an exact path costs one hash, patterns are tried from the most specific.
#[derive(Debug, Default)]
pub(crate) struct Deployments {
    exact: HashMap<DeployPath, Deployment>,
    /// The most specific first.
    patterns: Vec<(DeployPath, Deployment)>,
}

impl Deployments {
    /// Of two decisions for one path, the later wins in each of its parts. The error is a text that names the path.
    pub(crate) fn new(decisions: &[Decision], shards: usize) -> Result<Deployments, String> {
        let mut merged = HashMap::<DeployPath, (Deployment, Origins)>::new();
        for decision in decisions {
            let path = &decision.path;
            let parsed = DeployPath::parse(path).map_err(|error| format!("deploy {path:?}: {error}"))?;
            let (deployment, origins) = merged.entry(parsed).or_default();
            *deployment = decision.deployment.clone().or(std::mem::take(deployment));
            if decision.deployment.on.is_some() {
                origins.on = decision.origins.on.clone();
            }
            if decision.deployment.routees_on.is_some() {
                origins.routees_on = decision.origins.routees_on.clone();
            }
            if decision.deployment.routees_at.is_some() {
                origins.routees_at = decision.origins.routees_at.clone();
            }
        }
        let mut deployments = Deployments::default();
        for (path, (deployment, origins)) in merged {
            let refuse = |origin: Option<String>, what: String| {
                let place = origin.map_or(String::new(), |origin| format!("{origin}: "));
                Err(format!("{place}deploy {:?}: {what}", path.as_str()))
            };
            if let Some(On::Shard(shard)) = deployment.on.filter(|on| !on.exists_among(shards)) {
                return refuse(origins.on, format!("there is no shard {shard}: {shards} run, from 0"));
            }
            if let Some(host) = &deployment.host
                && let Err(error) = host_named(host)
            {
                return refuse(None, format!("{host:?} is no host: {error}"));
            }
            if let Some(hosts) = &deployment.routees_at {
                let wrong = hosts.iter().find_map(|host| Some((host, host_named(host).err()?)));
                let what = match (wrong, deployment.routees_on) {
                    (Some((host, error)), _) => Some(format!("{host:?} is no host: {error}")),
                    _ if hosts.is_empty() => Some("routees_at names no host".to_owned()),
                    (None, Some(_)) => Some(
                        "routees_at says on which hosts, which choose the shards: no routees_on".to_owned(),
                    ),
                    (None, None) => None,
                };
                if let Some(what) = what {
                    return refuse(origins.routees_at, what);
                }
            }
            if let Some(RouteesOn::Shards { first, last }) = deployment.routees_on {
                if last < first {
                    return refuse(origins.routees_on, format!("shards {first}-{last} run backwards"));
                }
                if last >= shards {
                    let what = format!("there is no shard {last}: {shards} run, from 0");
                    return refuse(origins.routees_on, what);
                }
            }
            if path.is_pattern() {
                deployments.patterns.push((path, deployment));
            } else {
                deployments.exact.insert(path, deployment);
            }
        }
        deployments.patterns.sort_by_key(|(pattern, _)| pattern.specificity());
        Ok(deployments)
    }

    /// Whether nothing is decided for anybody.
    pub(crate) fn are_none(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }

    /// The one deployment that applies to an actor's path: its own, else that of the most specific pattern.
    pub(crate) fn get(&self, path: &str) -> Option<Deployment> {
        let own = self.exact.get(path);
        let by_pattern = || {
            self.patterns.iter().find(|(pattern, _)| pattern.matches(path)).map(|(_, deployment)| deployment)
        };
        own.or_else(by_pattern).cloned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decisions(list: &[(&str, u32)]) -> Vec<Decision> {
        let decision = |&(path, mailbox): &(&str, u32)| Decision {
            path: path.to_owned(),
            deployment: Deployment::new().mailbox(mailbox),
            origins: Origins::default(),
        };
        list.iter().map(decision).collect()
    }

    fn found(deployments: &Deployments, path: &str) -> Option<u32> {
        deployments.get(path).and_then(|deployment| deployment.mailbox)
    }

    #[test]
    fn an_exact_path_comes_before_patterns_and_the_most_specific_of_these_first() {
        let list = [
            ("/user/*/*/*", 1),
            ("/user/a/*/*", 2),
            ("/user/*/b/*", 3),
            ("/user/*/b/c", 4),
            ("/user/a/b/c", 5),
            ("/user/*", 6),
        ];
        let deployments = Deployments::new(&decisions(&list), 1).unwrap();
        for (path, mailbox) in [
            ("/user/a/b/c", Some(5)),
            ("/user/x/b/c", Some(4)),
            ("/user/x/b/x", Some(3)),
            // As many stars as the one before; the name that comes first decides.
            ("/user/a/b/x", Some(2)),
            ("/user/a/x/x", Some(2)),
            ("/user/x/x/x", Some(1)),
            ("/user/a", Some(6)),
            ("/user/*", Some(6)),
            ("/user/a/b", None),
            ("/user", None),
            ("/user/", None),
            ("", None),
        ] {
            assert_eq!(found(&deployments, path), mailbox, "{path:?}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_with_the_path_for_which_it_was_decided() {
        for (text, wrong) in [
            ("shop@127.0.0.1:1", "corelane://"),
            ("corelane://127.0.0.1:1", "@"),
            ("corelane://@localhost:1", "name"),
            ("corelane://a/b@127.0.0.1:1", "name"),
            ("corelane://shop@local host:1", "in numbers"),
            ("corelane://shop@localhost", "and a port"),
            ("corelane://shop@127.0.0.1:0", "port"),
            ("corelane://shop@127.0.0.1:1/user", "in numbers"),
        ] {
            let decision = Decision {
                path: "/user/a".to_owned(),
                deployment: Deployment::new().host(text),
                origins: Origins::default(),
            };
            let refused = Deployments::new(std::slice::from_ref(&decision), 1).unwrap_err();
            assert!(refused.contains("/user/a") && refused.contains(wrong), "{refused}");
            let deployment = Deployment::new().routees_at(["corelane://shop@[::1]:80", text]);
            let refused = Deployments::new(&[Decision { deployment, ..decision }], 1).unwrap_err();
            assert!(refused.contains("/user/a") && refused.contains(wrong), "{refused}");
        }
    }

    #[test]
    fn of_two_decisions_for_one_path_the_later_wins_in_each_part() {
        let mut list = decisions(&[("/user/a", 1), ("/user/a", 2)]);
        list[0].deployment.group = Some(Group::Bulk);
        let deployments = Deployments::new(&list, 1).unwrap();
        let wanted = Deployment::new().mailbox(2).group(Group::Bulk);
        assert_eq!(deployments.get("/user/a"), Some(wanted));
    }

    proptest! {
        /// Against the plainest model: of the patterns that match by comparing name by name, the one with the fewest
        /// stars, and among these the one whose first star comes last.
        #[test]
        fn look_up_agrees_with_a_model(
            patterns in prop::collection::vec(prop::collection::vec(prop::sample::select(&["a", "b", "*"][..]), 1..4), 0..12),
            path in prop::collection::vec(prop::sample::select(&["a", "b"][..]), 1..4),
        ) {
            let text = |names: &[&str]| format!("/user/{}", names.join("/"));
            let list: Vec<_> = patterns.iter().map(|names| text(names)).collect();
            let list: Vec<_> = list.iter().zip(0..).map(|(path, n)| (path.as_str(), n)).collect();
            let deployments = Deployments::new(&decisions(&list), 1).unwrap();
            let matching = patterns.iter().zip(0u32..).filter(|(names, _)| {
                names.len() == path.len() && names.iter().zip(&path).all(|(name, own)| name == own || *name == "*")
            });
            let stars = |names: &[&str]| names.iter().map(|name| *name == "*").collect::<Vec<_>>();
            let count = |names: &[&str]| names.iter().filter(|name| **name == "*").count();
            // Of equal patterns the later one counts.
            let model = matching.min_by_key(|(names, n)| (count(names), stars(names), u32::MAX - n));
            prop_assert_eq!(found(&deployments, &text(&path)), model.map(|(_, n)| n));
        }
    }
}

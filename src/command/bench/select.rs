//! Which workloads `--only` means.
//!
//! A name that a workload has means that workload alone; anything else means every workload whose name begins
//! so. What fits nothing is an error that lists the names, rather than a run that leaves something out.

use std::error::Error;
use std::fmt;

use corelane::workloads::{WORKLOADS, Workload};

/// All workloads, a line for each and one for the raw loop beside it; for the long help.
pub(super) fn listing() -> String {
    let mut text = "Workloads, and the raw loops beside them:".to_owned();
    for workload in WORKLOADS {
        text += &format!("\n  {:<19}{}", workload.name, workload.what);
        if let Some(raw) = &workload.raw {
            text += &format!("\n{:21}beside it: {}", "", raw.what);
        }
    }
    text
}

/// A name of `--only` that fits no workload.
#[derive(Debug)]
pub(super) struct UnknownName {
    name: String,
    known: Vec<&'static str>,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no workload is called `{}` or begins so; there are:", self.name)?;
        self.known.iter().try_for_each(|name| write!(f, "\n  {name}"))
    }
}

impl Error for UnknownName {}

/// The workloads of `all` that `names` mean, each once and in the order of `all`; all of them if `names` is
/// empty.
pub(super) fn select<'a>(all: &'a [Workload], names: &[String]) -> Result<Vec<&'a Workload>, UnknownName> {
    if names.is_empty() {
        return Ok(all.iter().collect());
    }
    let mut chosen = vec![false; all.len()];
    for name in names {
        let exact = all.iter().any(|workload| workload.name == name);
        let mut found = false;
        for (workload, chosen) in all.iter().zip(&mut chosen) {
            if if exact { workload.name == name } else { workload.name.starts_with(name.as_str()) } {
                *chosen = true;
                found = true;
            }
        }
        if !found {
            let known = all.iter().map(|workload| workload.name).collect();
            return Err(UnknownName { name: name.clone(), known });
        }
    }
    Ok(all.iter().zip(chosen).filter_map(|(workload, chosen)| chosen.then_some(workload)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str]) -> Result<Vec<&'static str>, UnknownName> {
        let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
        Ok(select(WORKLOADS, &only)?.iter().map(|workload| workload.name).collect())
    }

    #[test]
    fn the_listing_names_every_workload() {
        let listing = listing();
        assert!(WORKLOADS.iter().all(|workload| listing.contains(workload.name)), "{listing}");
    }

    #[test]
    fn nothing_means_everything() {
        assert_eq!(names(&[]).expect("nothing is unknown").len(), WORKLOADS.len());
    }

    #[test]
    fn a_prefix_means_all_that_begin_so() {
        assert_eq!(
            names(&["local.random"]).expect("known"),
            ["local.random.10k", "local.random.1m", "local.random.10m"]
        );
    }

    #[test]
    fn a_whole_name_means_itself_alone() {
        assert_eq!(names(&["local.ring.100"]).expect("known"), ["local.ring.100"]);
    }

    #[test]
    fn the_order_is_that_of_the_suite_and_none_comes_twice() {
        assert_eq!(names(&["wake", "local.tell", "local.t"]).expect("known"), ["local.tell", "wake"]);
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = names(&["wake", "lokal"]).expect_err("there is no such workload").to_string();
        assert!(error.contains("`lokal`"), "{error}");
        assert!(WORKLOADS.iter().all(|workload| error.contains(workload.name)), "{error}");
    }
}

//! Paths of deployments: `/user/orders`, or a pattern like `/user/*/worker`, where a star stands for one name.

use std::borrow::Borrow;
use std::fmt;

use corelane_kernel::limits::NAME_MAX;

/// What every path begins with.
pub(crate) const TOP: &str = "/user/";

/// The names of a path; a star stands for any one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DeployPath(String);

/// Why a text is no path of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeployPathError {
    /// It does not begin with `/user/`.
    NotBelowUser,
    /// A name in it is empty.
    EmptyName,
    /// A name in it is longer than [`NAME_MAX`] bytes.
    LongName,
    /// A name in it begins with `$`, which is kept for actors without a name.
    Reserved,
    /// A star stands beside other characters.
    PartialStar,
    /// A character that is in no name.
    BadCharacter(char),
}

impl fmt::Display for DeployPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeployPathError::NotBelowUser => f.write_str("a path begins with /user/"),
            DeployPathError::EmptyName => f.write_str("a name in a path is not empty"),
            DeployPathError::LongName => write!(f, "a name in a path has at most {NAME_MAX} bytes"),
            DeployPathError::Reserved => f.write_str("a name does not begin with $"),
            DeployPathError::PartialStar => {
                f.write_str("a * stands for one whole name, not for a part of one")
            }
            DeployPathError::BadCharacter(found) => write!(f, "{found:?} is in no name"),
        }
    }
}

impl std::error::Error for DeployPathError {}

/// So that the paths of actors are looked up as they are.
impl Borrow<str> for DeployPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl DeployPath {
    pub(crate) fn parse(text: &str) -> Result<DeployPath, DeployPathError> {
        let names = text.strip_prefix(TOP).ok_or(DeployPathError::NotBelowUser)?;
        names.split('/').filter(|name| *name != "*").try_for_each(check_name)?;
        Ok(DeployPath(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0[TOP.len()..].split('/')
    }

    pub(crate) fn is_pattern(&self) -> bool {
        self.names().any(|name| name == "*")
    }

    /// Whether this is a pattern, or the path, of the actor of a path.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let Some(names) = path.strip_prefix(TOP) else { return false };
        let (mut own, mut names) = (self.names(), names.split('/'));
        loop {
            match (own.next(), names.next()) {
                (None, None) => return true,
                (Some(own), Some(name)) if own == "*" && !name.is_empty() || own == name => {}
                _ => return false,
            }
        }
    }

    /// Least for the most specific: fewest stars, then the first star last. Different patterns of one actor differ in
    /// it.
    pub(crate) fn specificity(&self) -> (usize, Vec<bool>) {
        let stars: Vec<bool> = self.names().map(|name| name == "*").collect();
        (stars.iter().filter(|star| **star).count(), stars)
    }
}

/// The rules of [`Spawner::name`](corelane_kernel::Spawner::name), but for the star.
fn check_name(name: &str) -> Result<(), DeployPathError> {
    if name.is_empty() {
        return Err(DeployPathError::EmptyName);
    }
    if name.len() > NAME_MAX {
        return Err(DeployPathError::LongName);
    }
    if name.starts_with('$') {
        return Err(DeployPathError::Reserved);
    }
    if name.contains('*') {
        return Err(DeployPathError::PartialStar);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.$+:@&=,!~';()".contains(c);
    name.chars().find(|c| !allowed(*c)).map_or(Ok(()), |found| Err(DeployPathError::BadCharacter(found)))
}

#[cfg(test)]
mod tests {
    use corelane_kernel::SpawnError;

    use super::*;
    use crate::memory::tests::kernel;

    #[test]
    fn what_is_no_path_is_refused_with_the_reason() {
        let long = format!("/user/{}", "a".repeat(NAME_MAX + 1));
        for (text, error) in [
            ("", DeployPathError::NotBelowUser),
            ("orders", DeployPathError::NotBelowUser),
            ("/user", DeployPathError::NotBelowUser),
            ("/system/orders", DeployPathError::NotBelowUser),
            ("/user/", DeployPathError::EmptyName),
            ("/user/a//b", DeployPathError::EmptyName),
            ("/user/a/", DeployPathError::EmptyName),
            ("/user/$a", DeployPathError::Reserved),
            ("/user/a*", DeployPathError::PartialStar),
            ("/user/**", DeployPathError::PartialStar),
            ("/user/a b", DeployPathError::BadCharacter(' ')),
            ("/user/ä", DeployPathError::BadCharacter('ä')),
            (&long, DeployPathError::LongName),
        ] {
            assert_eq!(DeployPath::parse(text), Err(error), "{text:?}");
        }
        for text in ["/user/a", "/user/*", "/user/a/*/b", "/user/-_.$+:@&=,!~';()"] {
            assert!(DeployPath::parse(text).is_ok(), "{text:?}");
        }
    }

    /// The kernel keeps its rule to itself, so it is asked about every character that may begin or go on a name.
    #[test]
    fn names_in_paths_are_those_that_a_kernel_gives() {
        use corelane_kernel::{Actor, Ctx, Outcome};

        struct Nobody;
        impl Actor for Nobody {
            type Msg = ();
            fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
                Ok(())
            }
        }
        let mut kernel = kernel();
        for c in (0..=0xff).map(char::from).filter(|c| !"*/".contains(*c)) {
            for name in [format!("{c}"), format!("a{c}")] {
                let spawned = kernel.scope().spawner().name(&name).spawn(Nobody);
                let path = DeployPath::parse(&format!("{TOP}{name}"));
                assert_eq!(
                    spawned == Err(SpawnError::BadName),
                    path.is_err(),
                    "{name:?}: {spawned:?}, {path:?}"
                );
            }
        }
    }
}

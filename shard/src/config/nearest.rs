//! What somebody may have meant who wrote a name that there is not.

use strsim::damerau_levenshtein;

/// A longer name is compared with nothing: it is no slip of the keyboard.
const LONGEST: usize = 64;

/// The candidate that is most like a name, if one is so like it that a slip explains the difference: one letter in three.
pub(crate) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_lowercase();
    let candidates = candidates.into_iter().map(|candidate| {
        // A key may be known by its last part, written where it does not stand.
        let last = candidate.rsplit('.').next().unwrap_or(candidate);
        let whole = damerau_levenshtein(&name, candidate);
        (whole.min(damerau_levenshtein(&name, last)), whole, candidate)
    });
    let (distance, _, candidate) = candidates.min()?;
    (distance <= (name.chars().count() / 3).max(1)).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_other_names_are_not() {
        let keys = ["name", "lane_bytes", "gateway_bytes", "kernel.budget", "kernel.shares.bulk", "kernel"];
        for (name, meant) in [
            ("lane_byte", Some("lane_bytes")),
            ("lane-bytes", Some("lane_bytes")),
            ("laneBytes", Some("lane_bytes")),
            ("LANE_BYTES", Some("lane_bytes")),
            ("nmae", Some("name")),
            ("budget", Some("kernel.budget")),
            ("kernal", Some("kernel")),
            ("kernel.share.bulk", Some("kernel.shares.bulk")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, keys), meant, "{name:?}");
        }
        assert_eq!(nearest(&"name".repeat(100), keys), None);
    }
}

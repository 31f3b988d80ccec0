//! Amounts with a unit, as people write them: `64 KiB`, `1.5 s`.
//!
//! Sizes and times are read and written by the same rules: a number that is not negative, with at most nine decimals, and
//! a unit, with or without a blank between. An amount that is no whole number of the smallest unit is refused, and what is
//! written is read back as the same amount.

/// A unit by all its names, the first of which is written; and how many of the smallest unit it is.
type Unit = (&'static [&'static str], u64);

/// Units of size, in bytes.
pub(crate) const SIZES: &[Unit] = &[
    (&["bytes", "byte", "B"], 1),
    (&["KiB"], 1 << 10),
    (&["MiB"], 1 << 20),
    (&["GiB"], 1 << 30),
    (&["TiB"], 1 << 40),
];

/// Units of time, in nanoseconds.
pub(crate) const TIMES: &[Unit] = &[
    (&["ns", "nanosecond", "nanoseconds"], 1),
    (&["us", "µs", "μs", "microsecond", "microseconds"], 1_000),
    (&["ms", "millisecond", "milliseconds"], 1_000_000),
    (&["s", "sec", "second", "seconds"], 1_000_000_000),
    (&["min", "minute", "minutes"], 60 * 1_000_000_000),
    (&["h", "hour", "hours"], 3600 * 1_000_000_000),
    (&["d", "day", "days"], 24 * 3600 * 1_000_000_000),
];

/// Names of sizes that mean powers of ten to some and powers of two to others.
const AMBIGUOUS: &str = "KMGT";

/// Most decimals of a number.
const DECIMALS_MAX: usize = 9;

/// The amount in the smallest unit, or why there is none, in words for a person; no words where the text is nothing like
/// an amount.
pub(crate) fn parse(text: &str, units: &[Unit]) -> Result<u64, Option<String>> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let has_digits = !whole.is_empty() && decimals.is_empty() != number.contains('.');
    if !has_digits || decimals.contains('.') {
        return Err(None);
    }
    let named = |(names, _): &&Unit| names.iter().any(|name| name.eq_ignore_ascii_case(unit));
    let Some((_, size)) = units.iter().find(named) else { return Err(unknown_unit(unit, units)) };
    let too_large = || Some("it is too large".to_owned());
    if decimals.len() > DECIMALS_MAX {
        return Err(Some(format!("it has more than {DECIMALS_MAX} decimals")));
    }
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let scale = 10u128.pow(u32::try_from(decimals.len()).unwrap_or(0));
    let parts = decimals.bytes().fold(0u128, |parts, digit| 10 * parts + u128::from(digit - b'0'));
    let amount = (u128::from(whole) * scale + parts).checked_mul(u128::from(*size)).ok_or_else(too_large)?;
    if !amount.is_multiple_of(scale) {
        return Err(Some(format!("it is no whole number of {}", units[0].0[0])));
    }
    u64::try_from(amount / scale).map_err(|_| too_large())
}

fn unknown_unit(unit: &str, units: &[Unit]) -> Option<String> {
    let names: Vec<_> = units.iter().map(|(names, _)| names[0]).collect();
    if unit.is_empty() {
        return Some(format!("its unit is missing: one of {}", names.join(", ")));
    }
    let prefix = unit.chars().next().map(|c| c.to_ascii_uppercase()).filter(|c| AMBIGUOUS.contains(*c));
    let decimal = unit.len() == 1 || (unit.len() == 2 && unit.ends_with(['b', 'B']));
    match prefix.filter(|_| decimal && names.contains(&"KiB")) {
        Some(prefix) => Some(format!("{unit} means different things to different people; write {prefix}iB")),
        None => Some(format!("its unit must be one of {}", names.join(", "))),
    }
}

/// The amount in the largest unit of which it is a whole number.
pub(crate) fn format(amount: u64, units: &[Unit]) -> String {
    let fits = |(_, size): &&Unit| amount != 0 && amount.is_multiple_of(*size);
    let (names, size) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    format!("{} {}", amount / size, names[0])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_as_people_write_them() {
        for (text, bytes) in [
            ("64 KiB", 64 << 10),
            ("64KiB", 64 << 10),
            (" 64 kib ", 64 << 10),
            ("1.5 MiB", 3 << 19),
            ("0.5 GiB", 1 << 29),
            ("1 byte", 1),
            ("512 B", 512),
            ("0 bytes", 0),
            ("2 TiB", 2 << 40),
        ] {
            assert_eq!(parse(text, SIZES), Ok(bytes), "{text:?}");
        }
        for (text, nanos) in [
            ("10 s", 10_000_000_000),
            ("1.5s", 1_500_000_000),
            ("250 µs", 250_000),
            ("2 minutes", 120_000_000_000),
            ("0.000000001 s", 1),
        ] {
            assert_eq!(parse(text, TIMES), Ok(nanos), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused_with_the_reason() {
        for (text, reason) in [
            ("64", "unit is missing"),
            ("64 KB", "write KiB"),
            ("64 m", "write MiB"),
            ("64 parsecs", "one of bytes, KiB"),
            ("0.3 bytes", "no whole number of bytes"),
            ("0.0000000001 TiB", "decimals"),
            ("99999999999999999999 bytes", "too large"),
            ("17179869184 GiB", "too large"),
            ("1,5 KiB", "one of bytes, KiB"),
        ] {
            let refused = parse(text, SIZES).unwrap_err().unwrap_or_default();
            assert!(refused.contains(reason), "{text:?}: {refused:?}");
        }
        for text in ["", "KiB", "-1 KiB", ".5 KiB", "5. KiB", "1.2.3 KiB", "ten KiB", "."] {
            assert_eq!(parse(text, SIZES), Err(None), "{text:?}");
        }
        let most = format!("{}.999999999 d", u64::MAX);
        assert_eq!(parse(&most, TIMES), Err(Some("it is too large".to_owned())));
        assert!(parse("5 m", TIMES).unwrap_err().unwrap().contains("min"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(amount: u64) {
            for units in [SIZES, TIMES] {
                prop_assert_eq!(parse(&format(amount, units), units), Ok(amount));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9]{0,22}\\.?[0-9]{0,11} ?(bytes|TiB|d|ns|\\PC{0,3})") {
            let _ = (parse(&text, SIZES), parse(&text, TIMES));
        }
    }
}

//! The results for people: a line for each workload, printed when it is done.
//!
//! The columns have fixed widths, so that the first line can be printed before the last figure is known.

use std::io::{self, Write};

use corelane::workloads::{Scale, Unit};

use super::conditions::Conditions;
use super::figures::Row;

/// Prints the conditions of measurement and the heads of the columns.
pub(super) fn head(
    out: &mut impl Write,
    conditions: &Conditions,
    workloads: usize,
    runs: u32,
    scale: Scale,
) -> io::Result<()> {
    let counts = match scale {
        Scale::Full => "full counts",
        Scale::Quick => "quick counts",
    };
    let workloads = if workloads == 1 { "1 workload".to_owned() } else { format!("{workloads} workloads") };
    let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs each") };
    writeln!(out, "corelane {}: {workloads}, {runs}, {counts}", env!("CARGO_PKG_VERSION"))?;
    write!(out, "{conditions}")?;
    writeln!(out, "Every figure is a cost: smaller is better, and a ratio of 1.00 is the bound.\n")?;
    writeln!(
        out,
        "{:<18}  {:>9}  {:>9}  {:>9}  {:<13}  {:>18}  {:>9}  {:>5}",
        "name", "median", "min", "max", "unit", "rate", "raw", "ratio"
    )
}

/// Prints one row.
pub(super) fn row(out: &mut impl Write, row: &Row) -> io::Result<()> {
    let raw = row.raw.map_or_else(|| "-".to_owned(), figure);
    let ratio = row.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    writeln!(
        out,
        "{:<18}  {:>9}  {:>9}  {:>9}  {:<13}  {:>18}  {raw:>9}  {ratio:>5}",
        row.name,
        figure(row.cost.median),
        figure(row.cost.min),
        figure(row.cost.max),
        row.unit,
        rate(row),
    )
}

/// What the median cost comes to by the second or by the GiB.
fn rate(row: &Row) -> String {
    let median = row.cost.median;
    match row.unit {
        Unit::NanosPerMessage | Unit::NanosPerRoundTrip => {
            format!("{} messages/s", scaled(f64::from(row.messages) * 1e9 / median))
        }
        Unit::NanosPerActor => format!("{} actors/s", scaled(1e9 / median)),
        Unit::NanosPerRestart => format!("{} restarts/s", scaled(1e9 / median)),
        // No rate comes of the slowest.
        Unit::NanosAtP99 | Unit::NanosPerJoin => "-".to_owned(),
        Unit::BytesPerActor => format!("{} actors/GiB", scaled(f64::from(1 << 30) / median)),
    }
}

/// A number with the prefix that leaves one to three digits before the point.
fn scaled(number: f64) -> String {
    let (number, prefix) = match number {
        n if n >= 1e9 => (n / 1e9, " G"),
        n if n >= 1e6 => (n / 1e6, " M"),
        n if n >= 1e3 => (n / 1e3, " k"),
        n => (n, ""),
    };
    let decimals = if number < 100.0 { 1 } else { 0 };
    format!("{number:.decimals$}{prefix}")
}

/// A cost with about as many digits as mean something.
fn figure(cost: f64) -> String {
    let decimals = match cost {
        c if c < 100.0 => 2,
        c if c < 1_000.0 => 1,
        _ => 0,
    };
    format!("{cost:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::super::figures::Summary;
    use super::*;

    fn line(unit: Unit, messages: u32, median: f64, raw: Option<f64>) -> Vec<String> {
        let cost = Summary { median, min: median / 2.0, max: median * 2.0 };
        let mut out = Vec::new();
        row(&mut out, &Row { name: "x.y", unit, messages, cost, raw }).expect("a vector takes everything");
        let text = String::from_utf8(out).expect("the table is text");
        text.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn a_message_row_shows_messages_a_second_and_the_ratio() {
        assert_eq!(
            line(Unit::NanosPerMessage, 1, 5.0, Some(4.0)),
            ["x.y", "5.00", "2.50", "10.00", "ns/message", "200 M messages/s", "4.00", "1.25"]
        );
    }

    #[test]
    fn a_round_trip_counts_its_messages() {
        assert_eq!(
            line(Unit::NanosPerRoundTrip, 2, 84_000.0, None),
            ["x.y", "84000", "42000", "168000", "ns/round trip", "23.8 k messages/s", "-", "-"]
        );
    }

    #[test]
    fn actors_are_shown_by_the_second_or_by_the_gib() {
        assert_eq!(line(Unit::NanosPerActor, 0, 20.0, None)[5], "50.0 M actors/s");
        assert_eq!(line(Unit::BytesPerActor, 0, 48.0, Some(48.0))[5], "22.4 M actors/GiB");
        assert_eq!(line(Unit::NanosPerRestart, 0, 200.0, None)[5], "5.0 M restarts/s");
        assert_eq!(line(Unit::NanosAtP99, 0, 200.0, None)[5], "-");
    }
}

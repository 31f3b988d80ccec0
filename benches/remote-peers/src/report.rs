//! The figures as a table for people and as JSON.

use std::fmt::Write;

use serde_json::json;

/// The figures of one workload on one system.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    name: &'static str,
    system: &'static str,
    median: f64,
    min: f64,
    max: f64,
}

impl Row {
    /// `None` without figures.
    pub(crate) fn of(name: &'static str, system: &'static str, mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let (&min, &max) = (figures.first()?, figures.last()?);
        let middle = figures.len() / 2;
        let median = match figures.len() % 2 {
            1 => figures[middle],
            _ => (figures[middle - 1] + figures[middle]) / 2.0,
        };
        Some(Self { name, system, median, min, max })
    }
}

/// An array of objects with `system`, `name`, `unit`, `median`, `min` and `max`.
pub(crate) fn json(rows: &[Row]) -> String {
    let figure = |figure: f64| (figure * 100.0).round() / 100.0;
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let Row { name, system, median, min, max } = *row;
            let (median, min, max) = (figure(median), figure(min), figure(max));
            json!({"system": system, "name": name, "unit": "ns/round trip", "median": median, "min": min, "max": max})
                .to_string()
        })
        .collect();
    format!("[\n  {}\n]", lines.join(",\n  "))
}

/// Lines of equal columns; beside each peer how many times Corelane's cost it has.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<10} {:<15} {:>12} {:>12} {:>12}  {:<13} {:>12} {:>9}\n",
        "name", "system", "median", "min", "max", "unit", "per second", "times"
    );
    for row in rows {
        let ours = rows.iter().find(|other| other.name == row.name && other.system == "corelane");
        let times = ours.map_or_else(String::new, |ours| format!("{:.1}", row.median / ours.median));
        let rate = 1e9 / row.median;
        // A string takes everything.
        let _ = writeln!(
            text,
            "{:<10} {:<15} {:>12.1} {:>12.1} {:>12.1}  {:<13} {rate:>12.0} {times:>9}",
            row.name, row.system, row.median, row.min, row.max, "ns/round trip"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |system, figures: &[f64]| Row::of("pingpong", system, figures.to_vec()).unwrap();
        vec![row("corelane", &[10_000.0, 9_000.0, 30_000.0]), row("erlang", &[200_000.0, 100_000.0])]
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        assert_eq!(rows().iter().map(|row| row.median).collect::<Vec<_>>(), [10_000.0, 150_000.0]);
        assert_eq!(Row::of("pingpong", "none", Vec::new()), None);
    }

    #[test]
    fn the_table_says_how_many_times_the_cost() {
        let table = table(&rows());
        let last = |at: usize| table.lines().nth(at).unwrap().split_whitespace().last().unwrap().to_owned();
        assert_eq!((last(1).as_str(), last(2).as_str()), ("1.0", "15.0"), "{table}");
    }

    #[test]
    fn the_json_can_be_read_back() {
        let array: Vec<serde_json::Value> = serde_json::from_str(&json(&rows())).unwrap();
        assert_eq!(
            (array.len(), &array[1]["system"], &array[1]["min"]),
            (2, &"erlang".into(), &100_000.0.into())
        );
    }
}

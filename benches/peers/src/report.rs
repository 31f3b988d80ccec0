//! The figures as a table for people and as JSON.

use serde::Serialize;

use crate::harness::Row;

#[derive(Serialize)]
struct Figure {
    system: &'static str,
    name: &'static str,
    unit: &'static str,
    median: f64,
    min: f64,
    max: f64,
}

/// An array of objects with `system`, `name`, `unit`, `median`, `min` and `max`, one a line.
pub(crate) fn json(rows: &[Row]) -> String {
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let figure = Figure {
                system: row.system,
                name: row.workload.name,
                unit: row.workload.unit(),
                median: hundredths(row.summary.median),
                min: hundredths(row.summary.min),
                max: hundredths(row.summary.max),
            };
            serde_json::to_string(&figure).expect("strings and numbers have a JSON form")
        })
        .collect();
    format!("[\n  {}\n]\n", lines.join(",\n  "))
}

fn hundredths(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

/// Lines of equal columns, a blank line between workloads.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<15} {:<8} {:>10} {:>10} {:>10}  {:<13} {:>14}\n",
        "name", "system", "median", "min", "max", "unit", "per second"
    );
    let mut last = None;
    for row in rows {
        if last.replace(row.workload.name) != Some(row.workload.name) {
            text.push('\n');
        }
        let (summary, unit) = (row.summary, row.workload.unit());
        let rate = row.workload.rate_of().map(|of| format!("{:>14} {of}", thousands(1e9 / summary.median)));
        let line = format!(
            "{:<15} {:<8} {:>10.1} {:>10.1} {:>10.1}  {unit:<13} {}",
            row.workload.name,
            row.system,
            summary.median,
            summary.min,
            summary.max,
            rate.unwrap_or_default()
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A whole number with a comma after every three digits.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::harness::Summary;
    use crate::workload::WORKLOADS;

    fn rows() -> Vec<Row> {
        let summary = Summary { median: 50.126, min: 40.0, max: 1234.5 };
        WORKLOADS.iter().map(|workload| Row { system: "tokio", workload, summary }).collect()
    }

    #[test]
    fn json_has_the_agreed_fields_and_no_others() {
        let array: Vec<Value> = serde_json::from_str(&json(&rows())).unwrap();
        let names: Vec<_> = array.iter().map(|object| object["name"].as_str().unwrap()).collect();
        assert_eq!(names, WORKLOADS.iter().map(|workload| workload.name).collect::<Vec<_>>());
        let unit = "ns/message";
        let (median, min, max) = (50.13, 40.0, 1234.5);
        let expected = json!({
            "system": "tokio", "name": "tell.1core", "unit": unit, "median": median, "min": min, "max": max,
        });
        assert_eq!(array[0], expected);
    }

    #[test]
    fn table_shows_the_rate_beside_a_time_only() {
        let table = table(&rows());
        let line = |name| table.lines().find(|l| l.starts_with(name)).unwrap();
        assert!(line("tell.1core").ends_with("19,949,727 messages"), "{table}");
        assert!(line("bytes").ends_with("bytes/actor"), "{table}");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([thousands(7.0), thousands(123456.0), thousands(1e6)], ["7", "123,456", "1,000,000"]);
    }
}

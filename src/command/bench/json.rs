//! The results for programs: one JSON array.

use std::io::{self, Write};

use serde::Serialize;

use super::figures::Row;

/// One element of the array.
#[derive(Serialize)]
struct Element {
    name: &'static str,
    unit: &'static str,
    median: f64,
    min: f64,
    max: f64,
    raw: Option<f64>,
    ratio: Option<f64>,
}

impl From<&Row> for Element {
    fn from(row: &Row) -> Self {
        Self {
            name: row.name,
            unit: row.unit.as_str(),
            median: round(row.cost.median),
            min: round(row.cost.min),
            max: round(row.cost.max),
            raw: row.raw.map(round),
            ratio: row.ratio().map(round),
        }
    }
}

/// To a thousandth: what lies below is noise.
fn round(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}

/// Writes `rows` as an array with a line for each.
pub(super) fn write(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    out.write_all(b"[")?;
    for (position, row) in rows.iter().enumerate() {
        out.write_all(if position == 0 { b"\n  " } else { b",\n  " })?;
        serde_json::to_writer(&mut *out, &Element::from(row))?;
    }
    out.write_all(b"\n]\n")
}

#[cfg(test)]
mod tests {
    use super::super::figures::Summary;
    use super::*;
    use corelane::workloads::Unit;

    #[test]
    fn the_array_can_be_read_back() {
        let cost = Summary { median: 5.0004, min: 4.0, max: 7.5 };
        let with = Row { name: "a", unit: Unit::NanosPerMessage, messages: 1, cost, raw: Some(4.0) };
        let without = Row { name: "b", unit: Unit::BytesPerActor, messages: 0, cost, raw: None };
        let mut text = Vec::new();
        write(&mut text, &[with, without]).expect("a vector takes everything");
        let read: serde_json::Value = serde_json::from_slice(&text).expect("it is JSON");
        let wanted = serde_json::json!([
            {"name": "a", "unit": "ns/message", "median": 5.0, "min": 4.0, "max": 7.5, "raw": 4.0, "ratio": 1.25},
            {"name": "b", "unit": "bytes/actor", "median": 5.0, "min": 4.0, "max": 7.5, "raw": null, "ratio": null},
        ]);
        assert_eq!(read, wanted);
    }

    #[test]
    fn no_rows_are_an_empty_array() {
        let mut text = Vec::new();
        write(&mut text, &[]).expect("a vector takes everything");
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&text).expect("it is JSON"),
            serde_json::json!([])
        );
    }
}

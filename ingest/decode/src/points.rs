//! Points of one series in a CSV file: a time and a value per row, as exports of dashboards have them.

use std::io::Read;

use grid_model::Timestamp;
use grid_model::time::{MINUTE_NS, SECOND_NS};

use crate::parse_time;

/// Rows that are read.
pub const ROWS_MAX: usize = 10_000_000;
/// Whole numbers below this are no times since 1970 but counted from the start of the file.
const COUNTED: u64 = 10_000_000;
/// Names of the column of times, without case.
const TIMES: [&str; 6] = ["time", "timestamp", "ts", "date", "datetime", "t"];
/// Names of the column of values.
const VALUES: [&str; 5] = ["value", "usage", "v", "y", "count"];

/// Names of the column of marks.
const MARKS: [&str; 4] = ["label", "anomaly", "is_anomaly", "is_change"];

/// A point.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// When.
    pub time: Timestamp,
    /// The same as the file has it; empty if it has none.
    pub written: Box<str>,
    /// The value; NaN is a gap.
    pub value: f64,
    /// What the column of marks says, if there is one: whether a person found this point abnormal.
    pub mark: Option<bool>,
}

/// A file that holds no points.
#[derive(Debug, thiserror::Error)]
pub enum PointsError {
    /// The file cannot be read, or is no CSV.
    #[error("{0}")]
    Csv(#[from] csv::Error),
    /// A cell is not what its column wants.
    #[error("row {row}: {text:?} is not a {wanted}")]
    Cell {
        /// Counted from 1, the header included.
        row: usize,
        /// What is there.
        text: String,
        /// `time` or `number`.
        wanted: &'static str,
    },
    /// There are too many rows.
    #[error("more than {ROWS_MAX} rows")]
    TooMany,
    /// There is nothing.
    #[error("no rows: a time and a value per row are wanted")]
    Empty,
}

/// Reads all points, in the order of the rows. The header names the columns (`time` or `timestamp`, `value` or `usage`); without known names the first
/// column is the time and the second the value, and a single column is values at steps of a minute; a column `label` or `anomaly` holds marks.
/// Times are RFC 3339 or alike, or numbers since 1970; small whole numbers count minutes from the start, or seconds if they go by tens or more. An
/// empty value, `NaN` or `null` is a gap.
pub fn read(input: impl Read) -> Result<Vec<Point>, PointsError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let mut record = csv::StringRecord::new();
    let (mut time_at, mut value_at, mut mark_at) = (Some(0), 1, None);
    let mut points = Vec::new();
    let mut row = 0;
    while reader.read_record(&mut record)? {
        row += 1;
        if row == 1 {
            let column = |names: &[&str]| {
                record.iter().position(|cell| {
                    names.contains(&cell.trim().trim_start_matches('\u{feff}').to_ascii_lowercase().as_str())
                })
            };
            (time_at, value_at) = match (column(&TIMES), column(&VALUES)) {
                (Some(time), Some(value)) => (Some(time), value),
                (Some(time), None) => (Some(time), usize::from(time == 0)),
                (None, Some(value)) if record.len() == 1 || value == 0 => (None, value),
                (None, Some(value)) => (Some(0), value),
                (None, None) if record.len() == 1 => (None, 0),
                (None, None) => (Some(0), 1),
            };
            mark_at = column(&MARKS).filter(|at| *at != value_at);
            // A first row whose value is no number is a header.
            if record.get(value_at).is_none_or(|cell| number(cell).is_none()) {
                continue;
            }
        }
        if points.len() >= ROWS_MAX {
            return Err(PointsError::TooMany);
        }
        let cell = |at: usize| record.get(at).unwrap_or("").trim();
        let wrong = |text: &str, wanted| PointsError::Cell { row, text: text.to_owned(), wanted };
        let value = number(cell(value_at)).ok_or_else(|| wrong(cell(value_at), "number"))?;
        let (time, written) = match time_at {
            Some(at) => (time(cell(at)).ok_or_else(|| wrong(cell(at), "time"))?, cell(at)),
            None => (Timestamp(points.len() as i64 * MINUTE_NS), ""),
        };
        let mark = mark_at.map(|at| marked(cell(at)));
        points.push(Point { time, written: written.into(), value, mark });
    }
    if points.is_empty() {
        return Err(PointsError::Empty);
    }
    seconds(&mut points);
    Ok(points)
}

/// Small numbers are steps that are merely counted, a minute each, unless they are counted by ten or more: then they are seconds.
fn seconds(points: &mut [Point]) {
    let counted = |p: &Point| p.written.parse::<i64>().is_ok_and(|n| n.unsigned_abs() < COUNTED);
    let Some((first, last)) = points.first().zip(points.last()).filter(|_| points.iter().all(counted)) else { return };
    let steps = i64::try_from(points.len()).unwrap_or(i64::MAX) - 1;
    if last.time.0.saturating_sub(first.time.0) < steps.max(1).saturating_mul(10 * MINUTE_NS) {
        return;
    }
    for point in points {
        point.time = Timestamp(point.time.0 / MINUTE_NS * SECOND_NS);
    }
}

fn number(cell: &str) -> Option<f64> {
    match cell.trim() {
        "" | "NaN" | "nan" | "NA" | "null" => Some(f64::NAN),
        text => text.parse().ok(),
    }
}

fn marked(cell: &str) -> bool {
    matches!(cell.to_ascii_lowercase().as_str(), "1" | "1.0" | "true" | "yes")
}

fn time(cell: &str) -> Option<Timestamp> {
    if let Some(time) = parse_time::whole(cell) {
        return Some(time);
    }
    // A day stands for its start, a month for its first day.
    let whole = match (cell.len(), cell.as_bytes().get(4)) {
        (10, Some(b'-')) => parse_time::whole(&format!("{cell}T00:00:00")),
        (7, Some(b'-')) => parse_time::whole(&format!("{cell}-01T00:00:00")),
        _ => None,
    };
    if whole.is_some() {
        return whole;
    }
    match cell.parse::<i64>() {
        Ok(n) if n.unsigned_abs() < COUNTED => n.checked_mul(MINUTE_NS).map(Timestamp),
        Ok(n) => parse_time::of_integer(n),
        Err(_) => parse_time::of_number(cell.parse().ok()?),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn headers_and_forms_of_times() {
        let minute = grid_model::time::MINUTE_NS;
        let day = 1_388_534_400_000_000_000;
        for (text, expected) in [
            (
                "timestamp,value\n2014-01-01 00:00:00,1.5\n2014-01-01 00:05:00,\n",
                vec![(day, 1.5), (day + 5 * minute, f64::NAN)],
            ),
            ("usage,time\n3,1388534400\n", vec![(day, 3.0)]),
            ("2014-01-01T00:00:00Z,7\n", vec![(day, 7.0)]),
            ("value\n1\n2\n", vec![(0, 1.0), (minute, 2.0)]),
            ("5\n6\n", vec![(0, 5.0), (minute, 6.0)]),
            ("t,y\n0,1\n1,2\n", vec![(0, 1.0), (minute, 2.0)]),
            ("t,y\n0,1\n300,2\n600,3\n", vec![(0, 1.0), (5 * minute, 2.0), (10 * minute, 3.0)]),
            ("t,y\n0,1\n5,2\n10,3\n", vec![(0, 1.0), (5 * minute, 2.0), (10 * minute, 3.0)]),
            ("t,y\n300,2\n", vec![(300 * minute, 2.0)]),
            ("month,value\n2014-01,1\n", vec![(day, 1.0)]),
            ("date,value\n2014-01-01,1\n", vec![(day, 1.0)]),
        ] {
            let points: Vec<(i64, u64)> =
                read(text.as_bytes()).unwrap().iter().map(|p| (p.time.0, p.value.to_bits())).collect();
            let expected: Vec<(i64, u64)> = expected.into_iter().map(|(t, v): (i64, f64)| (t, v.to_bits())).collect();
            assert_eq!(points, expected, "{text}");
        }
    }

    #[test]
    fn marks_are_read_where_there_are_some() {
        let marks = |text: &str| read(text.as_bytes()).unwrap().iter().map(|p| p.mark).collect::<Vec<_>>();
        assert_eq!(marks("time,value,label\n0,1,0\n1,2,1\n"), [Some(false), Some(true)]);
        assert_eq!(marks("TimeStamp,Value,is_anomaly\n2014-01-01,1,True\n"), [Some(true)]);
        assert_eq!(marks("time,value\n0,1\n"), [None]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_row() {
        for (text, expected) in [
            ("time,value\n2014-01-01,x\n", "row 2: \"x\" is not a number"),
            ("time,value\n2014-13,1\n", "row 2: \"2014-13\" is not a time"),
            ("time,value\n\u{e9}2014-13-1,1\n", "row 2: \"\u{e9}2014-13-1\" is not a time"),
            ("time,value\nsoon,1\n", "row 2: \"soon\" is not a time"),
            ("", "no rows: a time and a value per row are wanted"),
            ("time,value\n", "no rows: a time and a value per row are wanted"),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
        }
    }
}

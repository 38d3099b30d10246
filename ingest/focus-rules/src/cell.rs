//! One cell: whether it is null, what it says, and what is wrong with its form.
//!
//! A cell is looked at once; all rules then ask its faults. What is costly to read (JSON, units, currencies) is remembered by its text.

use std::collections::HashMap;

use crate::column::{Column, Kind};
use crate::decimal::{self, Decimal};
use crate::limits::{TEXT_BYTES_MAX, TEXTS_MAX};
use crate::rule::{Cells, Keys};
use crate::{currency, key_value, time_text, unit};

/// Not in the format of its column.
pub(crate) const FORM: u64 = 1 << 40;
/// Not of the type of its column.
pub(crate) const TYPE: u64 = 1 << 41;
/// No code of ISO 4217.
pub(crate) const NATIONAL: u64 = 1 << 42;
/// All faults that rules over all cells ask for.
pub(crate) const ANY_CELLS: u64 = (1 << 32) - 1;

/// The fault of a detail.
pub(crate) const fn bit(detail: Cells) -> u64 {
    1 << detail as u8
}

/// The fault of a detail of property names.
pub(crate) const fn key_bit(detail: Keys) -> u64 {
    1 << (32 + detail as u8)
}

/// A cell of the current row.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cell<'r> {
    /// What it says; `None` if it is null, or spells null.
    pub(crate) text: Option<&'r str>,
    /// The cell as it stands, for examples.
    pub(crate) raw: &'r str,
    /// What is wrong with it.
    pub(crate) faults: u64,
    /// Of a number: its value, if it has at most 38 digits.
    pub(crate) number: Option<Decimal>,
    /// Of an instant: seconds since 1970.
    pub(crate) seconds: Option<i64>,
}

/// Reads the cells of one column.
pub(crate) struct CellReader {
    column: Column,
    last: (String, u64),
    known: HashMap<Box<str>, u64>,
}

impl CellReader {
    pub(crate) fn new(column: Column) -> Self {
        Self { column, last: (String::new(), 0), known: HashMap::new() }
    }

    /// Reads a cell.
    pub(crate) fn read<'r>(&mut self, raw: &'r str) -> Cell<'r> {
        let mut cell = Cell { text: Some(raw), raw, ..Cell::default() };
        if raw.is_empty() {
            cell.text = None;
            return cell;
        }
        if raw.len() <= PLACEHOLDER_BYTES_MAX {
            let (faults, null) = placeholder(raw, self.column);
            cell.faults = faults;
            if null {
                cell.text = None;
                return cell;
            }
        }
        if !raw.is_ascii() && raw.contains(char::REPLACEMENT_CHARACTER) {
            cell.faults |= bit(Cells::TextUnicode);
        }
        match self.column.kind() {
            Kind::Text => {}
            Kind::Number => {
                let (faults, number) = decimal::read(raw);
                cell.faults |= faults;
                cell.number = number;
            }
            Kind::Time => {
                let (faults, seconds) = time_text::read(raw);
                cell.faults |= faults;
                cell.seconds = seconds;
            }
            Kind::KeyValue | Kind::Json | Kind::Unit | Kind::Currency => cell.faults |= self.remembered(raw),
        }
        cell
    }

    fn remembered(&mut self, raw: &str) -> u64 {
        if self.last.0 == raw {
            return self.last.1;
        }
        let faults = match self.known.get(raw) {
            Some(faults) => *faults,
            None => {
                let faults = match self.column.kind() {
                    Kind::KeyValue => key_value::faults(raw),
                    Kind::Json => key_value::json_faults(raw),
                    Kind::Unit => unit::faults(raw),
                    _ => currency::faults(raw, self.column == Column::PricingCurrency),
                };
                if self.known.len() < TEXTS_MAX && raw.len() <= TEXT_BYTES_MAX {
                    self.known.insert(raw.into(), faults);
                }
                faults
            }
        };
        if raw.len() <= TEXT_BYTES_MAX {
            self.last.0.clear();
            self.last.0.push_str(raw);
            self.last.1 = faults;
        }
        faults
    }
}

const PLACEHOLDER_BYTES_MAX: usize = 14;

/// Words that stand for a missing value, and whether they are read as null, as Grid's importer and the public validator do.
fn placeholder(raw: &str, column: Column) -> (u64, bool) {
    let first = raw.as_bytes().first().copied().unwrap_or(0);
    if !matches!(first, b'n' | b'N' | b'-' | b'\\' | b' ' | b'\t') {
        return (0, false);
    }
    let word = raw.trim();
    let is = |words: &[&str]| words.iter().any(|w| word.eq_ignore_ascii_case(w));
    let placeholder = bit(Cells::NullPlaceholder);
    if word.is_empty() {
        let blank = if column.is_nullable() { 0 } else { bit(Cells::TextBlank) };
        (placeholder | blank, true)
    } else if is(&["null", "\\n"]) {
        (placeholder | bit(Cells::NullSpelt), true)
    } else if is(&["none", "nil", "nan"]) {
        (placeholder | bit(Cells::NullSpelt), false)
    } else if is(&["n/a", "not applicable", "not available", "-", "--"]) {
        (placeholder, false)
    } else {
        (0, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::names;

    #[test]
    fn nulls_and_words_for_it() {
        let cases = [
            (Column::RegionId, "", "", true),
            (Column::RegionId, "NULL", "NullSpelt NullPlaceholder", true),
            (Column::RegionId, "\\N", "NullSpelt NullPlaceholder", true),
            (Column::RegionId, "None", "NullSpelt NullPlaceholder", false),
            (Column::RegionId, "N/A", "NullPlaceholder", false),
            (Column::RegionId, "Not Applicable", "NullPlaceholder", false),
            (Column::RegionId, "  ", "NullPlaceholder", true),
            (Column::ServiceName, "  ", "TextBlank NullPlaceholder", true),
            (Column::RegionId, "northeurope", "", false),
            (Column::RegionId, "Z\u{fc}rich", "", false),
            (Column::RegionId, "Z\u{fffd}rich", "TextUnicode", false),
        ];
        for (column, text, expected, null) in cases {
            let mut reader = CellReader::new(column);
            let cell = reader.read(text);
            assert_eq!((names(cell.faults).as_str(), cell.text.is_none()), (expected, null), "{text:?}");
        }
    }

    #[test]
    fn a_remembered_text_reads_as_it_did() {
        let mut reader = CellReader::new(Column::PricingUnit);
        for _ in 0..2 {
            for (text, faults) in [("Hours", 0), ("hours", bit(Cells::UnitCase)), ("Hours", 0)] {
                assert_eq!(reader.read(text).faults, faults);
            }
        }
    }
}

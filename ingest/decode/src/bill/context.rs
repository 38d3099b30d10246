//! What a mapping may use, and must tell, while it maps a row.

use std::borrow::Cow;

use grid_model::money::{AmountError, Residual};
use grid_model::table::charges::Column;
use grid_model::{Amount, Timestamp};

use super::date::{self, ReadDate};
use super::number;
use super::totals::{BillSummary, Exact, Note};

/// What a mapping may use and must tell while it maps a row.
pub(crate) struct MapContext<'c> {
    pub(crate) notes: &'c mut Notes,
    pub(crate) dates: &'c mut DateCache,
    pub(crate) placeholders: &'c mut Tally,
    /// What rounding took from cost columns of this row other than the billed cost.
    pub(crate) rounded: &'c mut Vec<(Column, Residual)>,
    pub(crate) row: u64,
}

impl MapContext<'_> {
    /// Tells of something that does not conform but costs no row.
    pub(crate) fn note(&mut self, what: &'static str) {
        self.notes.add(what, self.row);
    }

    /// As [`MapContext::note`], in words that are made up for the row.
    pub(crate) fn note_of(&mut self, what: String) {
        self.notes.add_owned(what, self.row);
    }

    /// Tells of a null that is spelt out.
    pub(crate) fn placeholder(&mut self) {
        self.placeholders.add(self.row);
    }

    /// Reads a date of one of the four date columns, and tells if it is not in FOCUS' form.
    pub(crate) fn date(&mut self, column: &'static str, slot: usize, text: &str) -> Result<Timestamp, String> {
        let cache = &mut self.dates.0[slot];
        let read =
            cache.read(text, 0, date::parse).ok_or_else(|| format!("{column} {} is not a date", quoted(text)))?;
        if !read.conformant {
            cache.column = column;
            cache.odd.add(self.row);
        }
        Ok(read.time)
    }

    /// Reads a date by a rule of the source; nobody is told of its form. `rule` tells the rules of one slot apart.
    pub(crate) fn date_by(
        &mut self,
        column: &str,
        slot: usize,
        text: &str,
        (rule, parse): (u8, impl Fn(&str) -> Option<ReadDate>),
    ) -> Result<Timestamp, String> {
        let read = self.dates.0[slot].read(text, rule, parse);
        read.map(|r| r.time).ok_or_else(|| format!("{column} {} is not a date", quoted(text)))
    }

    /// Reads a number that is no cost, telling of digits that rounding took. `name` is what the source calls it.
    pub(crate) fn amount(&mut self, name: &str, text: &str) -> Result<Amount, String> {
        let (amount, residual) = number::parse(text).map_err(|e| unreadable(name, &e))?;
        if residual != Residual(0) {
            self.note_of(format!("{name} has more than 18 decimals: rounded half to even"));
        }
        Ok(amount)
    }

    /// Reads a cost other than the billed one; what rounding takes counts to its column.
    pub(crate) fn cost(&mut self, column: Column, name: &str, text: &str) -> Result<Amount, String> {
        let (amount, residual) = number::parse(text).map_err(|e| unreadable(name, &e))?;
        self.rounding(column, residual);
        Ok(amount)
    }

    /// What rounding took from a cost column of this row.
    pub(crate) fn rounding(&mut self, column: Column, residual: Residual) {
        if residual != Residual(0) {
            self.rounded.push((column, residual));
        }
    }
}

/// Why a cell is no number.
pub(crate) fn unreadable(name: &str, why: &AmountError) -> String {
    format!("{name} {}", shortened(&why.to_string()))
}

/// A foreign text in quotes, shortened for a message.
pub(crate) fn quoted(text: &str) -> String {
    shortened(&format!("{text:?}")).into_owned()
}

pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    const CHARS_MAX: usize = 120;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Counts something that may be wrong in every cell.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    first_row: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, row: u64) {
        if self.count == 0 {
            self.first_row = row;
        }
        self.count += 1;
    }

    pub(crate) fn into_note(self, file: &str) -> Note {
        Note { count: self.count, file: file.to_owned(), first_row: self.first_row }
    }
}

/// Kinds of notes that are kept; what comes up later is counted under one.
const NOTES_MAX: usize = 1000;
const OTHER_NOTES: &str = "further kinds of deviations";

/// The notes of one file. Fixed words are found by their address: a bill may earn the same note in every row.
#[derive(Default)]
pub(crate) struct Notes {
    fixed: Vec<(&'static str, Tally)>,
    made_up: std::collections::BTreeMap<String, Tally>,
}

impl Notes {
    pub(crate) fn add(&mut self, what: &'static str, row: u64) {
        match self.fixed.iter_mut().find(|(known, _)| std::ptr::eq(*known, what)) {
            Some((_, tally)) => tally.add(row),
            None => {
                let mut tally = Tally::default();
                tally.add(row);
                self.fixed.push((what, tally));
            }
        }
    }

    pub(crate) fn add_owned(&mut self, what: String, row: u64) {
        if self.made_up.len() >= NOTES_MAX && !self.made_up.contains_key(&what) {
            return self.add(OTHER_NOTES, row);
        }
        self.made_up.entry(what).or_default().add(row);
    }

    /// Moves them into a summary.
    pub(crate) fn end(self, file: &str, summary: &mut BillSummary) {
        let fixed = self.fixed.into_iter().map(|(what, tally)| (what.to_owned(), tally));
        for (what, tally) in fixed.chain(self.made_up) {
            let note = tally.into_note(file);
            let known = summary.notes.entry(what).or_insert(Note { count: 0, ..note.clone() });
            known.count += note.count;
            known.first_row = known.first_row.min(note.first_row);
        }
    }
}

/// The last date of each date column: neighbouring rows mostly share them.
#[derive(Default)]
pub(crate) struct DateCache(pub(crate) [LastDate; 4]);

#[derive(Default)]
pub(crate) struct LastDate {
    text: String,
    rule: u8,
    read: Option<ReadDate>,
    pub(crate) column: &'static str,
    /// Dates that are readable but not in FOCUS' form.
    pub(crate) odd: Tally,
}

impl LastDate {
    fn read(&mut self, text: &str, rule: u8, parse: impl Fn(&str) -> Option<ReadDate>) -> Option<ReadDate> {
        if self.read.is_none() || self.rule != rule || self.text != text {
            self.read = parse(text);
            self.rule = rule;
            self.text.clear();
            self.text.push_str(text);
        }
        self.read
    }
}

/// An amount with what rounding to 18 decimals took from it.
pub(crate) fn exact((amount, residual): (Amount, Residual)) -> Exact {
    Exact::new(amount, residual)
}

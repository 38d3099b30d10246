//! Bills: FOCUS 1.0 to 1.4 (CSV, gzipped CSV, Parquet) and AWS CUR into `charges`, with an exact reconciliation.
//!
//! [`BillReader`] streams one file: batches of charges come out as rows go in, and [`BillReader::finish`] answers what the
//! file held ([`BillSummary`]). Which format it is, its header says ([`BillFormat::detect`]). The mapping of a format's
//! columns is in [`crate::focus`] and [`crate::cur`]; what an import does with the files it is given, in [`plan`].
//!
//! Architecture invariants:
//! - No float ever holds money: a double of a Parquet file is read by its shortest decimal text.
//! - Every row is stored or listed as rejected with its number and reason, and its cost is in exactly one of the two sums.

pub mod date;
pub mod manifest;
pub mod number;
pub mod plan;
pub mod totals;
mod csv_rows;
mod parquet_rows;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use bytes::{Buf, Bytes};
use grid_model::money::Residual;
use grid_model::table::charges::{BILLED_COST, ChargeRow, ChargesBuilder, Column, Origin};
use grid_model::{Amount, Currency, Timestamp};
use parquet::file::reader::ChunkReader;

use self::csv_rows::CsvRows;
pub use self::csv_rows::{COLUMNS_MAX, RECORD_BYTES_MAX};
use self::parquet_rows::ParquetRows;
pub use self::totals::{BillSummary, CurrencyTotal, Exact, Note, RejectedRow, TotalOverflow};
use crate::cur::CurMapping;
use crate::focus::FocusMapping;

/// Rows of a batch.
pub const BATCH_ROWS: usize = 8192;
/// The first bytes of a Parquet file.
pub const PARQUET_MAGIC: &[u8] = b"PAR1";
/// Longest currency text that is taken for one.
const CURRENCY_BYTES_MAX: usize = 32;

/// Why a file could not be read as a bill at all.
#[derive(Debug, thiserror::Error)]
pub enum BillError {
    /// Nothing in it, not even a header.
    #[error("the file is empty")]
    Empty,
    /// Reading or inflating failed.
    #[error("cannot read the file")]
    Read(#[source] io::Error),
    /// The text is no CSV.
    #[error("not a CSV file: {0}")]
    NotCsv(String),
    /// The bytes are no Parquet that we can read.
    #[error("not a readable Parquet file: {0}")]
    NotParquet(String),
    /// The header is of no known format.
    #[error(
        "neither a FOCUS nor an AWS CUR header: no column is called BilledCost or lineItem/UnblendedCost; the columns are {0}"
    )]
    UnknownFormat(String),
    /// The header lacks columns that its format demands.
    #[error("not a complete {format} header: mandatory column{} {} missing", if .columns.len() == 1 { "" } else { "s" }, and_are(.columns))]
    MissingColumns {
        /// The format.
        format: BillFormat,
        /// The missing columns, by the format's own names.
        columns: Vec<&'static str>,
    },
    /// A total left 38 digits.
    #[error(transparent)]
    Overflow(#[from] TotalOverflow),
}

fn and_are(columns: &[&str]) -> String {
    let verb = if columns.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", columns.join(", "))
}

/// The formats of bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BillFormat {
    /// FinOps Open Cost and Usage Specification.
    Focus,
    /// AWS Cost and Usage Report, legacy and 2.0.
    AwsCur,
}

impl BillFormat {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Focus, Self::AwsCur];

    /// The name on the command line and in column `source`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Focus => "focus",
            Self::AwsCur => "aws-cur",
        }
    }

    /// From the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// The format that a header belongs to.
    pub fn detect(header: &[String]) -> Option<Self> {
        let has = |name: &str| header.iter().any(|h| canonical(h) == name);
        if has("billedcost") {
            Some(Self::Focus)
        } else if has("lineitemunblendedcost") {
            Some(Self::AwsCur)
        } else {
            None
        }
    }
}

impl fmt::Display for BillFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Focus => "FOCUS",
            Self::AwsCur => "AWS CUR",
        })
    }
}

/// A column's name without case and punctuation: `BilledCost`, `billed_cost` and `billed cost` are one column, as are
/// `lineItem/UnblendedCost` and `line_item_unblended_cost`.
pub(crate) fn canonical(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// What a reader is told besides the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BillOptions {
    /// The format; `None` to go by the header.
    pub format: Option<BillFormat>,
    /// The import to which the rows belong.
    pub import_id: String,
    /// The file's name as it will be shown.
    pub file: String,
}

/// The cells of the current row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r>(RowKind<'r>);

#[derive(Clone, Copy)]
enum RowKind<'r> {
    Csv(&'r csv::StringRecord),
    Parquet(&'r ParquetRows),
}

impl<'r> Row<'r> {
    fn len(self) -> usize {
        match self.0 {
            RowKind::Csv(r) => r.len(),
            RowKind::Parquet(p) => p.len(),
        }
    }

    /// A cell as the source has it.
    pub(crate) fn raw(self, column: usize) -> Option<&'r str> {
        match self.0 {
            RowKind::Csv(r) => r.get(column),
            RowKind::Parquet(p) => p.cell(column),
        }
    }

    /// A cell, unless it is empty or spells null.
    pub(crate) fn get(self, column: usize) -> Option<&'r str> {
        self.raw(column).filter(|s| !is_null(s))
    }

    /// The row as one line of CSV, cut at the bound.
    fn to_csv(self) -> String {
        let mut out = String::new();
        for i in 0..self.len() {
            if i > 0 {
                out.push(',');
            }
            let cell = self.raw(i).unwrap_or("");
            if cell.contains([',', '"', '\n', '\r']) {
                out.push('"');
                out.push_str(&cell.replace('"', "\"\""));
                out.push('"');
            } else {
                out.push_str(cell);
            }
            if out.len() > totals::RAW_BYTES_MAX {
                let end = (0..=totals::RAW_BYTES_MAX).rev().find(|n| out.is_char_boundary(*n)).unwrap_or(0);
                out.truncate(end);
                break;
            }
        }
        out
    }
}

/// Whether a cell spells null. FOCUS allows only nothing; exports of databases write `NULL` or `\N`.
fn is_null(cell: &str) -> bool {
    let cell = cell.trim();
    cell.is_empty() || cell.eq_ignore_ascii_case("null") || cell == "\\N"
}

enum Rows {
    Csv(Box<CsvRows>),
    Parquet(Box<ParquetRows>),
}

enum Mapping {
    Focus(Box<FocusMapping>),
    Cur(Box<CurMapping>),
}

/// What a mapping may use and must tell while it maps a row.
pub(crate) struct MapContext<'c> {
    summary: &'c mut BillSummary,
    dates: &'c mut DateCache,
    placeholders: &'c mut Tally,
    file: &'c str,
    row: u64,
}

/// Counts something that may be wrong in every cell, without looking its note up each time.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    count: u64,
    first_row: u64,
}

impl Tally {
    fn add(&mut self, row: u64) {
        if self.count == 0 {
            self.first_row = row;
        }
        self.count += 1;
    }
}

impl MapContext<'_> {
    /// Tells of something that does not conform but costs no row.
    pub(crate) fn note(&mut self, what: impl AsRef<str>) {
        self.summary.note(what.as_ref(), self.file, self.row);
    }

    /// Tells of a null that is spelt out.
    pub(crate) fn placeholder(&mut self) {
        self.placeholders.add(self.row);
    }

    /// Reads a date of one of the four date columns.
    pub(crate) fn date(&mut self, column: &'static str, slot: usize, text: &str) -> Result<Timestamp, String> {
        let cache = &mut self.dates.0[slot];
        let read = cache.parse(text).ok_or_else(|| format!("{column} {} is not a date", quoted(text)))?;
        if !read.conformant {
            cache.column = column;
            cache.odd.add(self.row);
        }
        Ok(read.time)
    }

    /// Reads a number that is not the billed cost, telling of digits that rounding took.
    pub(crate) fn amount(&mut self, column: &str, text: &str) -> Result<Amount, String> {
        let (amount, residual) = number::parse(text).map_err(|e| format!("{column} {}", shortened(&e.to_string())))?;
        if residual != Residual(0) {
            self.note(format!("{column} has more than 18 decimals: rounded half to even"));
        }
        Ok(amount)
    }
}

/// A foreign text in quotes, shortened for a message.
pub(crate) fn quoted(text: &str) -> String {
    shortened(&format!("{text:?}")).into_owned()
}

fn shortened(text: &str) -> Cow<'_, str> {
    const CHARS_MAX: usize = 120;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// The last date of each date column: neighbouring rows mostly share them.
#[derive(Default)]
struct DateCache([LastDate; 4]);

#[derive(Default)]
struct LastDate {
    last: Option<(String, date::ReadDate)>,
    column: &'static str,
    /// Dates that are readable but not in FOCUS' form.
    odd: Tally,
}

impl LastDate {
    fn parse(&mut self, text: &str) -> Option<date::ReadDate> {
        match &self.last {
            Some((known, read)) if known == text => Some(*read),
            _ => {
                let read = date::parse(text)?;
                self.last = Some((text.to_owned(), read));
                Some(read)
            }
        }
    }
}

/// Streams one file of a bill.
pub struct BillReader {
    rows: Rows,
    mapping: Mapping,
    columns: usize,
    import_id: String,
    file: String,
    builder: ChargesBuilder,
    dates: DateCache,
    placeholders: Tally,
    last_period: Option<(String, Timestamp)>,
    summary: BillSummary,
    done: bool,
}

impl BillReader {
    /// A CSV file, gzipped or not.
    pub fn csv(input: Box<dyn Read + Send>, options: BillOptions) -> Result<Self, BillError> {
        let (rows, header) = CsvRows::open(input)?;
        Self::new(Rows::Csv(Box::new(rows)), &header, options)
    }

    /// A Parquet file.
    pub fn parquet<C: ChunkReader + 'static>(input: C, options: BillOptions) -> Result<Self, BillError> {
        let (rows, header) = ParquetRows::open(input)?;
        Self::new(Rows::Parquet(Box::new(rows)), &header, options)
    }

    /// Bytes of either kind.
    pub fn bytes(input: Bytes, options: BillOptions) -> Result<Self, BillError> {
        if input.starts_with(PARQUET_MAGIC) {
            Self::parquet(input, options)
        } else {
            Self::csv(Box::new(input.reader()), options)
        }
    }

    fn new(rows: Rows, header: &[String], options: BillOptions) -> Result<Self, BillError> {
        let format = options.format.or_else(|| BillFormat::detect(header));
        let mut summary = BillSummary::default();
        let mut note = |what: String| summary.note(&what, &options.file, 0);
        let mapping = match format {
            Some(BillFormat::Focus) => Mapping::Focus(Box::new(FocusMapping::new(header, &mut note)?)),
            Some(BillFormat::AwsCur) => Mapping::Cur(Box::new(CurMapping::new(header)?)),
            None => return Err(BillError::UnknownFormat(shortened(&header.join(", ")).into_owned())),
        };
        Ok(Self {
            rows,
            mapping,
            columns: header.len(),
            import_id: options.import_id,
            file: options.file,
            builder: ChargesBuilder::default(),
            dates: DateCache::default(),
            placeholders: Tally::default(),
            last_period: None,
            summary,
            done: false,
        })
    }

    /// The format of the file.
    pub fn format(&self) -> BillFormat {
        match self.mapping {
            Mapping::Focus(_) => BillFormat::Focus,
            Mapping::Cur(_) => BillFormat::AwsCur,
        }
    }

    /// The format and its version as far as the columns tell it, e.g. `FOCUS 1.2`.
    pub fn describe(&self) -> String {
        match &self.mapping {
            Mapping::Focus(m) => format!("FOCUS {}", m.version()),
            Mapping::Cur(_) => "AWS CUR".to_owned(),
        }
    }

    /// The next charges, at most [`BATCH_ROWS`]; `None` at the end of the file.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, BillError> {
        while !self.done && self.builder.len() < BATCH_ROWS {
            self.done = !match &mut self.rows {
                Rows::Csv(r) => r.advance()?,
                Rows::Parquet(r) => r.advance()?,
            };
            if !self.done {
                self.take_row()?;
            }
        }
        if self.builder.is_empty() {
            return Ok(None);
        }
        let batch = self.builder.finish();
        self.sum_stored(&batch)?;
        Ok(Some(batch))
    }

    /// What the file held. Complete once [`BillReader::next_batch`] has answered `None`.
    pub fn finish(mut self) -> BillSummary {
        let mut note = |what: String, tally: Tally| {
            if tally.count > 0 {
                let note = Note { count: tally.count, file: self.file.clone(), first_row: tally.first_row };
                self.summary.notes.insert(what, note);
            }
        };
        note("null is written as a placeholder (NULL, \\N or blanks)".to_owned(), self.placeholders);
        for date in &self.dates.0 {
            note(format!("{} is not written as YYYY-MM-DDTHH:mm:ssZ", date.column), date.odd);
        }
        self.summary
    }

    /// Maps one row: into the builder, or onto the list of rejects.
    fn take_row(&mut self) -> Result<(), BillError> {
        let (row, line, lossy) = match &self.rows {
            Rows::Csv(r) => (Row(RowKind::Csv(r.record())), Some(r.line), r.lossy),
            Rows::Parquet(r) => (Row(RowKind::Parquet(r)), None, false),
        };
        self.summary.rows += 1;
        let number = self.summary.rows;
        let (cost_column, currency_column, cost_name) = match &self.mapping {
            Mapping::Focus(m) => (m.cost(), m.currency(), "BilledCost"),
            Mapping::Cur(m) => (m.cost(), m.currency(), "lineItem/UnblendedCost"),
        };
        let currency_text =
            row.get(currency_column).map(str::trim).filter(|c| c.len() <= CURRENCY_BYTES_MAX).unwrap_or("");
        let currency = Currency(currency_text.to_owned());
        let cost_text = row.get(cost_column).map(str::trim);
        let cost = match cost_text {
            Some(text) => number::parse(text).map_err(|e| format!("{cost_name} {}", shortened(&e.to_string()))),
            None => Err(format!("{cost_name} is null")),
        };
        let total = self.summary.totals.entry(currency.clone()).or_default();
        let overflow = || TotalOverflow("a currency");
        if let Ok((amount, residual)) = cost {
            total.source = total.source.checked_add(Exact::new(amount, residual)).ok_or_else(overflow)?;
        }
        let mapped = cost.and_then(|(amount, residual)| {
            if row.len() != self.columns {
                return Err(format!("the row has {} cells, the header {}", row.len(), self.columns));
            }
            // Such a row counts to the total without a currency, so it must not be stored under its own.
            if let Some(long) = row.get(currency_column).map(str::trim).filter(|c| c.len() > CURRENCY_BYTES_MAX) {
                return Err(format!("the currency {} has {} bytes", shortened(long), long.len()));
            }
            let mut cx = MapContext {
                summary: &mut self.summary,
                dates: &mut self.dates,
                placeholders: &mut self.placeholders,
                file: &self.file,
                row: number,
            };
            if lossy {
                cx.note("a row is not UTF-8: the unreadable bytes are replaced");
            }
            let mut charge = ChargeRow::default();
            charge.set_amount(Column::BilledCost, amount);
            let source = match &self.mapping {
                Mapping::Focus(m) => m.map(row, &mut cx, &mut charge).map(|()| BillFormat::Focus),
                Mapping::Cur(m) => m.map(row, amount, &mut cx, &mut charge).map(|()| BillFormat::AwsCur),
            }?;
            check_periods(&charge, &mut cx);
            let origin = Origin { import_id: &self.import_id, source: source.name(), file: &self.file, row: number };
            self.builder.push(&origin, &charge).map_err(|missing| missing.to_string())?;
            Ok((charge.text(Column::BillingAccountId), charge.time(Column::BillingPeriodStart), residual))
        });
        let total = self.summary.totals.entry(currency).or_default();
        match mapped {
            Ok((account, period, residual)) => {
                self.summary.stored += 1;
                total.rows_stored += 1;
                total.residual = total.residual.checked_add(Exact::new(Amount::ZERO, residual)).ok_or_else(overflow)?;
                if let (Some(account), Some(period)) = (account, period) {
                    let same = self.last_period.as_ref().is_some_and(|(a, p)| *p == period && a == account);
                    if !same {
                        let entry = (account.to_owned(), period);
                        self.summary.periods.insert(entry.clone());
                        self.last_period = Some(entry);
                    }
                }
            }
            Err(reason) => {
                self.summary.rejected += 1;
                total.rows_rejected += 1;
                let readable = cost_text.and_then(|t| number::parse(t).ok());
                match readable {
                    Some((a, r)) => {
                        total.rejected = total.rejected.checked_add(Exact::new(a, r)).ok_or_else(overflow)?;
                    }
                    None => total.rows_unreadable += 1,
                }
                if self.summary.rejects.len() < totals::REJECTS_LISTED_MAX {
                    self.summary.rejects.push(RejectedRow {
                        file: self.file.clone(),
                        row: number,
                        line,
                        reason,
                        cost: readable.and(cost_text).map(str::to_owned),
                        currency: currency_text.to_owned(),
                        raw: row.to_csv(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Sums what is really in the batch, so that the reconciliation compares two independent sums.
    fn sum_stored(&mut self, batch: &RecordBatch) -> Result<(), BillError> {
        let costs = batch[BILLED_COST].as_primitive::<Decimal128Type>();
        let currencies = batch[Column::BillingCurrency.name()].as_string::<i32>();
        let mut at = 0;
        while at < batch.num_rows() {
            let currency = currencies.value(at);
            let end = (at..batch.num_rows()).find(|i| currencies.value(*i) != currency).unwrap_or(batch.num_rows());
            let total = self.summary.totals.entry(Currency(currency.to_owned())).or_default();
            for i in at..end {
                let cost = Exact::from(Amount(costs.value(i)));
                total.stored = total.stored.checked_add(cost).ok_or(TotalOverflow("a currency"))?;
            }
            at = end;
        }
        Ok(())
    }
}

/// Tells of periods that end before they begin.
fn check_periods(charge: &ChargeRow<'_>, cx: &mut MapContext<'_>) {
    for (start, end, what) in [
        (Column::ChargePeriodStart, Column::ChargePeriodEnd, "ChargePeriodEnd is not after ChargePeriodStart"),
        (Column::BillingPeriodStart, Column::BillingPeriodEnd, "BillingPeriodEnd is not after BillingPeriodStart"),
    ] {
        if charge.time(start) >= charge.time(end) {
            cx.note(what);
        }
    }
}

//! [`BillReader`]: one file of a bill as a stream of batches, with its reconciliation.

use std::collections::BTreeMap;
use std::io::Read;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use bytes::{Buf, Bytes};
use grid_model::money::Residual;
use grid_model::table::charges::{BILLED_COST, ChargeRow, ChargesBuilder, Column, EFFECTIVE_COST, Origin};
use grid_model::{Amount, Currency, Timestamp};
use parquet::file::reader::ChunkReader;

use super::context::{DateCache, MapContext, Notes, Tally, exact, shortened};
use super::csv_rows::TextRows;
use super::mapping::{Aside, Fate, Mapping};
use super::observe::RowObserver;
use super::parquet_rows::ParquetRows;
use super::row::Rows;
use super::totals::{self, BillSummary, CurrencyTotal, Exact, RejectedRow, TotalOverflow};
use super::{BATCH_ROWS, BillError, BillFormat, BillOptions, PARQUET_MAGIC};

/// Longest currency text that is taken for one.
const CURRENCY_BYTES_MAX: usize = 32;

/// Streams one file of a bill.
pub struct BillReader {
    rows: Rows,
    header: Vec<String>,
    header_seen: bool,
    mapping: Mapping,
    options: BillOptions,
    builder: ChargesBuilder,
    dates: DateCache,
    notes: Notes,
    placeholders: Tally,
    last_period: Option<(String, Timestamp)>,
    totals: Totals,
    rounded: Vec<(Column, Residual)>,
    summary: BillSummary,
    done: bool,
}

impl BillReader {
    /// A text file: CSV or JSON lines, gzipped or not.
    pub fn text(input: Box<dyn Read + Send>, options: BillOptions) -> Result<Self, BillError> {
        let (rows, header) = match TextRows::open(input)? {
            TextRows::Csv(rows, header) => (Rows::Csv(Box::new(rows)), header),
            TextRows::Json(rows, header) => (Rows::Json(Box::new(rows)), header),
        };
        Self::new(rows, header, options)
    }

    /// A Parquet file.
    pub fn parquet<C: ChunkReader + 'static>(input: C, options: BillOptions) -> Result<Self, BillError> {
        let (rows, header) = ParquetRows::open(input)?;
        Self::new(Rows::Parquet(Box::new(rows)), header, options)
    }

    /// Bytes of any kind.
    pub fn bytes(input: Bytes, options: BillOptions) -> Result<Self, BillError> {
        if input.starts_with(PARQUET_MAGIC) {
            Self::parquet(input, options)
        } else {
            Self::text(Box::new(input.reader()), options)
        }
    }

    fn new(rows: Rows, header: Vec<String>, options: BillOptions) -> Result<Self, BillError> {
        let mut notes = Notes::default();
        let mapping = Mapping::new(&header, &options, &mut notes)?;
        Ok(Self {
            rows,
            header,
            header_seen: false,
            mapping,
            options,
            builder: ChargesBuilder::default(),
            dates: DateCache::default(),
            notes,
            placeholders: Tally::default(),
            last_period: None,
            totals: Totals::default(),
            rounded: Vec::new(),
            summary: BillSummary::default(),
            done: false,
        })
    }

    /// The format of the file.
    pub fn format(&self) -> BillFormat {
        self.mapping.format()
    }

    /// What names the source in column `source` and in datasets: the format, or what a declared mapping calls it.
    pub fn source(&self) -> &str {
        self.mapping.source()
    }

    /// The format and its version as far as the columns tell it, e.g. `FOCUS 1.2`.
    pub fn describe(&self) -> String {
        self.mapping.describe()
    }

    /// The names of the columns, in the order of the cells of a row.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Whether an Azure export is one of amortised costs, told by the first row with a commitment; `None` if no row has one, or
    /// for other formats. Reads rows: the reader is of no use afterwards.
    pub fn into_amortized(mut self) -> Result<Option<bool>, BillError> {
        if let Mapping::Azure(mapping) = &self.mapping {
            while self.rows.advance()? {
                if let Some(amortized) = mapping.amortized(self.rows.row()) {
                    return Ok(Some(amortized));
                }
            }
        }
        Ok(None)
    }

    /// The next charges, about [`BATCH_ROWS`]; `None` at the end of the file.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, BillError> {
        self.next_batch_seen(None)
    }

    /// As [`BillReader::next_batch`], with somebody who looks at every row before it is mapped.
    pub fn next_batch_seen(
        &mut self,
        mut observer: Option<&mut dyn RowObserver>,
    ) -> Result<Option<RecordBatch>, BillError> {
        while !self.done && self.builder.len() < BATCH_ROWS {
            self.done = !self.rows.advance()?;
            if self.done {
                break;
            }
            if let Some(header) = self.rows.grown_header() {
                self.mapping = Mapping::new(&header, &self.options, &mut self.notes)?;
                self.header = header;
                self.header_seen = false;
            }
            if let Some(observer) = observer.as_deref_mut() {
                if !self.header_seen {
                    observer.header(&self.header);
                    self.header_seen = true;
                }
                let row = self.rows.row();
                observer.row(self.summary.rows + 1, &|column| row.raw(column));
            }
            self.take_row()?;
        }
        if self.builder.is_empty() {
            return Ok(None);
        }
        let batch = self.builder.finish();
        self.sum_stored(&batch)?;
        Ok(Some(batch))
    }

    /// Rows of the source read so far.
    pub fn rows(&self) -> u64 {
        self.summary.rows
    }

    /// What the file held. Complete once [`BillReader::next_batch`] has answered `None`.
    pub fn finish(mut self) -> BillSummary {
        let file = &self.options.file;
        self.notes.end(file, &mut self.summary);
        let mut note = |what: String, tally: Tally| {
            if tally.count > 0 {
                self.summary.notes.insert(what, tally.into_note(file));
            }
        };
        note("null is written as a placeholder (NULL, \\N or blanks)".to_owned(), self.placeholders);
        for date in &self.dates.0 {
            note(format!("{} is not written as YYYY-MM-DDTHH:mm:ssZ", date.column), date.odd);
        }
        self.summary.totals = self.totals.end();
        self.summary
    }

    /// Maps one row: into the builder, or onto the list of rejects.
    fn take_row(&mut self) -> Result<(), BillError> {
        let row = self.rows.row();
        self.summary.rows += 1;
        let number = self.summary.rows;
        self.rounded.clear();
        let currency_text = self.mapping.currency(row).map_or("", str::trim);
        let known_currency = if currency_text.len() <= CURRENCY_BYTES_MAX { currency_text } else { "" };
        let mut aside = Aside::default();
        let billed = match self.rows.broken() {
            Some(reason) => Err(reason.to_owned()),
            None => self.mapping.billed(row, &mut aside),
        };
        let overflow = || TotalOverflow("a currency");
        let total = self.totals.of(known_currency);
        // All that the row bills: its cost and, where they are part of the same row, its credits.
        let sum = match &billed {
            Ok(cost) => {
                let all = aside.credits.iter().try_fold(exact(*cost), |sum, c| sum.checked_add(exact(c.amount)));
                let all = all.ok_or_else(overflow)?;
                total.source = total.source.checked_add(all).ok_or_else(overflow)?;
                Some(all)
            }
            Err(_) => None,
        };
        let mapped = billed.and_then(|(amount, residual)| {
            if row.len() != self.header.len() {
                return Err(format!("the row has {} cells, the header {}", row.len(), self.header.len()));
            }
            // Such a row counts to the total without a currency, so it must not be stored under its own.
            if currency_text.len() > CURRENCY_BYTES_MAX {
                let bytes = currency_text.len();
                return Err(format!("the currency {} has {bytes} bytes", shortened(currency_text)));
            }
            let mut cx = MapContext {
                notes: &mut self.notes,
                dates: &mut self.dates,
                placeholders: &mut self.placeholders,
                rounded: &mut self.rounded,
                row: number,
            };
            if self.rows.lossy() {
                cx.note("a row is not UTF-8: the unreadable bytes are replaced");
            }
            let mut charge = ChargeRow::default();
            charge.set_amount(Column::BilledCost, amount);
            if self.mapping.map(row, amount, &aside, &mut cx, &mut charge)? == Fate::LeftOut {
                return Ok(Taken::LeftOut);
            }
            check_periods(&charge, &mut cx);
            let origin = Origin {
                import_id: &self.options.import_id,
                source: self.mapping.source(),
                file: &self.options.file,
                row: number,
            };
            self.builder.push(&origin, &charge).map_err(|missing| missing.to_string())?;
            let mut residual = exact((Amount::ZERO, residual));
            for credit in &aside.credits {
                credit.apply(&mut charge);
                // It differs from the charge before it in columns that are set in both.
                self.builder.push(&origin, &charge).map_err(|missing| missing.to_string())?;
                let more = exact((Amount::ZERO, credit.amount.1));
                residual = residual.checked_add(more).ok_or("the row's credits are too large")?;
            }
            Ok(Taken::Stored {
                account: charge.text(Column::BillingAccountId).unwrap_or_default(),
                period: charge.time(Column::BillingPeriodStart).unwrap_or(Timestamp::MIN),
                residual,
            })
        });
        let total = self.totals.of(known_currency);
        match mapped {
            Ok(Taken::Stored { account, period, residual }) => {
                let charges = 1 + aside.credits.len() as u64;
                self.summary.stored += charges;
                total.rows_stored += charges;
                total.residual = total.residual.checked_add(residual).ok_or_else(overflow)?;
                for (column, residual) in self.rounded.drain(..) {
                    let sum = total.rounding.entry(column.name()).or_default();
                    *sum = sum.checked_add(exact((Amount::ZERO, residual))).ok_or_else(overflow)?;
                }
                if !self.last_period.as_ref().is_some_and(|(a, p)| *p == period && a == account) {
                    let entry = (account.to_owned(), period);
                    self.summary.periods.insert(entry.clone());
                    self.last_period = Some(entry);
                }
            }
            Ok(Taken::LeftOut) => {
                self.summary.left_out += 1;
                total.rows_left_out += 1;
                total.left_out = total.left_out.checked_add(sum.unwrap_or(Exact::ZERO)).ok_or_else(overflow)?;
            }
            Err(reason) => {
                self.summary.rejected += 1;
                total.rows_rejected += 1;
                match sum {
                    Some(sum) => total.rejected = total.rejected.checked_add(sum).ok_or_else(overflow)?,
                    None => total.rows_unreadable += 1,
                }
                if self.summary.rejects.len() < totals::REJECTS_LISTED_MAX {
                    let cost =
                        sum.map(|sum| self.mapping.cost_text(row).map_or_else(|| sum.to_string(), str::to_owned));
                    self.summary.rejects.push(RejectedRow {
                        file: self.options.file.clone(),
                        row: number,
                        line: self.rows.line(),
                        reason,
                        cost,
                        currency: known_currency.to_owned(),
                        raw: self.rows.raw(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Sums what is really in the batch, so that the reconciliation compares two independent sums. Where the source's one cost
    /// column is an amortised cost, it went to the effective cost and nothing was billed.
    fn sum_stored(&mut self, batch: &RecordBatch) -> Result<(), BillError> {
        let costs = batch[BILLED_COST].as_primitive::<Decimal128Type>();
        let effective = batch[EFFECTIVE_COST].as_primitive::<Decimal128Type>();
        let amortized = matches!(self.mapping, Mapping::Azure(_));
        let currencies = batch[Column::BillingCurrency.name()].as_string::<i32>();
        let mut at = 0;
        while at < batch.num_rows() {
            let currency = currencies.value(at);
            let end = (at..batch.num_rows()).find(|i| currencies.value(*i) != currency).unwrap_or(batch.num_rows());
            let mut sum = Exact::ZERO;
            for i in at..end {
                let cost = match costs.value(i) {
                    0 if amortized => effective.value(i),
                    billed => billed,
                };
                sum = sum.checked_add(Exact::from(Amount(cost))).ok_or(TotalOverflow("a currency"))?;
            }
            let total = self.totals.of(currency);
            total.stored = total.stored.checked_add(sum).ok_or(TotalOverflow("a currency"))?;
            at = end;
        }
        Ok(())
    }
}

/// What became of a row that is not rejected.
enum Taken<'a> {
    Stored { account: &'a str, period: Timestamp, residual: Exact },
    LeftOut,
}

/// Totals by currency. Neighbouring rows mostly share theirs.
#[derive(Default)]
struct Totals {
    places: BTreeMap<String, usize>,
    list: Vec<(String, CurrencyTotal)>,
    last: usize,
}

impl Totals {
    fn of(&mut self, currency: &str) -> &mut CurrencyTotal {
        if self.list.get(self.last).is_none_or(|(known, _)| known != currency) {
            self.last = self.places.get(currency).copied().unwrap_or_else(|| {
                self.places.insert(currency.to_owned(), self.list.len());
                self.list.push((currency.to_owned(), CurrencyTotal::default()));
                self.list.len() - 1
            });
        }
        &mut self.list[self.last].1
    }

    fn end(self) -> BTreeMap<Currency, CurrencyTotal> {
        self.list.into_iter().map(|(currency, total)| (Currency(currency), total)).collect()
    }
}

/// Tells of periods that end before they begin.
fn check_periods(charge: &ChargeRow<'_>, cx: &mut MapContext<'_>) {
    if charge.time(Column::ChargePeriodStart) >= charge.time(Column::ChargePeriodEnd) {
        cx.note("ChargePeriodEnd is not after ChargePeriodStart");
    }
    if charge.time(Column::BillingPeriodStart) >= charge.time(Column::BillingPeriodEnd) {
        cx.note("BillingPeriodEnd is not after BillingPeriodStart");
    }
}

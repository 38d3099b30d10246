//! Runs the rules of a version over the rows of a file, one pass, bounded memory.
//!
//! What a row costs: each cell of a FOCUS column that is not as in the row before is read once ([`crate::cell`]); each distinct condition of the
//! table is asked once and kept as a bit; each rule then is a mask and one look at a cell, where its verdict does not stand ([`standing`]).

mod composite;
mod header;
mod merge;
mod standing;
mod watch;

use std::borrow::Cow;

use self::header::HeaderRead;
use self::standing::{Before, Columns};
use self::watch::{Watch, bits_of};
use crate::across::{OnePer, Sums, Verdict};
use crate::cell::{ANY_CELLS, Cell, CellReader, bit};
use crate::column::{Column, Kind, Level};
use crate::criterion::{Applicability, mask};
use crate::limits::{EXAMPLE_CHARS_MAX, EXAMPLES_MAX, KEYS_MAX};
use crate::listed::Listed;
use crate::report::{Example, Report, RuleResult, Status};
use crate::row::Row;
use crate::rule::{Cells, Check, Keyword, Rule, Sum, When};
use crate::table;
use crate::version::Version;

/// Checks one file.
pub struct Checker {
    version: Version,
    applicability: Applicability,
    rows: u64,
    /// The files so far, the current one last.
    files: Vec<String>,
    /// The FOCUS columns of the file: which, where, and how to read their cells.
    sources: Vec<Source>,
    /// Cells of each column that were not null.
    values: [u64; Column::ALL.len()],
    results: Vec<RuleResult>,
    /// Of each result, what its rule and those above it need, as bits.
    needs: Vec<u32>,
    conditions: Vec<(When, Columns)>,
    /// Which of them held in the row before, as bits.
    holding: u128,
    row_rules: Vec<RowRule>,
    /// Of each of them.
    asks: Vec<Asks>,
    /// Who asks for which column and condition.
    watch: Watch,
    /// Those that the row before broke.
    broken: Vec<usize>,
    cell_rules: Vec<(usize, Cells)>,
    one_per: Vec<(usize, u128, OnePer)>,
    sums: Sums,
    sum_rules: Vec<(usize, Sum)>,
}

/// A FOCUS column of the file, where it is, and how to read its cells.
struct Source {
    column: Column,
    at: usize,
    reader: CellReader,
    before: Before,
}

/// When a rule on rows is asked anew.
struct Asks {
    columns: Columns,
    /// Conditions that all must hold, as bits.
    when: u128,
}

struct RowRule {
    result: usize,
    check: &'static Check,
    listed: Listed,
    permits: bool,
    /// The first row of those, one after the other, that had something to keep it with; those before are counted.
    checked_since: Option<u64>,
    breaks: bool,
}

impl Checker {
    /// A checker for a file with this header. Columns are known by FOCUS' names; in another spelling they are known too, and the
    /// rule on names says so.
    pub fn new(header: &[&str], version: Version, applicability: Applicability) -> Self {
        let read = HeaderRead::new(header, version);
        let mut checker = Self {
            version,
            applicability,
            rows: 0,
            files: vec![String::new()],
            sources: read
                .columns
                .iter()
                .map(|(c, at)| Source { column: *c, at: *at, reader: CellReader::new(*c), before: Before::default() })
                .collect(),
            values: [0; Column::ALL.len()],
            results: Vec::new(),
            needs: Vec::new(),
            conditions: Vec::new(),
            holding: 0,
            row_rules: Vec::new(),
            asks: Vec::new(),
            watch: Watch::default(),
            broken: Vec::new(),
            cell_rules: Vec::new(),
            one_per: Vec::new(),
            sums: Sums::default(),
            sum_rules: Vec::new(),
        };
        let rules: Vec<&'static Rule> = of_version(version).collect();
        let inherited = composite::inherited(&rules);
        for (rule, above) in rules.into_iter().zip(inherited) {
            let result = checker.results.len();
            checker.results.push(RuleResult {
                rule,
                status: Status::Passed,
                checked: 0,
                violations: 0,
                examples: Vec::new(),
                note: rule.partly.or(rule.defect.map(|_| "not as published")).map(Cow::Borrowed),
            });
            checker.needs.push(mask(rule.needs) | mask(&above.needs));
            checker.plan(result, rule, above, &read);
        }
        let asked = checker.asks.iter().map(|a| a.columns).chain(checker.conditions.iter().map(|(_, asks)| *asks));
        let asked = asked.fold(Columns::default(), Columns::and);
        for Source { column, before, .. } in &mut checker.sources {
            before.keeps_text = asked.ask_text_of(*column) || matches!(column.kind(), Kind::Number | Kind::Time);
        }
        checker.watch = Watch::of(
            checker.conditions.iter().map(|(_, columns)| *columns),
            checker.asks.iter().map(|asks| (asks.columns, asks.when)),
        );
        checker
    }

    /// Puts a rule where it will be run, or says why it will not.
    fn plan(&mut self, result: usize, rule: &'static Rule, above: composite::Above, read: &HeaderRead) {
        let out = &mut self.results[result];
        let unmet = rule.needs.iter().chain(&above.needs).find(|c| !self.applicability.has(**c));
        if let Check::Unknown(reason, _) = rule.check {
            (out.status, out.note) = (Status::NotComputed, Some(Cow::Borrowed(reason.says())));
            return;
        }
        if let Some(criterion) = unmet {
            (out.status, out.note) =
                (Status::NotApplicable, Some(format!("only if the provider {}", criterion.says()).into()));
            return;
        }
        let conditions: Vec<When> = above.when.into_iter().chain([rule.when]).filter(|w| *w != When::Always).collect();
        let owed = |c: &Column| c.level(self.version) == Level::Mandatory && !read.has(*c);
        let gone = rule.check.columns().into_iter().find(|c| !read.has(*c));
        // A column that no one owes is null in all rows when the file lacks it; one that is owed is not known.
        let unknown = conditions.iter().flat_map(When::columns).find(owed);
        if let Some(column) = gone.or(unknown) {
            (out.status, out.note) = (Status::Skipped, Some(format!("there is no column {}", column.name()).into()));
            return;
        }
        match rule.check {
            Check::All(_) | Check::Allowed(_) | Check::Unknown(..) => {}
            Check::Present(column) => {
                out.checked = 1;
                if !read.has(column) && rule.keyword != Keyword::May {
                    violate(out, HEADER, "header", || format!("no column {}", column.name()));
                }
            }
            Check::Header(detail) => read.run(detail, out),
            Check::Cells(detail) => self.cell_rules.push((result, detail)),
            Check::Sum(sum) => self.sum_rules.push((result, sum)),
            Check::OnePer(of, per) => {
                let when = self.mask(&conditions);
                self.one_per.push((result, when, OnePer::new(of, per)));
            }
            _ => {
                let when = self.mask(&conditions);
                let permits = rule.keyword == Keyword::May;
                self.asks.push(Asks { columns: Columns::of_check(&rule.check), when });
                self.row_rules.push(RowRule {
                    result,
                    check: &rule.check,
                    listed: Listed::of(&rule.check),
                    permits,
                    checked_since: None,
                    breaks: false,
                });
            }
        }
    }

    fn mask(&mut self, conditions: &[When]) -> u128 {
        conditions.iter().fold(0, |mask, when| {
            let known = self.conditions.iter().position(|(w, _)| w == when);
            let at = known.unwrap_or_else(|| {
                self.conditions.push((*when, Columns::of_condition(when)));
                self.conditions.len() - 1
            });
            assert!(at < 128, "the table has more distinct conditions than a mask has bits");
            mask | 1 << at
        })
    }

    /// Names the file to which the rows that follow belong. All files of one checker have one header; rules across rows see them as one.
    pub fn file(&mut self, name: &str) {
        if self.rows == 0 {
            self.files.clear();
            // The header was judged before its file had a name.
            let unnamed = self.results.iter_mut().flat_map(|r| &mut r.examples);
            unnamed.for_each(|e| name.clone_into(&mut e.file));
        }
        self.files.push(name.to_owned());
    }

    /// Checks one row: its number (the first after the header is 1) and its cells, in the order of the header. `None` and an empty
    /// text are null.
    pub fn row(&mut self, number: u64, cells: &[Option<&str>]) {
        self.row_of(number, |at| cells.get(at).copied().flatten());
    }

    /// As [`Checker::row`], with the cells by the header's index.
    pub fn row_of<'r>(&mut self, number: u64, cell: impl Fn(usize) -> Option<&'r str>) {
        self.rows += 1;
        let file = self.files.len() - 1;
        let mut row = Row([Cell::default(); Column::ALL.len()]);
        let mut faults = 0;
        let mut changed = if self.rows == 1 { Columns::ALL } else { Columns::default() };
        for Source { column, at, reader, before } in &mut self.sources {
            let (read, differs) = before.cell(*column, cell(*at).unwrap_or(""), |raw| reader.read(raw));
            faults |= read.faults;
            (changed.text, changed.form) = (changed.text | differs.text, changed.form | differs.form);
            self.values[*column as usize] += u64::from(read.text.is_some());
            row.0[*column as usize] = read;
        }
        if faults & ANY_CELLS != 0 {
            self.cells(number, &row, faults);
        }
        let mut holding = self.holding;
        for i in bits_of(self.watch.conditions(changed)) {
            holding = holding & !(1 << i) | u128::from(row.is(&self.conditions[i].0)) << i;
        }
        let turned = holding ^ self.holding;
        self.holding = holding;
        self.judge(&row, changed, turned);
        for at in &self.broken {
            let rule = &self.row_rules[*at];
            let columns = rule.check.columns();
            let place = (self.files[file].as_str(), number);
            violate(&mut self.results[rule.result], place, columns.first().map_or("", |c| c.name()), || {
                row.shown(rule.check)
            });
        }
        for (result, _, pairs) in self.one_per.iter_mut().filter(|(_, when, _)| when & holding == *when) {
            let out = &mut self.results[*result];
            let Some(verdict) = pairs.add(&row) else { continue };
            out.checked += 1;
            if let Err(shown) = verdict {
                let columns = out.rule.check.columns();
                let place = (self.files[file].as_str(), number);
                violate(out, place, columns.first().map_or("", |c| c.name()), || shown);
            }
        }
        if !self.sum_rules.is_empty() && self.sums.add((file, number), &row) {
            for (result, _) in &self.sum_rules {
                self.results[*result].checked += 1;
            }
        }
    }

    /// Asks the rules on rows whose verdict does not stand: of `turned` conditions, or of columns that changed.
    fn judge(&mut self, row: &Row<'_>, changed: Columns, turned: u128) {
        for at in self.watch.rules(changed, turned) {
            let asks = &self.asks[at];
            let rule = &mut self.row_rules[at];
            let concerns = asks.when & self.holding == asks.when;
            let keeps = if concerns { rule.listed.keeps(row).unwrap_or_else(|| row.keeps(rule.check)) } else { None };
            let since = match (rule.checked_since, keeps) {
                (since @ Some(_), Some(_)) => since,
                (None, Some(_)) => Some(self.rows),
                (since, None) => {
                    self.results[rule.result].checked += since.map_or(0, |since| self.rows - since);
                    None
                }
            };
            rule.checked_since = since;
            let breaks = keeps == Some(false) && !rule.permits;
            if breaks != rule.breaks {
                rule.breaks = breaks;
                if breaks {
                    self.broken.push(at);
                } else {
                    self.broken.retain(|broken| *broken != at);
                }
            }
        }
    }

    /// Rules over all cells: rare, since a sound row has no faults.
    fn cells(&mut self, number: u64, row: &Row<'_>, faults: u64) {
        for (result, detail) in self.cell_rules.iter().filter(|(_, d)| faults & bit(*d) != 0) {
            for Source { column, .. } in &self.sources {
                let cell = row.cell(*column);
                if cell.faults & bit(*detail) != 0 {
                    let place = (self.files.last().map_or("", String::as_str), number);
                    violate(&mut self.results[*result], place, column.name(), || cell.raw.to_owned());
                }
            }
        }
    }

    /// The report. Rules across rows and rules made of others get their verdict here.
    pub fn finish(mut self) -> Report {
        for rule in &self.row_rules {
            self.results[rule.result].checked += rule.checked_since.map_or(0, |since| self.rows + 1 - since);
        }
        for (result, detail) in &self.cell_rules {
            let counted = self.sources.iter().map(|s| s.column).filter(|c| concerns(*detail, *c));
            self.results[*result].checked = counted.map(|c| self.values[c as usize]).sum();
        }
        for (result, _, pairs) in &self.one_per {
            beyond(&mut self.results[*result], pairs.beyond);
        }
        for (result, sum) in &self.sum_rules {
            let out = &mut self.results[*result];
            let mut unknown = 0u64;
            for ((file, row), verdict) in self.sums.verdicts(*sum) {
                match verdict {
                    Verdict::Keeps => {}
                    Verdict::Breaks(shown) => {
                        let place = (self.files[file].as_str(), row);
                        violate(out, place, Column::CommitmentDiscountId.name(), || shown);
                    }
                    Verdict::Unknown => unknown += 1,
                }
            }
            beyond(out, self.sums.beyond);
            if unknown > 0 {
                let note = format!("{unknown} commitment(s) not summed: the file lacks their purchases or their usage");
                out.note = Some(note.into());
            }
        }
        let values = &self.values;
        let withdrawn = self.applicability.withdraw(|column| self.rows == 0 || values[column as usize] > 0);
        for (out, needs) in self.results.iter_mut().zip(&self.needs).filter(|(_, needs)| **needs & withdrawn != 0) {
            let run = matches!(out.status, Status::Failed | Status::Passed);
            // That a column is owed the header shows, whatever the rows have.
            if run && !matches!(out.rule.check, Check::Present(_) | Check::All(_)) {
                debug_assert_ne!(*needs, 0);
                (out.status, out.checked, out.violations) = (Status::NotApplicable, 0, 0);
                out.examples.clear();
                out.note = Some(Cow::Borrowed("no row has a value in the columns that would show it"));
            }
        }
        composite::conclude(&mut self.results);
        Report { version: self.version, rows: self.rows, applicability: self.applicability, rules: self.results }
    }
}

/// The rules of a version: those of the model whose columns it has, and our own for what it added.
fn of_version(version: Version) -> impl Iterator<Item = &'static Rule> {
    let has = move |rule: &&Rule| {
        let columns = rule.check.columns().into_iter().chain(rule.when.columns());
        let present = if let Check::Present(c) = rule.check { Some(c) } else { None };
        columns.chain(present).chain(Column::parse(rule.subject())).all(|c| c.is_in(version))
    };
    let model = table::model().filter(move |r| match r.id {
        // 1.3 deprecates both columns; 1.4 makes InvoiceId conditional, and sums over all charges.
        "CostAndUsage-D-038-M" | "CostAndUsage-D-021-M" => version < Version::V1_3,
        "CostAndUsage-D-033-O" | "EffectiveCost-C-012-C" => version < Version::V1_4,
        _ => true,
    });
    let later = table::later().filter(move |r| match r.id {
        "CostAndUsage-G-001-C" | "InvoiceId-G-001-C" => version >= Version::V1_4,
        _ => true,
    });
    model.chain(later).filter(has)
}

/// Whether a rule over all cells concerns a column.
fn concerns(detail: Cells, column: Column) -> bool {
    use Cells::*;
    match detail {
        TimeUtc | TimeIso | TimeLetter | TimeDigits | TimeZulu => column.kind() == Kind::Time,
        NumberSingle | NumberKnown | NumberFraction | NumberExponent | NumberExponentSign | NumberOperator
        | NumberWord | NumberPunctuation | NumberPlus | NumberMinus => column.kind() == Kind::Number,
        CurrencyCode | CurrencyVirtual => column.kind() == Kind::Currency,
        UnitForm | UnitWhole | UnitCase => column.kind() == Kind::Unit,
        KeyValueObject | KeyValueUnique | KeyValueScalar | KeyValueFlat => column.kind() == Kind::KeyValue,
        TextUnicode => column.kind() != Kind::Number && column.kind() != Kind::Time,
        TextBlank => column.kind() == Kind::Text && !column.is_nullable(),
        NullSpelt | NullPlaceholder => true,
    }
}

/// Where a violation of the header is.
const HEADER: (&str, u64) = ("", 0);

/// Counts a violation, and keeps it as an example if there is room.
fn violate(out: &mut RuleResult, (file, row): (&str, u64), column: &str, shown: impl FnOnce() -> String) {
    out.status = Status::Failed;
    out.violations += 1;
    if out.examples.len() < EXAMPLES_MAX {
        let mut value = shown();
        if let Some((end, _)) = value.char_indices().nth(EXAMPLE_CHARS_MAX) {
            value.truncate(end);
            value.push_str("...");
        }
        out.examples.push(Example { file: file.to_owned(), row, column: column.to_owned(), value });
    }
}

fn beyond(out: &mut RuleResult, rows: u64) {
    if rows > 0 {
        out.note = Some(format!("not computed for {rows} rows beyond the first {KEYS_MAX} keys").into());
    }
}

#[cfg(test)]
mod tests;

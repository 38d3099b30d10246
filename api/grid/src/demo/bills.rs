//! The bills: daily charges of three clouds, exact to the last digit. AWS comes as a Cost and Usage Report, Azure (in
//! euros) and Google Cloud as FOCUS 1.2; one file per cloud and billing month, and a second one for the month that was
//! restated.

mod charge;
mod cur;
mod focus;
pub(crate) mod prices;

use grid_model::Amount;
use grid_model::time::{civil_from_days, days_from_civil};

use self::charge::Charge;
use super::company::Cloud;
use super::facts::BillTotal;
use super::world::World;

/// One bill file.
pub(crate) struct BillFile {
    /// Totals and names.
    pub(crate) total: BillTotal,
    pub(crate) bytes: Vec<u8>,
}

/// A billing month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Month {
    pub(crate) year: i64,
    pub(crate) month: u32,
}

impl Month {
    fn of(day: i64) -> Self {
        let (year, month, _) = civil_from_days(day);
        Self { year, month }
    }

    /// Days since the epoch of the month's first day and of the day after its last.
    pub(crate) fn days(self) -> (i64, i64) {
        let next = if self.month == 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        (days_from_civil(self.year, self.month, 1), days_from_civil(next.0, next.1, 1))
    }

    /// How many days it has.
    pub(crate) fn len(self) -> i64 {
        self.days().1 - self.days().0
    }
}

/// Name of a cloud's export.
pub(crate) fn dataset(cloud: Cloud) -> &'static str {
    ["nimbus-aws", "nimbus-azure", "nimbus-gcp"][cloud as usize]
}

/// Which files there are, in order of delivery: every cloud's months as first billed, then the month that was restated.
pub(crate) fn files(world: &World) -> Vec<(Cloud, Month, bool)> {
    let mut months: Vec<Month> = world.timeline.billed_days().map(Month::of).collect();
    months.dedup();
    let mut files: Vec<_> = months.iter().flat_map(|&m| Cloud::ALL.map(|cloud| (cloud, m, false))).collect();
    let wrong = &world.events.restatement;
    files.push((Cloud::ALL[wrong.cloud], Month::of(wrong.day), true));
    files
}

/// The charges of one file.
pub(crate) fn charges(world: &World, cloud: Cloud, month: Month, restate: bool) -> Vec<Charge> {
    let days = world.timeline.billed_days().filter(|&day| Month::of(day) == month);
    let mut charges: Vec<Charge> = days.flat_map(|day| prices::of_day(world, cloud, day, month.len())).collect();
    let wrong = &world.events.restatement;
    if !restate && cloud == Cloud::ALL[wrong.cloud] {
        for charge in charges.iter_mut().filter(|c| c.day == wrong.day && c.restated) {
            charge.repeat(wrong.factor);
        }
    }
    charges
}

/// Writes one file.
pub(crate) fn write(world: &World, cloud: Cloud, month: Month, restate: bool) -> BillFile {
    let charges = charges(world, cloud, month, restate);
    let bytes = match cloud {
        Cloud::Aws => cur::write(world, month, &charges),
        Cloud::Azure | Cloud::Gcp => focus::write(cloud, month, &charges),
    };
    BillFile { total: total(cloud, month, restate, &charges), bytes }
}

/// What a file adds up to.
pub(crate) fn total(cloud: Cloud, month: Month, restate: bool, charges: &[Charge]) -> BillTotal {
    let sum = |f: fn(&Charge) -> Amount| Amount(charges.iter().map(|c| f(c).0).sum());
    let format = if cloud == Cloud::Aws { "cur" } else { "focus" };
    let version = if restate { 2 } else { 1 };
    BillTotal {
        cloud: cloud.word(),
        dataset: dataset(cloud),
        file_name: format!("{}-{format}-{}-{:02}-v{version}.csv", dataset(cloud), month.year, month.month),
        currency: currency(cloud),
        rows: charges.len(),
        billed: sum(|c| c.billed),
        effective: sum(|c| c.effective),
        restate,
    }
}

/// The currency in which a cloud bills.
pub(crate) fn currency(cloud: Cloud) -> &'static str {
    if cloud == Cloud::Azure { "EUR" } else { "USD" }
}

/// Appends a row of CSV (RFC 4180).
fn push_row<S: AsRef<str>>(out: &mut String, fields: impl IntoIterator<Item = S>) {
    for (n, field) in fields.into_iter().enumerate() {
        let field = field.as_ref();
        if n > 0 {
            out.push(',');
        }
        if field.contains([',', '"', '\n']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(field);
        }
    }
    out.push('\n');
}

//! Exchange rates for reports: dated, sourced, exact. A report may show costs converted and says so; sums at rest are never converted.
//!
//! A table is CSV: `date,from,to,rate,source`, e.g. `2026-01-31,EUR,USD,1.0832,ECB`. The rate of a day is the latest at or before it.

use std::collections::BTreeMap;

use grid_model::Amount;
use grid_model::time::{DAY_NS, Timestamp};

use crate::limits::RATES_MAX;
use crate::rules::parse_date;

/// One rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// How much of the other currency one unit is.
    pub rate: Amount,
    /// From when on, midnight UTC.
    pub date: Timestamp,
    /// Who says so.
    pub source: String,
    /// Whether the table has the opposite rate only, by which is divided.
    pub inverted: bool,
}

/// A table of rates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rates(BTreeMap<(String, String), BTreeMap<i64, (Amount, String)>>);

impl Rates {
    /// Reads a table; the error names the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rates = Self::default();
        for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#')) {
            if n == 0 && line.starts_with("date") {
                continue;
            }
            if n > RATES_MAX {
                return Err(format!("the table has more than {RATES_MAX} rates"));
            }
            let wrong = |what: &str| format!("line {}: {what}; write date,from,to,rate,source", n + 1);
            let cells: Vec<&str> = line.splitn(5, ',').map(str::trim).collect();
            let [date, from, to, rate, source] = cells.as_slice() else {
                return Err(wrong("there are not five cells"));
            };
            let date = parse_date(date).ok_or_else(|| wrong(&format!("{date:?} is not a date")))?;
            let (rate, _) = Amount::parse(rate).map_err(|e| wrong(&e.to_string()))?;
            if rate.0 <= 0 {
                return Err(wrong("a rate is above zero"));
            }
            if from.is_empty() || to.is_empty() || source.is_empty() {
                return Err(wrong("currencies and source are not empty"));
            }
            let pair = ((*from).to_owned(), (*to).to_owned());
            rates.0.entry(pair).or_default().insert(date.0, (rate, (*source).to_owned()));
        }
        Ok(rates)
    }

    /// The rate that holds at an instant.
    pub fn at(&self, from: &str, to: &str, at: Timestamp) -> Option<Rate> {
        let find = |from: &str, to: &str| {
            let days = self.0.get(&(from.to_owned(), to.to_owned()))?;
            days.range(..=at.0).next_back().map(|(day, (rate, source))| (Timestamp(*day), *rate, source.clone()))
        };
        if let Some((date, rate, source)) = find(from, to) {
            return Some(Rate { rate, date, source, inverted: false });
        }
        find(to, from).map(|(date, rate, source)| Rate { rate, date, source, inverted: true })
    }

    /// An amount in another currency, rounded half to even, with the rate that was used; `None` without a rate, or if the result does not fit.
    pub fn convert(&self, amount: Amount, from: &str, to: &str, at: Timestamp) -> Option<(Amount, Option<Rate>)> {
        if from == to {
            return Some((amount, None));
        }
        let rate = self.at(from, to, at)?;
        let converted = if rate.inverted { amount.over(rate.rate) } else { amount.times(rate.rate) };
        Some((converted?, Some(rate)))
    }
}

/// The day of an instant, midnight UTC.
pub fn day(at: Timestamp) -> Timestamp {
    Timestamp(at.0.div_euclid(DAY_NS) * DAY_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_dated_and_inverted_if_need_be() {
        let table = "date,from,to,rate,source\n2026-01-01,EUR,USD,1.10,ECB\n2026-02-01,EUR,USD,1.25,ECB\n";
        let rates = Rates::parse(table).unwrap();
        let amount = |t: &str| Amount::parse(t).unwrap().0;
        for (value, from, to, date, want) in [
            ("10", "EUR", "USD", "2026-01-31", Some("11")),
            ("10", "EUR", "USD", "2026-02-01", Some("12.5")),
            ("-10", "USD", "EUR", "2026-02-02", Some("-8")),
            ("1", "USD", "EUR", "2026-01-02", Some("0.909090909090909091")),
            ("1", "EUR", "USD", "2025-12-31", None),
            ("1", "EUR", "GBP", "2026-12-31", None),
            ("7", "GBP", "GBP", "2026-12-31", Some("7")),
        ] {
            let got = rates.convert(amount(value), from, to, parse_date(date).unwrap());
            assert_eq!(got.map(|(a, _)| a.to_string()).as_deref(), want, "{value} {from} {to} {date}");
        }
        let at = parse_date("2026-02-02").unwrap();
        assert_eq!(rates.at("EUR", "USD", at).unwrap().source, "ECB");
        for bad in ["2026-13-01,EUR,USD,1,x", "2026-01-01,EUR,USD,0,x", "2026-01-01,EUR,USD,1", "2026-01-01,EUR,USD,1,"]
        {
            assert!(Rates::parse(bad).unwrap_err().starts_with("line 1"), "{bad}");
        }
    }
}

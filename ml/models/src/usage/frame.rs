//! Hours of many things as a frame of columns, and what is read off it. Everything here is a median or another quantile: the order in which a frame
//! is worked on changes none of them, so the same hours give the same answer.

use std::collections::BTreeMap;

use grid_model::Timestamp;
use grid_model::time::DAY_NS;
use polars::df;
use polars::prelude::{DataFrame, PolarsResult, QuantileMethod};

use super::{Hour, SLOTS, slot};

/// A thing as it was seen.
pub(super) struct Seen {
    pub(super) thing: u32,
    /// In order of time.
    pub(super) hours: Vec<(Timestamp, f64)>,
    pub(super) slots: [f64; SLOTS],
    pub(super) low: f64,
    pub(super) usual: f64,
    pub(super) high: f64,
}

/// Every thing with its hours, in the order of their numbers.
pub(super) fn things(hours: &[Hour]) -> Vec<Seen> {
    let mut by_thing: BTreeMap<u32, Vec<(Timestamp, f64)>> = BTreeMap::new();
    for hour in hours {
        by_thing.entry(hour.thing).or_default().push((hour.time, hour.value));
    }
    let frame = frame(hours);
    let (low, usual, high) = (quantiles(&frame, 0.05), quantiles(&frame, 0.5), quantiles(&frame, 0.95));
    let slots = slots(&frame);
    let of = |numbers: &BTreeMap<u32, f64>, thing| numbers.get(&thing).copied().unwrap_or(f64::NAN);
    let seen = |(thing, mut hours): (u32, Vec<(Timestamp, f64)>)| {
        hours.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1)));
        let slots = slots.get(&thing).copied().unwrap_or([f64::NAN; SLOTS]);
        Seen { thing, hours, slots, low: of(&low, thing), usual: of(&usual, thing), high: of(&high, thing) }
    };
    by_thing.into_iter().map(seen).collect()
}

/// The median of each whole day of one thing, with the day's number since 1970.
pub(super) fn days(hours: &[(Timestamp, f64)], hours_min: usize) -> Vec<(i64, f64)> {
    let mut days: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (time, value) in hours {
        days.entry(time.0.div_euclid(DAY_NS)).or_default().push(*value);
    }
    let whole = |(day, mut values): (i64, Vec<f64>)| {
        values.sort_by(f64::total_cmp);
        (values.len() >= hours_min).then(|| (day, values[values.len() / 2]))
    };
    days.into_iter().filter_map(whole).collect()
}

fn frame(hours: &[Hour]) -> DataFrame {
    let things: Vec<u32> = hours.iter().map(|h| h.thing).collect();
    let slots: Vec<u32> = hours.iter().map(|h| slot(h.time) as u32).collect();
    let values: Vec<f64> = hours.iter().map(|h| h.value).collect();
    let frame = df!("thing" => things, "slot" => slots, "value" => values);
    frame.expect("three columns of one length and different names")
}

fn quantiles(frame: &DataFrame, share: f64) -> BTreeMap<u32, f64> {
    #[expect(deprecated, reason = "the lazy engine does the same and would add minutes to every build")]
    let found = frame
        .group_by_stable(["thing"])
        .and_then(|groups| groups.select(["value"]).quantile(share, QuantileMethod::Linear));
    let rows = found.and_then(|frame| {
        let (things, values) = (frame.column("thing")?.u32()?.clone(), last(&frame)?);
        Ok(things.iter().zip(values).filter_map(|(thing, value)| Some((thing?, value?))).collect())
    });
    rows.expect("a quantile of numbers by a column that is there")
}

fn slots(frame: &DataFrame) -> BTreeMap<u32, [f64; SLOTS]> {
    #[expect(deprecated, reason = "the lazy engine does the same and would add minutes to every build")]
    let found = frame.group_by_stable(["thing", "slot"]).and_then(|groups| groups.select(["value"]).median());
    let rows = found.and_then(|frame| {
        let mut rows: BTreeMap<u32, [f64; SLOTS]> = BTreeMap::new();
        let (things, slots) = (frame.column("thing")?.u32()?, frame.column("slot")?.u32()?);
        for ((thing, slot), value) in things.iter().zip(slots.iter()).zip(last(&frame)?) {
            let (Some(thing), Some(slot), Some(value)) = (thing, slot, value) else { continue };
            rows.entry(thing).or_insert([f64::NAN; SLOTS])[slot as usize % SLOTS] = value;
        }
        Ok(rows)
    });
    rows.expect("medians of numbers by columns that are there")
}

/// The last column: the aggregate, whatever its name.
fn last(frame: &DataFrame) -> PolarsResult<Vec<Option<f64>>> {
    let column = frame.columns().last().expect("a frame of groups has columns");
    Ok(column.f64()?.iter().collect())
}

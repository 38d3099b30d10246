//! `hour()`, `day_of_month()` and their like: seconds since 1970 as dates in UTC.

use grid_promql_syntax::function::Function;

use super::{Context, Overlap, Parts, one};
use crate::error::Error;
use crate::labels::Labels;
use crate::plan::Node;
use crate::points::{Grid, Points, Series};

pub(super) fn stream<'a>(
    context: &'a Context<'a>,
    function: Function,
    args: &'a [Node],
    grid: Grid,
) -> Result<Parts<'a>, Error> {
    let Some(arg) = args.first() else {
        let values = (0..grid.len()).map(|i| part(function, (grid.time(i) as f64 / 1000.0).trunc())).collect();
        return Ok(one(Series { labels: Labels::default(), drop_name: false, points: Points::all(values) }));
    };
    let parts = context.map(context.stream(arg, grid)?, move |series: &mut Series| {
        let points = &mut series.points;
        for (step, h) in std::mem::take(&mut points.histograms).iter().enumerate() {
            if h.is_some() {
                points.present[step] = false;
            }
        }
        points.values.iter_mut().for_each(|v| *v = part(function, *v));
        context.drop_name(series);
        Ok(!series.points.is_empty())
    });
    Ok(context.distinct(arg, parts, Overlap::Refused))
}

fn part(function: Function, seconds: f64) -> f64 {
    if !seconds.is_finite() {
        return f64::NAN;
    }
    // Beyond the years of a calendar the cast saturates.
    let seconds = (seconds as i64).clamp(-(1 << 53), 1 << 53);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let value = match function {
        Function::Year => year,
        Function::Month => month,
        Function::DayOfMonth => day,
        // 1970-01-01 was a Thursday; Sunday is 0.
        Function::DayOfWeek => (days + 4).rem_euclid(7),
        Function::DayOfYear => days - days_before(year, 1) + 1,
        Function::DaysInMonth => {
            let next = if month == 12 { days_before(year + 1, 1) } else { days_before(year, month + 1) };
            next - days_before(year, month)
        }
        Function::Hour => of_day / 3600,
        _ => of_day / 60 % 60,
    };
    value as f64
}

/// Year, month and day of a day counted from 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_seconds() {
        use Function as F;
        for (seconds, function, expected) in [
            (0.0, F::Year, 1970.0),
            (1_136_239_445.0, F::DayOfWeek, 1.0),
            (1_136_239_445.0, F::DayOfYear, 2.0),
            (1_456_790_399.0, F::DayOfMonth, 29.0),
            (1_454_284_800.0, F::DaysInMonth, 29.0),
            (1_456_790_399.0, F::Hour, 23.0),
            (-1.0, F::Year, 1969.0),
            (-1.0, F::Minute, 59.0),
        ] {
            assert_eq!(part(function, seconds), expected, "{function:?} of {seconds}");
        }
        for days in -800_000..800_000 {
            let (year, month, day) = civil(days);
            assert_eq!(days_before(year, month) + day - 1, days);
        }
    }
}

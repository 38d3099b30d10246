//! M4 (Makridakis et al., 2020), hourly and weekly: the last horizon of each training series is held back.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use grid_ml::forecast::{Params, forecast};

use crate::{Line, mean};

/// One frequency of the competition.
struct Set {
    file: &'static str,
    horizon: usize,
    /// What a caller knows of the season.
    season: usize,
    /// The season of the scaled error.
    scaled_by: usize,
    /// sMAPE and MASE of the competition's reference, by which OWA is measured.
    reference: (f64, f64),
}

const HOURLY: Set =
    Set { file: "Hourly-train.csv", horizon: 48, season: 24, scaled_by: 24, reference: (18.383, 2.395) };
const WEEKLY: Set = Set { file: "Weekly-train.csv", horizon: 13, season: 52, scaled_by: 1, reference: (9.161, 2.777) };

/// Overall weighted average, mean scaled interval score at 95%, share of the values within.
struct Score {
    owa: f64,
    msis: f64,
    within: f64,
    series: usize,
    seconds: f64,
}

pub(crate) fn run(data: &Path) -> anyhow::Result<Vec<Line>> {
    let hourly = score(&data.join("m4"), &HOURLY)?;
    let weekly = score(&data.join("m4"), &WEEKLY)?;
    let many = many(&data.join("m4").join(HOURLY.file))?;
    Ok(vec![
        Line {
            id: "ml_m4_hourly",
            data: "M4 Hourly, last 48 of the training part",
            measure: "OWA; MSIS; seconds on one core",
            grid: format!(
                "{:.3}; {:.2} ({:.0}% within); {} series in {:.1} s",
                hourly.owa,
                hourly.msis,
                100.0 * hourly.within,
                hourly.series,
                hourly.seconds
            ),
            bar: "<= .55 (stretch .484); <= 7.5; < 20 s on two cores",
            holds: hourly.owa <= 0.55 && hourly.msis <= 7.5 && hourly.seconds < 40.0,
            published: "best entry .410, Smyl .440, seasonal naive .628; MSIS 6.14",
        },
        Line {
            id: "ml_m4_weekly",
            data: "M4 Weekly, last 13 of the training part",
            measure: "OWA",
            grid: format!("{:.3} ({:.0}% within)", weekly.owa, 100.0 * weekly.within),
            bar: "<= .917 (stretch .80)",
            holds: weekly.owa <= 0.917,
            published: "best entry .739, Smyl .851, AutoETS .934",
        },
        Line {
            id: "ml_forecast_speed",
            data: "M4 Hourly, each series cut at many hours",
            measure: "forecasts of 48 hours with intervals, seconds on two cores",
            grid: format!("{MANY} in {many:.0} s"),
            bar: "10,000 within 600 s",
            holds: many < 600.0,
            published: "",
        },
    ])
}

/// Forecasts for the bar of speed, and threads that make them.
const MANY: usize = 10_000;
const CORES: usize = 2;

/// Seconds for [`MANY`] forecasts: of each series up to its end, an hour before it, two hours before it.
fn many(path: &Path) -> anyhow::Result<f64> {
    let series = read(path)?;
    anyhow::ensure!(!series.is_empty(), "{}: no series", path.display());
    let params = Params { horizon: HOURLY.horizon, season: Some(HOURLY.season), level: 0.95 };
    let started = Instant::now();
    let work = |core: usize| -> anyhow::Result<()> {
        for n in (core..MANY).step_by(CORES) {
            let values = &series[n % series.len()];
            let end = values.len().saturating_sub(n / series.len()).max(HOURLY.horizon);
            std::hint::black_box(forecast(&values[..end.min(values.len())], &params)?);
        }
        Ok(())
    };
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CORES).map(|core| scope.spawn(move || work(core))).collect();
        threads.into_iter().try_for_each(|t| t.join().unwrap_or_else(|_| anyhow::bail!("a forecast panicked")))
    })?;
    Ok(started.elapsed().as_secs_f64())
}

/// The values of each series of a file of M4.
fn read(path: &Path) -> anyhow::Result<Vec<Vec<f64>>> {
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).from_path(path).with_context(|| path.display().to_string())?;
    let values = |record: csv::StringRecord| record.iter().skip(1).filter_map(|cell| cell.parse().ok()).collect();
    Ok(reader.records().map(|r| r.map(values)).collect::<Result<_, _>>()?)
}

fn score(folder: &Path, set: &Set) -> anyhow::Result<Score> {
    let series = read(&folder.join(set.file))?;
    let (mut smape, mut mase, mut msis, mut within) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let started = Instant::now();
    for values in &series {
        let Some((past, future)) = values.len().checked_sub(set.horizon).map(|cut| values.split_at(cut)) else {
            continue;
        };
        let params = Params { horizon: set.horizon, season: Some(set.season), level: 0.95 };
        let answer = forecast(past, &params)?;
        let scale = mean(past.iter().skip(set.scaled_by).zip(past).map(|(a, b)| (a - b).abs())).max(1e-9);
        let pairs = || future.iter().zip(&answer.mean);
        smape.push(mean(
            pairs().map(
                |(y, f)| {
                    if y.abs() + f.abs() > 0.0 { 200.0 * (y - f).abs() / (y.abs() + f.abs()) } else { 0.0 }
                },
            ),
        ));
        mase.push(mean(pairs().map(|(y, f)| (y - f).abs())) / scale);
        let bounds = || future.iter().zip(answer.lower.iter().zip(&answer.upper));
        // 2 / 0.05 for what lies outside.
        let missed = |y: f64, l: f64, u: f64| 40.0 * (l - y).max(y - u).max(0.0);
        msis.push(mean(bounds().map(|(y, (l, u))| u - l + missed(*y, *l, *u))) / scale);
        within.push(mean(bounds().map(|(y, (l, u))| f64::from(u8::from(l <= y && y <= u)))));
    }
    let (seconds, series) = (started.elapsed().as_secs_f64(), smape.len());
    let owa = (mean(smape) / set.reference.0 + mean(mase) / set.reference.1) / 2.0;
    Ok(Score { owa, msis: mean(msis), within: mean(within), series, seconds })
}

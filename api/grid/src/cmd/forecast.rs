//! `grid forecast --input`: forecasts of the series in a file, one per row, by the models that forecast what the store holds.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use grid_ml::forecast::{Forecast, HORIZON_MAX, Params, forecast};
use serde_json::json;

use crate::args::{FilesFormat, ForecastArgs};
use crate::out;

/// Points of one row that are read.
const POINTS_MAX: usize = 1 << 20;

/// A row of the file.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) points: Vec<f64>,
}

/// Reads, forecasts, prints; series too short for a forecast are told on stderr.
pub(crate) fn run(args: &ForecastArgs) -> anyhow::Result<ExitCode> {
    let rows = read(&args.input)?;
    let horizon = usize::try_from(args.horizon).unwrap_or(HORIZON_MAX);
    let params =
        Params { horizon, season: args.season.map(|s| s as usize).filter(|s| *s > 1), level: args.level / 100.0 };
    let answers = forecast_all(&rows, &params);
    let mut short = 0_usize;
    let mut printer = Printer::new(args.output);
    for (row, answer) in rows.iter().zip(answers) {
        match answer {
            Ok(answer) => printer.series(&row.name, &answer)?,
            Err(too_short) => {
                short += 1;
                out::say(&format!("{}: no forecast: {too_short}", row.name));
            }
        }
    }
    printer.finish()?;
    if short == rows.len() && short > 0 {
        bail!("no series of {} is long enough for a forecast", args.input.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// All rows; the first is a header if its second cell is no number. Empty cells at the end of a row are not part of it, others are gaps.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
    let mut rows = Vec::new();
    for (n, record) in reader.records().enumerate() {
        let record = record.with_context(|| format!("read {}", path.display()))?;
        let cells: Vec<&str> = record.iter().map(str::trim).collect();
        let Some((name, cells)) = cells.split_first() else { continue };
        if n == 0 && cells.first().is_none_or(|c| c.parse::<f64>().is_err()) {
            continue;
        }
        let length = cells.iter().rposition(|c| !c.is_empty()).map_or(0, |i| i + 1);
        if length > POINTS_MAX {
            bail!("{} row {}: {length} points are more than {POINTS_MAX}", path.display(), n + 1);
        }
        let mut points = Vec::with_capacity(length);
        for (column, cell) in cells[..length].iter().enumerate() {
            points.push(match *cell {
                "" | "NA" | "NaN" | "null" => f64::NAN,
                number => number.parse().with_context(|| {
                    format!("{} row {} column {}: {number:?} is not a number", path.display(), n + 1, column + 2)
                })?,
            });
        }
        rows.push(Row { name: (*name).to_owned(), points });
    }
    if rows.is_empty() {
        bail!("{} has no series: one per row is wanted, its name first", path.display());
    }
    Ok(rows)
}

type Answer = Result<Forecast, grid_ml::NotEnoughData>;

/// On all cores; answers in the order of the rows.
fn forecast_all(rows: &[Row], params: &Params) -> Vec<Answer> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // Neighbours are of like length, so each thread takes every n-th.
    let mut by_thread: Vec<Vec<Answer>> = std::thread::scope(|scope| {
        let spawn = |first: usize| {
            scope.spawn(move || rows.iter().skip(first).step_by(threads).map(|r| forecast(&r.points, params)).collect())
        };
        let running: Vec<_> = (0..threads).map(spawn).collect();
        running.into_iter().map(|t| t.join().unwrap_or_default()).collect()
    });
    by_thread.iter_mut().for_each(|answers| answers.reverse());
    (0..rows.len()).filter_map(|n| by_thread[n % threads].pop()).collect()
}

/// Writes one series after the other.
struct Printer {
    format: FilesFormat,
    text: Vec<u8>,
    first: bool,
}

impl Printer {
    fn new(format: FilesFormat) -> Self {
        let text = match format {
            FilesFormat::Csv => b"series,step,mean,lower,upper\n".to_vec(),
            FilesFormat::Json => b"[".to_vec(),
        };
        Self { format, text, first: true }
    }

    fn series(&mut self, name: &str, answer: &Forecast) -> anyhow::Result<()> {
        match self.format {
            FilesFormat::Csv => {
                let name = crate::out::csv_cell(name);
                for step in 0..answer.mean.len() {
                    let (mean, lower, upper) = (answer.mean[step], answer.lower[step], answer.upper[step]);
                    writeln!(self.text, "{name},{},{mean},{lower},{upper}", step + 1)?;
                }
            }
            FilesFormat::Json => {
                let models: serde_json::Map<_, _> =
                    answer.models.iter().map(|(name, weight)| ((*name).to_owned(), json!(weight))).collect();
                let object = json!({
                    "series": name, "mean": answer.mean, "lower": answer.lower, "upper": answer.upper,
                    "seasons": answer.seasons, "models": models, "version": grid_ml::forecast::VERSION,
                });
                let comma = if self.first { "\n" } else { ",\n" };
                write!(self.text, "{comma}{object}")?;
            }
        }
        self.first = false;
        if self.text.len() > 1 << 16 {
            out::bytes(&std::mem::take(&mut self.text)).context("write the answer")?;
        }
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<()> {
        if self.format == FilesFormat::Json {
            self.text.extend_from_slice(b"\n]\n");
        }
        out::bytes(&self.text).context("write the answer")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rows_of(text: &str) -> anyhow::Result<Vec<(String, usize)>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wide.csv");
        std::fs::write(&path, text).unwrap();
        Ok(read(&path)?.into_iter().map(|r| (r.name, r.points.len())).collect())
    }

    #[test]
    fn wide_files_are_read() {
        let of = |text: &str| rows_of(text).unwrap();
        assert_eq!(of("\"V1\",\"V2\",\"V3\"\n\"H1\",1,2\n\"H2\",3,\n"), [("H1".into(), 2), ("H2".into(), 1)]);
        assert_eq!(of("H1,1,,3,,\n"), [("H1".into(), 3)]);
        let error = rows_of("H1,1,2\nH2,1,x\n").unwrap_err();
        assert!(format!("{error:#}").contains("row 2 column 3: \"x\" is not a number"), "{error:#}");
        assert!(rows_of("id,t1\n").is_err());
    }

    #[test]
    fn answers_keep_the_order_of_rows() {
        let rows: Vec<Row> =
            (0..7).map(|n| Row { name: n.to_string(), points: vec![f64::from(n); 10 + n as usize] }).collect();
        let params = Params { horizon: 2, season: None, level: 0.95 };
        let means: Vec<f64> = forecast_all(&rows, &params).into_iter().map(|a| a.unwrap().mean[0].round()).collect();
        assert_eq!(means, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
}

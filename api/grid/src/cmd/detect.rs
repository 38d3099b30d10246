//! `grid detect --input`: anomalies of the series in a file, judged point by point as they would be when they come in; with `--changes` the points
//! from which it is another for good, judged from the whole.

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use grid_decode::points::{self, Point};
use grid_ml::changes;
use grid_ml::detect::{Detector, Tier, VERSION, Verdict};
use serde_json::json;

use crate::args::{DetectArgs, FilesFormat};
use crate::out;

/// Bytes that are written at once.
const WRITE_BYTES: usize = 1 << 18;

/// Reads, judges, prints.
pub(crate) fn run(args: &DetectArgs) -> anyhow::Result<ExitCode> {
    let file = File::open(&args.input).with_context(|| format!("open {}", args.input.display()))?;
    let points = points::read(BufReader::new(file)).with_context(|| format!("read {}", args.input.display()))?;
    let verdicts = if args.changes { changes(&points, &args.input)? } else { anomalies(&points, args.cheap) };
    let version = if args.changes { changes::VERSION } else { VERSION };
    let mut text = match args.output {
        FilesFormat::Csv => b"time,value,score,expected,lower,upper,anomaly\n".to_vec(),
        FilesFormat::Json => b"[".to_vec(),
    };
    for (n, (point, verdict)) in points.iter().zip(&verdicts).enumerate() {
        // As the file has it, so that rows can be joined.
        let time = if point.written.is_empty() { point.time.to_string() } else { point.written.to_string() };
        match args.output {
            FilesFormat::Csv => writeln!(
                text,
                "{},{},{},{},{},{},{}",
                out::csv_cell(&time),
                point.value,
                verdict.score,
                verdict.expected,
                verdict.lower,
                verdict.upper,
                u8::from(verdict.anomaly)
            )?,
            FilesFormat::Json => {
                let value = point.value.is_finite().then_some(point.value);
                let object = json!({
                    "time": time, "value": value, "score": verdict.score, "expected": verdict.expected,
                    "lower": verdict.lower, "upper": verdict.upper, "anomaly": verdict.anomaly, "version": version,
                });
                write!(text, "{}\n{object}", if n == 0 { "" } else { "," })?;
            }
        }
        if text.len() > WRITE_BYTES {
            out::bytes(&text).context("write the answer")?;
            text.clear();
        }
    }
    if args.output == FilesFormat::Json {
        text.extend_from_slice(b"\n]\n");
    }
    out::bytes(&text).context("write the answer")?;
    Ok(ExitCode::SUCCESS)
}

fn anomalies(points: &[Point], cheap: bool) -> Vec<Verdict> {
    let mut detector = Detector::new(if cheap { Tier::Cheap } else { Tier::Thorough });
    points.iter().map(|p| detector.push(p.time, p.value)).collect()
}

/// In the same shape: a change scores 1 and the share of the variance that it explains, all else 0; expected is the level or line of its piece.
fn changes(points: &[Point], path: &Path) -> anyhow::Result<Vec<Verdict>> {
    const DEVIATIONS: f64 = 3.0;
    let values: Vec<f64> = points.iter().map(|p| p.value).collect();
    let found = changes::find(&values).with_context(|| format!("look for changes in {}", path.display()))?;
    let ranges = found.expected.iter().zip(&found.deviation);
    let mut verdicts: Vec<Verdict> = ranges
        .map(|(expected, deviation)| Verdict {
            score: 0.0,
            expected: *expected,
            lower: expected - DEVIATIONS * deviation,
            upper: expected + DEVIATIONS * deviation,
            anomaly: false,
        })
        .collect();
    for change in &found.changes {
        verdicts[change.at].score = 1.0 + change.share;
        verdicts[change.at].anomaly = true;
    }
    Ok(verdicts)
}

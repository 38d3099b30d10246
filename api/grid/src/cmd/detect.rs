//! `grid detect --input`: anomalies of the series in a file, judged point by point as they would be when they come in.

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use grid_decode::points;
use grid_ml::detect::{Detector, Tier, VERSION};
use serde_json::json;

use crate::args::{DetectArgs, FilesFormat};
use crate::out;

/// Bytes that are written at once.
const WRITE_BYTES: usize = 1 << 18;

/// Reads, judges, prints.
pub(crate) fn run(args: &DetectArgs) -> anyhow::Result<ExitCode> {
    let file = File::open(&args.input).with_context(|| format!("open {}", args.input.display()))?;
    let points = points::read(BufReader::new(file)).with_context(|| format!("read {}", args.input.display()))?;
    let mut detector = Detector::new(if args.cheap { Tier::Cheap } else { Tier::Thorough });
    let mut text = match args.output {
        FilesFormat::Csv => b"time,value,score,expected,lower,upper,anomaly\n".to_vec(),
        FilesFormat::Json => b"[".to_vec(),
    };
    for (n, point) in points.iter().enumerate() {
        let verdict = detector.push(point.time, point.value);
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
                    "lower": verdict.lower, "upper": verdict.upper, "anomaly": verdict.anomaly, "version": VERSION,
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

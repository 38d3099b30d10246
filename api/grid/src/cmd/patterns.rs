//! `grid patterns --input`: the templates of the lines in a file, by the model that groups what the store holds.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use grid_ml::patterns::{Miner, Templates};
use serde_json::json;

use crate::args::{FilesFormat, PatternsArgs};
use crate::out;

/// Bytes of one line that are read; the rest of a longer one is skipped.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// Bytes that are written at once.
const WRITE_BYTES: usize = 1 << 18;

/// Reads all lines, then prints which template each has, or the templates with their counts.
pub(crate) fn run(args: &PatternsArgs) -> anyhow::Result<ExitCode> {
    let file = File::open(&args.input).with_context(|| format!("open {}", args.input.display()))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut miner = Miner::new();
    // A number per line: which template it has is known at the end only.
    let mut shapes: Vec<u32> = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        if read.with_context(|| format!("read {}", args.input.display()))? == 0 {
            break;
        }
        if line.last() != Some(&b'\n') {
            reader.skip_until(b'\n')?;
        }
        shapes.push(miner.add(String::from_utf8_lossy(line.trim_ascii_end()).as_ref()));
    }
    let templates = miner.templates();
    match args.output {
        FilesFormat::Csv if args.summary => print_summary(&templates)?,
        FilesFormat::Csv => print_lines(&shapes, &templates)?,
        FilesFormat::Json => {
            let all: Vec<_> = templates
                .all
                .iter()
                .enumerate()
                .map(|(id, t)| json!({ "template_id": id + 1, "template": t.text, "lines": t.lines }))
                .collect();
            out::line(&serde_json::to_string_pretty(&all)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_lines(shapes: &[u32], templates: &Templates) -> anyhow::Result<()> {
    let tails: Vec<String> =
        templates.all.iter().enumerate().map(|(id, t)| format!("{},{}", id + 1, out::csv_cell(&t.text))).collect();
    let mut text = b"line,template_id,template\n".to_vec();
    for (n, shape) in shapes.iter().enumerate() {
        writeln!(text, "{},{}", n + 1, tails[templates.of_shape[*shape as usize] as usize])?;
        if text.len() > WRITE_BYTES {
            out::bytes(&text).context("write the answer")?;
            text.clear();
        }
    }
    out::bytes(&text).context("write the answer")
}

/// The templates, most lines first.
fn print_summary(templates: &Templates) -> anyhow::Result<()> {
    let mut order: Vec<usize> = (0..templates.all.len()).collect();
    order.sort_by_key(|id| std::cmp::Reverse(templates.all[*id].lines));
    let mut text = b"template_id,lines,template\n".to_vec();
    for id in order {
        let template = &templates.all[id];
        writeln!(text, "{},{},{}", id + 1, template.lines, out::csv_cell(&template.text))?;
    }
    out::bytes(&text).context("write the answer")
}

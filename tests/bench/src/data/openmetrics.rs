//! Reads the samples of a recorded scrape: lines `NAME{LABELS} VALUE SECONDS`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, ensure};

use super::wire::{WireSeries, write_request};
use crate::load::Load;

/// Samples per request.
const BATCH: usize = 2_000;

/// The file as requests in order of time, on one connection.
pub(crate) fn load(path: &Path) -> anyhow::Result<(Load, usize)> {
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
    let mut series: BTreeMap<&str, WireSeries> = BTreeMap::new();
    let mut samples: Vec<(i64, &str, f64)> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.rsplitn(3, ' ');
        let (time, value, key) = (words.next(), words.next(), words.next());
        let (time, value, key) = time.zip(value).zip(key).map(|((t, v), k)| (t, v, k)).context("three words")?;
        if !series.contains_key(key) {
            series.insert(key, labels(key).with_context(|| format!("read {key}"))?);
        }
        samples.push(((time.parse::<f64>()? * 1000.0).round() as i64, key, value.parse()?));
    }
    samples.sort_by_key(|(time, ..)| *time);
    let mut load = Load::new();
    for batch in samples.chunks(BATCH) {
        let rows: Vec<_> = batch.iter().map(|(time, key, value)| (&series[key], [(*time, *value)])).collect();
        load.lanes[0].push(write_request(rows.iter().map(|(s, v)| (*s, &v[..])))?);
    }
    load.items = samples.len() as u64;
    Ok((load, series.len()))
}

fn labels(key: &str) -> anyhow::Result<WireSeries> {
    let (name, rest) = key.split_once('{').unwrap_or((key, "}"));
    let mut pairs = vec![("__name__".to_owned(), name.to_owned())];
    let mut rest = rest.strip_suffix('}').context("a closing brace")?;
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"").context("a label")?;
        let (mut value, mut escaped, mut end) = (String::new(), false, None);
        for (i, c) in after.char_indices() {
            match (escaped, c) {
                (true, 'n') => value.push('\n'),
                (true, c) => value.push(c),
                (false, '\\') => {
                    escaped = true;
                    continue;
                }
                (false, '"') => {
                    end = Some(i);
                    break;
                }
                (false, c) => value.push(c),
            }
            escaped = false;
        }
        pairs.push((label.to_owned(), value));
        rest = &after[end.context("a closing quote")? + 1..];
        ensure!(rest.is_empty() || rest.starts_with(','), "a comma");
        rest = rest.trim_start_matches(',');
    }
    let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    Ok(WireSeries::new(&pairs))
}

//! Metrics as text: the OpenMetrics and the Prometheus exposition formats, streamed by lines.
//!
//! Refused is what Prometheus refuses (its lexers, `model/textparse`), not what OpenMetrics' own suite would like to see
//! refused: a real target must not be lost to pedantry. Unlike Prometheus, which drops the whole page, only the bad line is
//! lost, with its number and reason.
//!
//! In OpenMetrics the line `NAME_created` gives the start time of the metric that it belongs to and is not a sample; one that
//! belongs to no sample stays a sample. The Prometheus format has no such rule.
//!
//! A scraper takes a page as Prometheus does, whole or not at all: [`decode_page`], and [`protobuf`] for the third format.
//!
//! The crate `prometheus-parse` reads neither OpenMetrics nor exemplars nor quoted names; it serves as a second opinion in
//! tests.

mod line;
mod float_text;
pub mod protobuf;

use std::collections::HashMap;

use grid_model::labels::METRIC_NAME;
use grid_model::reject::Reject;
use grid_model::series::{SeriesId, id_of_key, write_label_key};
use grid_model::table::exemplars::ExemplarsBuilder;
use grid_model::table::metadata::{self, MetadataRow};
use grid_model::table::samples::SamplesBuilder;
use grid_model::{Table, Timestamp};

use crate::label_pairs::{Pairs, canonicalize, clip, sort_and_check};
use crate::remote_write::exemplar_row;
use crate::split_lines::LineSplitter;
use crate::{DecodeContext, DecodeError, Decoded};
use line::{Exemplar, Line, Meta, Sample, Series};

/// Longest line; a sample's labels are bounded by their own limits.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// How many samples of one metric family wait for a `_created` line. It stands next to its samples, so a family that is longer
/// than this (an export of a long time) loses nothing that a correct sender sends.
const WAITING_ROWS_MAX: usize = 16 * 1024;
/// How many bytes of keys may wait.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Which of the two formats a text is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format 0.0.4 and 1.0.0: times in milliseconds, comments anywhere.
    Prometheus,
    /// OpenMetrics 1.0: times in seconds, exemplars, ends with `# EOF`.
    OpenMetrics,
}

impl Format {
    /// The format that a `Content-Type` names; Prometheus' own if it names none.
    pub fn of_content_type(content_type: &str) -> Self {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// The format of a whole text: OpenMetrics ends with `# EOF`, which to Prometheus' format is a comment.
    pub fn of_text(text: &[u8]) -> Self {
        if text.trim_ascii_end().ends_with(b"# EOF") { Self::OpenMetrics } else { Self::Prometheus }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "Prometheus text",
            Self::OpenMetrics => "OpenMetrics text",
        }
    }
}

/// Decodes a whole text. Rejects are positioned by line, counted from 1. Fails if no line at all can be used.
pub fn decode(text: &[u8], format: Format, ctx: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    let mut exposition = Exposition::new(format);
    let mut out = Out::default();
    exposition.feed_into(text, ctx, &mut out);
    exposition.finish_into(ctx, &mut out);
    let decoded = out.finish(ctx);
    match decoded.rejects.first.first() {
        Some(first) if decoded.write.is_empty() => {
            Err(DecodeError { format: format.name(), reason: format!("line {}: {}", first.position, first.reason) })
        }
        _ => Ok(decoded),
    }
}

/// A page as a scraper takes it.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// What was read; if the page is malformed, what stands before the bad place. Labels without a value are kept in the keys of
    /// its series, since to a scraper they say that a target's label of that name shall not be added: its keys are
    /// not canonical. What only Grid's own bounds refuse is among the rejects.
    pub decoded: Decoded,
    /// Where Prometheus' own parser would refuse the whole page, and why.
    pub malformed: Option<Reject>,
    /// How many samples were met up to there; all, if the page is good.
    pub scraped: u64,
}

impl Page {
    fn new(out: Out, malformed: Option<Reject>, ctx: &DecodeContext<'_>) -> Self {
        let nameless = out.nameless;
        let decoded = out.finish(ctx);
        Self { scraped: decoded.counts.samples + decoded.counts.histograms + nameless, decoded, malformed }
    }
}

/// Decodes a whole page for a scraper.
pub fn decode_page(text: &[u8], format: Format, ctx: &DecodeContext<'_>) -> Page {
    let mut exposition = Exposition { is_page: true, ..Exposition::new(format) };
    let mut out = Out::default();
    exposition.feed_into(text, ctx, &mut out);
    exposition.finish_into(ctx, &mut out);
    let malformed = out.malformed.take();
    Page::new(out, malformed, ctx)
}

/// Why a line is not taken.
enum Fault {
    /// It is not of the format.
    Syntax(String),
    /// A bound of Grid's own.
    Bound(String),
}

/// Decodes a text chunk by chunk; the chunks' borders do not matter.
pub struct Exposition {
    format: Format,
    /// Whether a scraper takes the text; see [`Page`].
    is_page: bool,
    /// The type that was said last, whatever samples followed.
    last_type: &'static str,
    lines: LineSplitter,
    family: Family,
    waiting: Waiting,
    previous: Previous,
    /// Whether `# EOF` was read, and whether what follows it was already reported.
    eof: Eof,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Eof {
    Ahead,
    Read,
    Passed,
}

/// The metric family that the current lines speak of.
#[derive(Debug, Default)]
struct Family {
    name: String,
    kind: String,
    help: String,
    unit: String,
}

/// What a sample is to its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// An ordinary sample that no `_created` line can concern.
    Plain,
    /// A sample whose start time a `_created` line may give.
    Counted,
    /// The `_created` line.
    Created,
}

/// The series of the line before: exports list many samples of one series in a row.
#[derive(Debug)]
struct Previous {
    text: String,
    key: Vec<u8>,
    group: u64,
    role: Role,
}

/// Samples that wait for the `_created` line of their family, with their keys in one buffer.
#[derive(Debug, Default)]
struct Waiting {
    rows: Vec<WaitingRow>,
    keys: Vec<u8>,
}

#[derive(Debug)]
struct WaitingRow {
    /// Where in `keys` the series' key is.
    key: (usize, usize),
    /// Hash of the labels that all samples of one metric share.
    group: u64,
    /// The time as sent.
    time: Option<Timestamp>,
    value: f64,
    /// For a `_created` line: its value as a time.
    created: Option<Timestamp>,
}

impl Exposition {
    /// A decoder at the start of a text.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            is_page: false,
            last_type: "",
            lines: LineSplitter::new(LINE_BYTES_MAX),
            family: Family::default(),
            waiting: Waiting::default(),
            previous: Previous { text: String::new(), key: Vec::new(), group: 0, role: Role::Plain },
            eof: Eof::Ahead,
        }
    }

    /// Decodes the lines that end in this chunk.
    pub fn feed(&mut self, chunk: &[u8], ctx: &DecodeContext<'_>) -> Decoded {
        let mut out = Out::default();
        self.feed_into(chunk, ctx, &mut out);
        out.finish(ctx)
    }

    /// Decodes what is left after the last chunk.
    pub fn finish(mut self, ctx: &DecodeContext<'_>) -> Decoded {
        let mut out = Out::default();
        self.finish_into(ctx, &mut out);
        out.finish(ctx)
    }

    fn feed_into(&mut self, chunk: &[u8], ctx: &DecodeContext<'_>, out: &mut Out) {
        // The splitter is taken out so that its lines can be borrowed while the rest of `self` changes.
        let mut lines = std::mem::replace(&mut self.lines, LineSplitter::new(LINE_BYTES_MAX));
        lines.feed(chunk, |number, line| self.take_line(number, line.ok(), ctx, out));
        self.lines = lines;
    }

    fn finish_into(&mut self, ctx: &DecodeContext<'_>, out: &mut Out) {
        let mut lines = std::mem::replace(&mut self.lines, LineSplitter::new(LINE_BYTES_MAX));
        lines.finish(|number, line| self.take_line(number, line.ok(), ctx, out));
        self.end_family(ctx, out);
        if self.format == Format::OpenMetrics && self.eof == Eof::Ahead {
            let reason = "text does not end with # EOF, so part of it may be missing";
            self.refuse(lines.lines() + 1, Fault::Syntax(reason.to_owned()), out);
        }
    }

    fn take_line(&mut self, number: u64, line: Option<&[u8]>, ctx: &DecodeContext<'_>, out: &mut Out) {
        if self.is_page && out.malformed.is_some() {
            return;
        }
        if self.eof != Eof::Ahead {
            if self.eof == Eof::Read {
                self.refuse(number, Fault::Syntax("text goes on after # EOF".to_owned()), out);
            }
            self.eof = Eof::Passed;
            return;
        }
        let taken = match line {
            None => Err(Fault::Syntax(format!("line has more than {LINE_BYTES_MAX} bytes"))),
            Some(line) => self.take_text(line, ctx, out),
        };
        if let Err(fault) = taken {
            self.refuse(number, fault, out);
        }
    }

    fn refuse(&self, position: u64, fault: Fault, out: &mut Out) {
        match fault {
            Fault::Syntax(reason) if self.is_page => {
                out.malformed.get_or_insert(Reject { position, reason });
            }
            Fault::Syntax(reason) | Fault::Bound(reason) => out.decoded.rejects.push(position, reason),
        }
    }

    fn take_text(&mut self, line: &[u8], ctx: &DecodeContext<'_>, out: &mut Out) -> Result<(), Fault> {
        if self.is_page && self.format == Format::Prometheus && line::is_of_windows(line) {
            return Err(Fault::Syntax("the line ends with a carriage return".to_owned()));
        }
        if let Some(rest) = self.repeat_of_previous(line) {
            let sample = line::parse_rest(rest, self.format).map_err(Fault::Syntax)?;
            return push_sample(&self.previous, &sample, &mut self.waiting, ctx, out).map_err(Fault::Bound);
        }
        match line::parse(line, self.format).map_err(Fault::Syntax)? {
            Line::Nothing => Ok(()),
            Line::Eof => {
                self.eof = Eof::Read;
                Ok(())
            }
            Line::Meta(meta) => self.take_meta(meta, ctx, out),
            Line::Sample(series, sample) => {
                self.take_series(&series, ctx, out)?;
                push_sample(&self.previous, &sample, &mut self.waiting, ctx, out).map_err(Fault::Bound)
            }
        }
    }

    /// Makes a line's series the previous one.
    fn take_series(&mut self, series: &Series<'_>, ctx: &DecodeContext<'_>, out: &mut Out) -> Result<(), Fault> {
        let mut pairs: Pairs<'_> = series.labels.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
        let bound = match self.last_type {
            "histogram" => "le",
            "summary" => "quantile",
            _ => "",
        };
        let normal = pairs.iter().find(|(name, _)| *name == bound).and_then(|(_, text)| float_text::normalized(text));
        if let Some(normal) = &normal {
            pairs.iter_mut().filter(|(name, _)| *name == bound).for_each(|(_, text)| *text = normal);
        }
        pairs.push((METRIC_NAME, series.name.as_ref()));
        pairs.sort_unstable();
        if self.is_page {
            if let Some(twice) = pairs.windows(2).find(|w| w[0].0 == w[1].0) {
                out.nameless += 1;
                return Err(Fault::Syntax(format!("label {:?} occurs twice", clip(twice[0].0))));
            }
            sort_and_check(&mut pairs, ctx.limits).map_err(Fault::Bound)?;
        } else {
            // The same pair twice says nothing new; two values of one label are refused.
            pairs.dedup();
            canonicalize(&mut pairs, ctx.limits).map_err(Fault::Bound)?;
        }
        let role = match self.family.role_of(&series.name, self.format) {
            Some(role) => role,
            None => {
                self.end_family(ctx, out);
                Role::Plain
            }
        };
        let previous = &mut self.previous;
        previous.key.clear();
        write_label_key(&mut previous.key, pairs.len(), pairs.iter().copied());
        previous.role = role;
        previous.group = if role == Role::Plain { 0 } else { group_of(&pairs, &mut out.key) };
        previous.text.clear();
        // Only a text that ends with its brace is sure to be followed by the value.
        if series.text.ends_with('}') {
            previous.text.push_str(series.text);
        }
        Ok(())
    }

    /// What follows the series if it is that of the line before.
    fn repeat_of_previous<'l>(&self, line: &'l [u8]) -> Option<&'l str> {
        if self.previous.text.is_empty() {
            return None;
        }
        std::str::from_utf8(line.strip_prefix(self.previous.text.as_bytes())?).ok()
    }

    fn take_meta(&mut self, meta: Meta<'_>, ctx: &DecodeContext<'_>, out: &mut Out) -> Result<(), Fault> {
        self.previous.text.clear();
        if let Meta::Type(_, kind) = meta {
            self.last_type = kind;
        }
        if meta.name().is_empty() {
            return Err(Fault::Syntax("metadata without a metric's name".to_owned()));
        }
        let max = ctx.limits.attribute_value_bytes_max;
        if meta.name().len() > max || meta.text().len() > max {
            return Err(Fault::Bound(format!("metadata text has more than {max} bytes")));
        }
        if meta.name() != self.family.name {
            self.end_family(ctx, out);
            meta.name().clone_into(&mut self.family.name);
        }
        match meta {
            Meta::Type(_, kind) => kind.clone_into(&mut self.family.kind),
            Meta::Help(_, help) => self.family.help = help.into_owned(),
            Meta::Unit(_, unit) => unit.clone_into(&mut self.family.unit),
        }
        Ok(())
    }

    /// The family's lines are over: its waiting samples go out, and what was said about it.
    fn end_family(&mut self, ctx: &DecodeContext<'_>, out: &mut Out) {
        self.waiting.flush(ctx, out);
        self.previous.text.clear();
        let Family { name, mut kind, help, unit } = std::mem::take(&mut self.family);
        if kind.is_empty() && help.is_empty() && unit.is_empty() {
            return;
        }
        if kind.is_empty() {
            kind.push_str("unknown");
        }
        out.metadata.push(MetadataRow { metric: name, kind, help, unit });
        out.decoded.counts.metadata += 1;
    }
}

/// Gives a sample out, or lets it wait for its family's `_created` line.
fn push_sample(
    series: &Previous,
    sample: &Sample<'_>,
    waiting: &mut Waiting,
    ctx: &DecodeContext<'_>,
    out: &mut Out,
) -> Result<(), String> {
    let time = sample.time.unwrap_or(ctx.now);
    ctx.limits.check_time(time, ctx.now)?;
    if series.role == Role::Plain {
        let id = out.add(&series.key)?;
        out.push(id, time, None, sample.value);
    } else {
        let created = (series.role == Role::Created).then(|| line::seconds(sample.value_text).ok()).flatten();
        if waiting.rows.len() >= WAITING_ROWS_MAX || waiting.keys.len() >= WAITING_BYTES_MAX {
            waiting.flush(ctx, out);
        }
        waiting.push(series, sample, created);
    }
    // The sample is good even if its exemplar is not.
    let Some(exemplar) = &sample.exemplar else { return Ok(()) };
    push_exemplar(series, exemplar, time, ctx, out).map_err(|reason| format!("exemplar: {reason}"))
}

fn push_exemplar(
    series: &Previous,
    exemplar: &Exemplar<'_>,
    sample_time: Timestamp,
    ctx: &DecodeContext<'_>,
    out: &mut Out,
) -> Result<(), String> {
    let mut pairs: Pairs<'_> = exemplar.labels.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
    canonicalize(&mut pairs, ctx.limits)?;
    let time = exemplar.time.unwrap_or(sample_time);
    ctx.limits.check_time(time, ctx.now)?;
    let id = out.add(&series.key)?;
    out.exemplars.push(id, &exemplar_row(time, exemplar.value, &pairs));
    out.decoded.counts.exemplars += 1;
    Ok(())
}

impl Family {
    /// What a sample of this name is to the family; `None` if it is not of it.
    fn role_of(&self, sample: &str, format: Format) -> Option<Role> {
        let counted = if format == Format::OpenMetrics { Role::Counted } else { Role::Plain };
        let created = if format == Format::OpenMetrics { Role::Created } else { Role::Plain };
        // Exporters name the family of a counter with or without `_total`.
        let base =
            if self.kind == "counter" { self.name.strip_suffix("_total").unwrap_or(&self.name) } else { &self.name };
        let suffix = sample.strip_prefix(base).filter(|_| !base.is_empty())?;
        match (self.kind.as_str(), suffix) {
            ("counter" | "histogram" | "summary", "_created") => Some(created),
            ("counter", "" | "_total") => Some(counted),
            ("histogram", "_bucket" | "_count" | "_sum") => Some(counted),
            ("summary", "" | "_count" | "_sum") => Some(counted),
            (_, "") | ("gaugehistogram", "_bucket" | "_gcount" | "_gsum") | ("info", "_info") => Some(Role::Plain),
            _ => None,
        }
    }
}

/// A hash of the labels that all samples of one metric share: without the name, the bucket and the quantile.
fn group_of(pairs: &Pairs<'_>, key: &mut Vec<u8>) -> u64 {
    key.clear();
    let shared = pairs.iter().copied().filter(|(k, _)| !matches!(*k, "__name__" | "le" | "quantile"));
    write_label_key(key, 0, shared);
    id_of_key(key).0
}

impl Waiting {
    fn push(&mut self, series: &Previous, sample: &Sample<'_>, created: Option<Timestamp>) {
        let key = match self.rows.last() {
            Some(last) if self.keys[last.key.0..last.key.1] == series.key[..] => last.key,
            _ => {
                let start = self.keys.len();
                self.keys.extend_from_slice(&series.key);
                (start, self.keys.len())
            }
        };
        self.rows.push(WaitingRow { key, group: series.group, time: sample.time, value: sample.value, created });
    }

    /// Gives the samples out, each with the start time that its metric's `_created` line of the same time gave.
    fn flush(&mut self, ctx: &DecodeContext<'_>, out: &mut Out) {
        let mut starts: HashMap<(u64, Option<Timestamp>), (Timestamp, bool)> = HashMap::new();
        for row in &self.rows {
            if let Some(created) = row.created {
                starts.insert((row.group, row.time), (created, false));
            }
        }
        let mut last: Option<((usize, usize), SeriesId)> = None;
        // Samples first, so that it is known which `_created` lines found one.
        let (created, samples): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.rows).into_iter().partition(|r| r.created.is_some());
        for row in samples.into_iter().chain(created) {
            let start = starts.get_mut(&(row.group, row.time));
            let start = match (start, row.created) {
                (Some((_, used)), Some(_)) if *used => continue,
                (_, Some(_)) | (None, None) => None,
                (Some((start, used)), None) => {
                    *used = true;
                    Some(*start)
                }
            };
            let id = match last {
                Some((key, id)) if key == row.key => Ok(id),
                _ => out.add(&self.keys[row.key.0..row.key.1]),
            };
            match id {
                Ok(id) => {
                    last = Some((row.key, id));
                    out.push(id, row.time.unwrap_or(ctx.now), start, row.value);
                }
                Err(reason) => out.decoded.rejects.push(0, reason),
            }
        }
        self.keys.clear();
    }
}

/// Gathers the rows of a text or a chunk of it.
#[derive(Default)]
struct Out {
    decoded: Decoded,
    samples: SamplesBuilder,
    exemplars: ExemplarsBuilder,
    metadata: Vec<MetadataRow>,
    /// Where a page stopped to be one.
    malformed: Option<Reject>,
    /// Samples whose labels cannot be, which Prometheus reads all the same before it refuses the page.
    nameless: u64,
    /// Scratch.
    key: Vec<u8>,
}

impl Out {
    fn add(&mut self, key: &[u8]) -> Result<SeriesId, String> {
        self.decoded.write.series.add_key(key).ok_or_else(|| "two series collide in their 64-bit id".to_owned())
    }

    fn push(&mut self, id: SeriesId, time: Timestamp, start: Option<Timestamp>, value: f64) {
        self.samples.push_float(id, time, start, value);
        self.decoded.counts.samples += 1;
    }

    fn finish(mut self, ctx: &DecodeContext<'_>) -> Decoded {
        self.decoded.write.push(Table::Samples, self.samples.finish());
        self.decoded.write.push(Table::Exemplars, self.exemplars.finish());
        self.decoded.write.push(Table::Metadata, metadata::batch(ctx.now, &self.metadata));
        self.decoded
    }
}

#[cfg(test)]
mod tests;

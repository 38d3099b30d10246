//! One line of an exposition text.

use std::borrow::Cow;

use grid_model::Timestamp;

use super::Format;
use crate::label_pairs::clip;

/// What a line says.
pub(super) enum Line<'a> {
    /// A comment or an empty line.
    Nothing,
    Eof,
    Meta(Meta<'a>),
    Sample(Series<'a>, Sample<'a>),
}

/// A statement about a metric family.
pub(super) enum Meta<'a> {
    Type(Cow<'a, str>, &'static str),
    Help(Cow<'a, str>, Cow<'a, str>),
    Unit(Cow<'a, str>, &'a str),
}

impl Meta<'_> {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Type(name, _) | Self::Help(name, _) | Self::Unit(name, _) => name,
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Type(_, kind) => kind,
            Self::Help(_, text) => text,
            Self::Unit(_, unit) => unit,
        }
    }
}

type Label<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The left part of a sample's line.
pub(super) struct Series<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) labels: Vec<Label<'a>>,
    /// The part of the line that says all this.
    pub(super) text: &'a str,
}

/// The right part of a sample's line.
pub(super) struct Sample<'a> {
    pub(super) value: f64,
    pub(super) value_text: &'a str,
    pub(super) time: Option<Timestamp>,
    pub(super) exemplar: Option<Exemplar<'a>>,
}

pub(super) struct Exemplar<'a> {
    pub(super) labels: Vec<Label<'a>>,
    pub(super) value: f64,
    pub(super) time: Option<Timestamp>,
}

/// Reads one line, without its line feed.
pub(super) fn parse(line: &[u8], format: Format) -> Result<Line<'_>, String> {
    if format == Format::Prometheus {
        // Comments need not even be UTF-8.
        let trimmed = line.trim_ascii_start();
        if trimmed.is_empty() || (trimmed.starts_with(b"#") && !is_prometheus_meta(trimmed)) {
            return Ok(Line::Nothing);
        }
    }
    let text = std::str::from_utf8(line).map_err(|e| format!("line is not UTF-8 at byte {}", e.valid_up_to() + 1))?;
    match format {
        Format::Prometheus => {
            // A carriage return is part of no value: files from Windows are meant as they look.
            let text = text.trim_matches([' ', '\t', '\r']);
            match text.strip_prefix('#') {
                Some(rest) => parse_meta(rest.trim_start_matches([' ', '\t']), format).map(Line::Meta),
                None => parse_sample(text, format),
            }
        }
        Format::OpenMetrics => match text.strip_prefix("# ") {
            Some("EOF") => Ok(Line::Eof),
            Some(rest) => parse_meta(rest, format).map(Line::Meta),
            None => parse_sample(text, format),
        },
    }
}

/// Whether a line of the Prometheus format has blanks that are none to Prometheus: files are read all the same, pages of targets as
/// Prometheus reads them.
pub(super) fn is_of_windows(line: &[u8]) -> bool {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = line.iter().position(|b| !blank(b)).unwrap_or(line.len());
    let end = line.iter().rposition(|b| !blank(b)).map_or(start, |last| last + 1);
    let text = line.get(start..end).unwrap_or_default();
    match text {
        [b'#', rest @ ..] => rest.trim_ascii_start().starts_with(b"TYPE") && text.ends_with(b"\r"),
        _ => text.trim_ascii().len() != text.len(),
    }
}

/// Reads what follows the series.
pub(super) fn parse_rest(rest: &str, format: Format) -> Result<Sample<'_>, String> {
    let rest = if format == Format::Prometheus { rest.trim_end_matches([' ', '\t', '\r']) } else { rest };
    read_rest(&mut Cursor { text: rest, at: 0, format })
}

fn is_prometheus_meta(comment: &[u8]) -> bool {
    let rest = comment[1..].trim_ascii_start();
    rest.len() + 1 < comment.len()
        && [b"HELP", b"TYPE"].iter().any(|word| {
            rest.strip_prefix(*word).is_some_and(|after| after.starts_with(b" ") || after.starts_with(b"\t"))
        })
}

fn parse_meta(text: &str, format: Format) -> Result<Meta<'_>, String> {
    let lenient = format == Format::Prometheus;
    let (word, rest) = text.split_at_checked(4).ok_or("unknown comment")?;
    let rest = rest.strip_prefix([' ', '\t']).ok_or_else(|| format!("no space after {word:?}"))?;
    let mut cursor = Cursor { text: if lenient { rest.trim_start_matches([' ', '\t']) } else { rest }, at: 0, format };
    let name = match cursor.peek() {
        Some(b'"') => cursor.quoted()?,
        _ => Cow::Borrowed(cursor.name(true).ok_or_else(|| format!("no metric name after {word}"))?),
    };
    let rest = &cursor.text[cursor.at..];
    let rest = match rest.strip_prefix(' ') {
        Some(rest) => rest,
        None if lenient => rest.trim_start_matches('\t'),
        None => return Err(format!("no space after the metric name of {word}")),
    };
    match word {
        "HELP" => Ok(Meta::Help(name, unescape(rest, !lenient))),
        "TYPE" => {
            let kind = if lenient { rest.trim() } else { rest };
            Ok(Meta::Type(
                name,
                metric_type(kind, format).ok_or_else(|| format!("unknown metric type {:?}", clip(kind)))?,
            ))
        }
        "UNIT" if !lenient => {
            let is_suffix = name.strip_suffix(rest).is_some_and(|n| n.ends_with('_'));
            if rest.is_empty() || is_suffix {
                Ok(Meta::Unit(name, rest))
            } else {
                Err(format!("unit {:?} is not a suffix of metric {:?}", clip(rest), clip(&name)))
            }
        }
        _ => Err(format!("unknown comment {:?}", clip(word))),
    }
}

fn metric_type(word: &str, format: Format) -> Option<&'static str> {
    let types: &[&'static str] = match format {
        Format::Prometheus if word == "untyped" => return Some("unknown"),
        // `unknown` and the types of OpenMetrics are accepted too: exporters mix the formats up.
        Format::Prometheus | Format::OpenMetrics => {
            &["counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown"]
        }
    };
    types.iter().find(|t| **t == word).copied()
}

fn parse_sample(text: &str, format: Format) -> Result<Line<'_>, String> {
    let mut cursor = Cursor { text, at: 0, format };
    let mut name = cursor.name(true).map(Cow::Borrowed);
    if name.is_none() && cursor.peek() != Some(b'{') {
        return Err(format!("no metric name at the start of {:?}", clip(text)));
    }
    cursor.skip_blanks();
    let mut labels = Vec::new();
    let mut end = name.as_ref().map_or(0, |n| n.len());
    if cursor.take(b'{') {
        cursor.labels(&mut labels, Some(&mut name))?;
        end = cursor.at;
    } else {
        cursor.at = end;
    }
    let name = name.ok_or("no metric name")?;
    if name.is_empty() {
        return Err("the metric name is empty".to_owned());
    }
    let sample = read_rest(&mut cursor)?;
    Ok(Line::Sample(Series { name, labels, text: &text[..end] }, sample))
}

fn read_rest<'a>(cursor: &mut Cursor<'a>) -> Result<Sample<'a>, String> {
    let value_text = cursor.word().ok_or("no value")?;
    let value = float(value_text)?;
    let mut sample = Sample { value, value_text, time: None, exemplar: None };
    if cursor.format == Format::Prometheus {
        if let Some(word) = cursor.word() {
            let ms: i64 = word.parse().map_err(|_| format!("{:?} is not a time in milliseconds", clip(word)))?;
            sample.time =
                Some(Timestamp::from_millis(ms).ok_or_else(|| format!("time {ms} ms does not fit into nanoseconds"))?);
        }
        return cursor.end().map(|()| sample);
    }
    if !cursor.rest().starts_with(" # {") && !cursor.rest().is_empty() {
        sample.time = Some(seconds(cursor.word().ok_or("trailing blank")?)?);
    }
    if cursor.take_text(" # {") {
        let mut labels = Vec::new();
        cursor.labels(&mut labels, None)?;
        let value = float(cursor.word().ok_or("exemplar without a value")?)?;
        let time = match cursor.rest() {
            "" => None,
            _ => Some(seconds(cursor.word().ok_or("trailing blank after the exemplar")?)?),
        };
        sample.exemplar = Some(Exemplar { labels, value, time });
    }
    cursor.end().map(|()| sample)
}

/// A place in a line.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    format: Format,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn take_text(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// The Prometheus format allows blanks between any two tokens, OpenMetrics nowhere.
    fn skip_blanks(&mut self) {
        if self.format == Format::Prometheus {
            while matches!(self.peek(), Some(b' ' | b'\t')) {
                self.at += 1;
            }
        }
    }

    fn end(&mut self) -> Result<(), String> {
        self.skip_blanks();
        match self.rest() {
            "" => Ok(()),
            rest => Err(format!("unexpected {:?} at the end", clip(rest))),
        }
    }

    /// A name without quotes; colons only in metric names.
    fn name(&mut self, colons: bool) -> Option<&'a str> {
        let rest = self.rest();
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || (colons && b == b':');
        let end = rest.bytes().position(|b| !is_name(b)).unwrap_or(rest.len());
        if end == 0 || rest.as_bytes()[0].is_ascii_digit() {
            return None;
        }
        self.at += end;
        Some(&rest[..end])
    }

    /// A blank and what follows it up to the next blank or the end.
    fn word(&mut self) -> Option<&'a str> {
        let before = self.at;
        self.skip_blanks();
        // After a closing brace the Prometheus format needs no blank.
        let blank = self.take(b' ')
            || self.at > before
            || (self.format == Format::Prometheus && self.text[..self.at].ends_with('}'));
        // A series that was cut off by `repeat_of_previous` ended with a brace, too.
        let blank = blank || (self.format == Format::Prometheus && self.at == 0);
        let rest = self.rest();
        let end = rest.find([' ', '\t']).unwrap_or(rest.len());
        if !blank || end == 0 {
            return None;
        }
        self.at += end;
        Some(&rest[..end])
    }

    /// A string in double quotes, unescaped.
    fn quoted(&mut self) -> Result<Cow<'a, str>, String> {
        if !self.take(b'"') {
            return Err(format!("expected a quote at {:?}", clip(self.rest())));
        }
        let start = self.at;
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                None => return Err(format!("no closing quote after {:?}", clip(&self.text[start - 1..]))),
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
        let inside = self.text.get(start..self.at).ok_or("an escape splits a character")?;
        self.at += 1;
        Ok(unescape(inside, true))
    }

    /// Labels up to and including the closing brace. A quoted string alone is the metric's name, if one is looked for.
    fn labels(
        &mut self,
        out: &mut Vec<Label<'a>>,
        mut metric: Option<&mut Option<Cow<'a, str>>>,
    ) -> Result<(), String> {
        loop {
            self.skip_blanks();
            if self.take(b'}') {
                return Ok(());
            }
            let is_quoted = self.peek() == Some(b'"');
            let name = if is_quoted {
                self.quoted()?
            } else {
                Cow::Borrowed(self.name(false).ok_or_else(|| format!("no label name at {:?}", clip(self.rest())))?)
            };
            self.skip_blanks();
            if self.take(b'=') {
                self.skip_blanks();
                let value = self.quoted()?;
                out.push((name, value));
            } else {
                let at_end = matches!(self.peek(), Some(b',' | b'}'));
                match &mut metric {
                    Some(metric) if is_quoted && at_end && metric.is_none() => **metric = Some(name),
                    _ => return Err(format!("no = after label {:?}", clip(&name))),
                }
            }
            self.skip_blanks();
            if !self.take(b',') && self.peek() != Some(b'}') {
                return Err(format!("no comma or closing brace at {:?}", clip(self.rest())));
            }
        }
    }
}

/// Replaces `\\`, `\n` and, in quotes and OpenMetrics' help, `\"`; any other backslash stays, as in Prometheus.
fn unescape(text: &str, quotes: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('\\') => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('"') if quotes => out.push('"'),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    Cow::Owned(out)
}

/// A float as Go writes it, without hexadecimal floats; what overflows is refused, not made infinite.
fn float(text: &str) -> Result<f64, String> {
    let bad = || format!("{:?} is not a number", clip(text));
    let value: f64 = text.parse().map_err(|_| bad())?;
    let says_infinity = text.bytes().any(|b| b == b'i' || b == b'I');
    if value.is_infinite() && !says_infinity {
        return Err(bad());
    }
    // Prometheus gives every NaN the same bits, so that text cannot forge a stale marker.
    Ok(if value.is_nan() { f64::NAN } else { value })
}

/// A time in seconds, read exactly: exporters in Go write `1.726839813016397e+09`, of which a float would lose the
/// nanoseconds. What is finer is cut off.
pub(super) fn seconds(text: &str) -> Result<Timestamp, String> {
    decimal_nanos(text).map(Timestamp).ok_or_else(|| format!("{:?} is not a time in seconds", clip(text)))
}

/// A decimal number of seconds in nanoseconds; `None` if it is none or too large.
fn decimal_nanos(text: &str) -> Option<i64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let digits = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // The power of ten of the next digit, in nanoseconds.
    let mut power = i32::try_from(whole.len()).ok()?.checked_add(exponent)?.checked_add(8)?;
    let mut nanos = 0i64;
    for digit in whole.bytes().chain(fraction.bytes()) {
        let digit = i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        if power >= 0 && digit != 0 {
            let unit = 10i64.checked_pow(u32::try_from(power).ok()?)?;
            nanos = nanos.checked_add(digit.checked_mul(unit)?)?;
        }
        power = power.checked_sub(1)?;
    }
    Some(if mantissa.starts_with('-') { -nanos } else { nanos })
}

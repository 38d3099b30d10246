//! Log files: one record per line, plain text or a JSON object, streamed by lines.
//!
//! A plain line is its record's body, whole and unchanged; a time and a level word in front are recognised, not cut off. A line
//! without a time takes that of the line before, so that a stack trace stays with its head, or else the time of receipt. Of a
//! JSON object, the usual keys give time, severity and body; every other key becomes a typed attribute.

use grid_model::attr::AttrValue;
use grid_model::table::logs::{LogOrigin, LogRow};
use grid_model::{Attributes, Timestamp};

use crate::log_rows::{LogRows, read_attributes_of};
use crate::split_lines::LineSplitter;
use crate::{DecodeContext, DecodeError, Decoded, parse_time, severity};

/// Longest line that is read; a body is bounded by its own limit, a JSON object may hold more than its body.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How far into a line a time or a level is looked for.
const HEAD_BYTES: usize = 512;
/// How many words after the time may precede the level.
const WORDS_BEFORE_LEVEL: usize = 6;

const TIME_KEYS: [&str; 5] = ["time", "ts", "timestamp", "@timestamp", "datetime"];
const BODY_KEYS: [&str; 4] = ["msg", "message", "body", "log"];
const SERVICE_KEYS: [&str; 4] = ["service.name", "service_name", "service", "app"];

/// Decodes a whole file. Rejects are positioned by line, counted from 1.
pub fn decode(bytes: &[u8], origin: &LogOrigin, ctx: &DecodeContext<'_>) -> Result<Decoded, DecodeError> {
    let mut lines = Lines::new(origin.clone());
    let mut rows = LogRows::of_own_file(ctx);
    lines.feed_into(bytes, ctx, &mut rows);
    lines.finish_into(ctx, &mut rows);
    Ok(rows.finish())
}

/// Decodes a file chunk by chunk; the chunks' borders do not matter.
pub struct Lines {
    /// What the importer knows of all lines. If it names no service, a JSON line may.
    origin: LogOrigin,
    /// The origin with the service of the last JSON line that named one.
    named: LogOrigin,
    lines: LineSplitter,
    /// The time of the last line that had one.
    last_time: Option<Timestamp>,
}

impl Lines {
    /// A decoder at the start of a file.
    pub fn new(origin: LogOrigin) -> Self {
        Self { named: origin.clone(), origin, lines: LineSplitter::new(LINE_BYTES_MAX), last_time: None }
    }

    /// Decodes the lines that end in this chunk.
    pub fn feed(&mut self, chunk: &[u8], ctx: &DecodeContext<'_>) -> Decoded {
        let mut rows = LogRows::of_own_file(ctx);
        self.feed_into(chunk, ctx, &mut rows);
        rows.finish()
    }

    /// Decodes what is left after the last chunk.
    pub fn finish(mut self, ctx: &DecodeContext<'_>) -> Decoded {
        let mut rows = LogRows::of_own_file(ctx);
        self.finish_into(ctx, &mut rows);
        rows.finish()
    }

    fn feed_into(&mut self, chunk: &[u8], ctx: &DecodeContext<'_>, rows: &mut LogRows<'_>) {
        let mut lines = std::mem::replace(&mut self.lines, LineSplitter::new(LINE_BYTES_MAX));
        lines.feed(chunk, |number, line| self.take_line(number, line.ok(), ctx, rows));
        self.lines = lines;
    }

    fn finish_into(&mut self, ctx: &DecodeContext<'_>, rows: &mut LogRows<'_>) {
        let mut lines = std::mem::replace(&mut self.lines, LineSplitter::new(LINE_BYTES_MAX));
        lines.finish(|number, line| self.take_line(number, line.ok(), ctx, rows));
    }

    fn take_line(&mut self, number: u64, line: Option<&[u8]>, ctx: &DecodeContext<'_>, rows: &mut LogRows<'_>) {
        let Some(line) = line else {
            rows.out.rejects.push(number, format!("line has more than {LINE_BYTES_MAX} bytes"));
            return;
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(line);
        let read = read_json(&line).unwrap_or_else(|| read_plain(&line, ctx.now));
        let mut row = read.row;
        row.observed_time = Some(ctx.now);
        row.time = read.time.or(self.last_time).unwrap_or(ctx.now);
        read_attributes_of(&mut row, &self.origin.labels);
        let origin = match read.service {
            Some(service) if self.origin.service.is_empty() => {
                self.named.service = service;
                &self.named
            }
            _ => &self.origin,
        };
        rows.push(number, origin, &row);
        self.last_time = read.time.filter(|t| ctx.limits.check_time(*t, ctx.now).is_ok()).or(self.last_time);
    }
}

/// What one line says.
#[derive(Default)]
struct Read {
    row: LogRow,
    time: Option<Timestamp>,
    service: Option<String>,
}

/// A line that is a JSON object; `None` if it is not.
fn read_json(line: &str) -> Option<Read> {
    if !line.trim_start().starts_with('{') {
        return None;
    }
    let AttrValue::Map(mut entries) = AttrValue::from_json(line).ok()? else { return None };
    let time = TIME_KEYS.iter().find_map(|key| take(&mut entries, key, time_of));
    let mut read = Read { time, ..Read::default() };
    read.row.body = BODY_KEYS
        .iter()
        .find_map(|key| take(&mut entries, key, |v| (*v != AttrValue::Null).then(|| v.clone())))
        // A record without a message is still found by its text.
        .or_else(|| Some(AttrValue::String(line.to_owned())));
    let level = entries.iter().position(|(key, value)| severity::is_severity_key(key) && level_of(value).is_some());
    if let Some((text, number)) = level.and_then(|i| level_of(&entries.remove(i).1)) {
        read.row.severity = text;
        read.row.severity_number = number;
    }
    let text = |key: &&str| entries.iter().find(|(k, _)| k == *key)?.1.as_str();
    read.service = SERVICE_KEYS.iter().filter_map(text).find(|s| !s.is_empty()).map(str::to_owned);
    read.row.attributes = entries;
    Some(read)
}

/// Takes the entry of a key out if its value can be read.
fn take<T>(entries: &mut Attributes, key: &str, read: impl Fn(&AttrValue) -> Option<T>) -> Option<T> {
    let i = entries.iter().position(|(k, _)| k == key)?;
    let out = read(&entries[i].1)?;
    entries.remove(i);
    Some(out)
}

fn time_of(value: &AttrValue) -> Option<Timestamp> {
    match value {
        AttrValue::Int(n) => parse_time::of_integer(*n),
        AttrValue::Double(n) => parse_time::of_number(*n),
        AttrValue::String(s) => {
            let integer = || parse_time::of_integer(s.parse().ok()?);
            parse_time::whole(s).or_else(integer).or_else(|| parse_time::of_number(s.parse().ok()?))
        }
        _ => None,
    }
}

fn level_of(value: &AttrValue) -> Option<(String, i32)> {
    match value {
        AttrValue::String(s) if !s.is_empty() => Some((s.clone(), severity::number_of(s))),
        AttrValue::Int(n) => Some((n.to_string(), severity::number_of_pino(*n))),
        _ => None,
    }
}

fn read_plain(line: &str, now: Timestamp) -> Read {
    let head = &line[..line.floor_char_boundary(HEAD_BYTES)];
    let (time, rest) = find_time(head, now);
    let mut read = Read { time, ..Read::default() };
    let level = priority(head).map(|(word, number, _)| (word, number)).or_else(|| find_level(head, rest));
    if let Some((word, number)) = level {
        read.row.severity = word.to_owned();
        read.row.severity_number = number;
    }
    read.row.body = Some(AttrValue::String(line.to_owned()));
    read
}

/// Syslog's `<165>` in front, with the `1 ` of RFC 5424: the severity and what follows.
fn priority(head: &str) -> Option<(&'static str, i32, &str)> {
    let (number, rest) = head.strip_prefix('<')?.split_once('>')?;
    let number: u32 = number.parse().ok().filter(|n| *n <= 191)?;
    let (word, severity) = severity::of_syslog(number);
    Some((word, severity, rest.strip_prefix("1 ").unwrap_or(rest)))
}

/// The time in front of a line and what follows it.
fn find_time(head: &str, now: Timestamp) -> (Option<Timestamp>, &str) {
    let start = priority(head).map_or(head, |(_, _, rest)| rest).trim_start();
    let start = start.strip_prefix(['[', '(']).unwrap_or(start);
    let start = ["ts=", "time=", "timestamp=", "t="].iter().find_map(|p| start.strip_prefix(p)).unwrap_or(start);
    let start = start.strip_prefix('"').unwrap_or(start);
    if let Some((time, len)) = parse_time::prefix(start, now) {
        return (Some(time), &start[len..]);
    }
    // Web servers put the client in front: `10.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET ...`.
    for (i, _) in start.match_indices('[').take(3) {
        if let Some((time, len)) = parse_time::prefix(&start[i + 1..], now) {
            return (Some(time), &start[i + 1 + len..]);
        }
    }
    (None, start)
}

/// The level word of a line: klog's letter, `level=warn`, or a word soon after the time that is set off by capitals or
/// punctuation. `an error occurred` is prose.
fn find_level<'l>(head: &'l str, rest: &'l str) -> Option<(&'l str, i32)> {
    let bytes = head.as_bytes();
    if let [letter @ (b'I' | b'W' | b'E' | b'F'), digits @ ..] = bytes
        && digits.len() > 4
        && digits[..4].iter().all(u8::is_ascii_digit)
        && digits[4] == b' '
    {
        let number = match letter {
            b'I' => 9,
            b'W' => 13,
            b'E' => 17,
            _ => 21,
        };
        return Some((&head[..1], number));
    }
    for key in ["level=", "lvl=", "severity="] {
        let Some(i) = head.find(key) else { continue };
        let value = head[i + key.len()..].trim_start_matches('"');
        let word = &value[..value.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(value.len())];
        let number = severity::number_of(word);
        if number != 0 {
            return Some((word, number));
        }
    }
    let mut at = 0;
    for _ in 0..WORDS_BEFORE_LEVEL {
        let start = at + rest[at..].find(|c: char| c.is_ascii_alphanumeric())?;
        let end = start + rest[start..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len() - start);
        let word = &rest[start..end];
        let number = severity::number_of(word);
        let before = rest[..start].chars().next_back();
        let after = rest[end..].chars().next();
        let set_off = word.bytes().all(|b| b.is_ascii_uppercase())
            || before.is_some_and(|c| "[<(|".contains(c))
            || after.is_some_and(|c| "]>):|".contains(c));
        if number != 0 && set_off {
            return Some((word, number));
        }
        at = end;
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use grid_model::Labels;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{self, LogBack, NOW, ctx};

    fn origin() -> LogOrigin {
        let labels = Labels::of(&[("file", "a.log")]);
        LogOrigin { stream_id: labels.hash64(), labels, ..LogOrigin::default() }
    }

    fn read(text: &str) -> Vec<LogBack> {
        let decoded = decode(text.as_bytes(), &origin(), &ctx()).unwrap();
        assert!(decoded.rejects.is_empty(), "{}", decoded.rejects.summary());
        testing::logs(&decoded)
    }

    #[test]
    fn plain_lines_keep_their_text_and_give_time_and_level() {
        let cases = [
            ("2024-05-07T10:58:13.877Z [INFO]  expiration: revoked", "2024-05-07T10:58:13.877000000Z", "INFO", 9),
            ("[2024-05-07 10:55:53,434] WARN [Producer] error in it", "2024-05-07T10:55:53.434000000Z", "WARN", 13),
            (
                "2024-05-08 15:23:58.902 [DEBUG][606918] felix/x.go 3: Pong",
                "2024-05-08T15:23:58.902000000Z",
                "DEBUG",
                5,
            ),
            ("E0507 11:59:44.523502    4727 kubelet.go:187] \"x\"", "2025-05-07T11:59:44.523502000Z", "E", 17),
            (
                "ts=2024-04-17T09:52:46.364803306Z caller=http.go:194 level=debug msg=\"x\"",
                "2024-04-17T09:52:46.364803306Z",
                "debug",
                5,
            ),
            ("time=\"2024-04-17T09:52:46+02:00\" level=\"error\"", "2024-04-17T07:52:46.000000000Z", "error", 17),
            ("<165>1 2003-10-11T22:14:15.003Z host app", "2003-10-11T22:14:15.003000000Z", "notice", 10),
            ("<11>Dec 31 23:59:59 host su: failed", "2025-12-31T23:59:59.000000000Z", "err", 17),
            ("2026/01/01 00:00:00 [error] 12#0: *1 open() failed", "2026-01-01T00:00:00.000000000Z", "error", 17),
            (
                "10.0.0.1 - - [01/Jan/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200",
                "2026-01-01T00:00:00.000000000Z",
                "",
                0,
            ),
            ("2026-01-01 00:00:00 an error occurred", "2026-01-01T00:00:00.000000000Z", "", 0),
            ("WARNING: no time", "2026-01-01T00:00:00.000000000Z", "WARNING", 13),
            ("panic: no time either", "2026-01-01T00:00:00.000000000Z", "panic", 21),
            ("\u{1f680} [é", "2026-01-01T00:00:00.000000000Z", "", 0),
        ];
        for (line, time, severity, number) in cases {
            let rows = read(line);
            let row = &rows[0];
            assert_eq!(row.body, line);
            assert_eq!(
                (Timestamp(row.time).to_string().as_str(), row.severity.as_str(), row.severity_number),
                (time, severity, number),
                "{line}"
            );
        }
    }

    #[test]
    fn a_stack_trace_stays_with_its_head() {
        let rows = read("first\r\n\n2025-01-01T00:00:00Z ERROR boom\n  at x\n\tat y");
        let times: Vec<_> = rows.iter().map(|r| Timestamp(r.time).to_string()[..4].to_owned()).collect();
        assert_eq!(times, ["2026", "2025", "2025", "2025"]);
        assert_eq!(rows[0].body, "first");
    }

    #[test]
    fn json_lines_give_typed_attributes() {
        let rows = read(concat!(
            r#"{"level":"warn","ts":1767225600.5,"msg":"m","n":1,"f":1.0,"o":{"a":[true,null]},"trace_id":"1ee220e024eb5b0a","app":"shop"}"#,
            "\n",
            r#"{"time":"2025-01-01T00:00:00Z","@timestamp":"x","level":30,"message":{"k":1},"msg":null}"#,
            "\n",
            r#"{"ts":"yesterday","a":1}"#,
            "\n",
            r#"{"broken": "#,
        ));
        assert_eq!(
            rows[0],
            LogBack {
                time: NOW.nanos() + 500_000_000,
                severity: "warn".into(),
                severity_number: 13,
                service: "shop".into(),
                body: "m".into(),
                labels: origin().labels,
                trace_id: "1ee220e024eb5b0a".into(),
                span_id: String::new(),
                attributes: vec![
                    ("n".into(), AttrValue::Int(1)),
                    ("f".into(), AttrValue::Double(1.0)),
                    (
                        "o".into(),
                        AttrValue::Map(vec![(
                            "a".into(),
                            AttrValue::Array(vec![AttrValue::Bool(true), AttrValue::Null])
                        )])
                    ),
                    ("trace_id".into(), "1ee220e024eb5b0a".into()),
                    ("app".into(), "shop".into()),
                ],
            }
        );
        assert_eq!((rows[1].body.as_str(), rows[1].severity.as_str(), rows[1].severity_number), ("{\"k\":1}", "30", 9));
        assert_eq!(rows[1].service, "", "the service of another line");
        assert_eq!(rows[1].attributes.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["@timestamp", "msg"]);
        assert_eq!(rows[2].body, r#"{"ts":"yesterday","a":1}"#);
        assert_eq!((rows[2].time, rows[2].attributes.len()), (rows[1].time, 2));
        assert_eq!(rows[3].body, r#"{"broken": "#);
    }

    #[test]
    fn limits_hold_per_line() {
        let long = "x".repeat(1024 * 1024 + 1);
        let text = format!("a\n{long}\n2099-01-01T00:00:00Z x\n{{\"k\":\"{}\"}}\nb", &long[..70_000]);
        let decoded = decode(text.as_bytes(), &origin(), &ctx()).unwrap();
        assert_eq!(decoded.counts.logs, 2);
        let positions: Vec<_> = decoded.rejects.first.iter().map(|r| r.position).collect();
        assert_eq!(positions, [2, 3, 4]);
    }

    proptest! {
        #[test]
        fn every_line_is_a_record(lines in prop::collection::vec("[ -~é]{0,30}", 0..8), chunk in 1usize..20) {
            let text = lines.join("\n");
            let mut decoder = Lines::new(origin());
            let mut parts: Vec<Decoded> = text.as_bytes().chunks(chunk).map(|c| decoder.feed(c, &ctx())).collect();
            parts.push(decoder.finish(&ctx()));
            let got: Vec<_> = parts.iter().flat_map(testing::logs).map(|l| l.body).collect();
            let want: Vec<_> = lines.iter().filter(|l| !l.trim().is_empty()).cloned().collect();
            prop_assert_eq!(got, want);
        }

        #[test]
        fn no_text_makes_it_panic(text in "([\\[<(>\\])0-9:/TZ. IWEF\"{},-]|level=|ts=|Jan|é|error|\n){0,60}") {
            let _ = decode(text.as_bytes(), &origin(), &ctx());
        }
    }
}

//! Reads a file of telemetry piece by piece: inflates it, finds its format, decodes it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use grid_decode::otlp::OtlpOptions;
use grid_decode::{DecodeContext, Decoded, Limits, exposition, lines, otlp_logs, otlp_metrics, otlp_traces};
use grid_model::table::logs::LogOrigin;
use grid_model::{Labels, Timestamp};

/// Bytes that are decoded at once.
const CHUNK_BYTES: usize = 1 << 20;
/// Longest line of OTLP JSON; one line is one request.
const LINE_BYTES_MAX: usize = 64 << 20;
/// How much of a file is looked at to find its format.
const SNIFF_BYTES: usize = 16 * 1024;

/// Which table the rows are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Metrics,
    Logs,
    Traces,
}

impl Signal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Traces => "traces",
        }
    }

    fn formats(self) -> &'static [Format] {
        match self {
            Self::Metrics => &[Format::OtlpJson, Format::OpenMetrics, Format::Prometheus],
            Self::Logs => &[Format::OtlpJson, Format::Lines],
            Self::Traces => &[Format::OtlpJson],
        }
    }
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    OtlpJson,
    OpenMetrics,
    Prometheus,
    /// Plain or JSON lines, also mixed.
    Lines,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OtlpJson => "otlp-json",
            Self::OpenMetrics => "openmetrics",
            Self::Prometheus => "prometheus",
            Self::Lines => "lines",
        }
    }

    /// From the flag `--format`; `None` = look at the file.
    pub(super) fn of_flag(signal: Signal, word: &str) -> anyhow::Result<Option<Self>> {
        if word == "auto" {
            return Ok(None);
        }
        match signal.formats().iter().find(|f| f.name() == word) {
            Some(format) => Ok(Some(*format)),
            None => {
                let names: Vec<&str> = signal.formats().iter().map(|f| f.name()).collect();
                bail!("there is no format {word:?} of {}; formats are auto, {}", signal.name(), names.join(", "))
            }
        }
    }

    /// By the beginning of a file; OpenMetrics and Prometheus differ at the end.
    fn of_start(signal: Signal, start: &[u8], path: &Path) -> anyhow::Result<Self> {
        let text = start.trim_ascii_start();
        let object = text.starts_with(b"{");
        match signal {
            Signal::Metrics if object => Ok(Self::OtlpJson),
            Signal::Metrics if ends_with_eof(path)? => Ok(Self::OpenMetrics),
            Signal::Metrics => Ok(Self::Prometheus),
            Signal::Logs if object && memchr_find(text, b"\"resourceLogs\"") => Ok(Self::OtlpJson),
            Signal::Logs => Ok(Self::Lines),
            Signal::Traces => Ok(Self::OtlpJson),
        }
    }
}

fn memchr_find(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|w| w == needle)
}

/// Opens a file, inflated if it is gzipped. The second value counts bytes of the file as they are read.
fn open(path: &Path, count: impl Fn(u64) + Send + 'static) -> anyhow::Result<Box<dyn Read + Send>> {
    let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut magic = [0_u8; 2];
    let got = file.read(&mut magic).with_context(|| format!("read {}", path.display()))?;
    io::Seek::rewind(&mut file).with_context(|| format!("read {}", path.display()))?;
    let counted = Counted { file, count };
    Ok(if magic[..got] == [0x1f, 0x8b] { Box::new(MultiGzDecoder::new(counted)) } else { Box::new(counted) })
}

struct Counted<F> {
    file: File,
    count: F,
}

impl<F: Fn(u64)> Read for Counted<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buf)?;
        (self.count)(n as u64);
        Ok(n)
    }
}

/// Whether a text ends with OpenMetrics' `# EOF`.
fn ends_with_eof(path: &Path) -> anyhow::Result<bool> {
    let mut input = open(path, |_| ())?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut tail: Vec<u8> = Vec::new();
    loop {
        let n = input.read(&mut chunk).with_context(|| format!("read {}", path.display()))?;
        if n == 0 {
            return Ok(exposition::Format::of_text(&tail) == exposition::Format::OpenMetrics);
        }
        tail.extend_from_slice(&chunk[..n]);
        let cut = tail.len().saturating_sub(256);
        tail.drain(..cut);
    }
}

/// What a reader needs to know.
pub(super) struct Plan {
    pub(super) signal: Signal,
    pub(super) format: Option<Format>,
    pub(super) now: Timestamp,
    pub(super) limits: Limits,
    pub(super) options: OtlpOptions,
}

/// One decoded piece of a file.
pub(super) struct Piece {
    pub(super) decoded: Decoded,
    /// The bytes as they were, where they are a request of their own (OTLP JSON).
    pub(super) request: Option<Bytes>,
}

/// Reads a whole file, handing on its pieces in order. `emit` answers `false` to stop. Answers the format.
pub(super) fn read(
    path: &Path,
    plan: &Plan,
    count: impl Fn(u64) + Send + 'static,
    mut emit: impl FnMut(Piece) -> bool,
) -> anyhow::Result<Format> {
    let mut input = BufReader::with_capacity(CHUNK_BYTES, open(path, count)?);
    let start = input.fill_buf().with_context(|| format!("read {}", path.display()))?;
    let format = match plan.format {
        Some(format) => format,
        None => Format::of_start(plan.signal, &start[..start.len().min(SNIFF_BYTES)], path)?,
    };
    let context = DecodeContext { now: plan.now, limits: &plan.limits };
    let failed = || format!("read {}", path.display());
    match format {
        Format::OtlpJson => json_lines(&mut input, plan, &context, &mut emit).with_context(failed)?,
        Format::OpenMetrics | Format::Prometheus => {
            let kind = if format == Format::OpenMetrics { exposition::Format::OpenMetrics } else { exposition::Format::Prometheus };
            let mut decoder = exposition::Exposition::new(kind);
            let whole = chunks(&mut input, |chunk| emit(piece(decoder.feed(chunk, &context)))).with_context(failed)?;
            if whole {
                emit(piece(decoder.finish(&context)));
            }
        }
        Format::Lines => {
            let mut decoder = lines::Lines::new(origin(path));
            let whole = chunks(&mut input, |chunk| emit(piece(decoder.feed(chunk, &context)))).with_context(failed)?;
            if whole {
                emit(piece(decoder.finish(&context)));
            }
        }
    }
    Ok(format)
}

/// Lines that do not name their service belong to one called like the file: `checkout.log` to `checkout`.
fn origin(path: &Path) -> LogOrigin {
    let text = |part: Option<&std::ffi::OsStr>| part.map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let file = text(path.file_name());
    let service = file.split('.').next().unwrap_or_default().to_owned();
    let labels = Labels::of(&[("filename", &file), ("service_name", &service)]);
    LogOrigin { stream_id: labels.hash64(), labels, service, ..LogOrigin::default() }
}

fn piece(decoded: Decoded) -> Piece {
    Piece { decoded, request: None }
}

/// Hands on chunk after chunk; whether the end was reached.
fn chunks(input: &mut impl BufRead, mut feed: impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return Ok(true);
        }
        let n = chunk.len();
        if !feed(chunk) {
            return Ok(false);
        }
        input.consume(n);
    }
}

/// One request per line; a line that is none is rejected with its number.
fn json_lines(
    input: &mut impl BufRead,
    plan: &Plan,
    context: &DecodeContext<'_>,
    emit: &mut impl FnMut(Piece) -> bool,
) -> io::Result<()> {
    let mut number = 0_u64;
    loop {
        let mut line = Vec::new();
        let n = input.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line)?;
        if n == 0 {
            return Ok(());
        }
        number += 1;
        let mut rejected = |reason: String| {
            let mut decoded = Decoded::default();
            decoded.rejects.push(number, reason);
            emit(piece(decoded))
        };
        if line.len() > LINE_BYTES_MAX {
            // The rest of such a line is read in bounded bites and thrown away.
            while !line.ends_with(b"\n") {
                line.clear();
                if input.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)? == 0 {
                    break;
                }
            }
            if !rejected(format!("the line has more than {LINE_BYTES_MAX} bytes")) {
                return Ok(());
            }
            continue;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let decoded = match plan.signal {
            Signal::Metrics => otlp_metrics::decode_json(text, &plan.options, context),
            Signal::Logs => otlp_logs::decode_json(text, &plan.options, context),
            Signal::Traces => otlp_traces::decode_json(text, &plan.options, context),
        };
        let go_on = match decoded {
            Ok(decoded) => {
                let request = Some(Bytes::copy_from_slice(text));
                emit(Piece { decoded, request })
            }
            Err(e) => rejected(e.to_string()),
        };
        if !go_on {
            return Ok(());
        }
    }
}

//! Data goes to stdout, everything else to stderr.

use std::io::{self, IsTerminal as _, Write as _};

/// Writes one line of data. A reader that went away (`grid query ... | head`) is no error of ours.
pub(crate) fn line(text: &str) -> io::Result<()> {
    bytes(format!("{text}\n").as_bytes())
}

/// Writes data as it is.
pub(crate) fn bytes(data: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(data).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// A cell of CSV, quoted where it must be (RFC 4180).
pub(crate) fn csv_cell(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text.into()
    }
}

/// Tells the person at the terminal something.
pub(crate) fn say(text: &str) {
    // Nothing can be done about a closed stderr.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether a person watches stderr.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Whether colours are welcome on stderr (<https://no-color.org>).
pub(crate) fn is_coloured() -> bool {
    is_watched() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

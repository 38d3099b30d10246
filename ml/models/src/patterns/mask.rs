//! Masking one line: which parts of its words are values by their form alone.

use std::ops::Range;

use super::{VARIABLE, WORDS_MAX};

/// A line with its values masked. One is used for line after line, so that nothing is allocated for most.
#[derive(Debug, Default)]
pub(super) struct Masked {
    /// The masked words, each followed by a space.
    text: Vec<u8>,
    /// Words that hold a variable: their number, and where they stand in the line.
    variables: Vec<(usize, Range<usize>)>,
}

/// Days and months: values where a number follows.
const DATE_WORDS: [&[u8]; 19] = [
    b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun", b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul",
    b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
/// The last labels of names of hosts. Names of classes and packages end otherwise.
const DOMAINS: [&str; 20] = [
    "com", "net", "org", "edu", "gov", "io", "de", "uk", "fr", "jp", "cn", "hk", "tw", "in", "ru", "br", "it", "nl",
    "local", "internal",
];
/// Bytes of a number in hexadecimal that is told from a word by its length.
const HEX_BYTES_MIN: usize = 8;

impl Masked {
    /// Masks a line.
    pub(super) fn mask(&mut self, line: &str) {
        self.text.clear();
        self.variables.clear();
        let (mut words, mut after_variable) = (0, false);
        let mut rest = Words { line: line.as_bytes(), at: 0 };
        let mut next = rest.next();
        while let Some(span) = next {
            next = rest.next();
            let word = &line[span.clone()];
            let start = self.text.len();
            if is_date_word(word.as_bytes(), next.clone().map(|n| &line.as_bytes()[n])) {
                self.text.extend_from_slice(VARIABLE.as_bytes());
            } else {
                mask_word(word, &mut self.text);
            }
            let masked = &self.text[start..];
            let bare = masked == VARIABLE.as_bytes();
            if bare && after_variable {
                // Neighbours that are nothing but variable are one: lists and dates have any number of words.
                self.text.truncate(start);
                if let Some((_, before)) = self.variables.last_mut() {
                    before.end = span.end;
                }
                continue;
            }
            if masked.len() != word.len() || bare {
                self.variables.push((words, span));
            }
            after_variable = bare;
            self.text.push(b' ');
            words += 1;
            if words >= WORDS_MAX {
                break;
            }
        }
    }

    /// Cuts all but the first word, or all.
    pub(super) fn keep_first_word(&mut self, first: bool) {
        let end = self.text.iter().position(|b| *b == b' ').map_or(0, |i| i + 1);
        self.text.truncate(if first { end } else { 0 });
        self.text.extend_from_slice(VARIABLE.as_bytes());
        self.text.push(b' ');
        self.variables.clear();
    }

    /// What lines of one shape have in common.
    pub(super) fn key(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        // Masking cuts at ASCII only, so this is text.
        std::str::from_utf8(&self.text).unwrap_or_default().split_terminator(' ')
    }

    /// Words with a variable, and where the line has them.
    pub(super) fn variables(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        self.variables.iter().cloned()
    }
}

/// The spans between white space (ASCII's, as log files have it).
struct Words<'l> {
    line: &'l [u8],
    at: usize,
}

impl Iterator for Words<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.at + self.line.get(self.at..)?.iter().position(|b| !b.is_ascii_whitespace())?;
        let end = self.line[start..].iter().position(u8::is_ascii_whitespace).map_or(self.line.len(), |i| start + i);
        self.at = end;
        Some(start..end)
    }
}

fn is_date_word(word: &[u8], next: Option<&[u8]>) -> bool {
    word.len() == 3
        && DATE_WORDS.contains(&word)
        && next.is_some_and(|n| n.first().is_some_and(u8::is_ascii_digit) || DATE_WORDS.contains(&n))
}

/// Whether a byte is part of a run: of a word, or of what joins the parts of an address, a path, an id.
fn in_run(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b".:-_/@+%~\\$&?*!".contains(&byte)
}

/// Masks each run of a word; brackets, commas and the like stand between runs.
fn mask_word(word: &str, out: &mut Vec<u8>) {
    let bytes = word.as_bytes();
    // Most words are words.
    if bytes.iter().all(u8::is_ascii_alphabetic) && bytes.len() < HEX_BYTES_MIN {
        return out.extend_from_slice(bytes);
    }
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes[at..].iter().position(|b| !in_run(*b)).map_or(bytes.len(), |i| at + i);
        if end > at {
            mask_run(&word[at..end], out);
        }
        at = bytes[end..].iter().position(|b| in_run(*b)).map_or(bytes.len(), |i| end + i);
        out.extend_from_slice(&bytes[end..at]);
    }
}

fn mask_run(run: &str, out: &mut Vec<u8>) {
    // Punctuation of the sentence is no part of a value.
    let is_core = |c: char| c.is_ascii_alphanumeric() || c == '/' || !c.is_ascii();
    let Some(start) = run.find(is_core) else { return out.extend_from_slice(run.as_bytes()) };
    let end = run
        .rfind(|c| is_core(c) || c == '*')
        .map_or(run.len(), |i| i + run[i..].chars().next().map_or(0, char::len_utf8));
    let (before, core, after) = (&run[..start], &run[start..end.max(start)], &run[end.max(start)..]);
    if let Some((name, value)) = name_and_value(core) {
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(name.as_bytes());
        mask_run(value, out);
    } else if is_value(core) {
        // A sign is part of the number.
        out.extend_from_slice(before.strip_suffix(['-', '+']).unwrap_or(before).as_bytes());
        out.extend_from_slice(VARIABLE.as_bytes());
    } else {
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(core.as_bytes());
    }
    out.extend_from_slice(after.as_bytes());
}

/// `sessionid:` and `0x12`, `threshold.......` and `3`; `None` for a host with its port and for what has no name in front.
fn name_and_value(core: &str) -> Option<(&str, &str)> {
    if let Some(dots) = core.find("...") {
        let end = dots + core[dots..].find(|c| c != '.')?;
        return Some(core.split_at(end));
    }
    let colon = core.find(':').filter(|i| *i >= 2)?;
    let (name, value) = core.split_at(colon + 1);
    let name = &name.as_bytes()[..colon];
    let is_name = name.iter().all(|b| b.is_ascii_alphabetic() || b".-_".contains(b));
    let is_port = name.contains(&b'.') && value.bytes().all(|b| b.is_ascii_digit());
    let is_hex = name.len() == 2 && name.iter().all(u8::is_ascii_hexdigit);
    let goes_on = !value.is_empty() && !value.starts_with([':', '/']);
    (is_name && goes_on && !is_port && !is_hex).then(|| core.split_at(colon + 1))
}

/// Whether a run is a value by its form: it has a digit, or is a path, an address, a host, a number in hexadecimal.
fn is_value(core: &str) -> bool {
    let bytes = core.as_bytes();
    if bytes.iter().any(u8::is_ascii_digit) {
        return true;
    }
    let letters = || bytes.iter().any(u8::is_ascii_alphabetic);
    if bytes.len() >= HEX_BYTES_MIN && bytes.iter().all(u8::is_ascii_hexdigit) {
        return true;
    }
    if bytes.len() > 1 && bytes[0] == b'/' && letters() {
        return true;
    }
    // C:\Windows, ada@example.org.
    if bytes.len() > 3 && bytes[1] == b':' && bytes[2] == b'\\' {
        return true;
    }
    let last = core.rsplit_once('.');
    let is_host = last.is_some_and(|(rest, last)| DOMAINS.contains(&last) && !rest.is_empty() && !rest.ends_with('.'));
    is_host && !bytes.iter().any(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_by_their_form() {
        for (line, expected) in [
            ("", ""),
            ("session opened", "session opened "),
            ("from 10.0.0.1:8080 port 22", "from <*> port <*> "),
            ("uid=0 euid=ada, x", "uid=<*> euid=ada, x "),
            ("took -3.5ms (max +7)", "took <*> (max <*>) "),
            ("read /etc/passwd: denied", "read <*>: denied "),
            ("sessionid:0x12 type:create", "sessionid:<*> type:create "),
            ("prefetch depth....................3", "prefetch depth....................<*> "),
            ("to proxy.example.org:5070 now", "to <*> now "),
            ("to proxy.example.org now", "to <*> now "),
            ("class org.example.io.Reader failed", "class org.example.io.Reader failed "),
            ("at Wed Jun 22 13:16:30 2005", "at <*> "),
            ("on Wed we met", "on Wed we met "),
            ("delete blk_1 blk_2 blk_3 now", "delete <*> now "),
            ("id deadbeef and deadbee", "id <*> and deadbee "),
            ("by C:\\Windows\\x.dll", "by <*> "),
            ("grüße 7 ✓", "grüße <*> ✓ "),
            ("a\tb  c", "a b c "),
        ] {
            let mut masked = Masked::default();
            masked.mask(line);
            assert_eq!(std::str::from_utf8(masked.key()), Ok(expected), "{line:?}");
        }
    }

    #[test]
    fn variables_know_their_place() {
        let mut masked = Masked::default();
        let line = "delete  blk_1 blk_2 of size=7";
        masked.mask(line);
        let found: Vec<(usize, &str)> = masked.variables().map(|(word, span)| (word, &line[span])).collect();
        assert_eq!(found, [(1, "blk_1 blk_2"), (3, "size=7")]);
    }
}

//! Cuts a stream of bytes into JSON documents: one per line, or spread over many lines, or one behind the other.

/// Largest document that is kept.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Cuts chunks into documents; the chunks' borders do not matter.
#[derive(Debug)]
pub struct Documents {
    pending: Vec<u8>,
    bytes_max: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Skipping what is no document, up to the end of its line.
    skipping: bool,
    line: u64,
    /// Line on which the pending document begins, from 1.
    begins: u64,
}

/// What was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut<'a> {
    /// A whole document, and the line on which it begins, from 1.
    Document(u64, &'a [u8]),
    /// What begins on this line is no document: why.
    Refused(u64, &'static str),
}

impl Default for Documents {
    fn default() -> Self {
        Self::new(DOCUMENT_BYTES_MAX)
    }
}

impl Documents {
    /// At the start of a stream.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            pending: Vec::new(),
            bytes_max,
            depth: 0,
            in_string: false,
            escaped: false,
            skipping: false,
            line: 1,
            begins: 1,
        }
    }

    /// Hands every document that ends in this chunk to `take`.
    pub fn feed(&mut self, chunk: &[u8], mut take: impl FnMut(Cut<'_>)) {
        let mut from = 0;
        for (i, &b) in chunk.iter().enumerate() {
            if b == b'\n' {
                self.line += 1;
                if self.skipping {
                    self.skipping = false;
                    from = i + 1;
                    continue;
                }
            }
            if self.skipping {
                continue;
            }
            if self.depth == 0 {
                match b {
                    b'{' | b'[' => {
                        (self.depth, self.begins, from) = (1, self.line, i);
                    }
                    b if b.is_ascii_whitespace() || b == b',' || b == 0 => {}
                    _ => {
                        take(Cut::Refused(self.line, "line does not begin with a JSON object"));
                        self.skipping = true;
                    }
                }
                continue;
            }
            match b {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.end(&chunk[from..=i], &mut take);
                        from = i + 1;
                    }
                }
                _ => {}
            }
        }
        if self.depth > 0 {
            let rest = &chunk[from..];
            if self.pending.len() + rest.len() > self.bytes_max {
                take(Cut::Refused(self.begins, "document is too large"));
                *self = Self { line: self.line, skipping: true, ..Self::new(self.bytes_max) };
            } else {
                self.pending.extend_from_slice(rest);
            }
        }
    }

    fn end(&mut self, tail: &[u8], take: &mut impl FnMut(Cut<'_>)) {
        if self.pending.is_empty() {
            take(Cut::Document(self.begins, tail));
        } else {
            self.pending.extend_from_slice(tail);
            take(Cut::Document(self.begins, &self.pending));
            self.pending.clear();
        }
    }

    /// Reports what is left after the last chunk.
    pub fn finish(self, mut take: impl FnMut(Cut<'_>)) {
        if self.depth > 0 {
            take(Cut::Refused(self.begins, "file ends within a document"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, chunk: usize, bytes_max: usize) -> Vec<String> {
        let mut out = Vec::new();
        let mut take = |cut: Cut<'_>| {
            out.push(match cut {
                Cut::Document(line, bytes) => format!("{line}: {}", String::from_utf8_lossy(bytes)),
                Cut::Refused(line, why) => format!("{line}! {why}"),
            });
        };
        let mut documents = Documents::new(bytes_max);
        text.as_bytes().chunks(chunk).for_each(|c| documents.feed(c, &mut take));
        documents.finish(&mut take);
        out
    }

    #[test]
    fn documents_are_cut_wherever_they_end() {
        let cases: &[(&str, &[&str])] = &[
            ("{\"a\":1}\n{\"b\":2}\n", &["1: {\"a\":1}", "2: {\"b\":2}"]),
            ("{\n \"a\": [1,\n 2]\n}\n\n{}", &["1: {\n \"a\": [1,\n 2]\n}", "6: {}"]),
            ("{\"a\":\"}\\\"{\"} {}", &["1: {\"a\":\"}\\\"{\"}", "1: {}"]),
            ("what\n{}\n", &["1! line does not begin with a JSON object", "2: {}"]),
            ("{}\n{\"a\":", &["1: {}", "2! file ends within a document"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            for chunk in [1, 2, 3, 1000] {
                assert_eq!(cut(text, chunk, 100), *expected, "{text:?} by {chunk}");
            }
        }
        assert_eq!(cut("{\"a\":\"xxxxxxxxxxxxxxxxxxxx\"}\n{}\n", 4, 10), ["1! document is too large", "2: {}"]);
    }
}

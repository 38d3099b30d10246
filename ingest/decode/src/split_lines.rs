//! Cuts a stream of chunks into lines without holding more than one line.

/// What is left of the last chunk, and how many lines there were.
#[derive(Debug, Clone)]
pub(crate) struct LineSplitter {
    partial: Vec<u8>,
    /// Whether the current line was already found too long and is being passed over.
    skipping: bool,
    line_bytes_max: usize,
    lines: u64,
}

/// A line is longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

impl LineSplitter {
    pub(crate) fn new(line_bytes_max: usize) -> Self {
        Self { partial: Vec::new(), skipping: false, line_bytes_max, lines: 0 }
    }

    /// Lines so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Gives every line that ends in this chunk to `each`, with its number from 1 and without its line feed.
    pub(crate) fn feed(&mut self, mut chunk: &[u8], mut each: impl FnMut(u64, Result<&[u8], TooLong>)) {
        while let Some(end) = memchr::memchr(b'\n', chunk) {
            let (line, rest) = (&chunk[..end], &chunk[end + 1..]);
            chunk = rest;
            self.lines += 1;
            if self.skipping {
                self.skipping = false;
            } else if self.partial.len() + line.len() > self.line_bytes_max {
                each(self.lines, Err(TooLong));
            } else if self.partial.is_empty() {
                each(self.lines, Ok(line));
            } else {
                self.partial.extend_from_slice(line);
                each(self.lines, Ok(&self.partial));
            }
            self.partial.clear();
        }
        if self.skipping {
            return;
        }
        if self.partial.len() + chunk.len() > self.line_bytes_max {
            self.skipping = true;
            self.partial = Vec::new();
            each(self.lines + 1, Err(TooLong));
        } else {
            self.partial.extend_from_slice(chunk);
        }
    }

    /// Gives the last line to `each` if it had no line feed.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(u64, Result<&[u8], TooLong>)) {
        let line = std::mem::take(&mut self.partial);
        if !line.is_empty() {
            self.lines += 1;
            each(self.lines, Ok(&line));
        }
        self.skipping = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_do_not_matter() {
        let text = b"a\n\nbcd\ntoolong\ne";
        let whole = split(text, text.len());
        assert_eq!(whole, ["1:a", "2:", "3:bcd", "4:!", "5:e"]);
        for n in 1..text.len() {
            assert_eq!(split(text, n), whole, "chunks of {n}");
        }
    }

    fn split(text: &[u8], n: usize) -> Vec<String> {
        let mut out = Vec::new();
        let mut each = |n: u64, line: Result<&[u8], TooLong>| {
            out.push(format!("{n}:{}", line.map_or("!".into(), String::from_utf8_lossy)));
        };
        let mut lines = LineSplitter::new(5);
        text.chunks(n).for_each(|chunk| lines.feed(chunk, &mut each));
        lines.finish(&mut each);
        out
    }
}

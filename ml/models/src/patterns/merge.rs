//! From shapes to templates: shapes that differ in one word are one template if that word looks like a value.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::{Shape, Template, Templates, VARIABLE};

/// Words in one place that make it a variable, by what stands around them.
const DISTINCT_MIN: usize = 6;
/// The same for the first word, which mostly says who speaks.
const DISTINCT_FIRST_MIN: usize = 12;
/// The same for words in capitals, which are mostly states and names of events.
const DISTINCT_CAPITALS_MIN: usize = 30;
/// The same within brackets or quotes.
const DISTINCT_QUOTED_MIN: usize = 3;
/// What comes after one of these is its value.
const NAMES: [&str; 14] = [
    "user", "username", "ruser", "host", "hostname", "client", "node", "file", "driver", "address", "session", "job",
    "for", "device",
];
/// What a number is counted in differs from line to line.
const UNITS: [&str; 16] =
    ["B", "kB", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "bytes", "s", "ms", "us", "ns", "sec", "seconds"];
/// Words that are values wherever something else stands in their place.
const VALUES: [&str; 3] = ["true", "false", "null"];
/// Rounds of merging; each can only make fewer templates.
const ROUNDS_MAX: usize = 16;
/// Bytes of a name with digits that stays as it is if no line has another.
const NAME_BYTES_MAX: usize = 24;

pub(super) fn templates(shapes: &[Shape]) -> Templates {
    let mut merge = Merge::new(shapes);
    for _ in 0..ROUNDS_MAX {
        if !merge.round() {
            break;
        }
    }
    merge.finish()
}

struct Merge<'s> {
    shapes: &'s [Shape],
    /// The words of each shape, or of what it has become.
    words: Vec<Vec<String>>,
    /// Hashes of the words.
    hashes: Vec<Vec<u64>>,
    /// The shape into which it was merged; itself if none.
    into: Vec<usize>,
}

impl<'s> Merge<'s> {
    fn new(shapes: &'s [Shape]) -> Self {
        let words: Vec<Vec<String>> = shapes.iter().map(|s| s.words.clone()).collect();
        let hashes = words.iter().map(|words| words.iter().map(|w| xxh3_64(w.as_bytes())).collect()).collect();
        Self { shapes, words, hashes, into: (0..shapes.len()).collect() }
    }

    /// Looks at each position once; whether anything was merged.
    fn round(&mut self) -> bool {
        let longest = self.words.iter().map(Vec::len).max().unwrap_or(0);
        let mut changed = false;
        let mut live: Vec<usize> = (0..self.words.len()).filter(|n| self.into[*n] == *n).collect();
        for at in 0..longest {
            live.retain(|n| self.into[*n] == *n && self.words[*n].len() > at);
            // All that differ in this word at most, and whose word has the same things around it.
            let mut alike: BTreeMap<(usize, u64), Vec<usize>> = BTreeMap::new();
            for n in &live {
                alike.entry((self.words[*n].len(), self.hash_without(*n, at))).or_default().push(*n);
            }
            for group in alike.into_values().filter(|group| group.len() > 1) {
                let values: Vec<&str> = group.iter().map(|n| self.words[*n][at].as_str()).collect();
                let first = group[0];
                if let Some(word) = merged(&values, &self.words[first], at) {
                    self.hashes[first][at] = xxh3_64(word.as_bytes());
                    self.words[first][at] = word;
                    group[1..].iter().for_each(|n| self.into[*n] = first);
                    changed = true;
                }
            }
        }
        changed
    }

    /// A hash of all words but one, of which only the frame counts.
    fn hash_without(&self, shape: usize, at: usize) -> u64 {
        let mix = |i: usize, hash: u64| {
            (hash ^ (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xd6e8_feb8_6659_fd93)
        };
        let others = self.hashes[shape].iter().enumerate().filter(|(i, _)| *i != at);
        let frame = Frame::of(&self.words[shape][at]);
        let own = xxh3_64(frame.before.as_bytes()) ^ xxh3_64(frame.after.as_bytes()).rotate_left(32);
        others.fold(mix(at, own), |sum, (i, hash)| sum.wrapping_add(mix(i, *hash).rotate_left(17)))
    }

    fn finish(mut self) -> Templates {
        let root = |mut n: usize| {
            while self.into[n] != n {
                n = self.into[n];
            }
            n
        };
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for n in 0..self.shapes.len() {
            members.entry(root(n)).or_default().push(n);
        }
        let mut of_shape = vec![0; self.shapes.len()];
        let mut all = Vec::with_capacity(members.len());
        for (root, members) in members {
            let lines = members.iter().map(|n| self.shapes[*n].lines).sum();
            members.iter().for_each(|n| of_shape[*n] = all.len() as u32);
            for (word, text) in unchanged(self.shapes, &members) {
                if is_name(text, lines) {
                    text.clone_into(&mut self.words[root][word]);
                }
            }
            all.push(Template { text: self.words[root].join(" "), lines });
        }
        Templates { of_shape, all }
    }
}

/// Words that were masked by their form, but are the same in all lines.
fn unchanged<'s>(shapes: &'s [Shape], members: &[usize]) -> Vec<(usize, &'s str)> {
    let Some((first, others)) = members.split_first() else { return Vec::new() };
    let of =
        |shape: &'s Shape, word: usize| shape.same.iter().find(|(w, _)| *w == word).and_then(|(_, t)| t.as_deref());
    let texts = shapes[*first].same.iter().filter_map(|(word, text)| Some((*word, text.as_deref()?)));
    texts.filter(|(word, text)| others.iter().all(|n| of(&shapes[*n], *word) == Some(*text))).collect()
}

/// Whether a text with digits is a name (`ssh2`) and no value that happens to be the same in all lines so far.
fn is_name(text: &str, lines: u64) -> bool {
    let value = text.rsplit(['=', ':']).find(|part| !part.is_empty()).unwrap_or(text);
    let value = value.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    lines > 1
        && value.len() < NAME_BYTES_MAX
        && !text.contains(['/', ' '])
        && value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.bytes().filter(u8::is_ascii_digit).count() <= 2
}

/// What stands around the part of a word that may differ.
#[derive(Debug, PartialEq, Eq)]
struct Frame<'w> {
    before: &'w str,
    after: &'w str,
    /// Whether `before` ends with the name of the value: `user=`, `type:`.
    named: bool,
}

impl<'w> Frame<'w> {
    fn of(word: &'w str) -> Self {
        if let "()" | "[]" | "{}" = word {
            return Self { before: &word[..1], after: &word[1..], named: false };
        }
        let is_name = |i: usize| i > 1 && i + 1 < word.len() && word[..i].bytes().all(|b| b.is_ascii_alphabetic());
        let (equals, colon) = (word.find('='), word.find(':').filter(|i| is_name(*i)));
        if let Some(end) = [equals, colon].into_iter().flatten().min() {
            return Self { before: &word[..=end], after: "", named: true };
        }
        // The mask belongs to the value.
        let inner = |c: char| c.is_alphanumeric();
        let start = word.find(|c| inner(c) || c == '<').unwrap_or(word.len());
        let end = word
            .rfind(|c| inner(c) || c == '>')
            .map_or(start, |i| i + word[i..].chars().next().map_or(1, char::len_utf8));
        Self { before: &word[..start], after: &word[end.max(start)..], named: false }
    }
}

/// The word that stands for all of `values`, the different words at one place of otherwise equal shapes; `None` if they are words of their own.
fn merged(values: &[&str], words: &[String], at: usize) -> Option<String> {
    let distinct = values.len();
    let frame = Frame::of(values[0]);
    let masked = || Some(format!("{}{VARIABLE}{}", frame.before, frame.after));
    if frame.named {
        return if words.len() > 1 { masked() } else { None };
    }
    // With nothing else to hold on to, lines of one word would all be one.
    let is_word = |word: &String| word.chars().any(char::is_alphabetic);
    if !words.iter().enumerate().any(|(i, word)| i != at && is_word(word)) {
        return None;
    }
    let before = at.checked_sub(1).map_or("", |i| words[i].as_str());
    let bare = |word: &'_ str| word.trim_end_matches([',', ';', ')', '.']).to_owned();
    if before.contains(VARIABLE) && values.iter().all(|v| UNITS.contains(&bare(v).as_str())) {
        return masked();
    }
    let is_value = |v: &&str| {
        matches!(*v, "()" | "[]" | "{}")
            || v.contains(VARIABLE)
            || VALUES.contains(&bare(v).to_ascii_lowercase().as_str())
    };
    let quoted = frame.before.ends_with(['(', '[', '{', '"', '\'', '<']);
    let capitals = values.iter().all(|v| !v.chars().any(char::is_lowercase));
    let needed = if values.iter().any(is_value) || NAMES.contains(&before.to_ascii_lowercase().as_str()) {
        2
    } else if capitals {
        DISTINCT_CAPITALS_MIN
    } else if quoted {
        DISTINCT_QUOTED_MIN
    } else if at == 0 {
        DISTINCT_FIRST_MIN
    } else {
        DISTINCT_MIN
    };
    if distinct >= needed { masked() } else { None }
}

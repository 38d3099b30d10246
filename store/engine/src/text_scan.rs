//! Which texts of a column match a query, without splitting each into tokens: the bytes of a word are looked for first, then it is
//! asked whether they are a token. Says what [`Query::matches`] says.
//!
//! How bytes are looked for: two bytes of the word, the rarest, are compared at their distance with a block of the text at a time, in loops
//! that the compiler turns into vector instructions. Where both are found, borders come before bytes: what follows a border is read
//! to the end of its token at most, so that no text takes more than linear time.
//!
//! Only an ASCII word is looked for by its bytes. Two letters beyond ASCII fold into it (`İ` to `i`, the Kelvin sign to `k`; a test goes
//! through all others), so a word with `i` or `k` that is not found in a text beyond ASCII is looked for again by tokens. Phrases
//! of several words are looked for by the longest of them, then by tokens.

use arrow::array::{Array, AsArray as _, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;

use crate::text::{Query, raw_tokens};

/// Whether each text of a column matches, null where it is null; `None` if the column holds no texts.
pub fn matches(query: &Query, texts: &dyn Array) -> Option<BooleanArray> {
    let scan = Scan::of(query);
    let found = match texts.data_type() {
        DataType::Utf8 => {
            let texts = texts.as_string::<i32>();
            scan.all(texts.len(), texts.nulls(), |row| texts.value(row))
        }
        DataType::LargeUtf8 => {
            let texts = texts.as_string::<i64>();
            scan.all(texts.len(), texts.nulls(), |row| texts.value(row))
        }
        DataType::Utf8View => {
            let texts = texts.as_string_view();
            scan.all(texts.len(), texts.nulls(), |row| texts.value(row))
        }
        DataType::Null => return Some(BooleanArray::new_null(texts.len())),
        _ => return None,
    };
    Some(BooleanArray::new(found, texts.nulls().cloned()))
}

/// A query made ready to be asked of many texts.
enum Scan<'q> {
    Phrase {
        /// The phrase, for tokens.
        query: &'q Query,
        /// The word to look for first; without it only tokens can tell.
        word: Option<Word>,
        /// Whether the word is all of the phrase.
        whole: bool,
    },
    And(Vec<Scan<'q>>),
    Or(Vec<Scan<'q>>),
    Not(Box<Scan<'q>>),
}

impl<'q> Scan<'q> {
    fn of(query: &'q Query) -> Self {
        let each = |queries: &'q [Query]| queries.iter().map(Self::of).collect();
        match query {
            Query::And(all) => Self::And(each(all)),
            Query::Or(any) => Self::Or(each(any)),
            Query::Not(inner) => Self::Not(Box::new(Self::of(inner))),
            Query::Phrase { terms, prefix } => {
                let last = terms.len().saturating_sub(1);
                let (at, longest) = match terms.iter().enumerate().max_by_key(|(_, term)| term.len()) {
                    Some((at, term)) => (at, term.as_str()),
                    None => (0, ""),
                };
                let word = Word::of(longest, *prefix && at == last);
                Self::Phrase { query, whole: terms.len() == 1, word }
            }
        }
    }

    fn all<'a>(&self, rows: usize, nulls: Option<&NullBuffer>, text: impl Fn(usize) -> &'a str) -> BooleanBuffer {
        let mut tokens = Tokens::default();
        BooleanBuffer::collect_bool(rows, |row| {
            nulls.is_none_or(|n| n.is_valid(row)) && {
                let text = text(row);
                tokens.is_of_text = false;
                self.matches(text, &mut tokens)
            }
        })
    }

    fn matches<'a>(&self, text: &'a str, tokens: &mut Tokens<'a>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|s| s.matches(text, tokens)),
            Self::Or(any) => any.iter().any(|s| s.matches(text, tokens)),
            Self::Not(inner) => !inner.matches(text, tokens),
            Self::Phrase { query, word: Some(word), whole } => match word.is_in(text) {
                true if *whole => true,
                false if !word.folds_from_beyond || text.is_ascii() => false,
                _ => query.matches_tokens(tokens.of(text)),
            },
            Self::Phrase { query, word: None, .. } => query.matches_tokens(tokens.of(text)),
        }
    }
}

/// The tokens of the text at hand, once somebody asked for them.
#[derive(Default)]
struct Tokens<'a> {
    raw: Vec<&'a str>,
    is_of_text: bool,
}

impl<'a> Tokens<'a> {
    fn of(&mut self, text: &'a str) -> &[&'a str] {
        if !self.is_of_text {
            self.raw.clear();
            self.raw.extend(raw_tokens(text));
            self.is_of_text = true;
        }
        &self.raw
    }
}

/// Bytes compared at once: two registers of the smallest x86-64, one of most others'.
const BLOCK: usize = 32;
/// What makes a letter of ASCII small. A digit has this bit already; what else it turns into a letter or digit, the comparison tells
/// apart.
const SMALL: u8 = 0x20;

/// A folded ASCII word to look for.
struct Word {
    bytes: Vec<u8>,
    /// Where its two rarest bytes are, the same one twice if it has only one.
    rare: (usize, usize),
    /// Whether what follows does not matter.
    is_prefix: bool,
    /// Whether letters beyond ASCII fold into some of it.
    folds_from_beyond: bool,
}

impl Word {
    fn of(term: &str, is_prefix: bool) -> Option<Self> {
        let bytes = term.as_bytes();
        if bytes.is_empty() || !bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            return None;
        }
        let mut by_rarity: Vec<usize> = (0..bytes.len()).collect();
        by_rarity.sort_by_key(|at| frequency(bytes[*at]));
        let first = by_rarity[0];
        // The same byte again would tell little more.
        let second = by_rarity.iter().copied().find(|at| bytes[*at] != bytes[first]);
        Some(Self {
            bytes: bytes.to_vec(),
            rare: (first, second.unwrap_or(by_rarity[by_rarity.len() - 1])),
            is_prefix,
            folds_from_beyond: bytes.iter().any(|b| matches!(b, b'i' | b'k')),
        })
    }

    /// Whether one of a text's tokens is the word, or begins with it, byte by byte.
    fn is_in(&self, text: &str) -> bool {
        let text_bytes = text.as_bytes();
        let Some(starts) = (text_bytes.len() + 1).checked_sub(self.bytes.len()).filter(|n| *n > 0) else {
            return false;
        };
        // Position `i` of each says something of the word that would start at `i`; both have `starts` bytes.
        let first = &text_bytes[self.rare.0..][..starts];
        let second = &text_bytes[self.rare.1..][..starts];
        let (a, b) = (self.bytes[self.rare.0], self.bytes[self.rare.1]);
        let is_candidate = |x: u8, y: u8| (x | SMALL == a) & (y | SMALL == b);
        let in_range = |from: usize, to: usize| {
            (from..to).any(|at| is_candidate(first[at], second[at]) && self.is_token_at(text, at))
        };
        let (first_blocks, first_rest) = first.as_chunks::<BLOCK>();
        let (second_blocks, _) = second.as_chunks::<BLOCK>();
        for (n, (x, y)) in first_blocks.iter().zip(second_blocks).enumerate() {
            let mut any = 0;
            for i in 0..BLOCK {
                any |= u8::from(is_candidate(x[i], y[i]));
            }
            if any != 0 && in_range(n * BLOCK, (n + 1) * BLOCK) {
                return true;
            }
        }
        in_range(starts - first_rest.len(), starts)
    }

    /// Whether the token that starts at a byte of the text, if one does, is the word.
    fn is_token_at(&self, text: &str, at: usize) -> bool {
        let bytes = text.as_bytes();
        let end = at + self.bytes.len();
        let starts_here = match at.checked_sub(1).map(|before| bytes[before]) {
            None => true,
            Some(byte) if byte.is_ascii() => !byte.is_ascii_alphanumeric(),
            // A byte of ASCII is next to it, or the comparison fails below.
            Some(_) => text.get(..at).is_some_and(|before| !before.ends_with(char::is_alphanumeric)),
        };
        if !starts_here || !bytes[at..end].eq_ignore_ascii_case(&self.bytes) {
            return false;
        }
        self.is_prefix
            || match bytes.get(end) {
                None => true,
                Some(byte) if byte.is_ascii() => !byte.is_ascii_alphanumeric(),
                Some(_) => text.get(end..).is_some_and(|after| !after.starts_with(char::is_alphanumeric)),
            }
    }
}

/// How often a letter or digit is met in log lines, roughly: the order is what counts.
fn frequency(byte: u8) -> usize {
    const COMMON_LAST: &[u8] = b"zjqxvkwybgfph67894532cumld10nsriaote";
    COMMON_LAST.iter().position(|b| *b == byte).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{StringArray, StringViewArray};
    use proptest::prelude::*;

    use super::*;
    use crate::text::tokens;

    #[test]
    fn only_two_letters_beyond_ascii_fold_into_it() {
        let folds_into_ascii = |c: &char| {
            let text = c.to_string();
            let folded: String = tokens(&text).collect();
            c.is_alphanumeric() && (folded.is_empty() || folded.contains(|f: char| f.is_ascii()))
        };
        let found: Vec<char> = ('\u{80}'..=char::MAX).filter(folds_into_ascii).collect();
        assert_eq!(found, ['\u{130}', '\u{212a}']);
    }

    #[test]
    fn words_are_found_at_every_place_of_a_long_text() {
        let query = Query::parse("Declined").unwrap();
        for before in 0..100 {
            for after in [0, 1, 40] {
                for (word, border, expected) in
                    [("declined", " ", true), ("DeClined", "-", true), ("declined", "d", false)]
                {
                    let text =
                        format!("{}{border}{word}{}", "é ".repeat(before / 3) + &"x".repeat(before), ".".repeat(after));
                    let found = matches(&query, &StringArray::from(vec![text.as_str()])).unwrap();
                    assert_eq!(found.value(0), expected, "{text}");
                }
            }
        }
    }

    /// Words that resemble each other, at borders of every kind.
    fn text() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            "[abAB]{1,4}",
            "[ikIKİK]{1,4}",
            "connection",
            "Connect",
            "reset",
            "user42",
            "42",
            "é",
            "Straße",
            "ΣΑΣ",
            "\u{301}",
            "[a-zA-Z0-9]{1,40}",
        ];
        let border = prop_oneof![" ", "_", "", ".", "—", "`", "@", "\u{301}", "\u{0}", "\u{16}"];
        prop::collection::vec((word, border), 0..24)
            .prop_map(|parts| parts.into_iter().map(|(word, border)| word + &border).collect())
    }

    fn query() -> impl Strategy<Value = String> {
        let term = prop_oneof![
            "[abAB]{1,3}",
            "[ikIKİK]{1,3}",
            "connection",
            "conn\\*",
            "\"connection reset\"",
            "\"reset 42 a\\*\"",
            "user42",
            "user:42",
            "42\\*",
            "é",
            "straße",
            "σας",
            "a:b\\*",
            "[a-z0-9]{1,2}\\*?",
        ];
        let operator = prop_oneof![" ", " AND ", " OR ", " NOT ", " OR NOT "];
        (term.clone(), prop::collection::vec((operator, term), 0..4))
            .prop_map(|(first, more)| more.into_iter().fold(first, |query, (operator, term)| query + &operator + &term))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn a_scan_says_what_the_tokens_say(
            query in query(), texts in prop::collection::vec(prop::option::weighted(0.9, text()), 0..8)
        ) {
            let query = Query::parse(&query).unwrap();
            let expected: Vec<_> = texts.iter().map(|t| t.as_ref().map(|t| query.matches(t))).collect();
            let short = StringArray::from(texts.clone());
            let view = StringViewArray::from_iter(texts);
            prop_assert_eq!(matches(&query, &short).unwrap().iter().collect::<Vec<_>>(), &expected[..]);
            prop_assert_eq!(matches(&query, &view).unwrap().iter().collect::<Vec<_>>(), &expected[..]);
        }
    }
}

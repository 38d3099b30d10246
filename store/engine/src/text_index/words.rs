//! The tokens of a line, as [`crate::text::tokens`] gives them, without an allocation per token: 64 bytes are classed at a time, and
//! only what holds letters beyond ASCII goes the slow way.

use crate::text;

/// Zero bytes after the last token of a line, so that [`Token::words`] may read beyond its end.
const PADDING: usize = 64;
/// Longest token that [`Token::words`] can hold.
pub(super) const WORD_BYTES_MAX: usize = 24;
/// Shortest token with a digit that counts as an id.
const ID_BYTES_MIN: usize = 5;

/// A token in lower case, never empty.
pub(super) struct Token<'a> {
    /// The token, and at least [`WORD_BYTES_MAX`] bytes more.
    padded: &'a [u8],
    length: usize,
    /// Whether it holds an ASCII digit.
    digit: bool,
}

impl<'a> Token<'a> {
    pub(super) fn bytes(&self) -> &'a [u8] {
        &self.padded[..self.length]
    }

    /// See [`is_id`].
    pub(super) fn is_id(&self) -> bool {
        self.length > WORD_BYTES_MAX || self.digit && self.length >= ID_BYTES_MIN
    }

    /// The token as numbers, filled up with zeros; no two tokens of up to [`WORD_BYTES_MAX`] bytes share them, since none
    /// holds a zero.
    pub(super) fn words(&self) -> [u64; 3] {
        let word = |i: usize| {
            let wanted = self.length.saturating_sub(i * 8);
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&self.padded[i * 8..i * 8 + 8]);
            let mask = if wanted >= 8 { u64::MAX } else { (1 << (wanted * 8)) - 1 };
            u64::from_le_bytes(bytes) & mask
        };
        if self.length <= 8 { [word(0), 0, 0] } else { [word(0), word(1), word(2)] }
    }
}

/// Whether a token is likely to be one of very many (an id, a number, a blob), for which a dictionary has no room.
pub(super) fn is_id(token: &str) -> bool {
    let digit = token.bytes().any(|b| b.is_ascii_digit());
    Token { padded: token.as_bytes(), length: token.len(), digit }.is_id()
}

/// Calls `each` with the tokens of `line` in order; `scratch` is reused between calls.
pub(super) fn each_token(line: &str, scratch: &mut Scratch, mut each: impl FnMut(Token<'_>)) {
    let Scratch { lower, piece } = scratch;
    lower.clear();
    lower.extend_from_slice(line.as_bytes());
    lower.make_ascii_lowercase();
    // Whole chunks, of which the last one that is read ends in padding: that ends the last token.
    lower.resize((line.len() + PADDING).next_multiple_of(64), 0);
    // Where the current token began, and whether one is open.
    let (mut from, mut open) = (0, false);
    let (mut digit, mut beyond) = (false, false);
    let chunks = &lower.as_chunks::<64>().0[..=line.len() / 64];
    for (i, chunk) in chunks.iter().enumerate() {
        let classes = Classes::of(chunk);
        let mut at = 0;
        loop {
            if !open {
                let rest = classes.inner & (u64::MAX << at);
                if rest == 0 {
                    break;
                }
                at = rest.trailing_zeros();
                (from, open, digit, beyond) = (i * 64 + at as usize, true, false, false);
            }
            let rest = !classes.inner & (u64::MAX << at);
            // The bits of the token within this chunk.
            let end = if rest == 0 { 64 } else { rest.trailing_zeros() };
            let bits = (u64::MAX << at) & u64::MAX.checked_shl(end).map_or(u64::MAX, |above| !above);
            digit |= classes.digit & bits != 0;
            beyond |= classes.beyond & bits != 0;
            if rest == 0 {
                break;
            }
            at = end;
            open = false;
            let end = i * 64 + at as usize;
            if beyond {
                each_token_beyond_ascii(&line[from..end], piece, &mut each);
            } else {
                each(Token { padded: &lower[from..], length: end - from, digit });
            }
        }
    }
}

/// The tokens of a piece between two separators of ASCII.
#[cold]
fn each_token_beyond_ascii(text: &str, piece: &mut Vec<u8>, each: &mut impl FnMut(Token<'_>)) {
    for token in text::tokens(text).filter(|t| !t.is_empty()) {
        piece.clear();
        piece.extend_from_slice(token.as_bytes());
        piece.resize(token.len() + PADDING, 0);
        let digit = token.bytes().any(|b| b.is_ascii_digit());
        each(Token { padded: piece, length: token.len(), digit });
    }
}

/// Room for one line and one piece of it.
#[derive(Default)]
pub(super) struct Scratch {
    lower: Vec<u8>,
    piece: Vec<u8>,
}

/// One bit per byte of a chunk.
struct Classes {
    /// Letters and digits of ASCII in lower case, and every byte beyond ASCII.
    inner: u64,
    /// Digits of ASCII.
    digit: u64,
    /// Bytes beyond ASCII.
    beyond: u64,
}

impl Classes {
    fn of(chunk: &[u8; 64]) -> Self {
        let classed = chunk.map(|b| {
            let digit = u8::from(b.wrapping_sub(b'0') < 10);
            let letter = u8::from(b.wrapping_sub(b'a') < 26);
            let beyond = b >> 7;
            digit | letter | beyond | digit << 1 | beyond << 2
        });
        let (mut inner, mut digit, mut beyond) = (0, 0, 0);
        for (i, eight) in classed.as_chunks::<8>().0.iter().enumerate() {
            let eight = u64::from_le_bytes(*eight);
            inner |= gather(eight) << (i * 8);
            digit |= gather(eight >> 1) << (i * 8);
            beyond |= gather(eight >> 2) << (i * 8);
        }
        Self { inner, digit, beyond }
    }
}

/// The lowest bits of eight bytes, side by side.
fn gather(bytes: u64) -> u64 {
    (bytes & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(line: &str) -> Vec<String> {
        let mut out = Vec::new();
        each_token(line, &mut Scratch::default(), |token| {
            let text = std::str::from_utf8(token.bytes()).unwrap();
            assert_eq!(token.is_id(), is_id(text));
            if text.len() <= WORD_BYTES_MAX {
                let words: Vec<u8> = token.words().iter().flat_map(|w| w.to_le_bytes()).collect();
                assert_eq!(words[..text.len()], *text.as_bytes());
                assert!(words[text.len()..].iter().all(|b| *b == 0));
            }
            out.push(text.to_owned());
        });
        out
    }

    #[test]
    fn ids_are_long_or_have_digits() {
        for (token, id) in [("orders", false), ("v2", false), ("2026", false), ("12345", true), ("u1234", true)] {
            assert_eq!(is_id(token), id, "{token}");
        }
        assert!(is_id(&"a".repeat(25)) && !is_id(&"a".repeat(24)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn tokens_are_those_of_the_scan(line in prop_oneof![
            "\\PC{0,200}",
            "[a-zA-Z0-9 =/:İſKéßΣ٣→-]{0,200}",
            "[a-z0-9]{60,70}[ é][A-Z]{50,80}.{0,3}",
        ]) {
            let expected: Vec<String> = text::tokens(&line).filter(|t| !t.is_empty()).map(|t| t.into_owned()).collect();
            prop_assert_eq!(seen(&line), expected);
        }
    }
}

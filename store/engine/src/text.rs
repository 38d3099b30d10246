//! Words: the one tokenizer and the one query language of full text, shared by the scan and by the text index, so that both
//! give the same answer.
//!
//! A token is a longest run of letters and digits (Unicode), in lower case, of any length. A query is
//! `timeout AND (user:42 OR "connection reset" OR conn*) NOT debug`: words side by side mean AND, a word that splits into
//! several tokens (`user:42`) is the phrase of them, `*` at the end of a word is a prefix.

use std::borrow::Cow;

/// Bytes of a query that are read; a longer one is refused.
pub const QUERY_BYTES_MAX: usize = 8192;
/// Terms of a query.
pub const QUERY_TERMS_MAX: usize = 256;
/// Nesting of parentheses.
pub const QUERY_DEPTH_MAX: usize = 32;

/// The tokens of a text, in order, in lower case.
pub fn tokens(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    raw_tokens(text).map(fold)
}

/// The tokens of a text as they are written.
pub(crate) fn raw_tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|t| !t.is_empty())
}

fn fold(token: &str) -> Cow<'_, str> {
    if token.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        Cow::Borrowed(token)
    } else {
        Cow::Owned(lower(token))
    }
}

/// Lower case, letter by letter: not `str::to_lowercase`, whose final sigma depends on what follows, so that a prefix of a
/// word would not be a prefix of its token. Marks that lower case splits off (as of `İ`) are dropped: they are no letters.
fn lower(token: &str) -> String {
    token.chars().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()).collect()
}

/// Whether a token as written is the folded term `term`.
fn is_term(raw: &str, term: &str) -> bool {
    if raw.is_ascii() { raw.eq_ignore_ascii_case(term) } else { lower(raw) == term }
}

fn has_prefix(raw: &str, prefix: &str) -> bool {
    if raw.is_ascii() {
        raw.len() >= prefix.len() && raw.as_bytes()[..prefix.len()].eq_ignore_ascii_case(prefix.as_bytes())
    } else {
        lower(raw).starts_with(prefix)
    }
}

/// A parsed query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Query {
    /// Consecutive tokens; with `prefix`, the last is only the beginning of one.
    Phrase {
        /// Folded tokens, at least one.
        terms: Vec<String>,
        /// Whether the last term is a prefix.
        prefix: bool,
    },
    /// All of these.
    And(Vec<Query>),
    /// Any of these.
    Or(Vec<Query>),
    /// Not this.
    Not(Box<Query>),
}

/// Why a text is no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Nothing to look for.
    #[error("the query holds no word")]
    Empty,
    /// Longer, wider or deeper than the bounds.
    #[error(
        "the query has more than {QUERY_BYTES_MAX} bytes, {QUERY_TERMS_MAX} words or {QUERY_DEPTH_MAX} nested parentheses"
    )]
    TooLarge,
    /// A parenthesis or a quote without its partner.
    #[error("unbalanced {what} at byte {at}")]
    Unbalanced {
        /// `quote` or `parenthesis`.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// AND, OR or NOT without an operand.
    #[error("{operator} at byte {at} lacks an operand")]
    Operand {
        /// The operator.
        operator: &'static str,
        /// Where.
        at: usize,
    },
}

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(QueryError::TooLarge);
        }
        let mut parser = Parser { lexemes: lex(text)?, at: 0, terms: 0 };
        let query = parser.either(0)?;
        if let Some((at, Lexeme::Close)) = parser.peek() {
            return Err(QueryError::Unbalanced { what: "parenthesis", at: *at });
        }
        query.ok_or(QueryError::Empty)
    }

    /// Whether a text matches: the definition. Over many texts [`crate::text_scan`] says the same, faster.
    pub fn matches(&self, text: &str) -> bool {
        let raw: Vec<&str> = raw_tokens(text).collect();
        self.matches_tokens(&raw)
    }

    pub(crate) fn matches_tokens(&self, raw: &[&str]) -> bool {
        match self {
            Self::And(all) => all.iter().all(|q| q.matches_tokens(raw)),
            Self::Or(any) => any.iter().any(|q| q.matches_tokens(raw)),
            Self::Not(q) => !q.matches_tokens(raw),
            Self::Phrase { terms, prefix } => raw.windows(terms.len()).any(|w| {
                let last = terms.len() - 1;
                w[..last].iter().zip(terms).all(|(t, term)| is_term(t, term))
                    && if *prefix { has_prefix(w[last], &terms[last]) } else { is_term(w[last], &terms[last]) }
            }),
        }
    }
}

enum Lexeme {
    Word(String),
    Quoted(String),
    Open,
    Close,
    And,
    Or,
    Not,
}

fn lex(text: &str) -> Result<Vec<(usize, Lexeme)>, QueryError> {
    let mut out = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c.is_whitespace() => {}
            '(' => out.push((at, Lexeme::Open)),
            ')' => out.push((at, Lexeme::Close)),
            '"' => {
                let mut inner = String::new();
                loop {
                    match chars.next() {
                        None => return Err(QueryError::Unbalanced { what: "quote", at }),
                        Some((_, '"')) => break,
                        Some((_, '\\')) => inner.extend(chars.next().map(|(_, c)| c)),
                        Some((_, c)) => inner.push(c),
                    }
                }
                out.push((at, Lexeme::Quoted(inner)));
            }
            _ => {
                let mut word = String::from(c);
                while let Some((_, c)) = chars.next_if(|(_, c)| !c.is_whitespace() && !"()\"".contains(*c)) {
                    word.push(c);
                }
                out.push((
                    at,
                    match word.as_str() {
                        "AND" => Lexeme::And,
                        "OR" => Lexeme::Or,
                        "NOT" => Lexeme::Not,
                        _ => Lexeme::Word(word),
                    },
                ));
            }
        }
    }
    Ok(out)
}

struct Parser {
    lexemes: Vec<(usize, Lexeme)>,
    at: usize,
    terms: usize,
}

impl Parser {
    fn peek(&self) -> Option<&(usize, Lexeme)> {
        self.lexemes.get(self.at)
    }

    /// `a OR b`; `None` if it holds no word.
    fn either(&mut self, depth: usize) -> Result<Option<Query>, QueryError> {
        if depth > QUERY_DEPTH_MAX {
            return Err(QueryError::TooLarge);
        }
        let mut any = Vec::new();
        loop {
            any.extend(self.all(depth)?);
            match self.peek() {
                Some((at, Lexeme::Or)) => {
                    let at = *at;
                    self.at += 1;
                    if any.is_empty() || !self.operand_follows() {
                        return Err(QueryError::Operand { operator: "OR", at });
                    }
                }
                _ => return Ok(one_or(any, Query::Or)),
            }
        }
    }

    /// `a AND b`, `a b`.
    fn all(&mut self, depth: usize) -> Result<Option<Query>, QueryError> {
        let mut all = Vec::new();
        loop {
            match self.peek() {
                None | Some((_, Lexeme::Or | Lexeme::Close)) => return Ok(one_or(all, Query::And)),
                Some((at, Lexeme::And)) => {
                    let at = *at;
                    self.at += 1;
                    if all.is_empty() || !self.operand_follows() {
                        return Err(QueryError::Operand { operator: "AND", at });
                    }
                }
                Some(_) => all.extend(self.unary(depth)?),
            }
        }
    }

    fn operand_follows(&self) -> bool {
        matches!(self.peek(), Some((_, Lexeme::Word(_) | Lexeme::Quoted(_) | Lexeme::Open | Lexeme::Not)))
    }

    fn unary(&mut self, depth: usize) -> Result<Option<Query>, QueryError> {
        if depth > QUERY_DEPTH_MAX {
            return Err(QueryError::TooLarge);
        }
        let (at, lexeme) = &self.lexemes[self.at];
        let at = *at;
        self.at += 1;
        let (text, word) = match lexeme {
            Lexeme::Not => {
                if !self.operand_follows() {
                    return Err(QueryError::Operand { operator: "NOT", at });
                }
                return Ok(self.unary(depth + 1)?.map(|q| Query::Not(Box::new(q))));
            }
            Lexeme::Open => {
                let inner = self.either(depth + 1)?;
                let Some((_, Lexeme::Close)) = self.peek() else {
                    return Err(QueryError::Unbalanced { what: "parenthesis", at });
                };
                self.at += 1;
                return Ok(inner);
            }
            Lexeme::Word(w) => (w, true),
            Lexeme::Quoted(q) => (q, false),
            Lexeme::Close | Lexeme::And | Lexeme::Or => unreachable!("handled by the callers"),
        };
        let prefix = word && text.ends_with('*') && text.trim_end_matches('*').ends_with(char::is_alphanumeric);
        let terms: Vec<String> = tokens(text).map(Cow::into_owned).collect();
        self.terms += terms.len();
        if self.terms > QUERY_TERMS_MAX {
            return Err(QueryError::TooLarge);
        }
        // Punctuation alone says nothing: `a - b` is `a b`.
        Ok((!terms.is_empty()).then_some(Query::Phrase { terms, prefix }))
    }
}

fn one_or(mut items: Vec<Query>, many: fn(Vec<Query>) -> Query) -> Option<Query> {
    match items.len() {
        0 => None,
        1 => items.pop(),
        _ => Some(many(items)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_are_runs_of_letters_and_digits() {
        let t: Vec<_> = tokens("GET /api/v1?user=42 Ärger-ß ok_1").collect();
        assert_eq!(t, ["get", "api", "v1", "user", "42", "ärger", "ß", "ok", "1"]);
    }

    #[test]
    fn queries_match() {
        let line = "2026-01-01 ERROR payment: Connection reset by peer, user:42 timeout=30s";
        for (query, expected) in [
            ("error", true),
            ("err", false),
            ("err*", true),
            ("timeout AND user:42", true),
            ("timeout user:43", false),
            ("timeout OR user:43", true),
            ("\"connection reset\"", true),
            ("\"reset connection\"", false),
            ("connection AND NOT debug", true),
            ("NOT error", false),
            ("NOT (debug OR warn) (payment OR cart)", true),
            ("a OR b connection", false),
            ("payment - reset", true),
            ("\"reset by pe*\"", false),
            ("user:4*", true),
        ] {
            assert_eq!(Query::parse(query).unwrap().matches(line), expected, "{query}");
        }
        for bad in ["", "--", "a AND", "OR a", "(a", "a)", "\"a", "NOT", "AND", "a OR OR b"] {
            assert!(Query::parse(bad).is_err(), "{bad:?}");
        }
        let deep = "(".repeat(5000);
        assert_eq!(Query::parse(&deep), Err(QueryError::TooLarge));
        assert_eq!(Query::parse(&"NOT ".repeat(2000)), Err(QueryError::TooLarge));
    }

    proptest! {
        #[test]
        fn parse_never_panics(text in "[ab()\"* ANDORT\\\\é-]{0,40}") {
            if let Ok(q) = Query::parse(&text) {
                let _ = q.matches("a b");
            }
        }

        #[test]
        fn a_text_contains_its_own_words(text in ".{0,40}") {
            for token in tokens(&text) {
                if let Ok(q) = Query::parse(&format!("\"{token}\"")) {
                    prop_assert!(q.matches(&text), "{} in {}", token, text);
                }
            }
        }
    }
}

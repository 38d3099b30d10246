//! Label matchers. A label that a series does not have is the empty string.

use regex::Regex;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends.
    Regex,
    /// `!~`, anchored at both ends.
    NotRegex,
}

impl MatchOp {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// One condition on one label.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// How it is compared.
    pub op: MatchOp,
    /// The string or the pattern.
    pub value: String,
    regex: Option<Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

/// Longest compiled pattern, in bytes of its automaton.
const REGEX_BYTES_MAX: usize = 8 * 1024 * 1024;

impl Matcher {
    /// A matcher. Fails if a pattern is no regular expression (RE2's syntax; `.` matches a line break, as in Prometheus 3).
    pub fn new(name: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Result<Self, regex::Error> {
        let value = value.into();
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => {
                // By itself first: `a)(b` is no pattern, but would become one between the parentheses.
                if let Err(e) = regex_syntax::parse(&value) {
                    return Err(regex::Error::Syntax(e.to_string()));
                }
                let anchored = format!("^(?s:{value})$");
                Some(regex::RegexBuilder::new(&anchored).size_limit(REGEX_BYTES_MAX).build()?)
            }
        };
        Ok(Self { name: name.into(), op, value, regex })
    }

    /// A matcher of one value, which cannot fail.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), op: MatchOp::Equal, value: value.into(), regex: None }
    }

    /// Whether a label's value (empty if the series lacks the label) matches.
    pub fn matches(&self, value: &str) -> bool {
        match self.op {
            MatchOp::Equal => value == self.value,
            MatchOp::NotEqual => value != self.value,
            MatchOp::Regex => self.regex.as_ref().is_some_and(|r| r.is_match(value)),
            MatchOp::NotRegex => self.regex.as_ref().is_some_and(|r| !r.is_match(value)),
        }
    }
}

/// Whether a label's name needs no quotes.
pub fn is_plain_label(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

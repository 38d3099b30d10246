//! Matchers: `name="value"`, `!=`, `=~`, `!~`, in the UTF-8 syntax of Alertmanager 0.27 and later, else in its classic one.

use std::fmt;
use std::sync::Arc;

use regex::Regex;

use crate::alert::LabelSet;
use crate::limits::{MATCHER_BYTES_MAX, MATCHERS_MAX, REGEX_BYTES_MAX};

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`: the whole value, as Prometheus anchors it.
    Match,
    /// `!~`
    NotMatch,
}

impl Op {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Match => "=~",
            Self::NotMatch => "!~",
        }
    }

    fn positive(self) -> bool {
        matches!(self, Self::Equal | Self::Match)
    }
}

/// A condition on one label. An absent label has the empty value.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    op: Op,
    value: String,
    regex: Option<Arc<Regex>>,
}

/// Why a matcher cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// It cannot be read.
    #[error("matcher {text:?}: {what}")]
    Syntax {
        /// As written.
        text: String,
        /// What is wrong.
        what: String,
    },
    /// The regular expression cannot be read or is too large.
    #[error("matcher on {name:?}: regular expression {regex:?}: {what}")]
    Regex {
        /// The label.
        name: String,
        /// The expression.
        regex: String,
        /// What is wrong.
        what: String,
    },
    /// Too many.
    #[error("{0} matchers, the limit is {MATCHERS_MAX}")]
    TooMany(usize),
}

impl Matcher {
    /// From its parts.
    ///
    /// # Errors
    /// [`MatcherError::Syntax`] without a name, [`MatcherError::Regex`] if the expression cannot be used.
    pub fn new(name: &str, op: Op, value: &str) -> Result<Self, MatcherError> {
        let syntax =
            |what: &str| MatcherError::Syntax { text: format!("{name}{}{value}", op.as_str()), what: what.into() };
        if name.is_empty() {
            return Err(syntax("the label has no name"));
        }
        if name.len() + value.len() > MATCHER_BYTES_MAX {
            return Err(MatcherError::Syntax { text: name.chars().take(40).collect(), what: "it is too long".into() });
        }
        let regex = match op {
            Op::Equal | Op::NotEqual => None,
            Op::Match | Op::NotMatch => {
                let whole = format!("^(?:{value})$");
                let built = regex::RegexBuilder::new(&whole).size_limit(REGEX_BYTES_MAX).build();
                Some(Arc::new(built.map_err(|e| MatcherError::Regex {
                    name: name.to_owned(),
                    regex: value.to_owned(),
                    what: e.to_string().lines().last().unwrap_or_default().trim().to_owned(),
                })?))
            }
        };
        Ok(Self { name: name.to_owned(), op, value: value.to_owned(), regex })
    }

    /// The label.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is compared.
    pub fn op(&self) -> Op {
        self.op
    }

    /// With what.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a value satisfies it.
    pub fn matches_value(&self, value: &str) -> bool {
        let found = self.regex.as_ref().map_or_else(|| value == self.value, |regex| regex.is_match(value));
        found == self.op.positive()
    }

    /// Whether labels satisfy it.
    pub fn matches(&self, labels: &LabelSet) -> bool {
        self.matches_value(labels.get(&self.name).map_or("", String::as_str))
    }
}

/// Whether labels satisfy all of them.
pub fn all_match(matchers: &[Matcher], labels: &LabelSet) -> bool {
    matchers.iter().all(|m| m.matches(labels))
}

/// `{a="b",c=~"d"}`, as in Alertmanager's group keys.
pub fn show(matchers: &[Matcher]) -> String {
    let texts: Vec<String> = matchers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", texts.join(","))
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.chars().any(reserved) {
            write!(f, "{}", quote(&self.name))?;
        } else {
            f.write_str(&self.name)?;
        }
        write!(f, "{}{}", self.op.as_str(), quote(&self.value))
    }
}

/// In double quotes, escaped as Go and Prometheus do.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Reads `a=b`, `{a="b", c!~"d.*"}` or `a=b, c=d`.
///
/// # Errors
/// [`MatcherError`]: what neither syntax knows.
pub fn parse(text: &str) -> Result<Vec<Matcher>, MatcherError> {
    if text.len() > MATCHER_BYTES_MAX * MATCHERS_MAX {
        return Err(MatcherError::Syntax { text: text.chars().take(40).collect(), what: "it is too long".into() });
    }
    let utf8 = Reader { text, rest: text }.matchers();
    let matchers = match utf8 {
        Ok(matchers) => matchers,
        // What the older syntax alone could say is still understood, as Alertmanager does by default.
        Err(MatcherError::Syntax { what, .. }) => match classic(text) {
            Some(matchers) => matchers?,
            None => return Err(MatcherError::Syntax { text: text.to_owned(), what }),
        },
        Err(e) => return Err(e),
    };
    if matchers.len() > MATCHERS_MAX { Err(MatcherError::TooMany(matchers.len())) } else { Ok(matchers) }
}

/// Characters that end an unquoted word.
fn reserved(c: char) -> bool {
    c.is_whitespace() || "{}!=~,\\\"'`".contains(c)
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Reader<'_> {
    fn error(&self, what: impl Into<String>) -> MatcherError {
        MatcherError::Syntax { text: self.text.to_owned(), what: what.into() }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn matchers(mut self) -> Result<Vec<Matcher>, MatcherError> {
        let braced = self.eat("{");
        let mut found = Vec::new();
        loop {
            self.skip_space();
            if self.rest.is_empty() || self.rest.starts_with('}') {
                break;
            }
            found.push(self.matcher()?);
            if !self.eat(",") {
                break;
            }
        }
        let closed = self.eat("}");
        self.skip_space();
        match (braced, closed) {
            (true, false) => Err(self.error("`}` is missing")),
            (false, true) => Err(self.error("`}` without `{`")),
            _ if !self.rest.is_empty() => Err(self.error(format!("{:?} is too much", self.rest))),
            _ => Ok(found),
        }
    }

    fn matcher(&mut self) -> Result<Matcher, MatcherError> {
        let name = self.word("a label name")?;
        let ops = [("=~", Op::Match), ("!~", Op::NotMatch), ("!=", Op::NotEqual), ("=", Op::Equal)];
        let op = ops.into_iter().find(|(token, _)| self.eat(token)).map(|(_, op)| op);
        let op = op.ok_or_else(|| self.error("expected one of = != =~ !~"))?;
        let value = self.word("a value")?;
        Matcher::new(&name, op, &value)
    }

    fn word(&mut self, what: &str) -> Result<String, MatcherError> {
        self.skip_space();
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        let end = self.rest.find(reserved).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if word.is_empty() {
            return Err(self.error(format!("expected {what}")));
        }
        self.rest = rest;
        Ok(word.to_owned())
    }

    fn quoted(&mut self) -> Result<String, MatcherError> {
        let mut out = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(out);
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some(c @ ('"' | '\\' | '\'')) => out.push(c),
                    // Regular expressions are full of these, and `\.` cannot mean anything else.
                    Some(c) => out.extend(['\\', c]),
                    None => break,
                },
                '\n' => return Err(self.error("a quoted text goes over several lines")),
                c => out.push(c),
            }
        }
        Err(self.error("a quoted text does not end"))
    }
}

/// The syntax before 0.27: the value is whatever stands after the operator.
fn classic(text: &str) -> Option<Result<Vec<Matcher>, MatcherError>> {
    let inner = text.trim();
    let inner = inner.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(inner);
    let parts = split_classic(inner);
    let mut found = Vec::new();
    for part in parts.iter().map(|p| p.trim()).filter(|p| !p.is_empty()) {
        let end = part.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let rest = rest.trim_start();
        let ops = [("=~", Op::Match), ("!~", Op::NotMatch), ("!=", Op::NotEqual), ("=", Op::Equal)];
        let (op, value) = ops.into_iter().find_map(|(token, op)| Some((op, rest.strip_prefix(token)?)))?;
        let value = value.trim();
        let value = match value.strip_prefix('"') {
            Some(quoted) => quoted.strip_suffix('"')?.replace("\\\"", "\"").replace("\\\\", "\\"),
            None if value.contains('"') => return None,
            None => value.to_owned(),
        };
        match Matcher::new(name, op, &value) {
            Ok(matcher) => found.push(matcher),
            Err(e) => return Some(Err(e)),
        }
    }
    (!found.is_empty()).then_some(Ok(found))
}

/// Splits at commas outside of quotes.
fn split_classic(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, shown: &str) {
        let found = parse(text).map(|m| show(&m)).unwrap_or_else(|e| e.to_string());
        assert_eq!(found, shown, "{text}");
    }

    #[test]
    fn both_syntaxes_are_read() {
        for (text, shown) in [
            ("{}", "{}"),
            ("", "{}"),
            ("a=b", r#"{a="b"}"#),
            (r#"a="b""#, r#"{a="b"}"#),
            (r#" a != "b c" "#, r#"{a!="b c"}"#),
            (r#"{a=~"b.*",c!~d|e,}"#, r#"{a=~"b.*",c!~"d|e"}"#),
            (r#"{"a b"="c"}"#, r#"{"a b"="c"}"#),
            ("gehäuse=grün🙂", r#"{gehäuse="grün🙂"}"#),
            (r#"severity=~^(warning|critical)$"#, r#"{severity=~"^(warning|critical)$"}"#),
            (r#"a=~"x\.y""#, r#"{a=~"x\\.y"}"#),
            (r#"a="\"q\"\\n""#, r#"{a="\"q\"\\n"}"#),
            ("a=b,c=d", r#"{a="b",c="d"}"#),
            // The older syntax.
            ("foo=a=b", r#"{foo="a=b"}"#),
            ("foo=a b", r#"{foo="a b"}"#),
            ("foo=", r#"{foo=""}"#),
            (r#"{foo=~'x'}"#, r#"{foo=~"'x'"}"#),
            // Neither.
            ("{a=b", r#"matcher "{a=b": `}` is missing"#),
            ("a", r#"matcher "a": expected one of = != =~ !~"#),
            ("=b", r#"matcher "=b": expected a label name"#),
            (r#"a="b"#, r#"matcher "a=\"b": a quoted text does not end"#),
            (r#"ä b=c"#, r#"matcher "ä b=c": expected one of = != =~ !~"#),
            ("a=~(", r#"matcher on "a": regular expression "(": error: unclosed group"#),
        ] {
            check(text, shown);
        }
    }

    #[test]
    fn absent_labels_are_empty_and_expressions_are_anchored() {
        let labels = LabelSet::from([("a".to_owned(), "xy".to_owned()), ("n".to_owned(), "1\n2".to_owned())]);
        for (text, expected) in [
            ("a=xy", true),
            ("a!=xy", false),
            ("a=~x", false),
            ("a=~x.", true),
            ("a!~x", true),
            ("a=~x|xy", true),
            (r#"b="""#, true),
            (r#"b!="""#, false),
            ("b=~.*", true),
            ("b=~.+", false),
            ("b!~.+", true),
            ("n=~1.2", false),
        ] {
            assert_eq!(all_match(&parse(text).unwrap(), &labels), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_the_same(name in "[^\\\\]{1,8}", value in ".{0,8}", op in 0usize..2) {
            let op = [Op::Equal, Op::NotEqual][op];
            prop_assume!(!name.contains(['\n', '\r', '\t']) && !value.contains(['\n', '\r']));
            let matcher = Matcher::new(&name, op, &value).unwrap();
            prop_assert_eq!(parse(&show(std::slice::from_ref(&matcher))).unwrap(), vec![matcher]);
        }

        #[test]
        fn nothing_panics(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}

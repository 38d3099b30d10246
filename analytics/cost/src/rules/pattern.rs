//! Texts that a rule compares with: exact, a glob (`prod-*`), a regular expression (`/^arn:.*:cluster/`).

use regex::{Regex, RegexBuilder};

/// Bytes that one compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// One pattern. An absent value is the empty text.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// The very text.
    Exact(String),
    /// `*` stands for any text, `?` for one character. `*` alone needs at least one character: it asks whether there is a value.
    Glob(String),
    /// Found anywhere in the text, unless anchored.
    Regex(Box<Regex>),
}

impl Pattern {
    /// Reads a pattern; the error says what is wrong with the regular expression.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(inner) = text.strip_prefix('/').and_then(|t| t.strip_suffix('/')).filter(|t| !t.is_empty()) {
            let built = RegexBuilder::new(inner).size_limit(REGEX_BYTES_MAX).build();
            return match built {
                Ok(regex) => Ok(Self::Regex(Box::new(regex))),
                // The crate draws the expression and a caret of its own over many lines; its last says what is wrong.
                Err(e) => {
                    let text = e.to_string();
                    let last = text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("not understood");
                    Err(last.trim().trim_start_matches("error: ").to_owned())
                }
            };
        }
        Ok(if text.contains(['*', '?']) { Self::Glob(text.to_owned()) } else { Self::Exact(text.to_owned()) })
    }

    /// Whether a value matches.
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => text == value,
            Self::Glob(glob) if glob == "*" => !value.is_empty(),
            Self::Glob(glob) => glob_matches(glob.as_bytes(), value.as_bytes()),
            Self::Regex(regex) => regex.is_match(value),
        }
    }

    /// As [`Pattern::matches`], but letters match in either case and surrounding blanks do not count (regular expressions stay as written).
    pub fn matches_loosely(&self, value: &str) -> bool {
        let value = value.trim();
        match self {
            Self::Exact(text) => text.trim().eq_ignore_ascii_case(value),
            Self::Glob(glob) => {
                let (glob, value) = (glob.to_ascii_lowercase(), value.to_ascii_lowercase());
                glob_matches(glob.as_bytes(), value.as_bytes())
            }
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}

/// Whether a glob matches, in time proportional to the product of the lengths: the last `*` alone is tried again.
fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, t));
                g += 1;
            }
            Some(b'?') => {
                // One character, not one byte.
                t += 1;
                while text.get(t).is_some_and(|b| b & 0xc0 == 0x80) {
                    t += 1;
                }
                g += 1;
            }
            Some(c) if *c == text[t] => {
                g += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    g = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_values() {
        for (pattern, value, want) in [
            ("prod", "prod", true),
            ("prod", "Prod", false),
            ("prod-*", "prod-eu", true),
            ("prod-*", "prod", false),
            ("*", "", false),
            ("*", "x", true),
            ("", "", true),
            ("", "x", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?x", "äx", true),
            ("?x", "aax", false),
            ("**", "", true),
            ("/^arn:.*:cluster/", "arn:aws:ecs:eu:1:cluster/x", true),
            ("/cluster$/", "cluster/x", false),
            ("/", "/", true),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(value), want, "{pattern} {value}");
        }
        assert!(Pattern::parse("Pay*").unwrap().matches_loosely(" PAYments"));
        assert_eq!(Pattern::parse("/a(/").unwrap_err(), "unclosed group");
    }
}

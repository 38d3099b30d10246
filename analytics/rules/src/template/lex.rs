//! A template's text as tokens (Go, `text/template/parse/lex.go`).

use super::TemplateError;

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Text between actions.
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// White space within an action: it separates arguments.
    Space,
    /// A name: a function or a keyword.
    Name(String),
    /// `.Name`, without its dot.
    Field(String),
    /// `$name`, with its dollar.
    Variable(String),
    /// `.`
    Dot,
    /// A text constant.
    Quoted(String),
    /// A whole number, or a character.
    Int(i64),
    /// A number.
    Float(f64),
    /// `|`
    Pipe,
    /// `(`
    Left,
    /// `)`
    Right,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// `,`
    Comma,
}

/// A token and its line.
pub(super) type Placed = (Token, usize);

/// All tokens of a text.
pub(super) fn lex(text: &str) -> Result<Vec<Placed>, TemplateError> {
    let mut lexer = Lexer { rest: text, line: 1, out: Vec::new() };
    lexer.run()?;
    Ok(lexer.out)
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    out: Vec<Placed>,
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

impl<'a> Lexer<'a> {
    fn run(&mut self) -> Result<(), TemplateError> {
        let mut trim_start = false;
        loop {
            let end = self.rest.find("{{");
            let mut text = &self.rest[..end.unwrap_or(self.rest.len())];
            let after = end.map(|at| &self.rest[at + 2..]);
            let lines = text.matches('\n').count();
            if trim_start {
                text = text.trim_start_matches(SPACES);
            }
            let trims = after.is_some_and(|a| a.starts_with('-') && a[1..].starts_with(SPACES));
            if trims {
                text = text.trim_end_matches(SPACES);
            }
            if !text.is_empty() {
                self.out.push((Token::Text(text.to_owned()), self.line));
            }
            self.line += lines;
            let Some(after) = after else { return Ok(()) };
            self.rest = if trims { &after[1..] } else { after };
            trim_start = match self.comment()? {
                Some(trims) => trims,
                None => self.action()?,
            };
        }
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, TemplateError> {
        Err(TemplateError::new(self.line, message))
    }

    /// `{{/* ... */}}`; whether the text behind it is trimmed.
    fn comment(&mut self) -> Result<Option<bool>, TemplateError> {
        let start = self.rest.trim_start_matches(SPACES);
        if !start.starts_with("/*") || (start.len() != self.rest.len() && !self.rest.starts_with(SPACES)) {
            return Ok(None);
        }
        let Some(end) = start.find("*/") else { return self.fail("unclosed comment") };
        self.line += self.rest[..self.rest.len() - start.len() + end].matches('\n').count();
        let rest = &start[end + 2..];
        for (mark, trims) in [("}}", false), (" -}}", true), ("\n-}}", true), ("\t-}}", true)] {
            if let Some(rest) = rest.strip_prefix(mark) {
                self.rest = rest;
                return Ok(Some(trims));
            }
        }
        self.fail("comment ends before closing delimiter")
    }

    /// Everything up to `}}`; whether the text behind it is trimmed.
    fn action(&mut self) -> Result<bool, TemplateError> {
        self.push(Token::Open);
        let mut depth = 0_usize;
        loop {
            if let Some(rest) = self.rest.strip_prefix("}}") {
                return self.close(rest, false, depth);
            }
            let Some(c) = self.rest.chars().next() else { return self.fail("unclosed action") };
            if SPACES.contains(&c) {
                let space = self.rest.len() - self.rest.trim_start_matches(SPACES).len();
                if let Some(rest) = self.rest[space..].strip_prefix("-}}") {
                    self.line += self.rest[..space].matches('\n').count();
                    return self.close(rest, true, depth);
                }
                self.push(Token::Space);
                self.line += self.rest[..space].matches('\n').count();
                self.rest = &self.rest[space..];
                continue;
            }
            match c {
                '"' => self.quoted()?,
                '`' => self.raw()?,
                '\'' => self.character()?,
                '|' => self.one(Token::Pipe),
                ',' => self.one(Token::Comma),
                '(' => {
                    depth += 1;
                    self.one(Token::Left);
                }
                ')' => {
                    let Some(less) = depth.checked_sub(1) else { return self.fail("unexpected right paren") };
                    depth = less;
                    self.one(Token::Right);
                }
                '=' => self.one(Token::Assign),
                ':' => match self.rest.strip_prefix(":=") {
                    Some(rest) => {
                        self.push(Token::Declare);
                        self.rest = rest;
                    }
                    None => return self.fail("expected :="),
                },
                '$' => {
                    let name = self.word(1);
                    self.push(Token::Variable(format!("${name}")));
                }
                '.' if !self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                    let name = self.word(1);
                    self.push(if name.is_empty() { Token::Dot } else { Token::Field(name.to_owned()) });
                }
                c if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => self.number()?,
                c if c == '_' || c.is_alphanumeric() => {
                    let name = self.word(0);
                    self.push(Token::Name(name.to_owned()));
                }
                c => return self.fail(format!("unexpected {c:?} in operand")),
            }
        }
    }

    fn push(&mut self, token: Token) {
        self.out.push((token, self.line));
    }

    fn one(&mut self, token: Token) {
        self.push(token);
        self.rest = &self.rest[1..];
    }

    fn close(&mut self, rest: &'a str, trims: bool, depth: usize) -> Result<bool, TemplateError> {
        if depth > 0 {
            return self.fail("unclosed left paren");
        }
        self.push(Token::Close);
        self.rest = rest;
        Ok(trims)
    }

    /// The letters and digits after `skip` bytes.
    fn word(&mut self, skip: usize) -> &'a str {
        let rest = &self.rest[skip..];
        let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        self.rest = &rest[end..];
        &rest[..end]
    }

    fn quoted(&mut self) -> Result<(), TemplateError> {
        match unquote(&self.rest[1..], '"') {
            Some((text, rest)) => {
                self.push(Token::Quoted(text));
                self.rest = rest;
                Ok(())
            }
            None => self.fail("unterminated quoted string"),
        }
    }

    fn raw(&mut self) -> Result<(), TemplateError> {
        let Some(end) = self.rest[1..].find('`') else { return self.fail("unterminated raw quoted string") };
        let text = &self.rest[1..=end];
        self.push(Token::Quoted(text.replace('\r', "")));
        self.line += text.matches('\n').count();
        self.rest = &self.rest[end + 2..];
        Ok(())
    }

    fn character(&mut self) -> Result<(), TemplateError> {
        let found = unquote(&self.rest[1..], '\'');
        let mut chars = found.iter().flat_map(|(text, _)| text.chars());
        match (chars.next(), chars.next(), &found) {
            (Some(c), None, Some((_, rest))) => {
                self.push(Token::Int(i64::from(u32::from(c))));
                self.rest = rest;
                Ok(())
            }
            _ => self.fail("malformed character constant"),
        }
    }

    fn number(&mut self) -> Result<(), TemplateError> {
        let mut previous = ' ';
        let hex = self.rest.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("0x");
        let within = |c: char, previous: char| {
            let signed = matches!(c, '+' | '-')
                && (previous == ' '
                    || matches!(previous, 'e' | 'E' | 'p' | 'P') && (!hex || matches!(previous, 'p' | 'P')));
            signed || c.is_ascii_alphanumeric() || matches!(c, '.' | '_')
        };
        let mut end = 0;
        for c in self.rest.chars() {
            if !within(c, previous) {
                break;
            }
            previous = c;
            end += c.len_utf8();
        }
        let text = &self.rest[..end];
        let Some(token) = number(text) else { return self.fail(format!("bad number syntax: {text:?}")) };
        self.push(token);
        self.rest = &self.rest[end..];
        Ok(())
    }
}

fn number(text: &str) -> Option<Token> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let lower = digits.to_ascii_lowercase();
    for (mark, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = lower.strip_prefix(mark) {
            return i64::from_str_radix(rest, radix).ok().map(|n| Token::Int(sign * n));
        }
    }
    if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|b| b.is_ascii_digit()) {
        return i64::from_str_radix(&lower, 8).ok().map(|n| Token::Int(sign * n));
    }
    if let Ok(n) = lower.parse::<i64>() {
        return Some(Token::Int(sign * n));
    }
    // Words such as `inf` are no numbers here.
    if !lower.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-')) {
        return None;
    }
    lower.parse::<f64>().ok().map(|v| Token::Float(v * sign as f64))
}

/// The text up to a mark, with Go's escapes undone, and what stands behind the mark.
fn unquote(text: &str, mark: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == mark => return Some((out, &text[at + 1..])),
            '\n' => return None,
            '\\' => {
                let (_, escape) = chars.next()?;
                let mut digits = |first: Option<char>, more: usize, radix: u32| {
                    let mut value = match first {
                        Some(c) => c.to_digit(radix)?,
                        None => 0,
                    };
                    for _ in 0..more {
                        value = value * radix + chars.next()?.1.to_digit(radix)?;
                    }
                    char::from_u32(value)
                };
                out.push(match escape {
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'v' => '\u{b}',
                    'x' => digits(None, 2, 16)?,
                    'u' => digits(None, 4, 16)?,
                    'U' => digits(None, 8, 16)?,
                    '0'..='7' => digits(Some(escape), 2, 8)?,
                    '\\' => '\\',
                    c if c == mark => c,
                    _ => return None,
                });
            }
            c => out.push(c),
        }
    }
    None
}

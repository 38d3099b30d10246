//! Text to tokens. What stands in braces, in brackets and outside of both is read by different rules, as in Prometheus'
//! `promql/parser/lex.go`.

use crate::ast::{AggregateOp, BinaryOp, Span};
use crate::error::Failure;
use crate::print::{quote, quote_char};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The end of the text.
    End,
    /// The lexer gave up here; [`Tokens::failure`] says why.
    Failed,
    Identifier,
    /// With a colon, so it can only be a metric.
    MetricIdentifier,
    Text,
    Number,
    Duration,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    At,
    /// `=`
    Assign,
    /// `=~`
    MatchRegex,
    /// `!~`
    MatchNotRegex,
    Op(BinaryOp),
    Aggregate(AggregateOp),
    Keyword(Keyword),
    /// A word that is a function when parentheses follow, and has a meaning of its own in durations or after `@`.
    Word(Word),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    Offset,
    Anchored,
    Smoothed,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Bool,
    Fill,
    FillLeft,
    FillRight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Start,
    End,
    Step,
    Range,
    MinOf,
    MaxOf,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// The tokens of a text without its comments. The last is [`Kind::End`] or [`Kind::Failed`].
pub(crate) struct Tokens {
    pub(crate) list: Vec<Token>,
    /// Why the last token is [`Kind::Failed`].
    pub(crate) failure: Option<Failure>,
}

/// All tokens up to the end or the first character that can belong to none.
pub(crate) fn lex(text: &str) -> Tokens {
    let mut lexer = Lexer {
        text,
        at: 0,
        list: Vec::with_capacity(text.len() / 4 + 2),
        depth: 0,
        in_braces: false,
        in_brackets: false,
        saw_number: false,
        saw_colon: false,
    };
    let failure = loop {
        match lexer.next_token() {
            Ok(Some(token)) => lexer.list.push(token),
            Ok(None) => {
                let span = Span { start: text.len(), end: text.len() };
                lexer.list.push(Token { kind: Kind::End, span });
                break None;
            }
            Err(failure) => {
                lexer.list.push(Token { kind: Kind::Failed, span: failure.span });
                break Some(failure);
            }
        }
    };
    Tokens { list: lexer.list, failure }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    list: Vec<Token>,
    /// Open parentheses.
    depth: usize,
    in_braces: bool,
    in_brackets: bool,
    /// Within the brackets there was a number or `step()` or the like; before one no colon may stand.
    saw_number: bool,
    /// Within the brackets there was a colon.
    saw_colon: bool,
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn second(&self) -> Option<char> {
        self.text[self.at..].chars().nth(1)
    }

    fn accept(&mut self, wanted: impl Fn(char) -> bool) -> bool {
        match self.peek().filter(|c| wanted(*c)) {
            Some(c) => {
                self.at += c.len_utf8();
                true
            }
            None => false,
        }
    }

    fn accept_all(&mut self, wanted: impl Fn(char) -> bool) {
        while self.accept(&wanted) {}
    }

    fn failure(&self, start: usize, message: impl Into<String>) -> Failure {
        Failure::new(Span { start, end: self.text.len() }, message)
    }

    fn skip_blank(&mut self) {
        loop {
            self.accept_all(is_space);
            if self.peek() != Some('#') {
                return;
            }
            self.accept_all(|c| c != '\n' && c != '\r');
        }
    }

    /// The next token; `None` at the end.
    fn next_token(&mut self) -> Result<Option<Token>, Failure> {
        self.skip_blank();
        let start = self.at;
        let Some(c) = self.peek() else { return self.end().map(|()| None) };
        let kind = if self.in_braces {
            self.in_braces(c)?
        } else if self.in_brackets {
            self.in_brackets(c)?
        } else {
            self.statement(c)?
        };
        Ok(Some(Token { kind, span: Span { start, end: self.at } }))
    }

    fn end(&self) -> Result<(), Failure> {
        let message = if self.in_braces {
            "unexpected end of input inside braces"
        } else if self.in_brackets && !self.saw_number {
            "unexpected end of input in duration expression"
        } else if self.depth > 0 {
            "unclosed left parenthesis"
        } else if self.in_brackets {
            "unclosed left bracket"
        } else {
            return Ok(());
        };
        Err(self.failure(self.at, message))
    }

    /// Takes `c`, which is next, and says what it is.
    fn single(&mut self, c: char, kind: Kind) -> Kind {
        self.at += c.len_utf8();
        kind
    }

    fn statement(&mut self, c: char) -> Result<Kind, Failure> {
        let start = self.at;
        let second = self.second();
        Ok(match c {
            ',' | '@' | '(' | ')' | '+' | '-' | '*' | '/' | '%' | '^' => return self.symbol(c),
            '{' => {
                self.in_braces = true;
                self.single(c, Kind::LeftBrace)
            }
            '[' => {
                (self.in_brackets, self.saw_number, self.saw_colon) = (true, false, false);
                self.single(c, Kind::LeftBracket)
            }
            ']' => return Err(self.failure(start, "unexpected right bracket ']'")),
            '=' => {
                self.at += 1;
                match second {
                    Some('=') => self.single('=', Kind::Op(BinaryOp::Eq)),
                    Some('~') => return Err(self.failure(start, "unexpected character after '=': '~'")),
                    _ => Kind::Assign,
                }
            }
            '!' if second == Some('=') => {
                self.at += 2;
                Kind::Op(BinaryOp::Ne)
            }
            '!' => {
                let after = second.map_or_else(|| "end of input".to_owned(), quote_char);
                return Err(self.failure(start, format!("unexpected character after '!': {after}")));
            }
            '<' | '>' => {
                self.at += 1;
                let op = match (c, second) {
                    ('<', Some('=')) => BinaryOp::Le,
                    ('<', Some('/')) => BinaryOp::TrimUpper,
                    ('<', _) => BinaryOp::Lt,
                    (_, Some('=')) => BinaryOp::Ge,
                    (_, Some('/')) => BinaryOp::TrimLower,
                    _ => BinaryOp::Gt,
                };
                self.at += op.as_str().len() - 1;
                Kind::Op(op)
            }
            '"' | '\'' => return self.quoted(c),
            '`' => return self.raw(),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => return self.number_or_duration(),
            '0'..='9' => return self.number_or_duration(),
            c if is_alpha(c) || c == ':' => self.word(),
            c => return Err(self.failure(start, format!("unexpected character: {}", quote_char(c)))),
        })
    }

    /// What means the same in brackets and outside.
    fn symbol(&mut self, c: char) -> Result<Kind, Failure> {
        Ok(match c {
            ',' => self.single(c, Kind::Comma),
            '@' => self.single(c, Kind::At),
            '(' => {
                self.depth += 1;
                self.single(c, Kind::LeftParen)
            }
            ')' => {
                self.at += 1;
                let Some(depth) = self.depth.checked_sub(1) else {
                    return Err(self.failure(self.at, "unexpected right parenthesis ')'"));
                };
                self.depth = depth;
                Kind::RightParen
            }
            '+' => self.single(c, Kind::Op(BinaryOp::Add)),
            '-' => self.single(c, Kind::Op(BinaryOp::Sub)),
            '*' => self.single(c, Kind::Op(BinaryOp::Mul)),
            '/' => self.single(c, Kind::Op(BinaryOp::Div)),
            '%' => self.single(c, Kind::Op(BinaryOp::Mod)),
            '^' => self.single(c, Kind::Op(BinaryOp::Pow)),
            c => return Err(self.failure(self.at, format!("unexpected character: {}", quote_char(c)))),
        })
    }

    /// In braces every word is a label's name.
    fn in_braces(&mut self, c: char) -> Result<Kind, Failure> {
        let start = self.at;
        let second = self.second();
        Ok(match c {
            ',' => self.single(c, Kind::Comma),
            '}' => {
                self.in_braces = false;
                self.single(c, Kind::RightBrace)
            }
            '"' | '\'' => return self.quoted(c),
            '`' => return self.raw(),
            '=' | '!' => {
                self.at += 1;
                match (c, second) {
                    ('=', Some('~')) => self.single('~', Kind::MatchRegex),
                    ('=', _) => Kind::Assign,
                    (_, Some('~')) => self.single('~', Kind::MatchNotRegex),
                    (_, Some('=')) => self.single('=', Kind::Op(BinaryOp::Ne)),
                    (_, other) => {
                        let after = other.map_or_else(|| "end of input".to_owned(), quote_char);
                        let message = format!("unexpected character after '!' inside braces: {after}");
                        return Err(self.failure(start, message));
                    }
                }
            }
            '{' => return Err(self.failure(start, "unexpected left brace '{'")),
            c if is_alpha(c) => {
                self.accept_all(is_alphanumeric);
                Kind::Identifier
            }
            c => return Err(self.failure(start, format!("unexpected character inside braces: {}", quote_char(c)))),
        })
    }

    /// In brackets stand durations and what can be computed of them.
    fn in_brackets(&mut self, c: char) -> Result<Kind, Failure> {
        let start = self.at;
        Ok(match c {
            ',' | '(' | ')' | '+' | '-' | '*' | '/' | '%' | '^' => return self.symbol(c),
            ']' => {
                self.in_brackets = false;
                self.single(c, Kind::RightBracket)
            }
            '[' => return Err(self.failure(start, "unexpected left bracket '['")),
            ':' => {
                self.at += 1;
                if !self.saw_number {
                    let message = "unexpected colon before duration in duration expression";
                    return Err(self.failure(self.at, message));
                }
                if std::mem::replace(&mut self.saw_colon, true) {
                    return Err(self.failure(start, "unexpected colon ':'"));
                }
                Kind::Colon
            }
            '.' if self.second().is_some_and(|c| c.is_ascii_digit()) => {
                self.saw_number = true;
                return self.number_or_duration();
            }
            '0'..='9' => {
                self.saw_number = true;
                return self.number_or_duration();
            }
            c if is_alpha(c) => {
                self.accept_all(is_alpha);
                let word = self.text[start..self.at].to_ascii_lowercase();
                match duration_word(&word) {
                    Some(word) => {
                        self.saw_number = true;
                        Kind::Word(word)
                    }
                    None if self.saw_number => {
                        let message = format!("unexpected character: {}, expected ':'", quote_char(c));
                        return Err(self.failure(start, message));
                    }
                    None => return Err(self.no_duration(start, c)),
                }
            }
            c => return Err(self.no_duration(start, c)),
        })
    }

    fn no_duration(&self, start: usize, c: char) -> Failure {
        self.failure(start, format!("unexpected character in duration expression: {}", quote_char(c)))
    }

    /// A keyword, or the name of a metric or function.
    fn word(&mut self) -> Kind {
        let start = self.at;
        self.accept_all(|c| is_alphanumeric(c) || c == ':');
        let word = &self.text[start..self.at];
        if word.contains(':') {
            return Kind::MetricIdentifier;
        }
        match keyword(&word.to_ascii_lowercase()) {
            // Younger than the metrics that have such names, so they are keywords only before a parenthesis.
            Some(Kind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight))
                if !self.text[self.at..].trim_start_matches(is_space).starts_with('(') =>
            {
                Kind::Identifier
            }
            Some(kind) => kind,
            None => Kind::Identifier,
        }
    }

    fn number_or_duration(&mut self) -> Result<Kind, Failure> {
        let start = self.at;
        if self.number() {
            return Ok(Kind::Number);
        }
        if self.rest_of_duration() {
            return Ok(Kind::Duration);
        }
        let shown = quote(&self.text[start..self.at]);
        Err(self.failure(start, format!("bad number or duration syntax: {shown}")))
    }

    /// Reads digits in any of Go's notations. False if that is no number; what was read up to there may still begin a duration.
    fn number(&mut self) -> bool {
        let start = self.at;
        let mut radix = 10;
        if self.accept(|c| c == '0')
            && let Some(c) = self.peek()
        {
            radix = match c {
                'x' | 'X' => 16,
                'o' | 'O' => 8,
                'b' | 'B' => 2,
                _ => 10,
            };
            if radix != 10 {
                self.at += 1;
                self.accept(|c| c == '_');
            }
        }
        let is_digit = |c: char| c.is_digit(radix);
        let (mut dot, mut exponent) = (false, false);
        loop {
            self.accept_all(is_digit);
            match self.peek() {
                Some('.') => {
                    self.at += 1;
                    if dot || radix != 10 {
                        return false;
                    }
                    dot = true;
                    if self.accept(|c| matches!(c, '_' | '.')) {
                        return false;
                    }
                }
                Some('e' | 'E') if radix == 10 => {
                    self.at += 1;
                    if exponent {
                        return false;
                    }
                    exponent = true;
                    self.accept(|c| matches!(c, '+' | '-'));
                    if self.accept(|c| matches!(c, '.' | '_' | 'e' | 'E')) || self.peek().is_none() {
                        return false;
                    }
                }
                Some('_') => {
                    self.at += 1;
                    if self.accept(|c| matches!(c, '.' | '_' | 'e' | 'E')) || self.peek().is_none() {
                        return false;
                    }
                }
                _ => break,
            }
        }
        self.at > start && !self.peek().is_some_and(is_alphanumeric)
    }

    /// Units and further numbers behind a duration's first number. Whether their order is right is seen when it is parsed.
    fn rest_of_duration(&mut self) -> bool {
        if !self.accept(|c| "smhdwy".contains(c)) {
            return false;
        }
        self.accept(|c| c == 's');
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.accept_all(|c| c.is_ascii_digit());
            if !self.accept(|c| "smhdw".contains(c)) {
                return false;
            }
            self.accept(|c| c == 's');
        }
        // A letter that does not belong here is shown in the error.
        !self.accept(is_alphanumeric)
    }

    /// A string in `"` or `'`, without its value; see [`unquote`].
    fn quoted(&mut self, mark: char) -> Result<Kind, Failure> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None | Some('\n') => return Err(self.failure(start, "unterminated quoted string")),
                Some('\\') => {
                    self.at += 1;
                    let escape = escape(&self.text[self.at..], mark).map_err(|message| self.failure(start, message))?;
                    self.at += escape.length;
                }
                Some(c) => {
                    self.at += c.len_utf8();
                    if c == mark {
                        return Ok(Kind::Text);
                    }
                }
            }
        }
    }

    fn raw(&mut self) -> Result<Kind, Failure> {
        let start = self.at;
        match self.text[start + 1..].find('`') {
            Some(length) => {
                self.at = start + length + 2;
                Ok(Kind::Text)
            }
            None => Err(self.failure(start, "unterminated raw string")),
        }
    }
}

fn duration_word(word: &str) -> Option<Word> {
    Some(match word {
        "step" => Word::Step,
        "range" => Word::Range,
        "min_of" => Word::MinOf,
        "max_of" => Word::MaxOf,
        _ => return None,
    })
}

fn keyword(word: &str) -> Option<Kind> {
    Some(match word {
        "and" => Kind::Op(BinaryOp::And),
        "or" => Kind::Op(BinaryOp::Or),
        "unless" => Kind::Op(BinaryOp::Unless),
        "atan2" => Kind::Op(BinaryOp::Atan2),
        "offset" => Kind::Keyword(Keyword::Offset),
        "anchored" => Kind::Keyword(Keyword::Anchored),
        "smoothed" => Kind::Keyword(Keyword::Smoothed),
        "by" => Kind::Keyword(Keyword::By),
        "without" => Kind::Keyword(Keyword::Without),
        "on" => Kind::Keyword(Keyword::On),
        "ignoring" => Kind::Keyword(Keyword::Ignoring),
        "group_left" => Kind::Keyword(Keyword::GroupLeft),
        "group_right" => Kind::Keyword(Keyword::GroupRight),
        "bool" => Kind::Keyword(Keyword::Bool),
        "fill" => Kind::Keyword(Keyword::Fill),
        "fill_left" => Kind::Keyword(Keyword::FillLeft),
        "fill_right" => Kind::Keyword(Keyword::FillRight),
        "start" => Kind::Word(Word::Start),
        "end" => Kind::Word(Word::End),
        "inf" | "nan" => Kind::Number,
        word => match duration_word(word) {
            Some(word) => Kind::Word(word),
            None => Kind::Aggregate(AggregateOp::by_name(word)?),
        },
    })
}

/// One escape sequence of a string.
struct Escape {
    /// Bytes after the backslash.
    length: usize,
    value: Escaped,
}

enum Escaped {
    Char(char),
    /// `\xff` and `\377` stand for bytes, not for characters.
    Byte(u8),
}

/// Reads what follows a backslash in a string delimited by `mark`.
fn escape(rest: &str, mark: char) -> Result<Escape, String> {
    let Some(c) = rest.chars().next() else { return Err("escape sequence not terminated".to_owned()) };
    let simple = match c {
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        '\\' => Some('\\'),
        c if c == mark => Some(c),
        _ => None,
    };
    if let Some(value) = simple {
        return Ok(Escape { length: 1, value: Escaped::Char(value) });
    }
    let (prefix, digits, radix) = match c {
        '0'..='7' => (0, 3, 8),
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        c => return Err(format!("unknown escape sequence U+{:04X} '{c}'", u32::from(c))),
    };
    let mut value: u32 = 0;
    let mut chars = rest[prefix..].chars();
    for _ in 0..digits {
        let Some(c) = chars.next() else { return Err("escape sequence not terminated".to_owned()) };
        let Some(digit) = c.to_digit(radix) else {
            return Err(format!("illegal character U+{:04X} '{c}' in escape sequence", u32::from(c)));
        };
        value = value.wrapping_mul(radix) | digit;
    }
    let value = match c {
        'u' | 'U' => char::from_u32(value).map(Escaped::Char),
        _ => u8::try_from(value).ok().map(Escaped::Byte),
    };
    match value {
        Some(value) => Ok(Escape { length: prefix + digits, value }),
        None => Err("escape sequence is an invalid Unicode code point".to_owned()),
    }
}

/// The value of a [`Kind::Text`] as it stands in the text, with its quotation marks.
pub(crate) fn unquote(quoted: &str) -> Result<String, String> {
    let mut chars = quoted.chars();
    let (Some(mark), Some(_)) = (chars.next(), chars.next_back()) else { return Err("invalid syntax".to_owned()) };
    let mut rest = chars.as_str();
    if mark == '`' {
        return Ok(rest.to_owned());
    }
    let mut value = Vec::with_capacity(rest.len());
    while let Some(at) = rest.find('\\') {
        value.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let escape = escape(rest, mark)?;
        match escape.value {
            Escaped::Char(c) => value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Escaped::Byte(b) => value.push(b),
        }
        rest = &rest[escape.length..];
    }
    value.extend_from_slice(rest.as_bytes());
    String::from_utf8(value).map_err(|_| "not valid UTF-8".to_owned())
}

/// The value of a [`Kind::Number`]: as Go's `ParseInt` with base 0 reads it (so `010` is 8), or else its `ParseFloat`.
pub(crate) fn number_value(written: &str) -> Result<f64, String> {
    let syntax = || format!("strconv.ParseFloat: parsing {}: invalid syntax", quote(written));
    let range = || format!("strconv.ParseFloat: parsing {}: value out of range", quote(written));
    let digits: String = written.chars().filter(|c| *c != '_').collect();
    let lower = digits.to_ascii_lowercase();
    match lower.as_str() {
        "inf" => return Ok(f64::INFINITY),
        "nan" => return Ok(f64::NAN),
        _ => {}
    }
    let (radix, whole) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if let Ok(value) = i64::from_str_radix(whole, radix) {
        return Ok(value as f64);
    }
    if lower.as_bytes().get(1).is_some_and(u8::is_ascii_alphabetic)
        && lower.starts_with('0')
        && !lower.starts_with("0e")
    {
        return Err(syntax());
    }
    match lower.parse::<f64>() {
        Ok(value) if value.is_infinite() => Err(range()),
        Ok(value) => Ok(value),
        Err(_) => Err(syntax()),
    }
}

/// A token as errors show it, in Prometheus' words.
pub(crate) fn describe(token: Token, text: &str) -> String {
    let written = &text[token.span.start..token.span.end];
    let shown = || match written.char_indices().nth(10) {
        Some((at, _)) => format!("{}...", quote(&written[..at])),
        None => quote(written),
    };
    match token.kind {
        Kind::End | Kind::Failed => "end of input".to_owned(),
        Kind::Identifier => format!("identifier {}", quote(written)),
        Kind::MetricIdentifier => format!("metric identifier {}", quote(written)),
        Kind::Text => format!("string {}", shown()),
        Kind::Number => format!("number {}", shown()),
        Kind::Duration => format!("duration {}", shown()),
        Kind::Op(_) | Kind::At | Kind::MatchRegex | Kind::MatchNotRegex => format!("<op:{written}>"),
        Kind::Aggregate(_) => format!("<aggr:{written}>"),
        Kind::Keyword(_) => format!("<{written}>"),
        _ => shown(),
    }
}

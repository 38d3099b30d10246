//! Filters as people type them (`service = 'AmazonEC2' and tags['team'] in ('shop', 'web')`), checked against the columns of a table, and
//! written again as SQL in which only names of columns and quoted literals occur.
//!
//! Grammar, words in any case: `or` of `and` of `not`, parentheses, `=` `==` `!=` `<>` `<` `<=` `>` `>=`, `[not] in (...)`, `[not] like`,
//! `[not] between ... and ...`, `is [not] null`. Texts stand in single quotes (two for one), numbers are plain decimals, times are quoted RFC 3339
//! or dates.

use std::fmt;

use grid_model::Amount;
use grid_model::table::charges::Kind;

use crate::calendar::Day;
use crate::relation::{Relation, quote};

/// Longest filter in bytes.
pub const FILTER_BYTES_MAX: usize = 8 << 10;
/// Deepest nesting of parentheses and `not`.
const DEPTH_MAX: usize = 32;

/// A checked filter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filter {
    text: String,
    sql: String,
}

/// What is wrong with a filter, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct FilterError {
    /// The whole filter.
    pub text: String,
    /// Bytes before the mistake.
    pub at: usize,
    /// What is wrong.
    pub message: String,
}

impl FilterError {
    /// Characters before the mistake, counted from 1.
    pub fn column(&self) -> usize {
        self.text.get(..self.at).map_or(1, |before| before.chars().count() + 1)
    }
}

impl fmt::Display for FilterError {
    /// The message, the filter and a caret below the mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.text.replace(['\n', '\r', '\t'], " ");
        write!(f, "{}\n  {line}\n  {:>width$}", self.message, "^", width = self.column())
    }
}

impl Filter {
    /// Reads and checks.
    pub fn parse(relation: Relation, text: &str) -> Result<Self, FilterError> {
        let fail = |at: usize, message: String| FilterError { text: text.to_owned(), at, message };
        if text.len() > FILTER_BYTES_MAX {
            return Err(FilterError {
                text: String::new(),
                at: 0,
                message: format!("the filter has more than {FILTER_BYTES_MAX} bytes"),
            });
        }
        let tokens = lex(text).map_err(|(at, message)| fail(at, message))?;
        let mut parser = Parser { relation, tokens: &tokens, at: 0, depth: 0, end: text.len(), sql: String::new() };
        parser.any().and_then(|()| parser.nothing_left()).map_err(|(at, message)| fail(at, message))?;
        Ok(Self { text: text.trim().to_owned(), sql: parser.sql })
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As a condition of SQL; beside another one it needs parentheses.
    pub fn sql(&self) -> &str {
        &self.sql
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

type Failure = (usize, String);

fn lex(text: &str) -> Result<Vec<(usize, Token)>, Failure> {
    const SIGNS: [&str; 13] = ["<=", ">=", "<>", "!=", "==", "=", "<", ">", "(", ")", "[", "]", ","];
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
        } else if c == '\'' {
            let (value, length) = quoted(rest, '\'').ok_or((at, "this text has no end: ' is missing".to_owned()))?;
            tokens.push((at, Token::Text(value)));
            at += length;
        } else if c == '"' {
            let (value, length) = quoted(rest, '"').ok_or((at, "this name has no end: \" is missing".to_owned()))?;
            tokens.push((at, Token::Word(value)));
            at += length;
        } else if c.is_ascii_digit() || c == '.' || c == '-' && rest[1..].starts_with(|d: char| d.is_ascii_digit()) {
            let length = rest[1..].find(|d: char| !d.is_ascii_alphanumeric() && d != '.').map_or(rest.len(), |n| n + 1);
            tokens.push((at, Token::Number(rest[..length].to_owned())));
            at += length;
        } else if c.is_alphabetic() || c == '_' {
            let length = rest.find(|d: char| !d.is_alphanumeric() && d != '_').unwrap_or(rest.len());
            tokens.push((at, Token::Word(rest[..length].to_owned())));
            at += length;
        } else if let Some(sign) = SIGNS.into_iter().find(|s| rest.starts_with(s)) {
            tokens.push((at, Token::Sign(sign)));
            at += sign.len();
        } else {
            return Err((at, format!("{c:?} means nothing here")));
        }
    }
    Ok(tokens)
}

/// The content of a quoted text, and how many bytes it takes with its quotes.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            value.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            value.push(quote);
            chars.next();
        } else {
            return Some((value, at + 1));
        }
    }
    None
}

struct Parser<'a> {
    relation: Relation,
    tokens: &'a [(usize, Token)],
    at: usize,
    depth: usize,
    /// Bytes of the whole filter, where a mistake lies that is an absence.
    end: usize,
    sql: String,
}

impl Parser<'_> {
    fn here(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(at, _)| *at)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.tokens.get(self.at), Some((_, Token::Word(w))) if w.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some((_, Token::Sign(s))) if *s == sign);
        self.at += usize::from(found);
        found
    }

    fn need_sign(&mut self, sign: &str) -> Result<(), Failure> {
        if self.take_sign(sign) { Ok(()) } else { Err((self.here(), format!("{sign:?} is expected here"))) }
    }

    fn nothing_left(&self) -> Result<(), Failure> {
        if self.at == self.tokens.len() {
            return Ok(());
        }
        Err((self.here(), "the condition before this is complete: `and` or `or` is expected here".to_owned()))
    }

    fn any(&mut self) -> Result<(), Failure> {
        self.all()?;
        while self.take_word("or") {
            self.sql.push_str(" OR ");
            self.all()?;
        }
        Ok(())
    }

    fn all(&mut self) -> Result<(), Failure> {
        self.one()?;
        while self.take_word("and") {
            self.sql.push_str(" AND ");
            self.one()?;
        }
        Ok(())
    }

    fn one(&mut self) -> Result<(), Failure> {
        if self.depth > DEPTH_MAX {
            return Err((self.here(), format!("the filter is nested deeper than {DEPTH_MAX}")));
        }
        self.depth += 1;
        if self.take_word("not") {
            self.sql.push_str("NOT (");
            self.one()?;
            self.sql.push(')');
        } else if self.take_sign("(") {
            self.sql.push('(');
            self.any()?;
            self.need_sign(")")?;
            self.sql.push(')');
        } else {
            self.comparison()?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn comparison(&mut self) -> Result<(), Failure> {
        let kind = self.column()?;
        if self.take_word("is") {
            let negated = self.take_word("not");
            self.sql.push_str(if negated { " IS NOT NULL" } else { " IS NULL" });
            return if self.take_word("null") { Ok(()) } else { Err((self.here(), "`null` is expected here".into())) };
        }
        let negated = self.take_word("not");
        let not = if negated { " NOT" } else { "" };
        if self.take_word("in") {
            self.need_sign("(")?;
            self.sql.push_str(not);
            self.sql.push_str(" IN (");
            loop {
                self.value(kind)?;
                if !self.take_sign(",") {
                    break;
                }
                self.sql.push_str(", ");
            }
            self.sql.push(')');
            return self.need_sign(")");
        }
        if self.is_word("like") {
            if kind != Kind::Text {
                return Err((self.here(), "`like` compares texts, and this is none".to_owned()));
            }
            self.at += 1;
            self.sql.push_str(not);
            self.sql.push_str(" LIKE ");
            return self.value(kind);
        }
        if self.take_word("between") {
            self.sql.push_str(not);
            self.sql.push_str(" BETWEEN ");
            self.value(kind)?;
            self.sql.push_str(" AND ");
            return if self.take_word("and") {
                self.value(kind)
            } else {
                Err((self.here(), "`and` and a second value are expected here".to_owned()))
            };
        }
        let comparisons =
            [("=", "="), ("==", "="), ("!=", "<>"), ("<>", "<>"), ("<=", "<="), (">=", ">="), ("<", "<"), (">", ">")];
        match comparisons.into_iter().find(|(sign, _)| !negated && self.take_sign(sign)) {
            Some((_, sql)) => {
                self.sql.push_str(&format!(" {sql} "));
                self.value(kind)
            }
            None => Err((
                self.here(),
                "a comparison is expected here: = != < <= > >=, in (...), like, between, is null".to_owned(),
            )),
        }
    }

    fn column(&mut self) -> Result<Kind, Failure> {
        let at = self.here();
        let Some((_, Token::Word(name))) = self.tokens.get(self.at) else {
            return Err((at, "a column is expected here, such as service or tags['team']".to_owned()));
        };
        self.at += 1;
        let lower = name.to_ascii_lowercase();
        if self.relation.is_map(&lower) {
            self.need_sign("[")?;
            let Some((_, Token::Text(key))) = self.tokens.get(self.at) else {
                return Err((self.here(), format!("the key stands in quotes: {lower}['team']")));
            };
            self.at += 1;
            self.sql.push_str(&format!("{lower}[{}]", quote(key)));
            self.need_sign("]")?;
            return Ok(Kind::Text);
        }
        let Some((sql, kind)) = self.relation.expression(&lower) else {
            let near = nearest(&lower, self.relation.names().into_iter());
            let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            return Err((at, format!("there is no column {name:?}{near} ({})", self.relation.keyed(name))));
        };
        self.sql.push_str(sql);
        Ok(kind)
    }

    fn value(&mut self, kind: Kind) -> Result<(), Failure> {
        let at = self.here();
        let Some((_, token)) = self.tokens.get(self.at) else {
            return Err((at, "a value is expected here".to_owned()));
        };
        let literal = match (kind, token) {
            (Kind::Text, Token::Text(text)) => quote(text),
            (Kind::Text, Token::Number(n)) => return Err((at, format!("this column holds text: write '{n}'"))),
            (Kind::Text, Token::Word(w)) => return Err((at, format!("a text stands in quotes: write '{w}'"))),
            (Kind::Amount, Token::Number(n)) => {
                number(n).ok_or_else(|| (at, format!("{n} is not a decimal number")))?
            }
            (Kind::Amount, _) => return Err((at, "this column holds a number: write a decimal".to_owned())),
            (Kind::Time, Token::Text(text)) if is_time(text) => quote(text),
            (Kind::Time, _) => {
                return Err((at, "this column holds a time: write '2026-11-05' or '2026-11-05T12:00:00Z'".to_owned()));
            }
            (Kind::Text, Token::Sign(_)) => return Err((at, "a text in single quotes is expected here".to_owned())),
        };
        self.at += 1;
        self.sql.push_str(&literal);
        Ok(())
    }
}

fn number(text: &str) -> Option<String> {
    Amount::parse(text).ok().filter(|(_, rest)| rest.0 == 0).map(|(amount, _)| amount.to_string())
}

/// `2026-11-05`, or with a time of day in UTC.
fn is_time(text: &str) -> bool {
    let (day, time) = text.split_once(['T', ' ']).map_or((text, None), |(day, time)| (day, Some(time)));
    let clock = |time: &str| {
        let time = time.strip_suffix('Z').unwrap_or(time);
        let parts: Vec<&str> = time.split(':').collect();
        let fits = |part: &str, below: f64| part.parse::<f64>().is_ok_and(|n| (0.0..below).contains(&n));
        matches!(parts[..], [h, m, s] if h.len() == 2 && m.len() == 2 && fits(h, 24.0) && fits(m, 60.0) && fits(s, 60.0))
    };
    day.len() == 10 && Day::parse(day).is_some() && time.is_none_or(clock)
}

/// The name that was probably meant: one that begins alike, or differs in little.
fn nearest(typed: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let mut best: Option<(usize, &'static str)> = None;
    for name in names {
        let far = distance(typed, name);
        if far <= typed.len().max(3) / 3 && best.is_none_or(|(least, _)| far < least) {
            best = Some((far, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Levenshtein's distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let cost = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn check(text: &str, expected: Expect) {
        let shown = match Filter::parse(Relation::Charges, text) {
            Ok(filter) => filter.sql,
            Err(e) => e.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn filters_become_sql() {
        check("service = 'AmazonEC2'", expect!["service_name = 'AmazonEC2'"]);
        check(
            "Service == 'it''s' AND (region in ('us-east-1','eu-west-1') or not tags['team'] is null)",
            expect![
                "service_name = 'it''s' AND (region_id IN ('us-east-1', 'eu-west-1') OR NOT (tags['team'] IS NULL))"
            ],
        );
        check("billed_cost >= 1.50 and list_cost <> -2e3", expect!["billed_cost >= 1.5 AND list_cost <> -2000"]);
        check(
            "charge_period_start between '2026-11-01' and '2026-11-05T00:00:00Z' and sku not like 'Box%'",
            expect![
                "charge_period_start BETWEEN '2026-11-01' AND '2026-11-05T00:00:00Z' AND coalesce(sku_meter, sku_id, charge_description) NOT LIKE 'Box%'"
            ],
        );
    }

    #[test]
    fn allocations_have_columns_of_their_own() {
        let filter = |text| Filter::parse(Relation::Allocations, text).map(|f| f.sql).map_err(|e| e.message);
        let sql = filter("owner = 'shop' and dimensions['product'] in ('a') and cost > 1");
        assert_eq!(sql, Ok("owner = 'shop' AND dimensions['product'] IN ('a') AND cost > 1".to_owned()));
        let message = "there is no column \"billed_cost\" (a dimension of a rule is written dimensions['billed_cost'])";
        assert_eq!(filter("billed_cost > 1"), Err(message.to_owned()));
    }

    #[test]
    fn mistakes_have_a_place() {
        check(
            "servce = 'x'",
            expect![[r#"
                there is no column "servce"; did you mean service? (a tag is written tags['servce'])
                  servce = 'x'
                  ^"#]],
        );
        check(
            "service = EC2",
            expect![[r#"
                a text stands in quotes: write 'EC2'
                  service = EC2
                            ^"#]],
        );
        check(
            "service = 'a' region = 'b'",
            expect![[r#"
                the condition before this is complete: `and` or `or` is expected here
                  service = 'a' region = 'b'
                                ^"#]],
        );
        check(
            "billed_cost > 'ten'",
            expect![[r#"
                this column holds a number: write a decimal
                  billed_cost > 'ten'
                                ^"#]],
        );
        check(
            "(service = 'a'",
            expect![[r#"
                ")" is expected here
                  (service = 'a'
                                ^"#]],
        );
        check(
            "service = 'a'; drop table charges",
            expect![[r#"
                ';' means nothing here
                  service = 'a'; drop table charges
                               ^"#]],
        );
        check(
            "service = 'a",
            expect![[r#"
                this text has no end: ' is missing
                  service = 'a
                            ^"#]],
        );
        check(
            "tags[team] = 'a'",
            expect![[r#"
                the key stands in quotes: tags['team']
                  tags[team] = 'a'
                       ^"#]],
        );
        check(
            "",
            expect![[r#"
                a column is expected here, such as service or tags['team']
                  
                  ^"#]],
        );
        check(
            "charge_period_start > '5 Nov'",
            expect![[r#"
                this column holds a time: write '2026-11-05' or '2026-11-05T12:00:00Z'
                  charge_period_start > '5 Nov'
                                        ^"#]],
        );
    }

    proptest! {
        #[test]
        fn no_filter_panics(text in "[a-z'\"()=<>,.0-9\\[\\] é-]{0,40}") {
            let _ = Filter::parse(Relation::Charges, &text).map_err(|e| e.to_string());
        }
        #[test]
        fn a_literal_cannot_break_out(value in "\\PC{0,20}") {
            let text = format!("service = {}", quote(&value));
            let filter = Filter::parse(Relation::Charges, &text).unwrap();
            prop_assert_eq!(filter.sql(), format!("service_name = {}", quote(&value)));
        }
    }
}

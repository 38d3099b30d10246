//! A tree as text on one line, as Prometheus' `String()` writes it (`promql/parser/printer.go`).

use std::fmt::{self, Display, Formatter, Write};

use crate::ast::{
    Aggregate, At, Binary, Cardinality, Duration, DurationExpr, Expr, ExprKind, Extended, Matching, Number, Selector,
    Shift, Sign, Subquery,
};
use crate::duration::format_duration;
use crate::matcher::{MatchOp, Matcher};
use crate::parse::METRIC_NAME;

/// A string between quotation marks with Go's escapes (`strconv.Quote`).
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        push_escaped(&mut quoted, c, '"');
    }
    quoted.push('"');
    quoted
}

/// A character between single quotation marks, for errors.
pub(crate) fn quote_char(c: char) -> String {
    let mut quoted = String::from('\'');
    push_escaped(&mut quoted, c, '\'');
    quoted.push('\'');
    quoted
}

fn push_escaped(text: &mut String, c: char, mark: char) {
    let code = u32::from(c);
    let named = match c {
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{b}' => 'v',
        '\\' => '\\',
        c if c == mark => c,
        c => {
            // Writing to a string cannot fail.
            let _ = match c {
                ' '..='~' => text.write_char(c),
                c if c.is_ascii() => write!(text, "\\x{code:02x}"),
                c if is_printable(c) => text.write_char(c),
                _ if code < 0x1_0000 => write!(text, "\\u{code:04x}"),
                _ => write!(text, "\\U{code:08x}"),
            };
            return;
        }
    };
    text.push('\\');
    text.push(named);
}

/// Whether a character beyond ASCII shows something by itself, as far as the standard library knows.
fn is_printable(c: char) -> bool {
    c.is_alphanumeric() || (!c.is_whitespace() && !c.is_control() && c.escape_debug().len() == 1)
}

/// A number without exponent, as short as it can be read back.
pub fn format_number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

/// Whether a label's name may be written without quotation marks.
fn is_plain_label(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b == b'_' || b.is_ascii_alphabetic())
        && bytes.all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

/// Labels in parentheses.
struct Labels<'a>(&'a [String]);

impl Display for Labels<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('(')?;
        for (index, label) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            // These two would be read as numbers here.
            let is_number = label.eq_ignore_ascii_case("inf") || label.eq_ignore_ascii_case("nan");
            if is_plain_label(label) && !is_number {
                f.write_str(label)?;
            } else {
                f.write_str(&quote(label))?;
            }
        }
        f.write_char(')')
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => number.fmt(f),
            ExprKind::Text(text) => f.write_str(&quote(text)),
            ExprKind::Selector(selector) => selector.fmt(f),
            ExprKind::Subquery(subquery) => write!(f, "{}{}", subquery.expr, SubquerySuffix(subquery)),
            ExprKind::Paren(inner) => write!(f, "({inner})"),
            ExprKind::Unary(sign, operand) => write!(f, "{sign}{operand}"),
            ExprKind::Binary(binary) => write!(f, "{} {} {}", binary.lhs, Operator(binary), binary.rhs),
            ExprKind::Aggregate(aggregate) => {
                write!(f, "{}(", AggregateHead(aggregate))?;
                if let Some(param) = &aggregate.param {
                    write!(f, "{param}, ")?;
                }
                write!(f, "{})", aggregate.expr)
            }
            ExprKind::Call(call) => {
                write!(f, "{}(", call.function.name())?;
                for (index, argument) in call.args.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    argument.fmt(f)?;
                }
                f.write_char(')')
            }
        }
    }
}

/// An aggregation up to its parenthesis: `sum by (job) `.
pub(crate) struct AggregateHead<'a>(pub(crate) &'a Aggregate);

impl Display for AggregateHead<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Aggregate { op, grouping, without, .. } = self.0;
        f.write_str(op.as_str())?;
        if *without {
            write!(f, " without {} ", Labels(grouping))
        } else if grouping.is_empty() {
            Ok(())
        } else {
            write!(f, " by {} ", Labels(grouping))
        }
    }
}

/// An operator with its modifiers: `== bool on (job) group_left ()`.
pub(crate) struct Operator<'a>(pub(crate) &'a Binary);

impl Display for Operator<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Binary { op, return_bool, matching, .. } = self.0;
        f.write_str(op.as_str())?;
        if *return_bool {
            f.write_str(" bool")?;
        }
        matching.as_ref().map_or(Ok(()), |matching| matching.fmt(f))
    }
}

impl Display for Matching {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let grouped = match self.card {
            Cardinality::ManyToOne => Some("left"),
            Cardinality::OneToMany => Some("right"),
            Cardinality::OneToOne | Cardinality::ManyToMany => None,
        };
        if self.on || !self.labels.is_empty() || grouped.is_some() {
            let word = if self.on { "on" } else { "ignoring" };
            write!(f, " {word} {}", Labels(&self.labels))?;
        }
        if let Some(side) = grouped {
            write!(f, " group_{side} {}", Labels(&self.include))?;
        }
        match (self.fill_left, self.fill_right) {
            (Some(left), Some(right)) if left.to_bits() == right.to_bits() => {
                write!(f, " fill ({})", format_number(left))
            }
            (left, right) => {
                if let Some(left) = left {
                    write!(f, " fill_left ({})", format_number(left))?;
                }
                if let Some(right) = right {
                    write!(f, " fill_right ({})", format_number(right))?;
                }
                Ok(())
            }
        }
    }
}

impl Display for Sign {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char(if *self == Self::Plus { '+' } else { '-' })
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_duration {
            // The sign of zero is lost in milliseconds.
            let sign = if self.value.is_sign_negative() { "-" } else { "" };
            write!(f, "{sign}{}", format_duration((self.value.abs() * 1000.0).round() as i64))
        } else {
            f.write_str(&format_number(self.value))
        }
    }
}

impl Display for Matcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if is_plain_label(&self.name) {
            f.write_str(&self.name)?;
        } else {
            f.write_str(&quote(&self.name))?;
        }
        write!(f, "{}{}", self.op.as_str(), quote(&self.value))
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let is_name =
            |m: &Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal && Some(&m.value) == self.name.as_ref();
        let mut matchers: Vec<String> = self.matchers.iter().filter(|m| !is_name(m)).map(ToString::to_string).collect();
        matchers.sort();
        f.write_str(self.name.as_deref().unwrap_or_default())?;
        if self.name.is_none() || !matchers.is_empty() {
            write!(f, "{{{}}}", matchers.join(","))?;
        }
        let extended = match self.extended {
            Some(Extended::Anchored) => " anchored",
            Some(Extended::Smoothed) => " smoothed",
            None => "",
        };
        if let Some(range) = &self.range {
            write!(f, "[{range}]{extended}{}", ShiftSuffix(&self.shift, ""))
        } else {
            write!(f, "{}", ShiftSuffix(&self.shift, extended))
        }
    }
}

/// A subquery without its expression: `[1h:5m] @ end() offset 1d`.
pub(crate) struct SubquerySuffix<'a>(pub(crate) &'a Subquery);

impl Display for SubquerySuffix<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Subquery { range, step, shift, .. } = self.0;
        write!(f, "[{range}:")?;
        if let Some(step) = step {
            step.fmt(f)?;
        }
        write!(f, "]{}", ShiftSuffix(shift, ""))
    }
}

/// `@` and `offset`, and between them what else is to be written.
struct ShiftSuffix<'a>(&'a Shift, &'a str);

impl Display for ShiftSuffix<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(Shift { offset, at }, between) = self;
        // A duration that begins with a parenthesis goes on for as long as operators follow, so something else must end it if it can.
        let is_open = matches!(offset, Some(Duration::Expr(DurationExpr::Paren(_) | DurationExpr::Binary(..))));
        if is_open {
            write_offset(f, offset.as_ref())?;
        }
        match *at {
            None => {}
            Some(At::Start) => f.write_str(" @ start()")?,
            Some(At::End) => f.write_str(" @ end()")?,
            Some(At::Time(ms)) => {
                let sign = if ms < 0 { "-" } else { "" };
                let ms = ms.unsigned_abs();
                write!(f, " @ {sign}{}.{:03}", ms / 1000, ms % 1000)?;
            }
        }
        f.write_str(between)?;
        if is_open { Ok(()) } else { write_offset(f, offset.as_ref()) }
    }
}

fn write_offset(f: &mut Formatter<'_>, offset: Option<&Duration>) -> fmt::Result {
    match offset {
        None | Some(Duration::Millis(0)) => Ok(()),
        Some(offset) => write!(f, " offset {offset}"),
    }
}

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Millis(ms) => f.write_str(&format_duration(*ms)),
            Self::Expr(expr) => expr.fmt(f),
        }
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Step => f.write_str("step()"),
            Self::Range => f.write_str("range()"),
            Self::Unary(sign, x) => write!(f, "{sign}{x}"),
            Self::Binary(op, x, y) => write!(f, "{x} {} {y}", op.as_str()),
            Self::Min(x, y) => write!(f, "min_of({x}, {y})"),
            Self::Max(x, y) => write!(f, "max_of({x}, {y})"),
            Self::Paren(x) => write!(f, "({x})"),
        }
    }
}

//! What follows an expression (ranges, subqueries, `offset`, `@`, `anchored`), and the durations in it.

use super::{Parsed, Parser, SIGN_OPERAND, Tall, precedence, right_precedence, sign_of, signed};
use crate::ast::{
    At, BinaryOp, Duration, DurationExpr, Expr, ExprKind, Extended, Number, Selector, Shift, Sign, Span, Subquery,
};
use crate::duration::{SECONDS_MAX, seconds_to_millis};
use crate::error::Failure;
use crate::lex::{Keyword, Kind, Word};

/// The farthest `@`: 2^42 seconds, the year 141,338. Up to there seconds as 64-bit floats tell milliseconds apart.
const TIME_MILLIS_MAX: f64 = 4_398_046_511_104_000.0;

/// The range of a selector or subquery.
enum Brackets {
    Range(Duration),
    Subquery(Duration, Option<Duration>),
}

impl Parser<'_> {
    pub(super) fn postfix(&mut self, mut expr: Tall<Expr>) -> Parsed<Tall<Expr>> {
        loop {
            match self.peek().kind {
                Kind::LeftBracket => expr = self.range(expr)?,
                Kind::Keyword(Keyword::Offset) => self.offset(&mut expr)?,
                Kind::At => self.at_time(&mut expr.node)?,
                Kind::Keyword(keyword @ (Keyword::Anchored | Keyword::Smoothed)) => {
                    self.take();
                    self.extend(&mut expr.node, keyword)?;
                }
                _ => return Ok(expr),
            }
        }
    }

    fn range(&mut self, expr: Tall<Expr>) -> Parsed<Tall<Expr>> {
        let open = self.take();
        let (brackets, below) = self.brackets()?;
        let Expr { kind, span } = expr.node;
        let whole = self.since(span.start);
        let range = match brackets {
            Brackets::Range(range) => range,
            Brackets::Subquery(range, step) => {
                let subquery = Subquery { expr: Expr { kind, span }, range, step, shift: Shift::default() };
                let node = Expr { kind: ExprKind::Subquery(Box::new(subquery)), span: whole };
                return self.above(expr.height.max(below), whole, node);
            }
        };
        let wrong = match kind {
            ExprKind::Selector(selector) if selector.range.is_none() => {
                if selector.shift.offset.is_some() {
                    "no offset modifiers allowed before range"
                } else if selector.shift.at.is_some() {
                    "no @ modifiers allowed before range"
                } else {
                    let selector = Selector { range: Some(range), ..selector };
                    let node = Expr { kind: ExprKind::Selector(selector), span: whole };
                    return self.above(below, whole, node);
                }
            }
            _ => "ranges only allowed for vector selectors",
        };
        Err(Failure::new(self.since(open.span.start), wrong))
    }

    /// What stands in brackets, up to the closing one.
    fn brackets(&mut self) -> Parsed<(Brackets, usize)> {
        let range = self.positive_duration("subquery or range selector", "number or duration")?;
        if self.accept(Kind::RightBracket).is_some() {
            return Ok((Brackets::Range(range.node), range.height));
        }
        if self.accept(Kind::Colon).is_none() {
            return Err(self.unexpected_in("subquery or range", "\":\" or \"]\""));
        }
        if self.accept(Kind::RightBracket).is_some() {
            return Ok((Brackets::Subquery(range.node, None), range.height));
        }
        let step = self.positive_duration("subquery selector", "number, duration, or \"]\"")?;
        if self.accept(Kind::RightBracket).is_none() {
            return Err(self.unexpected_in("subquery selector", "\"]\""));
        }
        let height = range.height.max(step.height);
        Ok((Brackets::Subquery(range.node, Some(step.node)), height))
    }

    fn positive_duration(&mut self, context: &str, expected: &str) -> Parsed<Tall<Duration>> {
        let start = self.peek().span.start;
        let expr = self.duration(0, context, expected)?;
        let span = self.since(start);
        match expr.node {
            DurationExpr::Number(number) => match self.literal_millis(number, span)? {
                ms if ms > 0 => Ok(Tall { node: Duration::Millis(ms), height: 1 }),
                _ => Err(Failure::new(span, "duration must be greater than 0")),
            },
            node => Ok(Tall { node: Duration::Expr(node), height: expr.height }),
        }
    }

    fn literal_millis(&self, number: Number, span: Span) -> Parsed<i64> {
        seconds_to_millis(number.value).ok_or_else(|| Failure::new(span, "duration out of range"))
    }

    fn offset(&mut self, expr: &mut Tall<Expr>) -> Parsed<()> {
        self.take();
        let start = self.peek().span.start;
        let duration = self.offset_duration()?;
        let span = self.since(start);
        let offset = match duration.node {
            DurationExpr::Number(number) => Duration::Millis(self.literal_millis(number, span)?),
            node => Duration::Expr(node),
        };
        let end = self.taken_end();
        let Some(shift) = shift_of(&mut expr.node) else {
            let message =
                "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(Failure::new(expr.node.span, message));
        };
        if shift.offset.is_some() {
            return Err(Failure::new(expr.node.span, "offset may not be set multiple times"));
        }
        // No offset at all is neither kept nor printed.
        shift.offset = Some(offset).filter(|offset| *offset != Duration::Millis(0));
        expr.node.span.end = end;
        expr.height = self.above(expr.height.max(duration.height + 1) - 1, span, ())?.height;
        Ok(())
    }

    /// Behind `offset` an operator ends the duration, unless it began with a parenthesis: `x offset 1m * 2` is `(x offset 1m) * 2`.
    fn offset_duration(&mut self) -> Parsed<Tall<DurationExpr>> {
        const CONTEXT: (&str, &str) = ("offset", "number or duration");
        let token = self.peek();
        if let Some(sign) = sign_of(token.kind) {
            self.take();
            let operand = self.descend(|parser| match parser.peek().kind {
                Kind::LeftParen => parser.duration_operand(CONTEXT.0, CONTEXT.1),
                _ => parser.offset_duration(),
            })?;
            return self.sign_duration(sign, operand, token.span);
        }
        match token.kind {
            Kind::LeftParen => self.duration(0, CONTEXT.0, CONTEXT.1),
            _ => self.duration_operand(CONTEXT.0, CONTEXT.1),
        }
    }

    fn at_time(&mut self, expr: &mut Expr) -> Parsed<()> {
        const CONTEXT: (&str, &str) = ("@", "timestamp");
        self.take();
        let sign = sign_of(self.peek().kind);
        if sign.is_some() {
            self.take();
        }
        let at = match (self.peek().kind, sign) {
            (Kind::Word(word @ (Word::Start | Word::End)), None) => {
                self.take();
                if self.accept(Kind::LeftParen).is_none() || self.accept(Kind::RightParen).is_none() {
                    return Err(self.unexpected_in(CONTEXT.0, CONTEXT.1));
                }
                if word == Word::Start { At::Start } else { At::End }
            }
            (Kind::Number | Kind::Duration, sign) => {
                let seconds = signed(sign.unwrap_or(Sign::Plus), self.number()?).value;
                let ms = (seconds * 1000.0).round();
                if ms.is_nan() || ms.abs() > TIME_MILLIS_MAX {
                    let shown = crate::print::format_number(seconds);
                    let message = format!("timestamp out of bounds for @ modifier: {shown}");
                    return Err(Failure::new(expr.span, message));
                }
                At::Time(ms as i64)
            }
            _ => return Err(self.unexpected_in(CONTEXT.0, CONTEXT.1)),
        };
        let end = self.taken_end();
        let span = expr.span;
        let Some(shift) = shift_of(expr) else {
            let message =
                "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(Failure::new(span, message));
        };
        if shift.at.is_some() {
            return Err(Failure::new(span, "@ <timestamp> may not be set multiple times"));
        }
        shift.at = Some(at);
        expr.span.end = end;
        Ok(())
    }

    fn extend(&mut self, expr: &mut Expr, keyword: Keyword) -> Parsed<()> {
        let (word, extended) = match keyword {
            Keyword::Anchored => ("anchored", Extended::Anchored),
            _ => ("smoothed", Extended::Smoothed),
        };
        let span = expr.span;
        let failure = |message: String| Err(Failure::new(span, message));
        if !self.features.extended_range_selectors {
            return failure(format!("{word} modifier is experimental and not enabled"));
        }
        match &mut expr.kind {
            ExprKind::Selector(selector) => {
                if selector.extended.is_some_and(|other| other != extended) {
                    return failure("anchored and smoothed modifiers cannot be used together".to_owned());
                }
                selector.extended = Some(extended);
                expr.span.end = self.taken_end();
                Ok(())
            }
            ExprKind::Subquery(_) => failure(format!("{word} modifier is not supported for subqueries")),
            // Prometheus' own words: the grammar takes the modifier after anything, its parser does not.
            _ => failure(format!("{word} modifier not implemented")),
        }
    }

    // Durations.

    /// A duration expression whose operators bind at least as tightly as `least`.
    fn duration(&mut self, least: u8, context: &str, expected: &str) -> Parsed<Tall<DurationExpr>> {
        self.descend(|parser| {
            let start = parser.peek().span.start;
            let mut lhs = match sign_of(parser.peek().kind) {
                Some(sign) => {
                    let token = parser.take();
                    let operand = parser.duration(SIGN_OPERAND, context, expected)?;
                    parser.sign_duration(sign, operand, token.span)?
                }
                None => parser.duration_operand(context, expected)?,
            };
            while let Kind::Op(op) = parser.peek().kind
                && matches!(precedence(op), 4..=6)
                && op != BinaryOp::Atan2
                && precedence(op) >= least
            {
                let lhs_span = parser.since(start);
                let op_token = parser.take();
                let rhs = parser.duration(right_precedence(op), context, expected)?;
                parser.experimental_duration(lhs_span)?;
                if let DurationExpr::Number(Number { value: 0.0, .. }) = rhs.node {
                    match op {
                        BinaryOp::Div => return Err(Failure::new(op_token.span, "division by zero")),
                        BinaryOp::Mod => return Err(Failure::new(op_token.span, "modulo by zero")),
                        _ => {}
                    }
                }
                let below = lhs.height.max(rhs.height);
                let node = DurationExpr::Binary(op, Box::new(lhs.node), Box::new(rhs.node));
                lhs = parser.above(below, parser.since(start), node)?;
            }
            Ok(lhs)
        })
    }

    fn experimental_duration(&self, span: Span) -> Parsed<()> {
        if self.features.duration_expressions {
            return Ok(());
        }
        Err(Failure::new(span, "experimental duration expression is not enabled"))
    }

    /// Literals take the sign in; a plus is dropped, as it is by Prometheus.
    fn sign_duration(&self, sign: Sign, operand: Tall<DurationExpr>, span: Span) -> Parsed<Tall<DurationExpr>> {
        match (operand.node, sign) {
            (DurationExpr::Number(number), sign) => {
                Ok(Tall { node: DurationExpr::Number(signed(sign, number)), height: operand.height })
            }
            (node, Sign::Plus) => Ok(Tall { node, height: operand.height }),
            (node, Sign::Minus) => self.above(operand.height, span, DurationExpr::Unary(Sign::Minus, Box::new(node))),
        }
    }

    /// A literal, a function or something in parentheses.
    fn duration_operand(&mut self, context: &str, expected: &str) -> Parsed<Tall<DurationExpr>> {
        let token = self.peek();
        match token.kind {
            Kind::Number | Kind::Duration => {
                let number = self.number()?;
                if number.value.is_nan() || number.value.abs() > SECONDS_MAX {
                    return Err(Failure::new(token.span, "duration out of range"));
                }
                Ok(Tall { node: DurationExpr::Number(number), height: 1 })
            }
            Kind::LeftParen => {
                self.take();
                let start = self.peek().span.start;
                let inner = self.duration(0, context, expected)?;
                self.experimental_duration(self.since(start))?;
                if self.accept(Kind::RightParen).is_none() {
                    return Err(self.unexpected_in(context, expected));
                }
                let span = self.since(token.span.start);
                self.above(inner.height, span, DurationExpr::Paren(Box::new(inner.node)))
            }
            Kind::Word(word @ (Word::Step | Word::Range | Word::MinOf | Word::MaxOf)) => {
                self.take();
                if self.accept(Kind::LeftParen).is_none() {
                    return Err(self.unexpected_in(context, expected));
                }
                let node = match word {
                    Word::Step => Tall { node: DurationExpr::Step, height: 1 },
                    Word::Range => Tall { node: DurationExpr::Range, height: 1 },
                    _ => {
                        let x = self.duration(0, context, expected)?;
                        if self.accept(Kind::Comma).is_none() {
                            return Err(self.unexpected_in(context, expected));
                        }
                        let y = self.duration(0, context, expected)?;
                        let below = x.height.max(y.height);
                        let (x, y) = (Box::new(x.node), Box::new(y.node));
                        let node = if word == Word::MinOf { DurationExpr::Min(x, y) } else { DurationExpr::Max(x, y) };
                        self.above(below, self.since(token.span.start), node)?
                    }
                };
                if self.accept(Kind::RightParen).is_none() {
                    return Err(self.unexpected_in(context, expected));
                }
                self.experimental_duration(self.since(token.span.start))?;
                Ok(node)
            }
            _ => Err(self.unexpected_in(context, expected)),
        }
    }
}

/// Where `offset` and `@` of an expression are kept, if it can have them.
fn shift_of(expr: &mut Expr) -> Option<&mut Shift> {
    match &mut expr.kind {
        ExprKind::Selector(selector) => Some(&mut selector.shift),
        ExprKind::Subquery(subquery) => Some(&mut subquery.shift),
        _ => None,
    }
}

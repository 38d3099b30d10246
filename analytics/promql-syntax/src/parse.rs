//! Tokens to a tree: recursive descent, operators by precedence (Prometheus' `promql/parser/generated_parser.y`).
//!
//! Errors are those that Prometheus' generated parser would report first. Where it recovers from an error and goes on, we stop.

use crate::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, Matching, Number, Selector, Sign, Span,
};
use crate::duration::parse_duration;
use crate::error::Failure;
use crate::features::Features;
use crate::function::Function;
use crate::lex::{self, Keyword, Kind, Token, describe};
use crate::matcher::{MatchOp, Matcher};

/// Longest text that is looked at, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Highest tree that is built. Whoever walks a tree may recurse, so long chains of operators count as well as parentheses.
pub const TREE_HEIGHT_MAX: usize = 256;

/// The label that holds a metric's name.
pub(crate) const METRIC_NAME: &str = "__name__";

mod suffix;

type Parsed<T> = Result<T, Failure>;

/// A tree and its height.
struct Tall<T> {
    node: T,
    height: usize,
}

/// Reads the whole text as an expression, its types unchecked.
pub(crate) fn expression(text: &str, features: &Features) -> Parsed<Expr> {
    let mut parser = Parser::new(text, features)?;
    if parser.peek().kind == Kind::End {
        return Err(Failure::new(Span::default(), "no expression found in input"));
    }
    let expr = parser.expr(0)?;
    parser.end()?;
    Ok(expr.node)
}

/// Reads the whole text as a vector selector without modifiers.
pub(crate) fn selector(text: &str) -> Parsed<Selector> {
    let features = Features::default();
    let mut parser = Parser::new(text, &features)?;
    let token = parser.peek();
    let selector = if parser.is_metric_name(token.kind) || token.kind == Kind::LeftBrace {
        parser.selector()?
    } else {
        return Err(parser.unexpected());
    };
    parser.end()?;
    Ok(selector)
}

/// How tightly binary operators bind; more is tighter.
fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And | BinaryOp::Unless => 2,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Gt | BinaryOp::Le | BinaryOp::Ge => 3,
        BinaryOp::TrimUpper | BinaryOp::TrimLower => 3,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2 => 5,
        BinaryOp::Pow => 6,
    }
}

/// What a sign takes as its operand: `-a * b` is `(-a) * b`, but `-a ^ b` is `-(a ^ b)`.
const SIGN_OPERAND: u8 = 6;

/// How tightly an operator's right side must bind.
fn right_precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Pow => precedence(op),
        op => precedence(op) + 1,
    }
}

fn sign_of(kind: Kind) -> Option<Sign> {
    match kind {
        Kind::Op(BinaryOp::Add) => Some(Sign::Plus),
        Kind::Op(BinaryOp::Sub) => Some(Sign::Minus),
        _ => None,
    }
}

/// A signed literal. That of NaN is dropped, so that there is one NaN.
fn signed(sign: Sign, number: Number) -> Number {
    match sign {
        Sign::Minus if !number.value.is_nan() => Number { value: -number.value, ..number },
        _ => number,
    }
}

struct Parser<'a> {
    text: &'a str,
    features: &'a Features,
    tokens: Vec<Token>,
    failure: Option<Failure>,
    at: usize,
    /// How deep the descent is.
    depth: usize,
    /// Open aggregations: what is wrong in one is said to be "in aggregation".
    aggregations: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, features: &'a Features) -> Parsed<Self> {
        if text.len() > TEXT_BYTES_MAX {
            let message = format!("expression is longer than {TEXT_BYTES_MAX} bytes");
            return Err(Failure::new(Span::default(), message));
        }
        let lex::Tokens { list, failure } = lex::lex(text);
        Ok(Self { text, features, tokens: list, failure, at: 0, depth: 0, aggregations: 0 })
    }

    // Tokens.

    fn ahead(&self, count: usize) -> Token {
        let last = self.tokens.len().saturating_sub(1);
        let end = Token { kind: Kind::End, span: Span { start: self.text.len(), end: self.text.len() } };
        self.tokens.get((self.at + count).min(last)).copied().unwrap_or(end)
    }

    fn peek(&self) -> Token {
        self.ahead(0)
    }

    fn take(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn accept(&mut self, kind: Kind) -> Option<Token> {
        (self.peek().kind == kind).then(|| self.take())
    }

    fn written(&self, token: Token) -> &'a str {
        &self.text[token.span.start..token.span.end]
    }

    /// Where the last taken token ends.
    fn taken_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |token| token.span.end)
    }

    fn since(&self, start: usize) -> Span {
        Span { start, end: self.taken_end() }
    }

    fn end(&mut self) -> Parsed<()> {
        if self.peek().kind == Kind::End { Ok(()) } else { Err(self.unexpected()) }
    }

    // Errors.

    /// The next token does not fit, for a reason that no enclosing part of the expression explains.
    fn unexpected(&mut self) -> Failure {
        let context = if self.aggregations > 0 { " in aggregation" } else { "" };
        self.unexpected_with(context)
    }

    fn unexpected_in(&mut self, context: &str, expected: &str) -> Failure {
        self.unexpected_with(&format!(" in {context}, expected {expected}"))
    }

    fn unexpected_with(&mut self, suffix: &str) -> Failure {
        let token = self.peek();
        if token.kind == Kind::Failed
            && let Some(failure) = self.failure.take()
        {
            return failure;
        }
        Failure::new(token.span, format!("unexpected {}{suffix}", describe(token, self.text)))
    }

    fn descend<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= TREE_HEIGHT_MAX {
            return Err(self.too_high(self.peek().span));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn too_high(&self, span: Span) -> Failure {
        let message =
            format!("expression is nested too deeply: no more than {TREE_HEIGHT_MAX} levels and operators in a row");
        Failure::new(span, message)
    }

    /// A node above others, the highest of which is given.
    fn above<T>(&self, below: usize, span: Span, node: T) -> Parsed<Tall<T>> {
        let height = below + 1;
        if height > TREE_HEIGHT_MAX { Err(self.too_high(span)) } else { Ok(Tall { node, height }) }
    }

    // Expressions.

    /// An expression whose operators bind at least as tightly as `least`.
    fn expr(&mut self, least: u8) -> Parsed<Tall<Expr>> {
        self.descend(|parser| {
            let mut lhs = parser.operand()?;
            while let Kind::Op(op) = parser.peek().kind
                && precedence(op) >= least
            {
                parser.take();
                let (return_bool, matching) = parser.binary_modifiers()?;
                let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
                let rhs = parser.expr(right_precedence(op))?;
                let span = Span { start: lhs.node.span.start, end: rhs.node.span.end };
                if fills && !parser.features.binop_fill_modifiers {
                    return Err(Failure::new(span, "binop fill modifiers are experimental and not enabled"));
                }
                let below = lhs.height.max(rhs.height);
                let binary = Binary { op, lhs: lhs.node, rhs: rhs.node, return_bool, matching: Some(matching) };
                lhs = parser.above(below, span, Expr { kind: ExprKind::Binary(Box::new(binary)), span })?;
            }
            Ok(lhs)
        })
    }

    fn operand(&mut self) -> Parsed<Tall<Expr>> {
        let token = self.peek();
        let Some(sign) = sign_of(token.kind) else {
            let primary = self.primary()?;
            return self.postfix(primary);
        };
        self.take();
        let operand = self.expr(SIGN_OPERAND)?;
        let span = Span { start: token.span.start, end: operand.node.span.end };
        if let ExprKind::Number(number) = operand.node.kind {
            let kind = ExprKind::Number(signed(sign, number));
            return Ok(Tall { node: Expr { kind, span }, height: operand.height });
        }
        let kind = ExprKind::Unary(sign, Box::new(operand.node));
        self.above(operand.height, span, Expr { kind, span })
    }

    fn primary(&mut self) -> Parsed<Tall<Expr>> {
        let token = self.peek();
        let next = self.ahead(1).kind;
        let is_call = next == Kind::LeftParen;
        match token.kind {
            Kind::Number | Kind::Duration => {
                let number = self.number()?;
                Ok(Tall { node: Expr { kind: ExprKind::Number(number), span: token.span }, height: 1 })
            }
            Kind::Text => {
                let text = self.string()?;
                Ok(Tall { node: Expr { kind: ExprKind::Text(text), span: token.span }, height: 1 })
            }
            Kind::LeftParen => {
                self.take();
                let inner = self.expr(0)?;
                if self.accept(Kind::RightParen).is_none() {
                    return Err(self.unexpected());
                }
                let span = self.since(token.span.start);
                self.above(inner.height, span, Expr { kind: ExprKind::Paren(Box::new(inner.node)), span })
            }
            Kind::Aggregate(op) if is_call || matches!(next, Kind::Keyword(Keyword::By | Keyword::Without)) => {
                self.aggregate(op)
            }
            Kind::Identifier | Kind::Word(_) if is_call => self.call(),
            Kind::LeftBrace => self.selector_expr(),
            kind if self.is_metric_name(kind) => self.selector_expr(),
            _ => Err(self.unexpected()),
        }
    }

    /// A number, or a duration that stands for its seconds.
    fn number(&mut self) -> Parsed<Number> {
        let token = self.take();
        let written = self.written(token);
        if token.kind == Kind::Duration {
            let ms = parse_duration(written).map_err(|e| Failure::new(token.span, e.to_string()))?;
            return Ok(Number { value: ms as f64 / 1000.0, is_duration: true });
        }
        match lex::number_value(written) {
            Ok(value) => Ok(Number { value, is_duration: false }),
            Err(why) => Err(Failure::new(token.span, format!("error parsing number: {why}"))),
        }
    }

    fn string(&mut self) -> Parsed<String> {
        let token = self.take();
        let written = self.written(token);
        lex::unquote(written).map_err(|why| {
            let message = format!("error unquoting string {}: {why}", crate::print::quote(written));
            Failure::new(token.span, message)
        })
    }

    /// Arguments in parentheses, and the height of the highest.
    fn arguments(&mut self) -> Parsed<Tall<Vec<Expr>>> {
        let mut list = Tall { node: Vec::new(), height: 0 };
        if self.accept(Kind::LeftParen).is_none() {
            return Err(self.unexpected());
        }
        if self.accept(Kind::RightParen).is_some() {
            return Ok(list);
        }
        loop {
            let argument = self.expr(0)?;
            list.height = list.height.max(argument.height);
            list.node.push(argument.node);
            if self.accept(Kind::RightParen).is_some() {
                return Ok(list);
            }
            let Some(comma) = self.accept(Kind::Comma) else { return Err(self.unexpected()) };
            if self.peek().kind == Kind::RightParen {
                return Err(Failure::new(comma.span, "trailing commas not allowed in function call args"));
            }
        }
    }

    fn call(&mut self) -> Parsed<Tall<Expr>> {
        let token = self.take();
        let written = self.written(token);
        let arguments = self.arguments()?;
        // These words are keywords, which are read whatever their case; the names of functions are not.
        let function = match token.kind {
            Kind::Word(_) => Function::by_name(&written.to_ascii_lowercase()),
            _ => Function::by_name(written),
        };
        let Some(function) = function else {
            let message = format!("unknown function with name {}", crate::print::quote(written));
            return Err(Failure::new(token.span, message));
        };
        if function.signature().experimental && !self.features.experimental_functions {
            let message = format!("function {} is not enabled", crate::print::quote(function.name()));
            return Err(Failure::new(token.span, message));
        }
        let span = self.since(token.span.start);
        let call = Call { function, args: arguments.node };
        self.above(arguments.height, span, Expr { kind: ExprKind::Call(Box::new(call)), span })
    }

    fn aggregate(&mut self, op: AggregateOp) -> Parsed<Tall<Expr>> {
        let token = self.take();
        self.aggregations += 1;
        let before = self.aggregate_modifier()?;
        let arguments = self.arguments()?;
        self.aggregations -= 1;
        let (grouping, without) = match before {
            Some(modifier) => modifier,
            None => self.aggregate_modifier()?.unwrap_or_default(),
        };
        let span = self.since(token.span.start);
        let failure = |message: String| Err(Failure::new(span, message));
        if arguments.node.is_empty() {
            return failure("no arguments for aggregate expression provided".to_owned());
        }
        if op.is_experimental() && !self.features.experimental_functions {
            return failure(format!(
                "{}() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
                op.as_str()
            ));
        }
        let wanted = 1 + usize::from(op.has_param());
        let given = arguments.node.len();
        let mut given_args = arguments.node.into_iter();
        let (param, expr, more) = match op.has_param() {
            true => (given_args.next(), given_args.next(), given_args.next()),
            false => (None, given_args.next(), given_args.next()),
        };
        let (Some(expr), None) = (expr, more) else {
            return failure(format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {given}"
            ));
        };
        let aggregate = Aggregate { op, expr, param, grouping, without };
        self.above(arguments.height, span, Expr { kind: ExprKind::Aggregate(Box::new(aggregate)), span })
    }

    /// `by (labels)` or `without (labels)`: the labels, and whether they are left out.
    fn aggregate_modifier(&mut self) -> Parsed<Option<(Vec<String>, bool)>> {
        let without = match self.peek().kind {
            Kind::Keyword(Keyword::By) => false,
            Kind::Keyword(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.take();
        Ok(Some((self.grouping_labels()?, without)))
    }

    fn grouping_labels(&mut self) -> Parsed<Vec<String>> {
        const CONTEXT: &str = "grouping opts";
        let mut labels = Vec::new();
        if self.accept(Kind::LeftParen).is_none() {
            return Err(self.unexpected_in(CONTEXT, "\"(\""));
        }
        while self.accept(Kind::RightParen).is_none() {
            let token = self.peek();
            let label = match token.kind {
                Kind::Text => self.string()?,
                Kind::Identifier | Kind::Aggregate(_) | Kind::Keyword(_) | Kind::Word(_) => {
                    self.take();
                    self.written(token).to_owned()
                }
                Kind::Op(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless | BinaryOp::Atan2)
                | Kind::MetricIdentifier => {
                    self.take();
                    self.written(token).to_owned()
                }
                _ => return Err(self.unexpected_in(CONTEXT, "label")),
            };
            if label.is_empty() {
                return Err(Failure::new(token.span, "invalid label name for grouping: \"\""));
            }
            labels.push(label);
            if self.accept(Kind::Comma).is_none() && self.peek().kind != Kind::RightParen {
                return Err(self.unexpected_in(CONTEXT, "\",\" or \")\""));
            }
        }
        Ok(labels)
    }

    /// What may stand between an operator and its right side.
    fn binary_modifiers(&mut self) -> Parsed<(bool, Matching)> {
        let mut matching = Matching::default();
        let return_bool = self.accept(Kind::Keyword(Keyword::Bool)).is_some();
        if let Kind::Keyword(keyword @ (Keyword::On | Keyword::Ignoring)) = self.peek().kind {
            self.take();
            matching.on = keyword == Keyword::On;
            matching.labels = self.grouping_labels()?;
            if let Kind::Keyword(keyword @ (Keyword::GroupLeft | Keyword::GroupRight)) = self.peek().kind {
                self.take();
                matching.card =
                    if keyword == Keyword::GroupLeft { Cardinality::ManyToOne } else { Cardinality::OneToMany };
                if self.peek().kind == Kind::LeftParen {
                    matching.include = self.grouping_labels()?;
                }
            }
        }
        while let Kind::Keyword(keyword @ (Keyword::Fill | Keyword::FillLeft | Keyword::FillRight)) = self.peek().kind {
            let twice = match keyword {
                Keyword::Fill => matching.fill_left.is_some() || matching.fill_right.is_some(),
                Keyword::FillLeft => matching.fill_left.is_some(),
                _ => matching.fill_right.is_some(),
            };
            if twice {
                return Err(self.unexpected());
            }
            self.take();
            let value = self.fill_value()?;
            if keyword != Keyword::FillRight {
                matching.fill_left = Some(value);
            }
            if keyword != Keyword::FillLeft {
                matching.fill_right = Some(value);
            }
        }
        Ok((return_bool, matching))
    }

    fn fill_value(&mut self) -> Parsed<f64> {
        const CONTEXT: &str = "fill modifier";
        if self.accept(Kind::LeftParen).is_none() {
            return Err(self.unexpected_in(CONTEXT, "\"(\""));
        }
        let sign = sign_of(self.peek().kind);
        if sign.is_some() {
            self.take();
        }
        if !matches!(self.peek().kind, Kind::Number | Kind::Duration) {
            return Err(self.unexpected_in(CONTEXT, "number"));
        }
        let number = signed(sign.unwrap_or(Sign::Plus), self.number()?);
        if self.accept(Kind::RightParen).is_none() {
            return Err(self.unexpected_in(CONTEXT, "\")\""));
        }
        Ok(number.value)
    }

    // Selectors.

    /// Many keywords may also be metrics.
    fn is_metric_name(&self, kind: Kind) -> bool {
        match kind {
            Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregate(_) | Kind::Word(_) => true,
            Kind::Op(op) => op.is_set(),
            Kind::Keyword(keyword) => !matches!(
                keyword,
                Keyword::On | Keyword::Ignoring | Keyword::GroupLeft | Keyword::GroupRight | Keyword::Bool
            ),
            _ => false,
        }
    }

    fn selector_expr(&mut self) -> Parsed<Tall<Expr>> {
        let start = self.peek().span.start;
        let selector = self.selector()?;
        Ok(Tall { node: Expr { kind: ExprKind::Selector(selector), span: self.since(start) }, height: 1 })
    }

    /// A name, or matchers in braces, or both.
    fn selector(&mut self) -> Parsed<Selector> {
        let mut selector = Selector::default();
        if self.peek().kind != Kind::LeftBrace {
            let token = self.take();
            selector.name = Some(self.written(token).to_owned());
        }
        if self.accept(Kind::LeftBrace).is_some() {
            selector.matchers = self.matchers()?;
        }
        if let Some(name) = &selector.name {
            selector.matchers.push(Matcher::equal(METRIC_NAME, name.clone()));
        }
        Ok(selector)
    }

    /// Matchers up to the closing brace.
    fn matchers(&mut self) -> Parsed<Vec<Matcher>> {
        const CONTEXT: &str = "label matching";
        let mut matchers = Vec::new();
        while self.accept(Kind::RightBrace).is_none() {
            matchers.push(self.matcher(CONTEXT)?);
            if self.accept(Kind::Comma).is_none() && self.peek().kind != Kind::RightBrace {
                return Err(self.unexpected_in(CONTEXT, "\",\" or \"}\""));
            }
        }
        Ok(matchers)
    }

    fn matcher(&mut self, context: &str) -> Parsed<Matcher> {
        let token = self.peek();
        let name = match token.kind {
            Kind::Text => self.string()?,
            Kind::Identifier => {
                self.take();
                self.written(token).to_owned()
            }
            _ => return Err(self.unexpected_in(context, "identifier or \"}\"")),
        };
        let op = match self.peek().kind {
            Kind::Assign => MatchOp::Equal,
            Kind::Op(BinaryOp::Ne) => MatchOp::NotEqual,
            Kind::MatchRegex => MatchOp::Regex,
            Kind::MatchNotRegex => MatchOp::NotRegex,
            // A string by itself is the metric's name.
            _ if token.kind == Kind::Text => return Ok(Matcher::equal(METRIC_NAME, name)),
            _ => return Err(self.unexpected_in(context, "label matching operator")),
        };
        self.take();
        if self.peek().kind != Kind::Text {
            return Err(self.unexpected_in(context, "string"));
        }
        let value = self.string()?;
        Matcher::new(name, op, value).map_err(|e| {
            let why = e.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Failure::new(self.since(token.span.start), format!("error parsing regexp: {why}"))
        })
    }
}

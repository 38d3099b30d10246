//! The tree of an expression. Times and durations are whole milliseconds, as in Prometheus.

use std::fmt;

use crate::function::Function;
use crate::matcher::Matcher;

/// Where a node stands in the text: bytes, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A node and its place. Two nodes are equal if their kinds are; places do not count.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// The kinds of node.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A number, or a duration where a number may stand (`5m` = 300).
    Number(Number),
    /// A string.
    Text(String),
    /// `metric{label="value"}`, an instant vector selector; `range` makes it a matrix selector.
    Selector(Selector),
    /// `expr[range:step]`.
    Subquery(Box<Subquery>),
    /// `(expr)`.
    Paren(Box<Expr>),
    /// `-expr` and `+expr`.
    Unary(Sign, Box<Expr>),
    /// `lhs op rhs`.
    Binary(Box<Binary>),
    /// `sum by (label) (expr)`.
    Aggregate(Box<Aggregate>),
    /// `rate(expr)`.
    Call(Box<Call>),
}

/// A literal number; `is_duration` remembers that it was written as one (`5m`), for printing.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    /// Its value; seconds if it was written as a duration.
    pub value: f64,
    /// Whether it was written as a duration.
    pub is_duration: bool,
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.value.to_bits() == other.value.to_bits() && self.is_duration == other.is_duration
    }
}

/// `-` or `+`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// A vector selector, or with `range` a matrix selector.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selector {
    /// The metric's name if it stands before the braces; its matcher is the last of `matchers` then. A name quoted within the braces
    /// (`{"my.metric"}`) is a matcher of `__name__` like any other and leaves this empty. Both as in Prometheus' own tree.
    pub name: Option<String>,
    /// All matchers.
    pub matchers: Vec<Matcher>,
    /// The range in brackets.
    pub range: Option<Duration>,
    /// `anchored` or `smoothed` (feature `promql-extended-range-selectors`).
    pub extended: Option<Extended>,
    /// `offset` and `@`.
    pub shift: Shift,
}

/// Prometheus' proposal PROM-52: how a range takes in what lies around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended {
    /// The last sample before the range counts as its first.
    Anchored,
    /// The values at both ends are interpolated.
    Smoothed,
}

/// `offset` and `@`, in whatever order they stood.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shift {
    /// `offset 5m`; negative looks ahead. `None` if not written.
    pub offset: Option<Duration>,
    /// `@ ...`.
    pub at: Option<At>,
}

/// To what time a selector or subquery is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Milliseconds since 1970.
    Time(i64),
    /// `@ start()`
    Start,
    /// `@ end()`
    End,
}

/// A duration: literal, or an expression to be resolved when the query's step and range are known (feature
/// `promql-duration-expr`).
#[derive(Debug, Clone, PartialEq)]
pub enum Duration {
    /// Milliseconds.
    Millis(i64),
    /// An expression that needs `step()` or `range()`, or that was written as one.
    Expr(DurationExpr),
}

/// A node of a duration expression. Leaves are seconds; the result is rounded to milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationExpr {
    /// Seconds.
    Number(Number),
    /// `step()`: the query's step.
    Step,
    /// `range()`: the query's end minus its start.
    Range,
    /// `-x`, `+x`.
    Unary(Sign, Box<DurationExpr>),
    /// `x op y` with `+ - * / % ^`.
    Binary(BinaryOp, Box<DurationExpr>, Box<DurationExpr>),
    /// `min_of(x, y)`.
    Min(Box<DurationExpr>, Box<DurationExpr>),
    /// `max_of(x, y)`.
    Max(Box<DurationExpr>, Box<DurationExpr>),
    /// `(x)`.
    Paren(Box<DurationExpr>),
}

/// `expr[range:step] offset 5m @ end()`.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    /// What is evaluated at each of its steps.
    pub expr: Expr,
    /// How far back.
    pub range: Duration,
    /// How often; the evaluation's default interval if `None`.
    pub step: Option<Duration>,
    /// `offset` and `@`.
    pub shift: Shift,
}

/// `lhs op bool on (a) group_left (b) rhs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// Left.
    pub lhs: Expr,
    /// Right.
    pub rhs: Expr,
    /// Whether a comparison answers 0 or 1 instead of filtering.
    pub return_bool: bool,
    /// How vectors are matched; `None` unless both sides are vectors.
    pub matching: Option<Matching>,
}

/// How the elements of two vectors find each other. Values to fill in are compared by their bits, so that NaN equals itself.
#[derive(Debug, Clone, Default)]
pub struct Matching {
    /// One-to-one unless grouped; many-to-many for set operators.
    pub card: Cardinality,
    /// Labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// Whether `labels` were given with `on`.
    pub on: bool,
    /// Labels of `group_left` or `group_right` to copy from the one side.
    pub include: Vec<String>,
    /// `fill` and `fill_left`: the value of a missing left side.
    pub fill_left: Option<f64>,
    /// `fill` and `fill_right`: the value of a missing right side.
    pub fill_right: Option<f64>,
}

impl PartialEq for Matching {
    fn eq(&self, other: &Self) -> bool {
        let fills = |m: &Self| (m.fill_left.map(f64::to_bits), m.fill_right.map(f64::to_bits));
        (self.card, &self.labels, self.on, &self.include) == (other.card, &other.labels, other.on, &other.include)
            && fills(self) == fills(other)
    }
}

/// How many elements of one side may match how many of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cardinality {
    /// One to one.
    #[default]
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
    /// Set operators.
    ManyToMany,
}

/// Binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
    /// `atan2`
    Atan2,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `>`
    Gt,
    /// `<=`
    Le,
    /// `>=`
    Ge,
    /// `and`
    And,
    /// `or`
    Or,
    /// `unless`
    Unless,
    /// `</`: of native histograms, what lies below a value.
    TrimUpper,
    /// `>/`: of native histograms, what lies above a value.
    TrimLower,
}

impl BinaryOp {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Gt => ">",
            Self::Le => "<=",
            Self::Ge => ">=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
        }
    }

    /// `==`, `!=`, `<`, `>`, `<=`, `>=`.
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Lt | Self::Gt | Self::Le | Self::Ge)
    }

    /// `and`, `or`, `unless`.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

/// `op by (labels) (param, expr)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// Which.
    pub op: AggregateOp,
    /// What is aggregated.
    pub expr: Expr,
    /// Of `topk`, `bottomk`, `quantile`, `count_values`, `limitk`, `limit_ratio`.
    pub param: Option<Expr>,
    /// Labels of `by` or `without`.
    pub grouping: Vec<String>,
    /// Whether `grouping` were given with `without`.
    pub without: bool,
}

/// Aggregation operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateOp {
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `count`
    Count,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `group`
    Group,
    /// `stddev`
    Stddev,
    /// `stdvar`
    Stdvar,
    /// `topk`
    Topk,
    /// `bottomk`
    Bottomk,
    /// `count_values`
    CountValues,
    /// `quantile`
    Quantile,
    /// `limitk` (experimental)
    Limitk,
    /// `limit_ratio` (experimental)
    LimitRatio,
}

impl AggregateOp {
    /// Every aggregation operator.
    pub const ALL: &[Self] = &[
        Self::Sum,
        Self::Avg,
        Self::Count,
        Self::Min,
        Self::Max,
        Self::Group,
        Self::Stddev,
        Self::Stdvar,
        Self::Topk,
        Self::Bottomk,
        Self::CountValues,
        Self::Quantile,
        Self::Limitk,
        Self::LimitRatio,
    ];

    /// By its name in small letters.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|op| op.as_str() == name)
    }

    /// Whether it is behind the feature `promql-experimental-functions`.
    pub fn is_experimental(self) -> bool {
        matches!(self, Self::Limitk | Self::LimitRatio)
    }

    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Group => "group",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Topk => "topk",
            Self::Bottomk => "bottomk",
            Self::CountValues => "count_values",
            Self::Quantile => "quantile",
            Self::Limitk => "limitk",
            Self::LimitRatio => "limit_ratio",
        }
    }

    /// Whether it takes a parameter before the vector.
    pub fn has_param(self) -> bool {
        matches!(
            self,
            Self::Topk | Self::Bottomk | Self::CountValues | Self::Quantile | Self::Limitk | Self::LimitRatio
        )
    }
}

/// `function(args)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which.
    pub function: Function,
    /// As written.
    pub args: Vec<Expr>,
}

/// What an expression yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// One number per step.
    Scalar,
    /// One sample per series and step.
    Vector,
    /// A range of samples per series and step.
    Matrix,
    /// A string.
    Text,
}

impl ValueType {
    /// Prometheus' word in JSON (`scalar`, `vector`, `matrix`, `string`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
            Self::Text => "string",
        }
    }

    /// Prometheus' word in errors (`instant vector`, `range vector`).
    pub fn documented(self) -> &'static str {
        match self {
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            Self::Scalar => "scalar",
            Self::Text => "string",
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Expr {
    /// What it yields.
    pub fn value_type(&self) -> ValueType {
        match &self.kind {
            ExprKind::Number(_) => ValueType::Scalar,
            ExprKind::Text(_) => ValueType::Text,
            ExprKind::Selector(s) if s.range.is_some() => ValueType::Matrix,
            ExprKind::Selector(_) | ExprKind::Aggregate(_) => ValueType::Vector,
            ExprKind::Subquery(_) => ValueType::Matrix,
            ExprKind::Paren(e) | ExprKind::Unary(_, e) => e.value_type(),
            ExprKind::Binary(b) => match (b.lhs.value_type(), b.rhs.value_type()) {
                (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
                _ => ValueType::Vector,
            },
            ExprKind::Call(c) => c.function.signature().returns,
        }
    }

    /// The expression within any number of parentheses.
    pub fn unparenthesized(&self) -> &Self {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}

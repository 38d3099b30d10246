//! Random trees are printed, parsed, and the same; random text never makes the parser panic.

use grid_promql_syntax::ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Cardinality, Duration, DurationExpr, Expr, ExprKind, Extended,
    Matching, Number, Selector, Shift, Sign, Span, Subquery, ValueType,
};
use grid_promql_syntax::function::Function;
use grid_promql_syntax::matcher::MatchOp;
use grid_promql_syntax::{Features, Matcher, parse, prettify};
use proptest::prelude::*;
use proptest::sample::select;

mod common;
use common::sorted;

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn paren(inner: Expr) -> Expr {
    expr(ExprKind::Paren(Box::new(inner)))
}

fn number() -> impl Strategy<Value = Number> {
    let plain = prop_oneof![any::<f64>(), select(vec![0.0, -0.0, 1.0, 0.1, 1e300, f64::NAN, f64::INFINITY])];
    let plain = plain.prop_map(|value: f64| {
        let value = if value.is_nan() { f64::NAN } else { value };
        Number { value, is_duration: false }
    });
    let duration =
        (-10_000_000_000_i64..10_000_000_000).prop_map(|ms| Number { value: ms as f64 / 1000.0, is_duration: true });
    prop_oneof![plain, duration]
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z_][a-zA-Z0-9_]{0,5}",
        select(vec!["by", "on", "bool", "sum", "and", "end"]).prop_map(str::to_owned),
        "\\PC{1,5}"
    ]
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let op = select(vec![MatchOp::Equal, MatchOp::NotEqual]);
    let plain =
        (label(), op, any::<String>()).prop_map(|(name, op, value)| Matcher::new(name, op, value).expect("no pattern"));
    let regex = (label(), "[a-z.|*\\\\]{0,2}[a-z]")
        .prop_filter_map("a pattern", |(name, value)| Matcher::new(name, MatchOp::Regex, value).ok());
    prop_oneof![plain, regex].prop_filter("the name is not set twice", |m| m.name != "__name__")
}

/// What the parser makes: signs and operators only over what binds more tightly, so each operand is in parentheses or simple.
fn duration_expr() -> impl Strategy<Value = DurationExpr> {
    let literal = (1_i64..1_000_000_000)
        .prop_map(|ms| DurationExpr::Number(Number { value: ms as f64 / 1000.0, is_duration: true }));
    let leaf = prop_oneof![Just(DurationExpr::Step), Just(DurationExpr::Range), literal];
    leaf.prop_recursive(4, 12, 2, |inner| {
        let op = select(vec![BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Mod, BinaryOp::Pow]);
        let boxed = |x: DurationExpr| Box::new(DurationExpr::Paren(Box::new(x)));
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(x, y)| DurationExpr::Min(Box::new(x), Box::new(y))),
            (inner.clone(), inner.clone()).prop_map(|(x, y)| DurationExpr::Max(Box::new(x), Box::new(y))),
            inner.clone().prop_map(move |x| DurationExpr::Unary(Sign::Minus, boxed(x))),
            (op, inner.clone(), inner).prop_map(move |(op, x, y)| DurationExpr::Binary(op, boxed(x), boxed(y))),
        ]
    })
}

fn range() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1_i64..9_000_000_000_000).prop_map(Duration::Millis),
        duration_expr().prop_filter("a literal", |x| !matches!(x, DurationExpr::Number(_))).prop_map(Duration::Expr),
    ]
}

fn shift() -> impl Strategy<Value = Shift> {
    let millis =
        (-9_000_000_000_000_i64..9_000_000_000_000).prop_filter("none", |ms| *ms != 0).prop_map(Duration::Millis);
    let computed = duration_expr().prop_map(|x| Duration::Expr(DurationExpr::Paren(Box::new(x))));
    let at = prop_oneof![
        Just(At::Start),
        Just(At::End),
        (-4_398_046_511_104_000_i64..=4_398_046_511_104_000).prop_map(At::Time),
    ];
    (prop::option::of(prop_oneof![millis, computed]), prop::option::of(at))
        .prop_map(|(offset, at)| Shift { offset, at })
}

fn selector() -> impl Strategy<Value = Selector> {
    let name = prop::option::of(prop_oneof![
        "[a-z_:][a-z0-9_:]{0,6}",
        select(vec!["sum", "by", "offset", "start", "fill", "or"]).prop_map(str::to_owned)
    ]);
    let name =
        name.prop_filter("reserved", |name| !matches!(name.as_deref(), Some("on" | "bool" | "inf" | "nan" | "atan2")));
    let extended = prop::option::of(select(vec![Extended::Anchored, Extended::Smoothed]));
    (name, prop::collection::vec(matcher(), 0..4), extended, shift()).prop_map(
        |(name, mut matchers, extended, shift)| {
            let named = name.clone().unwrap_or_else(|| "quoted name".to_owned());
            matchers.push(Matcher::equal("__name__", named));
            Selector { name, matchers, range: None, extended, shift }
        },
    )
}

fn labels() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(label(), 0..3)
}

fn matching() -> impl Strategy<Value = Matching> {
    let fill = || prop::option::of(number().prop_map(|n| n.value));
    (labels(), any::<bool>(), 0..3_u8, fill(), fill()).prop_map(|(labels, on, card, fill_left, fill_right)| {
        let card = [Cardinality::OneToOne, Cardinality::ManyToOne, Cardinality::OneToMany][usize::from(card)];
        let include = if card == Cardinality::OneToOne { Vec::new() } else { vec!["included".to_owned()] };
        Matching { card, labels, on, include, fill_left, fill_right }
    })
}

const ARITHMETIC: [BinaryOp; 15] = [
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::Div,
    BinaryOp::Mod,
    BinaryOp::Pow,
    BinaryOp::Atan2,
    BinaryOp::Eq,
    BinaryOp::Ne,
    BinaryOp::Lt,
    BinaryOp::Gt,
    BinaryOp::Le,
    BinaryOp::Ge,
    BinaryOp::TrimUpper,
    BinaryOp::TrimLower,
];

/// An instant vector.
fn vector() -> BoxedStrategy<Expr> {
    let leaf = selector().prop_map(|s| expr(ExprKind::Selector(s)));
    leaf.prop_recursive(5, 24, 3, |inner| {
        let scalar = number().prop_map(|n| expr(ExprKind::Number(n))).boxed();
        let aggregate = (select(AggregateOp::ALL), inner.clone(), scalar.clone(), labels(), any::<bool>()).prop_map(
            |(op, inner, scalar, grouping, without)| {
                let text = expr(ExprKind::Text("a\"\n\u{200b}é".to_owned()));
                let param = if op == AggregateOp::CountValues { text } else { scalar };
                let param = op.has_param().then_some(param);
                expr(ExprKind::Aggregate(Box::new(Aggregate { op, expr: inner, param, grouping, without })))
            },
        );
        let binary = (select(&ARITHMETIC[..]), inner.clone(), inner.clone(), any::<bool>(), matching()).prop_map(
            |(op, lhs, rhs, return_bool, matching)| {
                let return_bool = return_bool && op.is_comparison();
                // One label in both lists is refused.
                let matching =
                    Some(matching).filter(|m| !m.labels.contains(&"included".to_owned())).or(Some(Matching::default()));
                expr(ExprKind::Binary(Box::new(Binary { op, lhs: paren(lhs), rhs: paren(rhs), return_bool, matching })))
            },
        );
        let set = (select(vec![BinaryOp::And, BinaryOp::Or, BinaryOp::Unless]), inner.clone(), inner.clone(), labels())
            .prop_map(|(op, lhs, rhs, labels)| {
                let matching =
                    Some(Matching { card: Cardinality::ManyToMany, labels, on: true, ..Matching::default() });
                let binary = Binary { op, lhs: paren(lhs), rhs: paren(rhs), return_bool: false, matching };
                expr(ExprKind::Binary(Box::new(binary)))
            });
        let subquery =
            (inner.clone(), range(), prop::option::of(range()), shift()).prop_map(|(inner, range, step, shift)| {
                let subquery = Subquery { expr: paren(inner), range, step, shift };
                let matrix = expr(ExprKind::Subquery(Box::new(subquery)));
                expr(ExprKind::Call(Box::new(Call { function: Function::MaxOverTime, args: vec![matrix] })))
            });
        let over_range = (selector(), range()).prop_map(|(selector, range)| {
            let matrix = expr(ExprKind::Selector(Selector { range: Some(range), ..selector }));
            expr(ExprKind::Call(Box::new(Call { function: Function::Rate, args: vec![matrix] })))
        });
        let plain: Vec<Function> = Function::ALL
            .iter()
            .copied()
            .filter(|f| f.signature().args.first() == Some(&ValueType::Vector) && *f != Function::Info)
            .filter(|f| f.signature().returns == ValueType::Vector)
            .collect();
        let call = (select(plain), inner.clone(), scalar).prop_map(|(function, inner, scalar)| {
            let mut args = vec![inner];
            for kind in function.signature().args.iter().skip(1) {
                args.push(match kind {
                    ValueType::Scalar => scalar.clone(),
                    _ => expr(ExprKind::Text("label".to_owned())),
                });
            }
            expr(ExprKind::Call(Box::new(Call { function, args })))
        });
        let negative = inner.prop_map(|inner| expr(ExprKind::Unary(Sign::Minus, Box::new(paren(inner)))));
        prop_oneof![aggregate, binary, set, subquery, over_range, call, negative]
    })
    .boxed()
}

proptest! {
    #[test]
    fn printed_trees_are_read_back(tree in vector()) {
        for printed in [tree.to_string(), prettify(&tree)] {
            let again = match parse(&printed, &Features::ALL) {
                Ok(again) => again,
                Err(e) => return Err(TestCaseError::fail(format!("{printed}\n{}", e.caret(&printed)))),
            };
            prop_assert_eq!(sorted(&again), sorted(&tree), "{}", printed);
            prop_assert_eq!(again.to_string(), tree.to_string());
        }
    }

    #[test]
    fn no_text_panics(words in prop::collection::vec(select(WORDS), 0..40)) {
        let text = words.concat();
        match parse(&text, &Features::ALL) {
            Ok(tree) => {
                let printed = tree.to_string();
                let again = parse(&printed, &Features::ALL);
                prop_assert!(again.as_ref().is_ok_and(|again| sorted(again) == sorted(&tree)), "{}\n{}\n{:?}", text, printed, again);
            }
            Err(e) => prop_assert!(e.caret(&text).ends_with('^')),
        }
    }

    #[test]
    fn no_bytes_panic(text in any::<String>()) {
        let _ = parse(&text, &Features::ALL);
    }
}

/// Pieces that often fit together.
const WORDS: &[&str] = &[
    "foo",
    "sum",
    "x:y",
    " ",
    " ",
    "(",
    ")",
    "(",
    ")",
    "[5m]",
    "[1h:5m]",
    "[",
    "]",
    ":",
    "{",
    "}",
    "{a=\"b\"}",
    "a",
    "=",
    "=~",
    "!=",
    "!~",
    "\"x\"",
    "'",
    "`",
    "\"",
    "\\",
    ",",
    "+",
    "-",
    "*",
    "/",
    "^",
    "%",
    " atan2 ",
    " and ",
    " or ",
    " unless ",
    "==",
    ">",
    "</",
    ">/",
    " bool ",
    " on ",
    "(a)",
    " ignoring ",
    " group_left ",
    " by ",
    " without ",
    " offset ",
    "@",
    "1",
    "5m",
    "0x1f",
    "1e3",
    ".5",
    "Inf",
    "NaN",
    "step()",
    "range()",
    "min_of",
    "start()",
    "end",
    " anchored ",
    " smoothed ",
    " fill",
    "(0)",
    "rate",
    "abs",
    "time()",
    "#",
    "\n",
    "é",
    "\u{0}",
];

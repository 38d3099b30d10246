//! What the language takes, and where nodes stand; `refused.rs` is what it refuses.

use expect_test::{Expect, expect};
use grid_promql_syntax::ast::{Duration, ExprKind, Span};
use grid_promql_syntax::{
    DurationError, Features, format_duration, parse, parse_duration, parse_selector, position, prettify, to_json,
};

mod common;
use common::sorted;

/// Parses each line with every feature on and shows it as it is printed; checks that the printed text is the same tree.
fn check_printed(lines: &str, expected: &Expect) {
    let mut shown = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match parse(line, &Features::ALL) {
            Ok(expr) => {
                let printed = expr.to_string();
                let again = parse(&printed, &Features::ALL).unwrap_or_else(|e| panic!("{line} printed {printed}: {e}"));
                assert_eq!(sorted(&again), sorted(&expr), "{line} printed {printed}");
                shown.push_str(&printed);
            }
            Err(e) => shown.push_str(&e.to_string()),
        }
        shown.push('\n');
    }
    expected.assert_eq(&shown);
}

#[test]
fn literals() {
    check_printed(
        r##"
        1
        +.5
        5.
        -1e3
        0x1F
        0X_1f
        017
        08
        0o17
        0b101
        1_000.5
        123456789012345678901234567890
        Inf
        -iNf
        nan
        5m
        -1h30m
        1w2d
        --2
        - -2
        "a\tb\x41\u00e9\U0001F600\101\"'"
        'it\'s "x"'
        `raw \n "x"`
        1 # comment
        "日本\u200b"
        "#"
        "##,
        &expect![[r##"
            1
            0.5
            5
            -1000
            31
            31
            15
            8
            15
            5
            1000.5
            123456789012345680000000000000
            +Inf
            -Inf
            NaN
            5m
            -1h30m
            9d
            2
            2
            "a\tbAé😀A\"'"
            "it's \"x\""
            "raw \\n \"x\""
            1
            "日本\u200b"
            "#"
        "##]],
    );
}

#[test]
fn operators_bind_as_in_prometheus() {
    // Printed with parentheses around each operator, which printing itself never adds.
    fn grouped(expr: &grid_promql_syntax::Expr) -> String {
        match &expr.kind {
            ExprKind::Binary(b) => format!("({} {} {})", grouped(&b.lhs), b.op.as_str(), grouped(&b.rhs)),
            ExprKind::Unary(sign, e) => format!("({sign}{})", grouped(e)),
            _ => expr.to_string(),
        }
    }
    let mut shown = String::new();
    for line in [
        "a + b * c - d",
        "a ^ b ^ c",
        "-a ^ b",
        "-a * b",
        "a ^ -b * c",
        "-1 ^ 2",
        "a / b % c atan2 d",
        "a or b and c unless d",
        "a == b > bool c + d",
        "a </ 5 + 1 == b",
        "a >/ 2 >= c",
        "a and b or c and d",
        "-a offset 5m",
        "a + b offset 1m * 2",
        "x offset step() * 0",
        "x offset -step() ^ 2",
        "x offset -(step() - 5) + 8000",
        "x offset (step()) * 2 + 1",
        "x offset 1h / 2",
        "x offset -2 ^ 2",
        "x offset - -2m + 1",
        "x offset (step()) @ 5 + 1",
        "x @ 100 smoothed + 0",
        "and and and",
        "sum * by + offset",
        "sum(x) by (a) > bool 2 - min without () (y)",
    ] {
        shown.push_str(&format!("{line}  =>  {}\n", grouped(&parse(line, &Features::ALL).unwrap())));
    }
    expect![[r#"
        a + b * c - d  =>  ((a + (b * c)) - d)
        a ^ b ^ c  =>  (a ^ (b ^ c))
        -a ^ b  =>  (-(a ^ b))
        -a * b  =>  ((-a) * b)
        a ^ -b * c  =>  ((a ^ (-b)) * c)
        -1 ^ 2  =>  (-(1 ^ 2))
        a / b % c atan2 d  =>  (((a / b) % c) atan2 d)
        a or b and c unless d  =>  (a or ((b and c) unless d))
        a == b > bool c + d  =>  ((a == b) > (c + d))
        a </ 5 + 1 == b  =>  ((a </ (5 + 1)) == b)
        a >/ 2 >= c  =>  ((a >/ 2) >= c)
        a and b or c and d  =>  ((a and b) or (c and d))
        -a offset 5m  =>  (-a offset 5m)
        a + b offset 1m * 2  =>  (a + (b offset 1m * 2))
        x offset step() * 0  =>  (x offset step() * 0)
        x offset -step() ^ 2  =>  (x offset -step() ^ 2)
        x offset -(step() - 5) + 8000  =>  (x offset -(step() - 5) + 8000)
        x offset (step()) * 2 + 1  =>  x offset (step()) * 2 + 1
        x offset 1h / 2  =>  (x offset 1h / 2)
        x offset -2 ^ 2  =>  (x offset -2s ^ 2)
        x offset - -2m + 1  =>  (x offset 2m + 1)
        x offset (step()) @ 5 + 1  =>  (x offset (step()) @ 5.000 + 1)
        x @ 100 smoothed + 0  =>  (x @ 100.000 smoothed + 0)
        and and and  =>  (and and and)
        sum * by + offset  =>  ((sum * by) + offset)
        sum(x) by (a) > bool 2 - min without () (y)  =>  (sum by (a) (x) > (2 - min without () (y)))
    "#]]
    .assert_eq(&shown);
}

#[test]
fn selectors_and_modifiers() {
    check_printed(
        r#"
        foo
        foo{}
        foo:bar:sum{b="2", a!='1',c=~"x|y",d!~`z\d`,}
        {"my.metric", "label.name"="x"}
        {"foo"}
        {__name__=~"a.*"}
        {on="x", sum="y", by!=""}
        foo[5m]
        foo[300]
        foo[0.5]
        foo[ 1h30m ] offset 1d @ 1609746000
        foo @ -1.5 offset -1w
        foo @ 5m
        foo offset 0s
        foo @ start() offset 5
        foo[5m:] @ end()
        (foo + bar)[1h:5m] @ 10 offset 1m
        rate(foo[5m])[1h30m:1m]
        foo[step() * 2 : max_of(1m, RANGE() / 10)]
        foo[1h30m % 1h]
        foo[-5m + 35m]
        foo[((1h)) ^ 2 ^ -1]
        foo[1+(STep()-5)*2]
        foo offset (-step()*2)
        foo offset -min_of(step(), 1s)
        foo offset +range()
        foo anchored
        foo[5m] smoothed offset 1m @ 5
        step{a="b"} + range
        start @ start()
        FILL + fill_left
        anchored anchored
        "#,
        &expect![[r#"
            foo
            foo
            foo:bar:sum{a!="1",b="2",c=~"x|y",d!~"z\\d"}
            {"label.name"="x",__name__="my.metric"}
            {__name__="foo"}
            {__name__=~"a.*"}
            {by!="",on="x",sum="y"}
            foo[5m]
            foo[5m]
            foo[500ms]
            foo[1h30m] @ 1609746000.000 offset 1d
            foo @ -1.500 offset -1w
            foo @ 300.000
            foo
            foo @ start() offset 5s
            foo[5m:] @ end()
            (foo + bar)[1h:5m] @ 10.000 offset 1m
            rate(foo[5m])[1h30m:1m]
            foo[step() * 2:max_of(1m, range() / 10)]
            foo[1h30m % 1h]
            foo[-5m + 35m]
            foo[((1h)) ^ 2 ^ -1]
            foo[1 + (step() - 5) * 2]
            foo offset (-step() * 2)
            foo offset -min_of(step(), 1s)
            foo offset range()
            foo anchored
            foo[5m] smoothed @ 5.000 offset 1m
            step{a="b"} + range
            start @ start()
            FILL + fill_left
            anchored anchored
        "#]],
    );
}

#[test]
fn calls_aggregations_and_matching() {
    check_printed(
        r#"
        SUM by (a, "b.c", on, bool, atan2, start,) (x)
        sum(x) without (a)
        sum by () (x)
        sum without () (x)
        topk(3, x)
        quantile by (job) (scalar(q), x)
        count_values("v", x)
        limitk(2, x)
        limit_ratio(-0.5, x)
        time()
        label_join(x, "dst", ",")
        label_join(x, "dst", ",", "a", "b", "c")
        round(x)
        hour()
        info(x)
        info(x, {})
        info(x, {__name__="target_info"})
        histogram_quantiles(x, "q", 0.1, 0.2)
        min_of(1, max_of(step(), START()))
        a * on (x) group_left (y) b
        a * ignoring (x, "y z") group_right b
        a == bool on () b
        a - ignoring () b
        a + fill(0) b
        a + on(x) group_left(y) fill_left(-1.5) fill_right(Inf) b
        a + fill_right (NaN) fill_left(5m) b
        a / fill_left(2) fill_right(2) b
        a and on (x) b
        1 + on () 2
        "#,
        &expect![[r#"
            sum by (a, "b.c", on, bool, atan2, start) (x)
            sum without (a) (x)
            sum(x)
            sum without () (x)
            topk(3, x)
            quantile by (job) (scalar(q), x)
            count_values("v", x)
            limitk(2, x)
            limit_ratio(-0.5, x)
            time()
            label_join(x, "dst", ",")
            label_join(x, "dst", ",", "a", "b", "c")
            round(x)
            hour()
            info(x)
            info(x, {})
            info(x, {__name__="target_info"})
            histogram_quantiles(x, "q", 0.1, 0.2)
            min_of(1, max_of(step(), start()))
            a * on (x) group_left (y) b
            a * ignoring (x, "y z") group_right () b
            a == bool on () b
            a - b
            a + fill (0) b
            a + on (x) group_left (y) fill_left (-1.5) fill_right (+Inf) b
            a + fill_left (300) fill_right (NaN) b
            a / fill (2) b
            a and on (x) b
            1 + 2
        "#]],
    );
}

#[test]
fn places() {
    let text = "sum by (a) (\n  rate(foo{x=\"é\"}[5m] offset 1m) * -bar @ 5\n) > (2)";
    let expr = parse(text, &Features::default()).unwrap();
    let at = |span: Span| &text[span.start..span.end];
    let ExprKind::Binary(comparison) = &expr.kind else { panic!() };
    assert_eq!(at(comparison.rhs.span), "(2)");
    let ExprKind::Aggregate(sum) = &comparison.lhs.kind else { panic!() };
    assert!(at(comparison.lhs.span).starts_with("sum by") && at(comparison.lhs.span).ends_with("\n)"));
    let ExprKind::Binary(product) = &sum.expr.kind else { panic!() };
    assert_eq!(at(product.rhs.span), "-bar @ 5");
    let ExprKind::Call(rate) = &product.lhs.kind else { panic!() };
    assert_eq!(at(product.lhs.span), "rate(foo{x=\"é\"}[5m] offset 1m)");
    assert_eq!(at(rate.args[0].span), "foo{x=\"é\"}[5m] offset 1m");
    assert_eq!(position(text, rate.args[0].span.start), (2, 8));
    assert_eq!(position(text, text.len() + 5), (3, 8));
    assert_eq!(position("", 0), (1, 1));

    let text = "a +\n\tfoo{é=\"b\"}";
    let error = parse(text, &Features::default()).unwrap_err();
    assert_eq!((error.line, error.column), (2, 6));
    assert_eq!(error.caret(text), "\tfoo{é=\"b\"}\n\t    ^");
    let empty = parse("", &Features::default()).unwrap_err();
    assert_eq!(empty.to_string(), "unknown position: parse error: no expression found in input");
    assert_eq!(empty.caret(""), "\n^");
}

#[test]
fn selectors_by_themselves() {
    let names = |text| {
        let matchers = parse_selector(text).map_err(|e| e.to_string())?;
        Ok::<_, String>(matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(names(r#"up{job=~"a|b"}"#).unwrap(), r#"job=~"a|b" __name__="up""#);
    assert_eq!(names(r#"{"x.y", a="b"}"#).unwrap(), r#"__name__="x.y" a="b""#);
    assert_eq!(names("sum").unwrap(), r#"__name__="sum""#);
    assert_eq!(names("{}").unwrap(), "");
    assert_eq!(names("{").unwrap_err(), "1:2: parse error: unexpected end of input inside braces");
    assert_eq!(names("up offset 5m").unwrap_err(), "1:4: parse error: unexpected <offset>");
    assert_eq!(names("").unwrap_err(), "unknown position: parse error: unexpected end of input");
    assert_eq!(names("5").unwrap_err(), "1:1: parse error: unexpected number \"5\"");
}

#[test]
fn durations() {
    for (text, ms) in [
        ("0", 0),
        ("0s", 0),
        ("5m", 300_000),
        ("1y2w3d4h5m6s7ms", 33_019_506_007),
        ("90d", 7_776_000_000),
        ("292y", 9_208_512_000_000),
    ] {
        assert_eq!(parse_duration(text), Ok(ms), "{text}");
        assert_eq!(parse_duration(&format_duration(ms)), Ok(ms), "{text}");
    }
    for (ms, text) in [(0, "0s"), (-90_000, "-1m30s"), (1001, "1s1ms"), (8 * 86_400_000, "8d"), (14 * 86_400_000, "2w")]
    {
        assert_eq!(format_duration(ms), text);
    }
    assert_eq!(parse_duration(""), Err(DurationError::Empty));
    for text in ["1", "m", "5 m", "1h1h", "1m1h", "-5m", "1.5h", "5mh", "1M", "5m3"] {
        assert_eq!(parse_duration(text), Err(DurationError::Invalid(text.to_owned())), "{text}");
    }
    for text in ["293y", "99999999999999999999s", "292y99999999w"] {
        assert_eq!(parse_duration(text), Err(DurationError::OutOfRange), "{text}");
    }
}

#[test]
fn duration_expressions_resolve() {
    let resolve = |text: &str| {
        let expr = parse(&format!("foo[{text}]"), &Features::ALL).map_err(|e| e.message)?;
        let ExprKind::Selector(selector) = expr.kind else { panic!() };
        let range = selector.range.expect("a range");
        assert_eq!(matches!(range, Duration::Millis(_)), text.bytes().all(|b| b.is_ascii_alphanumeric()), "{text}");
        range.resolve_positive(5000, 10_000)
    };
    for (text, ms) in [
        ("30m", 1_800_000),
        ("60*30", 1_800_000),
        ("2m*(10+5)", 1_800_000),
        ("24m+((1.5*2m)+2m)", 1_740_000),
        ("-5m+35m", 1_800_000),
        ("1h30m % 1h", 1_800_000),
        ("30m1s-30m1s % 1m", 1_800_000),
        ("step()+1ms", 5001),
        ("1+(STep()-5)*2", 1000),
        ("max_of(min_of(step()+1,1h),1ms)", 6000),
        ("range()/3", 3333),
        ("2^3^2", 512_000),
        ("-2^2+5", 1000),
    ] {
        assert_eq!(resolve(text), Ok(ms), "{text}");
    }
    for (text, error) in [
        ("step()-5", "duration must be greater than 0"),
        ("1/(step()-5)", "division by zero"),
        ("1%(step()-5)", "modulo by zero"),
        ("9^99", "duration out of range"),
        ("(-8)^0.5", "duration out of range"),
    ] {
        assert_eq!(resolve(text), Err(error.to_owned()), "{text}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let error = |text: String| parse(&text, &Features::ALL).unwrap_err().message;
    for deep in [
        "(".repeat(100_000),
        "-".repeat(100_000),
        "sum(".repeat(100_000),
        "1^".repeat(100_000),
        "1+".repeat(100_000),
        "foo[".to_owned() + &"(1+".repeat(100_000),
        "foo[".to_owned() + &"1+".repeat(100_000),
        "foo".to_owned() + &"[5m:]".repeat(100_000),
        "x offset ".to_owned() + &"-".repeat(100_000),
    ] {
        let message = error(deep.clone());
        assert!(message.starts_with("expression is nested too deeply"), "{}: {message}", &deep[..9]);
    }
    assert!(error(" ".repeat(2 << 20)).starts_with("expression is longer than"));
    let wide = format!("sum({})", vec!["foo"; 200].join(" or "));
    assert!(parse(&wide, &Features::default()).is_ok());
}

#[test]
fn formatting() {
    let format = |text| prettify(&parse(text, &Features::ALL).unwrap());
    assert_eq!(format("sum(rate(a{b=\"c\"}[5m]))by(x)/2"), "sum by (x) (rate(a{b=\"c\"}[5m])) / 2");
    expect![[r#"
          -sum without (instance, job) (
            quantile(
              0.9,
              rate(
                a_metric_with_quite_a_long_name{another_label="another value",some_label=~"some value|another"}[5m]
              )
            )
          )
        == bool on (a_label) group_left (another_label)
          (
              max_over_time(a_metric_with_quite_a_long_name{another_label="another value"}[5m:1m])
            or
              label_replace(another_metric_with_quite_a_long_name, "label", "$1", "other_label", "(.*)")
          )"#]]
    .assert_eq(&format(
        r#"-sum without (instance, job) (quantile(0.9, rate(a_metric_with_quite_a_long_name{some_label=~"some value|another",
        another_label="another value"}[5m]))) == bool on (a_label) group_left(another_label)
        (max_over_time(a_metric_with_quite_a_long_name{another_label="another value"}[5m:1m]) or
        label_replace(another_metric_with_quite_a_long_name, "label", "$1", "other_label", "(.*)"))"#,
    ));
}

#[test]
fn json() {
    let text = r#"topk(1, -{"x.y"}[5m:] @ 5 offset -1m) + fill_left(1) on (a) foo[step()] anchored @ end()"#;
    let error = parse(text, &Features::ALL).unwrap_err();
    assert_eq!(error.message, "unexpected <on>");
    let show = |text| to_json(&parse(text, &Features::ALL).unwrap());
    let value = show(r#"count_over_time(foo[step()] anchored @ end()) / on (a) fill_left(1) (a - (b unless {"x.y"}))"#);
    expect![[r#"
        {
          "bool": false,
          "lhs": {
            "args": [
              {
                "anchored": true,
                "matchers": [
                  {
                    "name": "__name__",
                    "type": "=",
                    "value": "foo"
                  }
                ],
                "name": "foo",
                "offset": 0,
                "range": 0,
                "rangeExpr": "step()",
                "startOrEnd": "end",
                "timestamp": null,
                "type": "matrixSelector"
              }
            ],
            "func": {
              "argTypes": [
                "matrix"
              ],
              "name": "count_over_time",
              "returnType": "vector",
              "variadic": 0
            },
            "type": "call"
          },
          "matching": {
            "card": "one-to-one",
            "fillValues": {
              "lhs": "1",
              "rhs": null
            },
            "include": [],
            "labels": [
              "a"
            ],
            "on": true
          },
          "op": "/",
          "rhs": {
            "expr": {
              "bool": false,
              "lhs": {
                "matchers": [
                  {
                    "name": "__name__",
                    "type": "=",
                    "value": "a"
                  }
                ],
                "name": "a",
                "offset": 0,
                "startOrEnd": null,
                "timestamp": null,
                "type": "vectorSelector"
              },
              "matching": {
                "card": "one-to-one",
                "include": [],
                "labels": [],
                "on": false
              },
              "op": "-",
              "rhs": {
                "expr": {
                  "bool": false,
                  "lhs": {
                    "matchers": [
                      {
                        "name": "__name__",
                        "type": "=",
                        "value": "b"
                      }
                    ],
                    "name": "b",
                    "offset": 0,
                    "startOrEnd": null,
                    "timestamp": null,
                    "type": "vectorSelector"
                  },
                  "matching": {
                    "card": "many-to-many",
                    "include": [],
                    "labels": [],
                    "on": false
                  },
                  "op": "unless",
                  "rhs": {
                    "matchers": [
                      {
                        "name": "__name__",
                        "type": "=",
                        "value": "x.y"
                      }
                    ],
                    "name": "",
                    "offset": 0,
                    "startOrEnd": null,
                    "timestamp": null,
                    "type": "vectorSelector"
                  },
                  "type": "binaryExpr"
                },
                "type": "parenExpr"
              },
              "type": "binaryExpr"
            },
            "type": "parenExpr"
          },
          "type": "binaryExpr"
        }
    "#]]
    .assert_eq(&format!("{value:#}\n"));
    let value = show("sum(count_over_time((-foo)[5m:1m] @ 5 offset -1m)) > bool +Inf");
    expect![[r#"
        {
          "bool": true,
          "lhs": {
            "expr": {
              "args": [
                {
                  "expr": {
                    "expr": {
                      "expr": {
                        "matchers": [
                          {
                            "name": "__name__",
                            "type": "=",
                            "value": "foo"
                          }
                        ],
                        "name": "foo",
                        "offset": 0,
                        "startOrEnd": null,
                        "timestamp": null,
                        "type": "vectorSelector"
                      },
                      "op": "-",
                      "type": "unaryExpr"
                    },
                    "type": "parenExpr"
                  },
                  "offset": -60000,
                  "range": 300000,
                  "startOrEnd": null,
                  "step": 60000,
                  "timestamp": 5000,
                  "type": "subquery"
                }
              ],
              "func": {
                "argTypes": [
                  "matrix"
                ],
                "name": "count_over_time",
                "returnType": "vector",
                "variadic": 0
              },
              "type": "call"
            },
            "grouping": [],
            "op": "sum",
            "param": null,
            "type": "aggregation",
            "without": false
          },
          "matching": null,
          "op": ">",
          "rhs": {
            "type": "numberLiteral",
            "val": "+Inf"
          },
          "type": "binaryExpr"
        }
    "#]]
    .assert_eq(&format!("{value:#}\n"));
}

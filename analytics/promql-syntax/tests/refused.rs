//! What the language refuses, in which words, and where errors stand.

use expect_test::{Expect, expect};
use grid_promql_syntax::{Features, parse};

/// Shows the error of each line.
fn check_errors(lines: &str, features: Features, expected: &Expect) {
    let mut shown = String::new();
    for line in lines.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
        match parse(line, &features) {
            Ok(expr) => panic!("{line} parses as {expr}"),
            Err(e) => shown.push_str(&format!("{line}  =>  {e}\n")),
        }
    }
    expected.assert_eq(&shown);
}

#[test]
fn errors_of_the_lexer() {
    check_errors(
        r#"
        .
        2.5.
        100..4
        0deadbeef
        1__0
        1e
        1e309
        0x
        foo[5mm]
        foo[5m1]
        foo[1h1d]
        foo[5m
        foo[
        foo[abc]
        foo["5m"]
        foo[:5m]
        foo[5m:1m:1m]
        foo[5m a]
        (1
        (1))
        sum(
        foo{
        {a="b
        {1}
        foo{a>1}
        foo{a!1}
        }
        ]
        1 !~ 1
        1 =~ 1
        "\q"
        "\u12"
        "\xff"
        `abc
        foo ; bar
        é
        "#,
        Features::default(),
        &expect![[r#"
            .  =>  1:1: parse error: unexpected character: '.'
            2.5.  =>  1:1: parse error: bad number or duration syntax: "2.5."
            100..4  =>  1:1: parse error: bad number or duration syntax: "100.."
            0deadbeef  =>  1:1: parse error: bad number or duration syntax: "0de"
            1__0  =>  1:1: parse error: bad number or duration syntax: "1__"
            1e  =>  1:1: parse error: bad number or duration syntax: "1e"
            1e309  =>  1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e309": value out of range
            0x  =>  1:1: parse error: error parsing number: strconv.ParseFloat: parsing "0x": invalid syntax
            foo[5mm]  =>  1:5: parse error: bad number or duration syntax: "5mm"
            foo[5m1]  =>  1:5: parse error: bad number or duration syntax: "5m1"
            foo[1h1d]  =>  1:5: parse error: not a valid duration string: "1h1d"
            foo[5m  =>  1:7: parse error: unclosed left bracket
            foo[  =>  1:5: parse error: unexpected end of input in duration expression
            foo[abc]  =>  1:5: parse error: unexpected character in duration expression: 'a'
            foo["5m"]  =>  1:5: parse error: unexpected character in duration expression: '"'
            foo[:5m]  =>  1:6: parse error: unexpected colon before duration in duration expression
            foo[5m:1m:1m]  =>  1:10: parse error: unexpected colon ':'
            foo[5m a]  =>  1:8: parse error: unexpected character: 'a', expected ':'
            (1  =>  1:3: parse error: unclosed left parenthesis
            (1))  =>  1:5: parse error: unexpected right parenthesis ')'
            sum(  =>  1:5: parse error: unclosed left parenthesis
            foo{  =>  1:5: parse error: unexpected end of input inside braces
            {a="b  =>  1:4: parse error: unterminated quoted string
            {1}  =>  1:2: parse error: unexpected character inside braces: '1'
            foo{a>1}  =>  1:6: parse error: unexpected character inside braces: '>'
            foo{a!1}  =>  1:6: parse error: unexpected character after '!' inside braces: '1'
            }  =>  1:1: parse error: unexpected character: '}'
            ]  =>  1:1: parse error: unexpected right bracket ']'
            1 !~ 1  =>  1:3: parse error: unexpected character after '!': '~'
            1 =~ 1  =>  1:3: parse error: unexpected character after '=': '~'
            "\q"  =>  1:1: parse error: unknown escape sequence U+0071 'q'
            "\u12"  =>  1:1: parse error: illegal character U+0022 '"' in escape sequence
            "\xff"  =>  1:1: parse error: error unquoting string "\"\\xff\"": not valid UTF-8
            `abc  =>  1:1: parse error: unterminated raw string
            foo ; bar  =>  1:5: parse error: unexpected character: ';'
            é  =>  1:1: parse error: unexpected character: 'é'
        "#]],
    );
}

#[test]
fn errors_of_the_grammar() {
    check_errors(
        r#"
        # nothing
        1 +
        *1
        foo bar
        foo "a string that is long"
        (1 foo)
        foo{a=b}
        foo{gibberish}
        foo{,}
        foo{a="b",,}
        foo{a="b" c="d"}
        foo{a=~"("}
        foo{a=~"a)(b"}
        sum some_metric
        sum(foo) by test
        sum without(==)(foo)
        sum(foo) by (a b)
        sum(foo) by (a
        sum by (foo)
        sum(==)
        sum(foo) without (a) by (b)
        topk(foo)
        sum(foo, bar)
        sum()
        rate(foo[5m],)
        foo(bar)
        RATE(foo[5m])
        foo:bar(x)
        a - on(b) ignoring(c) d
        a + group_left b
        on
        foo offset
        foo offset bar
        foo offset 1m offset 2m
        1 offset 1d
        sum(foo) offset 1d
        foo offset 1m[5m]
        foo @ 5 [5m]
        foo[5m][5m]
        (foo + bar)[5m]
        foo[0]
        foo[-5m]
        foo[0.0001]
        foo[]
        foo[5m 5m]
        foo[5m:1m 1m]
        foo[300y]
        foo @
        foo @ bar
        foo @ start
        foo @ Inf
        foo @ 1 @ 2
        1 @ 2
        rate(foo[5m]
        "#,
        Features::default(),
        &expect![[r##"
            # nothing  =>  1:1: parse error: no expression found in input
            1 +  =>  1:4: parse error: unexpected end of input
            *1  =>  1:1: parse error: unexpected <op:*>
            foo bar  =>  1:5: parse error: unexpected identifier "bar"
            foo "a string that is long"  =>  1:5: parse error: unexpected string "\"a string "...
            (1 foo)  =>  1:4: parse error: unexpected identifier "foo"
            foo{a=b}  =>  1:7: parse error: unexpected identifier "b" in label matching, expected string
            foo{gibberish}  =>  1:14: parse error: unexpected "}" in label matching, expected label matching operator
            foo{,}  =>  1:5: parse error: unexpected "," in label matching, expected identifier or "}"
            foo{a="b",,}  =>  1:11: parse error: unexpected "," in label matching, expected identifier or "}"
            foo{a="b" c="d"}  =>  1:11: parse error: unexpected identifier "c" in label matching, expected "," or "}"
            foo{a=~"("}  =>  1:5: parse error: error parsing regexp: unclosed group
            foo{a=~"a)(b"}  =>  1:5: parse error: error parsing regexp: unopened group
            sum some_metric  =>  1:5: parse error: unexpected identifier "some_metric"
            sum(foo) by test  =>  1:13: parse error: unexpected identifier "test" in grouping opts, expected "("
            sum without(==)(foo)  =>  1:13: parse error: unexpected <op:==> in grouping opts, expected label
            sum(foo) by (a b)  =>  1:16: parse error: unexpected identifier "b" in grouping opts, expected "," or ")"
            sum(foo) by (a  =>  1:15: parse error: unclosed left parenthesis
            sum by (foo)  =>  1:13: parse error: unexpected end of input in aggregation
            sum(==)  =>  1:5: parse error: unexpected <op:==> in aggregation
            sum(foo) without (a) by (b)  =>  1:22: parse error: unexpected <by>
            topk(foo)  =>  1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1
            sum(foo, bar)  =>  1:1: parse error: wrong number of arguments for aggregate expression provided, expected 1, got 2
            sum()  =>  1:1: parse error: no arguments for aggregate expression provided
            rate(foo[5m],)  =>  1:13: parse error: trailing commas not allowed in function call args
            foo(bar)  =>  1:1: parse error: unknown function with name "foo"
            RATE(foo[5m])  =>  1:1: parse error: unknown function with name "RATE"
            foo:bar(x)  =>  1:8: parse error: unexpected "("
            a - on(b) ignoring(c) d  =>  1:11: parse error: unexpected <ignoring>
            a + group_left b  =>  1:5: parse error: unexpected <group_left>
            on  =>  1:1: parse error: unexpected <on>
            foo offset  =>  1:11: parse error: unexpected end of input in offset, expected number or duration
            foo offset bar  =>  1:12: parse error: unexpected identifier "bar" in offset, expected number or duration
            foo offset 1m offset 2m  =>  1:1: parse error: offset may not be set multiple times
            1 offset 1d  =>  1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery
            sum(foo) offset 1d  =>  1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery
            foo offset 1m[5m]  =>  1:14: parse error: no offset modifiers allowed before range
            foo @ 5 [5m]  =>  1:9: parse error: no @ modifiers allowed before range
            foo[5m][5m]  =>  1:8: parse error: ranges only allowed for vector selectors
            (foo + bar)[5m]  =>  1:12: parse error: ranges only allowed for vector selectors
            foo[0]  =>  1:5: parse error: duration must be greater than 0
            foo[-5m]  =>  1:5: parse error: duration must be greater than 0
            foo[0.0001]  =>  1:5: parse error: duration must be greater than 0
            foo[]  =>  1:5: parse error: unexpected "]" in subquery or range selector, expected number or duration
            foo[5m 5m]  =>  1:8: parse error: unexpected duration "5m" in subquery or range, expected ":" or "]"
            foo[5m:1m 1m]  =>  1:11: parse error: unexpected duration "1m" in subquery selector, expected "]"
            foo[300y]  =>  1:5: parse error: duration out of range
            foo @  =>  1:6: parse error: unexpected end of input in @, expected timestamp
            foo @ bar  =>  1:7: parse error: unexpected identifier "bar" in @, expected timestamp
            foo @ start  =>  1:12: parse error: unexpected end of input in @, expected timestamp
            foo @ Inf  =>  1:1: parse error: timestamp out of bounds for @ modifier: +Inf
            foo @ 1 @ 2  =>  1:1: parse error: @ <timestamp> may not be set multiple times
            1 @ 2  =>  1:1: parse error: @ modifier must be preceded by an instant vector selector or range vector selector or a subquery
            rate(foo[5m]  =>  1:13: parse error: unclosed left parenthesis
        "##]],
    );
}

#[test]
fn errors_of_types() {
    check_errors(
        r#"
        {}
        {x=""}
        {x=~".*"}
        {x!~".+"}
        foo{__name__="bar"}
        foo{"bar"}
        1 == 1
        1 ==   2
        1 and 1
        foo or 1
        foo + bool bar
        1 + bool 2
        foo + on(a) 1
        foo * on(a) group_left(a) bar
        foo and on(a) group_left() bar
        "a" + 1
        foo + bar[5m]
        foo == "x"
        -"string"
        -foo[5m]
        rate(foo)
        abs(1)
        abs()
        abs(foo, bar)
        round()
        hour(1, 2)
        label_join(foo)
        label_replace(foo, "a", "b", "c", 5)
        count_values(5, foo)
        topk("x", foo)
        sum(foo[5m])
        sum(1)
        1[5m:]
        foo[5m][5m:]
        scalar(rate(foo[5m])) == 5 + time()
        "#,
        Features::default(),
        &expect![[r#"
            {}  =>  1:1: parse error: vector selector must contain at least one non-empty matcher
            {x=""}  =>  1:1: parse error: vector selector must contain at least one non-empty matcher
            {x=~".*"}  =>  1:1: parse error: vector selector must contain at least one non-empty matcher
            {x!~".+"}  =>  1:1: parse error: vector selector must contain at least one non-empty matcher
            foo{__name__="bar"}  =>  1:1: parse error: metric name must not be set twice: "foo" or "bar"
            foo{"bar"}  =>  1:1: parse error: metric name must not be set twice: "foo" or "bar"
            1 == 1  =>  1:3: parse error: comparisons between scalars must use BOOL modifier
            1 ==   2  =>  1:3: parse error: comparisons between scalars must use BOOL modifier
            1 and 1  =>  1:1: parse error: set operator "and" not allowed in binary scalar expression
            foo or 1  =>  1:1: parse error: set operator "or" not allowed in binary scalar expression
            foo + bool bar  =>  1:5: parse error: bool modifier can only be used on comparison operators
            1 + bool 2  =>  1:3: parse error: bool modifier can only be used on comparison operators
            foo + on(a) 1  =>  1:1: parse error: vector matching only allowed between instant vectors
            foo * on(a) group_left(a) bar  =>  1:5: parse error: label "a" must not occur in ON and GROUP clause at once
            foo and on(a) group_left() bar  =>  1:1: parse error: no grouping allowed for "and" operation
            "a" + 1  =>  1:1: parse error: binary expression must contain only scalar and instant vector types
            foo + bar[5m]  =>  1:7: parse error: binary expression must contain only scalar and instant vector types
            foo == "x"  =>  1:8: parse error: binary expression must contain only scalar and instant vector types
            -"string"  =>  1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "string"
            -foo[5m]  =>  1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "range vector"
            rate(foo)  =>  1:6: parse error: expected type range vector in call to function "rate", got instant vector
            abs(1)  =>  1:5: parse error: expected type instant vector in call to function "abs", got scalar
            abs()  =>  1:1: parse error: expected 1 argument(s) in call to "abs", got 0
            abs(foo, bar)  =>  1:1: parse error: expected 1 argument(s) in call to "abs", got 2
            round()  =>  1:1: parse error: expected at least 1 argument(s) in call to "round", got 0
            hour(1, 2)  =>  1:1: parse error: expected at most 1 argument(s) in call to "hour", got 2
            label_join(foo)  =>  1:1: parse error: expected at least 3 argument(s) in call to "label_join", got 1
            label_replace(foo, "a", "b", "c", 5)  =>  1:35: parse error: expected type string in call to function "label_replace", got scalar
            count_values(5, foo)  =>  1:14: parse error: expected type string in aggregation parameter, got scalar
            topk("x", foo)  =>  1:6: parse error: expected type scalar in aggregation parameter, got string
            sum(foo[5m])  =>  1:5: parse error: expected type instant vector in aggregation expression, got range vector
            sum(1)  =>  1:5: parse error: expected type instant vector in aggregation expression, got scalar
            1[5m:]  =>  1:1: parse error: subquery is only allowed on instant vector, got scalar instead
            foo[5m][5m:]  =>  1:1: parse error: subquery is only allowed on instant vector, got matrix instead
            scalar(rate(foo[5m])) == 5 + time()  =>  1:23: parse error: comparisons between scalars must use BOOL modifier
        "#]],
    );
}

#[test]
fn features_are_off_unless_asked_for() {
    let lines = r#"
        mad_over_time(foo[5m])
        limitk(1, foo)
        foo[5m+1m]
        foo[(5m)]
        foo[step()]
        foo offset min_of(1m, 2m)
        foo offset (1m)
        foo anchored
        foo[5m] smoothed
        a + fill(0) b
    "#;
    check_errors(
        lines,
        Features::default(),
        &expect![[r#"
            mad_over_time(foo[5m])  =>  1:1: parse error: function "mad_over_time" is not enabled
            limitk(1, foo)  =>  1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions
            foo[5m+1m]  =>  1:5: parse error: experimental duration expression is not enabled
            foo[(5m)]  =>  1:6: parse error: experimental duration expression is not enabled
            foo[step()]  =>  1:5: parse error: experimental duration expression is not enabled
            foo offset min_of(1m, 2m)  =>  1:12: parse error: experimental duration expression is not enabled
            foo offset (1m)  =>  1:13: parse error: experimental duration expression is not enabled
            foo anchored  =>  1:1: parse error: anchored modifier is experimental and not enabled
            foo[5m] smoothed  =>  1:1: parse error: smoothed modifier is experimental and not enabled
            a + fill(0) b  =>  1:1: parse error: binop fill modifiers are experimental and not enabled
        "#]],
    );
    let names = ["promql-experimental-functions,promql-duration-expr", "promql-binop-fill-modifiers"];
    let (mut features, unknown) = Features::from_names(names.into_iter().chain(["native-histograms"]));
    assert_eq!(unknown, ["native-histograms"]);
    assert!(!features.extended_range_selectors);
    features.extended_range_selectors = true;
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        assert_eq!(parse(line, &features).map_err(|e| e.to_string()).err(), None, "{line}");
    }

    check_errors(
        r#"
        foo[1h/0]
        foo[1h % 0]
        foo anchored smoothed
        foo[5m:] anchored
        rate(foo[5m]) smoothed
        a + fill(0) 1
        a and fill(0) b
        a + fill(0) fill_left(1) b
        a + fill_left(0) fill_left(1) b
        a + fill(x) b
        info(foo, bar)
        info(foo, 5)
        info(foo, bar + baz)
        "#,
        Features::ALL,
        &expect![[r#"
            foo[1h/0]  =>  1:7: parse error: division by zero
            foo[1h % 0]  =>  1:8: parse error: modulo by zero
            foo anchored smoothed  =>  1:1: parse error: anchored and smoothed modifiers cannot be used together
            foo[5m:] anchored  =>  1:1: parse error: anchored modifier is not supported for subqueries
            rate(foo[5m]) smoothed  =>  1:1: parse error: smoothed modifier not implemented
            a + fill(0) 1  =>  1:1: parse error: filling in missing series only allowed between instant vectors
            a and fill(0) b  =>  1:1: parse error: filling in missing series not allowed for set operators
            a + fill(0) fill_left(1) b  =>  1:13: parse error: unexpected <fill_left>
            a + fill_left(0) fill_left(1) b  =>  1:18: parse error: unexpected <fill_left>
            a + fill(x) b  =>  1:10: parse error: unexpected identifier "x" in fill modifier, expected number
            info(foo, bar)  =>  1:11: parse error: expected label selectors only, got vector selector instead
            info(foo, 5)  =>  1:1: parse error: expected type instant vector in call to function "info", got scalar
            info(foo, bar + baz)  =>  1:11: parse error: expected label selectors only
        "#]],
    );
}

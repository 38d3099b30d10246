#![allow(clippy::unwrap_used)]
use super::*;
use grid_promql::Labels;
use proptest::prelude::*;

/// The text of a template for an alert of `{instance="a.example.com:9090", job="x"}` with the value 1.5; `up` has two series.
fn expanded(text: &str) -> String {
    let external = External {
        labels: BTreeMap::from([("region".to_owned(), "eu".to_owned())]),
        url: "http://grid.example:7080/path/prefix".to_owned(),
    };
    let mut query = |text: &str| match text {
        "up" => Ok(["b", "a"]
            .map(|job| Sample {
                labels: Labels::new([("__name__", "up"), ("job", job), ("__value__", "s")]),
                value: SampleValue::Float(if job == "a" { 1.0 } else { 0.0 }),
            })
            .to_vec()),
        "none" => Ok(Vec::new()),
        other => Err(format!("cannot run {other}")),
    };
    let mut context = Context {
        labels: BTreeMap::from([
            ("instance".to_owned(), "a.example.com:9090".to_owned()),
            ("job".to_owned(), "x".to_owned()),
        ]),
        value: SampleValue::Float(1.5),
        external: &external,
        time: Timestamp(1_435_065_584_128_000_000),
        query: &mut query,
    };
    match expand(text, &mut context) {
        Ok(text) => text,
        Err(e) => format!("error: {}", e.message),
    }
}

#[test]
fn templates_expand_as_in_prometheus() {
    for (text, expected) in [
        ("plain", "plain"),
        ("{{ $labels.instance }} is {{ $value }}", "a.example.com:9090 is 1.5"),
        ("{{ .Labels.job }}{{ .Value }}{{ .ExternalLabels.region }}", "x1.5eu"),
        ("{{ $externalLabels.region }} {{ $externalURL }}", "eu http://grid.example:7080/path/prefix"),
        ("{{ externalURL }} {{ pathPrefix }}", "http://grid.example:7080/path/prefix /path/prefix"),
        ("{{ $labels.none }}", ""),
        ("{{ .Foo }}", "error: can't evaluate field Foo in type struct"),
        ("a {{- /* comment */ -}} b", "ab"),
        ("a  {{- 1 -}}  b", "a1b"),
        ("{{ \"{{\" }} {{ `raw` }} {{ 'a' }} {{ 0x10 }} {{ 1e3 }} {{ true }}", "{{ raw 97 16 1000 true"),
        // Conditions.
        ("{{ if gt $value 1.0 }}high{{ else }}low{{ end }}", "high"),
        ("{{ if gt $value 1 }}high{{ end }}", "error: error calling gt: incompatible types for comparison"),
        ("{{ if eq $labels.job \"y\" \"x\" }}yes{{ end }}", "yes"),
        ("{{ if eq $labels.none \"x\" }}yes{{ else }}no{{ end }}", "no"),
        ("{{ if false }}a{{ else if true }}b{{ else }}c{{ end }}", "b"),
        ("{{ if and true 0 }}a{{ end }}{{ if or 0 \"\" \"x\" }}b{{ end }}{{ if not nil }}c{{ end }}", "bc"),
        ("{{ and 1 0 \"x\" }} {{ or 0 2 }}", "0 2"),
        ("{{ with $labels.job }}{{ . }}{{ end }}{{ with $labels.none }}x{{ else }}y{{ end }}", "xy"),
        ("{{ with $x := 5 }}{{ $x }}{{ end }}", "5"),
        // Loops.
        ("{{ range query \"up\" }}{{ .Labels.job }}={{ .Value }} {{ end }}", "b=0 a=1 "),
        ("{{ range $i, $s := query \"up\" | sortByLabel \"job\" }}{{ $i }}{{ label \"job\" $s }}{{ end }}", "0a1b"),
        ("{{ range query \"none\" }}x{{ else }}empty{{ end }}", "empty"),
        ("{{ range $k, $v := .Labels }}{{ $k }}:{{ $v }};{{ end }}", "instance:a.example.com:9090;job:x;"),
        ("{{ range 3 }}{{ . }}{{ end }}", "012"),
        ("{{ range $i, $x := query \"up\" }}{{ if $i }}{{ break }}{{ end }}{{ $x.Value }}{{ end }}", "0"),
        ("{{ range 4 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "023"),
        ("{{ $x := 1 }}{{ range 3 }}{{ $x = . }}{{ end }}{{ $x }}", "2"),
        ("{{ range $value }}{{ end }}", "error: range can't iterate over 1.5"),
        // Queries.
        ("{{ query \"up\" | first | value }} {{ (query \"up\" | first).Labels.job }}", "0 b"),
        ("{{ query \"up\" | first | strvalue }}", "s"),
        ("{{ with query \"none\" }}{{ . | first | value }}{{ else }}nothing{{ end }}", "nothing"),
        ("{{ query \"none\" | first }}", "error: error calling first: first() called on vector with no elements"),
        ("{{ query \"bad\" }}", "error: error calling query: cannot run bad"),
        ("{{ query \"up\" | len }}", "2"),
        // Templates of their own.
        ("{{ define \"x\" }}[{{ . }}]{{ end }}{{ template \"x\" $value }}", "[1.5]"),
        ("{{ define \"x\" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template \"x\" (args 1 \"b\") }}", "1-b"),
        ("{{ template \"none\" }}", "error: template \"none\" not defined"),
        ("{{ block \"x\" 1 }}<{{ . }}>{{ end }}", "<1>"),
        (
            "{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}",
            "error: exceeded maximum template depth",
        ),
        // Numbers for people.
        (
            "{{ 1234567.0 | humanize }} {{ humanize1024 1048576.0 }} {{ 3661 | humanizeDuration }}",
            "1.235M 1Mi 1h 1m 1s",
        ),
        (
            "{{ 0.1234 | humanizePercentage }} {{ 1435065584.128 | humanizeTimestamp }}",
            "12.34% 2015-06-23 13:19:44.128 +0000 UTC",
        ),
        (
            "{{ \"1e6\" | humanize }} {{ \"x\" | humanize }}",
            "error: error calling humanize: strconv.ParseFloat: parsing \"x\": invalid syntax",
        ),
        (
            "{{ $labels.none | humanize }}",
            "error: error calling humanize: strconv.ParseFloat: parsing \"\": invalid syntax",
        ),
        ("{{ toTime 1435065584.128 }}", "2015-06-23 13:19:44.128 +0000 UTC"),
        ("{{ parseDuration \"1h30m\" }} {{ toDuration 90 }}", "5400 1m30s"),
        ("{{ printf \"%.2f %s %d\" $value $labels.job 3 }}", "1.50 x 3"),
        ("{{ $value | printf \"%.0f%%\" }}", "2%"),
        // Texts.
        ("{{ title \"aa bb\" }} {{ toUpper \"x\" }} {{ toLower \"X\" }}", "Aa Bb X x"),
        ("{{ reReplaceAll \"(a)b\" \"$1-\" \"abab\" }} {{ match \"a+\" \"aa\" }}", "a-a- true"),
        (
            "{{ reReplaceAll \"(\" \"\" \"x\" | len | gt 1 }}",
            "error: error calling reReplaceAll: error parsing regexp: regex parse error:\n    (\n    ^\nerror: unclosed group",
        ),
        ("{{ stripPort \"a:1\" }} {{ stripPort \"[::1]:1\" }} {{ stripPort \"a\" }}", "a ::1 a"),
        (
            "{{ stripDomain \"a.b.c:1\" }} {{ stripDomain \"1.2.3.4:1\" }} {{ $labels.instance | stripDomain }}",
            "a:1 1.2.3.4:1 a:9090",
        ),
        ("{{ graphLink \"up{a=\\\"b\\\"}\" }}", "/graph?g0.expr=up%7Ba%3D%22b%22%7D&g0.tab=0"),
        (
            "{{ tableLink \"a b\" }} {{ urlQueryEscape \"a b&c\" }} {{ safeHtml \"<b>\" }}",
            "/graph?g0.expr=a+b&g0.tab=1 a+b%26c <b>",
        ),
        ("{{ html \"<a>\" }} {{ urlquery \"a b\" }} {{ js \"'\" }}", "&lt;a&gt; a+b \\'"),
        (
            "{{ len \"abc\" }} {{ index .Labels \"job\" }} {{ index .Labels \"none\" }} {{ slice \"abcd\" 1 3 }}",
            "3 x  bc",
        ),
        ("{{ print 1 2 \"a\" \"b\" 3 }} {{ println 1 \"a\" }}", "1 2ab3 1 a\n"),
        ("{{ .Labels }}", "map[instance:a.example.com:9090 job:x]"),
        ("{{ toUpper 5 }}", "error: error calling toUpper: wrong type for value; expected string; got int"),
        ("{{ len 3 | print }}", "error: error calling len: len of type int"),
    ] {
        assert_eq!(expanded(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_template_is_told() {
    for (text, message) in [
        ("{{ $label.foo }}", "undefined variable \"$label\""),
        ("{{ foo }}", "function \"foo\" not defined"),
        ("{{ if true }}", "unexpected EOF"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ }}", "missing value for command"),
        ("{{ $value | }}", "missing value for command"),
        ("{{ \"x }}", "unterminated quoted string"),
        ("{{ $value", "unclosed action"),
        ("{{ (1 }}", "unclosed left paren"),
        ("{{ 1) }}", "unexpected right paren"),
        ("{{ break }}", "{{break}} outside {{range}}"),
        ("{{/* x }}", "unclosed comment"),
        ("{{ if $x := 1 }}{{ end }}{{ $x }}", "undefined variable \"$x\""),
        ("{{ $x = 1 }}", "undefined variable \"$x\""),
        ("{{ 1 | 2 }}", "non executable command in pipeline stage 2"),
        ("{{ else }}", "unexpected {{else}}"),
    ] {
        assert_eq!(check(text).map_err(|e| e.message), Err(message.to_owned()), "{text}");
    }
    assert_eq!(check("a\nb {{ foo }}").map_err(|e| e.line), Err(2));
}

#[test]
fn templates_have_bounds() {
    let doubling = format!("{{{{ $x := \"{}\" }}}}{}", "x".repeat(1000), "{{ $x = printf \"%s%s\" $x $x }}".repeat(40));
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(1000), ")".repeat(1000));
    let blocks = format!("{}{}", "{{ if true }}".repeat(500), "{{ end }}".repeat(500));
    for text in [
        "{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}",
        "{{ range 90000 }}0123456789{{ end }}",
        "{{ range 40 }}{{ query \"up\" }}{{ end }}",
        "{{ reReplaceAll \"\" (printf \"%4000d\" 1) (printf \"%4000d\" 1) }}",
        "{{ match \"(a{1000}){1000}\" \"a\" }}",
        &doubling,
        &deep,
        &blocks,
    ] {
        let text = expanded(text);
        assert!(text.starts_with("error: "), "{}", &text[..text.len().min(100)]);
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[{}$.|()a-z \"`'/*:=,0-9%-]{0,60}") {
        let _ = expanded(&text);
        let _ = expanded(&format!("{{{{ {text} }}}}"));
    }
}

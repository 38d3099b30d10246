//! YAML as people write it for Kubernetes: two blanks a level, lists at the level of their key, quotation marks only where a text would otherwise be
//! read as something else, texts of several lines as lines.

use hcl::expr::Expression;

use crate::evaluate::key_text;

/// A value as one document, without `---`.
pub fn print(value: &Expression) -> String {
    let mut text = String::new();
    match value {
        Expression::Object(pairs) if !pairs.is_empty() => block(value, 0, &mut text),
        Expression::Array(items) if !items.is_empty() => block(value, 0, &mut text),
        value => text = format!("{}\n", flat(value)),
    }
    text
}

/// A map or a list that is not empty, from the beginning of a line or after `- `.
fn block(value: &Expression, level: usize, text: &mut String) {
    let indent = "  ".repeat(level);
    // What comes first stands where the text already is.
    let start = |text: &mut String| {
        if text.is_empty() || text.ends_with('\n') {
            text.push_str(&indent);
        }
    };
    match value {
        Expression::Object(pairs) => {
            for (key, value) in pairs {
                start(text);
                text.push_str(&scalar(&key_text(key)));
                text.push(':');
                match value {
                    Expression::Object(inner) if !inner.is_empty() => {
                        text.push('\n');
                        block(value, level + 1, text);
                    }
                    Expression::Array(inner) if !inner.is_empty() => {
                        text.push('\n');
                        block(value, level, text);
                    }
                    value => leaf(value, level, text),
                }
            }
        }
        Expression::Array(items) => {
            for item in items {
                start(text);
                text.push('-');
                match item {
                    Expression::Object(inner) if !inner.is_empty() => {
                        text.push(' ');
                        block(item, level + 1, text);
                    }
                    Expression::Array(inner) if !inner.is_empty() => {
                        text.push(' ');
                        block(item, level + 1, text);
                    }
                    value => leaf(value, level, text),
                }
            }
        }
        value => leaf(value, level, text),
    }
}

fn leaf(value: &Expression, level: usize, text: &mut String) {
    match value {
        Expression::String(lines) if is_lines(lines) => {
            text.push_str(if lines.ends_with('\n') { " |\n" } else { " |-\n" });
            for line in lines.lines() {
                if !line.is_empty() {
                    text.push_str(&"  ".repeat(level + 1));
                    text.push_str(line);
                }
                text.push('\n');
            }
        }
        value => text.push_str(&format!(" {}\n", flat(value))),
    }
}

/// Whether a text of several lines reads the same when it is written as lines: the first says how far they are indented, and blanks at the end of one
/// would not be seen.
fn is_lines(text: &str) -> bool {
    let is_plain =
        |c: char| c == '\n' || !(c.is_control() || ['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'].contains(&c));
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !text.ends_with("\n\n")
        && text.chars().all(is_plain)
        && text.lines().all(|line| !line.ends_with(' '))
}

fn flat(value: &Expression) -> String {
    match value {
        Expression::Null => "null".to_owned(),
        Expression::Bool(b) => b.to_string(),
        Expression::Number(n) => n.to_string(),
        Expression::String(text) => scalar(text),
        Expression::Array(_) => "[]".to_owned(),
        Expression::Object(_) => "{}".to_owned(),
        code => scalar(&crate::hcl::expression(code, 0)),
    }
}

/// A text in one line.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let is_simple =
        |c: char| !c.is_control() && c != '\'' && !['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'].contains(&c);
    if text.contains('"') && text.chars().all(is_simple) {
        return format!("'{text}'");
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() || ['\u{2028}', '\u{2029}', '\u{feff}'].contains(&c) => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Words that some reader of YAML 1.1 or 1.2 takes for something else than text.
const WORDS: [&str; 12] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"];

/// Whether every reader takes it for the same text without quotation marks.
fn is_plain(text: &str) -> bool {
    let starts = |c: char| c.is_ascii_alphanumeric() || c == '/' || c == '_' || c == '.';
    let within = |c: char| c.is_ascii_alphanumeric() || " /_.:@%+=,;*()~^$!?<>|&#'-".contains(c);
    // `-c` and `--flag` are no items of lists.
    let first = text
        .strip_prefix("--")
        .or(text.strip_prefix('-'))
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
    first.unwrap_or(text).starts_with(starts)
        && text.chars().all(within)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text != "..."
        && !WORDS.contains(&text.to_ascii_lowercase().trim_start_matches('.'))
        && !is_number(text)
}

/// Whether anybody may take it for a number, a time or a date: `1e3`, `0x1F`, `1_000`, `12:30:00`, `2030-01-01`.
fn is_number(text: &str) -> bool {
    // `1.2.3` is none to anybody.
    let is_version = text.matches('.').count() > 1 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let digits = text.bytes().any(|b| b.is_ascii_digit());
    digits
        && !is_version
        && (text.bytes().all(|b| b.is_ascii_digit() || b"_.:-+eE".contains(&b))
            || ["0x", "0X", "0o", "0b"].iter().any(|p| text.starts_with(p)))
        || text.len() > 10
            && text.as_bytes()[..10].iter().all(|b| b.is_ascii_digit() || *b == b'-')
            && text.contains(':')
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use hcl::expr::Expression;
    use proptest::prelude::*;

    use super::print;
    use crate::evaluate::object;
    use crate::node::{Format, Tree, read};

    #[test]
    fn as_people_write_it() {
        let value: Expression = r##"{
            "apiVersion" = "v1", "app.kubernetes.io/name" = "web", n = 3, s = "3", b = true, t = "true", no = "no", none = "",
            image = "registry.example.com/shop:1.4.2", cpu = "500m", ratio = "1e3", cron = "0 3 * * *", date = "2030-01-01T00:00:00Z",
            version = "8.0", release = "3.8.0", star = "*.example.com", flag = "-x", long = "--x=1", minus = "-1", json = "{\"a\": 1}", note = "a: b", end = "a #b", at = "@x", lines = "a\n\n  b: c\n", open = "a\nb",
            list = [{ name = "A", value = "1", deep = { x = [1, 2] } }, "y", [["z"], []], {}], empty = {}, blank = "a \nb"
        }"##
            .parse()
            .expect("it is HCL");
        expect![[r#"
            apiVersion: v1
            app.kubernetes.io/name: web
            "n": 3
            s: "3"
            b: true
            t: "true"
            "no": "no"
            none: ""
            image: registry.example.com/shop:1.4.2
            cpu: 500m
            ratio: "1e3"
            cron: 0 3 * * *
            date: "2030-01-01T00:00:00Z"
            version: "8.0"
            release: 3.8.0
            star: "*.example.com"
            flag: -x
            long: --x=1
            minus: "-1"
            json: '{"a": 1}'
            note: "a: b"
            end: "a #b"
            at: "@x"
            lines: |
              a

                b: c
            open: |-
              a
              b
            list:
            - name: A
              value: "1"
              deep:
                x:
                - 1
                - 2
            - "y"
            - - - z
              - []
            - {}
            empty: {}
            blank: "a \nb"
        "#]]
        .assert_eq(&print(&value));
    }

    proptest! {
        #[test]
        fn every_text_comes_back(key in "\\PC{1,12}", text in "(\\PC|[\n\t :#'\"\\\\-]){0,24}", word in "[-+0-9a-zA-Z_.:~ ]{0,12}") {
            for text in [&text, &word] {
                let list = Expression::Array(vec![Expression::String(text.clone())]);
                let value = object([(key.as_str(), Expression::String(text.clone())), ("-list", list)]);
                let written = print(&value);
                let node = read(&written, Format::Yaml);
                prop_assert!(node.is_ok(), "{written}");
                let Ok(node) = node else { return Ok(()) };
                let Tree::Map(pairs) = node.value else { return Err(TestCaseError::fail(written)) };
                prop_assert!(matches!(&pairs[0].0.value, Tree::Text(t) if *t == key), "{written}");
                prop_assert!(matches!(&pairs[0].1.value, Tree::Text(t) if t == text), "{written}");
                let Tree::List(items) = &pairs[1].1.value else { return Err(TestCaseError::fail(written)) };
                prop_assert!(matches!(&items[0].value, Tree::Text(t) if t == text), "{written}");
            }
        }
    }
}

//! A stream's labels as text: `{job="a", path="C:\\x"}`, with Go's string literals.

use grid_model::Labels;

use crate::label_pairs::clip;

/// Reads a label set; the error says what was expected where.
pub fn parse_label_set(text: &str) -> Result<Labels, String> {
    let expected = |what: &str, at: &str| format!("labels: expected {what} at {:?}", clip(at));
    let mut rest = text.trim().strip_prefix('{').ok_or_else(|| expected("{", text))?.trim_start();
    let mut pairs = Vec::new();
    while !rest.starts_with('}') {
        let name;
        if rest.starts_with('"') {
            (name, rest) = literal(rest)?;
        } else {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || "_.:/-".contains(c))).unwrap_or(rest.len());
            if end == 0 {
                return Err(expected("a label name", rest));
            }
            name = rest[..end].to_owned();
            rest = &rest[end..];
        }
        rest = rest.trim_start().strip_prefix('=').ok_or_else(|| expected("=", rest))?.trim_start();
        let value;
        (value, rest) = literal(rest)?;
        pairs.push((name, value));
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if rest.starts_with('}') => {}
            None => return Err(expected(", or }", rest)),
        }
    }
    if rest.len() > 1 {
        return Err(expected("the end", &rest[1..]));
    }
    Labels::new(pairs).map_err(|e| e.to_string())
}

/// A string in double quotes or backquotes and what follows it.
fn literal(text: &str) -> Result<(String, &str), String> {
    if let Some(raw) = text.strip_prefix('`') {
        let (inside, rest) = raw.split_once('`').ok_or("labels: no closing backquote")?;
        return Ok((inside.to_owned(), rest));
    }
    let inside = text.strip_prefix('"').ok_or_else(|| format!("labels: expected a string at {:?}", clip(text)))?;
    // Bytes, because `\xHH` and octal escapes write bytes.
    let mut out = Vec::new();
    let bytes = inside.as_bytes();
    let mut i = 0;
    loop {
        match bytes.get(i) {
            None => return Err("labels: no closing quote".to_owned()),
            Some(b'"') => {
                let value = String::from_utf8(out).map_err(|_| "labels: a value is not UTF-8")?;
                return Ok((value, &inside[i + 1..]));
            }
            Some(b'\\') => i += 1 + escape(&bytes[i + 1..], &mut out)?,
            Some(b) => {
                out.push(*b);
                i += 1;
            }
        }
    }
}

/// Reads what follows a backslash into `out`; answers how many bytes it took.
fn escape(bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, String> {
    let bad = || "labels: a bad escape".to_owned();
    let digits = |from: usize, n: usize, radix: u32| -> Result<u32, String> {
        let digits = bytes.get(from..from + n).and_then(|d| std::str::from_utf8(d).ok()).ok_or_else(bad)?;
        u32::from_str_radix(digits, radix).map_err(|_| bad())
    };
    let byte = |code: u32| u8::try_from(code).map_err(|_| bad());
    let simple = match bytes.first().ok_or_else(bad)? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        b'\\' => b'\\',
        b'"' => b'"',
        b'\'' => b'\'',
        b'x' => {
            out.push(byte(digits(1, 2, 16)?)?);
            return Ok(3);
        }
        b'0'..=b'7' => {
            out.push(byte(digits(0, 3, 8)?)?);
            return Ok(3);
        }
        long @ (b'u' | b'U') => {
            let n = if *long == b'u' { 4 } else { 8 };
            let c = char::from_u32(digits(1, n, 16)?).ok_or_else(bad)?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(1 + n);
        }
        _ => return Err(bad()),
    };
    out.push(simple);
    Ok(1)
}

/// A label set as text that [`parse_label_set`] reads.
pub(super) fn format_label_set(labels: &Labels) -> String {
    let mut out = String::from("{");
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        out.push_str(name);
        out.push_str("=\"");
        for c in value.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                c if c.is_control() => out.push_str(&format!("\\U{:08x}", u32::from(c))),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literals_are_gos() {
        let cases = [
            ("{}", vec![]),
            (r#"{a="b", c="d\n"}"#, vec![("a", "b"), ("c", "d\n")]),
            (r#" { a = "b" , } "#, vec![("a", "b")]),
            (r#"{a="\"\\\t\x41\101\u00e9\U0001F680"}"#, vec![("a", "\"\\\tAAé🚀")]),
            ("{a=`C:\\x`}", vec![("a", "C:\\x")]),
            (r#"{"a b"="c",d.e="f"}"#, vec![("a b", "c"), ("d.e", "f")]),
            (r#"{a="b",a="b",empty=""}"#, vec![("a", "b")]),
        ];
        for (text, pairs) in cases {
            assert_eq!(parse_label_set(text), Ok(Labels::of(&pairs)), "{text}");
        }
        for bad in [
            "",
            "{",
            "}",
            "a",
            "{a}",
            "{a=}",
            "{a=b}",
            r#"{a="b"#,
            r#"{a="b"} x"#,
            r#"{a="1",a="2"}"#,
            r#"{="b"}"#,
            r#"{a="\xff"}"#,
            r#"{a="\777"}"#,
            r#"{a="\ud800"}"#,
            r#"{a="\é"}"#,
            r#"{a="\"#,
        ] {
            assert!(parse_label_set(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_formatted_is_parsed(pairs in prop::collection::btree_map("[a-z_]{1,5}", ".{1,6}|\n|\u{0}", 0..5)) {
            let labels = Labels::new(pairs.into_iter().collect()).unwrap();
            prop_assert_eq!(parse_label_set(&format_label_set(&labels)).unwrap(), labels);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[{}=\",\\\\xuU0-9a-f`é ]{0,30}") {
            let _ = parse_label_set(&text);
        }
    }
}

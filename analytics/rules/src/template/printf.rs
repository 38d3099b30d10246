//! `printf` and its verbs (Go, `fmt`).

use grid_promql_syntax::quote;

use super::value::Value;
use crate::limits::{PRINTF_WIDTH_MAX, TEMPLATE_OUTPUT_BYTES_MAX};

/// `%g`: the shortest digits, or so many that count.
pub(super) fn general(v: f64, precision: Option<usize>) -> String {
    let Some(precision) = precision else { return grid_promql::histogram::text::GoFloat(v).to_string() };
    if let Some(text) = special(v) {
        return text.to_owned();
    }
    let digits = precision.max(1);
    let text = format!("{v:.*e}", digits - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if exponent < -4 || exponent >= i32::try_from(digits).unwrap_or(i32::MAX) {
        return format!("{}{}", trimmed(mantissa), go_exponent(exponent));
    }
    let decimals = usize::try_from(i32::try_from(digits).unwrap_or(i32::MAX) - 1 - exponent).unwrap_or(0);
    trimmed(&format!("{v:.decimals$}"))
}

fn special(v: f64) -> Option<&'static str> {
    match v {
        v if v.is_nan() => Some("NaN"),
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ => None,
    }
}

/// Go writes at least two digits and always a sign.
fn go_exponent(exponent: i32) -> String {
    format!("e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// `%e`.
pub(super) fn scientific(v: f64, precision: Option<usize>) -> String {
    if let Some(text) = special(v) {
        return text.to_owned();
    }
    let text = match precision {
        Some(p) => format!("{v:.p$e}"),
        None => format!("{v:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{mantissa}{}", go_exponent(exponent.parse().unwrap_or(0)))
}

#[derive(Debug, Default, Clone, Copy)]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// The text of a format.
pub(super) fn printf(format: &str, args: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut args_left = args.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if out.len() > TEMPLATE_OUTPUT_BYTES_MAX {
            return Err(format!("the text has more than {TEMPLATE_OUTPUT_BYTES_MAX} bytes"));
        }
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = Flags::default();
        while let Some(flag) = chars.next_if(|c| "-+# 0".contains(*c)) {
            match flag {
                '-' => flags.minus = true,
                '+' => flags.plus = true,
                '#' => flags.sharp = true,
                ' ' => flags.space = true,
                _ => flags.zero = true,
            }
        }
        let mut count = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Result<Option<i64>, String> {
            if chars.next_if_eq(&'*').is_some() {
                return Ok(match args_left.next() {
                    Some(Value::Int(n)) => Some(*n),
                    _ => None,
                });
            }
            let mut number: Option<i64> = None;
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                number = Some(
                    number.unwrap_or(0).saturating_mul(10).saturating_add(i64::from(digit.to_digit(10).unwrap_or(0))),
                );
            }
            Ok(number)
        };
        if let Some(width) = count(&mut chars)? {
            flags.minus |= width < 0;
            flags.width = Some(bounded(width.unsigned_abs())?);
        }
        if chars.next_if_eq(&'.').is_some() {
            let precision = count(&mut chars)?.unwrap_or(0);
            flags.precision = Some(bounded(precision.max(0).unsigned_abs())?);
        }
        let Some(verb) = chars.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        if verb == '%' {
            out.push('%');
            continue;
        }
        match args_left.next() {
            Some(value) => verb_of(&mut out, verb, value, flags),
            None => {
                out.push_str("%!");
                out.push(verb);
                out.push_str("(MISSING)");
            }
        }
    }
    let extra: Vec<String> = args_left
        .map(|value| match value {
            Value::Nil | Value::Missing => "<nil>".to_owned(),
            value => format!("{}={}", value.type_name(), value.printed()),
        })
        .collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(out)
}

fn bounded(n: u64) -> Result<usize, String> {
    usize::try_from(n)
        .ok()
        .filter(|n| *n <= PRINTF_WIDTH_MAX)
        .ok_or_else(|| format!("a width of {n} is more than {PRINTF_WIDTH_MAX}"))
}

fn verb_of(out: &mut String, verb: char, value: &Value, flags: Flags) {
    let text = match (verb, value) {
        ('v', Value::Float(v)) => Some(signed(general(*v, flags.precision), flags)),
        ('v', Value::Int(n)) => Some(signed(integer(*n, 10, flags), flags)),
        ('v' | 's', Value::Nil | Value::Missing) if verb == 'v' => Some("<nil>".to_owned()),
        ('v' | 's', Value::List(items)) => Some(list(verb, items, flags)),
        ('v', value) => Some(value.printed()),
        ('s', Value::Text(_) | Value::Histogram(_) | Value::Time(_) | Value::Duration(_)) => {
            Some(cut(&value.printed(), flags))
        }
        ('q', Value::Text(text)) => Some(match flags.sharp && !text.contains(['`', '\n']) {
            true => format!("`{}`", cut(text, flags)),
            false => quote(&cut(text, flags)),
        }),
        ('q', Value::Int(n)) => u32::try_from(*n).ok().and_then(char::from_u32).map(|c| format!("'{c}'")),
        ('x' | 'X', Value::Text(text)) => {
            let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
            Some(if verb == 'X' { hex.to_uppercase() } else { hex })
        }
        ('t', Value::Bool(b)) => Some(b.to_string()),
        ('d', Value::Int(n) | Value::Duration(n)) => Some(signed(integer(*n, 10, flags), flags)),
        ('b', Value::Int(n)) => Some(signed(integer(*n, 2, flags), flags)),
        ('o', Value::Int(n)) => Some(signed(integer(*n, 8, flags), flags)),
        ('x', Value::Int(n)) => Some(signed(integer(*n, 16, flags), flags)),
        ('X', Value::Int(n)) => Some(signed(integer(*n, 16, flags).to_uppercase(), flags)),
        ('c', Value::Int(n)) => Some(u32::try_from(*n).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()),
        ('U', Value::Int(n)) => Some(format!("U+{n:04X}")),
        ('f' | 'F', Value::Float(v)) => Some(signed(fixed(*v, flags.precision.unwrap_or(6)), flags)),
        ('e', Value::Float(v)) => Some(signed(scientific(*v, Some(flags.precision.unwrap_or(6))), flags)),
        ('E', Value::Float(v)) => {
            Some(signed(scientific(*v, Some(flags.precision.unwrap_or(6))), flags).to_uppercase())
        }
        ('g', Value::Float(v)) => Some(signed(general(*v, flags.precision), flags)),
        ('G', Value::Float(v)) => Some(signed(general(*v, flags.precision), flags).replace('e', "E")),
        _ => None,
    };
    let Some(text) = text else {
        out.push_str("%!");
        out.push(verb);
        match value {
            Value::Nil | Value::Missing => out.push_str("(<nil>)"),
            value => {
                out.push_str(&format!("({}=", value.type_name()));
                value.print(out);
                out.push(')');
            }
        }
        return;
    };
    let is_number =
        matches!(value, Value::Int(_) | Value::Duration(_)) || matches!(value, Value::Float(v) if v.is_finite());
    pad(out, &text, flags, is_number && !(flags.precision.is_some() && matches!(value, Value::Int(_))));
}

fn list(verb: char, items: &[Value], flags: Flags) -> String {
    let mut out = String::from("[");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        verb_of(&mut out, verb, item, flags);
    }
    out.push(']');
    out
}

fn fixed(v: f64, precision: usize) -> String {
    special(v).map_or_else(|| format!("{v:.precision$}"), str::to_owned)
}

fn integer(n: i64, radix: u32, flags: Flags) -> String {
    let size = n.unsigned_abs();
    let digits = match radix {
        2 => format!("{size:b}"),
        8 => format!("{size:o}"),
        16 => format!("{size:x}"),
        _ => size.to_string(),
    };
    let width = flags.precision.unwrap_or(0);
    let mark = match (flags.sharp, radix) {
        (true, 2) => "0b",
        (true, 8) => "0",
        (true, 16) => "0x",
        _ => "",
    };
    format!("{}{mark}{digits:0>width$}", if n < 0 { "-" } else { "" })
}

/// With the sign that flags ask for.
fn signed(text: String, flags: Flags) -> String {
    let is_negative = text.starts_with('-');
    match text.strip_prefix('+') {
        Some(rest) if !flags.plus => {
            if flags.space {
                format!(" {rest}")
            } else {
                text
            }
        }
        _ if is_negative || text.starts_with('+') => text,
        _ if flags.plus => format!("+{text}"),
        _ if flags.space => format!(" {text}"),
        _ => text,
    }
}

/// At most as many letters as the precision says.
fn cut(text: &str, flags: Flags) -> String {
    flags.precision.map_or_else(|| text.to_owned(), |p| text.chars().take(p).collect())
}

fn pad(out: &mut String, text: &str, flags: Flags, zeros: bool) {
    let missing = flags.width.unwrap_or(0).saturating_sub(text.chars().count());
    if flags.minus {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else if flags.zero && zeros {
        let sign = text.find(|c: char| c != '+' && c != '-' && c != ' ').unwrap_or(0);
        out.push_str(&text[..sign]);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(&text[sign..]);
    } else {
        out.extend(std::iter::repeat_n(if flags.zero { '0' } else { ' ' }, missing));
        out.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_write_as_in_go() {
        let (f, i, s) = (Value::Float(3.126), Value::Int(42), Value::text("hi"));
        for (format, args, expected) in [
            ("%.2f", vec![f.clone()], "3.13"),
            ("%8.2f|", vec![f.clone()], "    3.13|"),
            ("%-8.2f|", vec![f.clone()], "3.13    |"),
            ("%08.2f", vec![Value::Float(-3.126)], "-0003.13"),
            ("%+d %d", vec![i.clone(), i.clone()], "+42 42"),
            ("%05d", vec![i.clone()], "00042"),
            ("%x %X %o %b %c %U", vec![i.clone(); 6], "2a 2A 52 101010 * U+002A"),
            ("%#x", vec![i.clone()], "0x2a"),
            ("%s %q %v", vec![s.clone(); 3], "hi \"hi\" hi"),
            ("%5s|%-5s|%.1s", vec![s.clone(); 3], "   hi|hi   |h"),
            ("%d", vec![f.clone()], "%!d(float64=3.126)"),
            ("%s", vec![i.clone()], "%!s(int=42)"),
            ("%d", vec![], "%!d(MISSING)"),
            ("x", vec![i.clone()], "x%!(EXTRA int=42)"),
            ("100%%", vec![], "100%"),
            ("%", vec![], "%!(NOVERB)"),
            ("%t", vec![Value::Bool(true)], "true"),
            ("%e %g %G", vec![Value::Float(1e10); 3], "1.000000e+10 1e+10 1E+10"),
            (
                "%.3g %.4g %.4g",
                vec![Value::Float(1234.5), Value::Float(0.000_012_345), Value::Float(100.0)],
                "1.23e+03 1.234e-05 100",
            ),
            ("%v %s", vec![Value::Nil, Value::Nil], "<nil> %!s(<nil>)"),
            ("%*d", vec![Value::Int(5), i.clone()], "   42"),
        ] {
            assert_eq!(printf(format, &args).as_deref(), Ok(expected), "{format}");
        }
        assert!(printf("%999999d", &[i]).is_err());
    }
}

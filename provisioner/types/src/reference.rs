//! References in texts: `${network.main}` is a resource, `${postgresql.main.out.host}` what it gives; `$${` is a plain `${`.

use std::fmt;

/// What a resource is called: its type and its name, `vm.web`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// `vm`.
    pub kind: String,
    /// `web`.
    pub name: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind, self.name)
    }
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it stands.
    Literal(String),
    /// `${vm.web}`.
    Resource(Address),
    /// `${vm.web.out.id}`.
    Output(Address, String),
}

/// A mistake in a reference: its letters from and to, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadReference {
    /// The first letter of it, from 0.
    pub from: usize,
    /// Its letters.
    pub width: usize,
    /// What is wrong.
    pub what: String,
}

/// Takes a text apart. Neighbouring literals are one.
pub fn parts(text: &str) -> Result<Vec<Part>, BadReference> {
    let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
    let letters = |rest: &str| text[..text.len() - rest.len()].chars().count();
    while let Some(at) = rest.find("${") {
        // `$${` escapes; as in HCL, only the dollar directly before counts.
        if at > 0 && rest.as_bytes()[at - 1] == b'$' {
            literal.push_str(&rest[..at - 1]);
            literal.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        literal.push_str(&rest[..at]);
        let from = letters(&rest[at..]);
        let Some(end) = rest[at..].find('}') else {
            let what = "this `${` has no `}`".to_owned();
            return Err(BadReference { from, width: 2, what });
        };
        let inner = &rest[at + 2..at + end];
        let words: Vec<&str> = inner.split('.').collect();
        let address = |kind: &str, name: &str| Address { kind: kind.to_owned(), name: name.to_owned() };
        let part = match words.as_slice() {
            [kind, name] if !kind.is_empty() && !name.is_empty() => Part::Resource(address(kind, name)),
            [kind, name, "out", output] if !kind.is_empty() && !name.is_empty() && !output.is_empty() => {
                Part::Output(address(kind, name), (*output).to_owned())
            }
            _ => {
                let what = "this is no reference".to_owned();
                return Err(BadReference { from, width: inner.chars().count() + 3, what });
            }
        };
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(part);
        rest = &rest[at + end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_apart() {
        for (text, wanted) in [
            ("", "[]"),
            ("plain $ {", "[plain $ {]"),
            ("${network.main}", "[<network.main>]"),
            ("a${vm.b.out.id}c", "[a|<vm.b>id|c]"),
            ("$${x} ${vm.b}", "[${x} |<vm.b>]"),
            ("${vm.b}$${vm.c}", "[<vm.b>|${vm.c}]"),
            ("é${x", "1+2 this `${` has no `}`"),
            ("ab${vm}", "2+5 this is no reference"),
            ("${vm.web.host}", "0+14 this is no reference"),
            ("${.a}", "0+5 this is no reference"),
        ] {
            let told = match parts(text) {
                Ok(parts) => {
                    let each = parts.iter().map(|p| match p {
                        Part::Literal(text) => text.clone(),
                        Part::Resource(of) => format!("<{of}>"),
                        Part::Output(of, out) => format!("<{of}>{out}"),
                    });
                    format!("[{}]", each.collect::<Vec<_>>().join("|"))
                }
                Err(bad) => format!("{}+{} {}", bad.from, bad.width, bad.what),
            };
            assert_eq!(told, wanted, "{text}");
        }
    }
}

//! What a resource type is, and the list of all. The data lie in `catalog/*.toml`, compiled in.

use std::sync::LazyLock;

use serde::Deserialize;

/// A kind of resource, independent of any cloud.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Type {
    /// `postgresql`.
    pub name: String,
    /// Raised when a spec that was right becomes wrong.
    pub version: u32,
    /// One sentence.
    pub doc: String,
    /// Whether clouds scale it natively, so that Grid can without a plan of Terraform's.
    #[serde(default)]
    pub lever: bool,
    /// What a spec may say of it, in the order to show.
    #[serde(default)]
    pub fields: Vec<Field>,
    /// What others may refer to.
    pub outputs: Vec<Output>,
    /// The file that it is from: `compute`, `network`, ...
    #[serde(skip)]
    pub family: &'static str,
}

/// One field of a type, or of the objects in a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// `storage_gib`.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// One sentence.
    pub doc: String,
    /// What a number counts: `GiB`, `days`.
    #[serde(default)]
    pub unit: Option<String>,
    /// Whether a spec must give it.
    #[serde(default)]
    pub required: bool,
    /// What holds where a spec says nothing.
    #[serde(default)]
    pub default: Option<toml::Value>,
    /// A value to show and to test with.
    #[serde(default)]
    pub example: Option<toml::Value>,
    /// Smallest integer, or fewest elements.
    #[serde(default)]
    pub min: Option<i64>,
    /// Largest integer, or most elements.
    #[serde(default)]
    pub max: Option<i64>,
    /// The texts that there are to choose from.
    #[serde(default)]
    pub values: Vec<String>,
    /// The types that a reference may be to.
    #[serde(default)]
    pub to: Vec<String>,
    /// How a text must look.
    #[serde(default)]
    pub form: Option<Form>,
    /// Fields of the objects in a list of them.
    #[serde(default)]
    pub fields: Vec<Field>,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A text; it may hold references to outputs.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Bool,
    /// One of some texts.
    Enum,
    /// Processors and memory: `2x8` is two virtual CPUs with 8 GiB.
    Size,
    /// A resource: `${network.main}`.
    Reference,
    /// A list of resources.
    References,
    /// A list of texts.
    Texts,
    /// Texts by name.
    Map,
    /// One machine type per cloud, where the one that `size` finds is not the right one.
    Machines,
    /// A list of objects with fields of their own.
    Objects,
}

/// How a text must look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `10.0.0.0/16`.
    Cidr,
    /// `shop.example.com`, a leading `*.` allowed.
    Domain,
    /// `/healthz`.
    Path,
    /// Five fields of time: `0 3 * * *`.
    Cron,
    /// A public key in OpenSSH's form.
    SshKey,
    /// Letters, digits, `_` and `-`, first a letter.
    Word,
    /// The reference of a container image, without a space.
    Image,
    /// A version's number: `17`, `8.0`, `1.33`.
    Version,
}

/// What a resource gives to those that refer to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// `host`.
    pub name: String,
    /// One sentence.
    pub doc: String,
}

impl Type {
    /// A field by name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}

impl Kind {
    /// What it is, for messages and pages.
    pub fn what(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Bool => "bool",
            Self::Enum => "enum",
            Self::Size => "size",
            Self::Reference => "reference",
            Self::References => "references",
            Self::Texts => "texts",
            Self::Map => "map of texts",
            Self::Machines => "machine types",
            Self::Objects => "objects",
        }
    }
}

impl Form {
    /// An example of it, for messages.
    pub fn example(self) -> &'static str {
        match self {
            Self::Cidr => "10.0.0.0/16",
            Self::Domain => "shop.example.com",
            Self::Path => "/healthz",
            Self::Cron => "0 3 * * *",
            Self::SshKey => "ssh-ed25519 AAAA... name",
            Self::Word => "orders",
            Self::Image => "registry.example.com/shop:1.4.2",
            Self::Version => "17",
        }
    }

    /// The same as a pattern of JSON Schema. [`Form::holds`] is stricter where a pattern would be unreadable.
    pub fn pattern(self) -> &'static str {
        match self {
            Self::Cidr => r"^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}/\d{1,2}$",
            Self::Domain => r"^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z0-9]$",
            Self::Path => r"^/\S*$",
            Self::Cron => r"^\S+ \S+ \S+ \S+ \S+$",
            Self::SshKey => r"^(ssh|ecdsa|sk)-\S+ \S+",
            Self::Word => r"^[A-Za-z][A-Za-z0-9_-]*$",
            Self::Image => r"^[^\s/]\S*$",
            Self::Version => r"^\d+(\.\d+)*$",
        }
    }

    /// Whether a text has it.
    pub fn holds(self, text: &str) -> bool {
        match self {
            Self::Cidr => text.split_once('/').is_some_and(|(address, bits)| {
                let parts: Vec<_> = address.split('.').collect();
                let byte = |p: &&str| p.len() <= 3 && p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u8>().is_ok();
                parts.len() == 4
                    && parts.iter().all(byte)
                    && bits.len() <= 2
                    && bits.bytes().all(|b| b.is_ascii_digit())
                    && bits.parse::<u8>().is_ok_and(|b| b <= 32)
            }),
            Self::Domain => {
                let text = text.strip_prefix("*.").unwrap_or(text);
                let label = |l: &str| {
                    (1..=63).contains(&l.len())
                        && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                        && !l.starts_with('-')
                        && !l.ends_with('-')
                };
                text.len() <= 253 && text.contains('.') && text.split('.').all(label)
            }
            Self::Path => text.starts_with('/') && !text.contains(char::is_whitespace),
            Self::Cron => text.split(' ').filter(|p| !p.is_empty()).count() == 5 && text.split(' ').count() == 5,
            Self::SshKey => {
                let mut parts = text.split(' ');
                let kind = parts.next().unwrap_or_default();
                ["ssh-", "ecdsa-", "sk-"].iter().any(|p| kind.starts_with(p))
                    && parts.next().is_some_and(|p| !p.is_empty())
            }
            Self::Word => {
                text.starts_with(|c: char| c.is_ascii_alphabetic())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            }
            Self::Image => !text.is_empty() && !text.starts_with('/') && !text.contains(char::is_whitespace),
            Self::Version => {
                text.split('.').all(|p| !p.is_empty() && p.len() <= 9 && p.bytes().all(|b| b.is_ascii_digit()))
            }
        }
    }
}

/// All types, as the pages list them.
pub fn types() -> &'static [Type] {
    &TYPES
}

/// A type by name.
pub fn find(name: &str) -> Option<&'static Type> {
    TYPES.iter().find(|t| t.name == name)
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "type")]
    types: Vec<Type>,
}

macro_rules! families {
    ($($name:literal)*) => { [$(($name, include_str!(concat!("../catalog/", $name, ".toml")))),*] };
}

static TYPES: LazyLock<Vec<Type>> = LazyLock::new(|| {
    let families = families!("compute" "network" "edge" "storage" "containers" "data" "messaging" "platform");
    let read = |(family, text): (&'static str, &str)| {
        let file: File = toml::from_str(text).unwrap_or_else(|e| panic!("catalog/{family}.toml: {e}"));
        file.types.into_iter().map(move |t| Type { family, ..t })
    };
    families.into_iter().flat_map(read).collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn thirty_types_with_names_of_their_own() {
        let names: BTreeSet<_> = types().iter().map(|t| t.name.as_str()).collect();
        assert_eq!((types().len(), names.len()), (30, 30));
    }

    #[test]
    fn fields_make_sense() {
        fn check(of: &str, field: &Field) {
            let at = format!("{of}.{}", field.name);
            assert!(field.doc.ends_with('.'), "{at}: {}", field.doc);
            assert_eq!(field.kind == Kind::Enum, !field.values.is_empty(), "{at}");
            assert_eq!(matches!(field.kind, Kind::Reference | Kind::References), !field.to.is_empty(), "{at}");
            assert_eq!(field.kind == Kind::Objects, !field.fields.is_empty(), "{at}");
            assert!(!(field.required && field.default.is_some()), "{at} is required and has a default");
            assert!(field.to.iter().all(|t| find(t).is_some()), "{at} refers to no type");
            if field.kind == Kind::Integer {
                assert!(field.min.is_some() && field.max.is_some(), "{at} has no bounds");
            }
            // A name says its unit: `storage_gib`, `timeout_seconds`.
            if let Some(unit) = field.unit.as_ref().filter(|u| u.as_str() != "%") {
                assert!(field.name.ends_with(&unit.to_lowercase()) || unit == "1/1000 CPU", "{at}: {unit}");
            }
            if let Some(text) = field.default.as_ref().and_then(|d| d.as_str()) {
                assert!(field.form.is_none_or(|f| f.holds(text)), "{at}: {text}");
                assert!(field.values.is_empty() || field.values.iter().any(|v| v == text), "{at}: {text}");
            }
            field.fields.iter().for_each(|f| check(&at, f));
        }
        for t in types() {
            assert!(t.doc.ends_with('.') && t.version > 0 && !t.outputs.is_empty(), "{}", t.name);
            t.fields.iter().for_each(|f| check(&t.name, f));
            let names: BTreeSet<_> = t.fields.iter().map(|f| &f.name).collect();
            assert_eq!(names.len(), t.fields.len(), "{} has a field twice", t.name);
        }
    }

    #[test]
    fn forms() {
        for (form, right, wrong) in [
            (Form::Cidr, "10.0.0.0/16 0.0.0.0/0", "10.0.0.0 10.0.0/8 256.0.0.0/8 1.2.3.4/33 +1.2.3.4/8 1.2.3.4/+8"),
            (Form::Domain, "a.b shop.example.com *.x.io", "a -a.b A.b a..b .a.b a.b."),
            (Form::Path, "/ /a/b", "a "),
            (Form::Word, "a a-1_b", "1a -a"),
            (Form::Version, "17 8.0", "a 1. .1 1.a"),
            (Form::Image, "nginx r.io/a:1", "/a"),
        ] {
            assert!(right.split(' ').all(|t| form.holds(t)), "{form:?} {right}");
            wrong.split(' ').for_each(|t| assert!(!form.holds(t), "{form:?} {t}"));
        }
        assert!(Form::Cron.holds("0 3 * * 1-5") && !Form::Cron.holds("0 3 * *") && !Form::Cron.holds("0  3 * *"));
        assert!(Form::SshKey.holds("ssh-ed25519 AAAAC3 me") && !Form::SshKey.holds("ssh-ed25519 "));
    }
}

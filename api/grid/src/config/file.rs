//! The TOML file as settings with their places; unknown names and wrong types as mistakes with carets.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::keys::{self, Key};
use super::report::{Excerpt, Mistake, Place};
use super::suggest::closest;
use super::value::Kind;

/// One setting of the file.
pub(crate) struct FileSetting {
    pub(crate) key: &'static Key,
    pub(crate) text: String,
    pub(crate) excerpt: Excerpt,
}

/// Reads a file's text.
pub(crate) fn read(path: &str, source: &str, mistakes: &mut Vec<Mistake>) -> Vec<FileSetting> {
    let (document, errors) = DeTable::parse_recoverable(source);
    for error in errors {
        let excerpt = Excerpt::cut(path, source, error.span().unwrap_or(0..0));
        mistakes.push(Mistake { what: error.message().to_owned(), place: Place::File(excerpt), hint: None });
    }
    let mut reader = Reader { path, source, mistakes, found: Vec::new() };
    for (name, value) in document.get_ref().iter() {
        reader.section(name.get_ref(), name.span(), value.get_ref(), value.span());
    }
    let mut found = reader.found;
    found.sort_by_key(|s| s.excerpt.line);
    mistakes.sort_by_key(|m| match &m.place {
        Place::File(e) => (e.line, e.column),
        Place::Other(_) => (usize::MAX, 0),
    });
    found
}

struct Reader<'a> {
    path: &'a str,
    source: &'a str,
    mistakes: &'a mut Vec<Mistake>,
    found: Vec<FileSetting>,
}

impl Reader<'_> {
    fn section(&mut self, name: &str, name_span: Range<usize>, value: &DeValue<'_>, value_span: Range<usize>) {
        let sections = keys::sections();
        if !sections.contains(&name) {
            let hint = match closest(name, sections.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                // A key at the top that belongs into a section is the second most common slip.
                None => match keys::KEYS.iter().find(|k| k.path.split_once('.').is_some_and(|(_, key)| key == name)) {
                    Some(key) => format!("it belongs into a section: `{}`", key.path),
                    None => format!("sections are {}", sections.join(", ")),
                },
            };
            return self.mistake(format!("unknown section `{name}`"), name_span, Some(hint));
        }
        let DeValue::Table(table) = value else {
            return self.mistake(
                format!("`{name}` is a section, not a value"),
                value_span,
                Some(format!("write [{name}] on its own line and keys below")),
            );
        };
        for (key, value) in table.iter() {
            self.key(name, key.get_ref(), key.span(), value.get_ref(), value.span());
        }
    }

    fn key(&mut self, section: &str, name: &str, span: Range<usize>, value: &DeValue<'_>, value_span: Range<usize>) {
        let path = format!("{section}.{name}");
        let Some(key) = keys::find(&path) else {
            let known: Vec<&str> = keys::of_section(section).collect();
            let hint = match closest(name, known.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("keys of [{section}] are {}", known.join(", ")),
            };
            return self.mistake(format!("unknown key `{path}`"), span, Some(hint));
        };
        let text = match (key.kind, value) {
            (Kind::Bool, DeValue::Boolean(b)) => b.to_string(),
            (Kind::Bytes | Kind::Count { .. }, DeValue::Integer(n)) => n.as_str().replace('_', ""),
            (Kind::List, DeValue::Array(items)) if items.iter().all(|i| i.get_ref().is_str()) => {
                let words: Vec<&str> = items.iter().filter_map(|i| i.get_ref().as_str()).collect();
                words.join(",")
            }
            (Kind::Bool | Kind::Count { .. }, DeValue::String(_)) => {
                let hint = Some(format!("`{path}` takes {}, without quotes", key.kind.expected()));
                return self.mistake(format!("`{path}` is of the wrong type"), value_span, hint);
            }
            (_, DeValue::String(s)) => s.clone().into_owned(),
            _ => {
                let hint = Some(format!("`{path}` takes {}", key.kind.expected()));
                return self.mistake(format!("`{path}` is of the wrong type"), value_span, hint);
            }
        };
        if let Err(what) = key.kind.read(&text) {
            return self.mistake(format!("`{path}`: {what}"), value_span, None);
        }
        let excerpt = Excerpt::cut(self.path, self.source, span);
        self.found.push(FileSetting { key, text, excerpt });
    }

    fn mistake(&mut self, what: String, span: Range<usize>, hint: Option<String>) {
        let excerpt = Excerpt::cut(self.path, self.source, span);
        self.mistakes.push(Mistake { what, place: Place::File(excerpt), hint });
    }
}

//! The names of the columns: which of them FOCUS knows, and whether all are named and ordered as it wants.

use crate::column::Column;
use crate::key_value::is_pascal;
use crate::limits::HEADER_MAX;
use crate::report::RuleResult;
use crate::rule::Header;
use crate::version::Version;

/// A header, read.
pub(super) struct HeaderRead {
    /// FOCUS' columns and where they are.
    pub(super) columns: Vec<(Column, usize)>,
    names: Vec<Name>,
}

struct Name {
    text: String,
    kind: NameKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum NameKind {
    /// Of the version.
    Focus,
    /// `x_...`.
    Custom,
    /// Neither: a column of another version, or a stray one.
    Stray,
}

impl HeaderRead {
    pub(super) fn new(header: &[&str], version: Version) -> Self {
        let (mut columns, mut names) = (Vec::new(), Vec::new());
        for (at, text) in header.iter().enumerate().take(HEADER_MAX) {
            let found = find(text).filter(|c| c.is_in(version) && !columns.iter().any(|(known, _)| known == c));
            let kind = match found {
                Some(column) => {
                    columns.push((column, at));
                    NameKind::Focus
                }
                None if is_custom(text) => NameKind::Custom,
                None => NameKind::Stray,
            };
            names.push(Name { text: (*text).to_owned(), kind });
        }
        Self { columns, names }
    }

    /// Whether the file has a column.
    pub(super) fn has(&self, column: Column) -> bool {
        self.columns.iter().any(|(c, _)| *c == column)
    }

    /// Runs a rule on names.
    pub(super) fn run(&self, detail: Header, out: &mut RuleResult) {
        let last_focus = self.names.iter().rposition(|n| n.kind == NameKind::Focus);
        let first_custom = self.names.iter().position(|n| n.kind != NameKind::Focus);
        for (at, name) in self.names.iter().enumerate() {
            let own = name.text.strip_prefix("x_").unwrap_or(&name.text);
            let concerned = match detail {
                Header::Pascal | Header::FocusFirst => name.kind == NameKind::Focus,
                Header::Alphanumeric | Header::Length => name.kind != NameKind::Custom,
                Header::CustomPrefix | Header::CustomLast => name.kind != NameKind::Focus,
                Header::CustomName => name.kind == NameKind::Custom,
            };
            let keeps = match detail {
                Header::Pascal => is_pascal(&name.text),
                Header::Alphanumeric => !own.is_empty() && own.bytes().all(|b| b.is_ascii_alphanumeric()),
                Header::Length => name.text.chars().count() <= 50,
                Header::CustomPrefix => name.kind == NameKind::Custom,
                Header::CustomName => is_pascal(own) && name.text.chars().count() <= 50,
                Header::FocusFirst => first_custom.is_none_or(|first| at < first),
                Header::CustomLast => last_focus.is_none_or(|last| at > last),
            };
            if concerned {
                out.checked += 1;
                if !keeps {
                    super::violate(out, super::HEADER, "header", || name.text.clone());
                }
            }
        }
    }
}

fn is_custom(name: &str) -> bool {
    name.starts_with("x_")
}

/// A column by its name, in any case and with any punctuation.
fn find(name: &str) -> Option<Column> {
    if is_custom(name) {
        return None;
    }
    Column::parse(name).or_else(|| {
        let bare: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        Column::ALL.iter().copied().find(|c| c.name().eq_ignore_ascii_case(&bare))
    })
}

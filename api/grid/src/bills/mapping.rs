//! Mapping files (`--mapping FILE.toml`): read, and their mistakes shown with a caret.

use std::sync::Arc;

use grid_decode::bill::{Declared, MappingError};

use crate::config::report::{Excerpt, Mistake, Place};
use crate::config::suggest::closest;

/// A mapping and the text that it was read from.
#[derive(Debug, Clone)]
pub(crate) struct MappingFile {
    /// The mapping.
    pub(crate) declared: Arc<Declared>,
    path: String,
    text: String,
}

impl MappingFile {
    /// Reads a mapping; the error shows all mistakes with their places.
    pub(crate) fn read(path: &str, text: String) -> Result<Self, String> {
        match Declared::parse(&text) {
            Ok(declared) => Ok(Self { declared: Arc::new(declared), path: path.to_owned(), text }),
            Err(mistakes) => {
                let count = match mistakes.len() {
                    1 => "1 mistake in the mapping".to_owned(),
                    n => format!("{n} mistakes in the mapping"),
                };
                let shown: Vec<String> = mistakes.iter().map(|m| show(path, &text, m)).collect();
                Err(format!("{count}\n{}", shown.join("\n")))
            }
        }
    }

    /// The mapping's own text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// A mistake with its place.
    pub(crate) fn show(&self, mistake: &MappingError) -> String {
        show(&self.path, &self.text, mistake)
    }
}

fn show(path: &str, text: &str, mistake: &MappingError) -> String {
    let meant = mistake.unknown.as_ref().map(|(typed, known)| {
        let known = known.iter().map(String::as_str);
        match closest(typed, known.clone()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => {
                const SHOWN: usize = 12;
                let mut list: Vec<&str> = known.clone().take(SHOWN).collect();
                list.extend(known.clone().nth(SHOWN).map(|_| "..."));
                format!("there are {}", list.join(", "))
            }
        }
    });
    let place = Place::File(Excerpt::cut(path, text, mistake.span.clone()));
    Mistake { what: mistake.what.clone(), place, hint: meant.or_else(|| mistake.hint.clone()) }.to_string()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn mistakes_have_a_caret() {
        let text = "name = \"oci\"\ncurrency = \"USD\"\n[columns]\nBiledCost = \"cost/myCost\"\n".to_owned();
        let shown = MappingFile::read("oci.toml", text).map(|_| ()).unwrap_err();
        expect![[r#"
            1 mistake in the mapping
            error: unknown column of FOCUS "BiledCost"
             --> oci.toml:4:1
              |
            4 | BiledCost = "cost/myCost"
              | ^^^^^^^^^ did you mean `BilledCost`?
        "#]]
        .assert_eq(&shown);
    }
}

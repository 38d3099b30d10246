//! `grid config show`: the settings in force, as TOML that can be read back, or with their origins.

use std::path::Path;
use std::process::ExitCode;

use crate::args::ConfigCommand;
use crate::config::{Config, Shown};
use crate::{out, setup};

/// Prints the settings.
pub(crate) fn run(file: Option<&Path>, command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    let ConfigCommand::Show { origin, serve } = command;
    let config = setup::config(file, serve.settings())?;
    out::bytes(show(&config, *origin).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn show(config: &Config, origin: bool) -> String {
    let mut text = String::new();
    let mut section = "";
    let lines = config.show();
    let width = lines.iter().map(|s| assignment(s).len()).max().unwrap_or(0);
    for shown in &lines {
        let (of, _) = shown.path.split_once('.').unwrap_or(("", shown.path));
        if of != section {
            text.push_str(&format!("{}[{of}]\n", if section.is_empty() { "" } else { "\n" }));
            section = of;
        }
        let line = assignment(shown);
        if origin {
            text.push_str(&format!("{line:width$}  # {}\n", shown.origin));
        } else {
            text.push_str(&format!("{line:width$}  # {}\n", shown.about));
        }
    }
    text
}

fn assignment(shown: &Shown) -> String {
    let (_, key) = shown.path.split_once('.').unwrap_or(("", shown.path));
    if shown.quoted {
        // A JSON string is a TOML basic string as long as it holds no control characters above 0x1f, which JSON escapes too.
        format!("{key} = {}", serde_json::Value::from(shown.text.as_str()))
    } else {
        format!("{key} = {}", shown.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Sources;

    #[test]
    fn what_is_shown_can_be_read_back() {
        let environment = vec![
            ("GRID__STORAGE__DATA_DIR".to_owned(), "/a \"b\"\\c".to_owned()),
            ("GRID__GUARD__ALLOWED_HOSTS".to_owned(), "a.example,b.example".to_owned()),
            ("GRID__QUERY__ROWS_MAX".to_owned(), "5".to_owned()),
        ];
        let first = Config::load(&Sources { environment, ..Sources::default() }).unwrap();
        for origin in [false, true] {
            let file = Some(("shown.toml".to_owned(), show(&first, origin)));
            let second = Config::load(&Sources { file, ..Sources::default() }).map_err(|e| e.to_string()).unwrap();
            let texts = |c: &Config| c.show().into_iter().map(|s| (s.path, s.text)).collect::<Vec<_>>();
            assert_eq!(texts(&first), texts(&second));
        }
    }
}

//! A report as columns of text, as Markdown, and its groups as CSV.

use super::document::{Cell, Document, Section};
use crate::finance::report::CostReport;

/// Longest word of a table for a terminal; longer ones end in `…`.
const WORD_CHARS_MAX: usize = 44;

/// Columns of text.
pub fn table(document: &Document) -> String {
    let mut out = format!("{}\n", document.title);
    for (name, value) in &document.facts {
        out.push_str(&format!("  {name:<14}{value}\n"));
    }
    for section in &document.sections {
        out.push_str(&format!("\n{}\n", section.title));
        columns(section, &mut out);
    }
    out.push_str("\nEvery number's SQL: -o json, markdown or html.\n");
    out
}

fn columns(section: &Section, out: &mut String) {
    if section.rows.is_empty() {
        out.push_str(&format!("  {}\n", section.note.as_deref().unwrap_or("nothing")));
        return;
    }
    let short = |text: String| match text.chars().count() > WORD_CHARS_MAX {
        true => text.chars().take(WORD_CHARS_MAX - 1).chain(['…']).collect(),
        false => text,
    };
    let cells: Vec<Vec<String>> =
        section.rows.iter().map(|row| row.iter().map(|c| short(c.text())).collect()).collect();
    let right: Vec<bool> =
        (0..section.head.len()).map(|i| section.rows.iter().any(|r| r.get(i).is_some_and(Cell::is_number))).collect();
    let mut widths: Vec<usize> = section.head.iter().map(|h| h.chars().count()).collect();
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&section.head).chain(&cells) {
        let mut line = String::from(" ");
        for ((cell, width), right) in row.iter().zip(&widths).zip(&right) {
            let pad = " ".repeat(width - cell.chars().count());
            line.push_str(&if *right { format!(" {pad}{cell} ") } else { format!(" {cell}{pad} ") });
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// Markdown, with the statements in folds.
pub fn markdown(document: &Document) -> String {
    let mut out = format!("# {}\n\n", document.title);
    for (name, value) in &document.facts {
        out.push_str(&format!("- **{name}**: {}\n", plain(value)));
    }
    for section in &document.sections {
        out.push_str(&format!("\n## {}\n", section.title));
        if let Some(note) = &section.note {
            out.push_str(&format!("\n{note}\n"));
        }
        if !section.rows.is_empty() {
            let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            out.push('\n');
            out.push_str(&line(section.head.iter().map(|h| plain(h)).collect()));
            let number = |i: usize| section.rows.iter().any(|r| r.get(i).is_some_and(Cell::is_number));
            let rule = (0..section.head.len()).map(|i| if number(i) { "---:" } else { "---" }.to_owned());
            out.push_str(&line(rule.collect()));
            for row in &section.rows {
                out.push_str(&line(row.iter().map(|c| plain(&c.text())).collect()));
            }
        }
        let statements: Vec<&str> = section.sql.iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
        if !statements.is_empty() {
            out.push_str(&format!(
                "\n<details><summary>SQL</summary>\n\n```sql\n{};\n```\n\n</details>\n",
                statements.join(";\n\n")
            ));
        }
    }
    out
}

/// Text that a cell of Markdown takes as it is.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            _ => out.push(c),
        }
    }
    out
}

/// The groups as CSV (RFC 4180), exact.
pub fn csv(report: &CostReport) -> String {
    let mut out = String::new();
    let mut line = |fields: Vec<&str>| {
        let quoted = fields.into_iter().map(|f| {
            if f.contains([',', '"', '\n', '\r']) { format!("\"{}\"", f.replace('"', "\"\"")) } else { f.to_owned() }
        });
        out.push_str(&quoted.collect::<Vec<_>>().join(","));
        out.push('\n');
    };
    let mut head = vec!["from", "to", "currency"];
    head.extend(report.by.iter().map(String::as_str));
    head.extend(["cost", "share_percent", "before", "change", "change_percent"]);
    line(head);
    for item in &report.groups {
        let mut row = vec![report.period.from.as_str(), &report.period.to, &item.currency];
        let value = |name: &String| item.group.get(name).and_then(Option::as_deref).unwrap_or_default();
        row.extend(report.by.iter().map(value));
        let share = item.share_percent.as_deref().unwrap_or_default();
        row.extend([&item.cost, share, &item.before, &item.change, item.change_percent.as_deref().unwrap_or_default()]);
        line(row);
    }
    out
}

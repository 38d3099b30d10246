//! The catalog as a page of Markdown. A test holds `docs/resource-types.md` to it.

use crate::catalog::{Field, Kind, Type, types};
use crate::target::Cloud;
use crate::tier::{Tier, count, tier};

/// The generated part of the page: the table of types and clouds, then every type with its fields and outputs.
pub fn page() -> String {
    let mut text =
        String::from("| # | type | for | AWS | Azure | Google | Kubernetes |\n|---|---|---|---|---|---|---|\n");
    for (n, kind) in types().iter().enumerate() {
        let cells = Cloud::ALL.map(|cloud| tier(&kind.name, cloud).map_or("-", Tier::name));
        let star = if kind.lever { " \\*" } else { "" };
        text.push_str(&format!(
            "| {} | [{}](#{}){star} | {} | {} |\n",
            n + 1,
            kind.name,
            kind.name,
            kind.doc,
            cells.join(" | ")
        ));
    }
    text.push_str("\n| cells | AWS | Azure | Google | Kubernetes | all |\n|---|---|---|---|---|---|\n");
    for tier in Tier::ALL {
        let cells = |cloud| count(cloud).get(&tier).copied().unwrap_or_default().to_string();
        let each = Cloud::ALL.map(|cloud| cells(Some(cloud)));
        text.push_str(&format!("| {} | {} | {} |\n", tier.name(), each.join(" | "), cells(None)));
    }
    for kind in types() {
        text.push_str(&of(kind));
    }
    text
}

/// One type: its fields and outputs.
pub fn of(kind: &Type) -> String {
    let mut text = format!("\n### {}\n{} Version {}.\n", kind.name, kind.doc, kind.version);
    if !kind.fields.is_empty() {
        text.push_str("\n| field | kind | default | meaning |\n|---|---|---|---|\n");
        kind.fields.iter().for_each(|f| row(f, "", &mut text));
    }
    let outputs: Vec<_> =
        kind.outputs.iter().map(|o| format!("`{}` ({})", o.name, o.doc.trim_end_matches('.'))).collect();
    text + &format!("\nOutputs: {}.\n", outputs.join(", "))
}

fn row(field: &Field, of: &str, text: &mut String) {
    let bounds = match (field.min, field.max) {
        (Some(min), Some(max)) => format!(" {min} to {max}"),
        (Some(min), None) => format!(" from {min}"),
        (None, Some(max)) => format!(" to {max}"),
        (None, None) => String::new(),
    };
    let unit = field.unit.as_ref().map(|u| format!(" {u}")).unwrap_or_default();
    let what = match field.kind {
        Kind::Enum => field.values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", "),
        Kind::Reference => format!("a {}", field.to.join(" or ")),
        Kind::References => format!("list of {}{bounds}", field.to.join(", ")),
        Kind::Text => field.form.map_or("text".to_owned(), |f| format!("text like `{}`", f.example())),
        Kind::Integer => format!("integer{bounds}{unit}"),
        kind => format!("{}{bounds}", kind.what()),
    };
    let default = match &field.default {
        Some(value) => format!("`{}`", value.to_string().trim_matches('"')),
        None if field.required => "required".to_owned(),
        None => String::new(),
    };
    text.push_str(&format!("| `{of}{}` | {what} | {default} | {} |\n", field.name, field.doc));
    field.fields.iter().for_each(|f| row(f, &format!("{of}{}[].", field.name), text));
}

//! The `resource` blocks of a rendered folder: their names, their texts, and which resource each is of. The renderer writes a line `# KIND.NAME` before
//! what belongs to one resource, begins a block at the margin and ends it there; what several share stands in a file of its own.

use std::collections::{BTreeMap, BTreeSet};

use grid_types::Rendered;

/// A block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The resource that it belongs to, `vm.web`; `None` if several share it.
    pub(crate) of: Option<String>,
    /// Its text.
    pub(crate) text: String,
}

/// The `resource` blocks of a folder by their names, `aws_instance.web`.
pub(crate) fn blocks(rendered: &Rendered) -> BTreeMap<String, Block> {
    let mut found = BTreeMap::new();
    for text in rendered.files.values() {
        let (mut of, mut open): (Option<String>, Option<(String, String)>) = (None, None);
        let mut is_quoted = false;
        for line in text.lines() {
            // What somebody else wrote stands at the margin too, until the word alone ends it.
            let is_text = is_quoted;
            is_quoted = if is_quoted { line != "EOT" } else { line.ends_with("<<EOT") };
            if is_text && open.is_none() {
                continue;
            }
            if let Some((_, body)) = &mut open {
                body.push_str(line);
                body.push('\n');
                if !is_text
                    && line == "}"
                    && let Some((name, text)) = open.take()
                {
                    found.insert(name, Block { of: of.clone(), text });
                }
            } else if let Some(address) = line.strip_prefix("# ") {
                of = Some(address.to_owned());
            } else if let Some((kind, name)) = head(line) {
                let text = format!("{line}\n");
                let name = format!("{kind}.{name}");
                match line.ends_with("{}") {
                    true => drop(found.insert(name, Block { of: of.clone(), text })),
                    false => open = Some((name, text)),
                }
            }
        }
    }
    found
}

/// The labels of `resource "aws_instance" "web" {`.
fn head(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("resource \"")?;
    let (kind, rest) = rest.split_once("\" \"")?;
    Some((kind, rest.split_once('"')?.0))
}

/// Blocks that one folder has and the other has not, or otherwise.
pub(crate) fn changed(before: &BTreeMap<String, Block>, after: &BTreeMap<String, Block>) -> BTreeSet<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|n| before.get(*n).map(|b| &b.text) != after.get(*n).map(|b| &b.text)).cloned().collect()
}

/// Blocks of one resource.
pub(crate) fn of(blocks: &BTreeMap<String, Block>, address: &str) -> BTreeSet<String> {
    blocks.iter().filter(|(_, b)| b.of.as_deref() == Some(address)).map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use grid_types::{Cloud, Format, Spec, Target, render};

    /// Every block that the recipes of all types make is found, with its resource.
    #[test]
    fn what_recipes_make_is_found() {
        let spec = "resources:
  - {kind: network, name: main}
  - kind: vm
    name: web
    fields: {network: '${network.main}', ssh_public_key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops', user_data: \"#!/bin/sh\\n# vm.other\\nresource \\\"a\\\" \\\"b\\\" {\\n}\\n\"}
";
        let spec = Spec::read(spec, Format::Yaml).unwrap();
        for cloud in Cloud::HCL {
            let rendered = render(&spec, &Target::example(cloud)).unwrap();
            let found = blocks(&rendered);
            // The text that the machine begins with stands at the margin in some clouds.
            let heads = rendered.files.values().flat_map(|t| t.lines());
            let heads = heads.filter(|l| l.starts_with("resource ") && *l != "resource \"a\" \"b\" {");
            assert_eq!(found.len(), heads.count(), "{}", cloud.name());
            let own: BTreeSet<Option<&str>> = found.values().map(|b| b.of.as_deref()).collect();
            assert!(own.contains(&Some("vm.web")) && own.contains(&Some("network.main")), "{own:?}");
            assert!(own.iter().flatten().all(|a| ["vm.web", "network.main"].contains(a)), "{own:?}");
        }
    }

    #[test]
    fn what_changed_is_told() {
        let folder = |text: &str| blocks(&Rendered { files: [("main.tf".to_owned(), text.to_owned())].into() });
        let a = folder("# vm.a\nresource \"x\" \"a\" {\n  n = 1\n}\n\nresource \"y\" \"a\" {}\n");
        let b = folder("# vm.a\nresource \"x\" \"a\" {\n  n = 2\n}\n\n# vm.b\nresource \"x\" \"b\" {\n}\n");
        assert_eq!(changed(&a, &b), ["x.a", "x.b", "y.a"].map(str::to_owned).into());
        assert_eq!(changed(&a, &a), BTreeSet::new());
        assert_eq!(of(&a, "vm.a"), ["x.a", "y.a"].map(str::to_owned).into());
    }
}

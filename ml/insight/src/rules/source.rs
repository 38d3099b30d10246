//! Where rules come from: files that the settings name, for one tenant, and documents that tenants keep through the API.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use grid_model::TenantId;
use grid_rules::file::{ParseOptions, has_errors};
use grid_rules::{GroupSpec, Problem, RuleFile};
use grid_store::{DocumentKey, Store, StoreError};

use super::limits::{FILES_MAX, GROUPS_PER_TENANT_MAX, RULES_PER_TENANT_MAX};

/// The kind of document that a group of rules is; its name is `NAMESPACE/GROUP`.
pub const DOCUMENT_KIND: &str = "rules";

/// Which group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Whose.
    pub tenant: TenantId,
    /// The file's path, or the namespace.
    pub file: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.file, self.name)
    }
}

/// A problem of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// Which file, or which document.
    pub file: String,
    /// What; `None` if the file cannot be read at all.
    pub problem: Option<Problem>,
    /// In words.
    pub text: String,
}

/// What sources say.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The groups that are good.
    pub groups: BTreeMap<GroupKey, Arc<GroupSpec>>,
    /// What is wrong with the others.
    pub problems: Vec<FileProblem>,
    /// Files that could not be read or hold an error: their former groups stay in force.
    pub broken: Vec<String>,
}

impl Loaded {
    fn add(&mut self, tenant: &TenantId, file: &str, group: GroupSpec) {
        let own = self.groups.iter().filter(|(key, _)| key.tenant == *tenant);
        let (groups, rules) = own.fold((0, 0), |(n, rules), (_, g)| (n + 1, rules + g.rules.len()));
        if groups >= GROUPS_PER_TENANT_MAX || rules + group.rules.len() > RULES_PER_TENANT_MAX {
            let text = format!(
                "the group {:?} is left out: a tenant has at most {GROUPS_PER_TENANT_MAX} groups and {RULES_PER_TENANT_MAX} rules",
                group.name
            );
            self.problems.push(FileProblem { file: file.to_owned(), problem: None, text });
            return;
        }
        let key = GroupKey { tenant: tenant.clone(), file: file.to_owned(), name: group.name.clone() };
        self.groups.insert(key, Arc::new(group));
    }

    fn broken(&mut self, file: &str, text: String) {
        self.problems.push(FileProblem { file: file.to_owned(), problem: None, text });
        self.broken.push(file.to_owned());
    }

    fn problems(&mut self, file: &str, problems: Vec<Problem>) {
        if has_errors(&problems) {
            self.broken.push(file.to_owned());
        }
        let all = problems.into_iter().map(|problem| FileProblem {
            file: file.to_owned(),
            text: problem.to_string(),
            problem: Some(problem),
        });
        self.problems.extend(all);
    }
}

/// The files that patterns name, sorted: a directory stands for the `.yml` and `.yaml` in it, `*` and `?` for what they match.
pub fn files(patterns: &[String]) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for pattern in patterns {
        let path = Path::new(pattern);
        let all: Vec<PathBuf> = if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(|e| format!("read the folder {pattern}: {e}"))?;
            let is_yaml = |p: &PathBuf| p.extension().is_some_and(|e| e == "yml" || e == "yaml");
            entries.filter_map(|entry| entry.ok().map(|e| e.path())).filter(is_yaml).collect()
        } else if pattern.contains(['*', '?', '[']) {
            let matches = glob::glob(pattern).map_err(|e| format!("{pattern:?} is no pattern: {e}"))?;
            matches.filter_map(Result::ok).take(FILES_MAX + 1).collect()
        } else {
            vec![path.to_owned()]
        };
        found.extend(all);
        if found.len() > FILES_MAX {
            return Err(format!("there are more than {FILES_MAX} rule files"));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// When each file was last written, by which a change is seen.
pub fn stamps(files: &[PathBuf]) -> Vec<(PathBuf, Option<(SystemTime, u64)>)> {
    let stamp = |path: &PathBuf| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    };
    files.iter().map(|path| (path.clone(), stamp(path))).collect()
}

/// Reads files for a tenant.
pub fn load_files(files: &[PathBuf], tenant: &TenantId, options: &ParseOptions, into: &mut Loaded) {
    for path in files {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let (file, problems) = RuleFile::parse(&text, options);
                into.problems(&name, problems);
                file.groups.into_iter().for_each(|group| into.add(tenant, &name, group));
            }
            Err(e) => into.broken(&name, format!("cannot be read: {e}")),
        }
    }
}

/// The document of a group.
pub fn document_key(tenant: &TenantId, namespace: &str, group: &str) -> DocumentKey {
    DocumentKey { tenant: tenant.clone(), kind: DOCUMENT_KIND, name: format!("{namespace}/{group}") }
}

/// Reads the documents of a tenant.
pub async fn load_documents(
    store: &Store,
    tenant: &TenantId,
    options: &ParseOptions,
    into: &mut Loaded,
) -> Result<(), StoreError> {
    for document in store.catalog().documents(tenant, DOCUMENT_KIND).await? {
        let namespace = document.name.rsplit_once('/').map_or(document.name.as_str(), |(namespace, _)| namespace);
        let (group, problems) = RuleFile::parse_group(&document.body, options);
        into.problems(&document.name, problems);
        if let Some(group) = group {
            into.add(tenant, namespace, group);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_are_found_and_the_good_ones_kept() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("a.yml", "groups: [{name: a, rules: [{record: x, expr: '1'}]}]");
        write("b.yaml", "groups: [{name: b, rules: [{record: x, expr: '1 +'}, {record: y, expr: '1'}]}]");
        write("c.txt", "no rules");
        let of = |text: &str| files(&[text.to_owned()]).unwrap().len();
        let root = dir.path().display().to_string();
        assert_eq!((of(&root), of(&format!("{root}/*.yml")), of(&format!("{root}/none.yml"))), (2, 1, 1));
        let mut loaded = Loaded::default();
        let found = files(&[root.clone(), format!("{root}/none.yml")]).unwrap();
        load_files(&found, &TenantId::default_tenant(), &ParseOptions::default(), &mut loaded);
        let names: Vec<_> = loaded.groups.iter().map(|(key, g)| (key.name.as_str(), g.rules.len())).collect();
        assert_eq!(names, [("a", 1), ("b", 1)]);
        assert_eq!((loaded.problems.len(), loaded.broken.len()), (2, 2));
        assert!(files(&["[".to_owned()]).is_err());
    }
}

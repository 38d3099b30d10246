//! What an import does with the files it is given: skip, add or replace. A pure decision over what the catalog knows.
//!
//! A dataset is a source and an export's name. All files of one command, or of one manifest, are one import. Rows are added
//! unless the import replaces: with `--restate`, or as a newer version of a manifest, it hides every earlier row of the same
//! dataset, billing account and billing period. A file whose content is known is not imported again.

use std::collections::BTreeSet;

use grid_model::Timestamp;
use sha2::{Digest, Sha256};

/// A billing account and the start of one of its billing periods.
pub type Period = (String, Timestamp);

/// A file by its content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId {
    /// Lower-case hex of the SHA-256 of its bytes.
    pub sha256: String,
    /// Its name as shown to users.
    pub name: String,
}

/// An earlier import of the same dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub import_id: String,
    /// Its files.
    pub files: Vec<FileId>,
    /// The manifest's version, if it came with one.
    pub version: Option<String>,
    /// When that version was made, if its manifest said so.
    pub made: Option<Timestamp>,
    /// The periods it has rows in, each with the import that replaced it there, if one did.
    pub periods: Vec<(Period, Option<String>)>,
}

impl Known {
    /// The import that replaced this one in every period it had rows in.
    fn replaced_by(&self) -> Option<&str> {
        let mut last = None;
        for (_, by) in &self.periods {
            last = Some(by.as_deref()?);
        }
        last
    }

    fn hashes(&self) -> BTreeSet<&str> {
        self.files.iter().map(|f| f.sha256.as_str()).collect()
    }
}

/// What the user asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The files, in the order given.
    pub files: Vec<FileId>,
    /// The version of the manifest that lists them.
    pub version: Option<String>,
    /// When that version was made.
    pub made: Option<Timestamp>,
    /// Whether earlier rows of the same periods are to be replaced.
    pub restate: bool,
}

/// Why a file, or all of them, is not imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Skip {
    /// The same content is there.
    #[error("already imported as {import_id}")]
    Known {
        /// As which import.
        import_id: String,
    },
    /// The same content was there and has been replaced since.
    #[error("already imported as {import_id}, which {by} has replaced since (--restate brings it back)")]
    Replaced {
        /// As which import.
        import_id: String,
        /// What replaced it.
        by: String,
    },
    /// The manifest is older than what is there.
    #[error("its manifest is older than that of {import_id} (--restate imports it all the same)")]
    Older {
        /// The newer import.
        import_id: String,
    },
    /// The same content is given twice.
    #[error("the same content as {name}")]
    Twice {
        /// The file given before it.
        name: String,
    },
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The files to import; none if there is nothing to do.
    pub take: Vec<FileId>,
    /// The files not imported, with the reason.
    pub skip: Vec<(FileId, Skip)>,
    /// Whether earlier rows of the same account and period are hidden.
    pub replaces: bool,
    /// How often exactly these files were imported before and replaced since.
    pub revision: u32,
}

/// Decides what becomes of the files. `known` are the earlier imports of the same dataset, oldest first.
pub fn decide(request: &Request, known: &[Known]) -> Plan {
    let mut skip: Vec<(FileId, Skip)> = Vec::new();
    let mut distinct: Vec<FileId> = Vec::new();
    for file in &request.files {
        match distinct.iter().find(|f| f.sha256 == file.sha256) {
            Some(first) => skip.push((file.clone(), Skip::Twice { name: first.name.clone() })),
            None => distinct.push(file.clone()),
        }
    }
    let hashes: BTreeSet<&str> = distinct.iter().map(|f| f.sha256.as_str()).collect();
    let replaces = request.restate || request.version.is_some();
    let mut take = Vec::new();
    if replaces {
        match whole_set(request, &hashes, known) {
            Some(why) => skip.extend(distinct.iter().map(|f| (f.clone(), why.clone()))),
            None => take.clone_from(&distinct),
        }
    } else {
        for file in &distinct {
            let holders = known.iter().filter(|k| k.files.iter().any(|f| f.sha256 == file.sha256));
            // The latest import that still shows the file, else the latest that had it.
            let holder = holders.clone().rfind(|k| k.replaced_by().is_none()).or_else(|| holders.clone().next_back());
            match holder {
                Some(k) => skip.push((file.clone(), known_or_replaced(k))),
                None => take.push(file.clone()),
            }
        }
    }
    let taken: BTreeSet<&str> = take.iter().map(|f| f.sha256.as_str()).collect();
    let revision = known.iter().filter(|k| k.hashes() == taken).count() as u32;
    Plan { take, skip, replaces, revision }
}

/// Why a set of files that would replace earlier ones is not imported; `None` if it is.
fn whole_set(request: &Request, hashes: &BTreeSet<&str>, known: &[Known]) -> Option<Skip> {
    let mut same = known.iter().filter(|k| k.hashes() == *hashes);
    let same = same.clone().rfind(|k| k.replaced_by().is_none()).or_else(|| same.next_back());
    if request.restate {
        // Nothing to do only if exactly these files are what the periods show now.
        let same = same?;
        let shown_everywhere = same.periods.iter().all(|(_, by)| by.is_none());
        let alone = known.iter().filter(|k| k.import_id != same.import_id).all(|k| {
            let shares = |p: &(Period, Option<String>)| p.1.is_none() && same.periods.iter().any(|(q, _)| *q == p.0);
            !k.periods.iter().any(shares)
        });
        return (shown_everywhere && alone).then(|| Skip::Known { import_id: same.import_id.clone() });
    }
    if let Some(same) = same {
        return Some(known_or_replaced(same));
    }
    let newer = known.iter().rfind(|k| k.made.zip(request.made).is_some_and(|(theirs, ours)| theirs > ours))?;
    Some(Skip::Older { import_id: newer.import_id.clone() })
}

fn known_or_replaced(k: &Known) -> Skip {
    match k.replaced_by() {
        Some(by) => Skip::Replaced { import_id: k.import_id.clone(), by: by.to_owned() },
        None => Skip::Known { import_id: k.import_id.clone() },
    }
}

/// The id of an import: the same for the same tenant, dataset, files and revision, so that a repeated attempt after a crash
/// is the same import.
pub fn import_id(tenant: &str, source: &str, dataset: &str, take: &[FileId], revision: u32) -> String {
    let mut hashes: Vec<&str> = take.iter().map(|f| f.sha256.as_str()).collect();
    hashes.sort_unstable();
    let mut digest = Sha256::new();
    for part in [tenant, source, dataset, &revision.to_string()].into_iter().chain(hashes) {
        // A length before each part keeps ("ab", "c") and ("a", "bc") apart.
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    format!("imp-{}", &hex::encode(digest.finalize())[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> FileId {
        FileId { sha256: format!("hash-{name}"), name: name.to_owned() }
    }

    /// An import of `files` with rows in `periods`; a period `p>x` has been replaced by import `x`.
    fn known(id: &str, files: &str, periods: &str, version: Option<(&str, i64)>) -> Known {
        let period = |p: &str| {
            let (name, by) = p.split_once('>').map_or((p, None), |(n, by)| (n, Some(by.to_owned())));
            ((name.to_owned(), Timestamp(0)), by)
        };
        Known {
            import_id: id.to_owned(),
            files: files.split_whitespace().map(file).collect(),
            version: version.map(|(v, _)| v.to_owned()),
            made: version.map(|(_, at)| Timestamp(at)),
            periods: periods.split_whitespace().map(period).collect(),
        }
    }

    fn show(plan: &Plan) -> String {
        let mut out: Vec<String> = plan.take.iter().map(|f| format!("+{}", f.name)).collect();
        out.extend(plan.skip.iter().map(|(f, why)| format!("-{}: {why}", f.name)));
        if !plan.take.is_empty() && plan.replaces {
            out.push("replaces".to_owned());
        }
        if plan.revision > 0 && !plan.take.is_empty() {
            out.push(format!("revision {}", plan.revision));
        }
        out.join("; ")
    }

    #[test]
    fn files_without_a_manifest() {
        let i1 = || known("I1", "a", "p", None);
        let replaced = || vec![known("I1", "a", "p>I2", None), known("I2", "b", "p", None)];
        let back_again =
            || vec![known("I1", "a", "p>I2", None), known("I2", "b", "p>I3", None), known("I3", "a", "p", None)];
        let cases: Vec<(&str, bool, Vec<Known>, &str)> = vec![
            ("a", false, vec![], "+a"),
            ("a b", false, vec![], "+a; +b"),
            ("a a", false, vec![], "+a; -a: the same content as a"),
            ("a", false, vec![i1()], "-a: already imported as I1"),
            ("a b", false, vec![i1()], "+b; -a: already imported as I1"),
            ("b", false, vec![i1()], "+b"),
            (
                "a",
                false,
                replaced(),
                "-a: already imported as I1, which I2 has replaced since (--restate brings it back)",
            ),
            ("a", false, back_again(), "-a: already imported as I3"),
            ("a", true, vec![], "+a; replaces"),
            ("b", true, vec![i1()], "+b; replaces"),
            ("a", true, vec![i1()], "-a: already imported as I1"),
            ("a b", true, vec![i1()], "+a; +b; replaces"),
            ("a", true, replaced(), "+a; replaces; revision 1"),
            ("a", true, back_again(), "-a: already imported as I3"),
            ("b", true, back_again(), "+b; replaces; revision 1"),
            // Another file has added to the period since: restating drops it.
            ("a", true, vec![i1(), known("I2", "b", "p", None)], "+a; replaces; revision 1"),
            // It has added to another period only.
            ("a", true, vec![i1(), known("I2", "b", "q", None)], "-a: already imported as I1"),
            // Replaced in one of two periods: still there for a plain import, to be brought back by a restatement.
            (
                "a",
                false,
                vec![known("I1", "a", "p>I2 q", None), known("I2", "b", "p", None)],
                "-a: already imported as I1",
            ),
            (
                "a",
                true,
                vec![known("I1", "a", "p>I2 q", None), known("I2", "b", "p", None)],
                "+a; replaces; revision 1",
            ),
            // A file without any row stays known.
            ("a", false, vec![known("I1", "a", "", None)], "-a: already imported as I1"),
        ];
        for (files, restate, known, expected) in cases {
            let request =
                Request { files: files.split_whitespace().map(file).collect(), restate, ..Request::default() };
            assert_eq!(show(&decide(&request, &known)), expected, "{files} restate={restate} {known:?}");
        }
    }

    #[test]
    fn manifests() {
        let v1 = || known("I1", "a b", "p", Some(("v1", 10)));
        let v2 = || vec![known("I1", "a b", "p>I2", Some(("v1", 10))), known("I2", "a c", "p", Some(("v2", 20)))];
        let cases: Vec<(&str, i64, bool, Vec<Known>, &str)> = vec![
            ("a b", 10, false, vec![], "+a; +b; replaces"),
            ("a b", 10, false, vec![v1()], "-a: already imported as I1; -b: already imported as I1"),
            // A newer version replaces as a whole, files that did not change included.
            ("a c", 20, false, vec![v1()], "+a; +c; replaces"),
            (
                "a b",
                10,
                false,
                v2(),
                "-a: already imported as I1, which I2 has replaced since (--restate brings it back); \
                 -b: already imported as I1, which I2 has replaced since (--restate brings it back)",
            ),
            ("a b", 10, true, v2(), "+a; +b; replaces; revision 1"),
            ("d", 15, false, v2(), "-d: its manifest is older than that of I2 (--restate imports it all the same)"),
            ("d", 15, true, v2(), "+d; replaces"),
        ];
        for (files, made, restate, known, expected) in cases {
            let request = Request {
                files: files.split_whitespace().map(file).collect(),
                version: Some("v".to_owned()),
                made: Some(Timestamp(made)),
                restate,
            };
            assert_eq!(show(&decide(&request, &known)), expected, "{files} made={made} restate={restate}");
        }
    }

    #[test]
    fn ids_depend_on_everything_but_the_order_of_files() {
        let id = |t, s, d, files: &[&str], r| import_id(t, s, d, &files.iter().map(|f| file(f)).collect::<Vec<_>>(), r);
        let base = id("t", "focus", "d", &["a", "b"], 0);
        assert_eq!(base, id("t", "focus", "d", &["b", "a"], 0));
        for other in [
            id("u", "focus", "d", &["a", "b"], 0),
            id("t", "aws-cur", "d", &["a", "b"], 0),
            id("t", "focus", "e", &["a", "b"], 0),
            id("t", "focus", "d", &["a"], 0),
            id("t", "focus", "d", &["a", "b"], 1),
            id("tf", "ocus", "d", &["a", "b"], 0),
        ] {
            assert_ne!(base, other);
        }
    }
}

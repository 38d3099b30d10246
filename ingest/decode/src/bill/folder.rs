//! A folder, or a bucket's prefix, full of exports: which of its files make one bill, and which versions are the newest.
//!
//! Providers write a manifest per export, billing period and run; [`plan`] finds the files that each lists, groups manifests by
//! export and period, and takes the newest of each. Without manifests the folders of a Hive partition (`BILLING_PERIOD=2026-01/`)
//! are a bill each, and else all data files together. A pure decision: the caller lists, and reads the manifests.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::Timestamp;

use super::date;
use super::manifest::Manifest;

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path below the folder, parts separated by `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// When it was last written, if that is known.
    pub modified: Option<Timestamp>,
}

/// Files that are one bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The export's name, if a manifest says so.
    pub name: Option<String>,
    /// What tells the group from others of the export: `BILLING_PERIOD=2026-01`, `20260101-20260201`; empty if nothing does.
    pub period: String,
    /// The manifest's version; `None` without a manifest.
    pub version: Option<String>,
    /// When that version was made.
    pub made: Option<Timestamp>,
    /// Paths of the files.
    pub files: Vec<String>,
    /// The accounts and periods that the manifest speaks of.
    pub speaks_of: BTreeSet<(String, Timestamp)>,
    /// Whether the files are all there is of their accounts and periods, so that they replace what is stored.
    pub replaces: bool,
    /// The manifest; `None` without one.
    pub manifest: Option<String>,
}

impl Group {
    /// What the group is called towards users.
    pub fn title(&self) -> String {
        let parts = [self.name.as_deref(), Some(self.period.as_str()), self.version.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().filter(|p| !p.is_empty()).collect();
        if parts.is_empty() { "the bill".to_owned() } else { parts.join(" ") }
    }
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folder {
    /// The bills, oldest period first.
    pub groups: Vec<Group>,
    /// Manifests that a newer one of the same export and period makes superfluous: path, and the newer one's.
    pub older: Vec<(String, String)>,
    /// Files that a manifest lists and that are not there: manifest, file.
    pub missing: Vec<(String, String)>,
    /// Data files that no manifest lists.
    pub unlisted: usize,
}

/// Whether a file may be a manifest.
pub fn is_manifest(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    name.ends_with("manifest.json")
}

/// Whether a file's name is that of a bill.
pub fn is_data(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    let hidden = name.starts_with(['.', '_']);
    let kinds = [".csv", ".csv.gz", ".gz", ".parquet", ".json", ".jsonl", ".ndjson"];
    !hidden && !is_manifest(path) && kinds.iter().any(|k| name.ends_with(k))
}

/// Decides what the files make. `manifests` are those of the files that could be read as one.
pub fn plan(entries: &[Entry], manifests: &[(String, Manifest)]) -> Folder {
    let mut folder = Folder::default();
    if manifests.is_empty() {
        folder.groups = partitions(entries);
        return folder;
    }
    let modified: BTreeMap<&str, Option<Timestamp>> = entries.iter().map(|e| (e.path.as_str(), e.modified)).collect();
    let mut exports: BTreeMap<(Option<&str>, String), Vec<&(String, Manifest)>> = BTreeMap::new();
    for entry in manifests {
        let (path, manifest) = entry;
        let period = partition(path).map(str::to_owned);
        let period = period.or_else(|| Some(manifest.period_start?.to_string()[..10].to_owned())).unwrap_or_default();
        exports.entry((manifest.name.as_deref(), period)).or_default().push(entry);
    }
    let mut listed: BTreeSet<&str> = BTreeSet::new();
    let by_name = by_file_name(entries);
    let mut groups = Vec::new();
    for ((name, period), versions) in exports {
        // AWS keeps a copy of the newest manifest above the folders of all versions.
        let newest = versions.iter().max_by_key(|(path, manifest)| {
            let depth = path.matches('/').count();
            let made = manifest.made.or_else(|| path.rsplit('/').find_map(time_in_name));
            (made, std::cmp::Reverse(depth), modified.get(path.as_str()).copied().flatten(), path.as_str())
        });
        let Some((newest_path, newest)) = newest else { continue };
        for (path, manifest) in &versions {
            for key in &manifest.files {
                let found = locate(key, path, &by_name);
                listed.extend(found);
            }
            if manifest.version != newest.version {
                folder.older.push((path.clone(), newest_path.clone()));
            }
        }
        let mut files = Vec::new();
        for key in &newest.files {
            match locate(key, newest_path, &by_name) {
                Some(found) => files.push(found.to_owned()),
                None => folder.missing.push((newest_path.clone(), key.clone())),
            }
        }
        groups.push(Group {
            name: name.map(str::to_owned),
            period,
            version: Some(newest.version.clone()),
            made: newest.made,
            files,
            speaks_of: newest.account.clone().zip(newest.period_start).into_iter().collect(),
            replaces: true,
            manifest: Some(newest_path.clone()),
        });
    }
    groups.sort_by(|a, b| (&a.period, a.made, &a.name).cmp(&(&b.period, b.made, &b.name)));
    folder.groups = groups;
    folder.unlisted = entries.iter().filter(|e| is_data(&e.path) && !listed.contains(e.path.as_str())).count();
    folder
}

/// Without manifests: a bill per partition, which is then all there is of its accounts and periods; else one bill of all.
fn partitions(entries: &[Entry]) -> Vec<Group> {
    let mut by_period: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in entries.iter().filter(|e| is_data(&e.path)) {
        let period = hive_partition(&entry.path).unwrap_or_default().to_owned();
        by_period.entry(period).or_default().push(entry.path.clone());
    }
    let group = |(period, mut files): (String, Vec<String>)| {
        files.sort_unstable();
        let replaces = !period.is_empty();
        Group {
            name: None,
            period,
            version: None,
            made: None,
            files,
            speaks_of: BTreeSet::new(),
            replaces,
            manifest: None,
        }
    };
    by_period.into_iter().map(group).collect()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The folder `NAME=VALUE` that a path goes through.
fn hive_partition(path: &str) -> Option<&str> {
    let (folders, _) = path.rsplit_once('/')?;
    folders
        .split('/')
        .find(|part| part.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty()))
}

/// The folder that names a period: a Hive partition, or `20260101-20260201`.
fn partition(path: &str) -> Option<&str> {
    let range = |part: &&str| {
        part.split_once('-')
            .is_some_and(|(a, b)| [a, b].iter().all(|day| day.len() == 8 && day.bytes().all(|c| c.is_ascii_digit())))
    };
    hive_partition(path).or_else(|| path.rsplit_once('/')?.0.split('/').find(range))
}

/// The time with which a folder's name begins, as those of versioned data exports do.
fn time_in_name(part: &str) -> Option<Timestamp> {
    let end = part.find('Z').map_or(part.len(), |z| z + 1);
    let text = part.get(..end)?;
    (text.len() >= 16).then(|| date::parse(text)).flatten().map(|read| read.time)
}

fn by_file_name(entries: &[Entry]) -> BTreeMap<&str, Vec<&str>> {
    let mut map: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in entries {
        map.entry(file_name(&entry.path)).or_default().push(&entry.path);
    }
    map
}

/// Where a file that a manifest lists lies: of those with its name, the one whose path ends most like the key, and among these the
/// one nearest to the manifest.
fn locate<'e>(key: &str, manifest: &str, by_name: &BTreeMap<&str, Vec<&'e str>>) -> Option<&'e str> {
    let key = match key.strip_prefix("s3://") {
        Some(url) => url.split_once('/')?.1,
        None => key,
    };
    let alike = |a: &mut dyn Iterator<Item = &str>, b: &mut dyn Iterator<Item = &str>| {
        let mut n = 0;
        while let (Some(x), Some(y)) = (a.next(), b.next()) {
            if x != y {
                break;
            }
            n += 1;
        }
        n
    };
    let candidates = by_name.get(file_name(key))?;
    candidates.iter().copied().max_by_key(|path| {
        let end = alike(&mut path.rsplit('/'), &mut key.rsplit('/'));
        let near = alike(&mut path.split('/'), &mut manifest.split('/'));
        // A partition is spelt alike for data and manifest, wherever in the tree the two lie.
        (end, partition(path) == partition(manifest), near, std::cmp::Reverse(path.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(paths: &[&str]) -> Vec<Entry> {
        paths.iter().map(|p| Entry { path: (*p).to_owned(), bytes: 1, modified: None }).collect()
    }

    fn manifest(name: &str, version: &str, files: &[&str]) -> Manifest {
        Manifest {
            name: Some(name.to_owned()),
            version: version.to_owned(),
            files: files.iter().map(|f| (*f).to_owned()).collect(),
            ..Manifest::default()
        }
    }

    fn show(folder: &Folder) -> String {
        let mut out = Vec::new();
        for g in &folder.groups {
            let version = g.version.as_deref().unwrap_or("-");
            out.push(format!("{} {version}{}: {}", g.period, if g.replaces { "!" } else { "" }, g.files.join(" ")));
        }
        out.extend(folder.older.iter().map(|(a, b)| format!("{a} is older than {b}")));
        out.extend(folder.missing.iter().map(|(m, f)| format!("{m} lists {f}, not there")));
        if folder.unlisted > 0 {
            out.push(format!("{} unlisted", folder.unlisted));
        }
        out.join("\n")
    }

    #[test]
    fn folders_without_manifests() {
        for (paths, expected) in [
            (&["b.csv", "a.parquet", "readme.md", "_SUCCESS", ".x.csv"][..], " -: a.parquet b.csv"),
            (
                &["data/BILLING_PERIOD=2026-02/x-1.parquet", "data/BILLING_PERIOD=2026-01/x-1.parquet"],
                "BILLING_PERIOD=2026-01 -!: data/BILLING_PERIOD=2026-01/x-1.parquet\n\
                 BILLING_PERIOD=2026-02 -!: data/BILLING_PERIOD=2026-02/x-1.parquet",
            ),
            (&[], ""),
        ] {
            assert_eq!(show(&plan(&entries(paths), &[])), expected, "{paths:?}");
        }
    }

    #[test]
    fn the_newest_version_of_each_period_wins() {
        // AWS, legacy: a copy of the newest manifest above the versions.
        let files = entries(&[
            "20260101-20260201/daily-Manifest.json",
            "20260101-20260201/a1/daily-Manifest.json",
            "20260101-20260201/a1/daily-1.csv.gz",
            "20260101-20260201/a2/daily-Manifest.json",
            "20260101-20260201/a2/daily-1.csv.gz",
            "20260201-20260301/daily-Manifest.json",
            "20260201-20260301/b1/daily-1.csv.gz",
            "stray.csv",
        ]);
        let list = |period: &str, version: &str| {
            let key = format!("prefix/daily/{period}/{version}/daily-1.csv.gz");
            manifest("daily", version, &[&key])
        };
        let manifests = vec![
            ("20260101-20260201/daily-Manifest.json".to_owned(), list("20260101-20260201", "a1")),
            ("20260101-20260201/a1/daily-Manifest.json".to_owned(), list("20260101-20260201", "a1")),
            ("20260101-20260201/a2/daily-Manifest.json".to_owned(), list("20260101-20260201", "a2")),
            ("20260201-20260301/daily-Manifest.json".to_owned(), list("20260201-20260301", "b1")),
        ];
        assert_eq!(
            show(&plan(&files, &manifests)),
            "20260101-20260201 a1!: 20260101-20260201/a1/daily-1.csv.gz\n\
             20260201-20260301 b1!: 20260201-20260301/b1/daily-1.csv.gz\n\
             20260101-20260201/a2/daily-Manifest.json is older than 20260101-20260201/daily-Manifest.json\n\
             1 unlisted"
        );
    }

    #[test]
    fn data_exports_in_both_delivery_modes() {
        // Overwritten in place: the manifest's file is found by its partition.
        let files = entries(&[
            "data/BILLING_PERIOD=2026-01/x-00001.snappy.parquet",
            "data/BILLING_PERIOD=2026-02/x-00001.snappy.parquet",
            "metadata/BILLING_PERIOD=2026-01/x-Manifest.json",
            "metadata/BILLING_PERIOD=2026-02/x-Manifest.json",
        ]);
        let list = |period: &str, v: &str| {
            manifest("x", v, &[&format!("s3://bucket/p/x/data/BILLING_PERIOD={period}/x-00001.snappy.parquet")])
        };
        let manifests = vec![
            ("metadata/BILLING_PERIOD=2026-01/x-Manifest.json".to_owned(), list("2026-01", "v1")),
            ("metadata/BILLING_PERIOD=2026-02/x-Manifest.json".to_owned(), list("2026-02", "v2")),
        ];
        assert_eq!(
            show(&plan(&files, &manifests)),
            "BILLING_PERIOD=2026-01 v1!: data/BILLING_PERIOD=2026-01/x-00001.snappy.parquet\n\
             BILLING_PERIOD=2026-02 v2!: data/BILLING_PERIOD=2026-02/x-00001.snappy.parquet"
        );
        // A new folder per run, named by its time.
        let run = |t: &str| format!("metadata/BILLING_PERIOD=2026-01/{t}-e/x-Manifest.json");
        let data = |t: &str| format!("data/BILLING_PERIOD=2026-01/{t}-e/x-1.parquet");
        let (old, new) = ("2026-01-02T03:04:05.000Z", "2026-01-03T03:04:05.000Z");
        let files = entries(&[&data(old), &data(new), &run(old), &run(new)]);
        let manifests = vec![
            (run(new), manifest("x", "z", &[&format!("s3://b/p/{}", data(new))])),
            (run(old), manifest("x", "y", &[&format!("s3://b/p/{}", data(old))])),
        ];
        let shown = show(&plan(&files, &manifests));
        assert!(shown.starts_with(&format!("BILLING_PERIOD=2026-01 z!: {}\n", data(new))), "{shown}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let files = entries(&["m/manifest.json", "m/part_0.csv"]);
        let manifests = vec![("m/manifest.json".to_owned(), manifest("f", "r", &["m/part_0.csv", "m/part_1.csv"]))];
        let shown = show(&plan(&files, &manifests));
        assert_eq!(shown, " r!: m/part_0.csv\nm/manifest.json lists m/part_1.csv, not there");
    }
}

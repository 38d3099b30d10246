//! Tables, and the document that keeps the latest of each part.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use crate::context::Context;
use crate::part;
use crate::system::Kind;

/// The document below the repository's root.
const DOCUMENT: &str = "docs/benchmarks.md";
/// What is above this line of the document is written by people.
const MARK: &str = "<!-- From here on written by `make bench`. -->";

/// What one part measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Section {
    /// The part.
    pub(crate) name: String,
    /// What was done, in a sentence or two.
    pub(crate) about: String,
    /// Head of the table.
    pub(crate) head: Vec<String>,
    /// The rows.
    pub(crate) rows: Vec<Vec<String>>,
    /// What a reader must know besides.
    pub(crate) notes: Vec<String>,
}

impl Section {
    pub(crate) fn new(name: &str, about: impl Into<String>, head: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            about: about.into(),
            head: head.iter().map(|h| (*h).to_owned()).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n{}\n", self.name, self.about)?;
        writeln!(f, "| {} |", self.head.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(self.head.len()))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        if !self.notes.is_empty() {
            writeln!(f)?;
        }
        for note in &self.notes {
            writeln!(f, "- {note}")?;
        }
        Ok(())
    }
}

/// What a run measured, and where.
pub(crate) struct Report {
    machine: String,
    sections: Vec<Section>,
    quick: bool,
}

impl Report {
    pub(crate) async fn new(context: &Context) -> anyhow::Result<Self> {
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':'));
        let model = model.map_or("unknown processor", |(_, name)| name.trim());
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = memory.lines().find_map(|l| l.strip_prefix("MemTotal:")).unwrap_or_default();
        let kib: f64 = kib.trim().trim_end_matches("kB").trim().parse().unwrap_or_default();
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mut versions = Vec::new();
        for kind in Kind::ALL {
            match kind.version().await {
                Ok(version) => versions.push(format!("{} {version}", kind.name())),
                Err(_) => versions.push(format!("no {} here", kind.name())),
            }
        }
        versions.push(format!("DataFusion {}", datafusion::DATAFUSION_VERSION));
        let date = chrono::DateTime::from_timestamp_nanos(grid_tests::now_ns()).format("%Y-%m-%d");
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default().to_owned();
        let machine = format!(
            "{date}; {} cores of {model}, {:.0} GiB, Linux {}; {}; load average at the start {load}; {} of each.",
            context.cores,
            kib / 1024.0 / 1024.0,
            kernel.trim(),
            versions.join(", "),
            match context.rounds {
                1 => "one run".to_owned(),
                rounds => format!("median of {rounds} runs"),
            }
        );
        Ok(Self { machine, sections: Vec::new(), quick: context.quick })
    }

    /// When, where and with what.
    pub(crate) fn machine(&self) -> &str {
        &self.machine
    }

    pub(crate) fn push(&mut self, section: Section) {
        self.sections.push(section);
    }

    /// Replaces the parts of the document that this run measured; the others stay, with the run that measured them.
    pub(crate) fn write(&self) -> anyhow::Result<PathBuf> {
        ensure!(!self.quick, "figures of a quick run are not for the document");
        let path = grid_tests::repository().join(DOCUMENT);
        let text = std::fs::read_to_string(&path).context("read the document")?;
        let (people, before) = text.split_once(MARK).with_context(|| format!("find {MARK:?} in {DOCUMENT}"))?;
        let mut out = format!("{people}{MARK}\n");
        for name in part::NAMES {
            let text = match self.sections.iter().find(|s| s.name == name) {
                Some(section) => format!("{section}\nMeasured {}\n", self.machine),
                None => match before.split("\n## ").skip(1).find(|s| s.lines().next() == Some(name)) {
                    Some(kept) => format!("## {}\n", kept.trim_end()),
                    None => continue,
                },
            };
            out.push('\n');
            out.push_str(&text);
        }
        std::fs::write(&path, out)?;
        Ok(path)
    }
}

/// A large number with separators: `1,234,567`.
pub(crate) fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    if number < 0.0 { format!("-{out}") } else { out }
}

/// A ratio: `2.13x`; a dash without a peer.
pub(crate) fn ratio(of: f64, to: Option<f64>) -> String {
    to.filter(|to| *to > 0.0).map_or_else(|| "-".to_owned(), |to| format!("{:.2}x", of / to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_separated() {
        assert_eq!([0.0, 999.0, 1000.4, 1_234_567.0].map(count), ["0", "999", "1,000", "1,234,567"]);
    }
}

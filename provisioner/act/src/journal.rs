//! What was meant and what came of it, written down in that order. An intent is durable before its call is made; so after a crash there is for every
//! call that may have happened an intent, and what has no outcome is looked up.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use grid_model::Timestamp;
use grid_plan::plan::Action;
use grid_plan::{Address, PlanId};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::executor::Token;
use crate::limits::ENTRY_BYTES_MAX;

/// One line of a journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Of which plan.
    pub plan: PlanId,
    /// To which resource.
    pub address: Address,
    /// What: a replacement has a deletion and a creation.
    pub action: Action,
    /// Its name.
    pub token: Token,
    /// When it was written.
    pub at: Timestamp,
    /// Meant, or what came of it.
    pub what: What,
}

/// Meant, or what came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// It is about to be done, allowed by somebody.
    Intent {
        /// Who allowed it.
        by: String,
        /// The id of what was there before, if something was: by it a deletion is looked up.
        was: Option<String>,
    },
    /// It was done; the id of what is there now, if something is.
    Done {
        /// The cloud's id.
        id: Option<String>,
        /// Whether it was found done by an earlier call, not done by this one.
        is_found: bool,
    },
    /// It was not done.
    Failed {
        /// Why.
        why: String,
    },
}

/// Why a journal was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file.
    #[error("{what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// A line in the middle that nobody can read. Only the last one may be cut short.
    #[error("{path}: line {line} of the journal cannot be read: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        why: String,
    },
    /// An entry that is too long.
    #[error("an entry of {0} bytes is longer than {ENTRY_BYTES_MAX}")]
    TooLong(usize),
    /// The writer was stopped.
    #[error("the journal is closed")]
    Closed,
}

/// Where entries rest.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Writes one entry; when this returns it is durable.
    async fn append(&self, entry: Entry) -> Result<(), JournalError>;

    /// All entries of a plan, in the order in which they were written.
    async fn entries(&self, plan: PlanId) -> Result<Vec<Entry>, JournalError>;
}

/// How far each action of a plan has come, by token: the last word on each.
pub fn outcomes(entries: &[Entry]) -> BTreeMap<Token, &Entry> {
    entries.iter().map(|e| (e.token.clone(), e)).collect()
}

/// A journal that is forgotten with the process: for dry runs and tests.
#[derive(Debug, Default)]
pub struct MemoryJournal(Mutex<Vec<Entry>>);

impl MemoryJournal {
    /// All entries of all plans.
    pub fn all(&self) -> Vec<Entry> {
        self.0.lock().clone()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, entry: Entry) -> Result<(), JournalError> {
        self.0.lock().push(entry);
        Ok(())
    }

    async fn entries(&self, plan: PlanId) -> Result<Vec<Entry>, JournalError> {
        Ok(self.0.lock().iter().filter(|e| e.plan == plan).cloned().collect())
    }
}

/// A journal in one file, a JSON object per line, synced with each entry. Writing blocks the thread for as long as the disk needs; entries are as
/// seldom as calls to a cloud.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    file: Mutex<File>,
}

impl FileJournal {
    /// Opens or creates. A last line that was cut short by a crash was never acknowledged and is taken away.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |what| move |source| JournalError::Io { what, path: path.to_owned(), source };
        let is_new = !path.exists();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io("open journal"))?;
        let whole = whole_lines(&file).map_err(io("read journal"))?;
        file.set_len(whole).map_err(io("cut journal"))?;
        file.seek(SeekFrom::End(0)).map_err(io("seek in journal"))?;
        file.sync_all().map_err(io("sync journal"))?;
        // A new file is there after a power cut only if its folder says so.
        if is_new && let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            File::open(folder).and_then(|f| f.sync_all()).map_err(io("sync folder of journal"))?;
        }
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }
}

/// Bytes up to the end of the last whole line.
fn whole_lines(file: &File) -> io::Result<u64> {
    let (mut reader, mut whole, mut line) = (BufReader::new(file), 0, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok(whole);
        }
        whole += read as u64;
    }
}

#[async_trait]
impl Journal for FileJournal {
    async fn append(&self, entry: Entry) -> Result<(), JournalError> {
        let io = |what| move |source| JournalError::Io { what, path: self.path.clone(), source };
        let mut line = serde_json::to_vec(&Line::of(&entry)).map_err(|e| JournalError::Io {
            what: "encode entry of",
            path: self.path.clone(),
            source: e.into(),
        })?;
        line.push(b'\n');
        if line.len() > ENTRY_BYTES_MAX {
            return Err(JournalError::TooLong(line.len()));
        }
        let mut file = self.file.lock();
        let before = file.stream_position().map_err(io("seek in journal"))?;
        let written = file.write_all(&line).and_then(|()| file.sync_data());
        if written.is_err() {
            // Half a line in the middle would hide all that follows.
            file.set_len(before).map_err(io("cut journal"))?;
            file.seek(SeekFrom::Start(before)).map_err(io("seek in journal"))?;
        }
        written.map_err(io("write journal"))
    }

    async fn entries(&self, plan: PlanId) -> Result<Vec<Entry>, JournalError> {
        let io = |source| JournalError::Io { what: "read journal", path: self.path.clone(), source };
        // One lock: a line is read whole or not at all.
        let _held = self.file.lock();
        let (mut found, reader) = (Vec::new(), BufReader::new(File::open(&self.path).map_err(io)?));
        for (n, line) in reader.lines().enumerate() {
            let line = line.map_err(io)?;
            let damaged = |why: String| JournalError::Damaged { path: self.path.clone(), line: n + 1, why };
            let line: Line = serde_json::from_str(&line).map_err(|e| damaged(e.to_string()))?;
            let entry = line.entry().map_err(damaged)?;
            if entry.plan == plan {
                found.push(entry);
            }
        }
        Ok(found)
    }
}

/// An entry as one line of JSON, without a line break.
pub fn line(entry: &Entry) -> Result<String, JournalError> {
    let text = serde_json::to_string(&Line::of(entry)).map_err(|e| JournalError::Io {
        what: "encode entry of",
        path: PathBuf::new(),
        source: e.into(),
    })?;
    if text.len() > ENTRY_BYTES_MAX { Err(JournalError::TooLong(text.len())) } else { Ok(text) }
}

/// The entry of a line; why not, if it is none.
pub fn of_line(text: &str) -> Result<Entry, String> {
    serde_json::from_str::<Line>(text).map_err(|e| e.to_string())?.entry()
}

/// An entry as it rests in a file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    plan: String,
    address: String,
    action: String,
    token: String,
    at: i64,
    #[serde(flatten)]
    what: LineWhat,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
enum LineWhat {
    Intent { by: String, was: Option<String> },
    Done { id: Option<String>, is_found: bool },
    Failed { why: String },
}

impl Line {
    fn of(entry: &Entry) -> Self {
        let what = match entry.what.clone() {
            What::Intent { by, was } => LineWhat::Intent { by, was },
            What::Done { id, is_found } => LineWhat::Done { id, is_found },
            What::Failed { why } => LineWhat::Failed { why },
        };
        Self {
            plan: entry.plan.to_string(),
            address: entry.address.to_string(),
            action: entry.action.to_string(),
            token: entry.token.text().to_owned(),
            at: entry.at.0,
            what,
        }
    }

    fn entry(self) -> Result<Entry, String> {
        let all = [Action::Create, Action::Update, Action::Replace, Action::Delete];
        let action = all.into_iter().find(|a| a.name() == self.action);
        Ok(Entry {
            plan: PlanId::parse(&self.plan).map_err(|e| e.to_string())?,
            address: Address::parse(&self.address).map_err(|e| e.to_string())?,
            action: action.ok_or_else(|| format!("{:?} is no action", self.action))?,
            token: Token::of_text(&self.token),
            at: Timestamp(self.at),
            what: match self.what {
                LineWhat::Intent { by, was } => What::Intent { by, was },
                LineWhat::Done { id, is_found } => What::Done { id, is_found },
                LineWhat::Failed { why } => What::Failed { why },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures::executor::block_on;

    fn entry(n: u8, what: What) -> Entry {
        let (plan, address) = (PlanId::of_digest([n; 32]), Address::parse("vm.a").unwrap());
        let token = Token::of(plan, &address, Action::Create);
        Entry { plan, address, action: Action::Create, token, at: Timestamp(5), what }
    }

    #[test]
    fn entries_rest_in_a_file_and_a_cut_line_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let all = [
            entry(1, What::Intent { by: "ada".to_owned(), was: None }),
            entry(2, What::Intent { by: "bob\n".to_owned(), was: Some("i-1".to_owned()) }),
            entry(1, What::Done { id: Some("i-2".to_owned()), is_found: true }),
            entry(1, What::Failed { why: "no".to_owned() }),
        ];
        let journal = FileJournal::open(&path).unwrap();
        for one in &all {
            block_on(journal.append(one.clone())).unwrap();
        }
        drop(journal);
        let size = std::fs::metadata(&path).unwrap().len();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"plan\":\"half").unwrap();
        let journal = FileJournal::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), size);
        let read = block_on(journal.entries(PlanId::of_digest([1; 32]))).unwrap();
        assert_eq!(read, [all[0].clone(), all[2].clone(), all[3].clone()]);
        assert!(matches!(outcomes(&read).values().next().unwrap().what, What::Failed { .. }));
        let long = entry(1, What::Failed { why: "x".repeat(ENTRY_BYTES_MAX) });
        assert!(matches!(block_on(journal.append(long)), Err(JournalError::TooLong(_))));
        std::fs::write(&path, "nothing\n").unwrap();
        let damaged = block_on(journal.entries(PlanId::of_digest([1; 32])));
        assert!(matches!(damaged, Err(JournalError::Damaged { line: 1, .. })));
    }
}

//! A disk as POSIX promises it, and no better: what was written is durable once its file was synced, a name once its folder
//! was. Anything else may survive a power cut in part.
//!
//! Assumed, as every journaling file system holds: names of one folder become durable in the order in which they were changed; a
//! rename is whole or not at all; a sector of 512 bytes is whole or not at all. Not assumed: that syncing a file makes its
//! name durable, any order between files or folders, that a length and the bytes below it go together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use rand::Rng;
use rand::rngs::StdRng;

use super::trace::Event;

/// What a disk writes at once or not at all.
const SECTOR: u64 = 512;

type NodeId = usize;
type Entries = BTreeMap<String, NodeId>;
const ROOT: NodeId = 0;

/// The state of a disk after the events so far.
#[derive(Debug, Clone)]
pub struct Disk<'t> {
    nodes: Vec<Node<'t>>,
    by_inode: HashMap<u64, NodeId>,
    /// Syncs under way: of what, and the first change that they need not cover.
    syncs: HashMap<u64, (NodeId, u64)>,
    /// Changes of names that are not durable, in order.
    names: Vec<NameChange>,
    /// Counts changes.
    clock: u64,
    memory: Memory,
}

/// What the disk does with changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// It may forget them.
    Forgetful,
    /// It forgets nothing: the state that a running program sees.
    Perfect,
}

#[derive(Debug, Clone)]
enum Node<'t> {
    File { durable: Vec<u8>, pending: Vec<Pending<'t>> },
    Folder { durable: Entries, now: Entries },
}

#[derive(Debug, Clone, Copy)]
struct Pending<'t> {
    when: u64,
    change: Change<'t>,
    /// A sync failed to bring it to the disk; the kernel then counts it as clean, and no later sync tries again.
    given_up: bool,
}

#[derive(Debug, Clone, Copy)]
enum Change<'t> {
    Write { at: u64, data: &'t [u8] },
    SetLen(u64),
}

/// Entries set or removed together, in one or two folders.
#[derive(Debug, Clone)]
struct NameChange {
    when: u64,
    sets: Vec<(NodeId, String, Option<NodeId>)>,
}

/// What survives of changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// What was changed first, over all files and folders.
    Prefix,
    /// Of each folder a prefix; of each write any of its sectors, each with this probability.
    Some(f64),
}

impl Survival {
    /// One of them.
    pub fn any(rng: &mut StdRng) -> Self {
        match rng.random_range(0..10) {
            0..2 => Self::Nothing,
            2 => Self::Everything,
            3..5 => Self::Prefix,
            _ => Self::Some([0.1, 0.5, 0.9][rng.random_range(0..3)]),
        }
    }
}

/// A tree of files as it is found after a cut: folders by path, files with their content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Paths of folders below the root.
    pub folders: BTreeSet<String>,
    /// Contents by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl<'t> Disk<'t> {
    /// An empty disk.
    pub fn new(memory: Memory) -> Self {
        let root = Node::Folder { durable: BTreeMap::new(), now: BTreeMap::new() };
        Self { nodes: vec![root], by_inode: HashMap::new(), syncs: HashMap::new(), names: Vec::new(), clock: 0, memory }
    }

    /// A disk that holds the files of a real folder, all durable.
    pub fn of_folder(root: &Path, memory: Memory) -> anyhow::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let mut disk = Self::new(memory);
        disk.by_inode.insert(std::fs::metadata(root)?.ino(), ROOT);
        let mut folders = vec![(root.to_owned(), ROOT)];
        while let Some((path, folder)) = folders.pop() {
            for entry in std::fs::read_dir(&path)? {
                let (entry, name) = entry.map(|e| (e.path(), e.file_name()))?;
                let (name, meta) = (name.into_string().ok().context("a name is not text")?, entry.metadata()?);
                let node = if meta.is_dir() {
                    Node::Folder { durable: BTreeMap::new(), now: BTreeMap::new() }
                } else {
                    Node::File { durable: std::fs::read(&entry)?, pending: Vec::new() }
                };
                let id = disk.add(meta.ino(), node);
                if meta.is_dir() {
                    folders.push((entry, id));
                }
                let (durable, now) = disk.folder(folder)?;
                durable.insert(name.clone(), id);
                now.insert(name, id);
            }
        }
        Ok(disk)
    }

    /// Changes what it does from now on.
    pub fn memory(&mut self, memory: Memory) {
        self.memory = memory;
    }

    fn add(&mut self, inode: u64, node: Node<'t>) -> NodeId {
        self.nodes.push(node);
        // A number that was used before belongs to the new file from now on.
        self.by_inode.insert(inode, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    /// Lets an event happen.
    pub fn apply(&mut self, event: &Event<'t>) -> anyhow::Result<()> {
        self.clock += 1;
        match *event {
            Event::Create { inode, path } => {
                let file = self.add(inode, Node::File { durable: Vec::new(), pending: Vec::new() });
                self.rename(vec![(path, Some(file))])
            }
            Event::Mkdir { inode, path } => {
                let folder = self.add(inode, Node::Folder { durable: BTreeMap::new(), now: BTreeMap::new() });
                self.rename(vec![(path, Some(folder))])
            }
            Event::Rename { from, to } => {
                let node = self.find(from)?;
                // Two names of one file: POSIX does nothing.
                if self.find(to).is_ok_and(|there| there == node) {
                    return Ok(());
                }
                self.rename(vec![(from, None), (to, Some(node))])
            }
            Event::Link { from, to } => {
                let node = self.find(from)?;
                self.rename(vec![(to, Some(node))])
            }
            Event::Unlink { path } | Event::Rmdir { path } => self.rename(vec![(path, None)]),
            Event::Write { inode, at, data } => self.change(inode, Change::Write { at, data }),
            Event::SetLen { inode, len } => self.change(inode, Change::SetLen(len)),
            Event::SyncBegin { inode, token } => {
                let node = self.node_of(inode)?;
                self.syncs.insert(token, (node, self.clock));
                Ok(())
            }
            Event::SyncEnd { token } => {
                let (node, before) = self.syncs.remove(&token).context("a sync ends that did not begin")?;
                self.settle(node, before);
                Ok(())
            }
            Event::SyncFailed { inode } => {
                let node = self.node_of(inode)?;
                if let (Node::File { pending, .. }, Memory::Forgetful) = (&mut self.nodes[node], self.memory) {
                    // Lengths are the journal's, which does not give up.
                    pending.iter_mut().for_each(|p| p.given_up |= matches!(p.change, Change::Write { .. }));
                }
                Ok(())
            }
            Event::Mark(_) | Event::Fault(_) => Ok(()),
        }
    }

    fn node_of(&self, inode: u64) -> anyhow::Result<NodeId> {
        self.by_inode.get(&inode).copied().with_context(|| format!("inode {inode} was never made"))
    }

    fn folder(&mut self, id: NodeId) -> anyhow::Result<(&mut Entries, &mut Entries)> {
        match &mut self.nodes[id] {
            Node::Folder { durable, now } => Ok((durable, now)),
            Node::File { .. } => bail!("a file stands where a folder should"),
        }
    }

    /// The node that a path leads to now.
    fn find(&self, path: &str) -> anyhow::Result<NodeId> {
        path.split('/').filter(|p| !p.is_empty()).try_fold(ROOT, |at, part| match &self.nodes[at] {
            Node::Folder { now, .. } => now.get(part).copied().with_context(|| format!("{path}: no {part}")),
            Node::File { .. } => bail!("{path}: {part} is below a file"),
        })
    }

    fn rename(&mut self, sets: Vec<(&str, Option<NodeId>)>) -> anyhow::Result<()> {
        let mut change = NameChange { when: self.clock, sets: Vec::new() };
        for (path, node) in sets {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let parent = self.find(parent)?;
            let perfect = self.memory == Memory::Perfect;
            let (durable, now) = self.folder(parent)?;
            set(now, name, node);
            if perfect {
                set(durable, name, node);
            }
            change.sets.push((parent, name.to_owned(), node));
        }
        if self.memory == Memory::Forgetful {
            self.names.push(change);
        }
        Ok(())
    }

    fn change(&mut self, inode: u64, change: Change<'t>) -> anyhow::Result<()> {
        let (id, when, memory) = (self.node_of(inode)?, self.clock, self.memory);
        let Node::File { durable, pending } = &mut self.nodes[id] else { bail!("a write to a folder") };
        match memory {
            Memory::Perfect => change.do_to(durable),
            Memory::Forgetful => pending.push(Pending { when, change, given_up: false }),
        }
        Ok(())
    }

    /// Makes durable what was changed of a file or folder before a moment.
    fn settle(&mut self, id: NodeId, before: u64) {
        match &mut self.nodes[id] {
            Node::File { durable, pending } => pending.retain(|p| {
                if p.when < before && !p.given_up {
                    p.change.do_to(durable);
                }
                p.when >= before
            }),
            Node::Folder { .. } => self.settle_names(&[(id, before)]),
        }
    }

    /// Makes changes of names durable: of each given folder those before a moment, and what these need in other folders, because
    /// a rename is whole and each folder keeps its order.
    fn settle_names(&mut self, folders: &[(NodeId, u64)]) {
        let mut bounds: HashMap<NodeId, u64> = folders.iter().copied().collect();
        let mut chosen = vec![false; self.names.len()];
        for (i, change) in self.names.iter().enumerate().rev() {
            if change.sets.iter().any(|(folder, ..)| bounds.get(folder).is_some_and(|b| change.when < *b)) {
                chosen[i] = true;
                for (folder, ..) in &change.sets {
                    let bound = bounds.entry(*folder).or_default();
                    *bound = (*bound).max(change.when + 1);
                }
            }
        }
        let names = std::mem::take(&mut self.names);
        for (change, chosen) in names.into_iter().zip(chosen) {
            if !chosen {
                self.names.push(change);
                continue;
            }
            for (folder, name, node) in &change.sets {
                if let Node::Folder { durable, .. } = &mut self.nodes[*folder] {
                    set(durable, name, *node);
                }
            }
        }
    }

    /// Cuts the power: what is on the disk then. Chance comes from `rng`.
    pub fn cut(&self, survival: Survival, rng: &mut StdRng) -> Tree {
        let end = self.clock + 1;
        let limit = match survival {
            Survival::Prefix => rng.random_range(self.oldest_pending()..=end),
            _ => end,
        };
        // Names first; only folders are needed of the copy.
        let mut after = Disk { names: self.names.clone(), ..Disk::new(Memory::Forgetful) };
        after.nodes = self.nodes.iter().map(Node::folder_only).collect();
        let folders: BTreeSet<NodeId> = self.names.iter().flat_map(|c| c.sets.iter().map(|s| s.0)).collect();
        let mut bounds = Vec::new();
        for folder in folders {
            let whens: Vec<u64> =
                self.names.iter().filter(|c| c.sets.iter().any(|s| s.0 == folder)).map(|c| c.when).collect();
            let bound = match survival {
                Survival::Nothing => 0,
                Survival::Everything | Survival::Prefix => limit,
                Survival::Some(_) => whens.get(rng.random_range(0..=whens.len())).copied().unwrap_or(end),
            };
            bounds.push((folder, bound));
        }
        after.settle_names(&bounds);
        let mut tree = Tree::default();
        let mut open = vec![(String::new(), ROOT)];
        while let Some((path, id)) = open.pop() {
            let Node::Folder { durable, .. } = &after.nodes[id] else { continue };
            for (name, child) in durable {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                match &self.nodes[*child] {
                    Node::Folder { .. } => {
                        tree.folders.insert(path.clone());
                        open.push((path, *child));
                    }
                    Node::File { durable, pending } => {
                        tree.files.insert(path, content(durable, pending, survival, limit, rng));
                    }
                }
            }
        }
        tree
    }

    fn oldest_pending(&self) -> u64 {
        let writes = self.nodes.iter().filter_map(|n| match n {
            Node::File { pending, .. } => pending.first().map(|p| p.when),
            Node::Folder { .. } => None,
        });
        writes.chain(self.names.first().map(|c| c.when)).min().unwrap_or(self.clock)
    }
}

impl Node<'_> {
    fn folder_only<'n>(&self) -> Node<'n> {
        match self {
            Node::File { .. } => Node::File { durable: Vec::new(), pending: Vec::new() },
            Node::Folder { durable, .. } => Node::Folder { durable: durable.clone(), now: BTreeMap::new() },
        }
    }
}

impl Change<'_> {
    fn do_to(self, bytes: &mut Vec<u8>) {
        match self {
            Self::SetLen(len) => bytes.resize(len as usize, 0),
            Self::Write { at, data } => put(bytes, at, data),
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: u64, data: &[u8]) {
    let (at, end) = (at as usize, at as usize + data.len());
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(data);
}

fn set(entries: &mut Entries, name: &str, node: Option<NodeId>) {
    match node {
        Some(node) => drop(entries.insert(name.to_owned(), node)),
        None => drop(entries.remove(name)),
    }
}

/// What is found in a file.
fn content(durable: &[u8], pending: &[Pending<'_>], survival: Survival, limit: u64, rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = durable.to_vec();
    let rate = match survival {
        Survival::Nothing => return bytes,
        Survival::Everything | Survival::Prefix => {
            pending.iter().filter(|p| p.when < limit).for_each(|p| p.change.do_to(&mut bytes));
            return bytes;
        }
        Survival::Some(rate) => rate,
    };
    let mut whole = durable.len() as u64;
    for p in pending {
        match p.change {
            Change::SetLen(len) => {
                whole = len;
                if rng.random_bool(rate) {
                    p.change.do_to(&mut bytes);
                }
            }
            Change::Write { at, data } => {
                let end = at + data.len() as u64;
                whole = whole.max(end);
                // Whole or gone are as likely as torn: programs err at each.
                match rng.random_range(0..3) {
                    0 if rng.random_bool(rate) => p.change.do_to(&mut bytes),
                    0 => {}
                    _ => {
                        let mut from = at;
                        while from < end {
                            let to = ((from / SECTOR + 1) * SECTOR).min(end);
                            if rng.random_bool(rate) {
                                put(&mut bytes, from, &data[(from - at) as usize..(to - at) as usize]);
                            }
                            from = to;
                        }
                    }
                }
            }
        }
    }
    // The length may be there without the bytes.
    if (bytes.len() as u64) < whole && rng.random_bool(0.3) {
        bytes.resize(whole as usize, 0);
    }
    bytes
}

impl Tree {
    /// Reads a real folder, without the files whose path `skip` knows.
    pub fn of_folder(root: &Path, skip: impl Fn(&str) -> bool) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        let mut open = vec![String::new()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(root.join(&folder))? {
                let entry = entry?;
                let name = entry.file_name().into_string().ok().context("a name is not text")?;
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                if skip(&path) {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    tree.folders.insert(path.clone());
                    open.push(path);
                } else {
                    tree.files.insert(path, std::fs::read(entry.path())?);
                }
            }
        }
        Ok(tree)
    }

    /// Writes it into a folder, which is emptied before.
    pub fn write(&self, root: &Path) -> anyhow::Result<()> {
        if root.exists() {
            std::fs::remove_dir_all(root)?;
        }
        std::fs::create_dir_all(root)?;
        for folder in &self.folders {
            std::fs::create_dir_all(root.join(folder))?;
        }
        for (path, bytes) in &self.files {
            std::fs::write(root.join(path), bytes)?;
        }
        Ok(())
    }

    /// Fails at the first difference.
    pub fn ensure_equal(&self, other: &Self) -> anyhow::Result<()> {
        ensure!(self.folders == other.folders, "folders: {:?} and {:?}", self.folders, other.folders);
        let names = |t: &Self| t.files.keys().cloned().collect::<BTreeSet<_>>();
        let (ours, theirs) = (names(self), names(other));
        let differ: Vec<_> = ours.symmetric_difference(&theirs).collect();
        ensure!(differ.is_empty(), "on one side only: {differ:?}");
        for (path, bytes) in &self.files {
            let (len, there) = (bytes.len(), other.files[path].len());
            ensure!(*bytes == other.files[path], "{path} differs: {len} and {there} bytes");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn after(events: &[Event<'static>]) -> Disk<'static> {
        let mut disk = Disk::new(Memory::Forgetful);
        disk.by_inode.insert(1, ROOT);
        events.iter().for_each(|e| disk.apply(e).unwrap());
        disk
    }

    fn left(disk: &Disk<'_>, survival: Survival) -> BTreeMap<String, Vec<u8>> {
        disk.cut(survival, &mut StdRng::seed_from_u64(1)).files
    }

    const MAKE: [Event<'static>; 2] =
        [Event::Create { inode: 2, path: "a" }, Event::Write { inode: 2, at: 0, data: b"one" }];

    #[test]
    fn a_synced_file_without_a_synced_name_is_lost() {
        let sync = [Event::SyncBegin { inode: 2, token: 1 }, Event::SyncEnd { token: 1 }];
        let mut events = [MAKE, sync].concat();
        assert_eq!(left(&after(&events), Survival::Nothing).len(), 0);
        events.extend([Event::SyncBegin { inode: 1, token: 2 }, Event::SyncEnd { token: 2 }]);
        assert_eq!(left(&after(&events), Survival::Nothing)["a"], b"one");
        // A later write, and one that comes while a sync is under way, are not covered.
        events.push(Event::SyncBegin { inode: 2, token: 3 });
        events.push(Event::Write { inode: 2, at: 3, data: b" two" });
        events.push(Event::SyncEnd { token: 3 });
        assert_eq!(left(&after(&events), Survival::Nothing)["a"], b"one");
        assert_eq!(left(&after(&events), Survival::Everything)["a"], b"one two");
    }

    #[test]
    fn what_a_failed_sync_gave_up_no_later_one_brings_back() {
        let names = [Event::SyncBegin { inode: 1, token: 1 }, Event::SyncEnd { token: 1 }];
        let mut events = [MAKE, names].concat();
        events.push(Event::SyncFailed { inode: 2 });
        events.push(Event::Write { inode: 2, at: 3, data: b"two" });
        events.extend([Event::SyncBegin { inode: 2, token: 2 }, Event::SyncEnd { token: 2 }]);
        assert_eq!(left(&after(&events), Survival::Everything)["a"], b"\0\0\0two");
    }

    #[test]
    fn a_rename_is_whole_and_names_keep_their_order() {
        let mut events = MAKE.to_vec();
        events.extend([
            Event::Mkdir { inode: 3, path: "d" },
            Event::Rename { from: "a", to: "d/b" },
            Event::Create { inode: 4, path: "c" },
        ]);
        events.extend([Event::SyncBegin { inode: 3, token: 1 }, Event::SyncEnd { token: 1 }]);
        // Syncing `d` brings the rename, hence what stands before it in the root: the making of `d`. Not `c` behind it.
        let disk = after(&events);
        assert_eq!(left(&disk, Survival::Nothing).keys().collect::<Vec<_>>(), ["d/b"]);
        for seed in 0..50 {
            let files = disk.cut(Survival::Some(0.5), &mut StdRng::seed_from_u64(seed)).files;
            assert!(files.contains_key("d/b") && !files.contains_key("a"), "{files:?}");
        }
    }
}

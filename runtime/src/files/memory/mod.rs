//! Files in memory that forget, at a crash, what was not synced.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{File, Files, check_path};
use crate::{Faults, Random, SeededRandom, Survives};

/// Number of the root directory.
const ROOT: u64 = 0;

/// A file tree in memory, for tests and simulation. Clones share the tree.
///
/// Harsher than most disks where POSIX allows it: a new file's name is lost without
/// [`Files::sync_dir`], and after a failed `sync_data` the bytes that it covered are never made
/// durable by a later one.
#[derive(Clone)]
pub struct MemoryFiles {
    tree: Arc<Mutex<Tree>>,
    faults: Arc<Faults>,
}

#[derive(Debug, Clone)]
struct Tree {
    /// Set by a crash: the tree's old handles are dead.
    crashed: bool,
    capacity: u64,
    used: u64,
    next: u64,
    nodes: BTreeMap<u64, Node>,
}

#[derive(Debug, Clone)]
enum Node {
    Dir {
        names: BTreeMap<String, u64>,
        durable: BTreeMap<String, u64>,
    },
    File(Content),
}

#[derive(Debug, Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl MemoryFiles {
    /// An empty tree without a limit.
    pub fn new() -> Self {
        Self::with_capacity(u64::MAX)
    }

    /// An empty tree whose files together hold at most `capacity` bytes; beyond it writes fail
    /// with `StorageFull`.
    pub fn with_capacity(capacity: u64) -> Self {
        let root = Node::Dir {
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
        };
        Self {
            tree: Arc::new(Mutex::new(Tree {
                crashed: false,
                capacity,
                used: 0,
                next: ROOT + 1,
                nodes: BTreeMap::from([(ROOT, root)]),
            })),
            faults: Arc::new(Faults::none()),
        }
    }

    /// The schedule of failing calls. Every call of the tree and of its files counts.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Changes the capacity; what is there already stays.
    pub fn set_capacity(&self, capacity: u64) {
        self.lock().capacity = capacity;
    }

    /// What a restart finds after a crash at this instant: synced bytes under synced names, and
    /// of the rest what `survives` says. Every handle to the tree as it was, clones and open
    /// files included, fails from now on. The new tree has no faults scheduled.
    #[must_use = "the tree as it was is dead"]
    pub fn crash(&self, survives: Survives) -> Self {
        let mut old = self.lock();
        let mut tree = old.clone();
        old.crashed = true;
        drop(old);
        tree.restart(survives);
        Self {
            tree: Arc::new(Mutex::new(tree)),
            faults: Arc::new(Faults::none()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: counted, failed if scheduled, refused after a crash.
    fn call(&self) -> io::Result<MutexGuard<'_, Tree>> {
        self.faults.check()?;
        let tree = self.lock();
        if tree.crashed {
            return Err(io::Error::other("file handle from before the crash"));
        }
        Ok(tree)
    }

    fn handle(&self, node: u64) -> Arc<dyn File> {
        Arc::new(MemoryFile {
            files: self.clone(),
            node,
        })
    }
}

impl Default for MemoryFiles {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = self.lock();
        f.debug_struct("MemoryFiles")
            .field("nodes", &tree.nodes.len())
            .field("used", &tree.used)
            .finish_non_exhaustive()
    }
}

impl Files for MemoryFiles {
    fn create(&self, path: &str) -> io::Result<Arc<dyn File>> {
        let mut tree = self.call()?;
        let (dir, name) = tree.parent(path)?;
        if tree.names(dir)?.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = tree.add(Node::File(Content::default()));
        tree.names(dir)?.insert(name.to_owned(), node);
        Ok(self.handle(node))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn File>> {
        let mut tree = self.call()?;
        let node = tree.find(path)?;
        tree.content(node)?;
        Ok(self.handle(node))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let mut tree = self.call()?;
        let dir = tree.find(dir)?;
        Ok(tree.names(dir)?.keys().cloned().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut tree = self.call()?;
        let (from_dir, from_name) = tree.parent(from)?;
        let (to_dir, to_name) = tree.parent(to)?;
        let node = tree.find(from)?;
        if let Ok(target) = tree.find(to)
            && (tree.names(target).is_ok() || tree.names(node).is_ok())
        {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        tree.names(from_dir)?.remove(from_name);
        tree.names(to_dir)?.insert(to_name.to_owned(), node);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut tree = self.call()?;
        let (dir, name) = tree.parent(path)?;
        let node = tree.find(path)?;
        if tree.names(node).is_ok_and(|names| !names.is_empty()) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        tree.names(dir)?.remove(name);
        if let Ok(content) = tree.content(node) {
            let freed = content.bytes.len() as u64;
            tree.used = tree.used.saturating_sub(freed);
        }
        Ok(())
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let mut tree = self.call()?;
        if let Ok(node) = tree.find(path) {
            return match tree.names(node) {
                Ok(_) => Ok(()),
                Err(_) => Err(io::ErrorKind::AlreadyExists.into()),
            };
        }
        let (dir, name) = tree.parent(path)?;
        let node = tree.add(Node::Dir {
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
        });
        tree.names(dir)?.insert(name.to_owned(), node);
        Ok(())
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        let mut tree = self.call()?;
        let node = tree.find(path)?;
        match tree.nodes.get_mut(&node) {
            Some(Node::Dir { names, durable }) => {
                durable.clone_from(names);
                Ok(())
            }
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn available_bytes(&self) -> io::Result<u64> {
        let tree = self.call()?;
        Ok(tree.capacity.saturating_sub(tree.used))
    }
}

impl Tree {
    fn add(&mut self, node: Node) -> u64 {
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, node);
        id
    }

    fn names(&mut self, node: u64) -> io::Result<&mut BTreeMap<String, u64>> {
        match self.nodes.get_mut(&node) {
            Some(Node::Dir { names, .. }) => Ok(names),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn content(&mut self, node: u64) -> io::Result<&mut Content> {
        match self.nodes.get_mut(&node) {
            Some(Node::File(content)) => Ok(content),
            Some(Node::Dir { .. }) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn find(&mut self, path: &str) -> io::Result<u64> {
        check_path(path)?;
        let mut node = ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let next = self.names(node)?.get(name).copied();
            node = next.ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(node)
    }

    fn parent<'p>(&mut self, path: &'p str) -> io::Result<(u64, &'p str)> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        check_path(path)?;
        if name.is_empty() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok((self.find(dir)?, name))
    }

    /// Books a file's new length, or refuses it for want of room.
    fn resize(&mut self, node: u64, len: u64) -> io::Result<()> {
        let old = self.content(node)?.bytes.len() as u64;
        let used = self.used.saturating_sub(old).saturating_add(len);
        if len > old && used > self.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.used = used;
        Ok(())
    }

    fn restart(&mut self, survives: Survives) {
        self.crashed = false;
        let seed = if let Survives::Random(seed) = survives {
            seed
        } else {
            0
        };
        let random = SeededRandom::new(seed);
        for node in self.nodes.values_mut() {
            match node {
                Node::Dir { names, durable } => {
                    let keep = match survives {
                        Survives::Nothing => false,
                        Survives::Everything => true,
                        Survives::Random(_) => random.below(2) == 0,
                    };
                    if keep {
                        durable.clone_from(names);
                    } else {
                        names.clone_from(durable);
                    }
                }
                Node::File(content) => content.restart(survives, &random),
            }
        }
        let mut reachable = vec![ROOT];
        let mut seen = std::collections::BTreeSet::new();
        while let Some(id) = reachable.pop() {
            if seen.insert(id)
                && let Some(Node::Dir { names, .. }) = self.nodes.get(&id)
            {
                reachable.extend(names.values());
            }
        }
        self.nodes.retain(|id, _| seen.contains(id));
        let sizes = self.nodes.values().map(|node| match node {
            Node::File(content) => content.bytes.len() as u64,
            Node::Dir { .. } => 0,
        });
        self.used = sizes.sum();
    }
}

impl Content {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.bytes);
        self.unsynced.push(change);
    }

    fn restart(&mut self, survives: Survives, random: &SeededRandom) {
        let changes = std::mem::take(&mut self.unsynced);
        let last = changes.len().saturating_sub(1);
        for (i, change) in changes.into_iter().enumerate() {
            match survives {
                Survives::Nothing => {}
                Survives::Everything => change.apply(&mut self.durable),
                Survives::Random(_) if random.below(2) == 0 => {
                    let change = if i == last {
                        change.torn(random)
                    } else {
                        change
                    };
                    change.apply(&mut self.durable);
                }
                Survives::Random(_) => {}
            }
        }
        self.bytes.clone_from(&self.durable);
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*offset..end].copy_from_slice(bytes);
            }
            Self::SetLen(len) => to.resize(*len, 0),
        }
    }

    /// A prefix of the write, as a power failure may leave it.
    fn torn(self, random: &SeededRandom) -> Self {
        match self {
            Self::Write { offset, mut bytes } => {
                let keep = random.below(bytes.len() as u64 + 1);
                bytes.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
                Self::Write { offset, bytes }
            }
            Self::SetLen(len) => Self::SetLen(len),
        }
    }
}

#[derive(Debug)]
struct MemoryFile {
    files: MemoryFiles,
    node: u64,
}

fn position(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl File for MemoryFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut tree = self.files.call()?;
        let bytes = &tree.content(self.node)?.bytes;
        let start = position(offset)?.min(bytes.len());
        let len = buf.len().min(bytes.len() - start);
        buf[..len].copy_from_slice(&bytes[start..start + len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_vectored_at(&[IoSlice::new(bytes)], offset)
    }

    fn write_vectored_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let (failed, mut tree) = match self.files.call() {
            Ok(tree) => (None, tree),
            // A failed write leaves a part of itself behind, as disks do.
            Err(error) => {
                bytes.truncate(bytes.len() / 2);
                (Some(error), self.files.lock())
            }
        };
        if tree.crashed {
            return Err(failed.unwrap_or_else(|| io::ErrorKind::Other.into()));
        }
        let offset = position(offset)?;
        let end = offset
            .checked_add(bytes.len())
            .ok_or(io::ErrorKind::FileTooLarge)?;
        let len = (tree.content(self.node)?.bytes.len()).max(end);
        if !bytes.is_empty() {
            tree.resize(self.node, len as u64)?;
            let content = tree.content(self.node)?;
            content.change(Change::Write { offset, bytes });
        }
        failed.map_or(Ok(()), Err)
    }

    fn sync_data(&self) -> io::Result<()> {
        let called = self.files.call().map(drop);
        let mut tree = self.files.lock();
        if tree.crashed {
            return called;
        }
        let content = tree.content(self.node)?;
        let changes = std::mem::take(&mut content.unsynced);
        called?;
        for change in changes {
            change.apply(&mut content.durable);
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.files.call()?.content(self.node)?.bytes.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut tree = self.files.call()?;
        tree.resize(self.node, len)?;
        let len = position(len)?;
        tree.content(self.node)?.change(Change::SetLen(len));
        Ok(())
    }

    fn allocate(&self, up_to: u64) -> io::Result<()> {
        if self.len()? >= up_to {
            return Ok(());
        }
        self.set_len(up_to)
    }
}

#[cfg(test)]
mod tests;

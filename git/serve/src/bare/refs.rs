//! Reading refs from files.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use git_id::{HashKind, ObjectId, RefName};
use git_pack::{Objects, ReadError};

use super::packed::{self, PackedRef, Peeled};
use crate::{Head, RefSnapshot, Reference};

/// How many symbolic refs are followed, one to the next.
const MAX_SYMREF_DEPTH: usize = 5;

/// A loose ref is a line; what is longer is none.
const MAX_REF_FILE_BYTES: u64 = 2048;

/// The ref files of one repository.
#[derive(Clone, Debug)]
pub(super) struct RefFiles {
    directory: PathBuf,
    hash: HashKind,
}

/// What a ref file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Id(ObjectId),
    Symbolic(RefName),
}

/// What all ref files say.
#[derive(Debug)]
pub(super) struct RawRefs {
    pub(super) head: Option<Value>,
    pub(super) loose: BTreeMap<RefName, Value>,
    pub(super) packed: Vec<PackedRef>,
}

impl RefFiles {
    pub(super) fn new(directory: &Path, hash: HashKind) -> Self {
        Self {
            directory: directory.to_path_buf(),
            hash,
        }
    }

    /// The file of a loose ref.
    pub(super) fn path(&self, name: &RefName) -> PathBuf {
        self.directory.join(name.as_str())
    }

    /// Reads every ref. Loose ones first: a ref that is packed meanwhile is then
    /// found in the file that is read later.
    pub(super) fn read(&self) -> io::Result<RawRefs> {
        let head = self.read_file(&self.directory.join("HEAD"))?;
        let mut loose = BTreeMap::new();
        let mut open = vec![String::from("refs")];
        while let Some(prefix) = open.pop() {
            let entries = match std::fs::read_dir(self.directory.join(&prefix)) {
                Ok(entries) => entries,
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                // A name that is not UTF-8 is no ref here.
                let Ok(file_name) = entry.file_name().into_string() else {
                    continue;
                };
                let full = format!("{prefix}/{file_name}");
                let Ok(name) = RefName::new(&full) else {
                    continue;
                };
                if entry.file_type()?.is_dir() {
                    open.push(full);
                } else if let Some(value) = self.read_file(&entry.path())? {
                    loose.insert(name, value);
                }
            }
        }
        Ok(RawRefs {
            head,
            loose,
            packed: packed::read(&self.directory, self.hash)?,
        })
    }

    /// Reads one file; `None` if it is gone or says nothing that is understood.
    pub(super) fn read_file(&self, path: &Path) -> io::Result<Option<Value>> {
        let data = match path.metadata() {
            Ok(data) => data,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !data.is_file() || data.len() > MAX_REF_FILE_BYTES {
            return Ok(None);
        }
        match std::fs::read(path) {
            Ok(bytes) => Ok(self.parse(&bytes)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(&self, bytes: &[u8]) -> Option<Value> {
        let text = bytes.trim_ascii_end();
        if let Some(target) = text.strip_prefix(b"ref:") {
            return RefName::from_bytes(target.trim_ascii_start())
                .ok()
                .map(Value::Symbolic);
        }
        let id = ObjectId::from_hex(text.get(..self.hash.len_hex())?).ok()?;
        Some(Value::Id(id))
    }
}

/// Whether a file went away, itself or with its directory.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

impl RawRefs {
    /// The value of a ref as its file says it.
    pub(super) fn get(&self, name: &RefName) -> Option<Value> {
        let packed = || {
            let at = self
                .packed
                .binary_search_by(|candidate| candidate.name.cmp(name))
                .ok()?;
            Some(Value::Id(self.packed[at].id))
        };
        self.loose.get(name).cloned().or_else(packed)
    }

    /// Follows symbolic refs and peels tags. Refs to objects that are not there
    /// are left out, as git leaves them out.
    pub(super) fn resolve(&self, objects: &Objects) -> Result<RefSnapshot, ReadError> {
        let mut references = Vec::with_capacity(self.loose.len() + self.packed.len());
        for packed in &self.packed {
            if !self.loose.contains_key(&packed.name) && objects.contains(&packed.id) {
                let peeled = match packed.peeled {
                    Peeled::Known(peeled) => peeled,
                    Peeled::Unknown => objects.peel(&packed.id)?,
                };
                references.push(Reference::new(packed.name.clone(), packed.id, peeled));
            }
        }
        for (name, value) in &self.loose {
            let Some(id) = self.follow(value) else {
                continue;
            };
            if !objects.contains(&id) {
                tracing::warn!(%name, %id, "a ref names an object that is not there");
                continue;
            }
            let symref_target = match value {
                Value::Symbolic(target) => Some(target.clone()),
                Value::Id(_) => None,
            };
            let peeled = objects.peel(&id)?;
            references.push(Reference {
                name: name.clone(),
                id,
                peeled,
                symref_target,
            });
        }
        let head = self.head.as_ref().map(|head| match head {
            Value::Id(id) => Head::Detached(*id),
            Value::Symbolic(target) => Head::Symbolic(target.clone()),
        });
        Ok(RefSnapshot::new(head, references))
    }

    /// What a value names in the end; `None` if that is not there.
    pub(super) fn follow(&self, value: &Value) -> Option<ObjectId> {
        let mut value = value.clone();
        for _ in 0..MAX_SYMREF_DEPTH {
            match value {
                Value::Id(id) => return Some(id),
                Value::Symbolic(target) => value = self.get(&target)?,
            }
        }
        None
    }
}

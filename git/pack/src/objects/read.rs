use std::sync::{Mutex, MutexGuard, PoisonError};

use git_id::ObjectId;

use super::{Header, MAX_TAG_CHAIN, Object, Objects, Place, ReadError, Reader};
use crate::Kind;
use crate::parse::{
    Commit, EntryKind, RawEntries, Tag, TreeEntry, parse_commit, parse_tag, tag_target,
};

/// Readers kept for reuse; more may be in use at a time.
const MAX_IDLE_READERS: usize = 4;

impl Objects {
    /// Kind and size of an object; `None` if it is not here.
    ///
    /// # Errors
    ///
    /// Its stored form is damaged.
    pub fn header(&self, id: &ObjectId) -> Result<Option<Header>, ReadError> {
        self.with_reader(|reader| match self.find(id) {
            None => Ok(None),
            Some(Place::Packed { pack, position }) => {
                let offset = self.pack_list()[pack].offset(position);
                reader.header_packed(self, pack, offset).map(Some)
            }
            Some(Place::Loose { directory }) => {
                self.loose_list()[directory].header(id, reader.inflater())
            }
        })
    }

    /// An object with its content; `None` if it is not here.
    ///
    /// # Errors
    ///
    /// Its stored form is damaged, or it has more than 2 GiB.
    pub fn read(&self, id: &ObjectId) -> Result<Option<Object>, ReadError> {
        let loaded = self.with_reader(|reader| reader.load(self, id))?;
        Ok(loaded.map(|object| {
            let data = std::sync::Arc::unwrap_or_clone(object.data);
            Object {
                kind: object.kind,
                data,
            }
        }))
    }

    /// What a tag names in the end, through tags of tags; `None` if `id` is no tag
    /// or is not here.
    ///
    /// # Errors
    ///
    /// A tag on the way is damaged or malformed.
    pub fn peel(&self, id: &ObjectId) -> Result<Option<ObjectId>, ReadError> {
        let mut at = *id;
        for _ in 0..MAX_TAG_CHAIN {
            match self.header(&at)? {
                Some(Header {
                    kind: Kind::Tag, ..
                }) => {}
                _ => return Ok((at != *id).then_some(at)),
            }
            let tag = self.read(&at)?.ok_or(ReadError::Missing {
                id: at,
                referrer: None,
            })?;
            let (target, _) = tag_target(&tag.data, self.hash()).ok_or(ReadError::Malformed {
                id: at,
                kind: Kind::Tag,
            })?;
            at = target;
        }
        Err(ReadError::Malformed {
            id: *id,
            kind: Kind::Tag,
        })
    }

    /// A commit; `None` if there is no object of that name.
    ///
    /// # Errors
    ///
    /// It is damaged, malformed or something else.
    pub fn commit(&self, id: &ObjectId) -> Result<Option<Commit>, ReadError> {
        let Some(data) = self.read_kind(id, Kind::Commit)? else {
            return Ok(None);
        };
        let parsed = parse_commit(&data, self.hash());
        parsed.map(Some).ok_or(ReadError::Malformed {
            id: *id,
            kind: Kind::Commit,
        })
    }

    /// An annotated tag; `None` if there is no object of that name, or it is something else.
    ///
    /// # Errors
    ///
    /// It is damaged or malformed.
    pub fn tag(&self, id: &ObjectId) -> Result<Option<Tag>, ReadError> {
        let object = self.read(id)?;
        let Some(object) = object.filter(|object| object.kind == Kind::Tag) else {
            return Ok(None);
        };
        let parsed = parse_tag(&object.data, self.hash());
        parsed.map(Some).ok_or(ReadError::Malformed {
            id: *id,
            kind: Kind::Tag,
        })
    }

    /// The entries of a directory; `None` if there is no object of that name.
    ///
    /// # Errors
    ///
    /// It is damaged, malformed or something else.
    pub fn tree(&self, id: &ObjectId) -> Result<Option<Vec<TreeEntry>>, ReadError> {
        let Some(data) = self.read_kind(id, Kind::Tree)? else {
            return Ok(None);
        };
        let entries = RawEntries::new(&data, self.hash()).map(|entry| {
            entry.map(|entry| TreeEntry {
                mode: entry.mode,
                name: entry.name.to_vec(),
                id: entry.object_id(),
            })
        });
        entries
            .collect::<Result<_, _>>()
            .map(Some)
            .map_err(|_| ReadError::Malformed {
                id: *id,
                kind: Kind::Tree,
            })
    }

    /// The entry at a path, whose parts slashes divide, below the tree `root`.
    /// `None` if there is none; empty parts are passed over.
    ///
    /// # Errors
    ///
    /// A tree on the way is missing, damaged or malformed.
    pub fn entry_at_path(
        &self,
        root: &ObjectId,
        path: &[u8],
    ) -> Result<Option<TreeEntry>, ReadError> {
        let mut found: Option<TreeEntry> = None;
        for part in path
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
        {
            let id = match &found {
                None => *root,
                Some(entry) if entry.mode & 0o170_000 == 0o040_000 => entry.id,
                Some(_) => return Ok(None),
            };
            let data = self
                .read_kind(&id, Kind::Tree)?
                .ok_or(ReadError::Missing { id, referrer: None })?;
            found = None;
            for entry in RawEntries::new(&data, self.hash()) {
                let entry = entry.map_err(|_| ReadError::Malformed {
                    id,
                    kind: Kind::Tree,
                })?;
                if entry.name == part {
                    let id = entry.object_id();
                    let mode = if entry.kind() == EntryKind::Tree {
                        0o040_000
                    } else {
                        entry.mode
                    };
                    found = Some(TreeEntry {
                        mode,
                        name: entry.name.to_vec(),
                        id,
                    });
                    break;
                }
            }
            if found.is_none() {
                return Ok(None);
            }
        }
        Ok(found)
    }

    fn read_kind(&self, id: &ObjectId, expected: Kind) -> Result<Option<Vec<u8>>, ReadError> {
        match self.read(id)? {
            None => Ok(None),
            Some(object) if object.kind == expected => Ok(Some(object.data)),
            Some(Object { kind: actual, .. }) => Err(ReadError::WrongKind {
                id: *id,
                actual,
                expected,
            }),
        }
    }

    /// Lends a reader, one that was used before if there is one.
    pub(crate) fn with_reader<T>(&self, use_it: impl FnOnce(&mut Reader) -> T) -> T {
        let idle = lock(&self.inner.readers).pop();
        let mut reader = idle.unwrap_or_else(Reader::new);
        let result = use_it(&mut reader);
        let mut readers = lock(&self.inner.readers);
        if readers.len() < MAX_IDLE_READERS {
            readers.push(reader);
        }
        result
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

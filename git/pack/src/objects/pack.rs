use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use git_id::{HashKind, ObjectId};

use super::error::{OpenError, ReadError};
use super::kinds::Kinds;
use crate::derived::load_reverse;
use crate::edges::Edges;
use crate::hashing::{from_gix, gix_kind};

/// Bytes of a pack's header: signature, version, number of objects.
pub(crate) const PACK_HEADER_BYTES: u64 = 12;

/// One pack with its index, both mapped into memory.
pub(crate) struct Pack {
    hash: HashKind,
    data: gix_pack::data::File,
    index: gix_pack::index::File,
    /// Positions in the index, by offset in the pack; made when first needed.
    by_offset: OnceLock<Vec<u32>>,
    stored_edges: OnceLock<Option<Arc<Edges>>>,
    computed_edges: OnceLock<Arc<Edges>>,
    has_duplicates: OnceLock<bool>,
    kinds: OnceLock<Kinds>,
}

impl Pack {
    /// Maps `path` and the `.idx` beside it and checks that they belong together.
    pub(crate) fn open(path: &Path, hash: HashKind) -> Result<Self, OpenError> {
        let invalid = |path: &Path, error: gix_error::Error| OpenError::Invalid {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let index_path = path.with_extension("idx");
        for file in [path, &index_path] {
            std::fs::metadata(file).map_err(|source| OpenError::Io {
                path: file.to_owned(),
                source,
            })?;
        }
        let data =
            gix_pack::data::File::at(path, gix_kind(hash)).map_err(|error| invalid(path, error))?;
        let index = gix_pack::index::File::at(&index_path, gix_kind(hash))
            .map_err(|error| invalid(&index_path, error))?;
        let pack = Self {
            hash,
            data,
            index,
            by_offset: OnceLock::new(),
            stored_edges: OnceLock::new(),
            computed_edges: OnceLock::new(),
            has_duplicates: OnceLock::new(),
            kinds: OnceLock::new(),
        };
        let same = pack.data.num_objects() == pack.index.num_objects()
            && pack.data.checksum() == pack.index.pack_checksum();
        if same {
            Ok(pack)
        } else {
            Err(OpenError::IndexMismatch {
                path: path.to_owned(),
            })
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.data.path()
    }

    pub(crate) fn edges_path(&self) -> PathBuf {
        self.path().with_extension("edges")
    }

    pub(crate) const fn hash(&self) -> HashKind {
        self.hash
    }

    pub(crate) fn count(&self) -> u32 {
        self.index.num_objects()
    }

    /// The checksum at the pack's end.
    pub(crate) fn checksum(&self) -> ObjectId {
        from_gix(&self.data.checksum())
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.data
            .entry_slice(0..self.data.data_len() as u64)
            .expect("the file is as long as it says")
    }

    /// Where the checksum begins, one past the last entry.
    pub(crate) fn end(&self) -> u64 {
        self.data.pack_end() as u64
    }

    /// Whether the file is of the version that is written today.
    pub(crate) fn is_version_2(&self) -> bool {
        self.data.version() == gix_pack::data::Version::V2
    }

    /// What follows `offset` up to the end of the last entry; `None` outside of the
    /// entries.
    pub(crate) fn entry_bytes(&self, offset: u64) -> Option<&[u8]> {
        if offset < PACK_HEADER_BYTES || offset >= self.end() {
            return None;
        }
        self.data.entry_slice(offset..self.end())
    }

    /// The object's position in the index.
    pub(crate) fn lookup(&self, id: &[u8]) -> Option<u32> {
        self.index.lookup(gix_hash::oid::from_bytes_unchecked(id))
    }

    pub(crate) fn id_bytes(&self, position: u32) -> &[u8] {
        self.index.oid_at_index(position).as_bytes()
    }

    pub(crate) fn id(&self, position: u32) -> ObjectId {
        from_gix(self.index.oid_at_index(position))
    }

    pub(crate) fn offset(&self, position: u32) -> u64 {
        self.index.pack_offset_at_index(position)
    }

    /// The CRC-32 of the entry; `None` where the index keeps none.
    pub(crate) fn crc(&self, position: u32) -> Option<u32> {
        self.index.crc32_at_index(position)
    }

    /// All positions in the index in the order of the entries in the pack.
    pub(crate) fn by_offset(&self) -> &[u32] {
        self.by_offset.get_or_init(|| {
            let stored = self.path().with_extension("rev");
            if let Some(order) = load_reverse(&stored, self.hash, self) {
                return order;
            }
            let mut pairs: Vec<(u64, u32)> = (0..self.count())
                .map(|position| (self.offset(position), position))
                .collect();
            pairs.sort_unstable();
            pairs.into_iter().map(|(_, position)| position).collect()
        })
    }

    /// The place of the entry at `offset` in [`Pack::by_offset`].
    pub(crate) fn rank_of(&self, offset: u64) -> Option<usize> {
        self.by_offset()
            .binary_search_by_key(&offset, |position| self.offset(*position))
            .ok()
    }

    /// The position in the index of the entry at `offset`.
    pub(crate) fn position_at(&self, offset: u64) -> Option<u32> {
        self.rank_of(offset).map(|rank| self.by_offset()[rank])
    }

    /// Where the entry ends that has this place in [`Pack::by_offset`].
    pub(crate) fn end_of_rank(&self, rank: usize) -> u64 {
        self.by_offset()
            .get(rank + 1)
            .map_or(self.end(), |position| self.offset(*position))
    }

    /// What the sidecar says, or what [`Pack::remember_edges`] was told.
    pub(crate) fn edges(&self) -> Option<&Arc<Edges>> {
        let load = || Edges::load(&self.edges_path(), self.checksum()).map(Arc::new);
        self.computed_edges
            .get()
            .or_else(|| self.stored_edges.get_or_init(load).as_ref())
    }

    /// Keeps edges that were computed because there was no sidecar, and writes one
    /// beside the pack if `store` says so and the directory can be written to.
    pub(crate) fn remember_edges(&self, edges: Edges, store: bool) -> Arc<Edges> {
        if store && let Err(error) = edges.store(&self.edges_path(), self.checksum()) {
            tracing::debug!(pack = %self.path().display(), %error, "sidecar not written");
        }
        Arc::clone(self.computed_edges.get_or_init(|| Arc::new(edges)))
    }

    /// Whether some object is stored twice, which no pack should have.
    pub(crate) fn has_duplicates(&self) -> bool {
        *self.has_duplicates.get_or_init(|| {
            (1..self.count()).any(|position| self.id_bytes(position - 1) == self.id_bytes(position))
        })
    }

    /// The kinds of all objects, read when first needed and kept: a byte each.
    pub(crate) fn kinds(&self) -> Result<&Kinds, ReadError> {
        if let Some(kinds) = self.kinds.get() {
            return Ok(kinds);
        }
        let read = Kinds::read(self)?;
        Ok(self.kinds.get_or_init(|| read))
    }
}

use std::collections::{BTreeMap, HashMap};

use chunking::ChunkId;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{index_name, pack_name};
use crate::destination::{Destination, ObjectError};
use crate::format::{Damage, Index, PackId, unseal};
use crate::limits::{MAX_OBJECT_BYTES, READS_AT_A_TIME};

/// Where every chunk is. It takes some 60 bytes of memory for each.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    packs: Vec<PackId>,
    chunks: HashMap<ChunkId, Place>,
}

/// Where a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The pack's place in the catalogue.
    pub(crate) pack: u32,
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

impl Catalogue {
    /// All packs that are there with their index and in full. What is left of
    /// an interrupted or damaged upload is not counted on: its chunks are
    /// uploaded again.
    pub(crate) async fn of_all(destination: &Destination) -> Result<Self, ObjectError> {
        let lengths: BTreeMap<String, u64> = destination.list("packs").await?.into_iter().collect();
        let indexes = destination.list("indexes").await?;
        let mut catalogue = Self::default();
        let mut reads = stream::iter(indexes.into_iter().map(|(name, _)| async move {
            let name = format!("indexes/{name}");
            let read = read_index(destination, &name).await;
            (name, read)
        }))
        .buffered(READS_AT_A_TIME);
        while let Some((name, read)) = reads.next().await {
            match read {
                Ok(index) if lengths.get(&index.pack.to_string()) == Some(&index.length) => {
                    catalogue.add(&index);
                }
                Ok(index) => {
                    let pack = pack_name(index.pack);
                    tracing::warn!(object = pack, "a pack is missing or cut off; not used");
                }
                Err(error @ ObjectError::Damaged { .. }) => {
                    tracing::warn!(object = name, %error, "a damaged index is not used");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(catalogue)
    }

    /// These packs, each of which must have an index.
    pub(crate) async fn of(
        destination: &Destination,
        packs: &[PackId],
    ) -> Result<Self, ObjectError> {
        let mut catalogue = Self::default();
        let mut reads = stream::iter(packs.iter().map(|pack| async move {
            let name = index_name(*pack);
            let index = read_index(destination, &name).await?;
            match index.pack == *pack {
                true => Ok(index),
                false => Err(ObjectError::damaged(&name, Damage::Content)),
            }
        }))
        .buffered(READS_AT_A_TIME);
        while let Some(index) = reads.try_next().await? {
            catalogue.add(&index);
        }
        Ok(catalogue)
    }

    /// Adds what an index says. A chunk stays where it is known to be.
    pub(crate) fn add(&mut self, index: &Index) {
        let pack = u32::try_from(self.packs.len()).expect("fewer than 2^32 packs");
        self.packs.push(index.pack);
        for entry in &index.entries {
            self.chunks.entry(entry.chunk).or_insert(Place {
                pack,
                offset: entry.offset,
                length: entry.length,
            });
        }
    }

    pub(crate) fn find(&self, chunk: &ChunkId) -> Option<Place> {
        self.chunks.get(chunk).copied()
    }

    pub(crate) fn pack(&self, place: u32) -> PackId {
        self.packs[place as usize]
    }
}

/// An index, checked for what reading by it relies on.
pub(crate) async fn read_index(
    destination: &Destination,
    name: &str,
) -> Result<Index, ObjectError> {
    let bytes = destination.get(name, MAX_OBJECT_BYTES).await?;
    let damaged = |damage| ObjectError::damaged(name, damage);
    let index: Index = unseal(&bytes).map_err(damaged)?;
    let fits = index.entries.iter().all(|entry| {
        let end = u64::from(entry.offset) + u64::from(entry.length);
        end <= index.length
    });
    let named = name.ends_with(&index.pack.to_string());
    match fits && named {
        true => Ok(index),
        false => Err(damaged(Damage::Content)),
    }
}

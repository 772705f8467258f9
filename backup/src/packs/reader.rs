use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use chunking::{ChunkId, ChunkRef};
use tokio::sync::Mutex;

use super::{Catalogue, Place, pack_name};
use crate::destination::{Destination, ObjectError};
use crate::format::{Damage, PackId};
use crate::limits::{MAX_PACK_BYTES, PACKS_IN_MEMORY};
use crate::rate::Rate;

/// Reads chunks out of packs. A pack is read whole, checked, and kept for a
/// while: neighbours in a blob are neighbours in a pack.
#[derive(Debug)]
pub(crate) struct PackReader {
    destination: Destination,
    rate: Arc<Rate>,
    catalogue: Catalogue,
    /// Which object names the chunks, for errors.
    named_by: String,
    kept: Mutex<VecDeque<(u32, Bytes)>>,
}

impl PackReader {
    pub(crate) fn new(
        destination: Destination,
        rate: Arc<Rate>,
        catalogue: Catalogue,
        named_by: String,
    ) -> Self {
        Self {
            destination,
            rate,
            catalogue,
            named_by,
            kept: Mutex::default(),
        }
    }

    /// Where a chunk is. It is an error if it is nowhere, or has another length.
    pub(crate) fn find(&self, chunk: &ChunkRef) -> Result<Place, ObjectError> {
        let place = self.catalogue.find(&chunk.id);
        place
            .filter(|place| place.length == chunk.length)
            .ok_or_else(|| ObjectError::damaged(&self.named_by, Damage::NoChunk(chunk.id)))
    }

    /// A chunk's bytes, verified.
    pub(crate) async fn get(&self, chunk: &ChunkRef) -> Result<Bytes, ObjectError> {
        let place = self.find(chunk)?;
        let pack = self.load(place.pack).await?;
        let from = place.offset as usize;
        let to = from + place.length as usize;
        let name = || pack_name(self.catalogue.pack(place.pack));
        if to > pack.len() {
            let damage = Damage::Length {
                expected: to as u64,
                found: pack.len() as u64,
            };
            return Err(ObjectError::damaged(&name(), damage));
        }
        let bytes = pack.slice(from..to);
        match ChunkId::of(&bytes) == chunk.id {
            true => Ok(bytes),
            false => Err(ObjectError::damaged(&name(), Damage::Chunk(chunk.id))),
        }
    }

    /// One at a time: who waits mostly wants the same.
    async fn load(&self, place: u32) -> Result<Bytes, ObjectError> {
        let mut packs = self.kept.lock().await;
        if let Some(at) = packs.iter().position(|(kept, _)| *kept == place)
            && let Some(kept) = packs.remove(at)
        {
            let bytes = kept.1.clone();
            packs.push_back(kept);
            return Ok(bytes);
        }
        let bytes = read_pack(&self.destination, self.catalogue.pack(place)).await?;
        self.rate.pass(bytes.len()).await;
        while packs.len() >= PACKS_IN_MEMORY {
            packs.pop_front();
        }
        packs.push_back((place, bytes.clone()));
        Ok(bytes)
    }
}

/// All bytes of a pack, checked against its id.
pub(crate) async fn read_pack(
    destination: &Destination,
    pack: PackId,
) -> Result<Bytes, ObjectError> {
    let name = pack_name(pack);
    let bytes = destination.get(&name, MAX_PACK_BYTES).await?;
    match PackId::of(&bytes) == pack {
        true => Ok(bytes),
        false => Err(ObjectError::damaged(&name, Damage::Hash)),
    }
}

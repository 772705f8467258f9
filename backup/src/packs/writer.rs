use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use chunking::ChunkId;

use super::{Catalogue, index_name, pack_name};
use crate::destination::{Destination, ObjectError};
use crate::format::{Entry, Index, PackId, seal};
use crate::limits::PACK_BYTES;
use crate::rate::Rate;

/// Collects chunks that the destination lacks, and writes them as packs.
#[derive(Debug)]
pub(crate) struct PackWriter {
    destination: Destination,
    rate: Arc<Rate>,
    catalogue: Catalogue,
    /// The packs, by their place, that this backup has chunks in.
    used: BTreeSet<u32>,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    pending: HashSet<ChunkId>,
    written: u64,
}

impl PackWriter {
    /// A writer beside what is there already.
    pub(crate) fn new(destination: Destination, rate: Arc<Rate>, catalogue: Catalogue) -> Self {
        Self {
            destination,
            rate,
            catalogue,
            used: BTreeSet::new(),
            bytes: Vec::new(),
            entries: Vec::new(),
            pending: HashSet::new(),
            written: 0,
        }
    }

    /// Whether a chunk needs no bytes. If so, it is counted as part of this backup.
    pub(crate) fn has(&mut self, chunk: &ChunkId) -> bool {
        match self.catalogue.find(chunk) {
            Some(place) => {
                self.used.insert(place.pack);
                true
            }
            None => self.pending.contains(chunk),
        }
    }

    /// Takes a chunk of these bytes, which must be what its id says.
    pub(crate) async fn add(&mut self, chunk: ChunkId, bytes: &Bytes) -> Result<(), ObjectError> {
        if self.has(&chunk) {
            return Ok(());
        }
        let number = |n: usize| u32::try_from(n).expect("a pack and a chunk are short");
        self.entries.push(Entry {
            chunk,
            offset: number(self.bytes.len()),
            length: number(bytes.len()),
        });
        self.bytes.extend_from_slice(bytes);
        self.pending.insert(chunk);
        match self.bytes.len() < PACK_BYTES {
            true => Ok(()),
            false => self.flush().await,
        }
    }

    /// Writes what was collected: the pack, and when it is there its index.
    pub(crate) async fn flush(&mut self) -> Result<(), ObjectError> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        self.pending.clear();
        let index = Index {
            pack: PackId::of(&bytes),
            length: bytes.len() as u64,
            entries: std::mem::take(&mut self.entries),
        };
        let sealed = Bytes::from(seal(&index));
        self.written += (bytes.len() + sealed.len()) as u64;
        self.rate.pass(bytes.len() + sealed.len()).await;
        self.destination.put(&pack_name(index.pack), bytes).await?;
        self.destination
            .put(&index_name(index.pack), sealed)
            .await?;
        self.catalogue.add(&index);
        for entry in &index.entries {
            self.has(&entry.chunk);
        }
        Ok(())
    }

    /// The packs that have chunks of this backup. Everything must have been
    /// flushed.
    pub(crate) fn used(&self) -> Vec<PackId> {
        let used = self.used.iter();
        used.map(|place| self.catalogue.pack(*place)).collect()
    }

    /// How many bytes were written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }
}

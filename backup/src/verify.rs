//! Proving that a backup is whole.

use std::collections::HashMap;
use std::sync::Arc;

use chunking::ChunkId;

use crate::backups::{FindError, find};
use crate::destination::{Destination, ObjectError};
use crate::format::{BackupId, Damage, Totals};
use crate::packs::{index_name, pack_name, read_index, read_pack};
use crate::progress::Progress;
use crate::rate::Rate;
use crate::records::Records;

/// A backup that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Which.
    pub id: BackupId,
    /// What is in it, all of which was found.
    pub totals: Totals,
    /// How many packs it has chunks in.
    pub packs: u64,
    /// How many chunks those packs hold, each of which has its own hash.
    pub chunks: u64,
    /// Bytes of those chunks.
    pub bytes: u64,
}

/// Reads every byte of a backup (the last, if none is named): hashes every pack
/// and every chunk in it, and parses every record. The error names the first
/// object that is damaged or missing.
pub async fn verify(
    destination: &Destination,
    rate: Arc<Rate>,
    id: Option<BackupId>,
    progress: &dyn Progress,
) -> Result<Verified, FindError> {
    let manifest = find(destination, id).await?;
    let mut verified = Verified {
        id: manifest.id,
        totals: manifest.totals.clone(),
        packs: 0,
        chunks: 0,
        bytes: 0,
    };
    for pack in &manifest.packs {
        let index = read_index(destination, &index_name(*pack)).await?;
        let bytes = read_pack(destination, *pack).await?;
        rate.pass(bytes.len()).await;
        let name = pack_name(*pack);
        let mut intact = HashMap::new();
        for entry in &index.entries {
            let from = entry.offset as usize;
            let chunk = bytes.get(from..from + entry.length as usize);
            if chunk.map(ChunkId::of) != Some(entry.chunk) {
                let damage = Damage::Chunk(entry.chunk);
                return Err(ObjectError::damaged(&name, damage).into());
            }
            intact.insert(entry.chunk, entry.length);
        }
        verified.packs += 1;
        verified.chunks += intact.len() as u64;
        verified.bytes += bytes.len() as u64;
        if verified.packs.is_multiple_of(32) {
            let (packs, all) = (verified.packs, manifest.packs.len());
            progress.say(&format!("{packs} of {all} packs are intact"));
        }
    }
    let mut records = Records::open(destination, rate, manifest).await?;
    progress.say("reading the records");
    while records.next_of_groups().await?.is_some() {}
    while records.next_of_facts().await?.is_some() {}
    records.confirm()?;
    Ok(verified)
}

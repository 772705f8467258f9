//! Blobs through the real client, and bytes that are like no others.

use std::sync::Arc;

use anyhow::{bail, ensure};
use bytes::Bytes;
use chunking::{BlobId, DigestSet, Profile};
use runtime::Runtime;
use storage_node_api::blob::{Download, StoredBlob, Upload};
use storage_node_api::order::{Answer, Command, Order, Query};
use storage_node_api::{BlobOwner, Content, OwnerId, ReadPoint, Slot, UploadId};

use super::tier::{DOMAIN, Tier};

/// What is handed to an upload at a time.
const PIECE: usize = 1 << 20;
/// Every so many bytes differ from one content to the next.
const STAMPED: usize = 4096;
/// How many may hash at a time.
const THREADS: usize = 2;

/// A blob that was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    slot: Slot,
    blob: BlobId,
    owner: OwnerId,
}

/// Bytes that no compression makes smaller.
pub(crate) fn random(size: usize, runtime: &Runtime) -> Vec<u8> {
    let mut bytes = vec![0; size];
    for piece in bytes.chunks_mut(PIECE) {
        runtime.random.fill(piece);
    }
    bytes
}

/// Makes them share no chunk with what they were before.
pub(crate) fn stamp(bytes: &mut [u8], runtime: &Runtime) {
    let mut stamp = [0; 8];
    runtime.random.fill(&mut stamp);
    for block in bytes.chunks_mut(STAMPED) {
        let length = block.len().min(stamp.len());
        block[..length].copy_from_slice(&stamp[..length]);
    }
}

impl Tier {
    /// Writes a blob; it is durable and named when this returns.
    pub(crate) async fn write(&self, content: Bytes) -> anyhow::Result<Written> {
        self.write_as(content, Profile::GenericV1).await
    }

    /// The same, cut by a profile.
    pub(crate) async fn write_as(
        &self,
        content: Bytes,
        profile: Profile,
    ) -> anyhow::Result<Written> {
        let random = &*self.runtime.random;
        let tier = Arc::clone(&self.storage) as Arc<dyn Content>;
        let session = tier.begin(DOMAIN).await?;
        let runtime = self.runtime.clone();
        let mut upload = Upload::new(tier, session, runtime, profile, DigestSet::NONE, THREADS);
        for at in (0..content.len()).step_by(PIECE) {
            let piece = content.slice(at..content.len().min(at + PIECE));
            upload.push(piece).await?;
        }
        let finished = upload.finish().await?;
        let id = UploadId::random(random);
        let (blob, parts) = StoredBlob::staged(finished.manifest, finished.certificate, id, 0);
        self.name(blob, parts).await
    }

    /// Commits a blob whose chunks are put, in a slot drawn at random.
    pub(crate) async fn name(
        &self,
        blob: StoredBlob,
        parts: Vec<Command>,
    ) -> anyhow::Result<Written> {
        let random = &*self.runtime.random;
        let (slot, owner) = (Slot::random(random), OwnerId::random(random));
        for part in parts {
            self.commit(slot, part).await?;
        }
        let written = Written {
            slot,
            blob: blob.id,
            owner,
        };
        let (owner, domain) = (BlobOwner::Named(owner), DOMAIN);
        let put = Command::PutBlob {
            slot,
            blob,
            owner,
            domain,
        };
        self.commit(slot, put).await?;
        Ok(written)
    }

    /// Reads a whole blob into the bin.
    pub(crate) async fn read(&self, written: &Written, expected: u64) -> anyhow::Result<()> {
        let (slot, blob) = (written.slot, written.blob);
        let query = Query::Manifest {
            slot,
            domain: DOMAIN,
            blob,
        };
        let read = self
            .storage
            .read(slot, ReadPoint::Linearizable, query)
            .await?;
        let Answer::Manifest(Some(manifest)) = read else {
            bail!("an acknowledged blob is not there");
        };
        let tier = Arc::clone(&self.storage) as Arc<dyn Content>;
        let (runtime, whole) = (self.runtime.clone(), 0..manifest.length);
        let mut download = Download::new(tier, runtime, DOMAIN, &manifest, whole);
        let mut came = 0;
        while let Some(piece) = download.next().await? {
            came += piece.len() as u64;
        }
        ensure!(came == expected, "{came} of {expected} bytes came");
        Ok(())
    }

    /// Takes the blob's only owner away.
    pub(crate) async fn remove(&self, written: &Written) -> anyhow::Result<()> {
        let Written { slot, blob, owner } = *written;
        let owner = BlobOwner::Named(owner);
        let remove = Command::RemoveOwner { slot, blob, owner };
        self.commit(slot, remove).await.map(drop)
    }
}

use std::sync::Arc;

use bytes::Bytes;
use chunking::{BlobId, Chunk, Manifest};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use storage_node_api::blob::StoredBlob;
use storage_node_api::content::{Certificate, PutError};
use storage_node_api::limits::PUT_BATCH_BYTES;
use storage_node_api::order::{Answer, Command, Query, Refusal};
use storage_node_api::{BlobOwner, DedupDomain, OwnerId, Retry, Slot, UploadId};

use super::{RestoreError, Restoring};
use crate::format::GroupsRecord;
use crate::limits::{ATTEMPTS, BLOBS_AT_A_TIME};
use crate::order::GroupError;
use crate::packs::PackReader;
use crate::records::Records;

/// After so many blobs it is said how far it is.
const REPORTED: u64 = 1000;

impl Restoring<'_> {
    /// Brings back all blobs, [`BLOBS_AT_A_TIME`] at a time: what names them comes after all of
    /// them.
    pub(super) async fn blobs(&self, records: &mut Records) -> Result<(), RestoreError> {
        let packs = Arc::clone(&records.packs);
        let mut on_the_way = FuturesUnordered::new();
        let (mut done, mut bytes) = (0_u64, 0_u64);
        while let Some(record) = records.next_of_groups().await? {
            let GroupsRecord::Blob {
                slot,
                domain,
                manifest,
            } = record
            else {
                continue;
            };
            if on_the_way.len() >= BLOBS_AT_A_TIME
                && let Some(put) = on_the_way.next().await
            {
                put?;
            }
            (done, bytes) = (done + 1, bytes + manifest.length);
            if done.is_multiple_of(REPORTED) {
                let all = records.manifest.totals.blobs;
                self.progress
                    .say(&format!("{done} of {all} blobs, {} MiB", bytes >> 20));
            }
            let packs = &packs;
            on_the_way.push(async move { self.blob((slot, domain), &manifest, packs).await });
        }
        while let Some(put) = on_the_way.next().await {
            put?;
        }
        Ok(())
    }

    /// A blob, owned by the restore or by whom it says.
    async fn blob(
        &self,
        (slot, domain): (Slot, DedupDomain),
        manifest: &Manifest,
        packs: &PackReader,
    ) -> Result<(), RestoreError> {
        if self.is_there(slot, domain, manifest.blob).await? {
            return Ok(());
        }
        let mut attempt = 1;
        loop {
            let error = match self.put((slot, domain), manifest, packs).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let may_pass = match &error {
                RestoreError::Group(GroupError::Refused(refusal)) => matches!(
                    refusal,
                    Refusal::SessionExpired
                        | Refusal::NotDurable { .. }
                        | Refusal::NotStaged { .. }
                ),
                RestoreError::Put { source, .. } => source.retry() != Retry::Never,
                _ => false,
            };
            if !may_pass || attempt == ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
        }
    }

    async fn is_there(
        &self,
        slot: Slot,
        domain: DedupDomain,
        blob: BlobId,
    ) -> Result<bool, RestoreError> {
        let query = Query::Manifest { slot, domain, blob };
        match self.tier.ask(slot, query).await? {
            Answer::Manifest(manifest) => Ok(manifest.is_some()),
            _ => Err(GroupError::Unexpected.into()),
        }
    }

    async fn put(
        &self,
        (slot, domain): (Slot, DedupDomain),
        manifest: &Manifest,
        packs: &PackReader,
    ) -> Result<(), RestoreError> {
        let certificate = self.chunks(domain, manifest, packs).await?;
        let upload = UploadId::random(&*self.tier.runtime.random);
        let (blob, parts) = StoredBlob::staged(manifest.clone(), certificate, upload, 0);
        for part in parts {
            self.tier.commit(slot, part).await?;
        }
        self.own(slot, blob, domain, self.owner_in(domain)).await
    }

    async fn own(
        &self,
        slot: Slot,
        blob: StoredBlob,
        domain: DedupDomain,
        owner: OwnerId,
    ) -> Result<(), RestoreError> {
        let owner = BlobOwner::Named(owner);
        let command = Command::PutBlob {
            slot,
            blob,
            owner,
            domain,
        };
        Ok(self.tier.commit(slot, command).await?)
    }

    /// One more owner of a blob that is there.
    pub(super) async fn owner(
        &self,
        owned: &storage_node_api::backup::OwnedBlob,
    ) -> Result<(), RestoreError> {
        let query = Query::Manifest {
            slot: owned.slot,
            domain: owned.domain,
            blob: owned.blob,
        };
        let manifest = match self.tier.ask(owned.slot, query).await? {
            Answer::Manifest(Some(manifest)) => manifest,
            _ => return Err(GroupError::Unexpected.into()),
        };
        // Of a blob that is there, nothing but its id and length is looked at.
        let blob = StoredBlob {
            id: manifest.blob,
            length: manifest.length,
            profile: manifest.profile,
            chunks: storage_node_api::blob::Chunks::Inline(Vec::new()),
            certificate: Certificate::default(),
        };
        self.own(owned.slot, blob, owned.domain, owned.owner).await
    }

    /// Puts a blob's chunks at the current generation.
    async fn chunks(
        &self,
        domain: DedupDomain,
        manifest: &Manifest,
        packs: &PackReader,
    ) -> Result<Certificate, RestoreError> {
        let session = self.tier.storage.begin(domain).await?;
        let mut certificate = Certificate::default();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let put = async |batch: Vec<Chunk>, certificate: &mut Certificate| {
            let failed = |source: PutError| RestoreError::Put {
                blob: manifest.blob,
                source,
            };
            let held = self.tier.storage.put(&session, batch).await;
            for held in held.map_err(failed)? {
                certificate.push(&held);
            }
            Ok::<(), RestoreError>(())
        };
        for chunk in &manifest.chunks {
            let read: Bytes = packs.get(chunk).await?;
            if bytes + read.len() > PUT_BATCH_BYTES {
                put(std::mem::take(&mut batch), &mut certificate).await?;
                bytes = 0;
            }
            bytes += read.len();
            batch.push(Chunk {
                id: chunk.id,
                bytes: read,
            });
        }
        if !batch.is_empty() {
            put(batch, &mut certificate).await?;
        }
        Ok(certificate)
    }
}

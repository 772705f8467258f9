use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use chunking::{BlobId, DigestSet, Profile};
use futures_util::{StreamExt, stream};
use runtime::Runtime;
use storage_node_api::blob::{Download, StoredBlob, Upload};
use storage_node_api::order::{Answer, Command, Order, Query, Reply, Request};
use storage_node_api::{
    BlobOwner, Content, DedupDomain, OwnerId, ReadPoint, RequestId, Slot, UploadId,
};
use storage_node_client::tier::{Client, Config};

use super::super::cluster::links;
use super::super::status::newest_map;
use super::blobs::Place;

/// Blobs that one command may make: each is remembered until it is removed.
const MAX_MADE: usize = 1_000_000;
/// Removals under way at a time.
const REMOVALS: usize = 32;
/// Where chunks are shared; the contents share none.
const DOMAIN: DedupDomain = DedupDomain(0);

/// Blobs at the storage nodes, spoken to as frontends speak to them.
#[derive(Debug)]
pub(super) struct Tier {
    storage: Arc<Client>,
    runtime: Runtime,
    made: Mutex<Vec<Made>>,
}

#[derive(Clone, Copy, Debug)]
struct Made {
    slot: Slot,
    blob: BlobId,
    owner: OwnerId,
}

impl Tier {
    /// Finds the cluster that a data directory belongs to.
    pub(super) async fn enter(data: &Path, runtime: &Runtime) -> anyhow::Result<Self> {
        let links = links(data, runtime)?;
        newest_map(&*links).await?;
        let config = Config::default().validate()?;
        Ok(Self {
            storage: Arc::new(Client::new(links, runtime.clone(), config)),
            runtime: runtime.clone(),
            made: Mutex::default(),
        })
    }

    /// Removes what was made. Tries all of it, whatever fails.
    pub(super) async fn leave(&self) -> anyhow::Result<()> {
        let made = std::mem::take(&mut *self.made());
        let count = made.len();
        let removed: Vec<bool> = stream::iter(made)
            .map(|made| async move {
                let Made { slot, blob, owner } = made;
                let owner = BlobOwner::Named(owner);
                let remove = Command::RemoveOwner { slot, blob, owner };
                self.commit(slot, remove).await.is_ok()
            })
            .buffer_unordered(REMOVALS)
            .collect()
            .await;
        let left = removed.iter().filter(|removed| !**removed).count();
        ensure!(
            left == 0,
            "{left} of {count} blobs could not be removed: they stay stored"
        );
        Ok(())
    }

    fn made(&self) -> MutexGuard<'_, Vec<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn commit(&self, slot: Slot, command: Command) -> anyhow::Result<()> {
        let request = Request {
            id: RequestId::random(&*self.runtime.random),
            time: self.runtime.clock.now(),
            command,
        };
        match self.storage.propose(slot, request).await?.reply {
            Reply::Refused(refusal) => bail!("refused: {refusal}"),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Place for Tier {
    async fn write(&self, _: usize, content: Vec<u8>) -> anyhow::Result<String> {
        let random = &*self.runtime.random;
        ensure!(
            self.made().len() < MAX_MADE,
            "one command makes at most {MAX_MADE} blobs"
        );
        let tier = Arc::clone(&self.storage) as Arc<dyn Content>;
        let session = tier.begin(DOMAIN).await?;
        let (runtime, profile) = (self.runtime.clone(), Profile::GenericV1);
        let mut upload = Upload::new(tier, session, runtime, profile, DigestSet::NONE, 1);
        upload.push(Bytes::from(content)).await?;
        let finished = upload.finish().await?;
        let upload = UploadId::random(random);
        let (blob, parts) = StoredBlob::staged(finished.manifest, finished.certificate, upload, 0);
        let (slot, owner) = (Slot::random(random), OwnerId::random(random));
        for part in parts {
            self.commit(slot, part).await?;
        }
        let name = format!("{} {}", slot.0, blob.id);
        // Before it is there: an answer that is lost leaves nothing behind either.
        let id = blob.id;
        self.made().push(Made {
            slot,
            blob: id,
            owner,
        });
        let (owner, domain) = (BlobOwner::Named(owner), DOMAIN);
        self.commit(
            slot,
            Command::PutBlob {
                slot,
                blob,
                owner,
                domain,
            },
        )
        .await?;
        Ok(name)
    }

    async fn read(&self, _: usize, name: &str) -> anyhow::Result<u64> {
        let (slot, blob) = name.split_once(' ').context("no name of a blob")?;
        let (slot, blob) = (Slot(slot.parse()?), blob.parse::<BlobId>()?);
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
        let mut read = 0;
        while let Some(piece) = download.next().await? {
            read += piece.len() as u64;
        }
        Ok(read)
    }
}

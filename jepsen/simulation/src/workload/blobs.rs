use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chunking::{DigestSet, Profile};
use storage_node_api::blob::{Download, StoredBlob, Upload};
use storage_node_api::order::{Answer, Command, Query, Reply};
use storage_node_api::{BlobOwner, Content, OwnerId, ReadPoint, Slot, UploadId};

use super::{Client, DOMAIN, SLOTS, outcome_of};
use crate::history::{Action, Blob, Outcome, Recorder};

/// The longest blob: a few chunks.
const LONGEST: u64 = 200_000;
/// The longest pause between an upload and its commit.
const LONGEST_COMMIT_MILLIS: u64 = 3_000;

/// The bytes of a blob, which its number and length decide.
pub(super) fn content(number: u64, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    blake3::Hasher::new()
        .update(&number.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes.into()
}

impl Client {
    /// Uploads bytes that nobody has uploaded yet.
    pub(super) async fn upload(&mut self, slot: Slot) -> Option<(Blob, StoredBlob)> {
        let number = self.fresh();
        let length = usize::try_from(self.draw(LONGEST) + 1).unwrap_or(1);
        self.upload_bytes(slot, number, length).await
    }

    /// Uploads what a blob has that somebody has put before: there may be nothing
    /// to send.
    async fn upload_again(&mut self, slot: Slot) -> Option<(Blob, StoredBlob)> {
        let operations = self.recorder.operations();
        let puts = operations
            .iter()
            .filter_map(|operation| match &operation.action {
                Action::PutBlob(blob) if blob.slot == slot => Some(blob),
                _ => None,
            });
        // One that was asked to go is just the one that a collector may take.
        let (going, staying): (Vec<_>, Vec<_>) =
            puts.partition(|blob| self.recorder.is_doomed(blob));
        let puts = match going.is_empty() || self.draw(3) == 0 {
            true => staying,
            false => going,
        };
        if puts.is_empty() {
            return self.upload(slot).await;
        }
        let index = usize::try_from(self.draw(puts.len() as u64)).unwrap_or(0);
        let (number, length) = (puts[index].number, puts[index].length);
        self.upload_bytes(slot, number, length).await
    }

    async fn upload_bytes(
        &mut self,
        slot: Slot,
        number: u64,
        length: usize,
    ) -> Option<(Blob, StoredBlob)> {
        let tier = Arc::clone(&self.storage) as Arc<dyn Content>;
        let session = tier.begin(DOMAIN).await.ok()?;
        let runtime = self.runtime.clone();
        let mut upload = Upload::new(
            tier,
            session,
            runtime,
            Profile::GitPackV1,
            DigestSet::NONE,
            1,
        );
        upload.push(content(number, length)).await.ok()?;
        let finished = upload.finish().await.ok()?;
        let id = UploadId::random(&*self.runtime.random);
        let (stored, parts) = StoredBlob::staged(finished.manifest, finished.certificate, id, 0);
        if !parts.is_empty() {
            return None;
        }
        let blob = Blob {
            number,
            id: stored.id,
            slot,
            length,
            owner: None,
        };
        Some((blob, stored))
    }

    /// Puts a blob. Returns what it came to, unless nothing was named.
    pub async fn put_blob(&mut self) -> Option<Outcome> {
        let slot = SLOTS[usize::try_from(self.draw(2)).unwrap_or(0)];
        let called = self.recorder.tick();
        let uploaded = match self.draw(3) {
            0 => self.upload_again(slot).await,
            _ => self.upload(slot).await,
        };
        let Some((mut blob, stored)) = uploaded else {
            self.told("put a blob, not uploaded", Outcome::Fail);
            return None;
        };
        if self.draw(3) == 0 {
            // Long enough for a cycle of the collector to come between.
            let pause = Duration::from_millis(self.draw(LONGEST_COMMIT_MILLIS));
            self.runtime.clock.sleep(pause).await;
        }
        let owner = OwnerId::random(&*self.runtime.random);
        blob.owner = Some(owner);
        let put = Command::PutBlob {
            slot,
            blob: stored,
            owner: BlobOwner::Named(owner),
            domain: DOMAIN,
        };
        let proposed = self.storage.propose(slot, self.request(put)).await;
        let outcome = match proposed {
            Ok(committed) if committed.reply == Reply::Done => Outcome::Ok,
            Ok(_) => Outcome::Fail,
            Err(error) => outcome_of(error.effect()),
        };
        self.told(&format!("put blob {}", blob.number), outcome);
        let action = Action::PutBlob(blob);
        self.recorder.ended(self.number, called, outcome, action);
        Some(outcome)
    }

    /// Ends one of the ownerships that were acknowledged.
    pub(super) async fn remove_blob(&mut self) {
        let mut blobs = acknowledged(&self.recorder);
        blobs.retain(|blob| blob.owner.is_some());
        let Some(blob) = self.one_of(&blobs) else {
            return;
        };
        let Some(owner) = blob.owner else { return };
        let called = self.recorder.tick();
        self.recorder.doom(owner);
        let remove = Command::RemoveOwner {
            slot: blob.slot,
            blob: blob.id,
            owner: BlobOwner::Named(owner),
        };
        let proposed = self.storage.propose(blob.slot, self.request(remove)).await;
        let outcome = match proposed {
            Ok(committed) if committed.reply == Reply::Done => Outcome::Ok,
            Ok(_) => Outcome::Fail,
            Err(error) => outcome_of(error.effect()),
        };
        let number = blob.number;
        self.told(&format!("remove an owner of blob {number}"), outcome);
        let action = Action::RemoveBlob { number };
        self.recorder.ended(self.number, called, outcome, action);
    }

    fn one_of(&self, blobs: &[Blob]) -> Option<Blob> {
        if blobs.is_empty() {
            return None;
        }
        let index = usize::try_from(self.draw(blobs.len() as u64)).unwrap_or(0);
        blobs.get(index).cloned()
    }

    /// Reads one of the blobs that were acknowledged.
    pub(super) async fn get_some_blob(&mut self) {
        let Some(blob) = &self.one_of(&acknowledged(&self.recorder)) else {
            return;
        };
        // While there are faults, not to get it says nothing.
        drop(self.get_blob(blob).await);
    }

    /// Reads a blob back. An error if it cannot be read for the moment.
    pub async fn get_blob(&mut self, blob: &Blob) -> Result<(), String> {
        let called = self.recorder.tick();
        let read = self.read_back(blob).await;
        let (named, wrong, result) = match read {
            Ok(wrong) => (true, wrong, Ok(())),
            Err(None) => (false, None, Ok(())),
            Err(Some(error)) => (true, None, Err(error)),
        };
        let outcome = if result.is_ok() {
            Outcome::Ok
        } else {
            Outcome::Fail
        };
        self.told(&format!("get blob {}", blob.number), outcome);
        let number = blob.number;
        let action = Action::GetBlob {
            number,
            named,
            wrong,
        };
        self.recorder.ended(self.number, called, outcome, action);
        result
    }

    /// What is wrong with a blob's bytes; or that it has no manifest; or why
    /// it could not be read.
    async fn read_back(&self, blob: &Blob) -> Result<Option<String>, Option<String>> {
        let query = Query::Manifest {
            slot: blob.slot,
            domain: DOMAIN,
            blob: blob.id,
        };
        let read = self.storage.read(blob.slot, ReadPoint::Linearizable, query);
        let manifest = match read.await {
            Ok(Answer::Manifest(manifest)) => manifest.ok_or(None)?,
            Ok(other) => return Err(Some(format!("an answer to another question: {other:?}"))),
            Err(error) => return Err(Some(error.to_string())),
        };
        let tier = Arc::clone(&self.storage) as Arc<dyn Content>;
        let whole = 0..manifest.length;
        let mut download = Download::new(tier, self.runtime.clone(), DOMAIN, &manifest, whole);
        let mut bytes = Vec::new();
        loop {
            match download.next().await {
                Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                Ok(None) => break,
                Err(error) => return Err(Some(error.source.to_string())),
            }
        }
        let right = bytes == content(blob.number, blob.length);
        Ok((!right).then(|| format!("{} other bytes", bytes.len())))
    }
}

/// The blobs and packs whose puts and pushes were acknowledged, and whose owners
/// nobody has asked to go.
pub(crate) fn acknowledged(recorder: &Recorder) -> Vec<Blob> {
    let operations = recorder.operations();
    let acknowledged = operations.iter().filter(|o| o.outcome == Outcome::Ok);
    let blobs = acknowledged.filter_map(|operation| match &operation.action {
        Action::PutBlob(blob) => Some(blob.clone()),
        Action::Push(push) => push.pack.clone(),
        _ => None,
    });
    blobs.filter(|blob| !recorder.is_doomed(blob)).collect()
}

use chunking::{BlobId, DigestSet, Profile};

use super::world::{DOMAIN, World};
use crate::blob::{Chunks, Finished, StoredBlob};
use crate::order::{Command, Refusal, Reply};
use crate::{BlobOwner, OwnerId, Slot};

impl World {
    fn owner(&self) -> BlobOwner {
        BlobOwner::Named(OwnerId::random(&*self.runtime.random))
    }

    async fn put_blob(&self, slot: Slot, blob: StoredBlob, owner: BlobOwner) -> Reply {
        let domain = DOMAIN;
        let put = Command::PutBlob {
            slot,
            blob,
            owner,
            domain,
        };
        self.propose(slot, put).await
    }

    /// Stages what is too long for an entry and names the blob.
    async fn name_blob(&self, slot: Slot, finished: Finished, owner: BlobOwner) -> StoredBlob {
        let Finished {
            manifest,
            certificate,
            ..
        } = finished;
        let (blob, parts) = StoredBlob::staged(manifest, certificate, self.upload_id(), 0);
        for part in parts {
            self.done(slot, part).await;
        }
        assert_eq!(self.put_blob(slot, blob.clone(), owner).await, Reply::Done);
        blob
    }
}

pub(super) async fn blobs_of_every_size_come_back(world: World) {
    let slot = Slot::random(&*world.runtime.random);
    let sizes = Profile::GenericV1.sizes();
    let [min, avg, max] = [sizes.min, sizes.avg, sizes.max].map(|size| size as usize);
    for length in [
        0,
        1,
        min - 1,
        min,
        min + 1,
        avg,
        max - 1,
        max,
        max + 1,
        3 * max,
    ] {
        // Zeros are cut at the greatest length, random bytes somewhere.
        for bytes in [vec![0; length].into(), world.random_bytes(length)] {
            let hashes = DigestSet::SHA256;
            let upload = world.upload(DOMAIN, Profile::GenericV1, hashes, bytes.clone());
            let finished = upload.await;
            let manifest = finished.manifest.clone();
            assert_eq!(manifest.blob, BlobId::of(&bytes));
            assert_eq!(manifest.length, length as u64);
            assert_eq!(manifest.validate(), Ok(()));
            assert_eq!(manifest.chunks.is_empty(), length == 0);
            world.name_blob(slot, finished, world.owner()).await;
            let stored = world.manifest(slot, manifest.blob).await;
            assert_eq!(stored.as_ref(), Some(&manifest));
            let read = world.download(&manifest, 0..u64::MAX).await;
            assert!(read == bytes, "{length} bytes");
        }
    }
}

pub(super) async fn long_blobs_stream_and_are_read_in_ranges(world: World) {
    let slot = Slot::random(&*world.runtime.random);
    let length = 32 << 20;
    let bytes = world.random_bytes(length);
    let upload = world.upload(DOMAIN, Profile::GenericV1, DigestSet::NONE, bytes.clone());
    let finished = upload.await;
    let blob = world.name_blob(slot, finished, world.owner()).await;
    assert!(
        matches!(blob.chunks, Chunks::Staged { .. }),
        "too long for an entry"
    );
    let manifest = world.manifest(slot, blob.id).await;
    let manifest = manifest.expect("the blob has an owner");
    let first = u64::from(manifest.chunks[0].length);
    let end = length as u64;
    for range in [
        0..end,
        0..1,
        first - 1..first + 1,
        first..first,
        end / 2..end / 2 + 1_000_000,
        end - 1..end,
        end - 1..u64::MAX,
        end..u64::MAX,
    ] {
        let read = world.download(&manifest, range.clone()).await;
        let cut = |at: u64| usize::try_from(at.min(end)).expect("the blob is in memory");
        let expected = &bytes[cut(range.start)..cut(range.end)];
        assert!(read == expected, "bytes {range:?}");
    }
}

pub(super) async fn a_blob_lives_as_long_as_an_owner(world: World) {
    let slot = Slot::random(&*world.runtime.random);
    let bytes = world.random_bytes(1000);
    let upload = world.upload(DOMAIN, Profile::ArchiveV1, DigestSet::NONE, bytes);
    let finished = upload.await;
    let id = finished.manifest.blob;
    assert_eq!(world.manifest(slot, id).await, None, "nothing names it yet");
    let owners = [world.owner(), world.owner()];
    let blob = world.name_blob(slot, finished, owners[0]).await;
    let again = world.put_blob(slot, blob.clone(), owners[0]).await;
    assert_eq!(again, Reply::Done);
    let further = world.put_blob(slot, blob.clone(), owners[1]).await;
    assert_eq!(further, Reply::Done);
    let remove = |owner| Command::RemoveOwner {
        slot,
        blob: id,
        owner,
    };
    world.done(slot, remove(owners[0])).await;
    assert!(world.manifest(slot, id).await.is_some());
    world.done(slot, remove(owners[1])).await;
    assert_eq!(world.manifest(slot, id).await, None);
    world.done(slot, remove(owners[1])).await;

    let mut wrong = blob;
    wrong.length += 1;
    let refused = world.put_blob(slot, wrong, owners[0]).await;
    assert_eq!(refused, Reply::Refused(Refusal::BadManifest(id)));
}

use std::sync::Arc;

use bytes::Bytes;
use chunking::{BlobId, Chunk, ChunkId, DigestSet, Manifest, Profile};
use git_id::{HashKind, ObjectId, RefName};
use runtime::Runtime;

use crate::blob::{Download, Finished, StoredBlob, Upload};
use crate::content::Session;
use crate::event::Events;
use crate::order::{Answer, Command, Committed, ProposeError, Query, Refusal, Reply, Request};
use crate::refs::{RefCommand, RefList, Target};
use crate::repository::{Actor, Commands, NewPack, PackList, Push, Pushed, Repository};
use crate::{
    Content, DedupDomain, ReadPoint, RepositoryId, RequestId, Retry, Slot, Storage, UploadId,
};

/// How often a proposal is tried while a group has no leader.
const ATTEMPTS: usize = 50;

/// The storage under test and the runtime that its caller uses. The storage is
/// ready: every data group has the map of all its nodes.
#[derive(Clone, Debug)]
pub struct World {
    /// What must pass.
    pub storage: Arc<dyn Storage>,
    /// Clock, randomness and tasks.
    pub runtime: Runtime,
}

/// The domain of the suite's chunks.
pub(super) const DOMAIN: DedupDomain = DedupDomain(0);

impl World {
    pub(super) fn content(&self) -> Arc<dyn Content> {
        Arc::clone(&self.storage) as Arc<dyn Content>
    }

    pub(super) fn random_bytes(&self, length: usize) -> Bytes {
        let mut bytes = vec![0; length];
        self.runtime.random.fill(&mut bytes);
        bytes.into()
    }

    pub(super) fn random_chunk(&self, length: usize) -> Chunk {
        let bytes = self.random_bytes(length);
        Chunk {
            id: ChunkId::of(&bytes),
            bytes,
        }
    }

    pub(super) fn repository_id(&self) -> RepositoryId {
        let slot = Slot::random(&*self.runtime.random);
        RepositoryId::in_slot(slot, &*self.runtime.random)
    }

    pub(super) fn request_id(&self) -> RequestId {
        RequestId::random(&*self.runtime.random)
    }

    pub(super) fn upload_id(&self) -> UploadId {
        UploadId::random(&*self.runtime.random)
    }

    pub(super) async fn session(&self, domain: DedupDomain) -> Session {
        let session = self.storage.begin(domain).await;
        session.expect("an upload session begins")
    }

    /// Proposes once more and once more while it says that it may be.
    pub(super) async fn request(
        &self,
        slot: Slot,
        id: RequestId,
        command: Command,
    ) -> Result<Committed, ProposeError> {
        for _ in 1..ATTEMPTS {
            let time = self.runtime.clock.now();
            let command = command.clone();
            let request = Request { id, time, command };
            match self.storage.propose(slot, request).await {
                Err(error) => match error.retry() {
                    Retry::Never => return Err(error),
                    Retry::After(pause) => self.runtime.clock.sleep(pause).await,
                },
                committed => return committed,
            }
        }
        panic!("no proposal came through in {ATTEMPTS} attempts");
    }

    pub(super) async fn propose(&self, slot: Slot, command: Command) -> Reply {
        let committed = self.request(slot, self.request_id(), command).await;
        committed.expect("the command commits").reply
    }

    pub(super) async fn done(&self, slot: Slot, command: Command) {
        assert_eq!(self.propose(slot, command).await, Reply::Done);
    }

    pub(super) async fn refused(&self, slot: Slot, command: Command) -> Refusal {
        match self.propose(slot, command).await {
            Reply::Refused(refusal) => refusal,
            other => panic!("refused is expected, not {other:?}"),
        }
    }

    pub(super) async fn push(&self, push: Push) -> Pushed {
        let slot = push.repository.slot();
        match self.propose(slot, Command::Push(push)).await {
            Reply::Pushed(pushed) => pushed,
            other => panic!("a result of the push is expected, not {other:?}"),
        }
    }

    pub(super) async fn create(&self) -> RepositoryId {
        let id = self.repository_id();
        self.done(id.slot(), create(id)).await;
        id
    }

    pub(super) async fn ask(&self, slot: Slot, point: ReadPoint, query: Query) -> Answer {
        let answer = self.storage.read(slot, point, query).await;
        answer.expect("the query is answered")
    }

    pub(super) async fn repository(&self, id: RepositoryId) -> Option<Repository> {
        let point = ReadPoint::Linearizable;
        match self.ask(id.slot(), point, Query::Repository(id)).await {
            Answer::Repository(repository) => repository,
            other => panic!("a repository is expected, not {other:?}"),
        }
    }

    pub(super) async fn refs(&self, repository: RepositoryId) -> RefList {
        let (point, known) = (ReadPoint::Linearizable, None);
        let query = Query::Refs { repository, known };
        match self.ask(repository.slot(), point, query).await {
            Answer::Refs(Some(refs)) => refs,
            other => panic!("references are expected, not {other:?}"),
        }
    }

    /// The references by name and the objects they name.
    pub(super) async fn targets(&self, repository: RepositoryId) -> Vec<(String, ObjectId)> {
        let refs = self.refs(repository).await.refs.into_iter();
        refs.map(|r| (r.name.to_string(), r.target.id)).collect()
    }

    pub(super) async fn packs(&self, repository: RepositoryId) -> PackList {
        let (point, known) = (ReadPoint::Linearizable, None);
        let query = Query::Packs { repository, known };
        match self.ask(repository.slot(), point, query).await {
            Answer::Packs(Some(packs)) => packs,
            other => panic!("a pack list is expected, not {other:?}"),
        }
    }

    pub(super) async fn manifest(&self, slot: Slot, blob: BlobId) -> Option<Manifest> {
        let domain = DOMAIN;
        let query = Query::Manifest { slot, domain, blob };
        match self.ask(slot, ReadPoint::Linearizable, query).await {
            Answer::Manifest(manifest) => manifest,
            other => panic!("a manifest is expected, not {other:?}"),
        }
    }

    /// A page of the feed of this repository's slot, after a cursor.
    pub(super) async fn events(&self, id: RepositoryId, after: u64) -> Events {
        let slot = id.slot();
        let limit = u32::MAX;
        let query = Query::Events { slot, after, limit };
        match self.ask(slot, ReadPoint::Linearizable, query).await {
            Answer::Events(events) => events,
            other => panic!("events are expected, not {other:?}"),
        }
    }

    /// Uploads bytes in pieces of uneven sizes.
    pub(super) async fn upload(
        &self,
        domain: DedupDomain,
        profile: Profile,
        hashes: DigestSet,
        mut bytes: Bytes,
    ) -> Finished {
        let session = self.session(domain).await;
        let runtime = self.runtime.clone();
        let mut upload = Upload::new(self.content(), session, runtime, profile, hashes, 2);
        let mut piece = 1;
        while !bytes.is_empty() {
            let next = bytes.split_to(piece.min(bytes.len()));
            upload.push(next).await.expect("bytes are taken");
            piece = piece * 3 + 1;
        }
        upload.finish().await.expect("the upload becomes durable")
    }

    pub(super) async fn download(&self, manifest: &Manifest, range: std::ops::Range<u64>) -> Bytes {
        let runtime = self.runtime.clone();
        let mut download = Download::new(self.content(), runtime, DOMAIN, manifest, range);
        let mut all = Vec::new();
        while let Some(bytes) = download.next().await.expect("the blob is read") {
            all.extend_from_slice(&bytes);
        }
        all.into()
    }

    /// A pack of random bytes, durable in this domain.
    pub(super) async fn pack(&self, domain: DedupDomain) -> NewPack {
        let mut blobs = Vec::new();
        for length in [1500, 100] {
            let bytes = self.random_bytes(length);
            let upload = self.upload(domain, Profile::GitPackV1, DigestSet::NONE, bytes);
            let Finished {
                manifest,
                certificate,
                ..
            } = upload.await;
            let (blob, parts) = StoredBlob::staged(manifest, certificate, self.upload_id(), 0);
            assert_eq!(parts, [], "a small blob fits into the entry");
            blobs.push(blob);
        }
        let index = blobs.pop().expect("two were pushed");
        let pack = blobs.pop().expect("two were pushed");
        let checksum = ObjectId::from_bytes(&self.random_bytes(20)).expect("20 bytes");
        NewPack {
            checksum,
            objects: 3,
            pack,
            index,
        }
    }
}

pub(super) fn create(id: RepositoryId) -> Command {
    Command::CreateRepository {
        id,
        hash: HashKind::Sha1,
        head: name("refs/heads/main"),
        domain: DOMAIN,
    }
}

pub(super) fn name(name: &str) -> RefName {
    RefName::new(name).expect("the suite's names are valid")
}

pub(super) fn object(number: u8) -> ObjectId {
    ObjectId::from_bytes(&[number; 20]).expect("20 bytes")
}

/// A reference command; 0 stands for no object.
pub(super) fn command(full: &str, old: u8, new: u8) -> RefCommand {
    RefCommand {
        name: name(full),
        old: (old != 0).then(|| object(old)),
        new: (new != 0).then(|| Target {
            id: object(new),
            peeled: None,
        }),
    }
}

pub(super) fn push(repository: RepositoryId, commands: Vec<RefCommand>) -> Push {
    Push {
        repository,
        pack: None,
        commands: Commands::Inline(commands),
        atomic: false,
        actor: Actor(1),
        options: Vec::new(),
    }
}

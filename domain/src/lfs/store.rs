use chunking::{BlobId, Chunk, ChunkRef, Manifest};
use storage_node_api::blob::{Finished, StoredBlob};
use storage_node_api::content::{BeginError, Certificate, GetError, PutError};
use storage_node_api::limits::CHUNK_BATCH;
use storage_node_api::metadata::{ExecuteError, Guard, Statement, Value};
use storage_node_api::order::{Command, Refusal};
use storage_node_api::{BlobOwner, DedupDomain, OwnerId, UploadId};

use crate::commit::CommitError;
use crate::facts::{FactsError, time};
use crate::lfs::{Lfs, LfsObject};
use crate::limits::LFS_ATTEMPTS;
use crate::repositories::ContentError;
use crate::{Failure, Repository, RepositoryKey};

/// Why an object did not become a repository's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The repository was deleted meanwhile.
    #[error("the repository does not exist")]
    Gone,
    /// The repository's record could not be read.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The blob was not named.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Its chunks could not be pinned again.
    #[error(
        "store a large file: the collector has passed, and its parts are not all there; send it again"
    )]
    NotPinned,
    /// The facts could not be written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl StoreError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Gone => Failure::NotFound,
            Self::Content(error) => error.failure(),
            Self::Commit(error) => error.failure(),
            Self::NotPinned => Failure::Unavailable,
            Self::Facts(error) => error.failure(),
        }
    }
}

impl From<BeginError> for StoreError {
    fn from(_: BeginError) -> Self {
        Self::NotPinned
    }
}

impl From<PutError> for StoreError {
    fn from(_: PutError) -> Self {
        Self::NotPinned
    }
}

impl From<GetError> for StoreError {
    fn from(_: GetError) -> Self {
        Self::NotPinned
    }
}

impl Lfs {
    /// The repository has this object from now on, whose bytes are durable. That it has it
    /// already is fine. On a crash either that is so, or nothing is left once the reconciler
    /// has run.
    pub async fn store(
        &self,
        repository: &Repository,
        content: Finished,
    ) -> Result<LfsObject, StoreError> {
        let object = LfsObject {
            id: content.manifest.blob,
            size: content.manifest.length,
        };
        let owner = OwnerId::random(&*self.facts.runtime.random);
        self.begin_owner(repository, object.id, owner).await?;
        self.name(repository, content, owner).await?;
        match self.make_visible(repository.key, object, owner).await {
            Ok(()) => Ok(object),
            // Someone else was faster, or the repository is gone: our record is in the way.
            Err(ExecuteError::Guard { .. } | ExecuteError::Constraint { .. }) => {
                self.give_up_owner(owner).await?;
                match self.find(repository.key, &[object.id]).await?.pop() {
                    Some(object) => Ok(object),
                    None => Err(StoreError::Gone),
                }
            }
            Err(error) => Err(FactsError::from(error).into()),
        }
    }

    /// Gives the blob its owner in the group.
    async fn name(
        &self,
        repository: &Repository,
        content: Finished,
        owner: OwnerId,
    ) -> Result<(), StoreError> {
        let domain = self.domain(repository).await?;
        let slot = repository.slot();
        let Finished {
            manifest,
            mut certificate,
            ..
        } = content;
        for attempt in 1.. {
            let upload = UploadId::random(&*self.facts.runtime.random);
            let (blob, staged) =
                StoredBlob::staged(manifest.clone(), certificate.clone(), upload, 0);
            let put = Command::PutBlob {
                slot,
                blob,
                owner: BlobOwner::Named(owner),
                domain,
            };
            let mut committed = Ok(());
            for command in staged.into_iter().chain([put]) {
                committed = self.commits.commit(slot, command).await.map(|_| ());
                if committed.is_err() {
                    break;
                }
            }
            match committed {
                Ok(()) => break,
                Err(CommitError::Refused(
                    Refusal::SessionExpired
                    | Refusal::NotDurable { .. }
                    | Refusal::NotStaged { .. },
                )) if attempt < LFS_ATTEMPTS => {
                    certificate = self.pin_again(domain, &manifest).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The collector or the map has moved on since the chunks were put: puts them again, from
    /// where they are.
    async fn pin_again(
        &self,
        domain: DedupDomain,
        manifest: &Manifest,
    ) -> Result<Certificate, StoreError> {
        let session = self.storage.begin(domain).await?;
        let mut certificate = Certificate::default();
        for refs in manifest.chunks.chunks(CHUNK_BATCH) {
            let refs: &[ChunkRef] = refs;
            let bytes = self.storage.get(domain, refs).await?;
            let chunks = refs.iter().zip(bytes);
            let chunks = chunks.map(|(chunk, bytes)| Chunk {
                id: chunk.id,
                bytes,
            });
            for held in self.storage.put(&session, chunks.collect()).await? {
                certificate.push(&held);
            }
        }
        Ok(certificate)
    }

    /// The object's row in place of its owner's, if neither was given up.
    async fn make_visible(
        &self,
        repository: RepositoryKey,
        object: LfsObject,
        owner: OwnerId,
    ) -> Result<(), ExecuteError> {
        let LfsObject { id, size } = object;
        let owner = Value::from(owner.to_string());
        let statements = vec![
            Statement::new(
                "DELETE FROM lfs_owners WHERE owner = $1 AND state = 'storing'",
                [owner.clone()],
            )
            .guarded(Guard::Rows(1)),
            Statement::new(
                "SELECT id FROM repositories WHERE id = $1 AND state = 'active'",
                [repository.into()],
            )
            .guarded(Guard::Rows(1)),
            Statement::new(
                "INSERT INTO lfs_objects (repository_id, oid, size, owner, created) \
                 VALUES ($1, $2, $3, $4, $5)",
                [
                    repository.into(),
                    id.to_string().into(),
                    Value::Integer(i64::try_from(size).unwrap_or(i64::MAX)),
                    owner,
                    time(self.facts.now()),
                ],
            ),
        ];
        self.facts.execute(statements).await?;
        Ok(())
    }

    async fn begin_owner(
        &self,
        repository: &Repository,
        id: BlobId,
        owner: OwnerId,
    ) -> Result<(), FactsError> {
        let insert = Statement::new(
            "INSERT INTO lfs_owners (owner, oid, slot, state, updated) \
             VALUES ($1, $2, $3, 'storing', $4)",
            [
                owner.to_string().into(),
                id.to_string().into(),
                Value::Integer(repository.slot().0.into()),
                time(self.facts.now()),
            ],
        );
        self.facts.execute(vec![insert]).await?;
        Ok(())
    }
}

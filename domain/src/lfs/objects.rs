use chunking::{BlobId, Manifest};
use storage_node_api::metadata::{Statement, Value};
use storage_node_api::order::{Answer, Query, ReadError};
use storage_node_api::{DedupDomain, ReadPoint};

use crate::facts::{Facts, FactsError, time};
use crate::lfs::Lfs;
use crate::limits::LFS_BATCH;
use crate::repositories::ContentError;
use crate::{Repository, RepositoryKey};

/// A large file that a repository has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LfsObject {
    /// The SHA-256 of its bytes, which is its name in LFS and in the storage.
    pub id: BlobId,
    /// Its length in bytes.
    pub size: u64,
}

impl Lfs {
    /// Those of the objects that the repository has. At most [`LFS_BATCH`] are looked for.
    pub async fn find(
        &self,
        repository: RepositoryKey,
        ids: &[BlobId],
    ) -> Result<Vec<LfsObject>, FactsError> {
        let ids = &ids[..ids.len().min(LFS_BATCH)];
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (2..ids.len() + 2)
            .map(|place| format!("${place}"))
            .collect();
        let sql = format!(
            "SELECT oid, size FROM lfs_objects WHERE repository_id = $1 AND oid IN ({})",
            places.join(", ")
        );
        let mut params = vec![Value::from(repository)];
        params.extend(ids.iter().map(|id| Value::from(id.to_string())));
        let rows = self.facts.query(&sql, params).await?;
        rows.into_iter()
            .map(|mut row| {
                Ok(LfsObject {
                    id: row.parsed(|hex| hex.parse().ok())?,
                    size: row.parsed_integer(|size| u64::try_from(size).ok())?,
                })
            })
            .collect()
    }

    /// How many objects the repository has, and their bytes.
    pub async fn size(&self, repository: RepositoryKey) -> Result<(u64, u64), FactsError> {
        let sql =
            "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM lfs_objects WHERE repository_id = $1";
        let rows = self.facts.query(sql, [repository.into()]).await?;
        let Some(mut row) = rows.into_iter().next() else {
            return Ok((0, 0));
        };
        let count = row.parsed_integer(|count| u64::try_from(count).ok())?;
        let bytes = row.parsed_integer(|bytes| u64::try_from(bytes).ok())?;
        Ok((count, bytes))
    }

    /// What an object of the repository consists of, and in which domain its chunks are. Whether
    /// the repository has it is for [`Self::find`] to say.
    pub async fn manifest(
        &self,
        repository: &Repository,
        id: BlobId,
    ) -> Result<(DedupDomain, Manifest), ContentError> {
        let domain = self.domain(repository).await?;
        let (slot, blob) = (repository.slot(), id);
        // A manifest never changes: any replica's will do, if it has it.
        for point in [ReadPoint::Stale, ReadPoint::Linearizable] {
            let query = Query::Manifest { slot, domain, blob };
            match self.read(repository, point, query).await? {
                Answer::Manifest(Some(manifest)) => return Ok((domain, manifest)),
                Answer::Manifest(None) => {}
                _ => return Err(ContentError::UnexpectedAnswer),
            }
        }
        Err(ContentError::Gone)
    }

    /// Where the repository's chunks are shared. That never changes.
    pub async fn domain(&self, repository: &Repository) -> Result<DedupDomain, ContentError> {
        for point in [ReadPoint::Stale, ReadPoint::Linearizable] {
            let query = Query::Repository(repository.storage);
            match self.read(repository, point, query).await? {
                Answer::Repository(Some(record)) => return Ok(record.domain),
                Answer::Repository(None) => {}
                _ => return Err(ContentError::UnexpectedAnswer),
            }
        }
        Err(ContentError::Gone)
    }

    async fn read(
        &self,
        repository: &Repository,
        point: ReadPoint,
        query: Query,
    ) -> Result<Answer, ReadError> {
        self.storage.read(repository.slot(), point, query).await
    }
}

/// A fork that becomes visible has what its origin has now. No effect on one that is visible.
pub(crate) fn copy_to_fork(fork: RepositoryKey) -> Statement {
    Statement::new(
        "INSERT INTO lfs_objects (repository_id, oid, size, owner, created) \
         SELECT f.id, o.oid, o.size, o.owner, o.created FROM repositories f \
         JOIN lfs_objects o ON o.repository_id = f.fork_of \
         WHERE f.id = $1 AND f.state = 'creating'",
        [fork.into()],
    )
}

/// A repository that is gone for good has no objects and locks; owner records that no fork
/// shares are to be removed. Again: no effect.
pub(crate) fn drop_of_repository(facts: &Facts, repository: &Repository) -> Vec<Statement> {
    let key = Value::from(repository.key);
    vec![
        Statement::new(
            "INSERT INTO lfs_owners (owner, oid, slot, state, updated) \
             SELECT o.owner, o.oid, $2, 'dropping', $3 FROM lfs_objects o \
             WHERE o.repository_id = $1 AND NOT EXISTS (SELECT 1 FROM lfs_objects other \
             WHERE other.owner = o.owner AND other.repository_id <> o.repository_id)",
            [
                key.clone(),
                Value::Integer(repository.slot().0.into()),
                time(facts.now()),
            ],
        ),
        Statement::new(
            "DELETE FROM lfs_objects WHERE repository_id = $1",
            [key.clone()],
        ),
        Statement::new("DELETE FROM lfs_locks WHERE repository_id = $1", [key]),
    ]
}

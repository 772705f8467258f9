use storage_node_api::RepositoryId;
use storage_node_api::metadata::Value;
use storage_node_api::order::{Command, Refusal};

use crate::commit::CommitError;
use crate::facts::FactsError;
use crate::repositories::Repositories;

/// Why not all were removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveUnnamedError {
    /// A group could not be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The facts could not be read.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl Repositories {
    /// Removes those of these repositories that no row names, whatever its
    /// state; how many there were. Only a restore leaves some, of those that
    /// were made between its backup's reading of facts and of groups. To be
    /// called while nobody creates repositories: a row comes before its record,
    /// so that even then nothing with a name is removed.
    pub async fn remove_unnamed(&self, ids: &[RepositoryId]) -> Result<u32, RemoveUnnamedError> {
        let mut removed = 0;
        for id in ids {
            let sql = "SELECT id FROM repositories WHERE storage = $1 \
                       UNION ALL SELECT id FROM removed_repositories WHERE storage = $1";
            let named = self.facts.query(sql, [Value::from(id.to_string())]).await?;
            if !named.is_empty() {
                continue;
            }
            for command in [Command::SealRepository(*id), Command::DeleteRepository(*id)] {
                match self.commits.commit(id.slot(), command).await {
                    Ok(_) | Err(CommitError::Refused(Refusal::NoRepository(_))) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            removed += 1;
        }
        Ok(removed)
    }
}

use storage_node_api::metadata::Value;
use storage_node_api::{RepositoryId, Timestamp};

use crate::facts::{Columns, FactsError};
use crate::repositories::repository::read_row;
use crate::repositories::{Repositories, Repository};
use crate::{Access, AccountId, Action, Page, RepositoryKey, Slice, Viewer, authorize};

/// What repositories are called in table `removals`.
pub(super) const KIND: &str = "repository";

/// A repository that can be had back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedRepository {
    /// As it was.
    pub repository: Repository,
    /// When it was removed.
    pub removed: Timestamp,
    /// From when on it may be purged.
    pub until: Timestamp,
}

/// What [`read_removed`] reads.
pub(super) const REMOVED: &str = "SELECT r.id, u.id, u.name, u.full_name, u.created, r.name, \
     r.storage, r.object_format, r.is_private, r.description, r.fork_of, r.created, r.updated, \
     'active', r.initial_head, m.removed, m.until FROM removals m \
     JOIN removed_repositories r ON r.id = m.thing JOIN users u ON u.id = r.owner_id \
     WHERE m.kind = 'repository'";

pub(super) fn read_removed(row: &mut Columns) -> Result<RemovedRepository, FactsError> {
    Ok(RemovedRepository {
        repository: read_row(row)?.repository,
        removed: row.time()?,
        until: row.time()?,
    })
}

impl Repositories {
    /// The removed repository of that id, unless it is being purged. Whether
    /// the asker may know of it is for [`authorize`] to say.
    pub async fn removed(
        &self,
        key: RepositoryKey,
    ) -> Result<Option<RemovedRepository>, FactsError> {
        let sql = format!("{REMOVED} AND m.thing = $1 AND m.state = 'removed'");
        let rows = self.facts.query(&sql, [key.into()]).await?;
        let mut row = rows.into_iter().next();
        row.as_mut().map(read_removed).transpose()
    }

    /// Those that the viewer may administer, of one owner or of all, the last
    /// removed first.
    pub async fn list_removed(
        &self,
        viewer: &Viewer,
        owner: Option<AccountId>,
        slice: Slice,
    ) -> Result<Page<RemovedRepository>, FactsError> {
        let nobody = Page {
            items: Vec::new(),
            total: 0,
        };
        let Some(someone) = viewer.signed_in() else {
            return Ok(nobody);
        };
        let owner = match (someone.user.is_admin, owner) {
            (true, owner) => owner,
            (false, Some(owner)) if owner != someone.user.id => return Ok(nobody),
            (false, _) => Some(someone.user.id),
        };
        let mut params: Vec<Value> = Vec::new();
        let mut condition = "m.state = 'removed'".to_owned();
        if let Some(owner) = owner {
            params.push(owner.into());
            condition.push_str(" AND r.owner_id = $1");
        }
        if someone.scopes.public_only() {
            condition.push_str(" AND r.is_private = 0");
        }
        let count = format!(
            "SELECT COUNT(*) FROM removals m JOIN removed_repositories r ON r.id = m.thing \
             WHERE m.kind = 'repository' AND {condition}"
        );
        let rows = self.facts.query(&count, params.clone()).await?;
        let mut first = rows.into_iter().next();
        let total = first.as_mut().map_or(Ok(0), Columns::integer)?;
        let sql = format!(
            "{REMOVED} AND {condition} ORDER BY m.removed DESC, r.id LIMIT ${} OFFSET ${}",
            params.len() + 1,
            params.len() + 2,
        );
        params.extend(slice.params());
        let mut items = Vec::new();
        for mut row in self.facts.query(&sql, params).await? {
            let removed = read_removed(&mut row)?;
            // The condition should say the same; if ever it does not, this decides.
            if authorize(viewer, Action::Read, Some(&removed.repository)) == Access::Granted {
                items.push(removed);
            }
        }
        Ok(Page {
            items,
            total: total.unsigned_abs(),
        })
    }

    /// The id in its group of a repository, removed or not. One query, so that
    /// one that moves between the tables is not missed.
    pub(super) async fn storage_of(
        &self,
        key: RepositoryKey,
    ) -> Result<Option<RepositoryId>, FactsError> {
        let sql = "SELECT storage FROM repositories WHERE id = $1 \
                   UNION ALL SELECT storage FROM removed_repositories WHERE id = $1";
        let rows = self.facts.query(sql, [key.into()]).await?;
        let mut row = rows.into_iter().next();
        row.as_mut()
            .map(|row| row.parsed(|text| text.parse().ok()))
            .transpose()
    }
}

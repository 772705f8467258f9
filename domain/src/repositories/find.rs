use storage_node_api::metadata::Value;
use storage_node_api::{ReadPoint, RepositoryId};

use crate::RepositoryKey;
use crate::accounts::is_plain;
use crate::facts::FactsError;
use crate::repositories::removed::{REMOVED, read_removed};
use crate::repositories::repository::{ROW, Row, State, read_row};
use crate::repositories::{Repositories, Repository};

impl Repositories {
    /// The repository of that owner and name, in any case. Whether the asker
    /// may know of it is for [`authorize`](crate::authorize) to say.
    pub async fn find(&self, owner: &str, name: &str) -> Result<Option<Repository>, FactsError> {
        let row = self.row(owner, name).await?;
        Ok(row
            .filter(|row| row.state == State::Active)
            .map(|row| row.repository))
    }

    /// The repository of that id.
    pub async fn by_key(&self, key: RepositoryKey) -> Result<Option<Repository>, FactsError> {
        self.by_key_at(key, ReadPoint::Linearizable).await
    }

    /// The repository of that id, as new as that.
    pub(crate) async fn by_key_at(
        &self,
        key: RepositoryKey,
        point: ReadPoint,
    ) -> Result<Option<Repository>, FactsError> {
        let sql = format!("{ROW} WHERE r.id = $1");
        let rows = self.facts.query_at(point, &sql, [key.into()]).await?;
        let row = rows.into_iter().next();
        let row = row.map(|mut row| read_row(&mut row)).transpose()?;
        Ok(row
            .filter(|row| row.state == State::Active)
            .map(|row| row.repository))
    }

    /// The repository whose content is in its group under that id, whatever its state, removed ones
    /// too.
    pub async fn by_storage(&self, id: RepositoryId) -> Result<Option<Repository>, FactsError> {
        let id = Value::from(id.to_string());
        let rows = self
            .facts
            .query(&format!("{ROW} WHERE r.storage = $1"), [id.clone()])
            .await?;
        if let Some(mut row) = rows.into_iter().next() {
            return Ok(Some(read_row(&mut row)?.repository));
        }
        let rows = self
            .facts
            .query(&format!("{REMOVED} AND r.storage = $1"), [id])
            .await?;
        let mut row = rows.into_iter().next();
        let removed = row.as_mut().map(read_removed).transpose()?;
        Ok(removed.map(|removed| removed.repository))
    }

    pub(crate) async fn row(&self, owner: &str, name: &str) -> Result<Option<Row>, FactsError> {
        if !is_plain(owner) || !is_plain(name) {
            return Ok(None);
        }
        let sql = format!("{ROW} WHERE u.name_key = $1 AND r.name_key = $2 AND u.is_active = 1");
        let keys = [owner, name].map(|name| name.to_ascii_lowercase().into());
        let rows = self.facts.query(&sql, keys).await?;
        rows.into_iter()
            .next()
            .map(|mut row| read_row(&mut row))
            .transpose()
    }
}

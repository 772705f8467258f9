use crate::facts::FactsError;
use crate::keys::key::{KEY_COLUMNS, read_key};
use crate::keys::{Key, KeyOwner, Keys};
use crate::{KeyId, Page, Slice};

impl Keys {
    /// An owner's keys in the order in which they were added.
    pub async fn list(&self, owner: KeyOwner, slice: Slice) -> Result<Page<Key>, FactsError> {
        let (of_owner, parameter) = owner.condition();
        let sql = format!(
            "SELECT {KEY_COLUMNS} FROM keys k WHERE {of_owner} \
             ORDER BY k.created, k.id LIMIT $2 OFFSET $3"
        );
        let [limit, offset] = slice.params();
        let rows = self.facts.query(&sql, [parameter, limit, offset]).await?;
        let items = rows
            .into_iter()
            .map(|mut row| read_key(&mut row))
            .collect::<Result<_, _>>()?;
        Ok(Page {
            items,
            total: self.count(owner).await?,
        })
    }

    /// The owner's key of that id.
    pub async fn get(&self, owner: KeyOwner, id: KeyId) -> Result<Option<Key>, FactsError> {
        self.one(owner, "k.id = $2", id.into()).await
    }

    /// The owner's key with that fingerprint.
    pub async fn find(
        &self,
        owner: KeyOwner,
        fingerprint: &str,
    ) -> Result<Option<Key>, FactsError> {
        // No database takes every text; these are no key's anyway.
        if fingerprint.chars().any(char::is_control) {
            return Ok(None);
        }
        self.one(owner, "k.fingerprint = $2", fingerprint.into())
            .await
    }

    async fn one(
        &self,
        owner: KeyOwner,
        condition: &str,
        value: storage_node_api::metadata::Value,
    ) -> Result<Option<Key>, FactsError> {
        let (of_owner, parameter) = owner.condition();
        let sql = format!("SELECT {KEY_COLUMNS} FROM keys k WHERE {of_owner} AND {condition}");
        let rows = self.facts.query(&sql, [parameter, value]).await?;
        rows.into_iter()
            .next()
            .map(|mut row| read_key(&mut row))
            .transpose()
    }

    pub(super) async fn count(&self, owner: KeyOwner) -> Result<u64, FactsError> {
        let (of_owner, parameter) = owner.condition();
        let sql = format!("SELECT COUNT(*) FROM keys k WHERE {of_owner}");
        let rows = self.facts.query(&sql, [parameter]).await?;
        let total = rows
            .into_iter()
            .next()
            .map_or(Ok(0), |mut row| row.integer())?;
        Ok(total.unsigned_abs())
    }
}

use crate::facts::FactsError;
use crate::tokens::token::{TOKEN_COLUMNS, read_token};
use crate::tokens::{Token, Tokens};
use crate::{AccountId, Page, Slice};

impl Tokens {
    /// An account's access tokens, newest first.
    pub async fn list(&self, account: AccountId, slice: Slice) -> Result<Page<Token>, FactsError> {
        let sql = format!(
            "SELECT {TOKEN_COLUMNS} FROM tokens t WHERE t.user_id = $1 AND t.kind = 'access' \
             ORDER BY t.created DESC, t.id LIMIT $2 OFFSET $3"
        );
        let [limit, offset] = slice.params();
        let rows = self
            .facts
            .query(&sql, [account.into(), limit, offset])
            .await?;
        let items = rows
            .into_iter()
            .map(|mut row| read_token(&mut row))
            .collect::<Result<_, _>>()?;
        Ok(Page {
            items,
            total: self.count(account).await?,
        })
    }

    /// How many access tokens an account has.
    pub(crate) async fn count(&self, account: AccountId) -> Result<u64, FactsError> {
        let sql = "SELECT COUNT(*) FROM tokens WHERE user_id = $1 AND kind = 'access'";
        let rows = self.facts.query(sql, [account.into()]).await?;
        let total = rows
            .into_iter()
            .next()
            .map_or(Ok(0), |mut row| row.integer())?;
        Ok(total.unsigned_abs())
    }
}

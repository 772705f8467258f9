use storage_node_api::metadata::{ExecuteError, Guard, Statement};

use crate::facts::{FactsError, time};
use crate::keys::Keys;

impl Keys {
    /// The private key of that kind by which all frontends are known, as text.
    /// If there is none yet, it is `generated`; of several processes that start
    /// at once, one makes it for all.
    pub async fn host_key<E: From<FactsError>>(
        &self,
        kind: &str,
        generate: impl FnOnce() -> Result<String, E>,
    ) -> Result<String, E> {
        if let Some(kept) = self.kept_host_key(kind).await? {
            return Ok(kept);
        }
        let made = generate()?;
        let is_free = Statement::new("SELECT kind FROM host_keys WHERE kind = $1", [kind.into()]);
        let insert = Statement::new(
            "INSERT INTO host_keys (kind, private, created) VALUES ($1, $2, $3)",
            [kind.into(), made.clone().into(), time(self.facts.now())],
        );
        let statements = vec![is_free.guarded(Guard::Rows(0)), insert];
        match self.facts.execute(statements).await {
            Ok(_) => Ok(made),
            Err(error @ (ExecuteError::Guard { .. } | ExecuteError::Constraint { .. })) => {
                // Another process was faster.
                let kept = self.kept_host_key(kind).await?;
                kept.ok_or_else(|| FactsError::from(error).into())
            }
            Err(error) => Err(FactsError::from(error).into()),
        }
    }

    async fn kept_host_key(&self, kind: &str) -> Result<Option<String>, FactsError> {
        let sql = "SELECT private FROM host_keys WHERE kind = $1";
        let rows = self.facts.query(sql, [kind.into()]).await?;
        rows.into_iter()
            .next()
            .map(|mut row| row.text())
            .transpose()
    }
}

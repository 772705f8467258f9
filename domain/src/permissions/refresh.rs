use storage_node_api::{ReadPoint, Timestamp};

use crate::accounts::{USER_COLUMNS, read_user};
use crate::facts::{FactsError, time};
use crate::keys::{DEPLOY_COLUMNS, read_deploy_key};
use crate::permissions::{Means, SignedIn, Viewer};
use crate::tokens::Scopes;
use crate::{AccountId, Forge, KeyId, Repository, RepositoryKey, TokenId, User};

impl Forge {
    /// The viewer and a repository as they are now, both read at once.
    ///
    /// For long requests, before what they lead to takes effect.
    pub async fn refresh(
        &self,
        viewer: &Viewer,
        repository: RepositoryKey,
        point: ReadPoint,
    ) -> Result<(Viewer, Option<Repository>), FactsError> {
        let repository = self.repositories.by_key_at(repository, point);
        tokio::try_join!(self.present(viewer, point), repository)
    }

    /// The viewer as it is now: with the account's present rights, and nobody
    /// in particular if the account, token, session, key or certificate has
    /// ended since.
    pub async fn present(&self, viewer: &Viewer, point: ReadPoint) -> Result<Viewer, FactsError> {
        let someone = match viewer {
            Viewer::Anonymous => return Ok(Viewer::Anonymous),
            Viewer::DeployKey(key) => return self.deploy_key(key.id, point).await,
            Viewer::SignedIn(someone) => someone,
        };
        let now = match someone.means {
            Means::Certificate { until: Some(until) } if until <= self.accounts.facts.now() => None,
            Means::Password | Means::Certificate { .. } => {
                let user = self.accounts.by_id(someone.user.id, point).await?;
                user.map(|user| (user, Scopes::all()))
            }
            Means::Token(id) | Means::Session(id) => self.holder(id, point).await?,
            Means::Key(id) => {
                let user = self.key_holder(id, point).await?;
                user.map(|user| (user, Scopes::all()))
            }
        };
        Ok(now.map_or(Viewer::Anonymous, |(user, scopes)| {
            Viewer::SignedIn(Box::new(SignedIn {
                user,
                scopes,
                means: someone.means,
            }))
        }))
    }

    /// Who holds the key of that id: an account, one repository's deploy key, or nobody any more.
    pub async fn viewer_of_key(&self, id: KeyId, point: ReadPoint) -> Result<Viewer, FactsError> {
        if let Some(user) = self.key_holder(id, point).await? {
            return Ok(Viewer::with_key(user, id));
        }
        self.deploy_key(id, point).await
    }

    /// Who holds a certificate for that account.
    pub async fn viewer_of_certificate(
        &self,
        account: AccountId,
        until: Option<Timestamp>,
        point: ReadPoint,
    ) -> Result<Viewer, FactsError> {
        if until.is_some_and(|until| until <= self.accounts.facts.now()) {
            return Ok(Viewer::Anonymous);
        }
        let user = self.accounts.by_id(account, point).await?;
        Ok(user.map_or(Viewer::Anonymous, |user| {
            Viewer::with_certificate(user, until)
        }))
    }

    /// The account whose key it still is.
    async fn key_holder(&self, id: KeyId, point: ReadPoint) -> Result<Option<User>, FactsError> {
        let sql = format!(
            "SELECT {USER_COLUMNS} FROM keys k JOIN users u ON u.id = k.user_id \
             WHERE k.id = $1 AND k.repository_id IS NULL AND u.is_active = 1"
        );
        let rows = self
            .accounts
            .facts
            .query_at(point, &sql, [id.into()])
            .await?;
        rows.into_iter()
            .next()
            .map(|mut row| read_user(&mut row))
            .transpose()
    }

    /// The key as it is now, if it is still there.
    async fn deploy_key(&self, id: KeyId, point: ReadPoint) -> Result<Viewer, FactsError> {
        let sql = format!(
            "SELECT {DEPLOY_COLUMNS} FROM keys k \
             WHERE k.id = $1 AND k.repository_id IS NOT NULL"
        );
        let facts = &self.accounts.facts;
        let rows = facts.query_at(point, &sql, [id.into()]).await?;
        match rows.into_iter().next() {
            Some(mut row) => Ok(Viewer::DeployKey(read_deploy_key(&mut row)?)),
            None => Ok(Viewer::Anonymous),
        }
    }

    /// The account and scopes of a token or session that is still good.
    async fn holder(
        &self,
        id: TokenId,
        point: ReadPoint,
    ) -> Result<Option<(User, Scopes)>, FactsError> {
        let facts = &self.accounts.facts;
        let sql = format!(
            "SELECT {USER_COLUMNS}, t.scopes FROM tokens t JOIN users u ON u.id = t.user_id \
             WHERE t.id = $1 AND (t.expires IS NULL OR t.expires > $2) AND u.is_active = 1"
        );
        let params = [id.into(), time(facts.now())];
        let rows = facts.query_at(point, &sql, params).await?;
        let Some(mut row) = rows.into_iter().next() else {
            return Ok(None);
        };
        Ok(Some((read_user(&mut row)?, row.parsed(Scopes::from_text)?)))
    }
}

#[cfg(test)]
mod tests {
    use storage_node_api::ReadPoint;

    use crate::testing::{forge, user};
    use crate::tokens::{NewToken, Scopes};
    use crate::{RepositoryKey, Viewer};

    #[tokio::test]
    async fn a_revoked_token_makes_its_holder_nobody() {
        let forge = forge().await;
        let alice = user(&forge, "alice").await;
        let new = NewToken {
            name: "ci",
            scopes: Scopes::all(),
            expires: None,
        };
        let (_, secret) = forge.tokens.create(alice.id, new).await.unwrap();
        let viewer = Viewer::with_token(forge.tokens.authenticate(&secret).await.unwrap());
        let nothing = RepositoryKey(7);
        for point in [ReadPoint::Linearizable, ReadPoint::Stale] {
            let present = forge.refresh(&viewer, nothing, point).await.unwrap();
            assert_eq!(present, (viewer.clone(), None));
        }
        forge.tokens.revoke(alice.id, "ci").await.unwrap();
        for point in [ReadPoint::Linearizable, ReadPoint::Stale] {
            let present = forge.refresh(&viewer, nothing, point).await.unwrap();
            assert_eq!(present, (Viewer::Anonymous, None));
        }
        let viewer = Viewer::with_password(alice);
        let present = forge.refresh(&viewer, nothing, ReadPoint::Stale).await;
        assert_eq!(present.unwrap(), (viewer, None));
    }
}

use crate::accounts::{USER_COLUMNS, read_user};
use crate::facts::{FactsError, time};
use crate::permissions::{Means, SignedIn, Viewer};
use crate::tokens::Scopes;
use crate::{Forge, TokenId, User};

impl Forge {
    /// The viewer as it is now: with the account's present rights, and nobody
    /// in particular if the account, token or session has ended since.
    ///
    /// For long requests, before what they lead to takes effect.
    pub async fn refresh(&self, viewer: &Viewer) -> Result<Viewer, FactsError> {
        let Some(someone) = viewer.signed_in() else {
            return Ok(Viewer::Anonymous);
        };
        let now = match someone.means {
            Means::Password => {
                let user = self.accounts.by_id(someone.user.id).await?;
                user.map(|user| (user, Scopes::all()))
            }
            Means::Token(id) | Means::Session(id) => self.holder(id).await?,
        };
        Ok(now.map_or(Viewer::Anonymous, |(user, scopes)| {
            Viewer::SignedIn(Box::new(SignedIn {
                user,
                scopes,
                means: someone.means,
            }))
        }))
    }

    /// The account and scopes of a token or session that is still good.
    async fn holder(&self, id: TokenId) -> Result<Option<(User, Scopes)>, FactsError> {
        let facts = &self.accounts.facts;
        let sql = format!(
            "SELECT {USER_COLUMNS}, t.scopes FROM tokens t JOIN users u ON u.id = t.user_id \
             WHERE t.id = $1 AND (t.expires IS NULL OR t.expires > $2) AND u.is_active = 1"
        );
        let rows = facts.query(&sql, [id.into(), time(facts.now())]).await?;
        let Some(mut row) = rows.into_iter().next() else {
            return Ok(None);
        };
        Ok(Some((read_user(&mut row)?, row.parsed(Scopes::from_text)?)))
    }
}

#[cfg(test)]
mod tests {
    use crate::Viewer;
    use crate::testing::{forge, user};
    use crate::tokens::{NewToken, Scopes};

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
        assert_eq!(forge.refresh(&viewer).await.unwrap(), viewer);
        forge.tokens.revoke(alice.id, "ci").await.unwrap();
        assert_eq!(forge.refresh(&viewer).await.unwrap(), Viewer::Anonymous);
        let viewer = Viewer::with_password(alice);
        assert_eq!(forge.refresh(&viewer).await.unwrap(), viewer);
    }
}

use std::sync::Arc;

use async_trait::async_trait;
use domain::keys::Holder;
use domain::{FactsError, Viewer};
use frontend_ssh::{Call, Claim, Shell, Status, Unavailable};

use crate::failing::chain;
use crate::site::Site;
use crate::ssh::call::serve;

/// The name that everybody may sign in under: the key says who it is.
const LOGIN: &str = "git";

/// Names of a certificate that are looked up.
const PRINCIPALS: usize = 16;

/// Who may get in, and what they get.
#[derive(Debug)]
pub(super) struct ForgeShell {
    pub(super) site: Arc<Site>,
}

/// Someone who was let in.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) viewer: Viewer,
    /// How people and logs call them.
    pub(super) name: String,
}

#[async_trait]
impl Shell for ForgeShell {
    type Caller = Caller;

    async fn holder(&self, login: &str, fingerprint: &str) -> Result<Option<Caller>, Unavailable> {
        let found = self.site.forge.keys.holder(fingerprint).await;
        let Some(holder) = found.map_err(unavailable)? else {
            return Ok(None);
        };
        Ok(match holder {
            Holder::Account { user, key } => {
                let is_theirs = login == LOGIN || user.name.eq_ignore_ascii_case(login);
                is_theirs.then(|| Caller {
                    name: user.name.clone(),
                    viewer: Viewer::with_key(user, key.id),
                })
            }
            Holder::Repository(key) => (login == LOGIN).then(|| Caller {
                name: format!("deploy key {}", key.id),
                viewer: Viewer::DeployKey(key),
            }),
        })
    }

    async fn certified(&self, login: &str, claim: &Claim) -> Result<Option<Caller>, Unavailable> {
        let is_meant = |name: &&String| login == LOGIN || name.eq_ignore_ascii_case(login);
        for name in claim.principals.iter().filter(is_meant).take(PRINCIPALS) {
            let found = self.site.forge.accounts.by_name(name).await;
            if let Some(user) = found.map_err(unavailable)? {
                return Ok(Some(Caller {
                    name: user.name.clone(),
                    viewer: Viewer::with_certificate(user, claim.until),
                }));
            }
        }
        Ok(None)
    }

    fn greeting(&self, caller: &Caller) -> String {
        format!(
            "Hi {}, you are signed in to DevFlow Code, but there is no shell access: use git.",
            caller.name
        )
    }

    async fn run(&self, call: Call<'_, Caller>) -> Status {
        serve(&self.site, call).await
    }
}

fn unavailable(error: FactsError) -> Unavailable {
    tracing::warn!(error = %chain(&error), "whose a key is cannot be told");
    Unavailable
}

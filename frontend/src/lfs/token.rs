//! What stands for a key of SSH in requests over HTTP, for a short time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::permissions::Means;
use domain::{AccountId, FactsError, KeyId, RepositoryKey, Viewer};
use frontend_ssh::Operation;
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use storage_node_api::{ReadPoint, Timestamp};
use subtle::ConstantTimeEq;
use tokio::sync::OnceCell;

use crate::limits::LFS_GRANT_LIFE;
use crate::site::Site;

/// The scheme of its `Authorization`, which no other credentials have.
const SCHEME: &str = "LFS";

/// Under which name the facts keep the secret.
const SECRET: &str = "lfs";

/// The secret by which all frontends know their grants, once it was read.
#[derive(Debug, Default)]
pub(crate) struct LfsSecret(OnceCell<[u8; 32]>);

/// Who may do what: given over SSH, shown over HTTP. The right itself is read again each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    repository: i64,
    upload: bool,
    who: Who,
    /// Milliseconds since the Unix epoch.
    expires: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Who {
    Key(i64),
    Certificate { account: i64, until: Option<u64> },
}

impl Grant {
    /// What a viewer who came with a key may do; nothing for one who came otherwise.
    pub(crate) fn new(
        site: &Site,
        viewer: &Viewer,
        repository: RepositoryKey,
        operation: Operation,
    ) -> Option<Self> {
        let who = match (viewer.means()?, viewer.account()?) {
            (Means::Key(id), _) => Who::Key(id.0),
            (Means::Certificate { until }, account) => Who::Certificate {
                account: account.0,
                until: until.map(Timestamp::millis),
            },
            _ => return None,
        };
        let life = u64::try_from(LFS_GRANT_LIFE.as_millis()).unwrap_or(u64::MAX);
        Some(Self {
            repository: repository.0,
            upload: operation == Operation::Upload,
            who,
            expires: site.runtime.clock.now().millis().saturating_add(life),
        })
    }

    /// As it stands in `Authorization`.
    pub(crate) async fn header(&self, site: &Site) -> Result<String, FactsError> {
        let payload = serde_json::to_vec(self).unwrap_or_default();
        let seal = seal(&payload, site).await?;
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Ok(format!("{SCHEME} {}.{}", encode(&payload), encode(&seal)))
    }

    /// The grant of a request; nothing if it has none, or one that is forged or over.
    pub(super) async fn of(headers: &HeaderMap, site: &Site) -> Result<Option<Self>, FactsError> {
        let Some(text) = grant_text(headers) else {
            return Ok(None);
        };
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let parts = text.split_once('.');
        let parts = parts.and_then(|(payload, seal)| decode(payload).zip(decode(seal)));
        let Some((payload, shown)) = parts else {
            return Ok(None);
        };
        let right = seal(&payload, site).await?;
        if !bool::from(right.as_slice().ct_eq(&shown)) {
            return Ok(None);
        }
        let grant: Option<Self> = serde_json::from_slice(&payload).ok();
        let now = site.runtime.clock.now().millis();
        Ok(grant.filter(|grant| now < grant.expires))
    }

    /// Whether a request shows a grant, good or not.
    pub(super) fn is_in(headers: &HeaderMap) -> bool {
        grant_text(headers).is_some()
    }

    /// Whether it is for that.
    pub(super) fn covers(&self, repository: RepositoryKey, operation: Operation) -> bool {
        self.repository == repository.0 && (self.upload || operation == Operation::Download)
    }

    /// Who shows it, with the rights of now.
    pub(super) async fn viewer(&self, site: &Site) -> Result<Viewer, FactsError> {
        let point = ReadPoint::Linearizable;
        match self.who {
            Who::Key(id) => site.forge.viewer_of_key(KeyId(id), point).await,
            Who::Certificate { account, until } => {
                let (account, until) = (AccountId(account), until.map(Timestamp));
                let viewer = site.forge.viewer_of_certificate(account, until, point);
                viewer.await
            }
        }
    }
}

fn grant_text(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    (scheme == SCHEME).then_some(rest)
}

async fn seal(payload: &[u8], site: &Site) -> Result<[u8; 32], FactsError> {
    let secret = site.lfs.0.get_or_try_init(|| read_secret(site)).await?;
    Ok(*blake3::keyed_hash(secret, payload).as_bytes())
}

/// The secret that the first frontend to need it makes for all.
async fn read_secret(site: &Site) -> Result<[u8; 32], FactsError> {
    let generate = || {
        let mut bytes = [0; 32];
        site.runtime.random.fill(&mut bytes);
        Ok::<_, FactsError>(blake3::Hash::from_bytes(bytes).to_hex().to_string())
    };
    let text = site.forge.keys.host_key(SECRET, generate).await?;
    // Whatever text is kept stands for the same secret in every frontend.
    Ok(*blake3::hash(text.as_bytes()).as_bytes())
}

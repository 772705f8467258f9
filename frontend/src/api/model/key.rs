use domain::keys::Key;
use domain::{User as Account, Viewer};
use serde::Serialize;

use crate::api::model::{Repository, User};
use crate::moment::rfc3339;
use crate::request::BaseUrl;

/// A key of an account.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct PublicKey {
    id: i64,
    key: String,
    url: String,
    title: String,
    fingerprint: String,
    created_at: String,
    last_used_at: String,
    user: User,
    read_only: bool,
    key_type: &'static str,
}

impl PublicKey {
    pub(in crate::api) fn of(key: &Key, owner: &Account, viewer: &Viewer, base: &BaseUrl) -> Self {
        Self {
            id: key.id.0,
            key: key.content.clone(),
            url: format!("{}/api/v1/user/keys/{}", base.as_str(), key.id),
            title: key.title.clone(),
            fingerprint: key.fingerprint.clone(),
            created_at: rfc3339(key.created),
            last_used_at: rfc3339(key.last_used.unwrap_or(key.created)),
            user: User::of(owner, viewer, base),
            read_only: key.read_only,
            key_type: "user",
        }
    }
}

/// A key of a repository.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct DeployKey {
    id: i64,
    key_id: i64,
    key: String,
    url: String,
    title: String,
    fingerprint: String,
    created_at: String,
    read_only: bool,
    repository: Repository,
}

impl DeployKey {
    pub(in crate::api) fn of(
        key: &Key,
        full_name: &str,
        repository: Repository,
        base: &BaseUrl,
    ) -> Self {
        Self {
            id: key.id.0,
            key_id: key.id.0,
            key: key.content.clone(),
            url: format!("{}/api/v1/repos/{full_name}/keys/{}", base.as_str(), key.id),
            title: key.title.clone(),
            fingerprint: key.fingerprint.clone(),
            created_at: rfc3339(key.created),
            read_only: key.read_only,
            repository,
        }
    }
}

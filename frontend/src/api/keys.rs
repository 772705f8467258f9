use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query};
use axum::response::Response;
use domain::keys::{Key, KeyOwner, NewKey};
use domain::permissions::authorize_administration;
use domain::tokens::{Category, Level};
use domain::{KeyId, Page, User as Account, Viewer};
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;

use crate::api::json::Body;
use crate::api::model::PublicKey;
use crate::api::paging::Paging;
use crate::api::users::signed_in;
use crate::api::{ApiError, lookup};
use crate::request::BaseUrl;
use crate::site::Site;

/// What a key is to be.
#[derive(Debug, Deserialize)]
pub(super) struct CreateKey {
    title: String,
    key: String,
    #[serde(default)]
    read_only: bool,
}

impl CreateKey {
    pub(super) fn new_key(&self) -> NewKey<'_> {
        NewKey {
            title: &self.title,
            text: &self.key,
            read_only: self.read_only,
        }
    }
}

/// Which keys a listing is to have.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    pub(super) fingerprint: Option<String>,
    pub(super) key_id: Option<i64>,
}

/// Who asks, where, and at what address.
#[derive(Debug)]
pub(super) struct Asker {
    site: Arc<Site>,
    viewer: Viewer,
    base: BaseUrl,
}

impl FromRequestParts<Arc<Site>> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Infallible> {
        let viewer = parts.extensions.get::<Viewer>().cloned();
        Ok(Self {
            site: Arc::clone(site),
            viewer: viewer.unwrap_or(Viewer::Anonymous),
            base: BaseUrl::from_parts(parts),
        })
    }
}

impl Asker {
    fn own(&self, level: Level) -> Result<Account, ApiError> {
        signed_in(&self.viewer, level, Category::User).cloned()
    }

    async fn of_user(&self, name: &str) -> Result<Account, ApiError> {
        lookup::user(&self.site, name).await
    }

    async fn administered(&self, name: &str) -> Result<Account, ApiError> {
        ApiError::require(authorize_administration(&self.viewer))?;
        self.of_user(name).await
    }

    fn shape(&self, key: &Key, account: &Account) -> PublicKey {
        PublicKey::of(key, account, &self.viewer, &self.base)
    }

    async fn list(
        &self,
        account: &Account,
        paging: &Paging,
        wanted: &Wanted,
    ) -> Result<Response, ApiError> {
        let owner = KeyOwner::Account(account.id);
        let page = listed(&self.site, owner, paging, wanted).await?;
        let items: Vec<_> = page
            .items
            .iter()
            .map(|key| self.shape(key, account))
            .collect();
        Ok(paging.answer(&items, page.total))
    }

    async fn add(
        &self,
        account: &Account,
        asked: &CreateKey,
    ) -> Result<(StatusCode, Json<PublicKey>), ApiError> {
        let owner = KeyOwner::Account(account.id);
        let key = self.site.forge.keys.add(owner, asked.new_key()).await?;
        Ok((StatusCode::CREATED, Json(self.shape(&key, account))))
    }

    async fn remove(&self, account: &Account, id: i64) -> Result<StatusCode, ApiError> {
        let owner = KeyOwner::Account(account.id);
        self.site.forge.keys.remove(owner, KeyId(id)).await?;
        Ok(StatusCode::NO_CONTENT)
    }
}

/// A page of keys, or the one that is asked for.
pub(super) async fn listed(
    site: &Site,
    owner: KeyOwner,
    paging: &Paging,
    wanted: &Wanted,
) -> Result<Page<Key>, ApiError> {
    let keys = &site.forge.keys;
    let one = match (&wanted.fingerprint, wanted.key_id) {
        (None, None) => return Ok(keys.list(owner, paging.slice()).await?),
        (Some(fingerprint), _) => keys.find(owner, fingerprint).await?,
        (None, Some(id)) => keys.get(owner, KeyId(id)).await?,
    };
    Ok(Page {
        total: one.iter().count() as u64,
        items: one.into_iter().collect(),
    })
}

/// `GET /user/keys`.
pub(super) async fn list_own(
    asker: Asker,
    Query(wanted): Query<Wanted>,
    paging: Paging,
) -> Result<Response, ApiError> {
    let account = asker.own(Level::Read)?;
    asker.list(&account, &paging, &wanted).await
}

/// `GET /users/{name}/keys`: public keys are public.
pub(super) async fn list_of_user(
    asker: Asker,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
    paging: Paging,
) -> Result<Response, ApiError> {
    let account = asker.of_user(&name).await?;
    asker.list(&account, &paging, &wanted).await
}

/// `GET /user/keys/{id}`.
pub(super) async fn get_own(
    asker: Asker,
    Path(id): Path<i64>,
) -> Result<Json<PublicKey>, ApiError> {
    let account = asker.own(Level::Read)?;
    let owner = KeyOwner::Account(account.id);
    let found = asker.site.forge.keys.get(owner, KeyId(id)).await?;
    let key = found.ok_or_else(ApiError::not_found)?;
    Ok(Json(asker.shape(&key, &account)))
}

/// `POST /user/keys`.
pub(super) async fn add_own(
    asker: Asker,
    Body(asked): Body<CreateKey>,
) -> Result<(StatusCode, Json<PublicKey>), ApiError> {
    asker.add(&asker.own(Level::Write)?, &asked).await
}

/// `DELETE /user/keys/{id}`.
pub(super) async fn remove_own(asker: Asker, Path(id): Path<i64>) -> Result<StatusCode, ApiError> {
    asker.remove(&asker.own(Level::Write)?, id).await
}

/// `POST /admin/users/{name}/keys`.
pub(super) async fn add_for(
    asker: Asker,
    Path(name): Path<String>,
    Body(asked): Body<CreateKey>,
) -> Result<(StatusCode, Json<PublicKey>), ApiError> {
    asker.add(&asker.administered(&name).await?, &asked).await
}

/// `DELETE /admin/users/{name}/keys/{id}`.
pub(super) async fn remove_for(
    asker: Asker,
    Path((name, id)): Path<(String, i64)>,
) -> Result<StatusCode, ApiError> {
    asker.remove(&asker.administered(&name).await?, id).await
}

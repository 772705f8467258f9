use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use domain::lfs::{Lock, LockError, LockFilter, NewLock};
use domain::{AccountId, LockId, Repository};
use frontend_ssh::Operation;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::LfsError;
use super::enter::{Entered, enter};
use super::error::answer;
use super::json::read_json;
use crate::admission::{Cost, Turn};
use crate::limits::LFS_LOCK_PAGE;
use crate::moment::rfc3339;
use crate::site::Site;

/// What is to be locked (git-lfs, `docs/api/locking.md`). Locks are of paths, whatever the ref.
#[derive(Debug, Deserialize)]
struct Create {
    path: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Listing {
    path: Option<String>,
    id: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
struct Verify {
    cursor: Option<String>,
    limit: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
struct Unlock {
    #[serde(default)]
    force: bool,
}

/// `POST …/info/lfs/locks`.
pub(super) async fn create(
    State(site): State<Arc<Site>>,
    Path((owner, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, LfsError> {
    let (entered, _turn, create) =
        take::<Create>(&site, (&owner, &name), request, Operation::Upload).await?;
    let new = NewLock {
        repository: entered.repository.key,
        path: &create.path,
        owner: account(&entered)?,
    };
    match site.forge.lfs.lock(new).await {
        Ok(lock) => Ok(answer(
            StatusCode::CREATED,
            &json!({ "lock": to_json(&lock) }),
        )),
        Err(error @ LockError::Taken(_)) => {
            let message = error.to_string();
            let LockError::Taken(lock) = error else {
                return Err(error.into());
            };
            let body = json!({ "lock": to_json(&lock), "message": message });
            Ok(answer(StatusCode::CONFLICT, &body))
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET …/info/lfs/locks`.
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    Path((owner, name)): Path<(String, String)>,
    Query(listing): Query<Listing>,
    request: Request,
) -> Result<Response, LfsError> {
    let (parts, _) = request.into_parts();
    let entered = enter(&site, &parts, (&owner, &name), Operation::Download).await?;
    let _turn = site.requests.enter(entered.tenant, Cost::ONE).await?;
    let filter = LockFilter {
        path: listing.path,
        id: listing.id.as_deref().map(parse_id).transpose()?,
        after: cursor(listing.cursor.as_deref())?,
    };
    let page = LockPage::read(&site, &entered.repository, &filter, listing.limit).await?;
    let locks: Vec<Value> = page.locks.iter().map(to_json).collect();
    let mut body = json!({ "locks": locks });
    page.put_cursor(&mut body);
    Ok(answer(StatusCode::OK, &body))
}

/// `POST …/info/lfs/locks/verify`: whose locks stand in the way of a push.
pub(super) async fn verify(
    State(site): State<Arc<Site>>,
    Path((owner, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, LfsError> {
    let (entered, _turn, verify) =
        take::<Verify>(&site, (&owner, &name), request, Operation::Upload).await?;
    let filter = LockFilter {
        after: cursor(verify.cursor.as_deref())?,
        ..LockFilter::default()
    };
    let by = account(&entered)?;
    let page = LockPage::read(&site, &entered.repository, &filter, verify.limit).await?;
    let (ours, theirs): (Vec<&Lock>, Vec<&Lock>) =
        page.locks.iter().partition(|lock| lock.owner == by);
    let all = |locks: Vec<&Lock>| locks.into_iter().map(to_json).collect::<Vec<Value>>();
    let mut body = json!({ "ours": all(ours), "theirs": all(theirs) });
    page.put_cursor(&mut body);
    Ok(answer(StatusCode::OK, &body))
}

/// `POST …/info/lfs/locks/{id}/unlock`.
pub(super) async fn unlock(
    State(site): State<Arc<Site>>,
    Path((owner, name, id)): Path<(String, String, String)>,
    request: Request,
) -> Result<Response, LfsError> {
    let (entered, _turn, unlock) =
        take::<Unlock>(&site, (&owner, &name), request, Operation::Upload).await?;
    let force = unlock.force && entered.administers();
    let by = account(&entered)?;
    let key = entered.repository.key;
    let lock = site
        .forge
        .lfs
        .unlock(key, parse_id(&id)?, by, force)
        .await?;
    Ok(answer(StatusCode::OK, &json!({ "lock": to_json(&lock) })))
}

/// Reads a request with a body in JSON, and finds out who asks.
async fn take<T: DeserializeOwned>(
    site: &Arc<Site>,
    path: (&str, &str),
    request: Request,
    operation: Operation,
) -> Result<(Entered, Turn, T), LfsError> {
    let (parts, body) = request.into_parts();
    let read = read_json(site, body).await?;
    let entered = enter(site, &parts, path, operation).await?;
    let turn = site.requests.enter(entered.tenant, Cost::ONE).await?;
    Ok((entered, turn, read))
}

/// One page of locks, and whether there are more.
pub(crate) struct LockPage {
    pub(crate) locks: Vec<Lock>,
    more: bool,
}

impl LockPage {
    pub(crate) async fn read(
        site: &Site,
        repository: &Repository,
        filter: &LockFilter,
        limit: Option<u32>,
    ) -> Result<Self, LfsError> {
        let limit = limit.unwrap_or(LFS_LOCK_PAGE).clamp(1, LFS_LOCK_PAGE);
        let lfs = &site.forge.lfs;
        let mut locks = lfs.locks(repository.key, filter, limit + 1).await?;
        let more = locks.len() > limit as usize;
        locks.truncate(limit as usize);
        Ok(Self { locks, more })
    }

    /// Behind which lock the next page begins, if there is one.
    pub(crate) fn cursor(&self) -> Option<LockId> {
        let last = self.locks.last().filter(|_| self.more);
        last.map(|lock| lock.id)
    }

    fn put_cursor(&self, body: &mut Value) {
        if let Some(cursor) = self.cursor() {
            body["next_cursor"] = cursor.to_string().into();
        }
    }
}

fn account(entered: &Entered) -> Result<AccountId, LfsError> {
    let nobody = || LfsError::new(StatusCode::UNAUTHORIZED, "locks are somebody's: sign in");
    entered.viewer.account().ok_or_else(nobody)
}

fn parse_id(text: &str) -> Result<LockId, LfsError> {
    let none = |_| LfsError::new(StatusCode::NOT_FOUND, "there is no such lock");
    text.parse().map(LockId).map_err(none)
}

fn cursor(text: Option<&str>) -> Result<Option<LockId>, LfsError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let wrong = |_| LfsError::invalid("this cursor is not from here");
    text.parse().map(|id| Some(LockId(id))).map_err(wrong)
}

fn to_json(lock: &Lock) -> Value {
    json!({
        "id": lock.id.to_string(),
        "path": lock.path,
        "locked_at": rfc3339(lock.since),
        "owner": { "name": lock.owner_name },
    })
}

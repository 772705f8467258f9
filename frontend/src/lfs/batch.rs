use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use chunking::BlobId;
use domain::lfs::LfsObject;
use domain::limits::LFS_BATCH;
use frontend_ssh::Operation;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::LfsError;
use super::enter::{Entered, enter};
use super::error::answer;
use super::json::read_json;
use super::store::too_large;
use crate::admission::Cost;
use crate::limits::LFS_GRANT_LIFE;
use crate::request::BaseUrl;
use crate::site::Site;

/// The transfer that every client knows, and the only one here.
const BASIC: &str = "basic";

/// The hash that names objects.
const SHA256: &str = "sha256";

/// What a client asks for (git-lfs, `docs/api/batch.md`).
#[derive(Debug, Deserialize)]
struct Batch {
    operation: Wanted,
    #[serde(default)]
    transfers: Vec<String>,
    objects: Vec<Named>,
    #[serde(default)]
    hash_algo: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    Download,
    Upload,
}

/// An object as a client names it.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    oid: String,
    size: i64,
}

impl Named {
    /// What it names, if it is a name.
    pub(super) fn object(&self) -> Option<LfsObject> {
        let id = parse_id(&self.oid)?;
        let size = u64::try_from(self.size).ok()?;
        Some(LfsObject { id, size })
    }
}

/// A SHA-256 as LFS writes it: in lower case.
pub(crate) fn parse_id(text: &str) -> Option<BlobId> {
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    is_lower.then(|| text.parse().ok()).flatten()
}

/// Where an object can be sent to or had from.
#[derive(Debug, Serialize)]
struct Action {
    href: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Value>,
    expires_in: u64,
}

/// `POST …/info/lfs/objects/batch`.
pub(super) async fn batch(
    State(site): State<Arc<Site>>,
    Path((owner, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, LfsError> {
    let (parts, body) = request.into_parts();
    let batch: Batch = read_json(&site, body).await?;
    check(&batch)?;
    let operation = match batch.operation {
        Wanted::Download => Operation::Download,
        Wanted::Upload => Operation::Upload,
    };
    let entered = enter(&site, &parts, (&owner, &name), operation).await?;
    let _turn = site.requests.enter(entered.tenant, Cost::ONE).await?;
    let ids: Vec<BlobId> = batch
        .objects
        .iter()
        .filter_map(|named| Some(named.object()?.id))
        .collect();
    let present = site.forge.lfs.find(entered.repository.key, &ids).await?;
    let links = Links {
        root: root(&BaseUrl::from_parts(&parts), &entered),
        authorization: parts.headers.get(header::AUTHORIZATION).cloned(),
    };
    let most = site.config.config.lfs_max_object_bytes;
    let objects: Vec<Value> = batch
        .objects
        .iter()
        .map(|named| describe(named, batch.operation, &present, &links, most))
        .collect();
    Ok(answer(
        StatusCode::OK,
        &json!({ "transfer": BASIC, "objects": objects, "hash_algo": SHA256 }),
    ))
}

fn check(batch: &Batch) -> Result<(), LfsError> {
    if batch.objects.len() > LFS_BATCH {
        let message = format!("a batch has at most {LFS_BATCH} objects: ask for fewer at a time");
        return Err(LfsError::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    if batch
        .hash_algo
        .as_deref()
        .is_some_and(|hash| hash != SHA256)
    {
        let message = "objects are named by their SHA-256 here: use hash_algo sha256";
        return Err(LfsError::new(StatusCode::CONFLICT, message));
    }
    if !batch.transfers.is_empty() && !batch.transfers.iter().any(|known| known == BASIC) {
        return Err(LfsError::invalid("the transfer offered here is basic"));
    }
    Ok(())
}

/// The address of LFS in a repository, without a slash at its end.
pub(super) fn root(base: &BaseUrl, entered: &Entered) -> String {
    let repository = &entered.repository;
    let (owner, name) = (&repository.owner.name, &repository.name);
    format!("{}/{owner}/{name}.git/info/lfs", base.as_str())
}

struct Links {
    root: String,
    /// What the client proved itself with, which it shows again with each object.
    authorization: Option<HeaderValue>,
}

impl Links {
    fn action(&self, path: String) -> Action {
        let shown = self.authorization.as_ref();
        let shown = shown.and_then(|value| value.to_str().ok());
        Action {
            href: format!("{}/{path}", self.root),
            header: shown.map(|value| json!({ "Authorization": value })),
            expires_in: LFS_GRANT_LIFE.as_secs(),
        }
    }
}

fn describe(
    named: &Named,
    wanted: Wanted,
    present: &[LfsObject],
    links: &Links,
    most: u64,
) -> Value {
    let (oid, size) = (&named.oid, named.size);
    let refuse = |code: u16, message: &str| json!({ "oid": oid, "size": size, "error": { "code": code, "message": message } });
    let Some(object) = named.object() else {
        return refuse(
            422,
            "an oid is a SHA-256 in lower case, and a size not negative",
        );
    };
    let has = present.iter().find(|known| known.id == object.id);
    if has.is_some_and(|known| known.size != object.size) {
        return refuse(422, "the object has another size");
    }
    let actions = match (wanted, has.is_some()) {
        (Wanted::Download, true) => {
            json!({ "download": links.action(format!("objects/{oid}")) })
        }
        (Wanted::Download, false) => return refuse(404, "the repository has no such object"),
        // Nothing to do.
        (Wanted::Upload, true) => return json!({ "oid": oid, "size": size }),
        (Wanted::Upload, false) if object.size > most => {
            return refuse(422, &too_large(object.size, most).message);
        }
        (Wanted::Upload, false) => json!({
            "upload": links.action(format!("objects/{oid}/{size}")),
            "verify": links.action("verify".to_owned()),
        }),
    };
    let authenticated = links.authorization.is_some();
    json!({ "oid": oid, "size": size, "authenticated": authenticated, "actions": actions })
}

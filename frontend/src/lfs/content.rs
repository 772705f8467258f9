use std::io;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use domain::lfs::LfsObject;
use frontend_ssh::Operation;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use storage_node_api::blob::Download;

use super::LfsError;
use super::batch::{Named, parse_id};
use super::enter::enter;
use super::error::answer;
use super::json::read_json;
use super::store::{Receiving, open};
use crate::admission::{Cost, Turn};
use crate::git::announced_length;
use crate::request::{BodyError, BodyStream, parse_range, refuse_body};
use crate::site::Site;

/// `PUT …/info/lfs/objects/{oid}/{size}`: the bytes of an object.
pub(super) async fn upload(
    State(site): State<Arc<Site>>,
    Path((owner, name, oid, size)): Path<(String, String, String, u64)>,
    request: Request,
) -> Result<Response, LfsError> {
    let (parts, body) = request.into_parts();
    let begun = async {
        let id = parse_id(&oid).ok_or_else(no_object)?;
        let entered = enter(&site, &parts, (&owner, &name), Operation::Upload).await?;
        let expected = LfsObject { id, size };
        check_announced(&parts.headers, size)?;
        let turn = site
            .pushes
            .enter(entered.tenant, Cost::of_push(Some(size)))
            .await?;
        let receiving = Receiving::begin(&site, &entered.repository, expected).await?;
        Ok((entered, turn, receiving))
    };
    let (entered, _turn, mut receiving) = match begun.await {
        Ok(begun) => begun,
        Err(error) => {
            refuse_body(&parts.headers, body, &site.runtime).await;
            return Err(error);
        }
    };
    let mut stream = BodyStream::new(body, site.runtime.clone());
    let fault = stream.fault();
    while let Some(piece) = stream.next().await {
        let Ok(piece) = piece else {
            return Err(LfsError::body(fault.get().unwrap_or(BodyError::Broken)));
        };
        receiving.push(piece).await?;
    }
    let (viewer, repository) = (&entered.viewer, &entered.repository);
    receiving.finish(&site, viewer, repository).await?;
    Ok(StatusCode::OK.into_response())
}

/// A length that is announced and wrong is refused before the bytes come.
fn check_announced(headers: &HeaderMap, size: u64) -> Result<(), LfsError> {
    match announced_length(headers) {
        Some(length) if length != size => Err(LfsError::invalid(format!(
            "{length} bytes are announced for an object of {size}"
        ))),
        _ => Ok(()),
    }
}

/// `POST …/info/lfs/verify`: whether an object that was sent is there.
pub(super) async fn verify(
    State(site): State<Arc<Site>>,
    Path((owner, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, LfsError> {
    let (parts, body) = request.into_parts();
    let named: Named = read_json(&site, body).await?;
    let entered = enter(&site, &parts, (&owner, &name), Operation::Upload).await?;
    let _turn = site.requests.enter(entered.tenant, Cost::ONE).await?;
    let object = named.object().ok_or_else(no_object)?;
    let key = entered.repository.key;
    match site.forge.lfs.find(key, &[object.id]).await?.pop() {
        Some(found) if found.size == object.size => {
            Ok(answer(StatusCode::OK, &serde_json::json!({})))
        }
        Some(found) => Err(LfsError::invalid(format!(
            "the object has {} bytes",
            found.size
        ))),
        None => Err(no_object()),
    }
}

/// `GET` and `HEAD …/info/lfs/objects/{oid}`: the bytes of an object, or a range of them.
pub(super) async fn download(
    State(site): State<Arc<Site>>,
    Path((owner, name, oid)): Path<(String, String, String)>,
    request: Request,
) -> Result<Response, LfsError> {
    let (parts, _) = request.into_parts();
    let id = parse_id(&oid).ok_or_else(no_object)?;
    let entered = enter(&site, &parts, (&owner, &name), Operation::Download).await?;
    let repository = &entered.repository;
    let found = site.forge.lfs.find(repository.key, &[id]).await?.pop();
    let object = found.ok_or_else(no_object)?;
    let wanted = wanted_range(&parts.headers, object.size)?;
    let range = wanted.clone().unwrap_or(0..object.size);
    let body = match parts.method {
        Method::HEAD => Body::empty(),
        _ => {
            let cost = Cost::of_fetch(Some(range.end - range.start));
            let turn = site.fetches.enter(entered.tenant, cost).await?;
            let download = open(&site, repository, id, range.clone()).await?;
            Body::from_stream(pieces(download, turn))
        }
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, octets);
    headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let control = HeaderValue::from_static("private, no-store");
    headers.insert(header::CACHE_CONTROL, control);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{id}\"")) {
        headers.insert(header::ETAG, tag);
    }
    if wanted.is_some() {
        let (first, last) = (range.start, range.end - 1);
        let said = format!("bytes {first}-{last}/{}", object.size);
        if let Ok(said) = HeaderValue::from_str(&said) {
            headers.insert(header::CONTENT_RANGE, said);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The bytes as they come. The turn lasts as long as they do.
fn pieces(
    download: Download,
    turn: Turn,
) -> impl stream::Stream<Item = io::Result<axum::body::Bytes>> + Send {
    stream::unfold(Some((download, turn)), async |state| {
        let (mut download, turn) = state?;
        match download.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some((download, turn)))),
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(%error, "a large file broke off");
                Some((Err(io::Error::other(error)), None))
            }
        }
    })
}

/// The one range that a request asks for (RFC 9110, section 14); what is of another form is
/// passed over, as that allows.
fn wanted_range(headers: &HeaderMap, size: u64) -> Result<Option<Range<u64>>, LfsError> {
    let Some(text) = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok())
    else {
        return Ok(None);
    };
    match parse_range(text, size) {
        Some(Some(range)) => Ok(Some(range)),
        Some(None) => Err(LfsError::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            format!("the object has {size} bytes"),
        )),
        None => Ok(None),
    }
}

pub(crate) fn no_object() -> LfsError {
    LfsError::new(StatusCode::NOT_FOUND, "the repository has no such object")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode, header};

    use super::wanted_range;

    #[test]
    fn ranges_are_those_of_http() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_static(text));
            wanted_range(&headers, 10)
        };
        assert_eq!(of("bytes=2-4"), Ok(Some(2..5)));
        assert_eq!(of("bytes=2-"), Ok(Some(2..10)));
        assert_eq!(of("bytes=-3"), Ok(Some(7..10)));
        assert_eq!(of("bytes=-30"), Ok(Some(0..10)));
        assert_eq!(of("bytes=2-99"), Ok(Some(2..10)));
        for passed_over in [
            "lines=1-2",
            "bytes=a-b",
            "bytes=1-2,4-5",
            "bytes=",
            "bytes=5-4",
        ] {
            assert_eq!(of(passed_over), Ok(None), "{passed_over}");
        }
        for beyond in ["bytes=10-", "bytes=-0"] {
            let refused = of(beyond).unwrap_err();
            assert_eq!(
                refused.status,
                StatusCode::RANGE_NOT_SATISFIABLE,
                "{beyond}"
            );
        }
    }
}

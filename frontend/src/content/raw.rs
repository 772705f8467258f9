use axum::response::{IntoResponse, Response};
use git_id::ObjectId;
use git_pack::Kind;
use git_services::Mode;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::limits::RAW_FILE_BYTES;
use crate::repository::{View, ViewError};
use crate::request::parse_range;
use crate::site::Site;

/// Images that browsers show and that can do nothing else, by extension.
const IMAGES: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
];

/// What a file of a repository may do in a browser: nothing.
const RAW_POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// Bytes that are looked at to tell text from other content, as git does.
const SNIFFED_BYTES: usize = 8000;

/// Whether content is text that a page can show.
pub(crate) fn is_text(content: &[u8]) -> bool {
    !content[..content.len().min(SNIFFED_BYTES)].contains(&0)
}

/// A file to be sent as it is.
#[derive(Debug)]
pub(crate) struct RawFile {
    id: ObjectId,
    /// `None` if it is over the limit.
    content: Option<Vec<u8>>,
}

impl RawFile {
    /// The file at a path of a commit; `None` if there is none.
    pub(crate) async fn read(
        site: &Site,
        view: &View,
        tip: ObjectId,
        path: &str,
    ) -> Result<Option<Self>, ViewError> {
        let path = path.as_bytes().to_vec();
        let read = view.read(site, move |objects| {
            let header = objects.header(&tip)?;
            if header.is_none_or(|header| header.kind != Kind::Commit) {
                return Ok(None);
            }
            let Some(commit) = objects.commit(&tip)? else {
                return Ok(None);
            };
            let entry = objects.entry_at_path(&commit.tree, &path)?;
            let is_blob = |mode| matches!(mode, Mode::File | Mode::Executable | Mode::Link);
            let Some(entry) = entry.filter(|entry| is_blob(Mode::of(entry.mode))) else {
                return Ok(None);
            };
            let Some(header) = objects.header(&entry.id)? else {
                return Ok(None);
            };
            let content = match header.size <= RAW_FILE_BYTES {
                true => objects.read(&entry.id)?.map(|object| object.data),
                false => None,
            };
            Ok(Some(Self {
                id: entry.id,
                content,
            }))
        });
        read.await
    }

    /// Answers with the file, or with the range of it that is asked for (RFC 9110, section 14). Nothing of
    /// it runs in a browser, whatever it is. `None` if it is too large to be sent.
    pub(crate) fn answer(self, path: &str, asked: &HeaderMap) -> Option<Response> {
        let content = self.content?;
        let tag = format!("\"{}\"", self.id);
        let mut headers = HeaderMap::new();
        let mut put = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put(header::ETAG, &tag);
        put(header::CACHE_CONTROL, "private, no-cache");
        put(header::CONTENT_SECURITY_POLICY, RAW_POLICY);
        put(header::ACCEPT_RANGES, "bytes");
        let asks_for = |name: HeaderName| asked.get(name)?.to_str().ok();
        let known = asks_for(header::IF_NONE_MATCH).unwrap_or_default();
        if known.split(',').any(|known| known.trim() == tag) {
            return Some((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        put(header::CONTENT_TYPE, content_type(path, &content));
        let is_same = asks_for(header::IF_RANGE).is_none_or(|known| known == tag);
        let range = asks_for(header::RANGE).filter(|_| is_same);
        match range.and_then(|range| parse_range(range, content.len() as u64)) {
            None => Some((headers, content).into_response()),
            Some(None) => {
                put(header::CONTENT_RANGE, &format!("bytes */{}", content.len()));
                Some((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response())
            }
            Some(Some(range)) => {
                let (first, last) = (range.start, range.end - 1);
                let said = format!("bytes {first}-{last}/{}", content.len());
                put(header::CONTENT_RANGE, &said);
                let part = content[to_usize(range.start)..to_usize(range.end)].to_vec();
                Some((StatusCode::PARTIAL_CONTENT, headers, part).into_response())
            }
        }
    }
}

fn content_type(path: &str, content: &[u8]) -> &'static str {
    let extension = path.rsplit_once('.');
    let extension = extension.map(|(_, extension)| extension.to_ascii_lowercase());
    let image = extension
        .and_then(|extension| IMAGES.iter().find(|(known, _)| *known == extension))
        .map(|(_, content_type)| *content_type);
    match image {
        Some(content_type) => content_type,
        None if is_text(content) => "text/plain; charset=utf-8",
        None => "application/octet-stream",
    }
}

/// A position in bytes that are in memory.
fn to_usize(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

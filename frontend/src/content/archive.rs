use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::{Repository, Viewer};
use git_services::{ArchiveOptions, Format};
use http::{HeaderValue, header};
use tokio::sync::{mpsc, oneshot};

use crate::admission::{Cost, Tenant, Turn};
use crate::content::{Revision, resolve_text};
use crate::failing::chain;
use crate::limits::{ARCHIVE_LEVEL, ARCHIVE_PIECES};
use crate::repository::{CacheError, View, ViewError};
use crate::request::{Peer, body_of};
use crate::site::Site;

/// Ends itself when nobody takes what it writes.
pub(crate) static NEVER: AtomicBool = AtomicBool::new(false);

/// Which archive is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) revision: Revision,
    pub(crate) format: Format,
    pub(crate) paths: Vec<Vec<u8>>,
}

impl Asked {
    /// Reads `REVISION.EXTENSION`; `None` if there is no such format or revision.
    pub(crate) fn parse(view: &View, text: &str, paths: Vec<Vec<u8>>) -> Option<Self> {
        let (format, name) = Format::of_name(text)?;
        let revision = resolve_text(view, name)?;
        Some(Self {
            revision,
            format,
            paths,
        })
    }

    fn file_name(&self, row: &Repository) -> String {
        let mut name = format!("{}-{}", row.name, self.revision.name);
        name.push_str(self.format.extension());
        let is_plain =
            |byte: char| byte.is_ascii_alphanumeric() || matches!(byte, '.' | '-' | '_' | '+');
        name.replace(|byte| !is_plain(byte), "-")
    }
}

/// Streams an archive as it is made. It takes a turn of a fetch, as long as it lasts.
pub(crate) async fn archive(
    site: &Arc<Site>,
    view: &View,
    row: &Repository,
    viewer: &Viewer,
    peer: Peer,
    asked: Asked,
) -> Result<Response, ArchiveFailure> {
    let cost = Cost::of_fetch(site.cache.stored_bytes(row.storage));
    let turn = site.fetches.enter(Tenant::of(viewer, peer), cost).await?;
    let objects = view.objects(site).await?;
    let mut options = ArchiveOptions::new(asked.format);
    options.prefix = format!("{}/", row.name).into_bytes();
    options.level = ARCHIVE_LEVEL;
    let disposition = format!("attachment; filename=\"{}\"", asked.file_name(row));
    options.paths = asked.paths;
    let (sender, mut pieces) = mpsc::channel(ARCHIVE_PIECES);
    let (done, end) = oneshot::channel();
    let tip = asked.revision.id;
    let make = move || {
        let _turn: Turn = turn;
        let mut pipe = Pipe(sender);
        let result = git_services::archive(&objects, &tip, &options, &mut pipe, &NEVER);
        if let Err(error) = &result {
            tracing::info!(error = %chain(error), "an archive was not sent");
        }
        // Nobody waits if the client is gone.
        let _gone = done.send(result);
    };
    site.runtime.tasks.blocking("archive", Box::new(make));
    let Some(first) = pieces.recv().await else {
        return Err(match end.await {
            Ok(Err(error)) => ViewError::Archive(error).into(),
            Ok(Ok(())) | Err(_) => ViewError::Cache(CacheError::ShuttingDown).into(),
        });
    };
    let whole = async move { matches!(end.await, Ok(Ok(()))) };
    let mut response = body_of(first, pieces, whole).into_response();
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static(asked.format.media_type());
    headers.insert(header::CONTENT_TYPE, media_type);
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    let control = HeaderValue::from_static("private, no-cache");
    headers.insert(header::CACHE_CONTROL, control);
    Ok(response)
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveFailure {
    /// It is not this one's turn.
    #[error(transparent)]
    Refused(#[from] crate::admission::Refused),
    /// The repository could not be looked into.
    #[error(transparent)]
    View(#[from] ViewError),
}

impl ArchiveFailure {
    pub(crate) fn failure(&self) -> domain::Failure {
        match self {
            Self::Refused(error) => error.failure(),
            Self::View(error) => error.failure(),
        }
    }
}

/// Hands on what is written, and fails once nobody takes it.
pub(crate) struct Pipe(pub(crate) mpsc::Sender<Bytes>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        const PIECE_BYTES: usize = 64 << 10;
        let piece = &bytes[..bytes.len().min(PIECE_BYTES)];
        if piece.is_empty() {
            return Ok(0);
        }
        let sent = self.0.blocking_send(Bytes::copy_from_slice(piece));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! The dumb protocol: files as they are (gitprotocol-http(5), "Dumb Server
//! Response").

use std::fmt::Write;
use std::io;
use std::path::Path;

use bytes::Bytes;

use super::response::{Answer, Body, Caching, Status};
use super::route::Route;
use crate::bare::BareRepository;
use crate::{Head, Repository, ServeError};

pub(super) async fn answer(
    repository: &BareRepository,
    route: &Route,
) -> Result<Answer, ServeError> {
    let directory = repository.directory();
    let (content_type, caching, file) = match route {
        Route::InfoRefs => return Ok(text(info_refs(repository).await?)),
        Route::Head => return Ok(text(head(repository).await?)),
        Route::InfoPacks => return Ok(text(info_packs(repository).await?)),
        Route::Service(_) => return Ok(Answer::new(Status::NotFound)),
        Route::TextFile(file) => ("text/plain", Caching::Never, *file),
        Route::LooseObject(file) => (
            "application/x-git-loose-object",
            Caching::Forever,
            file.as_str(),
        ),
        Route::Pack(file) => (
            "application/x-git-packed-objects",
            Caching::Forever,
            file.as_str(),
        ),
        Route::PackIndex(file) => (
            "application/x-git-packed-objects-toc",
            Caching::Forever,
            file.as_str(),
        ),
    };
    match open(&directory.join(file)).await {
        Ok(body) => Ok(Answer::content(content_type, caching, body)),
        Err(error) => Ok(Answer::new(Status::NotFound).because(&error)),
    }
}

async fn open(path: &Path) -> io::Result<Body> {
    let file = tokio::fs::File::open(path).await?;
    let data = file.metadata().await?;
    if !data.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(Body::File {
        file: Box::new(file),
        bytes: data.len(),
    })
}

fn text(text: String) -> Answer {
    Answer::content("text/plain", Caching::Never, Body::Text(Bytes::from(text)))
}

async fn info_refs(repository: &BareRepository) -> Result<String, ServeError> {
    let snapshot = repository.refs().await?;
    let hidden = repository
        .policy(git_wire::ProtocolVersion::V0)
        .upload
        .hidden;
    let mut lines = String::new();
    for reference in snapshot
        .refs()
        .iter()
        .filter(|reference| !hidden.hides(&reference.name))
    {
        let (name, id) = (&reference.name, reference.id);
        let peeled = reference
            .peeled
            .map(|peeled| format!("{peeled}\t{name}^{{}}\n"));
        let peeled = peeled.unwrap_or_default();
        write!(lines, "{id}\t{name}\n{peeled}").expect("writing to memory does not fail");
    }
    Ok(lines)
}

/// HEAD as its file would say it, seen from the namespace.
async fn head(repository: &BareRepository) -> Result<String, ServeError> {
    let snapshot = repository.refs().await?;
    Ok(match snapshot.head() {
        Some(Head::Symbolic(target)) => format!("ref: {target}\n"),
        Some(Head::Detached(id)) => format!("{id}\n"),
        None => String::new(),
    })
}

async fn info_packs(repository: &BareRepository) -> Result<String, ServeError> {
    let objects = repository.objects().await?;
    let packs = objects.packs();
    let names = packs.iter().filter_map(|pack| pack.file_name()?.to_str());
    let mut lines: String = names.map(|name| format!("P {name}\n")).collect();
    lines.push('\n');
    Ok(lines)
}

//! `git archive --remote`: git-upload-archive(1).
//!
//! As in git without `uploadarchive.allowUnreachable`, what can be archived is what a ref names
//! now, or a directory in it.

mod arguments;

use bytes::BytesMut;
use git_id::{ObjectId, RefName};
use git_pack::{Objects, ReadError};
use git_serve::{Packets, RefSnapshot, ServeError};
use git_services::{ArchiveError, Format};
use git_wire::pkt::{Packet, put_data, put_flush};
use git_wire::sideband::{Band, Sideband};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

use crate::admission::Cost;
use crate::content::{NEVER, Pipe};
use crate::failing::{chain, public_message};
use crate::git::{GitError, Target, note};
use crate::limits::{ARCHIVE_ARGUMENT_BYTES, ARCHIVE_ARGUMENTS, ARCHIVE_PIECES};
use crate::repository::{View, ViewError};
use crate::ssh::call::Served;
use arguments::{Arguments, Wanted};

/// What is written where git reads archives.
const SIDEBAND: Sideband = Sideband::Large;

/// Why there is no archive, in words for whoever asked.
#[derive(Debug)]
enum Refused {
    Told(String),
    Over(ServeError),
}

impl From<ServeError> for Refused {
    fn from(error: ServeError) -> Self {
        Self::Over(error)
    }
}

/// Serves one archive.
pub(super) async fn archive(served: Served<'_>) -> Result<Result<(), ServeError>, GitError> {
    let Target::Existing(row) = &served.target else {
        return Err(GitError::not_found());
    };
    let cost = Cost::of_fetch(served.site.cache.stored_bytes(row.storage));
    let _turn = served.site.fetches.enter(served.tenant, cost).await?;
    let view = View::open(served.site, row).await?;
    let Served {
        site,
        input,
        mut output,
        ..
    } = served;
    let mut packets = Packets::new(input);
    let sending = async {
        let words = read_words(&mut packets).await?;
        let mut out = BytesMut::new();
        put_data(&mut out, b"ACK\n");
        put_flush(&mut out);
        write(&mut output, &mut out).await?;
        let wanted = arguments::parse(&words).map_err(Refused::Told)?;
        match wanted {
            Wanted::Formats => {
                SIDEBAND.put(&mut out, Band::Data, b"tar\ntgz\ntar.gz\nzip\n");
                Ok(write(&mut output, &mut out).await?)
            }
            Wanted::Archive(arguments) => send(site, &view, arguments, &mut output).await,
        }
    };
    let sent: Result<(), Refused> = sending.await;
    let mut out = BytesMut::new();
    let result = match sent {
        Ok(()) => {
            put_flush(&mut out);
            write(&mut output, &mut out).await
        }
        Err(Refused::Told(message)) => {
            let text = format!("git upload-archive: {message}\n");
            SIDEBAND.put(&mut out, Band::Error, text.as_bytes());
            put_flush(&mut out);
            write(&mut output, &mut out).await
        }
        Err(Refused::Over(error)) => Err(error),
    };
    note(&site.metrics, "upload-archive", &result);
    Ok(result)
}

/// The words of the client's command line, one a packet.
async fn read_words<R: tokio::io::AsyncRead + Unpin>(
    packets: &mut Packets<R>,
) -> Result<Vec<String>, Refused> {
    let (mut words, mut bytes) = (Vec::new(), 0);
    loop {
        let packet = packets.next().await?;
        let Some(packet @ Packet::Data(_)) = packet else {
            return match packet {
                Some(_) => Ok(words),
                None => Err(ServeError::ClientGone.into()),
            };
        };
        let line = packet.line().and_then(|line| str::from_utf8(line).ok());
        let word = line.and_then(|line| line.strip_prefix("argument "));
        let word = word.ok_or_else(|| Refused::Told("send 'argument' packets in UTF-8".into()))?;
        bytes += word.len();
        if words.len() == ARCHIVE_ARGUMENTS || bytes > ARCHIVE_ARGUMENT_BYTES {
            let message = format!(
                "at most {ARCHIVE_ARGUMENTS} arguments of {ARCHIVE_ARGUMENT_BYTES} bytes in all"
            );
            return Err(Refused::Told(message));
        }
        words.push(word.to_owned());
    }
}

async fn write<W: AsyncWrite + Unpin>(
    output: &mut W,
    out: &mut BytesMut,
) -> Result<(), ServeError> {
    let written = async {
        output.write_all(&out.split()).await?;
        output.flush().await
    };
    written.await.map_err(|_| ServeError::ClientGone)
}

/// Makes the archive and sends it as it grows.
async fn send<W: AsyncWrite + Unpin>(
    site: &crate::site::Site,
    view: &View,
    arguments: Arguments,
    output: &mut W,
) -> Result<(), Refused> {
    let tip = named(view.refs(), &arguments.revision);
    let tip = tip.ok_or_else(|| Refused::Told(format!("no such ref: {}", arguments.revision)))?;
    let objects = view.objects(site).await;
    let objects = objects.map_err(|error| Refused::Told(public_message(&error)))?;
    let (sender, mut pieces) = mpsc::channel(ARCHIVE_PIECES);
    let (done, end) = oneshot::channel();
    let Arguments {
        directory, options, ..
    } = arguments;
    let make = move || {
        let made = (|| {
            let root = below(&objects, tip, directory.as_deref())?;
            git_services::archive(&objects, &root, &options, &mut Pipe(sender), &NEVER)
        })();
        // Nobody waits if the client is gone.
        let _gone = done.send(made);
    };
    site.runtime.tasks.blocking("archive", Box::new(make));
    let mut out = BytesMut::new();
    while let Some(piece) = pieces.recv().await {
        SIDEBAND.put(&mut out, Band::Data, &piece);
        write(output, &mut out).await?;
    }
    match end.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::info!(error = %chain(&error), "an archive was not sent");
            Err(Refused::Told(public_message(&ViewError::Archive(error))))
        }
        Err(_) => Err(Refused::Told("the server is shutting down".to_owned())),
    }
}

/// What a name means among the refs, in git's order (gitrevisions(7)).
fn named(refs: &RefSnapshot, name: &str) -> Option<ObjectId> {
    if name == "HEAD" {
        return refs.head_id();
    }
    let prefixes = ["", "refs/", "refs/tags/", "refs/heads/"];
    prefixes.iter().find_map(|prefix| {
        let name = RefName::new(&format!("{prefix}{name}")).ok()?;
        Some(refs.get(&name)?.id)
    })
}

/// The directory in what a ref names.
fn below(
    objects: &Objects,
    tip: ObjectId,
    directory: Option<&str>,
) -> Result<ObjectId, ArchiveError> {
    let Some(path) = directory else {
        return Ok(tip);
    };
    let missing = |id| ReadError::Missing { id, referrer: None };
    let commit = objects.peel(&tip)?.unwrap_or(tip);
    let root = match objects.commit(&commit)? {
        Some(commit) => commit.tree,
        None => return Err(missing(commit).into()),
    };
    if path.is_empty() {
        return Ok(root);
    }
    let entry = objects.entry_at_path(&root, path.as_bytes())?;
    let path = path.to_owned();
    Ok(entry.ok_or(ArchiveError::NoSuchPath { path })?.id)
}

/// The formats, by the names that git has for them.
fn format(name: &str) -> Option<Format> {
    match name {
        "tar" => Some(Format::Tar),
        "tgz" | "tar.gz" => Some(Format::TarGz),
        "zip" => Some(Format::Zip),
        _ => None,
    }
}

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chunking::{DigestSet, Profile};
use git_id::ObjectId;
use storage_node_api::blob::{Finished, StoredBlob, Upload, UploadError};
use storage_node_api::content::{BeginError, PutError, Session};
use storage_node_api::order::Command;
use storage_node_api::repository::{NewPack, Pack};
use storage_node_api::{Content, UploadId};

use super::cache::{CacheError, Entry, PackCache};

/// Bytes that are read from quarantine at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A pack that is stored while it arrives.
#[derive(Debug)]
pub(crate) struct Streamed {
    pub(crate) session: Session,
    pub(crate) upload: Upload,
}

/// A pack and its index, durable, but named by nothing.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) pack: Finished,
    pub(crate) index: Finished,
}

impl Stored {
    /// As an entry names it, and before that the parts that the entry is too small for.
    pub(crate) fn staged(
        self,
        checksum: ObjectId,
        objects: u32,
        upload: UploadId,
    ) -> (NewPack, Vec<Command>) {
        let Self { pack, index } = self;
        let (pack, mut staged) = StoredBlob::staged(pack.manifest, pack.certificate, upload, 0);
        let next = u32::try_from(staged.len()).expect("a manifest has fewer than 2^32 parts");
        let (index, more) = StoredBlob::staged(index.manifest, index.certificate, upload, next);
        staged.extend(more);
        let new = NewPack {
            checksum,
            objects,
            pack,
            index,
        };
        (new, staged)
    }

    /// As the pack list will have it.
    pub(crate) fn listed(&self, checksum: ObjectId, objects: u32) -> Pack {
        Pack {
            checksum,
            pack: self.pack.manifest.blob,
            index: self.index.manifest.blob,
            objects,
            bytes: self.pack.manifest.length,
        }
    }
}

/// Why something could not be stored. Nothing is visible of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(transparent)]
    Begin(#[from] BeginError),
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error("read the quarantined pack")]
    Io(#[source] io::Error),
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl StoreError {
    /// Whether storing it again would fail again.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Upload(UploadError::Put(PutError::Full) | UploadError::ShuttingDown)
                | Self::Io(_)
                | Self::Cache(_)
        )
    }
}

/// Makes packs of one repository durable.
#[derive(Clone, Debug)]
pub(crate) struct PackStore {
    pub(crate) cache: Arc<PackCache>,
    pub(crate) entry: Arc<Entry>,
    /// How many may cut and hash.
    pub(crate) threads: usize,
}

impl PackStore {
    pub(crate) async fn begin(&self) -> Result<Streamed, StoreError> {
        let session = self.session().await?;
        Ok(Streamed {
            session,
            upload: self.upload(session, Profile::GitPackV1),
        })
    }

    /// Stores pack and index from quarantine, at once, in a new session.
    pub(crate) async fn store_files(
        &self,
        pack: &Path,
        index: &Path,
    ) -> Result<Stored, StoreError> {
        let session = self.session().await?;
        let pack = self.store_file(session, Profile::GitPackV1, pack);
        let index = self.store_file(session, Profile::GenericV1, index);
        let (pack, index) = tokio::try_join!(pack, index)?;
        Ok(Stored { pack, index })
    }

    /// Ends the storing of a pack that arrived whole, and stores its index
    /// meanwhile.
    pub(crate) async fn store_index(
        &self,
        streamed: Streamed,
        index: &Path,
    ) -> Result<Stored, StoreError> {
        let Streamed { session, upload } = streamed;
        let pack = async { Ok(upload.finish().await?) };
        let index = self.store_file(session, Profile::GenericV1, index);
        let (pack, index) = tokio::try_join!(pack, index)?;
        Ok(Stored { pack, index })
    }

    async fn store_file(
        &self,
        session: Session,
        profile: Profile,
        path: &Path,
    ) -> Result<Finished, StoreError> {
        let mut upload = self.upload(session, profile);
        let path = path.to_owned();
        let opened = self
            .cache
            .blocking("open a pack", move || File::open(path))
            .await?;
        let mut file = opened.map_err(StoreError::Io)?;
        loop {
            let read = self
                .cache
                .blocking("read a pack", move || read_piece(file))
                .await?;
            let (rest, piece) = read.map_err(StoreError::Io)?;
            if piece.is_empty() {
                return Ok(upload.finish().await?);
            }
            upload.push(piece).await?;
            file = rest;
        }
    }

    fn upload(&self, session: Session, profile: Profile) -> Upload {
        let content: Arc<dyn Content> = self.cache.storage.clone();
        let runtime = self.cache.runtime.clone();
        Upload::new(
            content,
            session,
            runtime,
            profile,
            DigestSet::NONE,
            self.threads,
        )
    }

    async fn session(&self) -> Result<Session, StoreError> {
        let domain = self.cache.domain(&self.entry).await?;
        Ok(self.cache.storage.begin(domain).await?)
    }
}

fn read_piece(mut file: File) -> io::Result<(File, Bytes)> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut length = 0;
    while length < PIECE_BYTES {
        match file.read(&mut piece[length..])? {
            0 => break,
            read => length += read,
        }
    }
    piece.truncate(length);
    Ok((file, piece.into()))
}

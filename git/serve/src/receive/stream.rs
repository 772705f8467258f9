use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use git_pack::{Objects, Progress, ReceiveError, ReceiveOptions, ReceivedPack};
use git_wire::sideband::KEEPALIVE_PROGRESS;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

use super::pipe::Pipe;
use crate::packets::Packets;
use crate::pulse::Pulse;
use crate::{Output, PushSession, ReceivePolicy, RepositoryError, ServeError};

/// Why a push ends before its commands are committed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PackError {
    #[error("index the received pack")]
    Index(#[from] ReceiveError),
    #[error("pack exceeds the maximum allowed size of {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the pack is followed by other bytes")]
    TrailingBytes,
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error("read the pack")]
    Input(#[source] ServeError),
    #[error("read objects")]
    Objects(#[from] git_pack::ReadError),
    #[error("open the received pack")]
    Open(#[from] git_pack::OpenError),
    #[error("check that the push is complete")]
    Connectivity(#[from] git_pack::ConnectivityError),
    #[error("a blocking call failed")]
    Worker(#[source] tokio::task::JoinError),
}

impl PackError {
    /// What the client reads in the report.
    pub(super) fn text_for_client(&self) -> String {
        match self {
            Self::Index(error) => error.to_string(),
            Self::TooLarge { .. } | Self::TrailingBytes | Self::Repository(_) => self.to_string(),
            Self::Input(ServeError::Input(cause)) => format!("the pack was cut off: {cause}"),
            Self::Input(_) => "the pack was cut off".to_owned(),
            Self::Objects(_) | Self::Open(_) | Self::Connectivity(_) | Self::Worker(_) => {
                "the server failed to check the push".to_owned()
            }
        }
    }
}

impl From<PackError> for ServeError {
    fn from(error: PackError) -> Self {
        match error {
            PackError::Input(error) => error,
            PackError::Repository(error) => error.into(),
            PackError::Worker(error) => Self::Worker(error),
            error => Self::Receive(Box::new(error)),
        }
    }
}

/// Receives the pack of one push.
pub(super) struct PackStream<'a> {
    pub(super) bases: Objects,
    pub(super) policy: &'a ReceivePolicy,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) pulse: &'a Pulse,
    pub(super) output: &'a Output,
}

impl PackStream<'_> {
    /// Reads the pack to its trailer: into the session as it comes, and through
    /// the indexer into the session's quarantine.
    pub(super) async fn receive<R: AsyncRead + Unpin + Send>(
        self,
        packets: &mut Packets<R>,
        session: &mut dyn PushSession,
    ) -> Result<ReceivedPack, PackError> {
        let cancel = self.pulse.cancel_on_drop();
        let (sender, pipe) = Pipe::channel();
        let directory = session.quarantine().to_path_buf();
        let limit = self.policy.max_pack_bytes;
        let mut pump = pin!(pump(packets, session, sender, limit));
        let mut beat = pin!(self.pulse.beat(self.output, KEEPALIVE_PROGRESS));
        let mut indexing = tokio::task::spawn_blocking(self.indexing(pipe, directory));
        let mut pumped = None;
        let indexed = loop {
            tokio::select! {
                // The pump first: its error says more than what the indexer
                // makes of the end of its input.
                biased;
                done = &mut pump, if pumped.is_none() => pumped = Some(done),
                indexed = &mut indexing => break indexed,
                never = &mut beat => match never {},
            }
        };
        cancel.done();
        let (indexed, has_unread) = indexed.map_err(PackError::Worker)?;
        if let Some(Err(error)) = pumped {
            return Err(error);
        }
        let pack = indexed?;
        if has_unread {
            return Err(PackError::TrailingBytes);
        }
        Ok(pack)
    }

    fn indexing(
        &self,
        mut pipe: Pipe,
        directory: std::path::PathBuf,
    ) -> impl FnOnce() -> (Result<ReceivedPack, ReceiveError>, bool) + Send + 'static {
        let options = ReceiveOptions {
            hash: self.bases.hash(),
            max_bytes: self.policy.max_pack_bytes,
            max_objects: self.policy.max_objects,
            max_object_bytes: self.policy.max_object_bytes,
            check: self.policy.check_objects,
            threads: self.policy.threads,
            sync: self.policy.sync,
        };
        let (bases, progress, pulse) = (
            self.bases.clone(),
            self.progress.clone(),
            self.pulse.clone(),
        );
        move || {
            let cancel = pulse.cancelled();
            let received =
                git_pack::receive(&mut pipe, &directory, &bases, &options, &*progress, cancel);
            (received, pipe.has_unread())
        }
    }
}

/// Passes the stream on until it ends or the indexer does.
async fn pump<R: AsyncRead + Unpin + Send>(
    packets: &mut Packets<R>,
    session: &mut dyn PushSession,
    sender: mpsc::Sender<Bytes>,
    limit: u64,
) -> Result<(), PackError> {
    let mut total = 0;
    loop {
        let bytes = packets.next_bytes().await.map_err(PackError::Input)?;
        total += bytes.len() as u64;
        if total > limit {
            return Err(PackError::TooLarge { limit });
        }
        if bytes.is_empty() {
            return Ok(());
        }
        session.received(bytes.clone()).await?;
        if sender.send(bytes).await.is_err() {
            return Ok(());
        }
    }
}

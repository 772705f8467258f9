use std::io;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::ServeError;

/// How many pieces of an answer may wait for a slow client. A piece has at most
/// 64 KiB, so a client holds at most a few hundred KiB of the server's memory.
pub const OUTPUT_PIECES: usize = 8;

/// Where an answer goes: a bounded channel whose other end feeds an HTTP body or
/// a socket. Dropping the receiver stops the work for that answer.
#[derive(Clone, Debug)]
pub struct Output(mpsc::Sender<Bytes>);

impl Output {
    /// An answer and the end from which it is read.
    pub fn channel() -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(OUTPUT_PIECES);
        (Self(sender), receiver)
    }

    /// Sends a piece; waits while the client is slow.
    pub(crate) async fn send(&self, bytes: Bytes) -> Result<(), ServeError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.0.send(bytes).await.map_err(|_| ServeError::ClientGone)
    }

    /// As [`Output::send`], on a thread that may block.
    pub(crate) fn blocking_send(&self, bytes: Bytes) -> Result<(), ServeError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.0
            .blocking_send(bytes)
            .map_err(|_| ServeError::ClientGone)
    }

    /// Sends a piece unless the client is slow: for messages that it can miss.
    pub(crate) fn offer(&self, bytes: Bytes) {
        let _missed = self.0.try_send(bytes);
    }

    /// Waits until nobody takes the answer any more.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}

/// Writes an answer to a stream as it comes, until its [`Output`] is dropped.
///
/// With an error the receiver is dropped, which stops the work for the answer.
pub async fn pour<W: AsyncWrite + Unpin>(
    mut receiver: mpsc::Receiver<Bytes>,
    mut stream: W,
) -> io::Result<()> {
    while let Some(piece) = receiver.recv().await {
        stream.write_all(&piece).await?;
        if receiver.is_empty() {
            stream.flush().await?;
        }
    }
    stream.flush().await
}

//! Packets off an asynchronous stream.

use bytes::{Bytes, BytesMut};
use git_wire::ProtocolError;
use git_wire::pkt::{Decoder, Packet};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::ServeError;
use crate::error::Refusal;

/// How much is read from a stream at once.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// Reads packets, then whatever follows them.
#[derive(Debug)]
pub struct Packets<R> {
    input: R,
    decoder: Decoder,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Packets<R> {
    /// Packets of a stream.
    pub fn new(input: R) -> Self {
        Self {
            input,
            decoder: Decoder::new(),
            buffer: BytesMut::new(),
        }
    }

    /// The next packet; `None` at an end of the stream between two packets.
    pub async fn next(&mut self) -> Result<Option<Packet>, ServeError> {
        loop {
            if let Some(packet) = self.decoder.next_packet().map_err(Refusal::from)? {
                return Ok(Some(packet));
            }
            let bytes = self.read().await?;
            if bytes.is_empty() {
                return match self.decoder.is_empty() {
                    true => Ok(None),
                    false => Err(Refusal::from(ProtocolError::HungUp).into()),
                };
            }
            self.decoder.feed(&bytes);
        }
    }

    /// The next bytes that are no packets; empty at the end of the stream.
    ///
    /// Dropping the future loses nothing.
    pub(crate) async fn next_bytes(&mut self) -> Result<Bytes, ServeError> {
        let rest = self.decoder.take_rest();
        if rest.is_empty() {
            self.read().await
        } else {
            Ok(rest)
        }
    }

    /// Reads away what the client still sends, up to `limit` bytes, so that it
    /// gets to reading the answer. Errors end it silently.
    pub(crate) async fn drain(&mut self, limit: u64) {
        let mut drained = 0;
        while let Ok(bytes) = self.next_bytes().await {
            drained += bytes.len() as u64;
            if bytes.is_empty() || drained > limit {
                return;
            }
        }
    }

    async fn read(&mut self) -> Result<Bytes, ServeError> {
        self.buffer.reserve(READ_BYTES);
        self.input
            .read_buf(&mut self.buffer)
            .await
            .map_err(ServeError::Input)?;
        Ok(self.buffer.split().freeze())
    }
}

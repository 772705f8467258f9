//! Frames: a prefix of 12 bytes, a message, and the bytes of chunks.
//!
//! The prefix, little-endian: `DFb` and the version 1; the message's length in 4
//! bytes; the payload's in 4.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{MAX_MESSAGE_BYTES, MAX_PAYLOAD_BYTES};

const MAGIC: [u8; 4] = *b"DFb\x01";
const PREFIX_BYTES: usize = 12;

/// One request or answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) message: Bytes,
    /// In one piece when it was received.
    pub(super) payload: Vec<Bytes>,
}

/// Why no frame could be read or written. The connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// It is not a frame of this version.
    #[error("the peer does not speak this protocol")]
    NotAFrame,
    /// It is longer than a frame may be.
    #[error("a frame of {message} and {payload} bytes is over the limit")]
    TooLong { message: usize, payload: usize },
    /// The stream broke, or ended inside a frame.
    #[error("the connection broke")]
    Io(#[from] io::Error),
}

/// The lengths that a prefix announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    message: usize,
    payload: usize,
}

impl Frame {
    pub(super) fn payload_bytes(&self) -> usize {
        self.payload.iter().map(Bytes::len).sum()
    }

    fn prefix(&self) -> Prefix {
        Prefix {
            message: self.message.len(),
            payload: self.payload_bytes(),
        }
    }
}

impl Prefix {
    fn check(self) -> Result<Self, FrameError> {
        let Self { message, payload } = self;
        if message > MAX_MESSAGE_BYTES || payload > MAX_PAYLOAD_BYTES {
            return Err(FrameError::TooLong { message, payload });
        }
        Ok(self)
    }

    fn encode(self) -> [u8; PREFIX_BYTES] {
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
        let mut bytes = [0; PREFIX_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&length(self.message));
        bytes[8..].copy_from_slice(&length(self.payload));
        bytes
    }

    fn decode(bytes: [u8; PREFIX_BYTES]) -> Result<Self, FrameError> {
        let [m0, m1, m2, m3, message @ ..] = bytes;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(FrameError::NotAFrame);
        }
        let [a0, a1, a2, a3, b0, b1, b2, b3] = message;
        Self {
            message: u32::from_le_bytes([a0, a1, a2, a3]) as usize,
            payload: u32::from_le_bytes([b0, b1, b2, b3]) as usize,
        }
        .check()
    }
}

/// Reads the beginning of a frame; `None` if the stream ends before one.
pub(super) async fn read_prefix<R: AsyncRead + Unpin>(
    reader: &mut R,
) -> Result<Option<Prefix>, FrameError> {
    let mut bytes = [0; PREFIX_BYTES];
    let first = reader.read(&mut bytes).await?;
    if first == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut bytes[first..]).await?;
    Prefix::decode(bytes).map(Some)
}

/// Reads the rest of a frame.
pub(super) async fn read_rest<R: AsyncRead + Unpin>(
    reader: &mut R,
    prefix: Prefix,
) -> Result<Frame, FrameError> {
    let message = read(reader, prefix.message).await?;
    let payload = read(reader, prefix.payload).await?;
    let payload = if payload.is_empty() {
        Vec::new()
    } else {
        vec![payload]
    };
    Ok(Frame { message, payload })
}

/// Writes a frame and flushes.
pub(super) async fn write<W: AsyncWrite + Unpin>(
    writer: &mut W,
    frame: &Frame,
) -> Result<(), FrameError> {
    let prefix = frame.prefix().check()?;
    // Together, so that a small frame is one packet.
    let mut head = BytesMut::with_capacity(PREFIX_BYTES + frame.message.len());
    head.extend_from_slice(&prefix.encode());
    head.extend_from_slice(&frame.message);
    writer.write_all(&head).await?;
    for part in &frame.payload {
        writer.write_all(part).await?;
    }
    writer.flush().await?;
    Ok(())
}

async fn read<R: AsyncRead + Unpin>(reader: &mut R, length: usize) -> io::Result<Bytes> {
    let mut bytes = BytesMut::with_capacity(length);
    let mut rest = reader.take(length as u64);
    while bytes.len() < length {
        if rest.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::{Frame, FrameError, Prefix, read_prefix, read_rest, write};
    use crate::bulk::{MAX_MESSAGE_BYTES, MAX_PAYLOAD_BYTES};

    async fn written(frame: &Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, frame).await.unwrap();
        bytes
    }

    async fn read(mut bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
        match read_prefix(&mut bytes).await? {
            Some(prefix) => read_rest(&mut bytes, prefix).await.map(Some),
            None => Ok(None),
        }
    }

    /// Releases that run side by side speak this: a change needs a new version.
    #[tokio::test]
    async fn a_frame_is_written_as_it_always_was() {
        let frame = Frame {
            message: Bytes::from_static(b"ask"),
            payload: vec![Bytes::from_static(b"one"), Bytes::from_static(b"two!")],
        };
        let bytes = written(&frame).await;
        assert_eq!(bytes, b"DFb\x01\x03\0\0\0\x07\0\0\0askonetwo!");
        let read_back = read(&bytes).await.unwrap().unwrap();
        assert_eq!(read_back.message, frame.message);
        assert_eq!(read_back.payload, [Bytes::from_static(b"onetwo!")]);
    }

    #[tokio::test]
    async fn a_frame_cut_anywhere_is_an_error_and_before_it_the_end() {
        let frame = Frame {
            message: Bytes::from_static(b"ask"),
            payload: vec![Bytes::from_static(b"payload")],
        };
        let bytes = written(&frame).await;
        assert!(read(&[]).await.unwrap().is_none());
        for cut in 1..bytes.len() {
            let cut_off = read(&bytes[..cut]).await;
            assert!(matches!(cut_off, Err(FrameError::Io(_))), "at {cut}");
        }
    }

    #[tokio::test]
    async fn limits_are_kept_before_anything_is_allocated() {
        for (message, payload) in [
            (MAX_MESSAGE_BYTES + 1, 0),
            (0, MAX_PAYLOAD_BYTES + 1),
            (usize::try_from(u32::MAX).unwrap(), 0),
        ] {
            let bytes = Prefix { message, payload }.encode();
            let refused = read(&bytes).await;
            assert!(matches!(refused, Err(FrameError::TooLong { .. })));
        }
        let frame = Frame {
            message: Bytes::from(vec![0; MAX_MESSAGE_BYTES + 1]),
            payload: Vec::new(),
        };
        let refused = write(&mut Vec::new(), &frame).await;
        assert!(matches!(refused, Err(FrameError::TooLong { .. })));
        let refused = read(b"GET / HTTP/1.1\r\n\r\n").await;
        assert!(matches!(refused, Err(FrameError::NotAFrame)));
    }

    proptest! {
        #[test]
        fn frames_read_back(
            message in prop::collection::vec(any::<u8>(), 0..100),
            payload in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..100), 0..5),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let whole: Vec<u8> = payload.concat();
                let frame = Frame {
                    message: Bytes::from(message),
                    payload: payload.into_iter().map(Bytes::from).collect(),
                };
                let back = read(&written(&frame).await).await.unwrap().unwrap();
                prop_assert_eq!(back.message, frame.message);
                prop_assert_eq!(back.payload.concat(), whole);
                Ok(())
            })?;
        }
    }
}

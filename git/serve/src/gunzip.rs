use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, ReadBuf};

/// How much compressed data is held.
const INPUT_BYTES: usize = 16 * 1024;

/// The largest window of a gzip stream, as a power of two.
const WINDOW_BITS: u8 = 15;

/// Unpacks a request's body that came with `Content-Encoding: gzip`, and fails
/// once it has become larger than a limit. git compresses its negotiations this
/// way, and with them the commands of a push, but never a pack.
#[derive(Debug)]
pub struct Gunzip<R> {
    input: R,
    compressed: BytesMut,
    inflate: Decompress,
    unpacked: u64,
    limit: u64,
    ended: bool,
}

impl<R> Gunzip<R> {
    /// Unpacks `input` to at most `limit` bytes.
    pub fn new(input: R, limit: u64) -> Self {
        Self {
            input,
            compressed: BytesMut::new(),
            inflate: Decompress::new_gzip(WINDOW_BITS),
            unpacked: 0,
            limit,
            ended: false,
        }
    }

    /// Unpacks what is there into `target`; returns how many bytes came out.
    fn inflate(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(&self.compressed, target, FlushDecompress::None)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.compressed
            .advance((self.inflate.total_in() - before_in) as usize);
        let written = self.inflate.total_out() - before_out;
        self.unpacked += written;
        self.ended = status == Status::StreamEnd;
        if self.unpacked > self.limit {
            let text = format!("the compressed request has more than {} bytes", self.limit);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(written as usize)
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Gunzip<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if target.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        while !this.ended {
            let written = this.inflate(target.initialize_unfilled())?;
            if written > 0 {
                target.advance(written);
                return Poll::Ready(Ok(()));
            }
            if this.ended {
                break;
            }
            let mut piece = [0; INPUT_BYTES];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut this.input).poll_read(context, &mut piece))?;
            if piece.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            this.compressed.extend_from_slice(piece.filled());
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tokio::io::AsyncReadExt;

    use super::Gunzip;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    async fn gunzip(bytes: &[u8], limit: u64) -> std::io::Result<Vec<u8>> {
        let mut unpacked = Vec::new();
        Gunzip::new(bytes, limit).read_to_end(&mut unpacked).await?;
        Ok(unpacked)
    }

    #[tokio::test]
    async fn a_body_is_unpacked_up_to_its_limit() {
        let body: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let packed = gzip(&body);
        assert_eq!(gunzip(&packed, body.len() as u64).await.unwrap(), body);
        assert!(gunzip(&packed, body.len() as u64 - 1).await.is_err());
        assert!(
            gunzip(&packed[..packed.len() - 9], u64::MAX).await.is_err(),
            "truncated"
        );
        assert!(gunzip(b"not gzip at all", u64::MAX).await.is_err());
        assert_eq!(gunzip(&gzip(b""), 0).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn a_bomb_fails_early() {
        let bomb = gzip(&vec![0; 64 << 20]);
        let mut body = Gunzip::new(&bomb[..], 1 << 20);
        let mut piece = vec![0; 64 * 1024];
        let mut total = 0;
        while let Ok(read) = body.read(&mut piece).await {
            assert!(read > 0, "the limit comes before the end");
            total += read;
        }
        assert!(total <= 1 << 20);
    }
}

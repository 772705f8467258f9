use std::io::{self, BufRead, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

/// How many pieces of a pack wait for the indexing thread; a piece has at most
/// 64 KiB.
pub(super) const PIPE_PIECES: usize = 8;

/// The blocking end of a bounded channel of bytes.
#[derive(Debug)]
pub(super) struct Pipe {
    receiver: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Pipe {
    pub(super) fn channel() -> (mpsc::Sender<Bytes>, Self) {
        let (sender, receiver) = mpsc::channel(PIPE_PIECES);
        (
            sender,
            Self {
                receiver,
                piece: Bytes::new(),
            },
        )
    }

    /// Whether bytes arrived that were not read.
    pub(super) fn has_unread(&mut self) -> bool {
        !self.piece.is_empty()
            || self
                .receiver
                .try_recv()
                .is_ok_and(|piece| !piece.is_empty())
    }
}

impl Read for Pipe {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let read = available.read(target)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Pipe {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => break,
            }
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, amount: usize) {
        self.piece.advance(amount);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use bytes::Bytes;

    use super::Pipe;

    #[test]
    fn pieces_come_out_in_order_until_the_sender_is_gone() {
        let (sender, mut pipe) = Pipe::channel();
        for piece in ["ab", "", "cde"] {
            sender
                .blocking_send(Bytes::from_static(piece.as_bytes()))
                .unwrap();
        }
        let mut four = [0; 4];
        pipe.read_exact(&mut four).unwrap();
        assert_eq!(&four, b"abcd");
        assert!(pipe.has_unread());
        drop(sender);
        let mut rest = String::new();
        pipe.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "e");
        assert!(!pipe.has_unread());
    }
}

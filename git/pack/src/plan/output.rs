use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use git_id::{HashKind, ObjectId};

use super::WriteError;
use crate::hashing::Checksum;

/// Bytes handed on at a time.
const PIECE_BYTES: usize = 128 << 10;

/// A pack on its way out: counts and sums what goes by.
pub(crate) struct Output<'a> {
    out: &'a mut dyn Write,
    checksum: Checksum,
    offset: u64,
    /// Small writes, gathered.
    pending: Vec<u8>,
    cancel: &'a AtomicBool,
}

impl<'a> Output<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, hash: HashKind, cancel: &'a AtomicBool) -> Self {
        Self {
            out,
            checksum: Checksum::new(hash),
            offset: 0,
            pending: Vec::with_capacity(PIECE_BYTES),
            cancel,
        }
    }

    /// Where in the pack the next byte goes.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.offset += bytes.len() as u64;
        if self.pending.len() + bytes.len() <= PIECE_BYTES {
            self.pending.extend_from_slice(bytes);
            return Ok(());
        }
        self.flush()?;
        for piece in bytes.chunks(PIECE_BYTES) {
            self.checksum.update(piece);
            send(self.out, piece, self.cancel)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.checksum.update(&self.pending);
        send(self.out, &self.pending, self.cancel)?;
        self.pending.clear();
        Ok(())
    }

    /// Writes the checksum; gives it and the length of the whole pack.
    pub(crate) fn finish(mut self) -> Result<(ObjectId, u64), WriteError> {
        self.flush()?;
        let checksum = self.checksum.finish();
        send(self.out, checksum.as_bytes(), self.cancel)?;
        self.out.flush().map_err(WriteError::Output)?;
        Ok((checksum, self.offset + checksum.as_bytes().len() as u64))
    }
}

/// Sends bytes as they are.
pub(super) fn send_all(
    out: &mut dyn Write,
    bytes: &[u8],
    cancel: &AtomicBool,
) -> Result<(), WriteError> {
    for piece in bytes.chunks(PIECE_BYTES) {
        send(out, piece, cancel)?;
    }
    out.flush().map_err(WriteError::Output)
}

fn send(out: &mut dyn Write, piece: &[u8], cancel: &AtomicBool) -> Result<(), WriteError> {
    if cancel.load(Ordering::Relaxed) {
        return Err(WriteError::Cancelled);
    }
    out.write_all(piece)
        .map_err(|error: io::Error| WriteError::Output(error))
}

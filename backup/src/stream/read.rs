use std::marker::PhantomData;

use chunking::ChunkRef;
use serde::de::DeserializeOwned;

use crate::destination::ObjectError;
use crate::format::{Damage, Stream};
use crate::limits::MAX_RECORD_BYTES;
use crate::packs::PackReader;

/// Reads records back.
pub(crate) struct StreamReader<R> {
    chunks: std::vec::IntoIter<ChunkRef>,
    left: u64,
    buffer: Vec<u8>,
    at: usize,
    /// The object that names the chunks, for errors.
    named_by: String,
    record: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> StreamReader<R> {
    pub(crate) fn new(stream: &Stream, named_by: String) -> Self {
        Self {
            chunks: stream.chunks.clone().into_iter(),
            left: stream.length,
            buffer: Vec::new(),
            at: 0,
            named_by,
            record: PhantomData,
        }
    }

    /// The next record; `None` at the end.
    pub(crate) async fn next(&mut self, packs: &PackReader) -> Result<Option<R>, ObjectError> {
        if !self.fill(4, packs).await? {
            return match self.left == 0 && self.at == self.buffer.len() {
                true => Ok(None),
                false => Err(self.damaged()),
            };
        }
        let length: [u8; 4] = self.buffer[self.at..self.at + 4]
            .try_into()
            .map_err(|_| self.damaged())?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_RECORD_BYTES || !self.fill(4 + length, packs).await? {
            return Err(self.damaged());
        }
        let from = self.at + 4;
        let record = match postcard::take_from_bytes(&self.buffer[from..from + length]) {
            Ok((record, [])) => record,
            _ => return Err(self.damaged()),
        };
        self.at = from + length;
        Ok(Some(record))
    }

    /// Reads on until there are so many bytes; false if there are fewer.
    async fn fill(&mut self, bytes: usize, packs: &PackReader) -> Result<bool, ObjectError> {
        while self.buffer.len() - self.at < bytes {
            let Some(chunk) = self.chunks.next() else {
                return Ok(false);
            };
            self.buffer.drain(..self.at);
            self.at = 0;
            let read = packs.get(&chunk).await?;
            let left = self.left.checked_sub(read.len() as u64);
            self.left = left.ok_or_else(|| self.damaged())?;
            self.buffer.extend_from_slice(&read);
        }
        Ok(true)
    }

    fn damaged(&self) -> ObjectError {
        ObjectError::damaged(&self.named_by, Damage::Content)
    }
}

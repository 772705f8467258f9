use bytes::Bytes;
use chunking::{DigestSet, Pipeline, Profile};
use serde::Serialize;

use crate::destination::ObjectError;
use crate::format::Stream;
use crate::packs::PackWriter;

/// Bytes of records that are cut in one go.
const PIECE_BYTES: usize = 1 << 20;

/// Writes records.
pub(crate) struct StreamWriter {
    pipeline: Pipeline,
    piece: Vec<u8>,
}

impl StreamWriter {
    pub(crate) fn new() -> Self {
        Self {
            pipeline: Pipeline::new(Profile::GenericV1, DigestSet::NONE, 1),
            piece: Vec::new(),
        }
    }

    /// Adds a record.
    pub(crate) async fn add<R: Serialize>(
        &mut self,
        record: &R,
        packs: &mut PackWriter,
    ) -> Result<(), ObjectError> {
        let start = self.piece.len();
        self.piece.extend([0; 4]);
        self.piece = postcard::to_extend(record, std::mem::take(&mut self.piece))
            .expect("a record consists of what postcard encodes, into a vector that grows");
        let length = u32::try_from(self.piece.len() - start - 4).expect("a record is short");
        self.piece[start..start + 4].copy_from_slice(&length.to_le_bytes());
        match self.piece.len() < PIECE_BYTES {
            true => Ok(()),
            false => self.cut(packs).await,
        }
    }

    async fn cut(&mut self, packs: &mut PackWriter) -> Result<(), ObjectError> {
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        for chunk in self.pipeline.push(piece) {
            packs.add(chunk.id, &chunk.bytes).await?;
        }
        Ok(())
    }

    /// Ends the stream. Its chunks are with the writer of packs.
    pub(crate) async fn finish(mut self, packs: &mut PackWriter) -> Result<Stream, ObjectError> {
        self.cut(packs).await?;
        let (chunks, summary) = self.pipeline.finish();
        for chunk in chunks {
            packs.add(chunk.id, &chunk.bytes).await?;
        }
        Ok(Stream {
            length: summary.manifest.length,
            chunks: summary.manifest.chunks,
        })
    }
}

//! Blobs: byte strings of any length, kept as chunks under one manifest.
//!
//! [`Upload`] turns a stream of bytes into durable chunks and, at its end, a
//! [`StoredBlob`] that a command can name. [`Download`] reads one back. Neither
//! ever holds more than a few batches of chunks in memory.

mod download;
mod upload;

use std::iter::Peekable;

use chunking::{BlobId, ChunkRef, Manifest, Profile};
use serde::{Deserialize, Serialize};

pub use download::{Download, DownloadError};
pub use upload::{Finished, Upload, UploadError};

use crate::UploadId;
use crate::content::{Certificate, Run};
use crate::limits::MANIFEST_PART_CHUNKS;
use crate::order::{Command, Staged};

/// A blob whose chunks are durable, as a command names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBlob {
    /// The SHA-256 of all its bytes.
    pub id: BlobId,
    /// Its length in bytes.
    pub length: u64,
    /// How it was cut.
    pub profile: Profile,
    /// Its chunks, in order.
    pub chunks: Chunks,
    /// Who holds each of them. Of staged chunks it has the receipts only: the
    /// runs are staged with the chunks.
    pub certificate: Certificate,
}

/// The chunks of a manifest, in the entry or staged before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Chunks {
    /// Few enough for the entry.
    Inline(Vec<ChunkRef>),
    /// In this many parts, staged under this upload.
    Staged {
        /// The upload.
        upload: UploadId,
        /// The first part.
        first_part: u32,
        /// How many parts.
        parts: u32,
        /// How many chunks in all of them.
        chunks: u32,
    },
}

impl StoredBlob {
    /// What a commit needs: this blob, and before it the parts that its entry
    /// is too small for, which number from `first_part`.
    pub fn staged(
        manifest: Manifest,
        certificate: Certificate,
        upload: UploadId,
        first_part: u32,
    ) -> (Self, Vec<Command>) {
        let Manifest {
            blob: id,
            length,
            profile,
            chunks,
        } = manifest;
        if chunks.len() <= MANIFEST_PART_CHUNKS / 2 {
            return (
                Self {
                    id,
                    length,
                    profile,
                    chunks: Chunks::Inline(chunks),
                    certificate,
                },
                Vec::new(),
            );
        }
        let Certificate { receipts, runs } = certificate;
        let mut runs = runs.into_iter().peekable();
        let commands: Vec<Command> = chunks
            .chunks(MANIFEST_PART_CHUNKS)
            .zip(first_part..)
            .map(|(part_chunks, part)| Command::Stage {
                upload,
                part,
                content: Staged::Chunks {
                    chunks: part_chunks.to_vec(),
                    runs: take_runs(&mut runs, part_chunks.len()),
                },
            })
            .collect();
        let count = |n: usize| u32::try_from(n).expect("a manifest has fewer than 2^32 chunks");
        let staged = Chunks::Staged {
            upload,
            first_part,
            parts: count(commands.len()),
            chunks: count(chunks.len()),
        };
        let certificate = Certificate {
            receipts,
            runs: Vec::new(),
        };
        (
            Self {
                id,
                length,
                profile,
                chunks: staged,
                certificate,
            },
            commands,
        )
    }
}

/// The runs of the next `chunks` chunks; the last is split where it goes on.
fn take_runs(runs: &mut Peekable<impl Iterator<Item = Run>>, chunks: usize) -> Vec<Run> {
    let mut left = u32::try_from(chunks).expect("a part has few chunks");
    let mut taken = Vec::new();
    while left > 0
        && let Some(run) = runs.peek_mut()
    {
        let here = run.chunks.min(left);
        let holders = run.holders.clone();
        taken.push(Run {
            chunks: here,
            holders,
        });
        left -= here;
        run.chunks -= here;
        if run.chunks == 0 {
            runs.next();
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use chunking::{BlobId, ChunkId, ChunkRef, Manifest, Profile};

    use super::{Chunks, StoredBlob};
    use crate::UploadId;
    use crate::content::{Certificate, Run};
    use crate::limits::{MANIFEST_PART_CHUNKS, MAX_COMMAND_BYTES};
    use crate::order::{Command, Staged};

    #[test]
    fn a_long_manifest_goes_in_parts_that_carry_their_own_runs() {
        let count = MANIFEST_PART_CHUNKS * 2 + 1;
        let chunk = ChunkRef {
            id: ChunkId::of(b"x"),
            length: 1,
        };
        let manifest = Manifest {
            profile: Profile::GenericV1,
            blob: BlobId::of(b"x"),
            length: 1,
            chunks: vec![chunk; count],
        };
        let run = |chunks, holder| Run {
            chunks,
            holders: vec![holder],
        };
        let rest = u32::try_from(count).unwrap() - 601;
        let certificate = Certificate {
            receipts: Vec::new(),
            runs: vec![run(1, 0), run(600, 1), run(rest, 2)],
        };
        let (blob, parts) = StoredBlob::staged(manifest, certificate, UploadId([1; 16]), 7);
        assert!(blob.certificate.runs.is_empty());
        assert!(matches!(
            blob.chunks,
            Chunks::Staged {
                first_part: 7,
                parts: 3,
                ..
            }
        ));
        let staged: Vec<(u32, usize, Vec<Run>)> = parts
            .into_iter()
            .map(|command| {
                assert!(postcard::to_allocvec(&command).unwrap().len() < MAX_COMMAND_BYTES);
                match command {
                    Command::Stage {
                        part,
                        content: Staged::Chunks { chunks, runs },
                        ..
                    } => (part, chunks.len(), runs),
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        assert_eq!(
            staged,
            [
                (7, 512, vec![run(1, 0), run(511, 1)]),
                (8, 512, vec![run(89, 1), run(423, 2)]),
                (9, 1, vec![run(1, 2)]),
            ]
        );
    }
}

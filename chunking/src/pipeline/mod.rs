//! Cuts a stream, names its chunks and computes its hashes, in one pass and
//! on as many threads as the caller allows.
//!
//! What it keeps true: chunks come out in the order of the stream, and chunks,
//! hashes and manifest do not depend on the pieces or on the number of
//! threads. Beyond the caller's piece it holds at most [`MAX_IN_FLIGHT_BYTES`]
//! and two chunks: the one that is being cut and the one that waits for room.
//!
//! With one thread nothing is spawned and every step is taken in a fixed order
//! on the caller's, for simulation. With more, the caller cuts while workers
//! hash, and takes a share of the hashing instead of waiting.
//!
//! Nothing waits on a network or a disk here, but `push` uses the processor
//! for as long as the piece needs: an asynchronous caller runs it where it may
//! block.

mod board;
#[cfg(test)]
mod tests;
mod workers;

use bytes::Bytes;

use crate::chunk::{Chunk, ChunkRef};
use crate::cutter::Cutter;
use crate::digest::{DigestSet, Hashes};
use crate::id::BlobId;
use crate::manifest::Manifest;
use crate::profile::{MAX_CHUNK_BYTES, Profile};
use board::Board;
use workers::Workers;

/// Bytes that are cut but not through every hash, at most. Enough that no
/// thread starves while another is at a chunk of the greatest length.
pub const MAX_IN_FLIGHT_BYTES: usize = 4 * MAX_CHUNK_BYTES;

/// Threads that one pipeline uses, at most, the caller's included: one for
/// cutting, one per hash of the stream, two for the chunks' ids.
pub const MAX_THREADS: usize = 8;

/// Workers start when this many bytes have come: for less, starting them costs
/// more than they save.
const PARALLEL_FROM_BYTES: u64 = 1 << 20;

/// Turns one stream into chunks, hashes and a manifest.
///
/// Dropping it stops its threads and forgets the stream.
#[derive(Debug)]
pub struct Pipeline {
    profile: Profile,
    cutter: Cutter,
    board: Board,
    workers: Workers,
    threads: usize,
    length: u64,
    refs: Vec<ChunkRef>,
}

/// What is known of a stream at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The stream's length in bytes.
    pub length: u64,
    /// The hashes that were asked for, and SHA-256 in any case.
    pub hashes: Hashes,
    /// How the stream is made of the chunks that came out.
    pub manifest: Manifest,
}

impl Pipeline {
    /// A pipeline at the start of a stream, for the hashes in `digests` and
    /// SHA-256, which names the blob. `threads` counts the caller's and is
    /// taken as at least 1 and at most [`MAX_THREADS`]; if the system refuses
    /// a thread, the work is done with those that are there.
    pub fn new(profile: Profile, digests: DigestSet, threads: usize) -> Self {
        Self {
            profile,
            cutter: Cutter::new(profile),
            board: Board::new(digests | DigestSet::SHA256),
            workers: Workers::default(),
            threads: threads.clamp(1, MAX_THREADS),
            length: 0,
            refs: Vec::new(),
        }
    }

    /// Takes the next piece of the stream and returns the chunks that are
    /// finished: often none, and some only after later calls. The chunks of
    /// one call are never more than the piece and what was in flight.
    pub fn push(&mut self, piece: Bytes) -> Vec<Chunk> {
        self.length += piece.len() as u64;
        if self.threads > 1 && self.length >= PARALLEL_FROM_BYTES && self.workers.is_empty() {
            self.workers = Workers::start(&self.board, self.threads - 1);
        }
        let limit = self.workers.in_flight_limit();
        let mut finished = Vec::new();
        self.cutter.push(piece, |bytes| {
            self.board.post(bytes);
            self.board.help_until_at_most(limit, &mut finished);
        });
        self.board.take_finished(&mut finished);
        note(&mut self.refs, &finished);
        finished
    }

    /// Ends the stream: returns the chunks that [`push`](Self::push) had not
    /// returned yet and what is known of the whole.
    pub fn finish(mut self) -> (Vec<Chunk>, Summary) {
        let mut finished = Vec::new();
        self.cutter.finish(|bytes| self.board.post(bytes));
        self.board.help_until_at_most(0, &mut finished);
        note(&mut self.refs, &finished);
        let hashes = self.board.hashes();
        let sha256 = hashes
            .sha256
            .expect("SHA-256 is among the hashes of every board");
        let manifest = Manifest {
            profile: self.profile,
            blob: BlobId::from_bytes(sha256),
            length: self.length,
            chunks: self.refs,
        };
        let summary = Summary {
            length: self.length,
            hashes,
            manifest,
        };
        (finished, summary)
    }
}

fn note(refs: &mut Vec<ChunkRef>, finished: &[Chunk]) {
    refs.extend(finished.iter().map(|chunk| {
        ChunkRef {
            id: chunk.id,
            length: u32::try_from(chunk.bytes.len())
                .expect("a chunk is not longer than its profile's greatest length, a u32"),
        }
    }));
}

//! Cut points, chunk ids, whole-stream digests and manifests.
//!
//! A byte stream goes in, in pieces of any size; chunks named by their BLAKE3
//! come out, and at the end a [`Manifest`] that says how to put them together
//! again. Everything here is a pure function of the bytes and a [`Profile`]:
//! the same bytes give the same chunks, ids and manifest on every machine, in
//! every release, with any number of threads.
//!
//! Deliberately not here: files, sockets, clocks, asynchronous code and
//! configuration. What a caller may choose is the kind of content, and that
//! choice is recorded in the manifest.

mod chunk;
mod cutter;
mod digest;
mod hex;
mod id;
mod manifest;
mod pipeline;
mod profile;

pub use chunk::{Chunk, ChunkRef};
pub use cutter::Cutter;
pub use digest::{DigestKind, DigestSet, Digests, Hashes};
pub use hex::ParseIdError;
pub use id::{BlobId, ChunkId, Root};
pub use manifest::{Located, Manifest, ManifestError};
pub use pipeline::{MAX_IN_FLIGHT_BYTES, MAX_THREADS, Pipeline, Summary};
pub use profile::{MAX_CHUNK_BYTES, Profile, Sizes, UnknownProfile};

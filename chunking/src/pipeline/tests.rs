use bytes::Bytes;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;

use super::{MAX_IN_FLIGHT_BYTES, PARALLEL_FROM_BYTES, Pipeline, Summary};
use crate::chunk::Chunk;
use crate::cutter::golden::noise;
use crate::digest::{DigestKind, DigestSet, Digests};
use crate::id::{BlobId, ChunkId};
use crate::profile::{MAX_CHUNK_BYTES, Profile};

fn run(mut pipeline: Pipeline, bytes: &Bytes, piece: usize) -> (Vec<Chunk>, Summary) {
    let mut chunks = Vec::new();
    for start in (0..bytes.len()).step_by(piece) {
        let piece = bytes.slice(start..bytes.len().min(start + piece));
        chunks.extend(pipeline.push(piece));
    }
    let (rest, summary) = pipeline.finish();
    chunks.extend(rest);
    (chunks, summary)
}

#[test]
fn an_empty_stream_is_the_empty_blob() {
    for threads in [0, 1, 4] {
        let pipeline = Pipeline::new(Profile::GenericV1, DigestSet::NONE, threads);
        let (chunks, summary) = pipeline.finish();
        assert_eq!(chunks, []);
        assert_eq!(summary.length, 0);
        assert_eq!(summary.manifest.blob, BlobId::of(b""));
        assert_eq!(summary.manifest.validate(), Ok(()));
    }
}

#[test]
fn a_pipeline_can_move_between_threads() {
    fn movable<T: Send + 'static>() {}
    movable::<Pipeline>();
}

#[test]
fn one_thread_returns_each_chunk_with_the_piece_that_completes_it() {
    let bytes = Bytes::from(noise(1, 3 << 20));
    let mut pipeline = Pipeline::new(Profile::GenericV1, DigestSet::NONE, 1);
    let mut returned = 0;
    for start in (0..bytes.len()).step_by(1 << 16) {
        let end = start + (1 << 16);
        let chunks = pipeline.push(bytes.slice(start..end));
        returned += chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
        assert!(end - returned < Profile::GenericV1.sizes().max as usize);
    }
    assert!(pipeline.workers.is_empty(), "one thread needs no other");
}

#[test]
fn what_is_kept_back_is_bounded() {
    let piece = Bytes::from(noise(2, MAX_CHUNK_BYTES));
    for threads in [2, 8] {
        let mut pipeline = Pipeline::new(Profile::ArchiveV1, DigestSet::ALL, threads);
        let mut kept = 0;
        for _ in 0..40 {
            kept += piece.len();
            let chunks = pipeline.push(piece.clone());
            kept -= chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
            assert!(kept <= MAX_IN_FLIGHT_BYTES + 2 * MAX_CHUNK_BYTES);
        }
    }
}

#[test]
fn dropping_a_pipeline_in_the_middle_ends_its_threads() {
    let length = usize::try_from(PARALLEL_FROM_BYTES).unwrap() * 2;
    let mut pipeline = Pipeline::new(Profile::GenericV1, DigestSet::ALL, 4);
    pipeline.push(Bytes::from(noise(3, length)));
    assert!(!pipeline.workers.is_empty());
    let board = pipeline.board.clone();
    drop(pipeline);
    assert_eq!(board.handles(), 1, "a thread still holds the board");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Chunks, hashes and manifest are those that one would compute from the
    /// whole stream, for any pieces and any number of threads.
    #[test]
    fn the_result_depends_on_the_bytes_alone(
        profile in select(&Profile::ALL[..]),
        kinds in proptest::sample::subsequence(&DigestKind::ALL[..], 0..=5),
        threads in 1..6_usize,
        stream in (any::<u64>(), 0..6_000_000_usize)
            .prop_map(|(seed, length)| Bytes::from(noise(seed, length))),
        piece in 1_000..3_000_000_usize,
    ) {
        let set: DigestSet = kinds.into_iter().collect();
        let (chunks, summary) = run(Pipeline::new(profile, set, threads), &stream, piece);

        let joined: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
        prop_assert_eq!(&joined, &stream);
        for chunk in &chunks {
            prop_assert_eq!(chunk.id, ChunkId::of(&chunk.bytes));
        }

        let mut digests = Digests::new(set | DigestSet::SHA256);
        digests.update(&stream);
        prop_assert_eq!(summary.hashes, digests.finish());
        prop_assert_eq!(summary.length, stream.len() as u64);

        let manifest = &summary.manifest;
        prop_assert_eq!(manifest.validate(), Ok(()));
        prop_assert_eq!(manifest.blob, BlobId::of(&stream));
        prop_assert_eq!(manifest.length, stream.len() as u64);
        prop_assert_eq!(manifest.profile, profile);
        prop_assert_eq!(manifest.chunks.len(), chunks.len());
        for (named, chunk) in manifest.chunks.iter().zip(&chunks) {
            prop_assert_eq!(named.id, chunk.id);
            prop_assert_eq!(named.length as usize, chunk.bytes.len());
        }

        let (plain, plain_summary) = run(Pipeline::new(profile, set, 1), &stream, usize::MAX);
        prop_assert!(plain == chunks && plain_summary == summary);
    }
}

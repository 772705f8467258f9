use bytes::Bytes;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

use super::{Located, Manifest, ManifestError};
use crate::chunk::ChunkRef;
use crate::cutter::golden::noise;
use crate::digest::DigestSet;
use crate::id::{BlobId, ChunkId};
use crate::pipeline::Pipeline;
use crate::profile::Profile;

const PROFILE: Profile = Profile::GenericV1;

/// A manifest with chunks of these lengths, each with an id of its own.
fn manifest(lengths: &[u32]) -> Manifest {
    let chunk = |(index, &length): (usize, &u32)| ChunkRef {
        id: ChunkId::of(&(index as u64).to_le_bytes()),
        length,
    };
    Manifest {
        profile: PROFILE,
        blob: BlobId::of(b"blob"),
        length: lengths.iter().map(|&length| u64::from(length)).sum(),
        chunks: lengths.iter().enumerate().map(chunk).collect(),
    }
}

fn min() -> u32 {
    PROFILE.sizes().min
}

fn max() -> u32 {
    PROFILE.sizes().max
}

#[test]
fn lengths_that_the_profile_makes_are_accepted() {
    for lengths in [&[][..], &[1], &[max()], &[min(), 1], &[max(), min(), max()]] {
        assert_eq!(manifest(lengths).validate(), Ok(()), "{lengths:?}");
    }
}

#[test]
fn lengths_that_the_profile_cannot_make_are_refused() {
    let cases = [
        (vec![0], 0, 0, 1),
        (vec![max() + 1], 0, max() + 1, 1),
        (vec![min() - 1, 5], 0, min() - 1, min()),
        (vec![min(), min() - 1, min()], 1, min() - 1, min()),
        (vec![min(), u32::MAX, 1], 1, u32::MAX, min()),
        (vec![min(), 0], 1, 0, 1),
    ];
    for (lengths, index, length, least) in cases {
        assert_eq!(
            manifest(&lengths).validate(),
            Err(ManifestError::ChunkLength {
                index,
                length,
                least,
                most: max(),
                profile: PROFILE,
            })
        );
    }
}

#[test]
fn a_length_that_is_not_the_sum_is_refused() {
    for (lengths, length) in [(&[][..], 1), (&[5], 4), (&[5], u64::MAX), (&[max(), 5], 0)] {
        let claim = Manifest {
            length,
            ..manifest(lengths)
        };
        let sum = manifest(lengths).length;
        assert_eq!(claim.validate(), Err(ManifestError::Length { sum, length }));
    }
}

#[test]
fn the_digest_covers_every_field() {
    let original = manifest(&[max(), max(), 7]);
    let mut others = vec![original.clone(); 6];
    others[0].profile = Profile::ArchiveV1;
    others[1].blob = BlobId::of(b"another");
    others[2].length += 1;
    others[3].chunks.pop();
    others[4].chunks.swap(0, 1);
    others[5].chunks[2].length += 1;
    assert_eq!(original.digest(), original.clone().digest());
    for other in others {
        assert_ne!(original.digest(), other.digest(), "{other:?}");
    }
}

#[test]
fn the_digest_is_the_same_in_every_release() {
    let golden = [
        (
            &[][..],
            "0c80cb4f905cf07b243b721a689645a82894dfe5101273084257e0dce8199eef",
        ),
        (
            &[max(), min(), 7],
            "eb80876ce36a7577d9bff243f6601f3756640795a3fb3ba5e061c24e11bb18f9",
        ),
    ];
    for (lengths, expected) in golden {
        assert_eq!(manifest(lengths).digest().to_string(), expected);
    }
}

#[test]
fn the_digest_is_that_of_the_documented_encoding() {
    let manifest = manifest(&[max(), 7]);
    let blob = BlobId::of(b"blob");
    let [first, second] = [0_u64, 1].map(|index| ChunkId::of(&index.to_le_bytes()));
    let encoding = [
        &[3][..],
        blob.as_bytes(),
        &[7, 0, 4, 0, 0, 0, 0, 0],
        &[2, 0, 0, 0, 0, 0, 0, 0],
        first.as_bytes(),
        &[0, 0, 4, 0],
        second.as_bytes(),
        &[7, 0, 0, 0],
    ];
    let expected = blake3::derive_key(super::ROOT_CONTEXT, &encoding.concat());
    assert_eq!(manifest.digest().as_bytes(), &expected);
}

#[test]
fn the_stored_form_reads_back() {
    let original = manifest(&[max(), 7]);
    let stored = postcard::to_stdvec(&original).unwrap();
    assert_eq!(stored[0], PROFILE.number());
    assert_eq!(postcard::from_bytes::<Manifest>(&stored).unwrap(), original);
}

#[test]
fn what_lies_beyond_the_end_is_left_out() {
    let manifest = manifest(&[max(), 7]);
    let end = manifest.length;
    for range in [end..end + 9, u64::MAX - 1..u64::MAX, 5..5, 0..0] {
        assert_eq!(manifest.locate(range.clone()).next(), None, "{range:?}");
    }
    #[expect(clippy::reversed_empty_ranges, reason = "a caller may be wrong")]
    let reversed = 9..5;
    assert_eq!(manifest.locate(reversed).next(), None);
    let last = Located {
        index: 1,
        chunk: &manifest.chunks[1],
        range: 6..7,
    };
    assert_eq!(
        manifest.locate(end - 1..u64::MAX).collect::<Vec<_>>(),
        [last]
    );
}

fn lengths() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(1..90_u32, 0..12)
}

proptest! {
    /// Numbers every byte of the blob, and asks which bytes a range gives.
    #[test]
    fn located_parts_cover_exactly_the_range(
        lengths in lengths(), start in 0..1_200_u64, length in 0..1_200_u64
    ) {
        let manifest = manifest(&lengths);
        let starts: Vec<u64> = lengths
            .iter()
            .scan(0, |end, &length| {
                *end += u64::from(length);
                Some(*end - u64::from(length))
            })
            .collect();
        let mut covered = Vec::new();
        for part in manifest.locate(start..start + length) {
            prop_assert!(!part.range.is_empty());
            prop_assert_eq!(part.chunk, &manifest.chunks[part.index]);
            covered.extend(part.range.map(|at| starts[part.index] + u64::from(at)));
        }
        let end = manifest.length.min(start + length);
        prop_assert_eq!(covered, (start..end).collect::<Vec<_>>());
    }

    #[test]
    fn a_range_of_real_chunks_is_the_range_of_the_stream(
        seed in any::<u64>(), start in 0..500_000_u64, length in 0..500_000_u64
    ) {
        let stream = Bytes::from(noise(seed, 400_000));
        let mut pipeline = Pipeline::new(PROFILE, DigestSet::NONE, 1);
        let mut chunks = pipeline.push(stream.clone());
        let (rest, summary) = pipeline.finish();
        chunks.extend(rest);
        let read: Vec<u8> = summary
            .manifest
            .locate(start..start + length)
            .flat_map(|part| {
                let [start, end] = [part.range.start, part.range.end].map(|at| at as usize);
                chunks[part.index].bytes[start..end].to_vec()
            })
            .collect();
        let clamp = |at: u64| stream.len().min(usize::try_from(at).unwrap());
        prop_assert_eq!(&read, &stream[clamp(start)..clamp(start + length)]);
    }
}

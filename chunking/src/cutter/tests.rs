use bytes::Bytes;
use fastcdc::v2020::FastCDC;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;

use super::Cutter;
use super::golden::noise;
use crate::profile::Profile;

/// Cuts `bytes`, handed over in pieces of the given sizes (repeated as often
/// as it takes), and returns the chunks.
fn cut(profile: Profile, bytes: &Bytes, pieces: &[usize]) -> Vec<Bytes> {
    let mut cutter = Cutter::new(profile);
    let mut chunks = Vec::new();
    let mut rest = bytes.clone();
    let mut pieces = pieces.iter().cycle();
    while !rest.is_empty() {
        let length = pieces.next().map_or(usize::MAX, |&size| size);
        let piece = rest.split_to(length.min(rest.len()));
        cutter.push(piece, |chunk| chunks.push(chunk));
    }
    cutter.finish(|chunk| chunks.push(chunk));
    chunks
}

fn lengths(chunks: &[Bytes]) -> Vec<usize> {
    chunks.iter().map(Bytes::len).collect()
}

/// What the crate that defines the algorithm says.
fn reference(profile: Profile, bytes: &[u8]) -> Vec<usize> {
    let sizes = profile.sizes();
    let [min, avg, max] = [sizes.min, sizes.avg, sizes.max].map(|size| size as usize);
    FastCDC::new(bytes, min, avg, max)
        .map(|chunk| chunk.length)
        .collect()
}

fn profiles() -> impl Strategy<Value = Profile> {
    select(&Profile::ALL[..])
}

/// Streams of noise and of runs of one byte, which never cut before the
/// greatest length.
fn streams() -> impl Strategy<Value = Bytes> {
    let part = (any::<u64>(), 0..900_000_usize, any::<bool>());
    proptest::collection::vec(part, 0..4).prop_map(|parts| {
        let parts = parts.into_iter().map(|(seed, length, flat)| {
            if flat {
                vec![seed as u8; length]
            } else {
                noise(seed, length)
            }
        });
        parts.collect::<Vec<_>>().concat().into()
    })
}

fn piece_sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![
        1..100_usize,
        1..70_000_usize,
        60_000..2_000_000_usize,
        Just(64 * 1024),
    ];
    proptest::collection::vec(size, 1..6)
}

#[test]
fn an_empty_stream_has_no_chunk() {
    for profile in Profile::ALL {
        assert_eq!(cut(profile, &Bytes::new(), &[]), Vec::<Bytes>::new());
        let mut cutter = Cutter::new(profile);
        cutter.push(Bytes::new(), |chunk| panic!("{} bytes", chunk.len()));
        cutter.finish(|chunk| panic!("{} bytes", chunk.len()));
    }
}

#[test]
fn a_stream_without_cut_points_is_cut_at_the_greatest_length() {
    for profile in Profile::ALL {
        let max = profile.sizes().max as usize;
        let zeros = Bytes::from(vec![0; 2 * max + 1]);
        for pieces in [&[usize::MAX][..], &[max], &[max - 1, 2], &[4096]] {
            assert_eq!(lengths(&cut(profile, &zeros, pieces)), [max, max, 1]);
        }
    }
}

#[test]
fn a_chunk_within_one_piece_is_not_copied() {
    let bytes = Bytes::from(noise(7, 4 << 20));
    let whole = bytes.as_ptr_range();
    let mut cutter = Cutter::new(Profile::GenericV1);
    let mut views = 0;
    cutter.push(bytes, |chunk| {
        assert!(whole.contains(&chunk.as_ptr()));
        views += 1;
    });
    assert!(views > 20, "only {views} chunks");
}

/// The crate tests a stream's bytes in pairs and so leaves the last of an odd
/// number untested. Ends streams right at cut points, where it matters.
#[test]
fn a_stream_that_ends_at_a_cut_point_is_cut_like_the_reference() {
    let mut odd = 0;
    for seed in 0..24 {
        let bytes = Bytes::from(noise(seed, 300_000));
        let first = reference(Profile::GenericV1, &bytes)[0];
        odd += first % 2;
        for end in first - 1..first + 3 {
            let stream = bytes.slice(..end);
            let expected = reference(Profile::GenericV1, &stream);
            for pieces in [&[usize::MAX][..], &[first, 1], &[first + 1, 1], &[997]] {
                let chunks = cut(Profile::GenericV1, &stream, pieces);
                assert_eq!(lengths(&chunks), expected, "seed {seed}, {end} bytes");
            }
        }
    }
    assert!((1..24).contains(&odd), "both parities are needed");
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    #[test]
    fn cuts_depend_on_the_bytes_and_not_on_the_pieces(
        profile in profiles(), stream in streams(), sizes in piece_sizes()
    ) {
        let chunks = cut(profile, &stream, &sizes);
        prop_assert_eq!(lengths(&chunks), reference(profile, &stream));
        prop_assert_eq!(chunks.concat(), stream);
    }

    #[test]
    fn lengths_are_within_the_profile(profile in profiles(), stream in streams()) {
        let sizes = profile.sizes();
        let lengths = lengths(&cut(profile, &stream, &[usize::MAX]));
        if let Some((last, others)) = lengths.split_last() {
            prop_assert!((1..=sizes.max as usize).contains(last));
            for length in others {
                prop_assert!((sizes.min as usize..=sizes.max as usize).contains(length));
            }
        }
    }

    /// Inserts, deletes or replaces a few bytes anywhere: all but a handful of
    /// chunks around that place stay as they were.
    #[test]
    fn an_edit_moves_only_nearby_cuts(
        profile in profiles(),
        seed in any::<u64>(),
        place in 0.0..1.0,
        removed in 0..500_usize,
        added in 0..500_usize,
    ) {
        let before = noise(seed, 12 << 20);
        let start = (place * before.len() as f64) as usize;
        let end = before.len().min(start + removed);
        let after = [&before[..start], &noise(!seed, added), &before[end..]].concat();
        let [before, after] =
            [before, after].map(|bytes| cut(profile, &Bytes::from(bytes), &[1 << 20]));
        let known: std::collections::HashSet<&Bytes> = before.iter().collect();
        let new = after.iter().filter(|chunk| !known.contains(chunk)).count();
        prop_assert!(new <= NEW_CHUNKS_PER_EDIT, "{} of {} chunks are new", new, after.len());
    }
}

/// Nearly always the edited chunk ends where it did and is the only new one.
/// If the edit hit a cut point, the cuts run beside the old ones until one falls
/// on the same byte, and each further chunk that it takes is less likely.
const NEW_CHUNKS_PER_EDIT: usize = 8;

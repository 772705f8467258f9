//! Cut points that must never change: stored content was cut at them.

use bytes::Bytes;

use super::Cutter;
use crate::profile::Profile;

/// Bytes that look random and are the same for ever: SplitMix64 from `seed`,
/// each word little-endian.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)).to_le_bytes()
    });
    let mut bytes: Vec<u8> = words.take(length.div_ceil(8)).flatten().collect();
    bytes.truncate(length);
    bytes
}

/// Lengths of the chunks of a stream: a run of zeros, which has no cut point,
/// and noise after it.
fn lengths(profile: Profile) -> Vec<usize> {
    let zeros = profile.sizes().max as usize + 4096;
    let stream = [vec![0; zeros], noise(2020, 3_000_001)].concat();
    let mut lengths = Vec::new();
    let mut cutter = Cutter::new(profile);
    cutter.push(Bytes::from(stream), |chunk| lengths.push(chunk.len()));
    cutter.finish(|chunk| lengths.push(chunk.len()));
    lengths
}

#[test]
fn the_noise_is_the_published_generator() {
    let first: [u8; 8] = noise(0, 8).try_into().unwrap();
    assert_eq!(u64::from_le_bytes(first), 0xe220_a839_7b1d_cdaf);
}

#[test]
fn git_pack_v1_cuts_where_it_always_did() {
    assert_eq!(
        lengths(Profile::GitPackV1),
        [
            524288, 116079, 99577, 99868, 174468, 173747, 186630, 175361, 137327, 186037, 152159,
            194367, 135283, 361245, 161570, 194050, 80825, 77710, 121810, 165495, 10489
        ]
    );
}

#[test]
fn archive_v1_cuts_where_it_always_did() {
    assert_eq!(
        lengths(Profile::ArchiveV1),
        [
            1048576, 269986, 220006, 360377, 498725, 353583, 489471, 436445, 199520, 175984
        ]
    );
}

#[test]
fn generic_v1_cuts_where_it_always_did() {
    assert_eq!(
        lengths(Profile::GenericV1),
        [
            262144, 44862, 48328, 78761, 43705, 54330, 45538, 101592, 91715, 128250, 111054, 73185,
            64830, 93781, 45799, 132479, 96771, 71828, 121572, 67827, 114739, 71731, 76494, 51732,
            38447, 73297, 69585, 96498, 148576, 90949, 37498, 88119, 88407, 144024, 114836, 182958
        ]
    );
}

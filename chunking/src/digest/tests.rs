use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};
use sha2::Digest;

use super::{DigestKind, DigestSet, Digests, Hashes};

fn of(set: DigestSet, pieces: &[&[u8]]) -> Hashes {
    let mut digests = Digests::new(set);
    for piece in pieces {
        digests.update(piece);
    }
    digests.finish()
}

fn reference(bytes: &[u8]) -> Hashes {
    Hashes {
        blake3: Some(blake3::hash(bytes).into()),
        sha256: Some(sha2::Sha256::digest(bytes).into()),
        sha1: Some(sha1::Sha1::digest(bytes).into()),
        sha512: Some(sha2::Sha512::digest(bytes).into()),
        md5: Some(md5::Md5::digest(bytes).into()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_published_vectors_for_abc_come_out() {
    let hashes = of(DigestSet::ALL, &[b"a", b"", b"bc"]);
    let cases = [
        (
            hashes.blake3.map(|hash| hex(&hash)),
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
        ),
        (
            hashes.sha256.map(|hash| hex(&hash)),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            hashes.sha1.map(|hash| hex(&hash)),
            "a9993e364706816aba3e25717850c26c9cd0d89d",
        ),
        (
            hashes.sha512.map(|hash| hex(&hash)),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        (
            hashes.md5.map(|hash| hex(&hash)),
            "900150983cd24fb0d6963f7d28e17f72",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found.as_deref(), Some(expected));
    }
}

#[test]
fn only_what_was_asked_for_is_there() {
    assert_eq!(of(DigestSet::NONE, &[b"x"]), Hashes::default());
    let hashes = of(DigestSet::SHA1 | DigestKind::Md5.into(), &[b"x"]);
    assert_eq!(
        hashes,
        Hashes {
            sha1: reference(b"x").sha1,
            md5: reference(b"x").md5,
            ..Hashes::default()
        }
    );
}

#[test]
fn sets_hold_what_was_put_in() {
    let set: DigestSet = [DigestKind::Sha512, DigestKind::Blake3]
        .into_iter()
        .collect();
    assert_eq!(set, DigestSet::BLAKE3 | DigestSet::SHA512);
    assert!(set.contains(DigestKind::Sha512) && !set.contains(DigestKind::Sha256));
    assert_eq!(DigestSet::ALL.kinds().collect::<Vec<_>>(), DigestKind::ALL);
    assert_eq!(format!("{set:?}"), "{Blake3, Sha512}");
}

proptest! {
    #[test]
    fn any_split_gives_the_reference_hashes(
        pieces in proptest::collection::vec(
            any::<(u8, u16)>().prop_map(|(byte, length)| vec![byte; usize::from(length) % 700]),
            0..20,
        )
    ) {
        let whole = pieces.concat();
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(of(DigestSet::ALL, &pieces), reference(&whole));
    }
}

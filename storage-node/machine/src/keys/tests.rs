use std::fmt::Debug;

use chunking::BlobId;
use git_id::{ObjectId, RefName};
use proptest::prelude::{any, prop_oneof, proptest};
use proptest::strategy::Strategy;
use storage_node_api::{BlobOwner, DedupDomain, OwnerId, RepositoryId, RequestId, Slot, UploadId};

use super::{
    BlobKey, BlobPartKey, EventKey, FeedKey, HeadKey, HoldKey, Key, MapKey, OwnerKey, PackKey,
    PackNumberKey, PartKey, RefKey, RemovedKey, ReplacedKey, RepositoryKey, RequestKey,
    RequestOrderKey, Seal, UploadKey, UploadOrderKey,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn round_trip<K: Key + Debug + PartialEq>(key: &K) {
    let mut stored = key.encode();
    assert_eq!(&K::decode(&stored).unwrap(), key);
    assert_eq!(stored[0], K::FAMILY as u8);
    stored[0] ^= 0x80;
    assert!(K::decode(&stored).is_err(), "of another family");
    assert!(K::decode(&[]).is_err());
}

fn repositories() -> impl Strategy<Value = RepositoryId> {
    any::<[u8; 16]>().prop_map(RepositoryId)
}

fn slots() -> impl Strategy<Value = Slot> {
    (0..Slot::COUNT).prop_map(Slot)
}

fn owners() -> impl Strategy<Value = BlobOwner> {
    prop_oneof![
        repositories().prop_map(BlobOwner::Repository),
        any::<[u8; 16]>().prop_map(|id| BlobOwner::Named(OwnerId(id))),
    ]
}

proptest! {
    #[test]
    fn keys_of_the_group_read_back(id: [u8; 16], number: u64, part: u32) {
        round_trip(&RequestKey(RequestId(id)));
        round_trip(&RequestOrderKey(number));
        round_trip(&UploadKey(UploadId(id)));
        round_trip(&UploadOrderKey(number));
        round_trip(&PartKey { upload: UploadId(id), part });
    }

    #[test]
    fn keys_of_repositories_read_back(
        repository in repositories(),
        number: u32,
        name in "[a-z]{1,3}(/[a-z]{1,3}){0,3}",
        checksum: [u8; 32],
        short: bool,
    ) {
        round_trip(&RepositoryKey(repository));
        round_trip(&ReplacedKey(repository));
        let name = RefName::branch(&name).unwrap();
        round_trip(&RefKey { repository, name });
        round_trip(&PackKey { repository, number });
        let checksum = ObjectId::from_bytes(&checksum[..if short { 20 } else { 32 }]).unwrap();
        round_trip(&PackNumberKey { repository, checksum });
    }

    #[test]
    fn keys_of_slots_read_back(
        slot in slots(),
        domain: u64,
        blob: [u8; 32],
        owner in owners(),
        sequence: u64,
        part: u32,
    ) {
        let id = BlobId::from_bytes(blob);
        let blob = BlobKey { slot, domain: DedupDomain(domain), blob: id };
        round_trip(&blob);
        round_trip(&RemovedKey(blob));
        round_trip(&BlobPartKey { blob, part });
        round_trip(&OwnerKey { slot, blob: id, owner });
        round_trip(&FeedKey(slot));
        round_trip(&EventKey { slot, sequence });
    }

    #[test]
    fn references_order_as_their_names(
        repository in repositories(),
        one in "[a-z.]{1,2}(/[a-z-]{1,2}){0,2}",
        two in "[a-z.]{1,2}(/[a-z-]{1,2}){0,2}",
    ) {
        if let (Ok(one), Ok(two)) = (RefName::branch(&one), RefName::branch(&two)) {
            let key = |name: &RefName| RefKey { repository, name: name.clone() }.encode();
            assert_eq!(key(&one).cmp(&key(&two)), one.cmp(&two));
        }
    }

    #[test]
    fn no_bytes_make_decoding_panic(bytes: Vec<u8>) {
        let _ = RefKey::decode(&bytes);
        let _ = OwnerKey::decode(&bytes);
        let _ = PackNumberKey::decode(&bytes);
        let _ = EventKey::decode(&bytes);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn stored_keys_are_stable() {
    let repository = RepositoryId(*b"\x01\x02repository-id-");
    let blob = BlobKey {
        slot: Slot(0x0102),
        domain: DedupDomain(7),
        blob: BlobId::from_bytes([0xbb; 32]),
    };
    let id = "01020102".to_owned() + &hex(b"repository-id-");
    let bb = "bb".repeat(32);
    let request = RequestId([0x11; 16]);
    let upload = UploadId([0x22; 16]);
    let name = RefName::new("refs/heads/m").unwrap();
    let checksum = ObjectId::from_bytes(&[0xcc; 20]).unwrap();
    let owner = |owner| OwnerKey {
        slot: Slot(0x0102),
        blob: BlobId::from_bytes([0xbb; 32]),
        owner,
    };
    let event = EventKey {
        slot: Slot(0x0102),
        sequence: 9,
    };
    let part = BlobPartKey { blob, part: 3 };
    let named = BlobOwner::Named(OwnerId([0x33; 16]));
    for (key, stored) in [
        (Seal.encode(), "00".into()),
        (HeadKey.encode(), "01".into()),
        (MapKey.encode(), "02".into()),
        (HoldKey.encode(), "07".into()),
        (
            RequestKey(request).encode(),
            format!("08{}", "11".repeat(16)),
        ),
        (RequestOrderKey(5).encode(), "090000000000000005".into()),
        (UploadKey(upload).encode(), format!("0a{}", "22".repeat(16))),
        (UploadOrderKey(6).encode(), "0b0000000000000006".into()),
        (
            PartKey { upload, part: 4 }.encode(),
            format!("0c{}00000004", "22".repeat(16)),
        ),
        (RepositoryKey(repository).encode(), format!("10{id}")),
        (
            RefKey { repository, name }.encode(),
            format!("11{id}{}", hex(b"refs/heads/m")),
        ),
        (
            PackKey {
                repository,
                number: 8,
            }
            .encode(),
            format!("12{id}00000008"),
        ),
        (
            PackNumberKey {
                repository,
                checksum,
            }
            .encode(),
            format!("13{id}{}", "cc".repeat(20)),
        ),
        (blob.encode(), format!("2001020000000000000007{bb}")),
        (part.encode(), format!("2101020000000000000007{bb}00000003")),
        (
            owner(BlobOwner::Repository(repository)).encode(),
            format!("220102{bb}01{}", &id[4..]),
        ),
        (
            owner(named).encode(),
            format!("220102{bb}02{}", "33".repeat(16)),
        ),
        (FeedKey(Slot(0x0102)).encode(), "300102".into()),
        (event.encode(), "3101020000000000000009".into()),
    ] {
        let stored: String = stored;
        assert_eq!(
            hex(&key),
            stored,
            "keys are stored: a change makes old state unreadable"
        );
    }
}

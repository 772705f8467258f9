use super::*;
use crate::format::{decode, encode};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn id(index: u64) -> LogId {
    LogId {
        term: 3,
        leader: 300,
        index,
    }
}

fn membership() -> Membership {
    Membership {
        voters: vec![[1, 2].into(), [2, 3].into()],
        members: [1, 2, 3].map(|n| (n, format!("h{n}:1"))).into(),
    }
}

/// These bytes are on people's disks. They are never edited: a new format gets a new module.
#[test]
fn the_bytes_of_version_1_are_fixed() {
    let entry = |payload| encode(&Entry { id: id(5), payload });
    let vote = |committed| Vote {
        term: 3,
        leader: 300,
        committed,
    };
    let members = "0202010202020303010468313a31020468323a31030468333a31";
    let cases = [
        (encode(&id(70_000)), "0103ac02f0a204".to_owned()),
        (encode(&vote(false)), "0103ac0200".to_owned()),
        (encode(&vote(true)), "0103ac0201".to_owned()),
        (entry(EntryPayload::Blank), "0103ac020500".to_owned()),
        (
            entry(EntryPayload::Command(Bytes::from("abc"))),
            "0103ac02050103616263".to_owned(),
        ),
        (
            entry(EntryPayload::Membership(membership())),
            format!("0103ac020502{members}"),
        ),
        (
            encode(&Marker {
                applied: Some(id(9)),
                membership_at: None,
                membership: membership(),
            }),
            format!("010103ac020900{members}"),
        ),
    ];
    for (found, expect) in cases {
        assert_eq!(hex(&found), expect);
    }
}

#[test]
fn what_is_written_reads_back_through_openraft_types() {
    for payload in [
        EntryPayload::Blank,
        EntryPayload::Command(Bytes::from(vec![7; 1000])),
        EntryPayload::Membership(membership()),
    ] {
        let entry = Entry { id: id(5), payload };
        let read: Entry = decode(&encode(&entry)).unwrap();
        let through = types::Entry::try_from(read).unwrap();
        assert_eq!(Entry::from(&through), entry);
    }
    let empty = types::Membership::default();
    assert_eq!(
        types::Membership::try_from(Membership::from(&empty)).unwrap(),
        empty
    );
}

#[test]
fn damaged_and_newer_records_are_errors() {
    let good = encode(&Entry {
        id: id(5),
        payload: EntryPayload::Command(Bytes::from("abc")),
    });
    for len in 0..good.len() {
        assert!(decode::<Entry>(&good[..len]).is_err(), "cut at {len}");
    }
    let long = [good.as_slice(), &[0]].concat();
    assert!(matches!(
        decode::<Entry>(&long),
        Err(FormatError::Damaged { .. })
    ));
    let mut newer = good;
    newer[0] = 2;
    assert_eq!(
        decode::<Entry>(&newer),
        Err(FormatError::Version { found: 2, known: 1 })
    );
    let orphan = Membership {
        voters: vec![[1].into()],
        members: BTreeMap::new(),
    };
    assert!(types::Membership::try_from(orphan).is_err());
}

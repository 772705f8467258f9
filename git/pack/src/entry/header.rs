use git_id::{HashKind, ObjectId};

use crate::Kind;
use crate::defect::Defect;

/// How an entry stores its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Representation {
    /// The whole object.
    Whole(Kind),
    /// A delta against the entry that many bytes before this one.
    Offset(u64),
    /// A delta against a named object.
    Reference(ObjectId),
}

/// The decoded header of a pack entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryHeader {
    pub(crate) representation: Representation,
    /// Inflated bytes of the zlib stream: of the object, or of the delta.
    pub(crate) size: u64,
    /// Bytes of this header; the zlib stream follows.
    pub(crate) length: usize,
}

const OFS_DELTA: u8 = 6;
const REF_DELTA: u8 = 7;

/// Decodes the header at the beginning of `bytes`.
pub(crate) fn parse_header(bytes: &[u8], hash: HashKind) -> Result<EntryHeader, Defect> {
    let first = *bytes.first().ok_or(Defect::Truncated)?;
    let (mut size, mut shift, mut length, mut last) = (u64::from(first & 0x0f), 4, 1, first);
    while last & 0x80 != 0 {
        last = *bytes.get(length).ok_or(Defect::Truncated)?;
        let bits = u64::from(last & 0x7f);
        if shift > 57 && (shift >= 64 || bits >> (64 - shift) != 0) {
            return Err(Defect::BadHeader);
        }
        size |= bits << shift;
        shift += 7;
        length += 1;
    }
    let representation = match first >> 4 & 7 {
        1 => Representation::Whole(Kind::Commit),
        2 => Representation::Whole(Kind::Tree),
        3 => Representation::Whole(Kind::Blob),
        4 => Representation::Whole(Kind::Tag),
        OFS_DELTA => {
            let (distance, read) = parse_distance(&bytes[length..])?;
            length += read;
            Representation::Offset(distance)
        }
        REF_DELTA => {
            let end = length + hash.len_bytes();
            let base = ObjectId::from_bytes(bytes.get(length..end).ok_or(Defect::Truncated)?);
            length = end;
            Representation::Reference(base.expect("an id of the repository's length"))
        }
        _ => return Err(Defect::BadHeader),
    };
    Ok(EntryHeader {
        representation,
        size,
        length,
    })
}

fn parse_distance(bytes: &[u8]) -> Result<(u64, usize), Defect> {
    let mut last = *bytes.first().ok_or(Defect::Truncated)?;
    let (mut distance, mut length) = (u64::from(last & 0x7f), 1);
    while last & 0x80 != 0 {
        last = *bytes.get(length).ok_or(Defect::Truncated)?;
        length += 1;
        if distance >= 1 << 56 {
            return Err(Defect::BadHeader);
        }
        distance = (distance + 1) << 7 | u64::from(last & 0x7f);
    }
    if distance == 0 {
        Err(Defect::BadBase)
    } else {
        Ok((distance, length))
    }
}

/// Appends the type and size bytes of an entry of `representation`, without
/// what names a base.
pub(crate) fn push_type_and_size(out: &mut Vec<u8>, representation: &Representation, size: u64) {
    let kind = match representation {
        Representation::Whole(kind) => kind.entry_type(),
        Representation::Offset(_) => OFS_DELTA,
        Representation::Reference(_) => REF_DELTA,
    };
    let mut byte = kind << 4 | (size & 0x0f) as u8;
    let mut rest = size >> 4;
    while rest != 0 {
        out.push(byte | 0x80);
        byte = (rest & 0x7f) as u8;
        rest >>= 7;
    }
    out.push(byte);
}

/// Appends the distance back to a delta's base.
pub(crate) fn push_base_distance(out: &mut Vec<u8>, distance: u64) {
    let mut bytes = [0; 10];
    let mut at = bytes.len() - 1;
    let mut rest = distance;
    bytes[at] = (rest & 0x7f) as u8;
    rest >>= 7;
    while rest != 0 {
        rest -= 1;
        at -= 1;
        bytes[at] = 0x80 | (rest & 0x7f) as u8;
        rest >>= 7;
    }
    out.extend_from_slice(&bytes[at..]);
}

#[cfg(test)]
mod tests {
    use git_id::{HashKind, ObjectId};
    use proptest::prelude::{any, prop_oneof, proptest};
    use proptest::strategy::{Just, Strategy};

    use super::{
        EntryHeader, Representation, parse_header, push_base_distance, push_type_and_size,
    };
    use crate::Kind;
    use crate::defect::Defect;

    fn representation() -> impl Strategy<Value = Representation> {
        prop_oneof![
            Just(Representation::Whole(Kind::Tree)),
            (1..1u64 << 56).prop_map(Representation::Offset),
            any::<[u8; 20]>()
                .prop_map(|id| Representation::Reference(ObjectId::from_bytes(&id).unwrap())),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(representation in representation(), size: u64) {
            let mut bytes = Vec::new();
            push_type_and_size(&mut bytes, &representation, size);
            match representation {
                Representation::Whole(_) => {}
                Representation::Offset(distance) => push_base_distance(&mut bytes, distance),
                Representation::Reference(base) => bytes.extend_from_slice(base.as_bytes()),
            }
            let length = bytes.len();
            for cut in 0..length {
                assert_eq!(parse_header(&bytes[..cut], HashKind::Sha1), Err(Defect::Truncated));
            }
            bytes.push(0x78);
            assert_eq!(parse_header(&bytes, HashKind::Sha1), Ok(EntryHeader { representation, size, length }));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse_header(&bytes, HashKind::Sha256);
        }
    }

    #[test]
    fn impossible_headers_are_refused() {
        assert_eq!(
            parse_header(&[0x50], HashKind::Sha1),
            Err(Defect::BadHeader),
            "reserved type"
        );
        assert_eq!(
            parse_header(&[0x60, 0], HashKind::Sha1),
            Err(Defect::BadBase),
            "its own base"
        );
        assert_eq!(
            parse_header(&[0xff; 64], HashKind::Sha1),
            Err(Defect::BadHeader),
            "size over 64 bits"
        );
    }
}

use git_id::{HashKind, ObjectId};

use super::commit::signature;
use crate::{Kind, Signature};

/// An annotated tag, decoded for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What it names.
    pub target: ObjectId,
    /// What it says that is.
    pub target_kind: Kind,
    /// Its own name.
    pub name: Vec<u8>,
    /// Who made it; of old tags, nobody.
    pub tagger: Signature,
    /// The message, with a signature at its end if there is one.
    pub message: Vec<u8>,
}

/// Reads a tag; `None` if what it names is not readable.
pub(crate) fn parse_tag(data: &[u8], hash: HashKind) -> Option<Tag> {
    let (target, target_kind) = tag_target(data, hash)?;
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (headers, message) = match end {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &[][..]),
    };
    let header = |key: &[u8]| {
        let mut lines = headers.split(|byte| *byte == b'\n');
        lines.find_map(|line| line.strip_prefix(key))
    };
    Some(Tag {
        target,
        target_kind,
        name: header(b"tag ").unwrap_or_default().to_vec(),
        tagger: header(b"tagger ").map(signature).unwrap_or_default(),
        message: message.to_vec(),
    })
}

/// What an annotated tag names, and what it says that is; `None` if unreadable.
pub(crate) fn tag_target(data: &[u8], hash: HashKind) -> Option<(ObjectId, Kind)> {
    let rest = data.strip_prefix(b"object ")?;
    let (hex, rest) = rest.split_at_checked(hash.len_hex())?;
    let rest = rest.strip_prefix(b"\ntype ")?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    Some((
        ObjectId::from_hex(hex).ok()?,
        Kind::from_name(&rest[..end])?,
    ))
}

#[cfg(test)]
mod tests {
    use git_id::HashKind;

    use super::{parse_tag, tag_target};
    use crate::Kind;

    #[test]
    fn target_and_kind_are_read() {
        let id = "1".repeat(40);
        let text = format!("object {id}\ntype tree\ntag v1\n");
        let (target, kind) = tag_target(text.as_bytes(), HashKind::Sha1).unwrap();
        assert_eq!((target.to_string(), kind), (id.clone(), Kind::Tree));
        for broken in [
            format!("object {id}\ntype tre\n"),
            format!("object {id}\ntype tree"),
            String::new(),
        ] {
            assert_eq!(
                tag_target(broken.as_bytes(), HashKind::Sha1),
                None,
                "{broken:?}"
            );
        }
    }

    #[test]
    fn a_tag_is_decoded() {
        let id = "1".repeat(40);
        let text = format!("object {id}\ntype commit\ntag v1\ntagger T <t@x> 5 +0100\n\nsaid\n");
        let tag = parse_tag(text.as_bytes(), HashKind::Sha1).unwrap();
        assert_eq!(
            (tag.name.as_slice(), tag.message.as_slice()),
            (&b"v1"[..], &b"said\n"[..])
        );
        assert_eq!((tag.tagger.time, tag.tagger.offset_minutes), (5, 60));
        let old = format!("object {id}\ntype commit\ntag v0\n");
        let tag = parse_tag(old.as_bytes(), HashKind::Sha1).unwrap();
        assert_eq!((tag.name.as_slice(), tag.message.len()), (&b"v0"[..], 0));
    }
}

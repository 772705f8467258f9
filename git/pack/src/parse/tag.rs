use git_id::{HashKind, ObjectId};

use crate::Kind;

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

    use super::tag_target;
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
}
